"""What many experiments say together: a common spread, and which small p-values stay small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from fmnist_utils.stats.prediction import Side


class Prior(NamedTuple):
    """How variances are spread over experiments: `variance` is typical, worth `freedom` runs."""

    variance: float
    freedom: float

    def moderate(self, side: Side) -> Side:
        """Draw the deviation of a sample towards the typical one.

        The posterior variance of Smyth (2004), whose t quantiles have as many degrees of freedom
        as the sample and the prior together.

        Examples
        --------
        >>> side = Prior(0.09, 4).moderate(Side(90.0, 0.01, 3))
        >>> round(float(side.sd), 3), float(side.freedom)
        (0.245, 6.0)
        """
        own = side.spare
        if math.isinf(self.freedom):
            return side._replace(sd=np.full_like(own, math.sqrt(self.variance)), freedom=math.inf)
        total = self.freedom + own
        pooled = (self.freedom * self.variance + own * np.square(side.sd)) / total
        return side._replace(sd=np.sqrt(pooled), freedom=total)


def fit_prior(variances: Sequence[float], runs: Sequence[int]) -> Prior | None:
    """Fit the distribution of variances over experiments by the moments of their logarithms.

    Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3(1), section 6.2.
    A variance of 0 says nothing of the scale and is left out.

    Parameters
    ----------
    variances, runs : sequences, one entry per experiment

    Returns
    -------
    Prior or None
        None for fewer than ten experiments. Where variances differ no more than samples of one
        and the same do, the prior outweighs every sample.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> fit_prior(0.04 * draw.chisquare(4, 200) / 4, [5] * 200).freedom > 50
    True
    """
    known = [(v, n - 1) for v, n in zip(variances, runs, strict=True) if v > 0 and n > 1]
    if len(known) < 10:
        return None
    variance, spare = np.array(known).T
    logs = np.log(variance) - special.digamma(spare / 2) + np.log(spare / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, spare / 2).mean())
    if excess <= 0:
        return Prior(math.exp(logs.mean()), math.inf)
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-3, 1e6)
    return Prior(math.exp(logs.mean() + special.digamma(half) - math.log(half)), 2 * half)


def survivors(p_values: ArrayLike) -> NDArray[np.bool_]:
    """Say which hypotheses are rejected while at most 5 % of the rejected are false.

    Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57(1).

    Examples
    --------
    >>> survivors([0.001, 0.04, 0.03, 0.8]).tolist()
    [True, False, False, False]
    """
    p_values = np.asarray(p_values, float)
    if not p_values.size:
        return np.zeros(0, bool)
    rejected: NDArray[np.bool_] = stats.false_discovery_control(p_values) <= 0.05
    return rejected
