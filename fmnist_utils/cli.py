"""The ``fmnist`` command."""

from __future__ import annotations

import errno
import functools
import itertools
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from fmnist_utils.errors import FmnistError

if TYPE_CHECKING:
    from fmnist_utils.reports.experiment import Experiment
    from fmnist_utils.reports.report import Report
    from fmnist_utils.reports.search import Search
    from fmnist_utils.runs.record import Run
    from fmnist_utils.tuning import Trial, Trials

AGAIN = "mend that, and run the same command again."
INTERRUPTED = "Interrupted: what was finished is kept, and the same command goes on from there."


class _Commands(TyperGroup):
    """A mistake of the user is one sentence and exit code 2; Ctrl-C is one and 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FmnistError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # who read our output has seen enough; click's business
                raise
            where, why = error.filename or "A file", error.strerror or type(error).__name__
            print(f"{where} cannot be read or written ({why}): {AGAIN}", file=sys.stderr)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            print(INTERRUPTED, file=sys.stderr)
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=_Commands,
    help="Reproduce five reports on Fashion-MNIST, number by number.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# In a file or a pipe a table is not folded at 80 columns.
console = Console(width=None if sys.stdout.isatty() else 160)

ReportId = Annotated[str, typer.Argument(help="Which report, e.g. baltzi.", metavar="REPORT")]


def main() -> None:
    """Run the command."""
    # Without it TensorFlow reports on drivers and instruction sets whenever it is loaded.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app()


def _say(sentence: str) -> None:
    console.print(sentence, highlight=False, markup=False, soft_wrap=True)


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
) -> None:
    """Run every chapter that changed and build the site."""
    from fmnist_utils.book.site import build_book

    index = build_book(Path(), mode=mode, data=data, executed=executed, console=console)
    _say(f"The book is in {os.path.relpath(index)}")


@app.command()
def refresh() -> None:
    """Run every chapter in replay mode and store the outputs in its source."""
    from fmnist_utils.book.site import refresh_chapters

    refresh_chapters(Path(), console)


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
        list[str] | None, typer.Argument(help="Which experiments; all when none is named.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train seeds 1 to N of each experiment.")] = 10,
    scheduler: Annotated[
        str | None, typer.Option(help="Train on a Dask cluster: the address of its scheduler.")
    ] = None,
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
    from fmnist_utils.campaign.jobs import missing_jobs, run_jobs, run_jobs_on_cluster
    from fmnist_utils.campaign.progress import TrainingProgress
    from fmnist_utils.campaign.tracking import TrackingError, make_tracker
    from fmnist_utils.data.download import load_data
    from fmnist_utils.runs.record import Method
    from fmnist_utils.runs.store import RunStore

    if scheduler is not None and tracker != "none":
        raise TrackingError(
            "The workers of a Dask cluster log to no tracker: leave out --tracker or --scheduler."
        )
    store = RunStore()
    if unseeded and not plain_fit:
        raise FmnistError("--unseeded belongs to --plain-fit: our trainer shuffles every epoch.")
    chosen = _chosen(report, experiments)
    augmented = [item.id for item in chosen if item.training.augmentation]
    if plain_fit and augmented:
        raise FmnistError(f"--plain-fit takes no augmentation: leave out {', '.join(augmented)}.")

    def method(experiment: Experiment) -> Method:
        own = Method.of(experiment)
        return Method(precision or own.precision, plain_fit, unseeded)

    jobs = missing_jobs(store, chosen, range(1, seeds + 1), method)
    if not jobs:
        _say(f"Nothing to train: every experiment has its {seeds} seeds.")
        return
    if scheduler is None:
        watched = make_tracker(tracker, _say)
        images = load_data()  # before the bars: it may have to show the progress of a download
        with watched, TrainingProgress(jobs, console) as progress:
            run_jobs(jobs, store, images, progress.on_epoch, progress.on_run, watched)
    else:
        with TrainingProgress(jobs, console) as progress:
            run_jobs_on_cluster(jobs, store, scheduler, progress.on_run)
    _say(f"{len(jobs)} runs written to {store.written}; publish with fmnist publish-runs.")


@app.command()
def search(
    report: ReportId,
    search_id: Annotated[
        str | None, typer.Argument(help="Which search; all when none is named.", metavar="SEARCH")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Stop after N trials; by default the search's own.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="For Optuna: the URL of a database that several machines share."),
    ] = None,
) -> None:
    """Run a report's hyperparameter search, or go on where it stopped."""
    from fmnist_utils.data.download import load_data
    from fmnist_utils.reports.load import load_report
    from fmnist_utils.tuning import LOCAL_SEARCHES, TuningError, get_search, run_search

    loaded = load_report(report)
    chosen = [get_search(loaded, search_id)] if search_id else list(loaded.searches.values())
    if not chosen:
        raise TuningError(f"Report {report} has no searches.")
    images, folder = load_data(), LOCAL_SEARCHES / report
    for item in chosen:
        wanted = item.trials if trials is None else trials
        _say(f"{report}/{item.id}: {wanted} trials with {item.tool}")
        tell = functools.partial(_say_trial, wanted)
        table = run_search(loaded, item, images, folder, trials, tell, storage)
        _say(f"{len(table.trials)} trials finished, {len(table.failed)} could not be built.")


