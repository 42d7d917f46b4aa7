"""The rule: from what runs gave to a word; and when each part of it was fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmnist_utils import stats
from fmnist_utils.reports.claim import Claim
from fmnist_utils.verdicts.outcome import Verdict, Word

#: An ordering is meaningful when a random run of A beats one of B this often. The threshold is that
#: of Bouthillier et al. (2021), "Accounting for Variance in Machine Learning Benchmarks", MLSys; to
#: ask for it of the estimate, and of the interval that it excludes one half, is a variant of ours.
ORDERING_THRESHOLD = 0.75

#: Beyond so many further seeds none would settle a claim.
MOST_SEEDS = 1000

#: Why a verdict stays open whatever is trained.
NEVER = "cannot be settled by seeds"
_TOO_WIDE, _TOO_COARSE = "single runs vary too much", "it is printed too coarsely"


def number_word(test: stats.ClaimTest) -> Word:
    """Return the word for a number; without a margin, NaN, the interval alone decides."""
    if np.isnan(test.margin):
        return Word.CONSISTENT if test.compatible else Word.NOT_REPRODUCED
    if test.compatible:
        return Word.REPRODUCED if test.equivalent else _open(_seeds_for_number(test))
    return Word.CLOSE if test.equivalent else Word.NOT_REPRODUCED


def judge_number(claim: Claim, test: stats.ClaimTest, mean: float, sd: float, runs: int) -> Verdict:
    """Give the verdict on a number.

    Parameters
    ----------
    claim : Claim
        Which states the number.
    test : ClaimTest
        The number and our runs, on the scale of the rule.
    mean, sd : float
        Those of the runs, in the claim's own unit.
    runs : int
        How many there are.
    """
    low, high = map(float, test.ends())
    word = number_word(test)
    note = ""
    if not test.compatible:
        note = f"we got {'higher' if mean > claim.number else 'lower'}"
    elif word is Word.IMPRECISE:
        note = _seeds_note(_seeds_for_number(test), " of both" * (len(test.sides) > 1))
    elif word is Word.UNSETTLED:
        exactly = _seeds_for_number(replace(test, half_width=0.0))
        note = f"{NEVER}: {_TOO_WIDE if exactly is None else _TOO_COARSE}"
    return Verdict(
        None, claim, word, mean, sd, low, high, runs, note=note, p=float(test.p), test=test
    )


def judge_share(
    claim: Claim,
    share: float,
    interval: Callable[[NDArray[np.int64]], tuple[stats.Floats, stats.Floats]],
    runs: int,
) -> Verdict:
    """Give the verdict on what holds for a share of runs, or of pairs of runs.

    Parameters
    ----------
    claim : Claim
        Which says what holds.
    share : float
        For which it holds, from 0 to 1.
    interval : function
        Gives the ends of the 95 % interval of the share for each number of additional runs.
    runs : int
        How many there are.
    """
    lows, highs = interval(np.arange(MOST_SEEDS + 1))
    holds = (lows > 0.5) & (share >= ORDERING_THRESHOLD)
    fails = highs < ORDERING_THRESHOLD
    note = ""
    if holds[0] or fails[0]:
        word = Word.REPRODUCED if holds[0] else Word.NOT_REPRODUCED
    else:
        seeds = _first(holds | fails)
        word, note = _open(seeds), _seeds_note(seeds)
    low, high = float(lows[0]), float(highs[0])
    return Verdict(None, claim, word, share, low=low, high=high, runs=runs, note=note)


def _seeds_note(seeds: int | None, of: str = "") -> str:
    """Say how many more seeds would settle a claim, if the runs go on as they are."""
    if seeds is None:
        return NEVER
    return f"about {seeds} more seed{'s' * (seeds != 1)}{of} would settle it"


def _open(seeds: int | None) -> Word:
    return Word.UNSETTLED if seeds is None else Word.IMPRECISE


def _seeds_for_number(test: stats.ClaimTest) -> int | None:
    """Return with how many more seeds the same mean and deviation would decide, either way."""
    more = np.arange(MOST_SEEDS + 1)
    sides = tuple(side._replace(runs=np.asarray(side.runs) + more) for side in test.sides)
    later = replace(test, sides=sides)
    return _first(later.equivalent | ~later.compatible)


def _first(settled: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(settled)) if settled.any() else None


# --- when it was fixed ---------------------------------------------------------------------------


class Change(NamedTuple):
    """One part of the rule, and what it changed after runs had been seen.

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


#: From the first part to the last, by the times of the commits. Counts are of the 244 claims about
#: measured numbers and comparisons that the five reports had until 2026-11-26.
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
    Change(
        "2026-11-26",
        "Orderings: the interval is corrected for continuity, so that it leaves out one half only "
        "where a rank test does. Without, equal models had counted as ordered in 5 % of cases "
        "with three runs of each, and in 2.8 % with five, where 2.5 % were meant.",
        True,
        "Five comparisons of three runs with three went from reproduced to consistent, imprecise.",
    ),
    Change(
        "2026-11-26",
        "Orderings of classes: two classes are compared within each run, by the exact interval "
        "of the share of runs. They had counted as independent samples.",
        True,
        "Three sentences that hold in all of five runs went from reproduced to consistent, "
        "imprecise: a coin shows one side five times, too.",
    ),
    Change(
        "2026-11-26",
        "That augmentation helps is judged on runs that differ in augmentation alone. It had been "
        "judged on the report's own columns, which differ in the images as well.",
        True,
        "Two sentences of one report went from reproduced to not reproduced.",
    ),
    Change(
        "2026-11-26",
        "Counts are of statements: a sentence or a table counts once, however many claims it "
        "holds, and a number printed twice is one claim with two places.",
        True,
        "No word changed, but what is counted did.",
    ),
    Change(
        "2026-11-26",
        "Méndez: each run draws the 10,000 images that validate, as the report does not name them. "
        "All had held out the last ones; both networks were trained again, five times each.",
        True,
        "14 words of that report changed: five became not reproduced, one that was is open now, "
        "three are no longer reproduced, one is, and four are open for another reason.",
    ),
    Change(
        "2026-11-27",
        "Anastasopoulos, Mpofu and Smith: each run of the baseline and of the tuned network draws "
        "the 12,000 images that validate. All had held out one set, as the trials of a search do.",
        True,
        "31 words of that report changed, nearly all of single epochs: ten are reproduced now and "
        "six no longer, four became not reproduced, two that were are open, and nine are open for "
        "another reason.",
    ),
)
