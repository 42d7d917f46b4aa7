"""Begin a campaign: who trains, who watches, and what it will take."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.console import Console

from fmnist_utils.campaign.campaign import run_jobs
from fmnist_utils.campaign.crew import Crew, LocalCrew, jobs_at_once
from fmnist_utils.campaign.estimate import plan_text
from fmnist_utils.campaign.jobs import Job, Watcher
from fmnist_utils.campaign.progress import CampaignProgress
from fmnist_utils.campaign.tracking import make_tracker
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.reports.experiment import OWN
from fmnist_utils.runs.publish import is_checkout
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import DRIVE, RunStore
from fmnist_utils.training.provenance import hardware

#: The line that has Colab show the user's Drive, where runs then go.
MOUNT = f'from google.colab import drive; drive.mount("{DRIVE.parent}")'


def train_missing(
    jobs: Sequence[Job],
    store: RunStore,
    data: FashionMNIST | None = None,
    *,
    at_once: int | Literal["auto"] = "auto",
    scheduler: str | None = None,
    tracker: str = "none",
    console: Console | None = None,
    watchers: Iterable[Watcher] = (),
) -> list[Run]:
    """Tell what jobs will take, then train them, with progress.

    Parameters
    ----------
    jobs : sequence of Job
        See `missing_jobs`.
    store : RunStore
        Where runs and checkpoints go.
    data : FashionMNIST, optional
        The images; the official data set by default. The workers of a cluster load their own.
    at_once : int or "auto"
        How many train side by side on this machine; see `jobs_at_once`.
    scheduler : str, optional
        Train on the Dask cluster at this address instead.
    tracker : {"none", "wandb"}
        Where training is logged as well.
    console : rich.console.Console, optional
        Where it is told of.
    watchers : iterable of Watcher
        Who else is told what happens.

    Returns
    -------
    list of Run
        As they were finished. Errors are those of `run_jobs`, `DaskCrew` and `make_tracker`.
    """
    console = console or Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    watching = make_tracker(tracker, say)
    size = jobs_at_once(at_once, jobs)
    crew: Crew
    if scheduler is None:
        # Before the bars are drawn: a download has one of its own.
        crew = LocalCrew(data or load_data(), size)
    else:
        from fmnist_utils.campaign.cluster import DaskCrew

        crew, size = DaskCrew(scheduler, say=say), 1
    if "google.colab" in sys.modules and not DRIVE.is_dir():
        say(f"Colab deletes runs when its session ends. To keep them, run this first: {MOUNT}")
    say(plan_text(jobs, store, size, None if scheduler else hardware()))
    with watching, CampaignProgress(len(jobs), console) as progress:
        return run_jobs(jobs, store, crew, (progress, watching, *watchers))


def written_text(runs: Sequence[Run], store: RunStore) -> str:
    """Say where new runs are, and how they become evidence, which a reader's own never do.

    Parameters
    ----------
    runs : sequence of Run
        The new ones.
    store : RunStore
        Where they were written.
    """
    count = f"{len(runs)} run{'s' * (len(runs) != 1)} written to {store.written}"
    if all(OWN in run.experiment for run in runs):
        return f"{count}."
    how = "publish with" if is_checkout() else "to send them in:"
    return f"{count}; {how} fmnist {'publish-runs' if is_checkout() else 'export-runs runs.zip'}."
