"""The folder of statistics: its examples, that it is the only one, and what it was told."""

import doctest
import importlib
import math
import re
import warnings
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np
import pytest
from scipy import optimize
from scipy.stats import kstest

import fmnist_utils
from fmnist_utils import stats
from fmnist_utils.data.download import load_data
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import (
    LOG,
    PLAIN,
    ClaimTest,
    SampleSummary,
    Scale,
    at_least,
    cluster_interval,
    drawn_true,
    loss_sampling_variance,
    mean_difference,
    variance_components,
)

FOLDER = Path(stats.__file__).parent


def modules() -> list[ModuleType]:
    names = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    return [importlib.import_module(f"fmnist_utils.stats.{name}") for name in names]


def test_examples_in_the_docstrings_are_right() -> None:
    results = [doctest.testmod(module) for module in modules()]
    assert sum(found.failed for found in results) == 0
    assert sum(found.attempted for found in results) > 20


def test_every_function_has_an_example() -> None:
    public = [
        item
        for module in modules()
        for name, item in vars(module).items()
        if isinstance(item, FunctionType) and item.__module__ == module.__name__
        if name[0] != "_"
    ]
    assert len(public) >= 14
    assert [item.__name__ for item in public if ">>>" not in (item.__doc__ or "")] == []


def test_nothing_else_computes_a_quantile() -> None:
    found = {
        path.parent
        for path in Path(fmnist_utils.__file__).parent.rglob("*.py")
        if re.search(
            r"\.ppf\(|np\.(nan)?(percentile|quantile)|scipy import stats"
            r"|\.chisquare\(|sqrt\(\w+\.pi\)",
            path.read_text(),
        )
    }
    assert found == {FOLDER}


def test_a_loss_of_zero_lies_below_all_others_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LOG.forward(0.0) == -math.inf


# --- what chance gives ---------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "mean"), [(PLAIN, 90.0), (LOG, 4.0)])
@pytest.mark.parametrize("mean_of", [1, 5])
def test_p_values_of_claims_drawn_true_are_uniform(scale: Scale, mean: float, mean_of: int) -> None:
    """Without rounding; so that 5 % of true claims lie outside their 95 % interval."""
    test = ClaimTest(0.0, 0.0, 1.0, (SampleSummary(mean, 0.2, 5),), mean_of=mean_of, scale=scale)
    true = drawn_true(test, seed=1, draws=20_000)
    assert kstest(true.p, "uniform").pvalue > 0.01


def test_claims_drawn_true_spread_as_runs_do_and_are_rounded() -> None:
    summaries = (SampleSummary(91.0, 0.3, 5), SampleSummary(90.0, 0.4, 8))
    true = drawn_true(ClaimTest(1.0, 0.05, 1.0, summaries, known=0.25), seed=0, draws=50_000)
    assert np.allclose(true.value, np.round(true.value, 1), atol=1e-12)
    assert np.mean(true.value) == pytest.approx(1.0, abs=0.01)
    rounding = 0.1**2 / 12
    assert np.var(true.value) == pytest.approx(0.3**2 + 0.4**2 + 0.25 + rounding, rel=0.02)
    for summary, drawn in zip(summaries, true.summaries, strict=True):
        assert np.std(drawn.mean) == pytest.approx(summary.sd / math.sqrt(summary.runs), rel=0.02)
        assert np.mean(np.square(drawn.sd)) == pytest.approx(summary.sd**2, rel=0.02)
    same = drawn_true(ClaimTest(1.0, 0.05, 1.0, summaries, known=0.25), seed=0, draws=50_000)
    assert np.array_equal(true.value, same.value)


def test_a_mean_of_clusters_varies_with_clusters_not_with_what_they_hold() -> None:
    means = np.random.default_rng(0).normal(0.5, 0.1, 200)
    low, high = cluster_interval(means, np.ones(200))
    reach = 1.96 * means.std() / math.sqrt(200)
    assert (low, high) == pytest.approx((means.mean() - reach, means.mean() + reach), abs=1e-3)
    assert cluster_interval(means * 64, np.full(200, 64)) == (low, high)
    assert cluster_interval([1, 2, 3], [2, 4, 6]) == (0.5, 0.5)


def test_the_mean_difference_is_that_of_two_draws() -> None:
    draws = np.random.default_rng(0).normal(90.0, 0.3, (2, 200_000))
    assert mean_difference(0.3) == pytest.approx(np.abs(draws[0] - draws[1]).mean(), rel=0.01)


@pytest.mark.parametrize(("kept", "n", "share"), [(0, 5, 0.2), (3, 7, 0.4), (7, 7, 1.0)])
def test_the_tail_of_the_binomial_is_its_sum(kept: int, n: int, share: float) -> None:
    terms = (math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(kept, n + 1))
    assert at_least(kept, n, share) == pytest.approx(sum(terms))


@pytest.mark.parametrize(
    ("groups", "between", "share"), [([[1, 1], [3, 3]], math.sqrt(2), 1), ([[1, 1], [1, 1]], 0, 0)]
)
def test_without_variance_within_groups_all_of_it_is_between_them(
    groups: list[list[float]], between: float, share: float
) -> None:
    found = variance_components(groups)
    assert found == (pytest.approx(between), 0, share, share, share)


def test_equal_runs_have_no_deviation() -> None:
    assert SampleSummary.of([0.1] * 3).sd == 0 < np.std([0.1] * 3, ddof=1)
    summary = SampleSummary.of([2.0, 8.0], LOG)
    assert summary == SampleSummary(
        pytest.approx(math.log(4)), pytest.approx(math.sqrt(2) * math.log(2)), 2
    )


# --- what was told -------------------------------------------------------------------------------


def test_losses_of_single_images_vary_at_least_as_much_as_assumed(
    real_data_dir: Path, tmp_path: Path
) -> None:
    """Confidences give the loss of a right answer; of a wrong one, what the mean leaves for it."""
    labels = load_data(folder=real_data_dir).test_labels
    store, networks = RunStore(tmp_path), 0
    for experiment in (e for r in list_reports() for e in load_report(r).experiments.values()):
        for run in store.runs(experiment)[-1:]:
            if run.confidences is None:
                continue
            sure, right = np.clip(run.confidences / 100, 0.005, 0.995), run.predictions == labels
            mean = run.final.test.loss

            def losses(left: float, sure=sure, right=right):
                return np.where(right, -np.log(sure), -np.log(1 - sure) - left)

            left = optimize.brentq(lambda x, m=mean, f=losses: f(x).mean() - m, -10, 10)
            assumed = loss_sampling_variance(mean, 1, 10**9) / 2
            assert assumed < losses(left).var(), experiment.id
            networks += 1
    assert networks > 15
