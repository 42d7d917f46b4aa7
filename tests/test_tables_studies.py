"""What chapters print of our own studies."""

import re

import numpy as np
import pytest
from factories import diverged_run, make_run
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fmnist_utils import tables
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.record import Run
from fmnist_utils.stats import welch_interval
from fmnist_utils.text import with_interval

REPORT = load_report("fashion-mnist-report")
ONE_CONV = REPORT["one-conv-fold"]


def seeds(*accuracies: float, epochs: int = 3) -> list[Run]:
    """Return runs with these test accuracies in percent."""
    return [make_run(ONE_CONV, i, epochs, a / 100) for i, a in enumerate(accuracies, start=1)]


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[+-]\d+\.\d\d", text)]


def contrast_text(*terms: tuple[float, np.ndarray]) -> str:
    found = welch_interval(*terms)
    return with_interval(*found) if found else ""


# --- contrasts -----------------------------------------------------------------------------------

SAMPLE = st.lists(st.integers(8000, 10000), min_size=2, max_size=6, unique=True).map(
    lambda hundredths: np.array(hundredths) / 100
)


@given(SAMPLE, SAMPLE)
def test_a_difference_has_the_interval_of_welchs_test(a, b):
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    expected = [a.mean() - b.mean(), low, high]
    assert numbers(contrast_text((1, a), (-1, b))) == pytest.approx(expected, abs=0.00501)


@given(SAMPLE, SAMPLE, SAMPLE)
def test_turning_every_weight_around_mirrors_the_interval(a, b, c):
    mean, low, high = numbers(contrast_text((1, a), (-0.5, b), (-0.5, c)))
    turned = numbers(contrast_text((0.5, c), (0.5, b), (-1, a)))
    assert turned == pytest.approx([-mean, -high, -low], abs=0.0101)


def test_samples_without_spread_leave_no_interval_and_single_values_nothing():
    same, one = np.array([10.0, 10.0]), np.array([90.0])
    assert contrast_text((1, same), (-1, same)) == "+0.00 [+0.00, +0.00]"
    assert contrast_text((1, same), (-1, one)) == ""


# --- one choice ----------------------------------------------------------------------------------


def choices() -> dict[tuple[str, str], list[Run]]:
    return {
        ("Adam", "CNN"): seeds(90.1, 90.2, 90.3),
        ("Adam", "MLP"): seeds(88, 88.2),
        ("RMSprop", "CNN"): seeds(90.2, 90.4, 90.6),
        ("RMSprop", "MLP"): seeds(87),
        ("SGD", "CNN"): [],
    }


def test_effects_stand_line_by_line_beside_their_reference():
    table = tables.effects(choices(), "Adam", x="optimizer", line="model")
    assert table.headers[:4] == ("model", "optimizer", "seeds", "test accuracy (%)")
    # Standard error √(0.1² / 3 + 0.2² / 3) = 0.129, Welch's degrees of freedom 50 / 17 = 2.94.
    assert table.rows == (
        ("CNN", "Adam", "3", "90.20 ± 0.10", "reference"),
        ("CNN", "RMSprop", "3", "90.40 ± 0.20", "+0.20 [-0.22, +0.62]"),
        ("CNN", "SGD", "0", "", ""),
        ("MLP", "Adam", "2", "88.10 ± 0.14", "reference"),
        ("MLP", "RMSprop", "1", "87.00", ""),
    )


def test_a_line_without_its_reference_is_refused():
    with pytest.raises(FmnistError, match=r"where model is MLP: give .* Adam, RMSprop"):
        tables.effects(choices(), "SGD", x="optimizer", line="model")


def test_no_groups_make_an_empty_table():
    assert tables.effects({}, "Adam", x="optimizer", line="model").rows == ()


# --- runs that diverged --------------------------------------------------------------------------


def test_runs_that_diverged_are_counted_apart_and_enter_no_mean():
    lost = diverged_run(ONE_CONV, 9)
    groups = {("Adam", "CNN"): seeds(90.1, 90.3), ("SGD", "CNN"): [*seeds(90.0, 90.4), lost],
              ("RMSprop", "CNN"): [lost]}  # fmt: skip
    table = tables.effects(groups, "Adam", x="optimizer", line="model")
    _, sgd, nothing = table.rows
    assert sgd[2:4] == ("2, 1 more diverged", "90.20 ± 0.28") and sgd[4].startswith("+0.00 [")
    assert nothing[2:] == ("0, 1 more diverged", "", "")
    rows = tables.study({place: runs for (place, _), runs in groups.items()}).rows
    assert [row[1] for row in rows] == ["2", "2, 1 more diverged", "0, 1 more diverged"]
    assert rows[1][3] == "90.20 ± 0.28"


def test_closest_epochs_are_those_of_runs_that_did_not_diverge():
    listing = load_report("mendez")["listing"]
    runs = [make_run(listing, 1, epochs=6), diverged_run(listing, 2)]
    both, one = (tables.closest_epochs(listing, found) for found in (runs, runs[:1]))
    assert both.rows == one.rows and ", 1 more diverged" in both.caption
    assert {row[2:] for row in tables.closest_epochs(listing, runs[1:]).rows} == {("", "")}
