"""The source reports as data."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.yaml_file import ReportError, read_report


def reports_folder() -> Path:
    """Return the folder that holds one folder per report."""
    return Path(__file__).parent


def list_reports() -> list[str]:
    """Return the ids of the reports of the book, in alphabetical order."""
    return sorted(path.parent.name for path in reports_folder().glob("*/report.yaml"))


def load_reports() -> tuple[list[Report], list[ReportError]]:
    """Load every report that can be read, and return what is wrong with the others."""
    reports, problems = [], []
    for report_id in list_reports():
        try:
            reports.append(load_report(report_id))
        except ReportError as error:
            problems.append(error)
    return reports, problems


@functools.cache
def load_report(report_id: str) -> Report:
    """Load one report by its id.

    Parameters
    ----------
    report_id : str
        For example ``"baltzi"``.

    Returns
    -------
    Report

    Raises
    ------
    ReportError
        When there is no such report, or its file does not fit the schema.

    Examples
    --------
    >>> load_report("baltzi").title
    'Fashion Image Classification with Deep Learning Architectures'
    """
    if report_id not in list_reports():
        known = ", ".join(list_reports())
        raise ReportError(f"There is no report {report_id!r}; the book has {known}.")
    path = reports_folder() / report_id / "report.yaml"
    report = read_report(path)
    if report.id != report_id:
        raise ReportError(f"{path}: id: it is {report.id}, and must be as its folder's name")
    return report


def load_experiments(report_id: str, names: Iterable[str] | None = None) -> list[Experiment]:
    """Load experiments and variants of a report by their ids; all of them when none is named.

    Parameters
    ----------
    report_id : str
        A report of the book.
    names : iterable of str, optional
        Ids of experiments and variants; one that is named twice counts once.
    """
    trainable = load_report(report_id).trainable
    for name in names or ():
        if name not in trainable:
            known = ", ".join(trainable)
            raise FmnistError(f"Report {report_id} has no experiment {name!r}; it has {known}.")
    return [trainable[name] for name in dict.fromkeys(names or trainable)]
