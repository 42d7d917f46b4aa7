"""What counts as evidence: tables of trials are checked before they are published."""

from __future__ import annotations

from pathlib import Path

from fmnist_utils.reports import load
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Parameter, Search, Setting
from fmnist_utils.tuning.trials import (
    Trial,
    Trials,
    TuningError,
    get_search,
    published_path,
    read_trials,
    search_fingerprint,
    write_trials,
)


def check_trials(report: Report, table: Trials) -> Search:
    """Check that a table of trials is evidence for a search as it is now.

    Parameters
    ----------
    report : Report
        The report that the table claims to be of.
    table : Trials
        Finished, or the first trials only.

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
    search = get_search(report, table.search)
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
    """Say why a trial is no evidence for a search; None when it is."""
    who, settings = f"trial {trial.number}", trial.settings
    if settings.keys() != search.space.keys():
        return f"{who} does not set what the search varies"
    for name, item in search.space.items():
        if not _can_be_drawn(item, settings[name]):
            return f"{who} has {name} {settings[name]!r}, which the search cannot draw"
    times_trained = 0 if trial.failure else search.executions
    if len(trial.executions) != times_trained:
        return f"{who} was trained {len(trial.executions)} times, not {times_trained}"
    if not trial.executions:
        return None
    precision = report.experiments[search.of].precision
    if trial.provenance is None or trial.provenance.precision != precision:
        return f"{who} was not trained in {precision}, as the experiment is"
    return None


def _can_be_drawn(item: Parameter, value: Setting) -> bool:
    if item.step is not None or item.low is None or item.high is None:
        return value in item.values
    return isinstance(value, int | float) and item.low <= value <= item.high


def publish_table(path: Path) -> bool:
    """Publish the table of trials that a file holds, as `publish_trials` does."""
    table = read_trials(path)
    if table.report not in load.list_reports():
        raise TuningError(f"{table.report}/{table.search}: there is no report {table.report}.")
    return publish_trials(load.load_report(table.report), table)


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
        When the table is no evidence, lacks or contradicts a trial that is published, or cannot
        be written.
    """
    path = published_path(report, check_trials(report, table))
    if path.exists():
        published = read_trials(path)
        if published.digest == table.digest:
            return False
        _check_keeps(table, published)
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
    for ours, theirs in zip(table.trials, published.trials, strict=False):
        if ours.model_dump_json() != theirs.model_dump_json():  # as text, for NaN is not NaN
            raise TuningError(f"{name}: trial {ours.number} differs from the published one.")
