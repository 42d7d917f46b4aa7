"""Which runs there are, which are stale, and which records are damaged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from fmnist_utils.reports.experiment import OWN, Experiment
from fmnist_utils.reports.load import list_reports
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.reading import read_run, valid_runs
from fmnist_utils.runs.record import Run, RunError, fingerprint
from fmnist_utils.runs.store import STORE


class Status(NamedTuple):
    """What there is of one experiment or search, in words."""

    name: str
    valid: int
    seeds: str = ""
    epochs: str = ""
    device: str = ""
    stale: str = ""


def runs_status(report: Report) -> tuple[list[Status], list[str]]:
    """Return a row for each experiment and variant, and what is wrong with records of others."""
    records: dict[str, list[Run]] = defaultdict(list)
    problems = []
    for path in STORE.files(report.id):
        try:
            run = read_run(path, report.id)
            if experiment := report.trainable.get(run.experiment):
                valid_runs([run], experiment, run.provenance.method)  # refuses what cannot be
            records[run.experiment].append(run)
        except RunError as error:
            problems.append(str(error))
    rows = [_status(item, records.pop(item.id, [])) for item in report.trainable.values()]
    for name, runs in sorted(records.items()):
        if OWN in name:  # a reader's; whether it is stale, only the reader's notebook knows
            row = _row(f"{report.id}/{name}", sorted(runs, key=lambda run: run.seed))
            rows.append(row._replace(stale="no evidence"))
        else:
            problems.append(f"{report.id} has runs of no experiment: {name}.")
    return rows, problems


def stray_records() -> list[str]:
    """Say which folders of new runs belong to no report: nothing there is counted."""
    folders = {path.parent for path in STORE.written.glob("*/*.json")}
    return [
        f"{folder} holds records, but there is no report {folder.name}: move them to the folder of "
        "theirs, or delete them."
        for folder in sorted(folders)
        if folder.name not in list_reports()
    ]


def _status(experiment: Experiment, runs: Sequence[Run]) -> Status:
    wanted = fingerprint(experiment)
    stale = sum(run.fingerprint != wanted for run in runs)
    row = _row(f"{experiment.report}/{experiment.id}", valid_runs(runs, experiment))
    return row._replace(stale=f"{stale} stale" if stale else "")


def _row(name: str, valid: Sequence[Run]) -> Status:
    epochs = [run.epochs for run in valid]
    return Status(
        name=name,
        valid=len(valid),
        seeds=ranges(sorted({run.seed for run in valid})),
        epochs=f"{min(epochs)}–{max(epochs)}" if epochs else "",
        device=", ".join(sorted({run.provenance.trained_on for run in valid})),
    )


def ranges(numbers: Sequence[int], to: str = "–") -> str:
    """Write ascending numbers as ``1–5, 7``.

    Parameters
    ----------
    numbers : sequence of int
    to : str
        What stands between two ends.
    """
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{g[0]}{to}{g[-1]}" if len(g) > 1 else str(g[0]) for g in groups)
