"""Test images of which runs say another class than the label."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from factories import TEST_LABELS, make_run
from figures import SYNTHETIC, words

from fmnist_utils import plots, tables
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.plots.panels import Panels
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.packing import pack_confidences, pack_predictions
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.verdicts.across_reports import one_protocol
from fmnist_utils.verdicts.disputed import Disputed, disputed, disputed_by

BALTZI = load_report("baltzi")
DATA = FashionMNIST(
    SYNTHETIC.train_images,
    SYNTHETIC.train_labels,
    np.resize(SYNTHETIC.test_images, (len(TEST_LABELS), 28, 28)),
    TEST_LABELS,
    "real",
)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs", tmp_path / "published")


def add(
    store: RunStore, experiment: str, accuracy: float, best: int | None = None, n: int = 3
) -> list[Run]:
    runs = [
        make_run(BALTZI[experiment], seed, accuracy=accuracy, best_epoch=best)
        for seed in range(1, n + 1)
    ]
    for run in runs:
        store.add(run)
    return runs


def test_shares_are_those_of_a_count_image_by_image(store: RunStore) -> None:
    runs = [*add(store, "mlp-baseline", 0.2), *add(store, "mlp-1-hidden", 0.3)]
    found = disputed(DATA, store)
    assert (found.experiments, found.networks, found.runs) == (2, 2, 6)
    says = [run.predictions for run in runs]
    for i in range(0, 10_000, 97):
        votes = Counter(int(said[i]) for said in says)
        right = votes.pop(int(TEST_LABELS[i]), 0)
        assert found.wrong[i] == pytest.approx(1 - right / 6)
        assert found.agreed[i] == pytest.approx(max(votes.values(), default=0) / 6)
        assert not votes or votes[found.said[i]] == max(votes.values())


def test_a_training_under_two_names_has_one_say(store: RunStore) -> None:
    add(store, "mlp-baseline", 0.8)
    add(store, "mlp-1-hidden", 0.9)
    add(store, "cnn-1-conv", 0.9)
    found = disputed(DATA, store)
    assert (found.experiments, found.runs) == (2, 6)


def test_neither_variants_nor_experiments_with_few_runs_have_a_say(store: RunStore) -> None:
    add(store, "mlp-baseline", 0.8)
    add(store, "mlp-1-hidden", 0.9, n=2)
    add(store, next(iter(BALTZI.variants)), 0.7)
    assert disputed(DATA, store).runs == 3


def test_on_other_images_no_run_has_a_say(store: RunStore) -> None:
    add(store, "mlp-baseline", 0.8)
    for data in (SYNTHETIC, dataclasses.replace(SYNTHETIC, source="real")):
        found = disputed(data, store)
        assert found.runs == 0 and not len(found.candidates(0))
        assert tables.disputed(found).rows == ()
        assert any("no image" in text for text in words(plots.disputed(data, found)))


FOUND = Disputed(
    experiments=4,
    networks=3,
    runs=20,
    labels=np.array([0, 1, 2, 3], np.uint8),
    said=np.array([6, 3, 4, 0]),
    wrong=np.array([1.0, 1.0, 0.95, 0.2]),
    agreed=np.array([1.0, 0.9, 0.95, 0.2]),
)


def test_the_table_counts_for_every_share_of_the_runs() -> None:
    table = tables.disputed(FOUND)
    assert [tuple(map(str, row)) for row in table.rows] == [
        ("all 20", "2", "1"), ("19 (95 %)", "3", "2"), ("18 (90 %)", "3", "3"),
        ("10 (50 %)", "3", "3"),  # and 99 % of 20 runs are all
    ]  # fmt: skip
    assert "20 runs of 4 experiments with 3 networks" in table.caption


def test_a_picture_says_the_label_and_what_the_runs_say() -> None:
    shown = plots.disputed(SYNTHETIC, FOUND, 0.95)
    assert isinstance(shown, Panels)
    assert shown.alt == (
        "Test image 0, labelled T-shirt/top; 100 % of the runs say Shirt.",
        "Test image 2, labelled Pullover; 95 % of the runs say Coat.",
    )
    page = shown._repr_html_()
    assert page.count('class="photo"') == 2
    assert "at least 95 % of 20 runs say the same other class</figcaption>" in page


def test_the_first_of_many_pictures_say_of_how_many() -> None:
    shown = plots.disputed(SYNTHETIC, FOUND, 0.9, most=2)
    assert isinstance(shown, Panels)
    assert [text[:12] for text in shown.alt] == ["Test image 0", "Test image 1"]
    assert "The first 2 of 3 test images of which at least 90 % of 20 runs" in shown._repr_html_()


def test_a_share_just_below_all_is_not_called_all() -> None:
    nearly = dataclasses.replace(FOUND, agreed=np.array([0.996, 0.9, 0.95, 0.2]))
    shown = plots.disputed(SYNTHETIC, nearly, 0.996)
    assert isinstance(shown, Panels)
    assert "at least 99.6 % of 20 runs" in shown.caption and "; 99.6 % of" in shown.alt[0]


def test_models_have_a_say_at_their_best_epoch(tmp_path: Path) -> None:
    item = load_report("baltzi")["one-protocol-cnn-1-conv"]
    run = make_run(item, best_epoch=3, accuracy=0.5, best_accuracy=1.0, method=Method.of(item))
    sure = pack_confidences(np.full(len(TEST_LABELS), 0.9, np.float32))
    right = {"best_predictions": pack_predictions(TEST_LABELS), "best_confidences": sure}
    store = RunStore(tmp_path / "new", tmp_path)
    for seed in (1, 2, 3):
        store.add(run.model_copy(update=right | {"seed": seed}).with_digest())
    found = disputed_by(DATA, one_protocol(store))
    assert (found.runs, found.experiments, found.networks) == (3, 1, 1)
    assert not found.wrong.any()
