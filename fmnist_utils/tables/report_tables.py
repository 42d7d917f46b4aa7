"""Reports as wholes: verdicts counted, their rule, and what the audit finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from fmnist_utils import audit
from fmnist_utils.reports.report import SEVERITIES, Finding
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.front_page import Sentence
from fmnist_utils.tables.table import Badge, Linked, Stacked, Table, severity_badge
from fmnist_utils.text import sentence
from fmnist_utils.verdicts.across_reports import every_report, tested_verdicts
from fmnist_utils.verdicts.ledger import every_ledger, statement_share
from fmnist_utils.verdicts.multiplicity import chance
from fmnist_utils.verdicts.outcome import COLUMNS, OTHER_COLUMNS, Outcome, Tally, tally
from fmnist_utils.verdicts.report_verdicts import judge_report
from fmnist_utils.verdicts.rule import history


def scoreboard(store: RunStore = STORE) -> Table:
    """Count what every report states of its results, then all else that it states.

    The first columns count statements: a number that is printed twice is one, and so is a table.
    The last ones count claims about data, models and protocol.

    Examples
    --------
    >>> fu.tables.scoreboard().headers[:4]
    ('report', 'statements', 'reproduced', 'in part')
    """
    reports = every_report()
    tallies = [tally(judge_report(report, store)) for report in reports]
    counts = [_counts(found) for found in tallies]
    rows = [
        (
            Linked(report.short_name, f"chapters/{report.id}.html"),
            *_led(f"report={report.id}&", found),
        )
        for report, found in zip(reports, counts, strict=True)
    ]
    total = [sum(column) for column in zip(*counts, strict=True)]
    caption = "Verdicts on what every report states; a number leads to the claims of its statements"
    return Table(("report", *_SCORES), (*rows, ("all reports", *_led("", total))), caption)


_SCORES = ("statements", *map(str, COLUMNS), "other claims", *map(str, OTHER_COLUMNS))


def _counts(found: Tally) -> list[int]:
    """Count what the columns of the scoreboard count."""
    others = [
        sum(n for word, n in found.others.items() if word.column == column)
        for column in OTHER_COLUMNS
    ]
    results = list(found.statements.values())
    return [sum(results), *results, sum(others), *others]


def _led(query: str, counts: Sequence[int]) -> Iterator[str]:
    """Write counts, those of statements with links to the claims that these have."""
    for i, (column, n) in enumerate(zip(_SCORES, counts, strict=True)):
        page = f"record/claims.html?{query}statement={column}".replace(" ", "+")
        yield Linked(str(n), page) if n and 1 <= i <= len(COLUMNS) else str(n)


def found_table(found: Iterable[Finding], caption: str) -> Table:
    """Show findings: severity, title with id, statement with its place, arithmetic and outcome.

    Parameters
    ----------
    found : iterable of Finding
        In the order of the rows; see `audit`.
    caption : str
        What stands above the table.
    """
    rows = tuple(
        (
            severity_badge(item.severity),
            Stacked(item.title, item.id),
            Stacked(sentence(item.claimed), item.where),
            Stacked(sentence(item.because), item.consequence),
        )
        for item in found
    )
    headers = ("severity", "finding", "what is stated, or left out",
               "the arithmetic, and what follows")  # fmt: skip
    return Table(headers, rows, caption)


def audit_counts(store: RunStore = STORE) -> Table:
    """Count the findings of every report by severity.

    Examples
    --------
    >>> fu.tables.audit_counts().headers
    ('report', 'high', 'medium', 'low', 'all')
    """
    rows = []
    for report in every_report():
        found = audit.count_severities(audit.audit_report(report, store))
        rows.append((report.short_name, *map(str, found.values()), str(sum(found.values()))))
    meanings = "; ".join(f"{word}: {meaning}" for word, meaning in SEVERITIES.items())
    headers = ("report", *SEVERITIES, "all")
    return Table(headers, tuple(rows), f"Findings of the audit, report by report ({meanings})")


def rule_history() -> Table:
    """List when each part of the rule was fixed, and which words it changed.

    Examples
    --------
    >>> fu.tables.rule_history().headers
    ('date', 'what the rule says since then', 'what it changed')
    """
    rows = tuple(
        (
            Stacked(_unbroken(item.date), "runs seen" if item.seen else "none of its runs seen"),
            item.part,
            item.effect or "nothing yet",
        )
        for item in history()
    )
    headers = ("date", "what the rule says since then", "what it changed")
    return Table(headers, rows, "When each part of the rule was fixed")


def _unbroken(date: str) -> str:
    """Write a date so that it stands in one line."""
    return date.replace("-", "\N{NON-BREAKING HYPHEN}")


def chance_alone() -> Table:
    """Count the words that numbers got, beside those expected if every number were true.

    Examples
    --------
    >>> fu.tables.chance_alone().headers
    ('verdict', 'numbers', 'if every number were true')
    """
    found = chance(tested_verdicts(STORE))
    # Of a claim drawn anew no one knows whether seeds would settle it.
    open_words = (Outcome.IMPRECISE, Outcome.UNSETTLED)
    got = dict(found.words)
    got[Outcome.IMPRECISE] = sum(got[word] for word in open_words)
    rows = tuple(
        (Badge(word), str(got[word]), f"{expected:.1f}")
        for word, expected in found.expected.items()
        if word is not Outcome.UNSETTLED and (got[word] or expected)
    )
    caption = (
        f"{found.numbers} numbers held against runs: {found.outside} lie outside their 95 % "
        f"intervals, {found.expected_outside:.1f} would if all were true; {found.surviving} of "
        "them remain when all are tested together (Benjamini and Hochberg, 5 %)"
    )
    return Table(("verdict", "numbers", "if every number were true"), rows, caption)


def by_chance() -> Sentence:
    """Say how many numbers would miss if every one were true, beside how many do.

    Examples
    --------
    >>> fu.tables.by_chance()
    If all ... numbers that have runs were true, chance would put about ... outside...
    """
    found = chance(tested_verdicts(STORE))
    failed, held = Outcome.NOT_REPRODUCED, Outcome.REPRODUCED
    return Sentence(
        f"If all {found.numbers} numbers that have runs were true, chance would put about "
        f"{found.expected_outside:.0f} outside their 95 % intervals; about "
        f"{found.expected[failed]:.0f} would be called {failed}, and no more than about "
        f"{found.expected[held]:.0f} {held}. In fact {found.outside} lie outside, of which "
        f"{found.surviving} remain after correcting for so many tests; {found.words[failed]} are "
        f"called {failed}, and {found.words[held]} {held}."
    )


def shares() -> Table:
    """Show how many statements of each report hold, with an interval where one can be given.

    Examples
    --------
    >>> fu.tables.shares().headers
    ('report', 'statements with runs', 'hold', 'experiments with statements', ...)
    """
    rows = []
    ledgers = every_ledger(STORE)
    subjects = [(report.short_name, ledgers[report.id]) for report in every_report()]
    for name, ledger in (*subjects, ("all reports", [*chain(*ledgers.values())])):
        found = statement_share(ledger)
        shown = "too few experiments"
        if found.low is not None and found.high is not None:
            share, low, high = (
                100 * x for x in (found.holding / found.statements, found.low, found.high)
            )
            shown = f"{share:.0f} % [{low:.0f} to {high:.0f}]"
        counts = (f"{found.statements}", f"{found.holding:.1f}", f"{found.experiments}")
        rows.append((name, *counts, shown))
    headers = ("report", "statements with runs", "hold", "experiments with statements")
    caption = (
        "Statements that hold, of all that have runs. Consistent ones do not count as holding, and "
        "a table counts with the share of its cells that hold. Intervals by resampling experiments"
    )
    return Table((*headers, "share, 95 % interval"), tuple(rows), caption)
