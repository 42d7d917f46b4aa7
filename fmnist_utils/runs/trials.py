"""What a search leaves behind: one table of trials, and where it is kept."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, ValidationError

from fmnist_utils.errors import FmnistError
from fmnist_utils.records import (
    Sealed,
    Share,
    Slug,
    Strict,
    first_problem,
    read_regular,
    sha256,
    write_whole,
)
from fmnist_utils.reports.load import reports_folder
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Objective, Search, Setting
from fmnist_utils.runs.record import Epoch, Provenance, Run, Seconds, Seed, fingerprint
from fmnist_utils.runs.status import Status
from fmnist_utils.runs.store import kept

LOCAL_SEARCHES = Path("searches")
TABLE = "trials.json"


class TuningError(FmnistError):
    """A search that cannot be run, or a table of trials that cannot be trusted."""


class Execution(Strict):
    """One training within a trial.

    Attributes
    ----------
    score : float
        The search's objective at its best epoch: a fraction of images, or nats per image.
    epoch : int
        That epoch, counted from 1.
    test_accuracy : float
        Fraction of the test images, at the epoch that the protocol keeps; it chooses nothing.
    seconds : float
        Wall-clock time of all epochs.
    """

    seed: Seed
    score: float
    epoch: Epoch
    test_accuracy: Share
    seconds: Seconds

    @classmethod
    def of(cls, run: Run, objective: str) -> Execution:
        """Read off a run what a search keeps of it.

        Parameters
        ----------
        run : Run
            One training of a trial.
        objective : {"val_accuracy", "val_loss"}
            By which its best epoch is chosen.
        """
        history = np.array(run.history[objective])
        score = history if objective == "val_accuracy" else -history
        best = int(np.argmax(np.where(np.isnan(score), -np.inf, score)))
        return cls(
            seed=run.seed,
            score=run.history[objective][best],
            epoch=best + 1,
            test_accuracy=run.best.test.accuracy,
            seconds=round(math.fsum(run.seconds_per_epoch), 3),
        )


class Trial(Strict):
    """One combination that was drawn, and what came of it.

    Attributes
    ----------
    number : int
        In the order of drawing, from 1.
    settings : dict
        Parameter to value.
    executions : tuple of Execution
        None where the combination cannot be built.
    failure : str
        Why it cannot be built.
    """

    number: Annotated[int, Field(ge=1, le=10**6)]
    settings: dict[str, Setting]
    executions: tuple[Execution, ...] = ()
    failure: str | None = None
    provenance: Provenance | None = None

    @property
    def score(self) -> float | None:
        """Mean of the executions' scores, as KerasTuner has it; None when nothing was trained."""
        scores = [execution.score for execution in self.executions]
        return math.fsum(scores) / len(scores) if scores else None

    def sentence(self, of: int) -> str:
        """Say which trial of how many it is, its scores and how long it took."""
        if self.failure is not None:
            return f"trial {self.number} of {of}: cannot be built: {self.failure}"
        scores = ", ".join(f"{item.score:.4f}" for item in self.executions)
        seconds = sum(item.seconds for item in self.executions)
        return f"trial {self.number} of {of}: {self.score:.4f} ({scores}), {seconds:.0f} s"


