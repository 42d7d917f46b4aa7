"""Whether another way of training gives the same accuracy."""

import numpy as np
import pytest
from factories import make_run
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.runs.record import Method
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import welch_tost
from fmnist_utils.verdicts.equivalence import BFLOAT16, EXPERIMENTS, PLAIN_FIT, compare

samples = st.lists(st.floats(80, 95), min_size=3, max_size=12).filter(lambda x: np.std(x) > 0.01)


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs", tmp_path / "published")


@given(samples, samples, st.floats(0.1, 5))
@settings(max_examples=60)
def test_two_one_sided_tests_reject_when_the_interval_lies_within_the_margin(a, b, margin):
    found = welch_tost(a, b, margin)
    assert found.equivalent == (-margin < found.low and found.high < margin)
    assert found.mean == pytest.approx(np.mean(a) - np.mean(b))


@given(samples, samples)
@settings(max_examples=60)
def test_interval_is_welchs(a, b):
    found = welch_tost(a, b, 0.3)
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = stats.t.ppf(0.95, freedom) * np.sqrt(va + vb)
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half))


def test_equivalence_is_not_the_absence_of_a_significant_difference():
    noisy = welch_tost([88.0, 90.0, 92.0], [88.1, 90.1, 91.9], 0.3)
    assert not noisy.equivalent and noisy.low < 0 < noisy.high
    shifted = welch_tost(90.1 + np.linspace(-0.1, 0.1, 10), 90 + np.linspace(-0.1, 0.1, 10), 0.3)
    assert shifted.equivalent and shifted.low > 0, "different, by less than matters"


def fill(store: RunStore, method: Method, shift: float, seeds: int = 10) -> None:
    for report_id, name in EXPERIMENTS:
        for seed in range(1, seeds + 1):
            accuracy = 0.9 + 0.0002 * (seed % 4) + (shift if method != Method() else 0)
            store.add(
                make_run(load_report(report_id)[name], seed, accuracy=accuracy, method=method)
            )


@pytest.mark.parametrize("method", [PLAIN_FIT, BFLOAT16])
@pytest.mark.parametrize(("shift", "equivalent"), [(0.001, True), (0.004, False), (-0.004, False)])
def test_a_method_is_equivalent_where_its_shift_is_within_the_margin(
    store, method, shift, equivalent
):
    fill(store, Method(), 0)
    fill(store, method, shift)
    for item in compare(method, store):
        assert item.difference.equivalent == equivalent
        assert item.difference.mean == pytest.approx(100 * shift)


def test_nothing_is_decided_before_all_seeds_are_there(store):
    fill(store, Method(), 0)
    assert {item.difference for item in compare(BFLOAT16, store)} == {None}
    fill(store, BFLOAT16, 0, seeds=9)
    assert {item.difference for item in compare(BFLOAT16, store)} == {None}


@pytest.mark.parametrize("report_id", list_reports())
def test_experiments_use_bfloat16_only_if_it_is_equivalent(report_id, tmp_path):
    precisions = {experiment.precision for experiment in load_report(report_id).trainable.values()}
    if "mixed_bfloat16" in precisions:
        found = [item.difference for item in compare(BFLOAT16, RunStore(tmp_path))]
        assert all(difference and difference.equivalent for difference in found)
