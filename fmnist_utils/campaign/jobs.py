"""Many runs: what is missing, and training it so that nothing finished is ever lost."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fmnist_utils.campaign.tracking import Tracker
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training.checkpoint import Checkpoint
from fmnist_utils.training.course import Progress
from fmnist_utils.training.interrupts import ctrl_c_at_checks
from fmnist_utils.training.train import train


class Job(NamedTuple):
    """One run to be made."""

    experiment: Experiment
    seed: int
    method: Method | None = None


def missing_jobs(
    store: RunStore,
    experiments: Iterable[Experiment],
    seeds: Iterable[int],
    method: Callable[[Experiment], Method] = Method.of,
) -> list[Job]:
    """List the runs that the store lacks, seed by seed.

    `method` says how to train an experiment; by default as the book does. All of them get their
    first seed before any gets its second, so that a campaign that is cut short leaves comparable
    evidence for each.
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


def run_jobs(
    jobs: Sequence[Job],
    store: RunStore,
    data: FashionMNIST,
    on_epoch: Callable[[Job, Progress], None] | None = None,
    on_run: Callable[[Job, Run], None] | None = None,
    tracker: Tracker | None = None,
) -> list[Run]:
    """Train jobs one after the other; each run is on disk before the next one starts.

    A long one leaves checkpoints, from which the same job goes on after a break.

    A `tracker` hears of everything as well, and of a run when its record is on disk.
    """
    tracker = tracker or Tracker()

    def tell(job: Job, epoch: Progress) -> None:
        tracker.on_epoch(epoch)
        if on_epoch is not None:
            on_epoch(job, epoch)

    finished = []
    with ctrl_c_at_checks() as check:
        for job in jobs:
            check()
            tracker.on_start(job)
            check()  # a server that does not answer takes its time
            told = functools.partial(tell, job)
            checkpoint = Checkpoint(store.path(*job).with_suffix(".npz"))
            run = train(
                job.experiment, job.seed, data, told, method=job.method, checkpoint=checkpoint
            )
            store.add(run)
            checkpoint.remove()
            tracker.on_run(run)
            finished.append(run)
            if on_run is not None:
                on_run(job, run)
    return finished


#: Keras draws from seeds of the whole process, and is of no use to one thread while another
#: imports it. Jobs in several threads of a Dask worker would train with the seeds of others.
_ONE_AT_A_TIME = threading.Lock()


class CampaignError(FmnistError):
    """Runs that a cluster could not make."""


def run_jobs_on_cluster(
    jobs: Sequence[Job],
    store: RunStore,
    scheduler: str,
    on_run: Callable[[Job, Run], None] | None = None,
) -> list[Run]:
    """Train jobs on the workers of a Dask cluster; each run is written here when it arrives.

    Parameters
    ----------
    jobs : sequence of Job
        Each is trained by one worker, which loads the data itself: the package and the data set
        must be at hand there. A worker trains one job at a time, however many threads it has.
    store : RunStore
        Where the runs go, on this machine.
    scheduler : str
        Address of the Dask scheduler, such as ``tcp://10.0.0.1:8786``.
    on_run : callable, optional
        Told of every finished run.

    Raises
    ------
    CampaignError
        When Dask is not installed or the scheduler does not answer; or, after all others are
        done, when jobs failed.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise CampaignError(
            "Training on a cluster needs the package distributed: pip install fmnist-utils[dask]."
        ) from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError, TypeError) as error:  # the last for tls:// without a certificate
        raise CampaignError(f"No Dask scheduler answers at {scheduler}: {error}.") from error
    finished, failed = [], []
    with client:
        futures = {client.submit(_train_on_worker, job, pure=False): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            if future.status != "finished":
                failed.append(f"{job.experiment.id} seed {job.seed} ({future.exception()})")
                continue
            run = future.result()
            store.add(run)
            finished.append(run)
            if on_run is not None:
                on_run(job, run)
    if failed:
        raise CampaignError(f"{len(failed)} of {len(jobs)} runs failed: {'; '.join(failed)}.")
    return finished


def _train_on_worker(job: Job) -> Run:
    with _ONE_AT_A_TIME:
        return train(job.experiment, job.seed, load_data(), method=job.method)