def _say_trial(of: int, trial: Trial) -> None:
    _say(trial.sentence(of))


def _chosen(report_id: str, experiment_ids: list[str] | None) -> list[Experiment]:
    from fmnist_utils.reports.load import load_report

    report = load_report(report_id)
    trainable = report.trainable
    for name in experiment_ids or []:
        if name not in trainable:
            known = ", ".join(trainable)
            raise FmnistError(f"Report {report_id} has no experiment {name!r}; it has {known}.")
    return [trainable[name] for name in experiment_ids or trainable]


# --- Runs ----------------------------------------------------------------------------------------


@app.command()
def status() -> None:
    """Show which runs and trials there are, which are stale, and which records are damaged."""
    from fmnist_utils.reports.load import list_reports, load_report

    table = Table(box=None, pad_edge=False)
    for name in ("experiment", "valid", "seeds", "epochs", "device", "stale"):
        table.add_column(name, justify="right" if name in ("valid", "epochs", "stale") else "left")
    notes: list[str] = []
    for report_id in list_reports():
        records, damaged = _records(report_id)
        notes += damaged
        report = load_report(report_id)
        for experiment in report.trainable.values():
            table.add_row(*_status_row(experiment, records.pop(experiment.id, [])))
        for search in report.searches.values():
            trials, where, damage = _trials(report, search)
            table.add_row(*_search_row(report, search, trials, where))
            notes += damage
        notes += (f"{report_id} has runs of no experiment: {name}." for name in records)
    console.print(table)
    for note in notes:
        _say(note)


def _records(report_id: str) -> tuple[dict[str, list[Run]], list[str]]:
    """Read all run records of a report, by experiment, and what is wrong with the others."""
    from fmnist_utils.runs.record import RunError, read_run
    from fmnist_utils.runs.store import RunStore

    records: dict[str, list[Run]] = defaultdict(list)
    damaged = []
    for path in RunStore().files(report_id):
        try:
            run = read_run(path)
            records[run.experiment].append(run)
        except RunError as error:
            damaged.append(str(error))
    return records, damaged


def _status_row(experiment: Experiment, runs: list[Run]) -> Iterator[str]:
    from fmnist_utils.runs.record import fingerprint, valid_runs

    wanted = fingerprint(experiment)
    valid = valid_runs(runs, experiment)
    stale = sum(run.fingerprint != wanted for run in runs)
    epochs = [run.epochs for run in valid]
    yield f"{experiment.report}/{experiment.id}"
    yield str(len(valid)) if valid else "[yellow]0[/yellow]"
    yield _ranges([run.seed for run in valid])
    yield f"{min(epochs)}–{max(epochs)}" if epochs else ""
    yield ", ".join(sorted({run.provenance.device for run in valid}))
    yield f"[red]{stale} stale[/red]" if stale else ""


def _trials(report: Report, search: Search) -> tuple[tuple[Trial, ...], str, list[str]]:
    """Read the trials of a search, where they are, and what is wrong with their table."""
    from fmnist_utils.tuning import TuningError, find_trials, published_path

    try:
        found = find_trials(report, search.id)
    except TuningError as error:
        return (), "", [str(error)]
    if found is None:
        return (), "", []
    path, table = found
    where = "published" if path == published_path(report, search) else "local"
    return table.trials, f", {where}", []


def _search_row(
    report: Report, search: Search, trials: tuple[Trial, ...], where: str
) -> Iterator[str]:
    yield f"{report.id}/{search.id}"
    yield str(len(trials)) if trials else "[yellow]0[/yellow]"
    yield f"of {search.trials} trials{where}"
    yield ""
    yield ", ".join(sorted({trial.provenance.device for trial in trials if trial.provenance}))


