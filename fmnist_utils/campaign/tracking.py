"""Log training to Weights & Biases, for those who ask for it; run records never depend on it."""

from __future__ import annotations

import importlib
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fmnist_utils.errors import FmnistError

if TYPE_CHECKING:
    from fmnist_utils.campaign.jobs import Job
    from fmnist_utils.runs.record import Run
    from fmnist_utils.training.course import Progress

TRACKERS = ("none", "wandb")
PROJECT = "fmnist-reproduction"

#: How long the end of a run may wait for its upload; what is late can be sent by wandb sync.
_UPLOAD_SECONDS = 60

#: What wandb itself reports for a process that Ctrl-C ended.
_INTERRUPTED, _FAILED = 255, 1


class TrackingError(FmnistError):
    """A tracker that was asked for and cannot be used."""


class Tracker:
    """Hears of every training of a campaign; this one keeps nothing."""

    def __enter__(self) -> Tracker:
        """Begin a campaign."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End a campaign, which an exception may have cut short."""

    def on_start(self, job: Job) -> None:
        """Hear that a training starts."""

    def on_epoch(self, epoch: Progress) -> None:
        """Hear of a finished epoch."""

    def on_run(self, run: Run) -> None:
        """Hear of a finished run, whose record is written."""


def make_tracker(name: str, say: Callable[[str], None] = print) -> Tracker:
    """Return a tracker; a context manager around the campaign that it is given to.

    Parameters
    ----------
    name : {"none", "wandb"}
        ``wandb`` sends every run to Weights & Biases, project ``fmnist-reproduction``, or keeps it
        in a folder when there is no API key. ``WANDB_MODE``, ``WANDB_DIR`` and the other variables
        of wandb count as they always do.
    say : callable
        Told what the user has to know, a sentence each.

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
    """One wandb run per training; whatever goes wrong here, the training goes on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._wandb = _import_wandb()
        self._mode: str | None = None  # None once wandb has failed offline too
        self._run: Any = None
        self._unsent: list[Path] = []
        self._warned = False

    def __enter__(self) -> WandbTracker:
        """Decide between online and offline, without asking the user."""
        self._mode = "online"
        with self._unharmed():
            # Without silence wandb announces, on stderr, where it found the key.
            quiet = self._wandb.Settings(silent=True)
            mode: str = self._wandb.setup(settings=quiet).settings.mode
            sends = mode not in ("offline", "dryrun", "disabled")
            keyless = sends and not self._wandb.login(prompt=False, verify=False)
            self._mode = "offline" if keyless else mode
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close a run that was cut short, and say how to upload what is only here."""
        cut_short = _INTERRUPTED if kind and issubclass(kind, KeyboardInterrupt) else _FAILED
        self._finish(cut_short)
        if self._unsent:
            count = len(self._unsent)
            runs = "1 run is" if count == 1 else f"{count} runs are"
            self._say(
                f"{runs} in {_shown(self._unsent[0].parent)}, not yet on Weights & Biases; "
                f"to upload: {self._upload_command()}"
            )

    def _upload_command(self) -> str:
        folder = shlex.quote(_shown(self._unsent[0].parent))
        offline = all(path.name.startswith("offline-") for path in self._unsent)
        return f"wandb sync {folder}" if offline else f"wandb sync --include-online {folder}"

    def on_start(self, job: Job) -> None:
        """Start a wandb run; offline when online fails."""
        while self._run is None and self._mode is not None:
            with self._unharmed():
                self._run = self._wandb.init(
                    project=PROJECT,
                    group=f"{job.experiment.report}/{job.experiment.id}",
                    name=f"{job.experiment.id}-seed{job.seed:02d}",
                    config=_config(job),
                    mode=self._mode,
                    settings=self._wandb.Settings(
                        silent=True,
                        console="off",  # else it wraps stdout, and the bars with it
                        save_code=False,
                        reinit="create_new",  # leaves alone a run that the user may have open
                        finish_timeout=_UPLOAD_SECONDS,
                        finish_timeout_raises=True,
                    ),
                )
                self._unsent.append(_folder(self._run))

    def on_epoch(self, epoch: Progress) -> None:
        """Log the metrics of an epoch, with its number as the step."""
        if self._run is not None:
            with self._unharmed():
                point = {**epoch.metrics, "seconds": epoch.seconds, "epoch": epoch.epoch}
                self._run.log(point, step=epoch.epoch, commit=True)

    def on_run(self, run: Run) -> None:
        """Add the evaluations and the provenance, and finish the wandb run."""
        if self._run is not None:
            with self._unharmed():
                self._run.config.update(_provenance(run), allow_val_change=True)
                self._run.summary.update(_summary(run))
        self._finish(0)

    def _finish(self, exit_code: int) -> None:
        run, self._run = self._run, None
        if run is not None:
            with self._unharmed():
                run.finish(exit_code=exit_code)
                if not run.offline:
                    self._unsent.remove(_folder(run))

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """Turn any failure of wandb into one warning, and the next runs to offline, or to none."""
        try:
            yield
        except Exception as error:
            self._mode = "offline" if self._mode == "online" else None
            failed, self._run = self._run, None
            if failed is not None:
                with suppress(Exception):
                    failed.finish(exit_code=_FAILED)
            if not self._warned:
                self._warned = True
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                self._say(
                    f"Weights & Biases failed ({reason.rstrip('.')}): the training goes on, and "
                    "its run records are complete."
                )


def _import_wandb() -> Any:
    with suppress(ImportError):
        wandb = importlib.import_module("wandb")
        if hasattr(wandb, "init"):  # a folder of runs here, named wandb, can be imported as well
            return wandb
    raise TrackingError(
        "Logging to Weights & Biases needs the package wandb: pip install fmnist-utils[wandb]"
    )


def _folder(run: Any) -> Path:
    return Path(run.dir).parent


def _shown(folder: Path) -> str:
    """Shorten a path below the working directory, so that no notebook stores where that is."""
    short = os.path.relpath(folder)
    return str(folder) if short.startswith("..") else short


def _config(job: Job) -> dict[str, Any]:
    """Describe a run before it starts: what is trained, and how."""
    from fmnist_utils.runs.record import Method, fingerprint

    experiment = job.experiment
    method = job.method or Method.of(experiment)
    return {
        "report": experiment.report,
        "experiment": experiment.id,
        "seed": job.seed,
        "fingerprint": fingerprint(experiment),
        **method._asdict(),
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
