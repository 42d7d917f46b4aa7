"""The networks of all reports under one protocol: arithmetic, calibration, components, tables."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from factories import make_run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.text import Text
from numpy.typing import NDArray

from fmnist_utils import plots, tables
from fmnist_utils.data.synthetic import load_synthetic
from fmnist_utils.models.cost import multiply_adds
from fmnist_utils.plots.networks import on_front
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.report import ONE_PROTOCOL
from fmnist_utils.runs.record import Method
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import reliability, variance_components
from fmnist_utils.verdicts.across_reports import (
    choices,
    highest_reported,
    one_protocol,
    own_runs,
)

REPORTS = [load_report(name) for name in list_reports()]
TRAINED_ALIKE = [
    report[name] for report in REPORTS for name in report.variants if name.startswith(ONE_PROTOCOL)
]


# --- the protocol --------------------------------------------------------------------------------


def test_the_one_protocol_is_one() -> None:
    """Labels may be written in two ways, which change no gradient, and a cap may cut off none."""
    spec = [
        item.training.model_dump(exclude={"loss", "images"}) | {"in": item.precision}
        for item in TRAINED_ALIKE
    ]
    assert all(item == spec[0] for item in spec)
    assert {item.training.images for item in TRAINED_ALIKE} <= {None, 54_000}


def test_every_network_of_a_report_is_trained_once_by_the_one_protocol() -> None:
    named = {item.model for report in REPORTS for item in report.experiments.values()}
    # Trials of a search are no networks of their own, but for the one that the report trains on.
    named -= {
        item.model
        for report in REPORTS
        for name, item in report.experiments.items()
        if name.startswith("trial-") and item.model != report.experiments["tuned"].model
    }
    trained = [item.model for item in TRAINED_ALIKE]
    assert len(set(trained)) == len(trained)
    assert set(trained) == named


def test_a_variant_of_the_one_protocol_is_no_other_reading_of_a_report(tmp_path) -> None:
    store = RunStore(tmp_path / "new", tmp_path)
    for report in REPORTS:
        for item in report.trainable.values():
            for seed in (1, 2, 3):
                store.add(make_run(item, seed, method=Method.of(item)))
    found = list(choices(store))
    assert found and not any(ONE_PROTOCOL in choice.runs[0].experiment for choice in found)


def test_networks_come_in_the_order_of_their_accuracy_at_the_best_epoch(tmp_path) -> None:
    store = RunStore(tmp_path / "new", tmp_path)
    for i, item in enumerate(TRAINED_ALIKE[:4]):
        for seed in (1, 2, 3)[: 2 if i == 3 else 3]:
            run = make_run(
                item, seed, accuracy=0.9 - i / 100, best_epoch=3, best_accuracy=0.9 + i / 100,
                method=Method.of(item),
            )  # fmt: skip
            store.add(run)
    found = one_protocol(store)
    assert [model.experiment.id for model in found] == [
        item.id for item in reversed(TRAINED_ALIKE[:3])
    ]
    assert own_runs(found[0], store) == []
    assert len(tables.networks(found).rows) == 3
    assert tables.networks(found).rows[0][-1] == ""  # it can be told apart from all others
    fig = plots.pareto(found)
    fig.draw_without_rendering()
    powers = [text for text in fig.findobj(Text) if "mathdefault" in text.get_text()]
    assert powers and all(text.get_parse_math() for text in powers if text.get_visible())
    assert tables.networks([]).rows == tables.network_orders([]).rows == ()


def test_the_highest_number_that_any_report_states_of_a_network_counts() -> None:
    found = {model.experiment.id: highest_reported(model) for model in one_protocol()}
    assert found["one-protocol-cnn-optimised"] == (93.61, "test")
    assert found["one-protocol-four-conv"] == (92.51, "validation")  # on test images that validate


# --- arithmetic ----------------------------------------------------------------------------------


def test_arithmetic_is_that_of_convolutions_and_dense_layers() -> None:
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 3, padding="same"),
        keras.layers.BatchNormalization(),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(4, 5),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ])  # fmt: skip
    by_hand = 28 * 28 * 8 * 9 + 10 * 10 * 4 * 8 * 25 + 400 * 10
    assert multiply_adds(model) == by_hand


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_nothing_on_the_front_is_beaten_and_all_else_is(points: list[tuple[int, int]]) -> None:
    cost, gain = zip(*points, strict=True)
    front = on_front(cost, gain)
    assert front
    for i, (x, y) in enumerate(points):
        beaten = any(a <= x and b >= y and (a < x or b > y) for a, b in points)
        assert beaten is (i not in front)


# --- calibration ---------------------------------------------------------------------------------

percents = hnp.arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 100))


@given(percents, st.integers(0, 2**32 - 1))
def test_bins_hold_every_prediction_and_the_error_is_a_mean_distance(
    sure: NDArray[np.int64], seed: int
) -> None:
    right = np.random.default_rng(seed).random(len(sure)) < 0.5
    found = reliability(sure / 100, right)
    assert found.counts.sum() == len(sure)
    assert np.nansum(found.counts * found.accuracy) == pytest.approx(right.sum())
    assert np.nansum(found.counts * found.confidence) == pytest.approx(sure.sum() / 100)
    assert 0 <= found.error <= 1
    # A mean of distances is no less than the distance of the means.
    assert found.error >= abs(right.mean() - sure.mean() / 100) - 1e-12


def test_a_bin_holds_its_upper_end() -> None:
    found = reliability([0.0, 0.1, 0.7, 1.0], [False, False, True, True])
    assert found.counts.tolist() == [2, 0, 0, 0, 0, 0, 1, 0, 0, 1]


def test_a_model_that_is_right_as_often_as_it_says_has_no_error() -> None:
    right = np.arange(1000) % 10 < 7
    assert reliability(np.full(1000, 0.7), right).error == pytest.approx(0)
    assert reliability(np.full(1000, 0.9), right).error == pytest.approx(0.2)


# --- components of variance ----------------------------------------------------------------------


def test_components_of_variance_are_found_again() -> None:
    """From 8 groups of 5; the interval of the share holds the truth in about 95 % of cases."""
    draw = np.random.default_rng(0)
    inside, between = [], []
    for _ in range(200):
        groups = draw.normal(0, 1, 8)[:, None] + draw.normal(0, 2, (8, 5))
        found = variance_components(list(groups))
        inside.append(found.low <= 0.2 <= found.high)
        between.append(found.between**2)
    assert 0.90 < np.mean(inside) < 0.99
    assert np.mean(between) == pytest.approx(1, abs=0.3)


@given(st.lists(st.lists(st.floats(80, 95), min_size=2, max_size=5), min_size=2, max_size=5))
def test_a_share_of_variance_lies_in_its_interval_and_units_change_nothing(
    groups: list[list[float]],
) -> None:
    spread = [value for group in groups for value in np.subtract(group, np.mean(group))]
    if max(map(abs, spread)) < 1e-3:
        return  # without any difference within groups there is no ratio
    found = variance_components(groups)
    assert 0 <= found.low <= found.share <= found.high <= 1
    scaled = variance_components([[value / 100 + 3 for value in group] for group in groups])
    assert scaled.share == pytest.approx(found.share, abs=1e-6)
    assert 100 * scaled.within == pytest.approx(found.within)


# --- figures and tables --------------------------------------------------------------------------


def test_without_runs_or_real_images_there_is_a_sentence_and_no_row() -> None:
    data = load_synthetic(600, 100)
    assert [len(fig.axes) for fig in (plots.pareto([]), plots.reliability([], data))] == [1, 1]
    assert tables.calibration(one_protocol(), data).rows == ()


def test_a_setting_stands_with_what_was_tried() -> None:
    table = tables.settings_worth({"epochs": {"10": [90.1, 90.3], "50": [91.0, 91.4, 91.2]}})
    ((name, means, *others),) = table.rows
    assert (str(name), means) == ("epochs [10, 50]", "90.20, 91.20")
    assert others[1] == "0.18"  # the deviation within the two
