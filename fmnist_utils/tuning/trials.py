"""The trials of a search: what each has found, and the table that is published."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, ValidationError

from fmnist_utils.errors import FmnistError
from fmnist_utils.records import (
    RecordWithDigest,
    Share,
    Slug,
    Strict,
    first_problem,
    read_regular,
    sha256,
    write_atomically,
)
from fmnist_utils.reports.load import reports_folder
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Objective, Parameter, Search, Setting
from fmnist_utils.runs.record import Epoch, Provenance, Run, Seconds, Seed, fingerprint


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


class Trials(RecordWithDigest):
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


def published_trials(report: Report, search: Search) -> Trials | None:
    """Read the published table of a search; None when there is none.

    Parameters
    ----------
    report : Report
        Whose search.
    search : Search
        One of ``report.searches``.

    Raises
    ------
    TuningError
        When it is another search's, and what `read_trials` raises.
    """
    path = published_path(report, search)
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
        write_atomically(path, f"{table.model_dump_json(exclude_unset=True)}\n".encode())
    except OSError as error:
        raise TuningError(
            f"The table {path} cannot be written: {error.strerror or error}."
        ) from error


def check_trials(report: Report, table: Trials) -> Search:
    """Check that a table of trials is evidence for a search as it is now, and return the search.

    Parameters
    ----------
    report : Report
        The report that the table claims to be of.
    table : Trials
        Finished, or the first trials only.

    Raises
    ------
    TuningError
        When the table is edited or stale, of no search of the report, leaves a trial out, or holds
        one that the search cannot have drawn or trained.
    """
    name = f"{report.id}/{table.search}"
    search = get_search(report, table.search)
    if not table.is_intact:
        raise TuningError(f"The table of {name} does not fit its own digest: it was edited.")
    if table.fingerprint != search_fingerprint(report, search):
        raise TuningError(f"The table of {name} is stale: it is not what the search tries now.")
    if table.objective != search.objective:
        raise TuningError(f"The table of {name} says that the objective is {table.objective}.")
    if not table.trials:
        raise TuningError(f"The table of {name} holds no trial.")
    numbers = [trial.number for trial in table.trials]
    # As with the seeds of runs: nobody can leave out the trials that do not please.
    if numbers != list(range(1, min(len(numbers), search.trials) + 1)):
        raise TuningError(
            f"The trials of {name} are not numbered from 1 to at most {search.trials} without "
            "a gap: finish the search first."
        )
    for what in (fault(report, search, trial) for trial in table.trials):
        if what is not None:
            raise TuningError(f"{name}: {what}; delete the table and search again.")
    return search


def fault(report: Report, search: Search, trial: Trial) -> str | None:
    """Say why a trial is no evidence for a search; None when it is.

    Parameters
    ----------
    report : Report
        Whose experiment is varied.
    search : Search
        What the trial must be a draw of.
    trial : Trial
        One row of the table.
    """
    who, settings = f"trial {trial.number}", trial.settings
    if settings.keys() != search.space.keys():
        return f"{who} does not set what the search varies"
    for name, item in search.space.items():
        if not _can_be_drawn(item, settings[name]):
            return f"{who} has {name} {settings[name]!r:.60}, which the search cannot draw"
    times_trained = 0 if trial.failure else search.executions
    if len(trial.executions) != times_trained:
        return f"{who} was trained {len(trial.executions)} times, not {times_trained}"
    if not trial.executions:
        return None
    base = report.experiments[search.of]
    last = search.vary(base, settings).training.epochs
    if any(item.epoch > last for item in trial.executions):
        return f"{who} is best after more than its {last} epochs"
    precision = base.precision
    if trial.provenance is None or trial.provenance.precision != precision:
        return f"{who} was not trained in {precision}, as the experiment is"
    return None


def _can_be_drawn(item: Parameter, value: Setting) -> bool:
    if item.step is not None or item.low is None or item.high is None:
        return value in item.values
    return isinstance(value, int | float) and item.low <= value <= item.high


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


def get_searches(report: Report, search_id: str | None = None) -> list[Search]:
    """Return a search of a report by its id, or all of them; a TuningError where there is none.

    Parameters
    ----------
    report : Report
        Whose searches.
    search_id : str, optional
        One of ``report.searches``.
    """
    if search_id is not None:
        return [get_search(report, search_id)]
    if not report.searches:
        raise TuningError(f"Report {report.id} has no searches.")
    return list(report.searches.values())


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
