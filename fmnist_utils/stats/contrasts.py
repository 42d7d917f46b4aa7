"""Means of samples, and how far they lie apart."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from fmnist_utils.stats.prediction import Floats

#: Of every one-sided equivalence test.
LEVEL = 0.05


def mean_half_width(values: ArrayLike) -> float:
    """Return half the 95 % confidence interval of a mean (Student's t); NaN for a single value.

    Parameters
    ----------
    values : array_like, shape (runs,)

    Examples
    --------
    >>> round(mean_half_width([89.0, 90.0, 91.0]), 3)
    2.484
    """
    n = np.size(values)
    return float(stats.t.ppf(0.975, n - 1) * stats.sem(values)) if n > 1 else math.nan


def percentile_interval(draws: ArrayLike) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % percentile interval of bootstrap draws.

    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.

    Parameters
    ----------
    draws : array_like, shape (draws, ...)

    Returns
    -------
    low, high : ndarray of float, shape (...)

    Examples
    --------
    >>> [float(end) for end in percentile_interval(range(201))]
    [5.0, 195.0]
    """
    low, high = np.percentile(np.asarray(draws, float), [2.5, 97.5], axis=0)
    return low, high


def cluster_interval(sums: ArrayLike, sizes: ArrayLike) -> tuple[float, float]:
    """Return the 95 % interval of a mean whose values come in clusters that are alike inside.

    Whole clusters are drawn again, 10,000 times: Field & Welsh (2007), Journal of the Royal
    Statistical Society B 69(3), 369-390.

    Parameters
    ----------
    sums, sizes : array_like, shape (clusters,)
        Sum of the values of each cluster, and how many it has.

    Examples
    --------
    >>> [round(end, 2) for end in cluster_interval([9, 1, 8, 2, 5], [10, 10, 10, 10, 10])]
    [0.22, 0.78]
    """
    clusters = np.stack([np.asarray(sums, float), np.asarray(sizes, float)], axis=1)
    chosen = np.random.default_rng(0).integers(len(clusters), size=(10_000, len(clusters)))
    drawn = clusters[chosen].sum(axis=1)
    low, high = percentile_interval(drawn[:, 0] / drawn[:, 1])
    return float(low), float(high)


def mean_difference(sd: float) -> float:
    """Return how far two single runs lie apart on average: 2 sd / sqrt(pi).

    The mean difference of a normal distribution (Gini 1912; David 1968, Biometrika 55(3), 573-575).

    Examples
    --------
    >>> round(mean_difference(0.3), 2)
    0.34
    """
    return 2 * sd / math.sqrt(math.pi)


def chance_difference(sd_a: float, sd_b: float) -> float:
    """Return how far two single runs of equal mean lie apart in 95 % of cases, at most.

    1.96 sqrt(sd_a² + sd_b²), which for equal deviations is the repeatability limit of ISO 5725.

    Parameters
    ----------
    sd_a, sd_b : float
        Standard deviations over seeds, in the unit of the result.

    Examples
    --------
    >>> round(chance_difference(0.3, 0.4), 2)
    0.98
    """
    return 1.96 * math.hypot(sd_a, sd_b)


def chance_factor(sds: ArrayLike, runs: ArrayLike) -> float:
    """Return the t that 1.96 becomes in `chance_difference` where deviations come from few runs.

    Its degrees of freedom are those of Welch and Satterthwaite; NaN without any deviation.

    Parameters
    ----------
    sds, runs : array_like, shape (models,)
        Standard deviations, and from how many runs each.

    Examples
    --------
    >>> round(chance_factor([0.3, 0.3], [5, 5]), 2)
    2.31
    """
    parts = np.square(np.asarray(sds, float))
    if not parts.sum() > 0:
        return math.nan
    df = parts.sum() ** 2 / (parts**2 / (np.asarray(runs) - 1)).sum()
    return float(stats.t.ppf(0.975, df))


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


def welch_tost(a: ArrayLike, b: ArrayLike, margin: float) -> Difference:
    """Test whether the means of two samples differ by less than a margin.

    Two one-sided t tests (Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15),
    for variances that may differ (Welch 1947, Biometrika 34).

    Parameters
    ----------
    a, b : array_like, shapes (runs of A,) and (runs of B,)
        Two values or more in each.
    margin : float
        In the unit of the samples.

    Returns
    -------
    Difference
        Mean of `a` minus mean of `b`; `p` is the larger of the two one-sided p-values.

    Examples
    --------
    >>> welch_tost([90.1, 90.2, 90.3], [90.0, 90.1, 90.2], margin=1.0).equivalent
    True
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
    *terms : pairs of float and array_like, shape (runs,)
        Weight and sample.

    Returns
    -------
    tuple of float or None
        Estimate, low, high; None when a sample of fewer than two values has no variance.

    Examples
    --------
    >>> found = welch_interval((1, [91.0, 92.0, 93.0]), (-1, [90.0, 90.5, 91.0]))
    >>> [round(value, 2) for value in found]
    [1.5, -0.58, 3.58]
    """
    samples = [(weight, np.asarray(values, float)) for weight, values in terms]
    if min(values.size for _, values in samples) < 2:
        return None
    estimate = float(sum(weight * values.mean() for weight, values in samples))
    parts = np.array([weight**2 * values.var(ddof=1) / values.size for weight, values in samples])
    df_each = np.array([values.size - 1 for _, values in samples])
    half = 0.0
    if parts.any():
        df = parts.sum() ** 2 / (parts**2 / df_each).sum()
        half = float(stats.t.ppf(0.975, df) * np.sqrt(parts.sum()))
    return estimate, estimate - half, estimate + half
