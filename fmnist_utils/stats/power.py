"""How many runs tell a difference: the power of the tests that `stats` makes."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats


def runs_for_power(sd_a: float, sd_b: float, difference: float, most: int = 1000) -> int | None:
    """Return how many runs of each of two experiments tell a difference of their means.

    That is, with which Welch's t test at the 5 % level, whose 95 % interval then leaves out zero,
    notices a true `difference` in 80 % of all cases: Cohen (1988), "Statistical Power
    Analysis for the Behavioral Sciences", chapter 2.

    Parameters
    ----------
    sd_a, sd_b : float
        Standard deviations of the runs.
    difference : float
        Above 0, in their unit.
    most : int
        No more runs than this.

    Returns
    -------
    int or None
        The smallest number, 2 at least; None when `most` do not suffice.

    Examples
    --------
    >>> runs_for_power(0.3, 0.3, 1.0), runs_for_power(1.0, 1.0, 1.0)
    (3, 17)
    """
    a, b = sd_a**2, sd_b**2
    if a + b == 0:
        return 2
    runs = np.arange(2, most + 1)
    df = (a + b) ** 2 / (a**2 + b**2) * (runs - 1)
    shift = difference / math.sqrt(a + b) * np.sqrt(runs)
    critical = stats.t.ppf(0.975, df)
    # SciPy answers NaN, each version elsewhere, where fewer than one in 10^13 has the wrong sign.
    wrong_sign = np.nan_to_num(stats.nct.cdf(-critical, df, shift))
    noticed = stats.nct.sf(critical, df, shift) + wrong_sign
    enough = runs[noticed >= 0.8]
    return int(enough[0]) if enough.size else None
