"""The front page: what all reports come to in one sentence, and each report's headline results."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fmnist_utils.reports.report import Report
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.headlines import drawing, titled, worst_part
from fmnist_utils.tables.table import Badge, Stacked, Table
from fmnist_utils.text import claim_text, counted, listed, ours_text, reported_text
from fmnist_utils.verdicts.across_reports import every_statement
from fmnist_utils.verdicts.outcome import IN_PART, StatementVerdict, Verdict

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


@dataclass(frozen=True)
class Linked:
    """Text that leads to a page."""

    text: str
    href: str

    def __str__(self) -> str:
        """Return the text alone."""
        return self.text

    def html(self) -> str:
        """Return the link."""
        return f'<a href="{html.escape(self.href)}">{html.escape(self.text)}</a>'


@dataclass(frozen=True)
class Drawn:
    """A reported value on our interval, drawn; in text, what the interval is."""

    verdict: Verdict
    words: str

    def __str__(self) -> str:
        """Return the words."""
        return self.words

    def html(self) -> str:
        """Return the drawing, which says the words to those who do not see it."""
        return drawing(self.verdict, html.escape(self.words)) or html.escape(self.words)


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
    """Show the headline results of all reports: the word, the result, its value on our interval.

    Parameters
    ----------
    store : RunStore, optional
        Where the runs are; the shipped ones and ``./runs`` by default.

    Examples
    --------
    >>> fu.tables.answers().headers
    ('verdict', 'report', 'headline result', 'reported', 'ours', 'reported on our interval')
    """
    rows = tuple(
        _answer(report, found) for report, found in every_statement(store) if found.is_headline
    )
    headers = ("verdict", "report", "headline result", "reported", "ours")
    drawn = "◆ reported, ● mean of our runs, ▬ where 95 % of further runs would lie"
    return Table(
        (*headers, "reported on our interval"), rows, f"What each report rests on: {drawn}"
    )


def _answer(report: Report, found: StatementVerdict) -> tuple[object, ...]:
    verdict = worst_part(found.parts)
    claim, owner = verdict.claim, verdict.experiment
    name = claim_text(titled(report, claim))
    if owner:
        name = f"{name}, {report.experiments[owner].title}"
    address = "/".join(filter(None, (report.id, owner, claim.id)))
    ours = ours_text(verdict) or "no runs yet"
    words = f"reported {reported_text(claim)}, ours {ours} over {counted(verdict.runs, 'run')}"
    return (
        Badge(verdict.word),
        Linked(report.short_name, f"chapters/{report.id}.html"),
        Stacked(Linked(name, f"record/claims.html#{address}"), _parts(found.parts)),
        reported_text(claim),
        ours,
        Drawn(verdict, words if verdict.mean is not None else ""),
    )


def _parts(parts: Sequence[Verdict]) -> str:
    return f"the worst of {len(parts)} parts" if len(parts) > 1 else ""
