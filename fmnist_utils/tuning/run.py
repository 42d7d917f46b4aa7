"""Running a search: what its tool draws is trained as jobs of a campaign, and becomes a table."""

from __future__ import annotations

import importlib.metadata
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock
from rich.console import Console

from fmnist_utils.campaign.jobs import Job, Watcher
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.models.layer_rules import too_small
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Search
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import TRIAL_RUNS, RunStore
from fmnist_utils.runs.trials import (
    Execution,
    Trial,
    Trials,
    TuningError,
    published_path,
    read_table,
    read_trials,
    search_fingerprint,
    table_path,
    write_trials,
)
from fmnist_utils.tuning.draw import draw
from fmnist_utils.tuning.publishing import check_trials, fault


def run_search(
    report: Report,
    search: Search,
    trials: int | None = None,
    data: FashionMNIST | None = None,
    local: Path | None = None,
    *,
    at_once: int | Literal["auto"] = "auto",
    scheduler: str | None = None,
    console: Console | None = None,
) -> Trials:
    """Run a search, or go on where it stopped.

    Every training of a trial is a job of a campaign: it leaves checkpoints and a run record. Trials
    that are published are not trained again.

    Parameters
    ----------
    report, search
        What to search.
    trials : int, optional
        Stop after so many; by default, and at most, the search's own number.
    data : FashionMNIST, optional
        As `train_missing` takes it.
    local : pathlib.Path, optional
        Where the table and the run records go.
    at_once, scheduler, console
        As `train_missing` takes them.

    Returns
    -------
    Trials
        All before the first that is not finished; ``trials.json`` holds the same.

    Raises
    ------
    TuningError
        When the tool is not installed, a table is damaged or cannot be written, more trials are
        asked for than the search has, or the table here holds a trial that is none of this search:
        what is finished is never overwritten. Other errors are those of `run_jobs` and
        `train_missing`.
    """
    from fmnist_utils.campaign.start import train_missing

    wanted = search.trials if trials is None else trials
    if not 1 <= wanted <= search.trials:
        raise TuningError(f"Search {search.id} has {search.trials} trials: ask for 1 to as many.")
    console, path = console or Console(), table_path(report, search, local)
    published = _usable_trials(report, search, published_path(report, search))
    table_here = read_table(report, search, path)
    if table_here:
        check_trials(report, table_here, search)
    here = {trial.number: trial for trial in table_here.trials} if table_here else {}
    # The table never shrinks.
    plan = _plan(report, search, max(wanted, len(here)), published | here)
    if other := [trial.number for trial, _ in plan if here.get(trial.number, trial) is not trial]:
        raise TuningError(
            f"Trial {other[0]} in {path} has other settings than {search.tool} draws now: use the "
            "version that drew it, or move the folder away and search again."
        )
    old = itertools.takewhile(lambda item: here.get(item[0].number) is item[0], plan)
    known = Trials(
        report=report.id,
        search=search.id,
        objective=search.objective,
        fingerprint=search_fingerprint(report, search),
        trials=tuple(trial for trial, _ in old),
    )
    store = RunStore(path.parent / TRIAL_RUNS)
    table = _Table(known.sealed(), search.tool, plan, store, path, console)
    table.grow()
    if jobs := table.missing_jobs():
        train_missing(
            jobs, store, data,
            at_once=at_once, scheduler=scheduler, console=console, watchers=[table],
        )  # fmt: skip
    table.grow()  # by what another command has trained, or had when we looked what is missing
    return table.trials


#: A trial, and what is to be trained for it; nothing where it is known or cannot be built.
Planned = tuple[Trial, Sequence[Job]]


def _plan(report: Report, search: Search, n: int, known: Mapping[int, Trial]) -> list[Planned]:
    """Draw n trials of a search, and say what is to be trained for each.

    Known trials count where they have the drawn settings.
    """
    plan: list[Planned] = []
    for number, settings in enumerate(draw(search, n), start=1):
        experiment = search.vary(report.experiments[search.of], settings, f"{search.id}-{number}")
        first = search.executions * (number - 1) + 1  # no two trainings of a search share a seed
        jobs = [Job(experiment, first + i) for i in range(search.executions)]
        if number in known and known[number].settings == settings:
            plan.append((known[number], ()))
        elif reason := too_small(experiment.model):
            plan.append((Trial(number=number, settings=settings, failure=reason), ()))
        else:
            plan.append((Trial(number=number, settings=settings), jobs))
    return plan


def _usable_trials(report: Report, search: Search, path: Path) -> dict[int, Trial]:
    """Read the trials of an earlier table that count for the search as it is, by number."""
    table = read_table(report, search, path)
    if table is None or table.fingerprint != search_fingerprint(report, search):
        return {}
    return {trial.number: trial for trial in table.trials if not fault(report, search, trial)}


@dataclass
class _Table(Watcher):
    """The table of a search, written anew whenever its next trial is finished.

    It ends before the first trial that is not finished: those that take long must not be missing
    from what is read, or published, in the meantime.
    """

    trials: Trials
    tool: str
    plan: Sequence[Planned]
    store: RunStore
    path: Path
    console: Console

    @property
    def _left(self) -> Sequence[Planned]:
        return self.plan[len(self.trials.trials) :]

    def missing_jobs(self) -> list[Job]:
        """List the trainings that are left, in the order of trials."""
        jobs = (job for _, jobs in self._left for job in jobs)
        return [job for job in jobs if self.store.missing(job.experiment, [job.seed])]

    def on_run(self, job: Job, run: Run) -> None:
        """Take in the trials that are finished with this run."""
        self.grow()

    def grow(self) -> None:
        """Take in trials until one is not finished; write the table, then tell of them."""
        new: list[Trial] = []
        for planned, jobs in self._left:
            trial = self._finished(planned, jobs)
            if trial is None:
                break
            new.append(trial)
        if new:
            every = (*self.trials.trials, *new)
            self.trials = self.trials.model_copy(update={"trials": every}).sealed()
            self._write()
        for trial in new:
            sentence = trial.sentence(len(self.plan))
            self.console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def _write(self) -> None:
        """Write the table, unless another command has written one that goes further."""
        try:
            lock = FileLock(self.path.with_suffix(".lock")).acquire()
        except OSError as error:
            raise TuningError(f"The table {self.path} cannot be locked: {error}.") from error
        with lock:  # else another's longer table, written just now, would be replaced
            self._write_longer()

    def _write_longer(self) -> None:
        there = read_trials(self.path) if self.path.exists() else None
        if there and (number := self.trials.differing(there)) is not None:
            raise TuningError(
                f"Trial {number} in {self.path} is another than what was trained here: finished "
                "trials are never overwritten; move the folder away and search again."
            )
        if there is None or len(there.trials) < len(self.trials.trials):
            write_trials(self.trials, self.path)

    def _finished(self, trial: Trial, jobs: Sequence[Job]) -> Trial | None:
        """Return a trial with what its trainings have found; None when one is missing."""
        if not jobs:
            return trial
        runs = self.store.runs(jobs[0].experiment)
        if len(runs) < len(jobs):
            return None
        provenance = runs[-1].provenance
        versions = provenance.versions | {self.tool: importlib.metadata.version(self.tool)}
        return Trial(
            number=trial.number,
            settings=trial.settings,
            executions=tuple(Execution.of(run, self.trials.objective) for run in runs),
            provenance=provenance.model_copy(update={"versions": versions}),
        )
