"""Log training to Weights & Biases, for those who ask for it; run records never depend on it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from fmnist_utils.campaign.jobs import Job, Watcher
from fmnist_utils.errors import FmnistError
from fmnist_utils.runs.record import Method, Run, fingerprint
from fmnist_utils.training.course import Progress

TRACKERS = ("none", "wandb")
PROJECT = "fmnist-reproduction"


class TrackingError(FmnistError):
    """A tracker that was asked for and cannot be used."""


class Tracker(Watcher):
    """Hears of every training of a campaign; this one keeps nothing."""

    def __enter__(self) -> Self:
        """Begin a campaign."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End a campaign, which an exception may have cut short."""


def make_tracker(name: str, say: Callable[[str], None] = print) -> Tracker:
    """Return a tracker; a context manager around the campaign that it is given to.

    Parameters
    ----------
    name : {"none", "wandb"}
        ``wandb`` sends every run to Weights & Biases, project ``fmnist-reproduction``, or keeps it
        in the folder ``wandb`` when there is no API key, where ``wandb sync`` finds it.
        ``WANDB_MODE``, ``WANDB_DIR`` and the other variables of wandb count as they always do.
    say : callable
        Told when logging fails, once.

    Raises
    ------
    TrackingError
        When the package wandb is not installed, or there is no such tracker.
    """
    if name == "none":
        return Tracker()
    if name == "wandb":
        return WandbTracker(say)
    raise TrackingError(f"There is no tracker {name!r}; there are {', '.join(TRACKERS)}.")


class WandbTracker(Tracker):
    """One wandb run per training; when wandb fails the training goes on without it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._wandb = say, _import_wandb()
        self._runs: dict[str, Any] = {}
        self._works = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close runs that were cut short."""
        with self._unharmed():
            for run in self._runs.values():
                run.finish(exit_code=1)

    def on_start(self, job: Job) -> None:
        """Start a wandb run, unless it goes on with one."""
        with self._unharmed():
            if job.name not in self._runs:
                self._runs[job.name] = self._wandb.init(
                    project=PROJECT,
                    group=f"{job.experiment.report}/{job.experiment.id}",
                    name=f"{job.experiment.id}-seed{job.seed:02d}",
                    config=_config(job),
                    # Without a key wandb would ask for one, and wait.
                    mode=None if self._has_key() else "offline",
                    reinit="create_new",  # several jobs train side by side
                    settings=self._wandb.Settings(silent=True, console="off", save_code=False),
                )

    def on_epoch(self, job: Job, epoch: Progress) -> None:
        """Log the metrics of an epoch, with its number as the step."""
        with self._unharmed():
            point = {**epoch.metrics, "seconds": epoch.seconds, "epoch": epoch.epoch}
            self._runs[job.name].log(point, step=epoch.epoch)

    def on_run(self, job: Job, run: Run) -> None:
        """Add the evaluations and the provenance, and finish the wandb run."""
        with self._unharmed():
            logged = self._runs.pop(job.name)
            logged.config.update(_provenance(run), allow_val_change=True)
            logged.summary.update(_summary(run))
            logged.finish(exit_code=0)

    def _has_key(self) -> bool:
        return bool(os.environ.get("WANDB_MODE") or self._wandb.Api(timeout=1).api_key)

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """Turn a failure of wandb into one warning, and leave it alone from then on."""
        if not self._works:
            return
        try:
            yield
        except Exception as error:
            self._works = False
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._say(
                f"Weights & Biases failed ({reason.rstrip('.')}): nothing more is logged there. "
                "The training goes on, and its run records are complete."
            )


def _import_wandb() -> Any:
    with suppress(ImportError):
        wandb = importlib.import_module("wandb")
        if hasattr(wandb, "init"):  # a folder of runs here, named wandb, can be imported as well
            return wandb
    raise TrackingError(
        "Logging to Weights & Biases needs the package wandb: pip install fmnist-utils[wandb]"
    )


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


def _provenance(run: Run) -> dict[str, Any]:
    return {"fingerprint": run.fingerprint, **run.provenance.model_dump(mode="json")}


def _summary(run: Run) -> dict[str, Any]:
    """Name the evaluations of a run, such as ``final/test/accuracy``."""
    summary: dict[str, Any] = {"epochs": run.epochs, "best/epoch": run.best.epoch}
    for name, snapshot in (("final", run.final), ("best", run.best)):
        for split in ("train", "validation", "test"):
            for metric, value in getattr(snapshot, split).model_dump().items():
                summary[f"{name}/{split}/{metric}"] = value
    return summary
