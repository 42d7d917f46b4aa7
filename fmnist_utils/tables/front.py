"""The front page: what all reports come to in one sentence, and each report's headline results."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass, replace

from fmnist_utils.reports.report import Report
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.headlines import DRAWN, HEADERS, different, on_interval, worst_part
from fmnist_utils.tables.table import Badge, Table
from fmnist_utils.text import listed
from fmnist_utils.verdicts.across_reports import every_statement
from fmnist_utils.verdicts.outcome import IN_PART, StatementVerdict

#: What a column of the scoreboard says of so many statements, singular and plural.
_SAYS = {
    "reproduced": ("reproduces", "reproduce"),
    "close": ("is close", "are close"),
    IN_PART: ("holds in part", "hold in part"),
    "consistent": ("agrees as far as our runs can tell", "agree as far as our runs can tell"),
    "not reproduced": ("does not reproduce", "do not reproduce"),
    "pending": ("waits for trainings", "wait for trainings"),
    "not tested": ("cannot be tested", "cannot be tested"),
}


@dataclass(frozen=True)
class Sentence:
    """One sentence that opens a page."""

    text: str

    def __repr__(self) -> str:
        """Return the sentence."""
        return self.text

    def _repr_html_(self) -> str:
        return f'<p class="answer"><strong>{html.escape(self.text)}</strong></p>'


def result(store: RunStore = STORE) -> Sentence:
    """Say in one sentence what became of all results that the reports state.

    Parameters
    ----------
    store : RunStore, optional
        Where the runs are; the shipped ones and ``./runs`` by default.

    Examples
    --------
    >>> fu.tables.result()
    Of the ... results that five reports state, ... reproduce...
    """
    columns = Counter(found.column for _, found in every_statement(store))
    parts = [f"{n} {words[n > 1]}" for column, words in _SAYS.items() if (n := columns[column])]
    total = sum(columns.values())
    return Sentence(f"Of the {total} results that five reports state, {listed(parts)}.")


def answers(store: RunStore = STORE) -> Table:
    """Show the headline statements of all reports, each with its value on our interval.

    Parameters
    ----------
    store : RunStore, optional
        Where the runs are; the shipped ones and ``./runs`` by default.

    Examples
    --------
    >>> len({str(row[1]).partition(":")[0] for row in fu.tables.answers().rows})
    5
    """
    rows = tuple(
        _answer(report, found) for report, found in every_statement(store) if found.is_headline
    )
    return Table(HEADERS, rows, f"What each report rests on: {DRAWN}")


def _answer(report: Report, found: StatementVerdict) -> tuple[object, ...]:
    verdict = worst_part(found.parts)
    cell = on_interval(report, verdict, different(found.parts), record="record/claims.html")
    return Badge(verdict.word), replace(cell, main=f"{report.short_name}: {cell.main}")
