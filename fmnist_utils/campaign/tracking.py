"""Log training to Weights & Biases, for those who ask for it; run records never depend on it."""

from __future__ import annotations

import importlib
import inspect
import os
import queue
import shlex
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from fmnist_utils.campaign.jobs import Job, Watcher
from fmnist_utils.errors import FmnistError
from fmnist_utils.runs.record import Method, Run, fingerprint
from fmnist_utils.training.state import Progress

TRACKERS = ("none", "wandb")
PROJECT = "fmnist-reproduction"

#: The first tested version that can limit how long an upload takes.
_OLDEST = (0, 28)
#: Seconds that the end of a campaign may wait for wandb; what is late can be sent by wandb sync.
_LIMIT = 60.0


class TrackingError(FmnistError):
    """A tracker that was asked for and cannot be used."""


def make_tracker(name: str, say: Callable[[str], None] = print) -> Watcher:
    """Return a tracker; a context manager around the campaign that it is given to.

    Parameters
    ----------
    name : {"none", "wandb"}
        ``wandb`` sends every run to Weights & Biases, project ``fmnist-reproduction``, or keeps it
        in the folder ``wandb`` when there is no API key. ``WANDB_MODE``, ``WANDB_DIR`` and the
        other variables of wandb count as they always do.
    say : callable
        Told once when logging fails, or else at the end how to upload runs that are only here.

    Raises
    ------
    TrackingError
        When the package wandb is missing or too old, or there is no such tracker.
    """
    if name == "none":
        return Watcher()
    if name == "wandb":
        return WandbTracker(say)
    raise TrackingError(f"There is no tracker {name!r}; there are {', '.join(TRACKERS)}.")


