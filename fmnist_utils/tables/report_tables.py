"""A report as a whole, or all of them: verdicts counted, and what the audit finds."""

from __future__ import annotations

from collections.abc import Iterable

from fmnist_utils import audit
from fmnist_utils.reports.report import SEVERITIES, Finding
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.table import SeverityBadge, Stacked, Table
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.collect import judge_report
from fmnist_utils.verdicts.outcome import (
    OTHER_COLUMNS,
    tally,
)


def scoreboard(store: RunStore = STORE) -> Table:
    """Count what every report states of its results, then all else that it states.

    The first columns count statements: a number that is printed twice is one, and so is a table.
    The last ones count claims about data, models and protocol.
    """
    rows = []
    for report in every_report():
        found = tally(judge_report(report, store))
        results = [str(n) for n in found.statements.values()]
        others = [
            str(sum(n for word, n in found.others.items() if word.column == column))
            for column in OTHER_COLUMNS
        ]
        total = str(sum(found.statements.values()))
        rows.append((report.short_name, total, *results, str(sum(map(int, others))), *others))
    headers = ("report", "statements", *found.statements, "other claims", *OTHER_COLUMNS)
    return Table(headers, tuple(rows), "Verdicts on what every report states")


def found_table(found: Iterable[Finding], caption: str) -> Table:
    """Show findings: severity, title with id, statement with its place, arithmetic and outcome."""
    rows = tuple(
        (
            SeverityBadge(item.severity),
            Stacked(item.title, item.id),
            Stacked(_sentence(item.claimed), item.where),
            Stacked(_sentence(item.because), item.consequence),
        )
        for item in found
    )
    headers = ("severity", "finding", "what is stated, or left out",
               "the arithmetic, and what follows")  # fmt: skip
    return Table(headers, rows, caption)


def audit_counts(store: RunStore = STORE) -> Table:
    """Count the findings of every report by severity."""
    rows = []
    for report in every_report():
        found = audit.count_severities(audit.audit_report(report, store))
        rows.append((report.short_name, *map(str, found.values()), str(sum(found.values()))))
    meanings = "; ".join(f"{word}: {meaning}" for word, meaning in SEVERITIES.items())
    headers = ("report", *SEVERITIES, "all")
    return Table(headers, tuple(rows), f"Findings of the audit, report by report ({meanings})")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