class Trials(Sealed):
    """The table of a search's trials, in the order of drawing.

    `fingerprint` identifies what the search tries, `digest` is the SHA-256 of all other fields.
    """

    report: Slug
    search: Slug
    objective: Objective
    fingerprint: str
    trials: tuple[Trial, ...]

    @property
    def scores(self) -> list[float]:
        """Scores of the trials that were trained, in the order of drawing."""
        return [trial.score for trial in self.trials if trial.score is not None]

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that could not be built."""
        return tuple(trial for trial in self.trials if trial.failure is not None)

    @property
    def ranked(self) -> list[Trial]:
        """The trials that were trained, best first; one that diverged (NaN) comes last."""
        sign = -1 if self.objective == "val_accuracy" else 1

        def place(trial: Trial) -> tuple[bool, float]:
            score = trial.score or 0.0
            return math.isnan(score), sign * score

        return sorted((trial for trial in self.trials if trial.executions), key=place)

    @property
    def fault(self) -> str | None:
        """What no search can have left behind; None when there is nothing."""
        if [trial.number for trial in self.trials] != list(range(1, len(self.trials) + 1)):
            return "its trials are not numbered from 1 without a gap"
        most = 1 if self.objective == "val_accuracy" else math.inf
        for trial in self.trials:
            who = f"trial {trial.number}"
            if bool(trial.executions) == (trial.failure is not None):
                return f"{who} was either not trained without a reason, or in spite of one"
            if trial.executions and trial.provenance is None:
                return f"{who} does not say what trained it"
            if any(item.score < 0 or item.score > most for item in trial.executions):
                return f"{who} has a score that is no {self.objective}"
        seeds = Counter(item.seed for trial in self.trials for item in trial.executions)
        if twice := [seed for seed, times in seeds.items() if times > 1]:
            return f"seed {twice[0]} stands twice"
        return None

    def differing(self, other: Trials) -> int | None:
        """Return the number of the first trial that another table has too, and otherwise."""
        for ours, theirs in zip(self.trials, other.trials, strict=False):
            if ours.model_dump_json() != theirs.model_dump_json():  # as text, for NaN is not NaN
                return ours.number
        return None


def search_fingerprint(report: Report, search: Search) -> str:
    """Identify what a search tries: its space, draws and trainings, but not how many trials.

    Parameters
    ----------
    report : Report
        Whose experiment is varied.
    search : Search
        One of its searches.
    """
    base = search.vary(report.experiments[search.of], {})
    content = search.model_dump(
        mode="json", include={"tool", "objective", "executions", "seed", "space"}, exclude_none=True
    )
    return sha256({"experiment": fingerprint(base), "search": content})[:16]


def read_trials(path: Path) -> Trials:
    """Read one table of trials.

    Raises
    ------
    TuningError
        When the file cannot be read, is damaged, was edited by hand, or holds what no search can
        leave behind.
    """
    name, folder = f"{path.parent.name}/{path.name}", path.parent
    try:
        table = Trials.model_validate_json(read_regular(path))
    except (OSError, ValidationError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else error.strerror
        raise TuningError(
            f"{name} is no table of trials; delete it from {folder} and search again ({why})."
        ) from error
    if not table.is_intact:
        raise TuningError(f"{name} does not fit its own digest: it was edited in {folder}.")
    if fault := table.fault:
        raise TuningError(
            f"{name} cannot be what a search left behind: {fault}; delete it from {folder} and "
            "search again."
        )
    return table


def read_table(report: Report, search: Search, path: Path) -> Trials | None:
    """Read the table of a search from where it belongs; None when there is none.

    Parameters
    ----------
    report : Report
        Whose search.
    search : Search
        The one whose table belongs there.
    path : pathlib.Path
        The file, which need not exist.

    Raises
    ------
    TuningError
        When it is another search's, and what `read_trials` raises.
    """
    table = read_trials(path) if path.exists() else None
    if table and (table.report, table.search) != (report.id, search.id):
        raise TuningError(
            f"{path.parent.name}/{path.name} is the table of another search than {report.id}/"
            f"{search.id}: move it out of {path.parent}."
        )
    return table


def write_trials(table: Trials, path: Path) -> None:
    """Write one table of trials, atomically.

    Parameters
    ----------
    table : Trials
        Written as it is, with its digest.
    path : pathlib.Path
        The file, whose folder is made when missing.

    Raises
    ------
    TuningError
        When the folder cannot be written, or the disk is full.
    """
    try:
        write_whole(path, f"{table.model_dump_json(exclude_unset=True)}\n".encode())
    except OSError as error:
        raise TuningError(
            f"The table {path} cannot be written: {error.strerror or error}."
        ) from error


def load_trials(report: Report, search_id: str, local: Path | None = None) -> Trials | None:
    """Read the trials of a search: the published or the local ones, whichever are more.

    There may be fewer than ``search.trials``: a search that is not finished is of use already.

    Parameters
    ----------
    report : Report
    search_id : str
        One of ``report.searches``.
    local : pathlib.Path, optional
        Where `fmnist search` writes, one folder per report; see `kept`.

    Returns
    -------
    Trials or None
        None when there are none yet.

    Raises
    ------
    TuningError
        When there is no such search, or a table is damaged, or the published one is stale.
    """
    found = find_trials(report, search_id, local)
    return found[1] if found else None


def find_trials(
    report: Report, search_id: str, local: Path | None = None
) -> tuple[Path, Trials] | None:
    """Read what `load_trials` reads, and say in which file it stands.

    Parameters
    ----------
    report : Report
        Whose search.
    search_id : str
        One of ``report.searches``.
    local : pathlib.Path, optional
        Where searches that are run here keep their tables; ``./searches`` by default.
    """
    search = get_search(report, search_id)
    wanted = search_fingerprint(report, search)
    published = published_path(report, search)
    paths = (published, table_path(report, search, local))
    found = {path: read_table(report, search, path) for path in paths}
    tables = {path: table for path, table in found.items() if table}
    if published in tables and tables[published].fingerprint != wanted:
        raise TuningError(
            f"{report.id}/searches/{published.name} is stale: it is not what the search tries "
            f"now; delete it and run fmnist search {report.id} {search.id} again."
        )
    valid = [item for item in tables.items() if item[1].fingerprint == wanted]
    return max(valid, key=lambda item: len(item[1].trials), default=None)


def search_status(report: Report) -> tuple[list[Status], list[str]]:
    """Return a row for each search of a report, and which of its tables are damaged."""
    rows, problems = [], []
    for search in report.searches.values():
        found = None
        try:
            found = find_trials(report, search.id)
        except TuningError as error:
            problems.append(str(error))
        trials = found[1].trials if found else ()
        shipped = found and found[0] == published_path(report, search)
        where = "" if not found else ", published" if shipped else ", local"
        devices = {trial.provenance.trained_on for trial in trials if trial.provenance}
        seeds = f"of {search.trials} trials{where}"
        name, device = f"{report.id}/{search.id}", ", ".join(sorted(devices))
        rows.append(Status(name, len(trials), seeds, device=device))
    return rows, problems


def get_search(report: Report, search_id: str) -> Search:
    """Return a search of a report by its id.

    Parameters
    ----------
    report : Report
        Whose search.
    search_id : str
        One of ``report.searches``.

    Raises
    ------
    TuningError
        With the known ids, when there is no such search.
    """
    if search_id not in report.searches:
        known = f"it has {', '.join(report.searches)}" if report.searches else "it has none"
        raise TuningError(f"Report {report.id} has no search {search_id!r}; {known}.")
    return report.searches[search_id]


def published_path(report: Report, search: Search) -> Path:
    """Return where the published table of a search belongs: package data.

    Parameters
    ----------
    report : Report
        Whose search.
    search : Search
        It need not have a table yet.
    """
    return reports_folder() / report.id / "searches" / f"{search.id}.json"


def table_path(report: Report, search: Search, local: Path | None = None) -> Path:
    """Return where a search that is run here keeps its table.

    What is tried is part of the path, so that a changed search never goes on from an older one.

    Parameters
    ----------
    report : Report
        Whose search.
    search : Search
        As it is now.
    local : pathlib.Path, optional
        The folder of all searches; ``./searches`` by default.
    """
    name = f"{search.id}.{search_fingerprint(report, search)[:8]}"
    return (local or kept(LOCAL_SEARCHES)) / report.id / name / TABLE
