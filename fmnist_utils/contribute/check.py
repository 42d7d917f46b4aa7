"""What is missing in a report, or wrong: in sentences with file and line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from fmnist_utils.book.notebooks import (
    BookError,
    Notebook,
    has_tag,
    read_notebook,
    read_yaml,
    source,
)
from fmnist_utils.contribute.new_report import (
    NewReportError,
    chapter_of,
    checked_id,
    checkout,
)
from fmnist_utils.contribute.printed_numbers import unaccounted
from fmnist_utils.records import read_regular
from fmnist_utils.reports import load
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.yaml_file import ReportError, line_of
from fmnist_utils.runs.store import RunStore

#: How many runs of each experiment a chapter shows; fewer where one takes over so many seconds.
SEEDS, LONG_SEEDS, LONG = 5, 3, 60

#: Marks in a skeleton what is to be filled in.
_TODO = "TODO"

#: What every chapter has, by how a line of it begins; see CONTRIBUTING.md.
_SECTIONS = (
    "## In short", "## The network, by hand", "## Training it", "## What explains the difference?",
    "## What the report should have written down", "## Exercises", "## Numbers in the text",
)  # fmt: skip


def check_report(report_id: str, text: Path | None = None) -> list[str]:
    """Say what is missing in a report, or wrong.

    Parameters
    ----------
    report_id : str
        Its folder's name.
    text : pathlib.Path, optional
        The report's own text: each of its numbers must be claimed, or ignored with a reason.

    Returns
    -------
    list of str
        One sentence for each; empty when nothing is.

    Raises
    ------
    NewReportError
        When there is no such report, or its text cannot be read.
    """
    folder, path = checkout(), load.reports_folder() / checked_id(report_id) / "report.yaml"
    if not path.is_file():
        known = ", ".join(load.list_reports())
        raise NewReportError(
            f"There is no report {report_id!r}: fmnist new-report {report_id} begins it; the book "
            f"has {known}."
        )
    words = _text(text) if text else ""
    found = list(_data_problems(path))
    try:
        report = load.load_report(report_id)
    except ReportError:
        pass  # its problems are found already
    else:
        found += _claim_problems(report, path)
        found += _run_problems(report, path)
        found += [
            f"{text}, line {line}: {numbers}: neither claimed nor ignored"
            for line, numbers in unaccounted(report, words)
        ]
    found += _chapter_problems(report_id)
    return [sentence.replace(f"{folder}{os.sep}", "") for sentence in found]


def _text(path: Path) -> str:
    try:
        return read_regular(path).decode()
    except UnicodeDecodeError as error:
        raise NewReportError(f"{path} is no text in UTF-8: save the report's text so.") from error


def _data_problems(path: Path) -> Iterator[str]:
    """Yield what the schema refuses, and what still stands as in the skeleton."""
    try:
        load.load_report(path.parent.name)
    except ReportError as error:
        yield from error.every
    for line, words in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1):
        if _TODO in words:
            yield f"{path}, line {line}: {_excerpt(words)}"


def _excerpt(words: str) -> str:
    """Quote a few words from where something is to be done."""
    told = words[words.index(_TODO) :].partition('"')[0].strip(" .}")
    return f"to be filled in: {told if len(told) < 60 else told[:57] + '...'}"


def _claim_problems(report: Report, path: Path) -> Iterator[str]:
    claims = list(report.all_claims())
    if not any(claim.role == "headline" for _, claim in claims):
        yield (
            f"{path}, line 1: no claim has role: headline, and the chapter opens with those that "
            "the report's conclusion rests on"
        )


def _run_problems(report: Report, path: Path) -> Iterator[str]:
    """Yield the experiments that have too few runs in the package."""
    store, shipped = RunStore(), RunStore(written=path.parent / "none")
    for name, experiment in report.experiments.items():
        here, there = (len(folder.runs(experiment)) for folder in (store, shipped))
        seconds = [sum(run.seconds_per_epoch) for run in store.runs(experiment)]
        enough = LONG_SEEDS if here >= LONG_SEEDS and min(seconds) > LONG else SEEDS
        if there >= enough:
            continue
        at = f"{path}, line {line_of(path, 'experiments', name)}: experiment {name} has"
        if here >= enough:
            yield f"{at} runs that are not published: fmnist publish-runs"
        else:
            yield (
                f"{at} {here or 'no'} run{'s' * (here != 1)}, and a chapter shows {enough}: "
                f"fmnist run {report.id} {name} --seeds {enough}"
            )


def _chapter_problems(report_id: str) -> Iterator[str]:
    path, toc = chapter_of(report_id), checkout() / "_toc.yml"
    page = f"chapters/{report_id}"
    if f"'{page}'" not in str(read_yaml(toc)):
        yield f"{toc}: {page} is not listed: add '- file: {page}' after the other reports"
    if not path.is_file():
        yield f"{path}: the report has no chapter yet"
        return
    try:
        found = list(_notebook_problems(read_notebook(path), report_id))
    except (BookError, KeyError, TypeError, AttributeError):
        found = [": it is not a notebook of format 4: restore it from version control"]
    yield from (f"{path}{problem}" for problem in found)


def _notebook_problems(notebook: Notebook, report_id: str) -> Iterator[str]:
    cells = notebook["cells"]
    lines = [
        (i, j, line)
        for i, cell in enumerate(cells, start=1)
        for j, line in enumerate(source(cell).splitlines(), start=1)
    ]
    for start in _SECTIONS:
        if not any(line.startswith(start) for _, _, line in lines):
            yield f": there is no section '{start}'"
    if not any(has_tag(cell, "parameters") for cell in cells):
        yield ": no cell has the tag parameters"
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for call in (f'fu.setup(globals(), "{report_id}")', "book.in_short("):
        if not any(call in source(cell) for cell in code):
            yield f": no cell calls {call.rstrip('(')}"
    for i, j, line in lines:
        if _TODO in line:
            yield f", cell {i}, line {j}: {_excerpt(line)}"
    for i, cell in enumerate(cells, start=1):
        if _TODO in (about := json.dumps(cell["metadata"])):
            yield f", cell {i}, caption and alternative text: {_excerpt(about)}"
    if not all(cell["execution_count"] for cell in code):
        yield f": it has no stored outputs: fmnist refresh chapters/{report_id}"
