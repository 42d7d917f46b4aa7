"""When each part of the rule was fixed, and what changed after runs had been seen.

Times are those of the commits. Counts are of the 244 claims about measured numbers and comparisons
that the five reports then had.
"""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """One part of the rule.

    Attributes
    ----------
    date : str
        Day, and hour where it matters, UTC.
    part : str
        What the rule says since then.
    seen : bool
        Whether runs that it judges had been seen by then.
    effect : str
        Which words it changed; empty where there was none to change.
    """

    date: str
    part: str
    seen: bool
    effect: str = ""


#: From the first part to the last.
HISTORY = (
    Change(
        "2026-11-21 01:33",
        "Single numbers: 95 % prediction interval, equivalence within 1 percentage point of "
        "accuracy or 10 % of a loss; numbers of a random validation split get the variance of "
        "drawing images. Orderings: a share of pairs of at least 0.75, and an interval above "
        "0.5. The first runs were published at 02:04.",
        False,
    ),
    Change(
        "2026-11-21 03:41",
        "Ten seeds instead of five for every Baltzi model, whatever the verdicts said.",
        True,
        "Four claims went from consistent, imprecise to reproduced, one from not reproduced "
        "to consistent, imprecise.",
    ),
    Change(
        "2026-11-21 04:32",
        "Scores of classes: a margin of 3 percentage points. The mean of several trainings "
        "varies less than one.",
        False,
    ),
    Change(
        "2026-11-21 17:03",
        "Bounds: the exact interval of Clopper and Pearson instead of a bootstrap.",
        True,
        "No word changed.",
    ),
    Change(
        "2026-11-26",
        "Equivalence counts rounding against itself: a number printed to whole percents had "
        "counted as reproduced in up to 62 % of cases in which it was off by the margin.",
        True,
        "Seven claims went from reproduced to consistent, imprecise, 33 from reproduced to "
        "consistent, unsettled, one from close to not reproduced; nearly all are epochs of "
        "one report.",
    ),
    Change(
        "2026-11-26",
        "Open verdicts say whether more seeds would settle them, and how many. Where none "
        "would, the word is consistent, unsettled.",
        True,
        "32 claims are called so instead of consistent, imprecise.",
    ),
    Change(
        "2026-11-26",
        "Unknown splits: Satterthwaite's degrees of freedom, the correction for a finite pool "
        "of images, losses as well as accuracies, and every split that a report leaves open.",
        True,
        "Three claims went from consistent, imprecise to reproduced, one from close to "
        "reproduced, one from consistent, imprecise to not reproduced, and with the rule on "
        "rounding one from close to not reproduced.",
    ),
    Change(
        "2026-11-26",
        "Intervals of shares on the logit scale, of losses and epochs on the log scale, so "
        "that none leaves its range.",
        True,
        "One claim went from close to reproduced, one from not reproduced to consistent, "
        "imprecise, one from consistent, imprecise to not reproduced, one from reproduced to "
        "consistent, imprecise, and with the rule on rounding two more.",
    ),
    Change(
        "2026-11-26",
        "Orderings: Newcombe's interval instead of a bootstrap that had no width where every "
        "pair is won. Differences: Welch's and Satterthwaite's degrees of freedom instead of "
        "pairs of seeds; nested trainings are compared in pairs.",
        True,
        "No word changed.",
    ),
    Change(
        "2026-11-26",
        "Over 92 means above 92: such a bound leaves nothing to rounding. An experiment of "
        "which some runs stay at chance level is unstable.",
        True,
        "One bound went from reproduced to consistent, imprecise: two of ten runs are below 92.",
    ),
)
