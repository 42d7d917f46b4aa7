"""The pages of the record: each table as HTML that needs no script, and the files beside it."""

from __future__ import annotations

import functools
import html
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fmnist_utils.export.addressed_table import Entry, grid
from fmnist_utils.export.files import TABLES, Record, columns, contents, record
from fmnist_utils.export.rows import AssumptionRow, FindingRow, TrainingRow
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.quantities import COUNTED, ROLES
from fmnist_utils.reports.report import SEVERITIES, Report
from fmnist_utils.reports.search import Search
from fmnist_utils.runs.status import ranges
from fmnist_utils.runs.store import RunStore
from fmnist_utils.tables import Badge, severity_badge
from fmnist_utils.text import (
    claim_text,
    counted,
    interval_text,
    key_text,
    ours_text,
    percent_text,
    reported_text,
    sentence,
)
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.ledger import LedgerRow
from fmnist_utils.verdicts.outcome import Outcome, Verdict, statement_column

_WORDS = {str(word): word for word in Outcome}


class Build(NamedTuple):
    """How one page of this build was made.

    Attributes
    ----------
    page, title : str
        Its file, and its first heading.
    seconds : float or None
        How long its cells took; None for one that was executed elsewhere.
    date, revision : str
        When, and by which commit of the code.
    """

    page: str
    title: str
    seconds: float | None
    date: str
    revision: str


def staged_files(store: RunStore, builds: Iterable[Build], cite: str) -> dict[str, bytes]:
    """Return the files of the record by name: HTML that its pages include, and downloads.

    Parameters
    ----------
    store : RunStore
        Where the runs are.
    builds : iterable of Build
        The pages that this build has made so far.
    cite : str
        How the book is cited; `_static/record.js` writes it behind a row.
    """
    tables = record(store)
    pages = fragments(tables, builds)
    return {
        **{
            f"record/tables/{name}.html": _cited(text, cite).encode()
            for name, text in pages.items()
        },
        **{f"_static/record/{name}": content for name, content in contents(tables).items()},
    }


def fragments(tables: Record, builds: Iterable[Build]) -> dict[str, str]:
    """Return the HTML that the pages of the record include, by name.

    Parameters
    ----------
    tables : Record
        Rows of each table by its name; see `export.files.record`.
    builds : iterable of Build
        The pages that this build has made so far.
    """
    return {
        "claims": _claims(tables["claims"]),
        "findings": _findings(tables["findings"]),
        "assumptions": _assumptions(tables["assumptions"]),
        "trainings": _trainings(tables["trainings"]),
        "builds": _builds(builds),
        "words": _words(),
        "dictionary": _dictionary(),
        "files": _files(),
    }


# --- Pages ---------------------------------------------------------------------------------------


def _claims(rows: Sequence[LedgerRow]) -> str:
    stated = {key: found for report in every_report() for key, found in _stated(report)}
    roles: list[str] = list(ROLES)
    in_order = sorted(rows, key=lambda row: roles.index(row.role))
    words: dict[tuple[str, str], list[Outcome]] = {}
    for row in in_order:
        if row.role in COUNTED:
            words.setdefault((row.report, row.statement), []).append(_WORDS[row.word])
    became = {statement: statement_column(parts) for statement, parts in words.items()}
    entries = [
        _claim(
            row,
            *stated[row.report, row.experiment, row.claim],
            became[row.report, row.statement] if row.role in COUNTED else "",
        )
        for row in in_order
    ]
    return grid(
        "claims",
        f"{len(rows)} claims of all reports",
        ("verdict", "claim", "reported", "ours, 95 % interval", "runs"),
        entries,
    )


def _stated(report: Report) -> Iterator[tuple[tuple[str, str | None, str], tuple[str, Claim]]]:
    """Yield every claim by report, experiment and id, with a name made of titles.

    Ids of experiments are for files and commands.
    """
    subjects: Mapping[str, Experiment | Search] = {**report.trainable, **report.searches}
    for experiment, claim in report.all_claims():
        ids = {key: name for key in ("of", "than") if (name := getattr(claim, key))}
        titles = {key: subjects[name].title for key, name in ids.items()}
        text = claim_text(claim.model_copy(update=titles))
        subject = experiment or report.searches.get(claim.of or "")
        name = f"{subject.title}: {text}" if subject else text
        yield (report.id, experiment.id if experiment else None, claim.id), (name, claim)


