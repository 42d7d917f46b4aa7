"""The ``fmnist`` command."""

from __future__ import annotations

import errno
import itertools
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from fmnist_utils.errors import FmnistError

if TYPE_CHECKING:
    from fmnist_utils.reports.experiment import Experiment
    from fmnist_utils.reports.findings import Finding
    from fmnist_utils.reports.report import Report
    from fmnist_utils.reports.search import Search
    from fmnist_utils.runs.record import Run
    from fmnist_utils.tuning import Trial, Trials
    from fmnist_utils.verdicts.outcome import Verdict

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


def _jobs_wanted(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) < 1:
        raise typer.BadParameter("give a whole number of at least 1, or auto")
    return int(text)


Jobs = Annotated[
    Any,
    typer.Option(
        "--jobs",
        parser=_jobs_wanted,
        metavar="N|auto",
        help="Train N runs side by side; auto: as many as cores and memory allow.",
    ),
]

Scheduler = Annotated[
    str | None, typer.Option(help="Train on a Dask cluster: the address of its scheduler.")
]


@app.command()
def run(
    report: ReportId,
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Which experiments; all when none is named.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train seeds 1 to N of each experiment.")] = 10,
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
    from fmnist_utils.campaign.jobs import missing_jobs
    from fmnist_utils.campaign.precision import jobs_for_precision
    from fmnist_utils.campaign.start import train_missing
    from fmnist_utils.runs.record import Method
    from fmnist_utils.runs.store import RunStore

    if unseeded and not plain_fit:
        raise FmnistError("--unseeded belongs to --plain-fit: our trainer shuffles every epoch.")
    chosen = _chosen(report, experiments)
    augmented = [item.id for item in chosen if item.training.augmentation]
    if plain_fit and augmented:
        raise FmnistError(f"--plain-fit takes no augmentation: leave out {', '.join(augmented)}.")

    def method(experiment: Experiment) -> Method:
        own = Method.of(experiment)
        return Method(precision or own.precision, plain_fit, unseeded)

    store, trained = RunStore(), 0
    missing = missing_jobs(store, chosen, range(1, seeds + 1), method)
    while missing:
        train_missing(
            missing, store, at_once=jobs, scheduler=scheduler, tracker=tracker, console=console
        )
        trained += len(missing)
        missing = jobs_for_precision(store, chosen, method) if until_precise else []
    if not trained:
        _say(f"Nothing to train: every experiment has its {seeds} seeds.")
    else:
        _say(f"{trained} runs written to {store.written}; publish with fmnist publish-runs.")


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
    from fmnist_utils.reports.load import load_report
    from fmnist_utils.tuning import TuningError, get_search, run_search

    loaded = load_report(report)
    chosen = [get_search(loaded, search_id)] if search_id else list(loaded.searches.values())
    if not chosen:
        raise TuningError(f"Report {report} has no searches.")
    for item in chosen:
        _say(f"{report}/{item.id}: {trials or item.trials} trials with {item.tool}")
        table = run_search(loaded, item, trials, at_once=jobs, scheduler=scheduler, console=console)
        _say(f"{len(table.trials)} trials finished, {len(table.failed)} could not be built.")


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
    # Runs and tables go by their names.
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
    from fmnist_utils.runs.store import TRIAL_RUNS

    outcomes: list[bool | None] = []
    paths = itertools.chain(*(place.rglob(pattern) for place in folders))
    for path in sorted(paths, key=_in_numbers):
        if TRIAL_RUNS in path.parts:
            continue
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
    from fmnist_utils.verdicts.collect import judge_report
    from fmnist_utils.verdicts.outcome import count_words

    loaded = load_report(report_id)
    verdicts = judge_report(loaded, RunStore())
    # The report's own claims come first; those of each experiment stand together.
    for experiment, group in itertools.groupby(verdicts, lambda verdict: verdict.experiment):
        title = loaded[experiment].title if experiment else f"{loaded.title}: data, comparisons"
        console.print(_claims_table(title, group))
    counts = ((word, count) for word, count in count_words(verdicts).items() if count)
    _say(", ".join(f"{count} {word}" for word, count in counts))


def _claims_table(title: str, verdicts: Iterable[Verdict]) -> Table:
    from fmnist_utils.tables import claim_text, interval_text, ours_text, reported_text

    table = Table(title=f"\n{title}", title_style="bold", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("claim", "reported", "reproduced", "95 % interval", "verdict", "where stated"):
        table.add_column(name)
    for verdict in verdicts:
        table.add_row(
            claim_text(verdict.claim),
            reported_text(verdict.claim),
            ours_text(verdict),
            interval_text(verdict),
            _coloured(verdict),
            verdict.claim.where,
        )
    return table


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

    for name in [report_id] if report_id else list_reports():
        loaded = load_report(name)
        findings = audit_report(loaded, RunStore())
        console.print(_findings_table(loaded.title, findings))
        counts = count_severities(findings).items()
        _say(f"{name}: " + ", ".join(f"{count} {severity}" for severity, count in counts))


def _findings_table(title: str, findings: Iterable[Finding]) -> Table:
    table = Table(title=f"\n{title}", title_style="bold", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("severity", "what is stated, or left out", "the arithmetic, or reason", "so"):
        table.add_column(name, ratio=None if name == "severity" else 1)
    for finding in findings:
        table.add_row(
            Text(finding.severity, _STYLES[finding.severity]),
            Text(f"{finding.claimed} ({finding.where})"),
            Text(finding.because),
            Text(finding.consequence),
            end_section=True,
        )
    return table


def _coloured(verdict: Verdict) -> Text:
    note = f" ({verdict.note})" if verdict.note else ""
    return Text(f"{verdict.word}{note}", _STYLES[verdict.word])


_STYLES = {
    "reproduced": "green",
    "equal": "green",
    "followed": "green",
    "close": "cyan",
    "consistent": "yellow",
    "consistent, imprecise": "yellow",
    "not reproduced": "red",
    "differs": "red",
    "pending": "dim",
    "not tested": "dim",
    "high": "red",
    "medium": "yellow",
    "low": "dim",
}
