"""Show the progress of long training, in a terminal, a log file or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from fmnist_utils.campaign.jobs import Job
    from fmnist_utils.runs.record import Run
    from fmnist_utils.training.course import Progress as Epoch


class TrainingProgress:
    """Two bars, runs and epochs, with metrics and time left; one line per finished run.

    Where the output is no terminal the bars are left out and the lines remain.
    """

    def __init__(self, jobs: Sequence[Job], console: Console | None = None) -> None:
        self._console = console or Console()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (self._console.is_terminal or self._console.is_jupyter),
        )
        self._runs = self._bars.add_task("runs", total=len(jobs))
        self._epochs = self._bars.add_task("epochs")

    def __enter__(self) -> TrainingProgress:
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

    def on_epoch(self, job: Job, epoch: Epoch) -> None:
        """Move the bar of epochs."""
        metrics = "  ".join(f"{key} {value:.4f}" for key, value in epoch.metrics.items())
        self._bars.update(
            self._epochs,
            description=f"{job.experiment.id} seed {job.seed}  {metrics}",
            completed=epoch.epoch,
            total=epoch.epochs,
        )

    def on_run(self, job: Job, run: Run) -> None:
        """Print one line for a finished run, and move the bar of runs."""
        self._bars.advance(self._runs)
        self._console.print(
            f"{job.experiment.report}/{job.experiment.id} seed {job.seed}: "
            f"{run.epochs} epochs, {sum(run.seconds_per_epoch):.0f} s, "
            f"test accuracy {100 * run.final.test.accuracy:.2f} %",
            highlight=False,
        )