def _ranges(numbers: list[int]) -> str:
    """Write ascending numbers as ``1–5, 7``."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{g[0]}–{g[-1]}" if len(g) > 1 else str(g[0]) for g in groups)


@app.command()
def publish_runs(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where new runs and searches are; by default ./runs and ./searches."),
    ] = None,
) -> None:
    """Check new runs and searches and copy them into the package, where they are evidence."""
    from fmnist_utils.runs.store import LOCAL_RUNS, RunStore
    from fmnist_utils.tuning import LOCAL_SEARCHES, TABLE

    _refuse_installed_package(RunStore().published)
    folders = [folder] if folder else [LOCAL_RUNS, LOCAL_SEARCHES]
    if not any(place.is_dir() for place in folders):
        names = " or ".join(map(str, folders))
        raise FmnistError(f"There is no folder {names}: name the one that holds the new runs.")
    # Runs and tables go by their names: the tool of a search keeps JSON files of its own there.
    runs = _publish_each(_publish_run, folders, "*.seed*.json")
    tables = _publish_each(_publish_table, folders, TABLE)
    both = runs + tables
    also = f" and {tables.count(True)} tables of trials" if tables else ""
    _say(
        f"{runs.count(True)} runs{also} published, {both.count(False)} already there, "
        f"{both.count(None)} refused."
    )
    if None in both:
        raise typer.Exit(1)


def _publish_each(
    publish: Callable[[Path], bool], folders: Iterable[Path], pattern: str
) -> list[bool | None]:
    """Publish each file: True when it is new, False when it is there, None when it is refused."""
    outcomes: list[bool | None] = []
    paths = itertools.chain(*(place.rglob(pattern) for place in folders))
    for path in sorted(paths, key=_in_numbers):
        try:
            outcomes.append(publish(path))
        except FmnistError as error:
            print(f"Refused: {error}", file=sys.stderr)
            outcomes.append(None)
    return outcomes


def _in_numbers(path: Path) -> list[str]:
    """Order names so that seed 100 comes after seed 11, as no seed may be left out."""
    return [part.zfill(9) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def _publish_run(path: Path) -> bool:
    from fmnist_utils.runs.record import read_run
    from fmnist_utils.runs.store import RunStore

    record = read_run(path)
    return RunStore().publish(record, _experiment_of(record))


def _publish_table(path: Path) -> bool:
    from fmnist_utils.tuning import publish_trials, read_trials

    table = read_trials(path)
    return publish_trials(_report_of(table), table)


def _refuse_installed_package(folder: Path) -> None:
    installed = {"site-packages", "dist-packages"} & set(folder.parts)
    if installed or not os.access(folder, os.W_OK):
        raise FmnistError(
            f"The package in {folder} is no checkout that can be written: publish from a clone of "
            "the repository, installed with pip install -e."
        )


def _report_of(table: Trials) -> Report:
    from fmnist_utils.reports.load import list_reports, load_report
    from fmnist_utils.tuning import TuningError

    if table.report not in list_reports():
        raise TuningError(f"{table.report}/{table.search}: there is no report {table.report}.")
    return load_report(table.report)


def _experiment_of(record: Run) -> Experiment:
    from fmnist_utils.reports.load import list_reports, load_report
    from fmnist_utils.runs.record import RunError

    known = load_report(record.report).trainable if record.report in list_reports() else {}
    if record.experiment not in known:
        raise RunError(
            f"{record.filename}: there is no experiment {record.report}/{record.experiment}."
        )
    return known[record.experiment]


# --- Reports -------------------------------------------------------------------------------------


@app.command()
def reports() -> None:
    """List the reports of the book."""
    from fmnist_utils.reports.load import list_reports, load_report

    for report_id in list_reports():
        _say(f"{report_id}  {load_report(report_id).title}")


@app.command()
def report(report_id: ReportId) -> None:
    """Print every claim of a report with its verdict."""
    from fmnist_utils.reports.load import load_report
    from fmnist_utils.runs.store import RunStore
    from fmnist_utils.tables import judged
    from fmnist_utils.verdicts.collect import judge_report
    from fmnist_utils.verdicts.outcome import count_words

    loaded = load_report(report_id)
    verdicts = judge_report(loaded, RunStore())
    # The report's own claims come first; those of each experiment stand together.
    for experiment, group in itertools.groupby(verdicts, lambda verdict: verdict.experiment):
        title = loaded[experiment].title if experiment else f"{loaded.title}: data, comparisons"
        console.print(judged(group, title))
    counts = ((word, count) for word, count in count_words(verdicts).items() if count)
    _say(", ".join(f"{count} {word}" for word, count in counts))


@app.command()
def audit(
    report_id: Annotated[
        str | None, typer.Argument(help="Which report; all when none is named.", metavar="REPORT")
    ] = None,
) -> None:
    """Print where a report contradicts itself, cannot be right, or cannot be followed."""
    from fmnist_utils.audit import audit_report, count_severities
    from fmnist_utils.reports.load import list_reports, load_report
    from fmnist_utils.runs.store import RunStore
    from fmnist_utils.tables.report_tables import found_table

    for name in [report_id] if report_id else list_reports():
        loaded = load_report(name)
        found = audit_report(loaded, RunStore())
        console.print(found_table(found, loaded.title))
        counts = count_severities(found).items()
        _say(f"{name}: " + ", ".join(f"{count} {severity}" for severity, count in counts))
