"""What counts as evidence: tables of trials are checked before they are published."""

from __future__ import annotations

from pathlib import Path

from fmnist_utils.models.layer_rules import too_small
from fmnist_utils.reports import load
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Parameter, Search, Setting
from fmnist_utils.runs.reading import data_fault
from fmnist_utils.runs.store import TRIAL_RUNS, RunStore
from fmnist_utils.runs.trials import (
    Execution,
    Trial,
    Trials,
    TuningError,
    get_search,
    published_path,
    read_table,
    read_trials,
    search_fingerprint,
    write_trials,
)


def check_trials(report: Report, table: Trials, search: Search | None = None) -> Search:
    """Check that a table of trials is evidence for a search as it is now.

    Parameters
    ----------
    report : Report
        The report that the table claims to be of.
    table : Trials
        Finished, or the first trials only.
    search : Search, optional
        By default the one of the report that the table names.

    Returns
    -------
    Search
        The search that it is of.

    Raises
    ------
    TuningError
        When the table is edited or stale, of no search of the report, leaves a trial out, or holds
        one that the search cannot have drawn or trained.
    """
    name = f"{report.id}/{table.search}"
    search = search or get_search(report, table.search)
    if not table.is_intact:
        raise TuningError(f"The table of {name} does not fit its own digest: it was edited.")
    if table.fingerprint != search_fingerprint(report, search):
        raise TuningError(f"The table of {name} is stale: it is not what the search tries now.")
    if table.objective != search.objective:
        raise TuningError(f"The table of {name} says that the objective is {table.objective}.")
    if not table.trials:
        raise TuningError(f"The table of {name} holds no trial.")
    numbers = [trial.number for trial in table.trials]
    # As with the seeds of runs: nobody can leave out the trials that do not please.
    if numbers != list(range(1, min(len(numbers), search.trials) + 1)):
        raise TuningError(
            f"The trials of {name} are not numbered from 1 to at most {search.trials} without "
            "a gap: finish the search first."
        )
    for what in (fault(report, search, trial) for trial in table.trials):
        if what is not None:
            raise TuningError(f"{name}: {what}; delete its folder and search again.")
    return search


def fault(report: Report, search: Search, trial: Trial) -> str | None:
    """Say why a trial is no evidence for a search; None when it is.

    Parameters
    ----------
    report : Report
        Whose experiment is varied.
    search : Search
        What the trial must be a draw of.
    trial : Trial
        One row of the table.
    """
    who, settings = f"trial {trial.number}", trial.settings
    if settings.keys() != search.space.keys():
        return f"{who} does not set what the search varies"
    for name, item in search.space.items():
        if not _can_be_drawn(item, settings[name]):
            return f"{who} has {name} {settings[name]!r:.60}, which the search cannot draw"
    times_trained = 0 if trial.failure else search.executions
    if len(trial.executions) != times_trained:
        return f"{who} was trained {len(trial.executions)} times, not {times_trained}"
    if not trial.executions:
        return None
    base = report.experiments[search.of]
    last = search.vary(base, settings).training.epochs
    if any(item.epoch > last for item in trial.executions):
        return f"{who} is best after more than its {last} epochs"
    precision = base.precision
    if trial.provenance is None or trial.provenance.precision != precision:
        return f"{who} was not trained in {precision}, as the experiment is"
    return None


def _can_be_drawn(item: Parameter, value: Setting) -> bool:
    if item.step is not None or item.low is None or item.high is None:
        return value in item.values
    return isinstance(value, int | float) and item.low <= value <= item.high


def publish_table(path: Path) -> bool:
    """Publish the table of trials that a file holds, as `publish_trials` does.

    What is not published yet is recomputed from the run records beside the file.
    """
    table = read_trials(path)
    if table.report not in load.list_reports():
        raise TuningError(f"{table.report}/{table.search}: there is no report {table.report}.")
    report = load.load_report(table.report)
    search, store = check_trials(report, table), RunStore(path.parent / TRIAL_RUNS)
    published = read_table(report, search, published_path(report, search))
    for trial in table.trials[len(published.trials) if published else 0 :]:
        if what := _unlike_its_runs(report, search, trial, store):
            raise TuningError(f"{table.report}/{table.search}: trial {trial.number} {what}.")
    return publish_trials(report, table)


def _unlike_its_runs(report: Report, search: Search, trial: Trial, store: RunStore) -> str | None:
    """Say what a trial's run records, or its network, do not bear out; None when all fits."""
    base = report.experiments[search.of]
    experiment = search.vary(base, trial.settings, f"{search.id}-{trial.number}")
    if trial.failure is not None:
        return None if too_small(experiment.model) else "can be built, and says that it cannot"
    runs = store.runs(experiment)
    if len(runs) < len(trial.executions):
        return f"cannot be recomputed: there are not all of its run records in {store.written}"
    for run in runs:
        if not run.diverged and (what := data_fault(run, experiment)):
            return f"rests on {run.filename}, which cannot be: {what}"
    # As text, for NaN is not NaN.
    if str(trial.executions) != str(tuple(Execution.of(run, search.objective) for run in runs)):
        return f"is not what its run records in {store.written} say"
    return None


def publish_trials(report: Report, table: Trials) -> bool:
    """Write a table of trials into the package data, where it counts as evidence.

    Parameters
    ----------
    report : Report
        The report that the table claims to be of.
    table : Trials
        As it was read: it is checked by `check_trials`.

    Returns
    -------
    bool
        False when the very same table is published already.

    Raises
    ------
    TuningError
        When the table is no evidence, lacks or contradicts a trial that is published, cannot be
        written, or has a new trial whose code was of no known commit: nobody else could have
        trained it again.
    """
    search = check_trials(report, table)
    path = published_path(report, search)
    published = read_table(report, search, path)
    if published:
        if published.digest == table.digest:
            return False
        _check_keeps(table, published)
    for trial in table.trials[len(published.trials) if published else 0 :]:
        if trial.provenance and not trial.provenance.is_committed:
            raise TuningError(
                f"{report.id}/{search.id}: trial {trial.number} was trained by code of no commit "
                f"({trial.provenance.revision:.40}): commit what is changed, delete its folder and "
                "search again from a clone."
            )
    write_trials(table, path)
    return True


def _check_keeps(table: Trials, published: Trials) -> None:
    """Refuse a table that would lose finished evidence."""
    name = f"{table.report}/{table.search}"
    if published.fingerprint != table.fingerprint:
        raise TuningError(
            f"{table.report}/searches/{table.search}.json is of an earlier version of the search: "
            "delete it before another is published."
        )
    n, known = len(table.trials), len(published.trials)
    if n < known:
        raise TuningError(
            f"The table of {name} has {n} trials, and {known} are published: "
            f"fmnist search {table.report} {table.search} goes on from those."
        )
    if (number := table.differing(published)) is not None:
        raise TuningError(f"{name}: trial {number} differs from the published one.")
