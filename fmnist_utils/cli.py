"""The ``fmnist`` command."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from fmnist_utils.cli_common import AnyReport, CellTimeout, Commands, Jobs, ReportId, Scheduler
from fmnist_utils.console import say
from fmnist_utils.contribute.commands import check, new_report
from fmnist_utils.errors import FmnistError

if TYPE_CHECKING:
    from fmnist_utils.reports.report import Report

app = typer.Typer(
    cls=Commands,
    help="Reproduce student reports on Fashion-MNIST, number by number.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# In a file or a pipe a table is not folded at 80 columns.
console = Console(width=None if sys.stdout.isatty() else 240)
for command in (new_report, check):
    app.command()(command)
_say = partial(say, console)


def _version(wanted: bool) -> None:
    if wanted:
        _say(f"fmnist-utils {metadata.version('fmnist-utils')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Take what stands before a command."""


@contextmanager
def _all_reports() -> Iterator[list[Report]]:
    """Give every report that can be read; at the end name the others, with exit code 2."""
    from fmnist_utils.reports.load import load_reports

    reports, problems = load_reports()
    yield reports
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise typer.Exit(2)


# --- Book ----------------------------------------------------------------------------------------


@app.command()
def book(
    mode: Annotated[
        Literal["replay", "smoke", "full"],
        typer.Option(help="Show the shipped runs, train a few steps, or train what is missing."),
    ] = "replay",
    data: Annotated[
        Literal["auto", "real", "synthetic"],
        typer.Option(help="Which images; auto builds a preview when the real ones are not there."),
    ] = "auto",
    executed: Annotated[
        Path | None,
        typer.Option(help="Take executed notebooks from this folder instead of running them."),
    ] = None,
    cell_timeout: CellTimeout = None,
) -> None:
    """Run every chapter that changed and build the site."""
    from fmnist_utils.book.site import build_book

    index = build_book(
        Path(), mode=mode, data=data, executed=executed, cell_timeout=cell_timeout, console=console
    )
    _say(f"The book is in {os.path.relpath(index)}")


@app.command()
def refresh(
    pages: Annotated[
        list[str] | None, typer.Argument(help="Which, e.g. chapters/baltzi; else all.")
    ] = None,
    cell_timeout: CellTimeout = None,
) -> None:
    """Run chapters in replay mode and store the outputs in their sources."""
    from fmnist_utils.book.site import refresh_chapters

    refresh_chapters(Path(), console, names=pages or (), cell_timeout=cell_timeout)


@app.command()
def set_repository(
    url: Annotated[str, typer.Argument(help="https://github.com/OWNER/REPOSITORY")],
) -> None:
    """Point the book, its badges and its install cells at another repository."""
    from fmnist_utils.book import links

    changed = links.set_repository(Path(), url)
    for path in changed:
        _say(f"{path} rewritten")
    if not changed:
        _say("Nothing to change: everything points there already.")


# --- Data and training ---------------------------------------------------------------------------


@app.command()
def data() -> None:
    """Fetch and verify the data set, and say where it is."""
    from fmnist_utils.data.download import fetch_data

    _say(f"Fashion-MNIST is complete and verified in {fetch_data()}")


@app.command()
def run(
    report: ReportId,
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Which experiments and variants; all when none is named."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=10_000, help="Train seeds 1 to N of each experiment.")
    ] = 10,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SETTING=VALUE", help="Train an experiment of your own, so changed."
        ),
    ] = None,
    until_precise: Annotated[
        bool,
        typer.Option(
            "--until-precise",
            help="Then add seeds until the interval of its accuracy is narrow enough, at most 30.",
        ),
    ] = False,
    jobs: Jobs = "auto",
    scheduler: Scheduler = None,
    precision: Annotated[
        Literal["float32", "mixed_bfloat16"] | None,
        typer.Option(help="What layers compute in; by default what the experiment says."),
    ] = None,
    plain_fit: Annotated[
        bool, typer.Option("--plain-fit", help="Train with Keras' own model.fit, to compare.")
    ] = False,
    unseeded: Annotated[
        bool,
        typer.Option("--unseeded", help="Plain fit with a new order of images in every epoch."),
    ] = False,
    tracker: Annotated[
        Literal["none", "wandb"],
        typer.Option(help="Log to Weights & Biases as well; offline when there is no API key."),
    ] = "none",
) -> None:
    """Train what the run store lacks, by the report's own protocol."""
    from fmnist_utils.campaign.launch import train_experiments, written_text
    from fmnist_utils.reports.load import load_experiments
    from fmnist_utils.reports.yaml_file import parse_settings
    from fmnist_utils.runs.contrast import own_and_theirs
    from fmnist_utils.runs.record import Method
    from fmnist_utils.runs.store import RunStore

    if unseeded and not plain_fit:
        raise FmnistError("--unseeded belongs to --plain-fit: our trainer shuffles every epoch.")
    if settings and not experiments:
        raise FmnistError("--set changes the experiments that are named: name one.")
    theirs, store = load_experiments(report, experiments), RunStore()
    chosen = [item.vary(parse_settings(settings)) for item in theirs] if settings else theirs
    method = partial(Method.of, precision=precision, plain_fit=plain_fit, unseeded=unseeded)
    trained = train_experiments(
        chosen, seeds, store, method=method, until_precise=until_precise,
        at_once=jobs, scheduler=scheduler, tracker=tracker, console=console,
    )  # fmt: skip
    if trained:
        _say(written_text(trained, store))
    else:
        more = ", and is precise enough or would need too many" * until_precise
        _say(f"Nothing to train: every experiment has its {seeds} seeds{more}.")
    for contrast in own_and_theirs(store, chosen, theirs, method) if settings else ():
        _say(str(contrast))


