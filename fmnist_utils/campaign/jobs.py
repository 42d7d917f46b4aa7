"""What is to be trained, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training.state import Progress


class CampaignError(FmnistError):
    """Runs that could not be made."""


class Job(NamedTuple):
    """One run to be made; without a method as the book trains the experiment."""

    experiment: Experiment
    seed: int
    method: Method | None = None

    @property
    def name(self) -> str:
        """What messages call it; no two jobs of a campaign share a name."""
        return f"{self.experiment.report}/{self.experiment.id} seed {self.seed}"


class Watcher:
    """Is told what happens in a campaign, around which it is entered; this one keeps nothing.

    All calls come from the thread that runs the campaign.
    """

    def __enter__(self) -> Self:
        """Begin a campaign."""
        return self

    def __exit__(self, *error: object) -> None:
        """End a campaign, which an exception may have cut short."""

    def on_start(self, job: Job) -> None:
        """Hear that a training starts, or goes on from its checkpoint."""

    def on_epoch(self, job: Job, epoch: Progress) -> None:
        """Hear of a finished epoch.

        Parameters
        ----------
        job : Job
            Whose training goes on.
        epoch : Progress
            The epoch's number, metrics and seconds.
        """

    def on_run(self, job: Job, run: Run) -> None:
        """Hear of a finished run, whose record is written.

        Parameters
        ----------
        job : Job
            What was to be trained.
        run : Run
            Its record.
        """

    def on_note(self, job: Job, note: str) -> None:
        """Hear what the user should know.

        Parameters
        ----------
        job : Job
            What it is about.
        note : str
            The end of a sentence that begins with the job's name.
        """


def missing_jobs(
    store: RunStore,
    experiments: Iterable[Experiment],
    seeds: Iterable[int],
    method: Callable[[Experiment], Method] = Method.of,
) -> list[Job]:
    """List the runs that the store lacks, seed by seed.

    All experiments get their first seed before any gets its second, so that a campaign that is cut
    short leaves comparable evidence for each.

    Parameters
    ----------
    store : RunStore
        Where runs are looked for.
    experiments : iterable of Experiment
        What to train, in this order.
    seeds : iterable of int
        With which seeds each.
    method : function
        Says how an experiment is trained; by default as the book does.
    """
    seeds, chosen = list(seeds), [(experiment, method(experiment)) for experiment in experiments]
    lacking = [
        (experiment, how, store.missing(experiment, seeds, how)) for experiment, how in chosen
    ]
    return [
        Job(experiment, seed, how)
        for seed in seeds
        for experiment, how, absent in lacking
        if seed in absent
    ]
