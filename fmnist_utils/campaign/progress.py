"""Show the progress of a campaign, in a terminal, a log file or a notebook."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from fmnist_utils.campaign.jobs import Job, Watcher
from fmnist_utils.runs.record import Run
from fmnist_utils.training.course import Progress as Epoch

#: Where the output is no terminal, an epoch of a job is a line at most this often, in seconds.
_LINE_EVERY = 60.0


class CampaignProgress(Watcher):
    """A bar for all runs and one for each job in training, with metrics and time left.

    Where the output is no terminal the bars are left out: a finished run is a line, and so is an
    epoch now and then.
    """

    def __init__(self, runs: int, console: Console | None = None) -> None:
        self._console = console or Console()
        self._drawn = self._console.is_terminal or self._console.is_jupyter
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._drawn,
        )
        self._runs = self._bars.add_task("runs", total=runs)
        self._jobs: dict[str, TaskID] = {}
        self._written: dict[str, float] = {}

    def __enter__(self) -> CampaignProgress:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was, also after Ctrl-C."""
        self._bars.stop()

    def on_start(self, job: Job) -> None:
        """Add a bar for the job."""
        if job.name not in self._jobs:
            self._jobs[job.name] = self._bars.add_task(job.name, total=None)
            self._written[job.name] = time.monotonic()

    def on_epoch(self, job: Job, epoch: Epoch) -> None:
        """Move the bar of the job."""
        metrics = "  ".join(f"{key} {value:.4f}" for key, value in epoch.metrics.items())
        text = f"{job.name}  {metrics}"
        self._bars.update(
            self._jobs[job.name],
            description=text,
            completed=epoch.epoch,
            total=epoch.epochs,
        )
        if not self._drawn and time.monotonic() - self._written[job.name] > _LINE_EVERY:
            self._written[job.name] = time.monotonic()
            left = (epoch.epochs - epoch.epoch) * epoch.seconds / 60
            self._print(
                f"{text}  epoch {epoch.epoch} of {epoch.epochs}, at most {left:.0f} min left"
            )

    def on_run(self, job: Job, run: Run) -> None:
        """Print a line for a finished run, and take the job's bar away."""
        self._bars.advance(self._runs)
        self._bars.remove_task(self._jobs.pop(job.name))
        self._print(
            f"{job.name}: {run.epochs} epochs, {sum(run.seconds_per_epoch):.0f} s, "
            f"test accuracy {100 * run.final.test.accuracy:.2f} %"
        )

    def on_note(self, job: Job, note: str) -> None:
        """Print a line."""
        self._print(f"{job.name} {note}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
