"""Every piece of statistics in the package: pure functions, arrays in, numbers out.

A sample holds one value per run, that is per seed. Nothing else in the package computes a
quantile, an interval or a test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

#: Of every one-sided equivalence test.
LEVEL = 0.05

_RESAMPLES = 10_000


def sampling_variance(value: float, images: int, whole: float = 1.0) -> float:
    """Return how much two accuracies vary because each is of its own random draw of images.

    Each draw of `images` adds the binomial p (1 - p) / images, p = value / whole; `whole` is the
    highest accuracy there can be: 1, or 100 in percent.

    Examples
    --------
    >>> round(sampling_variance(90.0, 10_000, whole=100.0), 3)
    0.18
    """
    p = value / whole
    return whole**2 * 2 * p * (1 - p) / images


def prediction_error(
    sd: ArrayLike, runs: ArrayLike, sampling_variance: ArrayLike = 0.0, mean_of: int = 1
) -> Floats:
    """Return q, the standard error of new runs about the mean of the runs we have.

    q = sqrt(s² (1 / mean_of + 1 / runs) + sampling variance): Spence & Stanley (2016), "Prediction
    Interval", PLOS ONE 11(9), with a term for images that differ.

    Parameters
    ----------
    sd, runs : array_like, shapes that broadcast
        Standard deviation and number of runs.
    sampling_variance : array_like
        Added variance where the claim was measured on images other than ours.
    mean_of : int
        How many new runs are averaged.

    Examples
    --------
    >>> round(float(prediction_error(0.3, 9)), 4)
    0.3162
    """
    spread, runs = np.asarray(sd, float), np.asarray(runs, float)
    variance: Floats = spread**2 * (1 / mean_of + 1 / runs) + np.asarray(sampling_variance, float)
    return np.sqrt(variance)


def prediction_reach(
    sd: ArrayLike, runs: ArrayLike, sampling_variance: ArrayLike = 0.0, mean_of: int = 1
) -> Floats:
    """Return half the 95 % prediction interval of new runs: t(0.975, runs - 1) q.

    Parameters are those of `prediction_error`; two runs at least.

    Examples
    --------
    >>> round(float(prediction_reach(0.3, 9)), 4)
    0.7292
    """
    q = prediction_error(sd, runs, sampling_variance, mean_of)
    reach: Floats = stats.t.ppf(0.975, np.asarray(runs) - 1) * q
    return reach


def claim_tests(
    value: ArrayLike,
    half_width: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    runs: ArrayLike,
    margin: ArrayLike,
    sampling_variance: ArrayLike = 0.0,
    mean_of: int = 1,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Apply the two tests of the rule for one number; all arguments broadcast.

    With D = max(0, abs(value - mean) - half_width) a claim is compatible when D lies within
    `prediction_reach`, and equivalent when D + t(0.95, runs - 1) q is at most the margin (two
    one-sided tests: Lakens 2017, Social Psychological and Personality Science 8(4)).

    Parameters
    ----------
    value, half_width : array_like
        The claim and half of its last printed digit.
    mean, sd, runs : array_like
        Our runs; at least two.
    margin : array_like
        The equivalence margin, in the unit of `value`.
    sampling_variance, mean_of
        See `prediction_error`.

    Returns
    -------
    compatible, equivalent : ndarray of bool, of the shape that the arguments broadcast to

    Examples
    --------
    >>> compatible, equivalent = claim_tests(90.5, 0.05, [90.4, 89.0], 0.1, 10, margin=1.0)
    >>> compatible.tolist(), equivalent.tolist()
    ([True, False], [True, False])
    """
    distance = np.maximum(0.0, np.abs(np.subtract(value, mean)) - half_width)
    q = prediction_error(sd, runs, sampling_variance, mean_of)
    compatible = distance <= prediction_reach(sd, runs, sampling_variance, mean_of)
    equivalent = distance + stats.t.ppf(0.95, np.asarray(runs) - 1) * q <= margin
    return compatible, equivalent


