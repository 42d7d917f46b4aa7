"""Whether another way of training gives the same test accuracy: ours against plain fit, bfloat16.

Two one-sided Welch tests (Schuirmann 1987; Lakens 2017): two methods are equivalent when the 90 %
confidence interval of the difference of their mean test accuracies lies within the margin.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from fmnist_utils.reports import Experiment, load_report
from fmnist_utils.runs import Method, Run, RunStore, accuracies

#: Percentage points of test accuracy; less than a third of the margin of a verdict.
MARGIN = 0.3
LEVEL = 0.05
#: Seeds of each method; the question is decided only when all are there.
SEEDS = 10
#: From a dense layer alone to a convolution with dropout; 3 seconds to 3 minutes a run.
EXPERIMENTS = (
    ("baltzi", "mlp-baseline"),
    ("baltzi", "mlp-1-hidden"),
    ("baltzi", "cnn-1-conv"),
)
#: As the reports call it: no seed, so that Keras shuffles anew in every epoch.
PLAIN_FIT = Method(plain_fit=True, unseeded=True)
#: After ``keras.utils.set_random_seed``, which freezes the order of the images.
SEEDED_FIT = Method(plain_fit=True)
BFLOAT16 = Method("mixed_bfloat16")


class Difference(NamedTuple):
    """A difference of two means, with the 90 % interval and the p-value of the tests."""

    mean: float
    low: float
    high: float
    p: float

    @property
    def equivalent(self) -> bool:
        """Whether both one-sided tests reject at the 5 % level."""
        return self.p < LEVEL


class Comparison(NamedTuple):
    """One experiment trained by another method and as the book does; accuracies in percent."""

    experiment: Experiment
    method: Method
    other: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def difference(self) -> Difference | None:
        """Other minus ours; None until both have all seeds."""
        if min(len(self.other), len(self.ours)) < SEEDS:
            return None
        return welch_tost(self.other, self.ours, MARGIN)


def welch_tost(a: ArrayLike, b: ArrayLike, margin: float) -> Difference:
    """Test whether the means of two samples differ by less than a margin.

    Parameters
    ----------
    a, b : array_like
        Two samples, each of two values or more, of variances that may differ.
    margin : float
        In the unit of the samples.

    Returns
    -------
    Difference
        Mean of `a` minus mean of `b`; `p` is the larger of the two one-sided p-values.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    above = stats.ttest_ind(a + margin, b, equal_var=False, alternative="greater")
    below = stats.ttest_ind(a - margin, b, equal_var=False, alternative="less")
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(1 - 2 * LEVEL)
    p = float(max(above.pvalue, below.pvalue))
    return Difference(float(a.mean() - b.mean()), float(interval.low), float(interval.high), p)


def welch_interval(*terms: tuple[float, ArrayLike]) -> tuple[float, float, float] | None:
    """Return a weighted sum of the means of independent samples, with its 95 % interval.

    Variances may differ: the degrees of freedom are those of Welch and Satterthwaite (Welch 1947,
    Biometrika 34), so that weights 1 and -1 give Welch's t interval.

    Parameters
    ----------
    *terms : pairs of float and array_like, shape (n,)
        Weight and sample.

    Returns
    -------
    tuple of float or None
        Estimate, low, high; None when a sample of fewer than two values has no variance.
    """
    samples = [(weight, np.asarray(values, float)) for weight, values in terms]
    if min(values.size for _, values in samples) < 2:
        return None
    estimate = float(sum(weight * values.mean() for weight, values in samples))
    parts = np.array([weight**2 * values.var(ddof=1) / values.size for weight, values in samples])
    spare = np.array([values.size - 1 for _, values in samples])
    half = 0.0
    if parts.any():
        freedom = parts.sum() ** 2 / (parts**2 / spare).sum()
        half = float(stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum()))
    return estimate, estimate - half, estimate + half


def compare(method: Method, store: RunStore | None = None) -> list[Comparison]:
    """Set the first ten seeds of a method beside ours in float32, for each chosen experiment."""
    store = store or RunStore()
    comparisons = []
    for report_id, name in EXPERIMENTS:
        experiment = load_report(report_id)[name]
        found = (store.runs(experiment, chosen) for chosen in (method, Method()))
        comparisons.append(Comparison(experiment, method, *map(_test_accuracies, found)))
    return comparisons


def allowed(method: Method, store: RunStore) -> bool:
    """Say whether a method was equivalent on every experiment, so that chapters may use it."""
    differences = [item.difference for item in compare(method, store)]
    return all(found is not None and found.equivalent for found in differences)


def _test_accuracies(runs: Iterable[Run]) -> tuple[float, ...]:
    return tuple(accuracies([run for run in runs if run.seed <= SEEDS], "test").tolist())
