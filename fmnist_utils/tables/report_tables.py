"""A report as a whole, or all of them: verdicts counted, and what the audit finds."""

from __future__ import annotations

from fmnist_utils import audit
from fmnist_utils.reports.findings import SEVERITIES
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.table import Badge, SeverityBadge, Stacked, Table
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.collect import judge_report
from fmnist_utils.verdicts.outcome import Word, count_words


def counts(report: Report, store: RunStore = STORE) -> Table:
    """Count one report's verdicts by word, with what each word means."""
    found = count_words(judge_report(report, store))
    rows = tuple((Badge(word), str(n), MEANINGS[word]) for word, n in found.items() if n)
    return Table(("verdict", "claims", "meaning"), rows, f"{sum(found.values())} claims judged")


MEANINGS = {
    Word.REPRODUCED: "inside our prediction interval, and that interval is narrow",
    Word.CLOSE: "outside our interval, yet the difference is too small to matter",
    Word.IMPRECISE: "inside our interval, but a difference beyond the margin is not ruled out",
    Word.CONSISTENT: "inside our interval; no margin is set for this quantity",
    Word.NOT_REPRODUCED: "outside our interval, and not shown to lie within the margin",
    Word.PENDING: "fewer than three runs so far, or one that diverged",
    Word.EQUAL: "an exact quantity, and the same",
    Word.FOLLOWED: "a setting that our runs use as stated",
    Word.DIFFERS: "an exact quantity, and not the same",
    Word.NOT_TESTED: "a number from other work, or a time on other hardware",
}


def scoreboard(store: RunStore = STORE) -> Table:
    """Count the verdicts of every report: what was measured, then what was exact."""
    rows = []
    for report in every_report():
        found = judge_report(report, store)
        by_word = count_words(found)
        numbers = sum(verdict.claim.numbers for verdict in found)
        columns = [sum(by_word[word] for word in words) for words in _COLUMNS.values()]
        rows.append((report.short_name, str(numbers), *map(str, columns)))
    headers = ("report", "numbers", *_COLUMNS)
    return Table(headers, tuple(rows), "Verdicts on every claim, report by report")


_COLUMNS = {
    "reproduced": (Word.REPRODUCED,),
    "close": (Word.CLOSE,),
    "consistent": (Word.IMPRECISE, Word.CONSISTENT),
    "not reproduced": (Word.NOT_REPRODUCED,),
    "pending": (Word.PENDING,),
    "exact": (Word.EQUAL, Word.FOLLOWED),
    "differs": (Word.DIFFERS,),
    "not tested": (Word.NOT_TESTED,),
}


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
    rows = tuple(
        (
            SeverityBadge(item.severity),
            Stacked(_sentence(item.claimed), item.where),
            Stacked(_sentence(item.because), item.consequence),
        )
        for item in found
    )
    headers = ("severity", "what is stated, or left out", "the arithmetic, and what follows")
    return Table(headers, rows, f"The report against itself: {len(found)} findings")


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
