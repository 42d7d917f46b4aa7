"""A report as a whole, or all of them: verdicts counted, and what the audit finds."""

from __future__ import annotations

from collections.abc import Iterable

from fmnist_utils import audit
from fmnist_utils.reports.report import SEVERITIES, Finding, Report
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.table import Badge, SeverityBadge, Stacked, Table
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.collect import judge_report
from fmnist_utils.verdicts.outcome import COLUMNS, count_words


def counts(report: Report, store: RunStore = STORE) -> Table:
    """Count one report's verdicts by word, with what each word means.

    Parameters
    ----------
    report : Report
        All its models are built.
    store : RunStore
        Where the runs are.
    """
    found = count_words(judge_report(report, store))
    rows = tuple((Badge(word), str(n), word.meaning) for word, n in found.items() if n)
    return Table(("verdict", "claims", "meaning"), rows, f"{sum(found.values())} claims judged")


def scoreboard(store: RunStore = STORE) -> Table:
    """Count the verdicts of every report: what was measured, then what was exact."""
    rows = []
    for report in every_report():
        found = judge_report(report, store)
        by_word = count_words(found)
        numbers = sum(verdict.claim.numbers for verdict in found)
        columns = [sum(n for word, n in by_word.items() if word.column == c) for c in COLUMNS]
        rows.append((report.short_name, str(numbers), *map(str, columns)))
    headers = ("report", "numbers", *COLUMNS)
    return Table(headers, tuple(rows), "Verdicts on every claim, report by report")


def findings(report: Report, store: RunStore = STORE) -> Table:
    """List where a report contradicts itself, cannot be right, or cannot be followed.

    Parameters
    ----------
    report : Report
        The report to hold against itself.
    store : RunStore, optional
        Whose runs tell how far apart seeds lie; the shipped ones and ``./runs`` by default.
    """
    found = audit.audit_report(report, store)
    return found_table(found, f"The report against itself: {len(found)} findings")


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