class WandbTracker(Watcher):
    """One wandb run per training, written by a thread, for which no training ever waits."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._wandb = say, _import_wandb()
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._runs: dict[str, Any] = {}
        self._epochs: Counter[str] = Counter()
        self._mode, self._unsent, self._failure, self._warned = "", "", "", False

    def __enter__(self) -> Self:
        """Begin to work."""
        self._thread.start()
        self._tasks.put(self._choose_mode)
        return self

    def __exit__(self, *error: object) -> None:
        """Close the runs that were cut short, as failed, and say how to upload offline runs."""
        self._tasks.put(None)
        self._thread.join(_LIMIT)
        if self._thread.is_alive():
            self._failure = self._failure or f"no answer within {_LIMIT:.0f} s"
        self._warn()
        if self._unsent and not self._failure:
            self._say(f"Weights & Biases was offline; to upload: wandb sync {self._unsent}")

    def on_start(self, job: Job) -> None:
        """Start a wandb run, unless the job has one, with which it goes on."""
        self._add(self._start, job)

    def on_epoch(self, job: Job, epoch: Progress) -> None:
        """Log the metrics of an epoch, with its number as the step."""
        self._add(self._log, job, epoch)

    def on_run(self, job: Job, run: Run) -> None:
        """Add the evaluations and the provenance, and finish the wandb run."""
        self._add(self._finish, job, run)

    def _add(self, task: Callable[..., None], *arguments: object) -> None:
        self._warn()
        self._tasks.put(partial(task, *arguments))

    def _warn(self) -> None:
        if self._failure and not self._warned:
            self._warned = True
            self._say(
                f"Weights & Biases failed ({self._failure}): nothing more is logged there; the "
                "training goes on, and its run records are complete."
            )

    def _work(self) -> None:
        """Do task after task until wandb fails; at the end, close what is open."""
        for task in iter(self._tasks.get, None):
            if not self._failure:
                self._try(task)
        for run in self._runs.values():
            self._try(partial(run.finish, exit_code=1))

    def _try(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # SystemExit too: it would end this thread in silence
            reason = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
            key = os.environ.get("WANDB_API_KEY")
            self._failure = self._failure or (reason.replace(key, "...") if key else reason)

    def _choose_mode(self) -> None:
        """Go offline when there is no API key, for which wandb would ask, and wait."""
        wandb = self._wandb
        # Without silence wandb announces, on stderr, where it found the key.
        settings = wandb.setup(settings=wandb.Settings(silent=True)).settings
        self._mode = os.environ.get("WANDB_MODE") or settings.mode
        if self._mode not in ("offline", "dryrun", "disabled"):
            asks = "prompt" not in inspect.signature(wandb.login).parameters  # before 0.29
            if not (wandb.api.api_key if asks else wandb.login(prompt=False, verify=False)):
                self._mode = "offline"

    def _start(self, job: Job) -> None:
        if job.name in self._runs:
            return
        run = self._runs[job.name] = self._wandb.init(
            project=PROJECT,
            group=f"{job.experiment.report}/{job.experiment.id}",
            name=f"{job.experiment.id}-seed{job.seed:02d}",
            config=_config(job),
            mode=self._mode,
            reinit="create_new",  # several train side by side, and the user may have one open
            settings=self._wandb.Settings(
                silent=True,
                console="off",  # else it wraps stdout, and the bars with it
                save_code=False,
                init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT", _LIMIT / 2)),
                x_graphql_retry_max=4,  # else 0.28 seeks a server it cannot reach for many minutes
                finish_timeout=_LIMIT / 2,  # counts when the process ends as well
                finish_timeout_raises=True,
            ),
        )
        if self._mode in ("offline", "dryrun"):
            folder = os.path.relpath(Path(run.dir).parents[1])
            self._unsent = shlex.quote(folder) + "/offline-run-*"

    def _log(self, job: Job, epoch: Progress) -> None:
        if epoch.epoch > self._epochs[job.name]:  # a retried job may repeat epochs
            self._epochs[job.name] = epoch.epoch
            point = {**epoch.metrics, "seconds": epoch.seconds, "epoch": epoch.epoch}
            self._runs[job.name].log(point, step=epoch.epoch)

    def _finish(self, job: Job, run: Run) -> None:
        logged = self._runs[job.name]
        provenance = run.provenance.model_dump(mode="json")
        logged.config.update(provenance, allow_val_change=True)
        logged.summary.update(_summary(run))
        logged.finish(exit_code=0)
        del self._runs[job.name]


def _import_wandb() -> Any:
    wandb: Any = None
    with suppress(ImportError):
        wandb = importlib.import_module("wandb")
    if not hasattr(wandb, "init"):  # a folder of runs here, named wandb, can be imported as well
        raise TrackingError(
            "Logging to Weights & Biases needs the package wandb: pip install fmnist-utils[wandb]"
        )
    if tuple(map(int, wandb.__version__.split(".")[:2])) < _OLDEST:
        raise TrackingError(
            f"wandb {wandb.__version__} cannot limit how long an upload takes, which 0.28 and "
            "newer can: pip install --upgrade wandb, and start again"
        )
    return wandb


def _config(job: Job) -> dict[str, Any]:
    """Describe a run before it starts: what is trained, and how."""
    experiment = job.experiment
    return {
        "report": experiment.report,
        "experiment": experiment.id,
        "seed": job.seed,
        "fingerprint": fingerprint(experiment),
        **(job.method or Method.of(experiment))._asdict(),
        "model": experiment.model.model_dump(mode="json", exclude_none=True),
        "training": experiment.training.model_dump(mode="json", exclude_none=True),
    }


def _summary(run: Run) -> dict[str, Any]:
    """Name the evaluations of a run, such as ``final/test/accuracy``."""
    summary: dict[str, Any] = {"epochs": run.epochs, "best/epoch": run.best.epoch}
    for name, snapshot in (("final", run.final), ("best", run.best)):
        for split in ("train", "validation", "test"):
            for metric, value in getattr(snapshot, split).model_dump().items():
                summary[f"{name}/{split}/{metric}"] = value
    return summary