def _claim(row: LedgerRow, name: str, claim: Claim, column: str) -> Entry:
    verdict = Verdict(
        experiment=row.experiment, claim=claim, word=_WORDS[row.word], mean=row.mean, sd=row.sd,
        low=row.low, high=row.high, runs=row.runs, ours=row.ours, note=row.note,
    )  # fmt: skip
    plain = claim.value is not None and claim.relation is None
    reported = row.printed if plain else reported_text(claim)
    scale = 100 if percent_text(claim) else 1  # fractions are sorted among percentages
    about = f"{_names()[row.report]} · {row.role} · {'; '.join(row.places)}"
    runs = f"{row.runs} {_runs_behind(row)}" if row.runs else ""
    return Entry(
        row.address,
        {
            "report": row.report,
            "role": row.role,
            "verdict": row.word,
            "statement": column,
            "quantity": row.quantity,
        },
        (
            (
                Badge(verdict.word).html() + _small(row.note, *_sensitivity(row)),
                list(_WORDS).index(row.word),
            ),
            (_text(name) + _small(about), None),
            (_text(reported) + _small(percent_text(claim)), _number(row.value, scale)),
            (_text(ours_text(verdict)) + _small(interval_text(verdict)), _number(row.mean, scale)),
            (runs, row.runs),
        ),
    )


def _sensitivity(row: LedgerRow) -> list[str]:
    """Say what another analysis would say, where it says something else."""
    found = []
    if row.pooled_word and row.pooled_word != row.word:
        found.append(f"with pooled sd: {row.pooled_word}")
    if row.survives is False:
        found.append("not after Benjamini-Hochberg")
    return found


def _runs_behind(row: LedgerRow) -> str:
    """Link the experiments whose runs a verdict rests on."""
    names = dict.fromkeys(name.partition(".seed")[0] for name in row.run_files)
    links = (f'<a href="runs.html#{row.report}/{name}">{name}</a>' for name in names)
    return f"<small>{', '.join(links)}</small>"


def _findings(rows: Sequence[FindingRow]) -> str:
    def entry(row: FindingRow) -> Entry:
        severity: Any = row.severity
        about = f"{_names()[row.report]} · {row.where}"
        return Entry(
            row.address,
            {"report": row.report, "severity": row.severity},
            (
                (severity_badge(severity).html(), list(SEVERITIES).index(severity)),
                (_title(row) + _small(about), None),
                _text(sentence(row.because)),
                _text(row.consequence),
            ),
        )

    headers = ("severity", "what is stated, or left out", "why it cannot stand", "what follows")
    return grid("findings", f"{len(rows)} findings", headers, map(entry, rows))


def _title(row: FindingRow) -> str:
    claimed = _text(sentence(row.claimed))
    return f"<strong>{_text(row.title)}</strong><br>{claimed}" if row.title else claimed


def _assumptions(rows: Sequence[AssumptionRow]) -> str:
    def entry(row: AssumptionRow) -> Entry:
        first, *others = row.experiments
        # Each experiment that makes the choice has an address of its own, in the same row.
        addresses = (row.address.replace(f"/{first}/", f"/{name}/", 1) for name in others)
        also = (
            f'<span id="{html.escape(address)}">{name}</span>'
            for address, name in zip(addresses, others, strict=True)
        )
        tried = (f'<a href="runs.html#{row.report}/{name}">{name}</a>' for name in row.variants)
        kind = row.setting.partition(".")[0]
        return Entry(
            row.address,
            {"report": row.report, "about": kind},
            (
                (_text(row.chosen), None),
                (_text(key_text(row.setting)) + _small(_names()[row.report]), None),
                _text(row.because),
                ", ".join([first, *also]),
                ", ".join(tried),
            ),
        )

    headers = ("chosen", "setting", "why", "experiments", "tried otherwise in")
    return grid("assumptions", f"{len(rows)} assumptions", headers, map(entry, rows))