@app.command()
def search(
    report: ReportId,
    search_id: Annotated[
        str | None, typer.Argument(help="Which search; all when none is named.", metavar="SEARCH")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Stop after N trials; by default the search's own.")
    ] = None,
    jobs: Jobs = "auto",
    scheduler: Scheduler = None,
) -> None:
    """Run a report's hyperparameter search, or go on where it stopped."""
    from fmnist_utils.campaign.launch import run_search
    from fmnist_utils.reports.load import load_report
    from fmnist_utils.tuning import get_searches

    loaded = load_report(report)
    for item in get_searches(loaded, search_id):
        _say(f"{report}/{item.id}: {trials or item.trials} trials with {item.tool}")
        table = run_search(loaded, item, trials, at_once=jobs, scheduler=scheduler, console=console)
        _say(f"{len(table.trials)} trials finished, {len(table.failed)} could not be built.")


# --- Runs ----------------------------------------------------------------------------------------


@app.command()
def status() -> None:
    """Show which runs and trials there are, which are stale, and which records are damaged.

    Runs by another method than the book's, such as --plain-fit, are not counted.
    """
    from fmnist_utils.tables.run_tables import status_of

    with _all_reports() as reports:
        table, problems = status_of(reports)
        if table.rows:
            console.print(table)
        for problem in problems:
            _say(problem)


@app.command()
def export_runs(
    file: Annotated[Path, typer.Argument(help="What to write, e.g. runs.zip.")],
) -> None:
    """Write new runs and searches into one file, to send in."""
    from fmnist_utils.runs.archive import pack
    from fmnist_utils.runs.store import LOCAL_RUNS, records_folder
    from fmnist_utils.tuning import LOCAL_SEARCHES

    count = pack(file, map(records_folder, (LOCAL_RUNS, LOCAL_SEARCHES)))
    links = metadata.metadata("fmnist-utils").get_all("Project-URL", [])
    address = dict(line.split(", ") for line in links)["Repository"]
    records = f"{count} record{'s' * (count != 1)}"
    print(f"{records} written to {file}: attach it to an issue at {address}/issues.")


@app.command()
def publish_runs(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where new runs and searches are; by default ./runs and ./searches."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take them from a file of fmnist export-runs."),
    ] = None,
) -> None:
    """Check new runs and searches and copy them into the package, where they are evidence."""
    from fmnist_utils.tuning import publish_new

    runs, tables = publish_new(folder, file)
    refused = runs.refused + tables.refused
    for sentence in refused:
        print(f"Refused: {sentence}", file=sys.stderr)
    also = f" and {tables.new} tables of trials" if any(tables) else ""
    print(
        f"{runs.new} runs{also} published, {runs.known + tables.known} already there, "
        f"{len(refused)} refused."
    )
    if refused:
        raise typer.Exit(1)


# --- Reports -------------------------------------------------------------------------------------


@app.command()
def reports() -> None:
    """List the reports of the book."""
    with _all_reports() as found:
        for item in found:
            _say(f"{item.id}  {item.title}")


@app.command()
def report(
    report_id: AnyReport = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole ledger as JSON, one object per claim.")
    ] = False,
) -> None:
    """Print every claim of a report with its verdict; without a name, which reports there are."""
    if report_id is None:
        return reports()
    from fmnist_utils.reports.load import load_report
    from fmnist_utils.runs.devices import mixed_runs
    from fmnist_utils.runs.store import RunStore
    from fmnist_utils.tables.claim_tables import judged_by_experiment
    from fmnist_utils.verdicts.ledger import ledger_rows
    from fmnist_utils.verdicts.multiplicity import Pool
    from fmnist_utils.verdicts.outcome import tally
    from fmnist_utils.verdicts.report_verdicts import judge_report

    loaded, store = load_report(report_id), RunStore()
    if as_json:
        rows = [asdict(row) for row in ledger_rows(loaded, store)]
        print(json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False))
        return
    verdicts = judge_report(loaded, store, Pool.of(store).prior)
    for table in judged_by_experiment(loaded, verdicts):
        console.print(table)
    _say(str(tally(verdicts)))
    if mixed := mixed_runs(itertools.chain(*store.runs_of(loaded).values())):
        _say(f"They rest on trainings of several machines or versions{mixed}.")


@app.command()
def code(
    report_id: ReportId,
    experiment_id: Annotated[
        str, typer.Argument(help="Which of its experiments or variants.", metavar="EXPERIMENT")
    ],
) -> None:
    """Print an experiment as a program in plain Keras, which needs nothing of this package."""
    from fmnist_utils.program.keras_code import keras_code
    from fmnist_utils.reports.load import load_experiments

    print(keras_code(load_experiments(report_id, [experiment_id])[0]), end="")


@app.command()
def audit(report_id: AnyReport = None) -> None:
    """Print where a report contradicts itself, cannot be right, or cannot be followed."""
    from fmnist_utils.audit import audit_report, count_severities
    from fmnist_utils.reports.load import load_report
    from fmnist_utils.runs.store import RunStore
    from fmnist_utils.tables.report_tables import found_table

    with _all_reports() if report_id is None else nullcontext([load_report(report_id)]) as chosen:
        for loaded in chosen:
            found = audit_report(loaded, RunStore())
            console.print(found_table(found, loaded.title))
            counts = count_severities(found).items()
            _say(f"{loaded.id}: " + ", ".join(f"{count} {severity}" for severity, count in counts))


@app.command()
def export(
    to: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where to write; by default ./export.")
    ] = Path("export"),
) -> None:
    """Write claims with verdicts, findings, assumptions and runs as CSV and JSON with schemas."""
    from fmnist_utils.export.files import check_folder, record, write_record

    check_folder(to)
    for path in write_record(to, record()):
        _say(f"{path} written")
