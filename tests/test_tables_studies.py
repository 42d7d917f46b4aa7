"""What chapters print of our own studies, and of training times."""

import re

import numpy as np
import pytest
from factories import make_run
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from test_tables import cells

from fmnist_utils import tables
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.record import Run
from fmnist_utils.text import contrast_text

REPORT = load_report("fashion-mnist-report")
ONE_CONV = REPORT["one-conv-fold"]


def seeds(*accuracies: float, epochs: int = 3) -> list[Run]:
    """Return runs with these test accuracies in percent."""
    return [make_run(ONE_CONV, i, epochs, a / 100) for i, a in enumerate(accuracies, start=1)]


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[+-]\d+\.\d\d", text)]


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


# --- two factors ---------------------------------------------------------------------------------


def factorial_groups() -> dict[tuple[str, str], list[Run]]:
    """Means 88, 87, 90 and 91; each group has standard deviation 0.2 and three runs."""
    means = {("10", "off"): 88, ("10", "on"): 87, ("60", "off"): 90, ("60", "on"): 91}
    return {key: seeds(mean - 0.2, mean, mean + 0.2) for key, mean in means.items()}


def test_factorial_has_the_effects_and_their_interaction_with_intervals():
    table = tables.factorial(factorial_groups(), "images", "augmentation")
    # A mean has variance 0.2² / 3 = 0.04 / 3. A difference of two has standard error √(0.08 / 3) =
    # 0.1633 and 4 degrees of freedom, t = 2.776. Half the sum of two such differences has √(0.04
    # / 3) = 0.1155, their difference √(0.16 / 3) = 0.2309, both 8 degrees of freedom, t = 2.306.
    assert [tuple(map(str, row)) for row in table.rows] == [
        ("augmentation: on against off [images: 10]", "-1.00 [-1.45, -0.55]"),
        ("augmentation: on against off [images: 60]", "+1.00 [+0.55, +1.45]"),
        ("images: 60 against 10 [mean over augmentation]", "+3.00 [+2.73, +3.27]"),
        ("interaction [second row minus first]", "+2.00 [+1.47, +2.53]"),
    ]
    assert table.caption == "Effects on test accuracy after the last epoch, 3 runs in each group"


def test_factorial_takes_the_order_of_values_from_the_groups():
    turned = dict(reversed(factorial_groups().items()))
    table = tables.factorial(turned, "images", "augmentation")
    assert str(table.rows[0][0]) == "augmentation: off against on [images: 60]"
    assert table.rows[0][1] == "-1.00 [-1.45, -0.55]"
    assert table.rows[3][1] == "+2.00 [+1.47, +2.53]"


@pytest.mark.parametrize("found", [[], seeds(90)])
def test_an_effect_needs_two_runs_of_each_group_it_is_made_of(found):
    groups = factorial_groups() | {("60", "on"): found}
    rows = tables.factorial(groups, "images", "augmentation").rows
    assert [bool(row[1]) for row in rows] == [True, False, False, False]
    missing = {key: runs for key, runs in groups.items() if key != ("60", "on")}
    assert tables.factorial(missing, "images", "augmentation").rows == rows


def test_a_study_that_nobody_ran_yet_still_has_its_rows():
    empty = {key: [] for key in factorial_groups()}
    table = tables.factorial(empty, "images", "augmentation")
    assert cells(table, table.headers[1]) == [""] * 4
    assert "0 runs" in table.caption


def test_factors_with_one_or_three_values_are_refused():
    with pytest.raises(FmnistError, match=r"images has 1 \(10\)"):
        tables.factorial({("10", "on"): [], ("10", "off"): []}, "images", "augmentation")
    three = {**factorial_groups(), ("60", "more"): []}
    with pytest.raises(FmnistError, match=r"augmentation has 3 \(off, on, more\)"):
        tables.factorial(three, "images", "augmentation")


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


def test_every_line_may_have_a_reference_of_its_own():
    against = {"CNN": "RMSprop", "MLP": "Adam", "not trained yet": "Adam"}
    table = tables.effects(choices(), against, x="optimizer", line="model")
    references = [row[:2] for row in table.rows if row[4] == "reference"]
    assert references == [("CNN", "RMSprop"), ("MLP", "Adam")]
    assert table.rows[0] == ("CNN", "Adam", "3", "90.20 ± 0.10", "-0.20 [-0.62, +0.22]")
    assert "test accuracy (%)" in table.headers


@pytest.mark.parametrize("against", ["SGD", {"CNN": "Adam"}])
def test_a_line_without_its_reference_is_refused(against):
    with pytest.raises(FmnistError, match=r"where model is MLP: give .* Adam, RMSprop"):
        tables.effects(choices(), against, x="optimizer", line="model")


def test_no_groups_make_an_empty_table():
    assert tables.effects({}, "Adam", x="optimizer", line="model").rows == ()


# --- numbers of epochs ---------------------------------------------------------------------------


# --- training times ------------------------------------------------------------------------------


def timed(name: str, *seconds: tuple[float, ...], images: int = 60_000) -> list[Run]:
    runs = []
    for seed, per_epoch in enumerate(seconds, start=1):
        run = make_run(REPORT[name], seed, len(per_epoch))
        split = {**run.images, "train": images}
        runs.append(run.model_copy(update={"seconds_per_epoch": per_epoch, "images": split}))
    return runs
