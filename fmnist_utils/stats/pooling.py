"""What many experiments say together: a common spread, and which small p-values stay small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from fmnist_utils.stats.prediction import SampleSummary


class Prior(NamedTuple):
    """How variances are spread over experiments: `variance` is typical, worth `df` runs."""

    variance: float
    df: float

    def moderate(self, summary: SampleSummary) -> SampleSummary:
        """Draw the deviation of a sample towards the typical one.

        The posterior variance of Smyth (2004), whose t quantiles have as many degrees of freedom
        as the sample and the prior together.

        Examples
        --------
        >>> summary = Prior(0.09, 4).moderate(SampleSummary(90.0, 0.01, 3))
        >>> round(float(summary.sd), 3), float(summary.df)
        (0.245, 6.0)
        """
        own = summary.df
        if math.isinf(self.df):
            sd = np.full_like(own, math.sqrt(self.variance))
            return summary._replace(sd=sd, moderated_df=math.inf)
        total = self.df + own
        pooled = (self.df * self.variance + own * np.square(summary.sd)) / total
        return summary._replace(sd=np.sqrt(pooled), moderated_df=total)


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
    >>> fit_prior(0.04 * draw.chisquare(4, 200) / 4, [5] * 200).df > 50
    True
    """
    known = [(v, n - 1) for v, n in zip(variances, runs, strict=True) if v > 0 and n > 1]
    if len(known) < 10:
        return None
    variance, df = np.array(known).T
    logs = np.log(variance) - special.digamma(df / 2) + np.log(df / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, df / 2).mean())
    if excess <= 0:
        return Prior(math.exp(logs.mean()), math.inf)
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-3, 1e6)
    return Prior(math.exp(logs.mean() + special.digamma(half) - math.log(half)), 2 * half)


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.bool_]:
    """Say which hypotheses are rejected while at most 5 % of the rejected are false.

    Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57(1).

    Examples
    --------
    >>> benjamini_hochberg([0.001, 0.04, 0.03, 0.8]).tolist()
    [True, False, False, False]
    """
    p_values = np.asarray(p_values, float)
    if not p_values.size:
        return np.zeros(0, bool)
    rejected: NDArray[np.bool_] = stats.false_discovery_control(p_values) <= 0.05
    return rejected
