"""How much of a variance is due to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Components(NamedTuple):
    """Variance between groups and within them, and the share of the first with its interval.

    Attributes
    ----------
    between, within : float
        Standard deviations, in the unit of the samples.
    share, low, high : float
        Variance between groups over the sum of both, with its 95 % interval, from 0 to 1.
    """

    between: float
    within: float
    share: float
    low: float
    high: float


def variance_components(groups: Sequence[ArrayLike]) -> Components:
    """Split the variance of samples into that between groups and that within them.

    One-way analysis of variance with random groups. The interval of the share is that of the F
    distribution (Searle, Casella and McCulloch 1992, Variance Components, 3.6), exact where groups
    are of one size, and with the usual mean size otherwise. A negative estimate counts as zero.

    Parameters
    ----------
    groups : sequence of array_like, each of shape (runs,)
        Two groups or more, of which at least one has two values.

    Examples
    --------
    >>> from fmnist_utils.stats import variance_components
    >>> found = variance_components([[91.0, 91.2], [92.0, 92.2], [93.0, 93.2]])
    >>> round(found.between, 2), round(found.within, 2), round(found.share, 2)
    (0.99, 0.14, 0.98)
    """
    samples = [np.asarray(group, float) for group in groups]
    sizes = np.array([len(sample) for sample in samples])
    n, k = sizes.sum(), len(samples)
    means = np.array([sample.mean() for sample in samples])
    overall = np.concatenate(samples).mean()
    free = (k - 1, n - k)
    among = (sizes * (means - overall) ** 2).sum() / free[0]
    inside = sum(((sample - sample.mean()) ** 2).sum() for sample in samples) / free[1]
    size = (n - (sizes**2).sum() / n) / free[0]

    def share(ratio: float) -> float:
        """Turn the mean squares' ratio into the share that is between groups."""
        odds = max(0.0, (ratio - 1) / size)
        return float(odds / (1 + odds)) if np.isfinite(odds) else 1.0

    ratio = among / inside if inside else (np.inf if among else 0.0)
    low, high = (share(ratio / q) for q in stats.f.ppf([0.975, 0.025], *free))
    between = max(0.0, (among - inside) / size)
    return Components(float(np.sqrt(between)), float(np.sqrt(inside)), share(ratio), low, high)
