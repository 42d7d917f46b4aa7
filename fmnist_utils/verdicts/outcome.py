"""What a verdict says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple, Self

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.quantities import COUNTED
from fmnist_utils.stats import ClaimTest


class Look(NamedTuple):
    """How a verdict is shown; every word has looks of its own, so that colour never says it alone.

    `mark` stands before the word. `shade` lies behind both (the light form; `_static/book.css` has
    the dark one), `color` is dark enough for text on white, and `marker` is hollow unless it is
    `filled`.
    """

    mark: str
    shade: str
    color: str
    marker: str
    filled: bool = True

    @property
    def drawn(self) -> dict[str, Any]:
        """How matplotlib draws our number."""
        return {
            "color": self.color, "marker": self.marker, "markersize": 7.5,
            "markerfacecolor": self.color if self.filled else "white",
            "markeredgewidth": 0 if self.filled else 1.5,
        }  # fmt: skip


class Column(StrEnum):
    """Where the scoreboard counts a statement; the front page tells of them in this order.

    Attributes
    ----------
    says : tuple of str
        What the front page says of one statement there, and of several.
    """

    says: tuple[str, str]

    def __new__(cls, text: str, one: str, several: str) -> Self:
        """Make a column that is its text."""
        column = str.__new__(cls, text)
        column._value_ = text
        column.says = one, several
        return column

    REPRODUCED = "reproduced", "reproduces", "reproduce"
    CLOSE = "close", "is close", "are close"
    #: A statement whose parts got words of different columns.
    IN_PART = "in part", "holds in part", "hold in part"
    CONSISTENT = (
        "consistent",
        "is neither confirmed nor contradicted",
        "are neither confirmed nor contradicted",
    )
    NOT_REPRODUCED = "not reproduced", "does not reproduce", "do not reproduce"
    PENDING = "pending", "waits for trainings", "wait for trainings"
    EXACT = "exact", "is exact", "are exact"
    DIFFERS = "differs", "differs", "differ"
    NOT_TESTED = "not tested", "cannot be tested", "cannot be tested"


class Position(Enum):
    """Where a number lies of our interval, by its word."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    NO_INTERVAL = "held against runs, without an interval that means anything"
    UNDECIDED = "not held against runs, or not against enough"


class Outcome(StrEnum):
    """What a verdict can say; each outcome is the word that every page uses for it.

    Attributes
    ----------
    look : Look
    meaning : str
        One line for the reader.
    position : Position
    rank : int
        0 is the worst: a statement fares as the worst of its parts.
    column : Column
        Where the scoreboard counts it.
    """

    look: Look
    meaning: str
    position: Position
    rank: int
    column: Column

    def __new__(
        cls, text: str, look: Look, meaning: str, position: Position, rank: int, column: Column
    ) -> Self:
        """Make an outcome that is its text; none can lack what tables and judges need of it."""
        word = str.__new__(cls, text)
        word._value_ = text
        word.look, word.meaning = look, meaning
        word.position, word.rank, word.column = position, rank, column
        return word

    @property
    def badge(self) -> str:
        """Class of its badge in `_static/book.css`: its last word, and a "not" before that."""
        return self.replace("not ", "not-").split()[-1]

    REPRODUCED = (
        "reproduced",
        Look("✓", "#c8ecd0", "#00795a", "o"),
        "inside our prediction interval, and that interval is narrow",
        Position.INSIDE,
        7,
        Column.REPRODUCED,
    )
    CLOSE = (
        "close",
        Look("≈", "#e3eebb", "#0173b2", "s"),
        "outside our interval, yet the difference is too small to matter",
        Position.OUTSIDE,
        6,
        Column.CLOSE,
    )
    IMPRECISE = (
        "consistent, imprecise",
        Look("◐", "#fdeab0", "#8a5f00", "o", filled=False),
        "inside our interval; more seeds would tell whether a difference matters",
        Position.INSIDE,
        4,
        Column.CONSISTENT,
    )
    UNSETTLED = (
        "consistent, unsettled",
        Look("?", "#f1d9b8", "#87521c", "^", filled=False),
        "inside our interval, but single runs differ by more than the margin, or the number is "
        "printed too coarsely: no number of seeds tells",
        Position.INSIDE,
        3,
        Column.CONSISTENT,
    )
    CONSISTENT = (
        "consistent",
        Look("~", "#f6f2c0", "#6f6500", "s", filled=False),
        "inside our interval; no margin is set for this quantity",
        Position.INSIDE,
        5,
        Column.CONSISTENT,
    )
    NOT_REPRODUCED = (
        "not reproduced",
        Look("✗", "#f9cfc9", "#b8400a", "X"),
        "outside our interval, and not shown to lie within the margin",
        Position.OUTSIDE,
        0,
        Column.NOT_REPRODUCED,
    )
    UNSTABLE = (
        "unstable",
        Look("↕", "#f5cce6", "#9b2c73", "P"),
        "some of our runs stayed at chance level, so that no interval means anything",
        Position.NO_INTERVAL,
        2,
        Column.PENDING,
    )
    PENDING = (
        "pending",
        Look("…", "#e2e2e2", "#6e6e6e", "h", filled=False),
        "fewer than three runs so far, or one that diverged",
        Position.UNDECIDED,
        2,
        Column.PENDING,
    )
    EQUAL = (
        "equal",
        Look("=", "#cbedf0", "#00707d", "v"),
        "an exact quantity, and the same",
        Position.UNDECIDED,
        7,
        Column.EXACT,
    )
    FOLLOWED = (
        "followed",
        Look("→", "#d4e4f7", "#2a5f9e", ">"),
        "a setting that our runs use as stated",
        Position.UNDECIDED,
        7,
        Column.EXACT,
    )
    NOT_TESTED = (
        "not tested",
        Look("–", "#e9def3", "#6b4d8a", "<"),
        "from other work, a time on other hardware, or a setting that no run of ours has used",
        Position.UNDECIDED,
        7,
        Column.NOT_TESTED,
    )
    DIFFERS = (
        "differs",
        Look("≠", "#fbc4a4", "#a13a00", "P", filled=False),
        "an exact quantity, and not the same",
        Position.UNDECIDED,
        1,
        Column.DIFFERS,
    )


