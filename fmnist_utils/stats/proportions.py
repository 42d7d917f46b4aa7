"""Shares of runs and of pairs of runs, with intervals that hold for a handful of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from fmnist_utils.stats.prediction import Floats


def clopper_pearson_interval(kept: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Return the exact 95 % interval of the share that `kept` of `n` runs are.

    Clopper & Pearson (1934), Biometrika 26(4), by quantiles of the beta distribution, so that a
    tie may count half.

    Parameters
    ----------
    kept : array_like of float
        How many runs it holds for; a tie counts half.
    n : array_like of int
        Of how many; broadcasts with `kept`.

    Examples
    --------
    >>> [round(float(end), 3) for end in clopper_pearson_interval(10, 10)]
    [0.692, 1.0]
    """
    kept, n = np.broadcast_arrays(np.asarray(kept, float), np.asarray(n, float))
    lost = n - kept
    low = np.where(kept > 0, stats.beta.ppf(0.025, kept, lost + 1), 0.0)
    high = np.where(lost > 0, stats.beta.ppf(0.975, kept + 1, lost), 1.0)
    return low, high


def at_least(kept: int, n: int, share: float) -> float:
    """Return how probable so many successes or more are: the upper tail of the binomial.

    Parameters
    ----------
    kept : int
        How many succeed.
    n : int
        Of how many.
    share : float
        With which probability each does.

    Examples
    --------
    >>> at_least(2, 2, 0.5)
    0.25
    """
    return float(stats.binom.sf(kept - 1, n, share))


def pairs_won(a: ArrayLike, b: ArrayLike) -> tuple[float, float, float]:
    """Estimate P(A > B) over all pairs of runs, ties counting half.

    The statistic of Mann & Whitney (1947), Annals of Mathematical Statistics 18(1).

    Parameters
    ----------
    a, b : array_like, shapes (runs of A,) and (runs of B,)

    Returns
    -------
    share, low, high : float
        The share of pairs won and its 95 % interval; see `pairs_interval`.

    Examples
    --------
    >>> pairs_won([3, 4, 5], [1, 2, 3])[0] == 8.5 / 9
    True
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    share = float(((a[:, None] > b) + 0.5 * (a[:, None] == b)).mean())
    low, high = pairs_interval(share, len(a), len(b))
    return share, float(low), float(high)


def pairs_interval(share: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Return the 95 % interval of P(A > B) of Newcombe (2006), method 5; arguments broadcast.

    Statistics in Medicine 25(4), 559-573: all values whose distance to the estimate is at most
    1.96 standard errors, with the standard error of Hanley & McNeil that belongs to the value
    itself, not to the estimate, and is the same when A and B change places. So the interval does
    not shrink to a point where every pair is won.

    The estimate is corrected for continuity, by half a pair away from each end. Then the interval
    leaves out one half where the corrected test of Mann & Whitney (1947) rejects it, never for
    three runs against three: these come apart by chance more often than 95 % allows.

    Parameters
    ----------
    share : array_like
        The share of pairs that A wins.
    a, b : array_like
        How many runs A and B have.

    Examples
    --------
    >>> [round(float(end), 2) for end in pairs_interval(1.0, 5, 5)]
    [0.62, 1.0]
    """
    share, a, b = np.broadcast_arrays(*(np.asarray(x, float) for x in (share, a, b)))
    half = 0.5 / (a * b)
    low, high = np.minimum(1 - share + half, 1), np.minimum(share + half, 1)
    return 1 - _upper_end(low, a, b), _upper_end(high, a, b)


def _upper_end(share: Floats, a: Floats, b: Floats) -> Floats:
    """Bisect for the largest value that is not too far above the estimate."""
    z = stats.norm.ppf(0.975)
    inside, outside = share.copy(), np.ones_like(share)
    for _ in range(60):
        value = (inside + outside) / 2
        spread = 1 + ((a + b) / 2 - 1) * ((1 - value) / (2 - value) + value / (1 + value))
        near = value - share <= z * np.sqrt(value * (1 - value) * spread / (a * b))
        inside, outside = np.where(near, value, inside), np.where(near, outside, value)
    return inside
