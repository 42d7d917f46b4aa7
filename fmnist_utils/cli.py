"""The ``fmnist`` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports import Experiment, list_reports, load_report

app = typer.Typer(
    help="Reproduce five reports on Fashion-MNIST, number by number.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()

ReportId = Annotated[str, typer.Argument(help="Which report, e.g. baltzi.", metavar="REPORT")]
Seeds = Annotated[int, typer.Option(min=1, help="Train seeds 1 to N of each experiment.")]


def main() -> None:
    """Run the command; a mistake of the user is one sentence and exit code 2."""
    try:
        app()
    except FmnistError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Interrupted; finished runs are kept, and the same command goes on.", file=sys.stderr)
        sys.exit(130)


def _chosen(report_id: str, experiment_ids: list[str] | None) -> list[Experiment]:
    report = load_report(report_id)
    if not experiment_ids:
        return list(report.experiments.values())
    unknown = [name for name in experiment_ids if name not in report.experiments]
    if unknown:
        known = ", ".join(report.experiments)
        raise FmnistError(f"Report {report_id} has no experiment {unknown[0]!r}; it has {known}.")
    return [report[name] for name in experiment_ids]


@app.command()
def run(
    report: ReportId,
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Which experiments; all when none is named.")
    ] = None,
    seeds: Seeds = 10,
) -> None:
    """Train what the run store lacks, by the report's own protocol."""
    from fmnist_utils.campaign import missing_jobs, run_jobs
    from fmnist_utils.data import load_data
    from fmnist_utils.progress import TrainingProgress
    from fmnist_utils.runs import RunStore

    store = RunStore()
    jobs = missing_jobs(store, _chosen(report, experiments), range(1, seeds + 1))
    if not jobs:
        console.print(f"Nothing to train: every experiment has its {seeds} seeds.")
        return
    data = load_data()
    with TrainingProgress(jobs, console) as progress:
        run_jobs(jobs, store, data, progress.on_epoch, progress.on_run)
    console.print(f"{len(jobs)} runs written to {store.written}; publish with fmnist publish-runs.")


@app.command()
def reports() -> None:
    """List the reports of the book."""
    for report_id in list_reports():
        console.print(f"{report_id}  {load_report(report_id).title}")