#: Words for a number inside our interval, and outside it; and for all that runs were held against.
INSIDE = tuple(word for word in Outcome if word.position is Position.INSIDE)
OUTSIDE = tuple(word for word in Outcome if word.position is Position.OUTSIDE)
DECIDED = tuple(word for word in Outcome if word.position is not Position.UNDECIDED)

#: Columns of the scoreboard for statements about results, and for all other claims.
COLUMNS = (
    Column.REPRODUCED, Column.IN_PART, Column.CLOSE, Column.CONSISTENT, Column.NOT_REPRODUCED,
    Column.PENDING, Column.NOT_TESTED,
)  # fmt: skip
OTHER_COLUMNS = (Column.EXACT, Column.DIFFERS, Column.NOT_TESTED)


def statement_column(words: Iterable[Outcome]) -> Column:
    """Return where the scoreboard counts a statement whose parts got these words."""
    columns = {word.column for word in words}
    return columns.pop() if len(columns) == 1 else Column.IN_PART


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
        bound or an ordering within runs the exact interval of the share of runs.
    runs : int
        How many runs the verdict rests on; where two experiments are compared, those of either.
    ours : object
        What an exact claim was compared with.
    note : str
        What the numbers leave open, e.g. ``we got lower`` or ``1 of 5 runs diverged``.
    p : float or None
        Of a number: how probable a further run is that lies as far away as the claim.
    pooled_word : Outcome or None
        The word under the pooled standard deviation, where that was asked for and there is one.
    test : ClaimTest or None
        All that went into the verdict on a number.
    """

    experiment: str | None
    claim: Claim
    word: Outcome
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0
    ours: Any = None
    note: str = ""
    p: float | None = None
    pooled_word: Outcome | None = None
    test: ClaimTest | None = field(default=None, repr=False, compare=False)


def count_words(verdicts: Iterable[Verdict]) -> dict[Outcome, int]:
    """Count verdicts by word; every word is present, in the order in which pages show them."""
    words = [verdict.word for verdict in verdicts]
    return {word: words.count(word) for word in Outcome}


@dataclass(frozen=True)
class StatementVerdict:
    """A statement of a report about its results: one claim, or the cells of a table, or a sentence.

    Attributes
    ----------
    address : str
        As `Claim.statement_under` gives it.
    parts : tuple of Verdict
        On its claims; those that are no result, such as a count of images, left out.
    """

    address: str
    parts: tuple[Verdict, ...]

    @property
    def is_headline(self) -> bool:
        """Whether the report's conclusion rests on it."""
        return any(part.claim.role == "headline" for part in self.parts)

    @property
    def word(self) -> Outcome | None:
        """The verdict on all its parts; None where they got different ones."""
        words = {part.word for part in self.parts}
        return words.pop() if len(words) == 1 else None

    @property
    def column(self) -> Column:
        """Where the scoreboard counts it, once."""
        return statement_column(part.word for part in self.parts)

    @property
    def share(self) -> str:
        """How many parts of a comparison hold, or how many numbers are inside our intervals."""
        words = [part.word for part in self.parts]
        if all(part.claim.value is None or part.claim.about.share_of for part in self.parts):
            return f"{words.count(Outcome.REPRODUCED)} of {len(words)} hold"
        return f"{sum(word in INSIDE for word in words)} of {len(words)} inside"


def by_statement(verdicts: Iterable[Verdict]) -> list[StatementVerdict]:
    """Group the verdicts on results by statement; only these count as reproduced or not."""
    parts: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.claim.role in COUNTED:
            address = verdict.claim.statement_under(verdict.experiment)
            parts.setdefault(address, []).append(verdict)
    return [StatementVerdict(address, tuple(found)) for address, found in parts.items()]


class Tally(NamedTuple):
    """What a report's verdicts come to.

    Attributes
    ----------
    statements : dict
        How many statements about results fall into each column, `Column.IN_PART` among them.
    shares : list of str
        Of each statement that holds in part, how many of its parts do.
    others : dict
        How many claims about data, models and protocol got each word.
    """

    statements: dict[Column, int]
    shares: list[str]
    others: dict[Outcome, int]

    def __str__(self) -> str:
        """Write both in a line."""
        results = ", ".join(f"{n} {column}" for column, n in self.statements.items() if n)
        others = ", ".join(f"{n} {word}" for word, n in self.others.items() if n)
        shares = f" ({'; '.join(self.shares)})" if self.shares else ""
        return f"statements about results: {results}{shares}; other claims: {others or 'none'}"


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """Count statements about results by column, and all other claims by word."""
    verdicts = list(verdicts)
    found = by_statement(verdicts)
    columns = [item.column for item in found]
    return Tally(
        {column: columns.count(column) for column in COLUMNS},
        [item.share for item in found if item.column is Column.IN_PART],
        count_words(verdict for verdict in verdicts if verdict.claim.role not in COUNTED),
    )
