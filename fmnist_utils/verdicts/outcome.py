"""What a verdict says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fmnist_utils.reports.claim import Claim


class Word(StrEnum):
    """What a verdict says, in the words that every page uses."""

    REPRODUCED = "reproduced"
    CLOSE = "close"
    IMPRECISE = "consistent, imprecise"
    CONSISTENT = "consistent"
    NOT_REPRODUCED = "not reproduced"
    PENDING = "pending"
    EQUAL = "equal"
    FOLLOWED = "followed"
    NOT_TESTED = "not tested"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Verdict:
    """One claim held against the runs, or against the data, the model or the protocol in use.

    Attributes
    ----------
    experiment : str or None
        Id of the experiment the claim belongs to; None for claims about the data or several.
    mean, sd, low, high : float or None
        Of our runs, in the claim's unit; `low` and `high` bound the 95 % prediction interval of
        one more run, for an ordering the bootstrap interval of the share of pairs won, and for a
        bound the exact interval of the share of runs that keep it.
    runs : int
        How many runs the verdict rests on; where two experiments are compared, those of either.
    ours : object
        What an exact claim was compared with.
    note : str
        What the numbers leave open, e.g. ``we got lower`` or ``1 of 5 runs diverged``.
    """

    experiment: str | None
    claim: Claim
    word: Word
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0
    ours: Any = None
    note: str = ""


def count_words(verdicts: Iterable[Verdict]) -> dict[Word, int]:
    """Count verdicts by word; every word is present, in the order in which pages show them."""
    words = [verdict.word for verdict in verdicts]
    return {word: words.count(word) for word in Word}
