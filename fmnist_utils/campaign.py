"""Many runs: what is missing, and training it so that nothing finished is ever lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fmnist_utils.data import FashionMNIST
from fmnist_utils.reports import Experiment
from fmnist_utils.runs import Run, RunStore
from fmnist_utils.training import Progress, train


class Job(NamedTuple):
    """One run to be made."""

    experiment: Experiment
    seed: int


def missing_jobs(
    store: RunStore, experiments: Iterable[Experiment], seeds: Iterable[int]
) -> list[Job]:
    """List the runs that the store lacks, seed by seed.

    All experiments get their first seed before any gets its second, so that a campaign that is
    cut short leaves comparable evidence for each.
    """
    seeds = list(seeds)
    lacking = [(experiment, store.missing(experiment, seeds)) for experiment in experiments]
    return [
        Job(experiment, seed) for seed in seeds for experiment, absent in lacking if seed in absent
    ]


def run_jobs(
    jobs: Sequence[Job],
    store: RunStore,
    data: FashionMNIST,
    on_epoch: Callable[[Job, Progress], None] | None = None,
    on_run: Callable[[Job, Run], None] | None = None,
) -> list[Run]:
    """Train jobs one after the other; each run is on disk before the next one starts."""
    finished = []
    for job in jobs:

        def report(progress: Progress, job: Job = job) -> None:
            if on_epoch is not None:
                on_epoch(job, progress)

        run = train(job.experiment, job.seed, data, report)
        store.add(run)
        finished.append(run)
        if on_run is not None:
            on_run(job, run)
    return finished
