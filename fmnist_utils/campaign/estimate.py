"""What a campaign will take, told before it starts."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from fmnist_utils.campaign.jobs import Job
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_reports
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training.provenance import processor

#: Seconds that a process takes before its first epoch, as measured on two cores.
START_UP = 18.0


def plan_text(jobs: Sequence[Job], store: RunStore, size: int) -> str:
    """Write how many runs there will be, how long they will take, and the room on the disk.

    Parameters
    ----------
    jobs : sequence of Job
        What is to be trained.
    store : RunStore
        Whose recorded times serve: of the same experiment, else of the same network with the same
        batch size, on the same kind of processor.
    size : int
        How many train side by side.
    """
    seconds = estimated_seconds(jobs, store)
    known = [value for value in seconds if value is not None]
    count = f"{len(jobs)} run{'s' * (len(jobs) != 1)}"
    beside = f", {size} side by side" if size > 1 else ""
    if known:
        unknown = len(jobs) - len(known)
        more = f", {unknown} more without recorded times" if unknown else ""
        time = f"about {duration_text(makespan(known, size))} by recorded times{more}"
    else:
        time = "no recorded times to estimate from"
    free = shutil.disk_usage(_existing(store.written)).free / 1e9
    return f"{count}{beside}: {time}; {free:.1f} GB free on disk."


def estimated_seconds(jobs: Sequence[Job], store: RunStore) -> list[float | None]:
    """Estimate the seconds of each job from recorded runs; None where there are none.

    An estimate for an experiment is the mean of its own runs. One from another experiment with the
    same network is scaled to the images and the epochs of the job, all epochs of its protocol. Each
    run starts a process, which takes `START_UP` seconds more.
    """
    here = processor()
    runs: dict[tuple[str, str], list[Run]] = {}
    trained: dict[tuple[str, str], Experiment] = {}
    for report in load_reports()[0]:
        for experiment in report.trainable.values():
            trained[report.id, experiment.id] = experiment

    def recorded(experiment: Experiment) -> list[Run]:
        key = experiment.report, experiment.id
        if key not in runs:
            runs[key] = [run for run in store.runs(experiment) if run.provenance.device == here]
        return runs[key]

    def estimate(wanted: Experiment) -> float | None:
        if own := recorded(wanted):
            return START_UP + fmean(sum(run.seconds_per_epoch) for run in own)
        rates = [
            fmean(run.seconds_per_epoch) / split_sizes(other.training)["train"]
            for other in trained.values()
            if other.model == wanted.model
            and other.training.batch_size == wanted.training.batch_size
            for run in recorded(other)
        ]
        images = split_sizes(wanted.training)["train"] * wanted.training.epochs
        return START_UP + fmean(rates) * images if rates else None

    def key(job: Job) -> tuple[str, str]:
        return job.experiment.report, job.experiment.id

    distinct = {key(job): job.experiment for job in jobs}
    estimates = {name: estimate(experiment) for name, experiment in distinct.items()}
    return [estimates[key(job)] for job in jobs]


def makespan(seconds: Sequence[float], size: int) -> float:
    """Return how long jobs take that are begun in this order, `size` at a time.

    Examples
    --------
    >>> makespan([3, 1, 1, 1], size=2)
    3.0
    """
    ends = [0.0] * size
    for value in seconds:
        heapq.heapreplace(ends, ends[0] + value)
    return max(ends)


def duration_text(seconds: float) -> str:
    """Write a duration as a person would.

    Examples
    --------
    >>> duration_text(40), duration_text(200), duration_text(10_000)
    ('1 min', '3 min', '2 h 47 min')
    """
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def _existing(folder: Path) -> Path:
    """Return the folder, or the first one above it that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
