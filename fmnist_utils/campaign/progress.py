"""Show the progress of a campaign, in a terminal, a log file or a notebook."""

from __future__ import annotations

import importlib.util
import time
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from fmnist_utils.campaign.jobs import Job, Watcher
from fmnist_utils.console import say
from fmnist_utils.runs.record import Run
from fmnist_utils.training.state import Progress as Epoch

#: Where the output is no terminal, an epoch of a job is a line at most this often, in seconds; the
#: first of all is one too, so that it is soon seen that something happens, and how long it takes.
_LINE_EVERY = 60.0


class CampaignProgress(Watcher):
    """A bar for all runs and one for each job in training, with metrics and time left.

    Where the output is no terminal, nor a notebook with widgets, the bars are left out: a finished
    run is a line, and so is an epoch now and then.
    """

    def __init__(self, runs: int, console: Console | None = None) -> None:
        self._console = console or Console()
        self._drawn = self._console.is_terminal or (self._console.is_jupyter and _has_widgets())
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            # Last, and cut where the line ends: what stands before it must not be squeezed.
            TextColumn("{task.fields[metrics]}", table_column=Column(no_wrap=True, ratio=1)),
            console=self._console,
            disable=not self._drawn,
            speed_estimate_period=24 * 3600,  # an epoch of the largest network takes minutes
        )
        self._runs = self._bars.add_task("runs", total=runs, metrics="")
        self._jobs: dict[str, TaskID] = {}
        self._written: dict[str, float] = {}
        self._silent = True

    def __enter__(self) -> Self:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was, also after Ctrl-C."""
        self._bars.stop()

    def on_start(self, job: Job) -> None:
        """Add a bar for the job."""
        if job.name not in self._jobs:
            self._jobs[job.name] = self._bars.add_task(job.name, total=None, metrics="")
            self._written[job.name] = time.monotonic()

    def on_epoch(self, job: Job, epoch: Epoch) -> None:
        """Move the bar of the job."""
        metrics = "  ".join(f"{key} {value:.4f}" for key, value in epoch.metrics.items())
        self._bars.update(
            self._jobs[job.name], completed=epoch.epoch, total=epoch.epochs, metrics=metrics
        )
        waited = time.monotonic() - self._written[job.name]
        if not self._drawn and (self._silent or waited > _LINE_EVERY):
            self._silent, self._written[job.name] = False, time.monotonic()
            left = (epoch.epochs - epoch.epoch) * epoch.seconds / 60
            self._print(
                f"{job.name}  {metrics}  epoch {epoch.epoch} of {epoch.epochs}, "
                f"at most {left:.0f} min left"
            )

    def on_run(self, job: Job, run: Run) -> None:
        """Print a line for a finished run, and take the job's bar away."""
        self._bars.advance(self._runs)
        self._bars.remove_task(self._jobs.pop(job.name))
        epochs = f"{run.epochs} epoch{'s' * (run.epochs != 1)}"
        self._print(
            f"{job.name}: {epochs}, {sum(run.seconds_per_epoch):.0f} s, "
            f"test accuracy {100 * run.final.test.accuracy:.2f} %"
        )

    def on_note(self, job: Job, note: str) -> None:
        """Print a line."""
        self._print(f"{job.name} {note}")

    def _print(self, text: str) -> None:
        say(self._console, text)


def _has_widgets() -> bool:
    """Look for what a notebook needs to draw bars; without it rich warns, once for each line."""
    try:
        return importlib.util.find_spec("ipywidgets") is not None
    except ValueError:  # half-imported, or kept from being imported
        return False
