"""Begin a campaign: who trains, who watches, and what it will take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from fmnist_utils.campaign.campaign import run_jobs
from fmnist_utils.campaign.estimate import plan_text
from fmnist_utils.campaign.executor import Executor, LocalExecutor, jobs_at_once
from fmnist_utils.campaign.jobs import Job, Watcher, missing_jobs
from fmnist_utils.campaign.progress import CampaignProgress
from fmnist_utils.campaign.sample_size import jobs_for_precision
from fmnist_utils.campaign.tracking import make_tracker
from fmnist_utils.console import say
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.experiment import OWN, Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Search
from fmnist_utils.runs.publish import is_checkout
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.runs.store import DRIVE, RunStore
from fmnist_utils.training.provenance import hardware
from fmnist_utils.tuning import LocalSearch, Trials, TuningError
from fmnist_utils.verdicts.judge import MIN_RUNS

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
        As they were finished. Errors are those of `run_jobs`, `DaskExecutor` and `make_tracker`.
    """
    console = console or Console()
    tell = partial(say, console)
    watching = make_tracker(tracker, tell)
    size = jobs_at_once(at_once, jobs)
    executor: Executor
    if scheduler is None:
        # Before the bars are drawn: a download has one of its own.
        executor = LocalExecutor(data or load_data(), size)
    else:
        from fmnist_utils.campaign.cluster import DaskExecutor

        executor, size = DaskExecutor(scheduler, say=tell), 1
    if "google.colab" in sys.modules and not DRIVE.is_dir():
        tell(f"Colab deletes runs when its session ends. To keep them, run this first: {MOUNT}")
    tell(plan_text(jobs, store, size, None if scheduler else hardware()))
    with watching, CampaignProgress(len(jobs), console) as progress:
        return run_jobs(jobs, store, executor, (progress, watching, *watchers))


def train_experiments(
    experiments: Sequence[Experiment],
    seeds: int,
    store: RunStore,
    data: FashionMNIST | None = None,
    *,
    method: Callable[[Experiment], Method] = Method.of,
    until_precise: bool = False,
    **how: Any,
) -> list[Run]:
    """Train what the store lacks of seeds 1 to `seeds` of some experiments.

    Parameters
    ----------
    experiments : sequence of Experiment
        In the order in which they are trained.
    seeds : int
        Seeds 1 to this.
    store : RunStore
        What has the runs already, and gets the new ones.
    data : FashionMNIST, optional
        As `train_missing` takes it.
    method : callable
        Says how an experiment is trained.
    until_precise : bool
        Go on as `jobs_for_precision` says.
    **how
        See `train_missing`, which also says what is raised.
    """
    augmented = [x.id for x in experiments if x.training.augmentation and method(x).plain_fit]
    if augmented:
        raise FmnistError(f"--plain-fit takes no augmentation: leave out {', '.join(augmented)}.")
    if until_precise and seeds < MIN_RUNS:
        raise FmnistError(
            f"--until-precise takes --seeds {MIN_RUNS} or more: fewer show no spread."
        )
    trained: list[Run] = []
    missing = missing_jobs(store, experiments, range(1, seeds + 1), method)
    if until_precise and not missing:
        missing = jobs_for_precision(store, experiments, method)
    while missing:
        trained += train_missing(missing, store, data=data, **how)
        missing = jobs_for_precision(store, experiments, method) if until_precise else []
    return trained


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


def run_search(
    report: Report,
    search: Search,
    trials: int | None = None,
    data: FashionMNIST | None = None,
    local: Path | None = None,
    *,
    console: Console | None = None,
    **how: Any,
) -> Trials:
    """Run a search, or go on where it stopped, and return all before the first unfinished trial.

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
        Where run records go; see `LocalSearch`.
    console, **how
        See `train_missing`, which also says what is raised, as `LocalSearch` does.
    """
    wanted = search.trials if trials is None else trials
    if not 1 <= wanted <= search.trials:
        raise TuningError(f"Search {search.id} has {search.trials} trials: ask for 1 to as many.")
    here, console = LocalSearch(report, search, local), console or Console()
    known = len(here.table().trials)
    teller = _Teller(here, known, wanted, console)
    teller.tell()
    jobs = []
    for planned in here.plan[known:wanted]:
        there = {run.seed for run in here.runs(planned)}
        jobs += [Job(planned.experiment, seed) for seed in planned.seeds if seed not in there]
    if jobs:
        store = RunStore(here.folder)
        train_missing(jobs, store, data, console=console, watchers=[teller], **how)
    teller.tell()  # of what another command has trained, or had when we looked what is missing
    return here.table(wanted)


class _Teller(Watcher):
    """Tells of the trials of a search as they are finished, in their order."""

    def __init__(self, here: LocalSearch, known: int, wanted: int, console: Console) -> None:
        self._here, self._told, self._wanted, self._console = here, known, wanted, console

    def on_run(self, job: Job, run: Run) -> None:
        """Tell of the trials that are finished with this run."""
        self.tell()

    def tell(self) -> None:
        """Tell of the finished trials that have not been told of."""
        for trial in islice(self._here.finished(self._told), max(0, self._wanted - self._told)):
            self._told = trial.number
            say(self._console, trial.sentence(self._wanted))
