"""Every piece of statistics: arrays in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def chance_difference(sd_a: float, sd_b: float) -> float:
    """Return how far two single runs of equal mean lie apart in 95 % of cases, at most."""
    return 1.96 * math.hypot(sd_a, sd_b)


Floats = NDArray[np.float64]

_RESAMPLES = 10_000


def prediction_error(
    sd: ArrayLike, runs: ArrayLike, sampling_variance: ArrayLike = 0.0, mean_of: int = 1
) -> Floats:
    """Return q, the standard error of one new run about the mean of the runs we have.

    Parameters
    ----------
    sd, runs : array_like
        Standard deviation and number of runs.
    sampling_variance : array_like
        Added variance where the claim was measured on images other than ours.
    mean_of : int
        How many new runs are averaged.
    """
    spread, runs = np.asarray(sd, float), np.asarray(runs, float)
    variance: Floats = spread**2 * (1 / mean_of + 1 / runs) + np.asarray(sampling_variance, float)
    return np.sqrt(variance)


def compare(
    value: ArrayLike,
    half_width: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    runs: ArrayLike,
    margin: ArrayLike,
    sampling_variance: ArrayLike = 0.0,
    mean_of: int = 1,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Apply the two tests of the rule; all arguments broadcast.

    Parameters
    ----------
    value, half_width : array_like
        The claim and half of its last printed digit.
    mean, sd, runs : array_like
        Our runs; at least two.
    margin : array_like
        The equivalence margin Delta, in the unit of `value`.
    sampling_variance, mean_of
        See `prediction_error`.

    Returns
    -------
    compatible, equivalent : ndarray of bool
    """
    distance = np.maximum(0.0, np.abs(np.subtract(value, mean)) - half_width)
    q = prediction_error(sd, runs, sampling_variance, mean_of)
    freedom = np.asarray(runs) - 1
    compatible = distance <= stats.t.ppf(0.975, freedom) * q
    equivalent = distance + stats.t.ppf(0.95, freedom) * q <= margin
    return compatible, equivalent


def pairs_won(a: ArrayLike, b: ArrayLike) -> tuple[float, float, float]:
    """Estimate P(A > B) over all pairs of runs, ties counting half.

    Parameters
    ----------
    a, b : array_like
        One value per run, shapes ``(n,)`` and ``(m,)``.

    Returns
    -------
    share, low, high : float
        The share of pairs won and its 95 % percentile bootstrap interval (10,000 resamples of
        both sides, always the same ones).
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    won = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    draw = np.random.default_rng(0)
    rows = draw.integers(len(a), size=(_RESAMPLES, len(a), 1))
    columns = draw.integers(len(b), size=(_RESAMPLES, 1, len(b)))
    low, high = np.percentile(won[rows, columns].mean(axis=(1, 2)), [2.5, 97.5])
    return float(won.mean()), float(low), float(high)


def class_scores(confusion: NDArray[np.int64]) -> Floats:
    """Return precision, recall and F1 of every class.

    Parameters
    ----------
    confusion : ndarray of int, shape ``(classes, classes)``
        Counts, true class by predicted class.

    Returns
    -------
    ndarray of float64, shape ``(classes, 3)``
        Fractions; a class that is never predicted gets 0, as in scikit-learn.
    """
    hits = np.diag(confusion)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    zeros = np.zeros(len(hits))
    precision = np.divide(hits, predicted, out=zeros.copy(), where=predicted > 0)
    recall = np.divide(hits, true, out=zeros.copy(), where=true > 0)
    f1 = np.divide(2 * hits, predicted + true, out=zeros.copy(), where=hits > 0)
    return np.stack([precision, recall, f1], axis=1)


LEVEL = 0.05


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


def expected_best(scores: Sequence[float], n: int) -> float:
    """Return the expected maximum of n scores drawn from these without replacement.

    What a search of n trials would have found on average, as Dodge et al. (2019, "Show Your Work",
    EMNLP) ask for; in the unbiased form of Tang et al. (2020, "Showing Your Work Doesn't Always
    Work", ACL). Of N scores in ascending order, the i-th is the largest of n with probability
    C(i - 1, n - 1) / C(N, n).

    Parameters
    ----------
    scores : sequence of float
        One per trial; for a loss, negated.
    n : int
        From 1, which gives the mean, to ``len(scores)``, which gives the maximum.

    Raises
    ------
    ValueError
        When there are fewer than n scores, or n is less than 1.
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
    (4, 15, None)
    """
    for n in range(3, most + 1):
        if stats.t.ppf(0.975, n - 1) * prediction_error(sd, n) <= margin:
            return n
    return None