def mean_reach(values: ArrayLike) -> float:
    """Return half the 95 % confidence interval of a mean (Student's t); NaN for a single value.

    Parameters
    ----------
    values : array_like, shape (runs,)

    Examples
    --------
    >>> round(mean_reach([89.0, 90.0, 91.0]), 3)
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


def exact_share_interval(kept: int, n: int) -> tuple[float, float]:
    """Return the exact 95 % interval of the share that `kept` of `n` runs are.

    Clopper & Pearson (1934), Biometrika 26(4).

    Examples
    --------
    >>> [round(end, 3) for end in exact_share_interval(10, 10)]
    [0.692, 1.0]
    """
    interval = stats.binomtest(kept, n).proportion_ci()
    return float(interval.low), float(interval.high)


def pairs_won(a: ArrayLike, b: ArrayLike) -> tuple[float, float, float]:
    """Estimate P(A > B) over all pairs of runs, ties counting half.

    The statistic of Mann & Whitney (1947), as Bouthillier et al. (2021, "Accounting for Variance
    in Machine Learning Benchmarks", MLSys) use it to compare models.

    Parameters
    ----------
    a, b : array_like, shapes (runs of A,) and (runs of B,)

    Returns
    -------
    share, low, high : float
        The share of pairs won and its 95 % percentile bootstrap interval (10,000 resamples of
        both sides, always the same ones).

    Examples
    --------
    >>> pairs_won([3, 4, 5], [1, 2, 3])[0] == 8.5 / 9
    True
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    won = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    draw = np.random.default_rng(0)
    rows = draw.integers(len(a), size=(_RESAMPLES, len(a), 1))
    columns = draw.integers(len(b), size=(_RESAMPLES, 1, len(b)))
    low, high = percentile_interval(won[rows, columns].mean(axis=(1, 2)))
    return float(won.mean()), float(low), float(high)


def chance_difference(sd_a: float, sd_b: float) -> float:
    """Return how far two single runs of equal mean lie apart in 95 % of cases, at most.

    1.96 sqrt(sd_a² + sd_b²), which for equal deviations is the repeatability limit of ISO 5725.

    Examples
    --------
    >>> round(chance_difference(0.3, 0.4), 2)
    0.98
    """
    return 1.96 * math.hypot(sd_a, sd_b)


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
    spare = np.array([values.size - 1 for _, values in samples])
    half = 0.0
    if parts.any():
        freedom = parts.sum() ** 2 / (parts**2 / spare).sum()
        half = float(stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum()))
    return estimate, estimate - half, estimate + half


#: Columns of `class_scores`.
SCORES = ("precision", "recall", "f1")


def class_scores(confusion: NDArray[np.int64]) -> Floats:
    """Return precision, recall and F1 of every class.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
        Counts, true class by predicted class.

    Returns
    -------
    ndarray of float64, shape (classes, 3), columns `SCORES`
        Fractions; a class that is never predicted gets 0, as in scikit-learn.

    Examples
    --------
    >>> class_scores(np.array([[8, 2], [0, 10]])).round(3).tolist()
    [[1.0, 0.8, 0.889], [0.833, 1.0, 0.909]]
    """
    hits = np.diag(confusion)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    zeros = np.zeros(len(hits))
    precision = np.divide(hits, predicted, out=zeros.copy(), where=predicted > 0)
    recall = np.divide(hits, true, out=zeros.copy(), where=true > 0)
    f1 = np.divide(2 * hits, predicted + true, out=zeros.copy(), where=hits > 0)
    return np.stack([precision, recall, f1], axis=1)


def expected_best(scores: Sequence[float], n: int) -> float:
    """Return the expected maximum of n scores drawn from these without replacement.

    What a search of n trials would have found on average, as Dodge et al. (2019, "Show Your Work",
    EMNLP) ask for; in the unbiased form of Tang et al. (2020, "Showing Your Work Doesn't Always
    Work", ACL). Of N scores in ascending order, the i-th is the largest of n with probability
    C(i - 1, n - 1) / C(N, n).

    Parameters
    ----------
    scores : sequence of float, of length trials
        One per trial; for a loss, negated.
    n : int
        From 1, which gives the mean, to ``len(scores)``, which gives the maximum.

    Raises
    ------
    ValueError
        When there are fewer than n scores, or n is less than 1.

    Examples
    --------
    >>> round(expected_best([88.0, 89.0, 90.0], 2), 4)
    89.6667
    """
    if not 1 <= n <= len(scores):
        raise ValueError(f"the best of {n} cannot be expected from {len(scores)} scores")
    total = math.comb(len(scores), n)
    return math.fsum(
        value * (math.comb(i, n - 1) / total) for i, value in enumerate(sorted(scores))
    )


def runs_for_precision(sd: float, margin: float, most: int = 30) -> int | None:
    """Return how many runs make the 95 % prediction interval of one more run narrow enough.

    Parameters
    ----------
    sd : float
        Standard deviation of the runs so far.
    margin : float
        What half the interval's width may be at most, in the same unit.
    most : int
        No more runs than this.

    Returns
    -------
    int or None
        The smallest number of runs, 3 at least, whose half-width t q is within the margin, if the
        standard deviation stays as it is; None when `most` do not suffice. However many runs there
        are, the half-width stays above 1.96 `sd`.

    References
    ----------
    Maxwell, Kelley and Rausch (2008), Annual Review of Psychology 59, 537-563.

    Examples
    --------
    >>> runs_for_precision(0.2, 1.0), runs_for_precision(0.45, 1.0), runs_for_precision(0.6, 1.0)
    (3, 15, None)
    """
    for n in range(3, most + 1):
        if prediction_reach(sd, n) <= margin:
            return n
    return None
