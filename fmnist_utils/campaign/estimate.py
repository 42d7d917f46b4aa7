"""What a campaign will take, told before it starts."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from fmnist_utils.campaign.jobs import Job
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_reports
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.runs.record import Method, Run, RunError
from fmnist_utils.runs.store import RunStore

#: Seconds that a process takes before its first epoch, as measured on two cores.
START_UP = 18.0


def plan_text(jobs: Sequence[Job], store: RunStore, size: int, device: str | None = None) -> str:
    """Write how many runs there will be, on what, for how long, and the room on the disk.

    Parameters
    ----------
    jobs : sequence of Job
        What is to be trained.
    store : RunStore
        Whose recorded times serve: those of the device, or else of others, which is said.
    size : int
        How many train side by side.
    device : str, optional
        What trains; None where that is not known.
    """
    seconds, source = estimated_seconds(jobs, store, device), "recorded times"
    if device and not any(seconds):
        seconds, source = estimated_seconds(jobs, store), "times recorded on other hardware"
    known = [value for value in seconds if value is not None]
    count = f"{len(jobs)} run{'s' * (len(jobs) != 1)}"
    count += f" on {device}" * bool(device) + f", {size} side by side" * (size > 1)
    if known:
        unknown = len(jobs) - len(known)
        more = f", {unknown} more without recorded times" if unknown else ""
        time = f"about {duration_text(makespan(known, size))} by {source}{more}"
    else:
        time = "no recorded times to estimate from"
    free = shutil.disk_usage(_existing(store.written)).free / 1e9
    return f"{count}: {time}; {free:.1f} GB free on disk."


def estimated_seconds(
    jobs: Sequence[Job], store: RunStore, device: str | None = None
) -> list[float | None]:
    """Estimate the seconds of each job from recorded runs; None where there are none.

    An estimate is the mean of the experiment's own runs on the device, or on any. Without them it
    comes from experiments with the same network, or from the one that is varied, with the same
    batch size: their runs where the protocol is the same, else scaled to the images and to all
    epochs of the job. Only runs by the job's method count. Each run starts a process, which takes
    `START_UP` seconds more.

    Parameters
    ----------
    jobs : sequence of Job
        What is to be trained.
    store : RunStore
        The recorded runs.
    device : str, optional
        Only runs on the one of this name count; by default those on any.
    """
    trained = [item for report in load_reports()[0] for item in report.trainable.values()]
    runs: dict[tuple[str, str, Method | None], list[Run]] = {}

    def recorded(item: Experiment, method: Method | None) -> list[Run]:
        key = item.report, item.id, method
        if key not in runs:
            runs[key] = []
            with suppress(RunError):  # a damaged record of another experiment stops no training
                found = store.runs(item, method)
                runs[key] = [r for r in found if device in (None, r.provenance.device)]
        return runs[key]

    def estimate(wanted: Experiment, method: Method | None) -> float | None:
        if own := recorded(wanted, method):
            return START_UP + fmean(sum(run.seconds_per_epoch) for run in own)
        images = split_sizes(wanted.training)["train"] * wanted.training.epochs
        found = []
        for other in trained:
            varied = (other.report, other.id) == (wanted.report, wanted.variant_of)
            alike = other.training.batch_size == wanted.training.batch_size
            if alike and (varied or other.model == wanted.model):
                size = split_sizes(other.training)["train"]
                for run in recorded(other, method):
                    rate = fmean(run.seconds_per_epoch) / size
                    same = other.training == wanted.training
                    found.append(sum(run.seconds_per_epoch) if same else rate * images)
        return START_UP + fmean(found) if found else None

    distinct = {(job.experiment.report, job.experiment.id, job.method): job for job in jobs}
    estimates = {key: estimate(job.experiment, job.method) for key, job in distinct.items()}
    return [estimates[job.experiment.report, job.experiment.id, job.method] for job in jobs]


def makespan(seconds: Sequence[float], size: int) -> float:
    """Return how long jobs take that are begun in this order, `size` at a time.

    Parameters
    ----------
    seconds : sequence of float
        How long each takes, in the order in which they are begun.
    size : int
        How many run at a time.

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
