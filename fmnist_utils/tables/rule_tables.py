"""The rule of the verdicts: when it was fixed, and what chance alone would have given."""

from __future__ import annotations

from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.front import Sentence
from fmnist_utils.tables.table import Badge, Table
from fmnist_utils.verdicts.across_reports import every_report, tested_verdicts
from fmnist_utils.verdicts.ledger import every_ledger
from fmnist_utils.verdicts.multiplicity import chance, statement_share
from fmnist_utils.verdicts.outcome import Word
from fmnist_utils.verdicts.rule import HISTORY


def rule_history() -> Table:
    """List when each part of the rule was fixed, and which words it changed.

    Examples
    --------
    >>> fu.tables.rule_history().headers
    ('date', 'what the rule says since then', 'runs seen before', 'what it changed')
    """
    rows = tuple(
        (change.date, change.part, "yes" if change.seen else "no", change.effect or "nothing yet")
        for change in HISTORY
    )
    headers = ("date", "what the rule says since then", "runs seen before", "what it changed")
    return Table(headers, rows, "When each part of the rule was fixed")


def chance_alone(store: RunStore = STORE) -> Table:
    """Count the words that numbers got, beside those expected if every number were true.

    Examples
    --------
    >>> fu.tables.chance_alone().headers
    ('verdict', 'numbers', 'if every number were true')
    """
    found = chance(tested_verdicts(store))
    # Of a claim drawn anew no one knows whether seeds would settle it.
    open_words = (Word.IMPRECISE, Word.UNSETTLED)
    got = dict(found.words)
    got[Word.IMPRECISE] = sum(got[word] for word in open_words)
    rows = tuple(
        (Badge(word), str(got[word]), f"{expected:.1f}")
        for word, expected in found.expected.items()
        if word is not Word.UNSETTLED and (got[word] or expected)
    )
    caption = (
        f"{found.numbers} numbers held against runs: {found.outside} lie outside their 95 % "
        f"intervals, {found.expected_outside:.1f} would if all were true; {found.surviving} of "
        "them remain when all are tested together (Benjamini and Hochberg, 5 %)"
    )
    return Table(("verdict", "numbers", "if every number were true"), rows, caption)


def by_chance(store: RunStore = STORE) -> Sentence:
    """Say how many numbers would miss if every one were true, beside how many do.

    Examples
    --------
    >>> fu.tables.by_chance()
    If all ... numbers held against runs were true, chance would put about ... outside...
    """
    found = chance(tested_verdicts(store))
    word = Word.NOT_REPRODUCED
    return Sentence(
        f"If all {found.numbers} numbers held against runs were true, chance would put about "
        f"{found.expected_outside:.0f} outside their 95 % intervals, and about "
        f"{found.expected[word]:.0f} would be called {word}. In fact {found.outside} lie outside, "
        f"and {found.words[word]} are called so."
    )


def shares(store: RunStore = STORE) -> Table:
    """Show how many statements of each report hold, with an interval where one can be given.

    Examples
    --------
    >>> fu.tables.shares().headers
    ('report', 'statements that runs decide', 'hold', 'experiments', 'share, 95 % interval')
    """
    rows = []
    ledgers = every_ledger(store)
    for report in every_report():
        found = statement_share(ledgers[report.id])
        share = "too few experiments"
        if found.low is not None and found.high is not None:
            share = f"{found.holding / found.statements:.0%} [{found.low:.0%} to {found.high:.0%}]"
        counts = (f"{found.statements}", f"{found.holding:.1f}", f"{found.experiments}")
        rows.append((report.short_name, *counts, share))
    headers = ("report", "statements that runs decide", "hold", "experiments")
    caption = "A table counts as one statement, with the share of its cells that hold"
    return Table((*headers, "share, 95 % interval"), tuple(rows), caption)