def _trainings(rows: Sequence[TrainingRow]) -> str:
    def entry(row: TrainingRow) -> Entry:
        cores = " or ".join(counted(n, "thread") for n in row.threads)
        machine = f"{', '.join(row.devices)}{f', {cores}' if cores else ''}"
        unknown = "number of threads not recorded" if row.devices and not cores else ""
        minutes = "" if row.seconds is None else f"{row.seconds / 60:.1f}"
        spread = "" if row.seconds_sd is None else f" ± {row.seconds_sd / 60:.1f}"
        made = f"{', '.join(row.dates)} · {', '.join(row.revisions)}" if row.dates else ""
        each = f"{row.epochs:g} epochs" if row.epochs else ""
        what = "trial" if row.kind == "search" else "run"
        count = counted(len(row.seeds), what) if row.seeds else f"no {what}s yet"
        return Entry(
            row.address,
            {"report": row.report, "kind": row.kind},
            (
                (count + _small(ranges(row.seeds, " to ")), len(row.seeds)),
                (_text(row.title) + _small(f"{_names()[row.report]} · {row.kind}"), None),
                (minutes + spread + _small(each), row.seconds),
                _text(machine) + _small(unknown, ", ".join(row.precisions)),
                _text("; ".join(row.versions)) + _small(made),
            ),
        )

    headers = ("runs, seeds", "experiment", "minutes a run", "machine, precision", "versions")
    return grid("trainings", f"{len(rows)} trainings", headers, map(entry, rows))


def _builds(builds: Iterable[Build]) -> str:
    def entry(item: Build) -> tuple[str, ...]:
        seconds = "executed elsewhere" if item.seconds is None else f"{item.seconds:.0f}"
        return _text(item.title), seconds, item.date, item.revision

    headers = ("page", "seconds", "executed on", "commit")
    return _plain("When and how long each page was executed", headers, map(entry, builds))


def _words() -> str:
    """Explain verdicts, roles and severities."""
    verdicts = [(Badge(word).html(), word.meaning) for word in Outcome]
    roles, severities = dict(ROLES).items(), SEVERITIES.items()
    return "\n".join(
        _plain(f"{name} and what it means", (name.lower(), "meaning"), rows)
        for name, rows in (("Verdict", verdicts), ("Role", roles), ("Severity", severities))
    )


def _files() -> str:
    """Link the files of every table."""
    kinds = {"csv": "{}.csv", "json": "{}.json", "schema.json": "schema"}

    def link(table: str, ending: str, text: str) -> str:
        return f'<a href="../_static/record/{table}.{ending}" download>{text.format(table)}</a>'

    rows = [(table, *(link(table, *kind) for kind in kinds.items())) for table in TABLES]
    return _plain("Files of the record", ("table", "CSV", "JSON", "JSON schema"), rows)


def _dictionary() -> str:
    """Explain the columns of every table; those that share a meaning share a row."""
    found = []
    for name in TABLES:
        about = columns(name)
        grouped = itertools.groupby(about, key=lambda column: about[column])
        rows = [
            (", ".join(f"<code>{column}</code>" for column in names), kind, _code(meaning))
            for (kind, meaning), names in grouped
        ]
        found.append(_plain(f"Columns of {name}", ("column", "type", "meaning"), rows))
    return "\n".join(found)


def _cited(page: str, cite: str) -> str:
    return page.replace('class="record"', f'class="record" data-cite="{html.escape(cite)}"', 1)


# --- HTML ----------------------------------------------------------------------------------------


def _plain(caption: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a small table that needs no filter."""
    head = "".join(f'<th scope="col">{header}</th>' for header in headers)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
        for first, *others in rows
    )
    return (
        f'<div class="fmnist-table" tabindex="0" role="region" aria-label="{caption}"><table>\n'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table></div>\n"
    )


def _small(*texts: str) -> str:
    """Write lines below what a cell says first."""
    return "".join(f"<small>{_text(text)}</small>" for text in texts if text)


def _text(text: str) -> str:
    """Write text as HTML; a long name such as categorical_crossentropy may break."""
    return html.escape(text).replace("_", "_<wbr>")


def _code(text: str) -> str:
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", html.escape(text))


def _number(value: Any, scale: int) -> float | None:
    return round(scale * value, 4) if isinstance(value, int | float) else None


@functools.cache
def _names() -> dict[str, str]:
    return {report.id: report.short_name for report in every_report()}
