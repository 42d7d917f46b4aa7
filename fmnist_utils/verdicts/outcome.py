"""What a verdict says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self

from fmnist_utils.reports.claim import Claim
from fmnist_utils.stats import ClaimTest


class Look(NamedTuple):
    """How a verdict is drawn, so that colour never says it alone.

    `shade` lies behind text (the light form; `_static/book.css` has the dark one), `color` is dark
    enough for text on white, and `marker` is hollow unless it is `filled`.
    """

    shade: str
    color: str
    marker: str
    filled: bool

    @property
    def mark(self) -> dict[str, Any]:
        """How matplotlib draws our number."""
        return {
            "color": self.color, "marker": self.marker, "markersize": 7.5,
            "markerfacecolor": self.color if self.filled else "white",
            "markeredgewidth": 0 if self.filled else 1.5,
        }  # fmt: skip


_GOOD = Look("#c8ecd0", "#00795a", "o", True)
_NEAR = Look("#e3eebb", "#0173b2", "s", True)
_OPEN = Look("#fdeab0", "#8a5f00", "o", False)
_BAD = Look("#f9cfc9", "#b8400a", "X", True)
_USED = Look("#d4e4f7", "#00795a", "o", True)
_NONE = Look("#e2e2e2", "#6e6e6e", "o", False)


class Word(StrEnum):
    """What a verdict says, in the words that every page uses; all about a word stands here.

    Attributes
    ----------
    look : Look
    meaning : str
        One line for the reader.
    badge, column : str
        Class of its badge in `_static/book.css`, and where the scoreboard counts it.
    """

    look: Look
    meaning: str
    badge: str
    column: str

    def __new__(
        cls, text: str, look: Look, meaning: str, badge: str = "", column: str = ""
    ) -> Self:
        """Make a word that is its text; badge and column are called like it by default."""
        word = str.__new__(cls, text)
        word._value_ = text
        word.look, word.meaning = look, meaning
        word.badge, word.column = badge or text, column or text
        return word

    REPRODUCED = "reproduced", _GOOD, "inside our prediction interval, and that interval is narrow"
    CLOSE = "close", _NEAR, "outside our interval, yet the difference is too small to matter"
    IMPRECISE = (
        "consistent, imprecise", _OPEN,
        "inside our interval; more seeds would tell whether a difference matters",
        "imprecise", "consistent",
    )  # fmt: skip
    UNSETTLED = (
        "consistent, unsettled", _OPEN,
        "inside our interval, but single runs differ by more than the margin, or the number is "
        "printed too coarsely: no number of seeds tells",
        "imprecise", "consistent",
    )  # fmt: skip
    CONSISTENT = (
        "consistent",
        _OPEN,
        "inside our interval; no margin is set for this quantity",
        "imprecise",
    )
    NOT_REPRODUCED = (
        "not reproduced",
        _BAD,
        "outside our interval, and not shown to lie within the margin",
        "not",
    )
    UNSTABLE = (
        "unstable",
        _BAD,
        "some of our runs stayed at chance level, so that no interval means anything",
        "not",
        "pending",
    )
    PENDING = "pending", _NONE, "fewer than three runs so far, or one that diverged"
    EQUAL = "equal", _GOOD, "an exact quantity, and the same", "equal", "exact"
    FOLLOWED = "followed", _USED, "a setting that our runs use as stated", "followed", "exact"
    NOT_TESTED = (
        "not tested",
        _NONE,
        "from other work, a time on other hardware, or a setting that no run of ours has used",
        "pending",
    )
    DIFFERS = "differs", _BAD, "an exact quantity, and not the same"


#: Columns of the scoreboard: what was measured, then what was exact.
COLUMNS = (
    "reproduced", "close", "consistent", "not reproduced", "pending", "exact", "differs",
    "not tested",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """One claim held against the runs, or against the data, the model or the protocol in use.

    Attributes
    ----------
    experiment : str or None
        Id of the experiment the claim belongs to; None for claims about the data or several.
    mean, sd, low, high : float or None
        Of our runs, in the claim's unit; `low` and `high` bound the 95 % prediction interval of
        one more run, for an ordering Newcombe's interval of the share of pairs won, and for a
        bound the exact interval of the share of runs that keep it.
    runs : int
        How many runs the verdict rests on; where two experiments are compared, those of either.
    ours : object
        What an exact claim was compared with.
    note : str
        What the numbers leave open, e.g. ``we got lower`` or ``1 of 5 runs diverged``.
    p : float or None
        Of a number: how probable a further run is that lies as far away as the claim.
    pooled_word : Word or None
        The word under the pooled standard deviation, where that was asked for and there is one.
    test : ClaimTest or None
        All that went into the verdict on a number.
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
    p: float | None = None
    pooled_word: Word | None = None
    test: ClaimTest | None = field(default=None, repr=False, compare=False)


def count_words(verdicts: Iterable[Verdict]) -> dict[Word, int]:
    """Count verdicts by word; every word is present, in the order in which pages show them."""
    words = [verdict.word for verdict in verdicts]
    return {word: words.count(word) for word in Word}
