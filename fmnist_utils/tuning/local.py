"""A search as it is run here: its trials follow from what is drawn and from the records of runs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fmnist_utils.errors import FmnistError
from fmnist_utils.models.layer_rules import too_small
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Search
from fmnist_utils.runs.reading import read_run, valid_runs
from fmnist_utils.runs.record import Run, fingerprint
from fmnist_utils.runs.status import Status
from fmnist_utils.runs.store import TRIAL_RUNS, records_folder
from fmnist_utils.tuning.draw import draw
from fmnist_utils.tuning.trials import (
    Execution,
    Trial,
    Trials,
    TuningError,
    fault,
    get_search,
    published_trials,
    search_fingerprint,
)

LOCAL_SEARCHES = Path("searches")


class Planned(NamedTuple):
    """A trial that was drawn, and the seeds that are trained for it.

    None are where it is published, so that it says what was found, or where it cannot be built.
    """

    trial: Trial
    experiment: Experiment
    seeds: Sequence[int]


class LocalSearch:
    """A search in a folder of runs; `local` holds a folder for each report, see `records_folder`.

    What is tried is part of the folder's name, so that a changed search never goes on from an older
    one.
    """

    def __init__(self, report: Report, search: Search, local: Path | None = None) -> None:
        self.report, self.search = report, search
        name = f"{search.id}.{search_fingerprint(report, search)[:8]}"
        self.folder = (local or records_folder(LOCAL_SEARCHES)) / report.id / name / TRIAL_RUNS

    @cached_property
    def published(self) -> dict[int, Trial]:
        """The published trials that count for the search as it is, by number."""
        table = published_trials(self.report, self.search)
        if table is None or table.fingerprint != search_fingerprint(self.report, self.search):
            return {}
        return {t.number: t for t in table.trials if not fault(self.report, self.search, t)}

    @cached_property
    def plan(self) -> list[Planned]:
        """All trials of the search, for whose draw its tool is needed."""
        plan, search = [], self.search
        base = self.report.experiments[search.of]
        for number, settings in enumerate(draw(search, search.trials), start=1):
            experiment = search.vary(base, settings, f"{search.id}-{number}")
            trial = Trial(number=number, settings=settings)
            first = search.executions * (number - 1) + 1  # no two trainings share a seed
            seeds = range(first, first + search.executions)
            known = self.published.get(number)
            if known and known.settings == settings:
                trial, seeds = known, range(0)
            elif reason := too_small(experiment.model):
                trial = Trial(number=number, settings=settings, failure=reason)
                seeds = range(0)
            plan.append(Planned(trial, experiment, seeds))
        return plan

    def runs(self, planned: Planned) -> list[Run]:
        """Read what was trained for a trial here.

        Raises
        ------
        TuningError
            When the tool now draws otherwise; others are those of `read_run` and `valid_runs`.
        """
        experiment = planned.experiment
        paths = (self.folder / self.report.id).glob(f"{experiment.id}.seed*.json")
        records = [read_run(path, self.report.id) for path in sorted(paths)]
        if planned.seeds and any(run.fingerprint != fingerprint(experiment) for run in records):
            raise TuningError(
                f"Trial {planned.trial.number} in {self.folder} has other settings than "
                f"{self.search.tool} draws now: use the version that drew it, or move the folder "
                "away and search again."
            )
        return [run for run in valid_runs(records, experiment) if run.seed in planned.seeds]

    def finished(self, begin: int = 0) -> Iterator[Trial]:
        """Yield the trials after the first so many, up to one that is not finished.

        Those that take long must not be missing from what is read, or published, in the meantime.
        """
        tool = self.search.tool
        for planned in islice(self.plan, begin, None):
            if not planned.seeds:
                yield planned.trial
                continue
            runs = self.runs(planned)
            if len(runs) < len(planned.seeds):
                return
            # Of no commit, if one of them is: then nobody else could have trained it again.
            provenance = min(runs[::-1], key=lambda run: run.provenance.is_committed).provenance
            versions = provenance.versions | {tool: importlib.metadata.version(tool)}
            yield Trial(
                number=planned.trial.number,
                settings=planned.trial.settings,
                executions=tuple(Execution.of(run, self.search.objective) for run in runs),
                provenance=provenance.model_copy(update={"versions": versions}),
            )

    def table(self, least: int = 0) -> Trials:
        """Compute the table of all finished trials.

        It ends with one that was trained, with a published one, with the last of the search or with
        number `least`: what cannot be built is finished before anybody asks for it.
        """
        trials = list(self.finished())
        least = max(least, len(self.published))
        while len(self.plan) > len(trials) > least and trials[-1].failure:
            trials.pop()
        return Trials(
            report=self.report.id,
            search=self.search.id,
            objective=self.search.objective,
            fingerprint=search_fingerprint(self.report, self.search),
            trials=tuple(trials),
        ).with_digest()


def load_trials(report: Report, search_id: str) -> Trials | None:
    """Read the trials of a search: the published or the local ones, whichever are more.

    There may be fewer than ``search.trials``, or none yet: a search that is not finished is of use
    already. Only local ones need the search's tool, with which they are drawn again.

    Parameters
    ----------
    report : Report
        Whose search.
    search_id : str
        One of ``report.searches``.

    Raises
    ------
    TuningError
        When there is no such search, the published table is damaged or stale, or the tool is
        missing; others are those of `LocalSearch.runs`.
    """
    search = get_search(report, search_id)
    published, here = published_trials(report, search), LocalSearch(report, search)
    if published and published.fingerprint != search_fingerprint(report, search):
        raise TuningError(
            f"{report.id}/searches/{search.id}.json is stale: it is not what the search tries now; "
            f"delete it and run fmnist search {report.id} {search.id} again."
        )
    known = len(published.trials) if published else 0
    if known < search.trials and here.folder.is_dir():
        table = here.table()
        if len(table.trials) > known:
            return table
    return published


def search_status(report: Report) -> tuple[list[Status], list[str]]:
    """Return a row for each search of a report, and which of its records are damaged."""
    rows, problems = [], []
    for search in report.searches.values():
        trials: tuple[Trial, ...] = ()
        where = ""
        try:
            if table := load_trials(report, search.id):
                trials = table.trials
                known = published_trials(report, search)
                # By their digests, for NaN is not NaN.
                where = ", published" if known and known.digest == table.digest else ", local"
        except FmnistError as error:
            problems.append(str(error))
        devices = {trial.provenance.trained_on for trial in trials if trial.provenance}
        seeds, device = f"of {search.trials} trials{where}", ", ".join(sorted(devices))
        rows.append(Status(f"{report.id}/{search.id}", len(trials), seeds, device=device))
    return rows, problems
