"""The rule: from what runs gave to a word; and when each part of it was fixed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from fmnist_utils import stats
from fmnist_utils.reports.claim import Claim
from fmnist_utils.verdicts.outcome import Outcome, Verdict

#: An ordering is meaningful when a random run of A beats one of B this often. The threshold is that
#: of Bouthillier et al. (2021), "Accounting for Variance in Machine Learning Benchmarks", MLSys; to
#: ask for it of the estimate, and of the interval that it excludes one half, is a variant of ours.
ORDERING_THRESHOLD = 0.75

#: A claim that so many further seeds would not settle counts as one that none would.
MOST_SEEDS = 1000

#: Why a verdict stays open whatever is trained.
NEVER = "cannot be settled by seeds"
_TOO_WIDE, _TOO_COARSE = "single runs vary too much", "it is printed too coarsely"


def number_word(test: stats.ClaimTest) -> Outcome:
    """Return the word for a number; without a margin, NaN, the interval alone decides."""
    if np.isnan(test.margin):
        return Outcome.CONSISTENT if test.compatible else Outcome.NOT_REPRODUCED
    if test.compatible:
        return Outcome.REPRODUCED if test.equivalent else _open(_seeds_for_number(test))
    return Outcome.CLOSE if test.equivalent else Outcome.NOT_REPRODUCED


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
    low, high = map(float, test.prediction_interval())
    word = number_word(test)
    note = ""
    if not test.compatible:
        note = f"we got {'higher' if mean > claim.number else 'lower'}"
    elif word is Outcome.IMPRECISE:
        note = _seeds_note(_seeds_for_number(test), " of both" * (len(test.summaries) > 1))
    elif word is Outcome.UNSETTLED:
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
        word = Outcome.REPRODUCED if holds[0] else Outcome.NOT_REPRODUCED
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


def _open(seeds: int | None) -> Outcome:
    return Outcome.UNSETTLED if seeds is None else Outcome.IMPRECISE


def _seeds_for_number(test: stats.ClaimTest) -> int | None:
    """Return with how many more seeds the same mean and deviation would decide, either way."""
    more = np.arange(MOST_SEEDS + 1)
    summaries = tuple(s._replace(runs=np.asarray(s.runs) + more) for s in test.summaries)
    later = replace(test, summaries=summaries)
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


@functools.cache
def history() -> tuple[Change, ...]:
    """Return the parts of the rule from the first to the last, from ``rule_history.yaml``."""
    text = Path(__file__).with_name("rule_history.yaml").read_text(encoding="utf-8")
    return tuple(Change(**item) for item in yaml.safe_load(text))
