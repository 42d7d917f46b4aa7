"""What counts as evidence: runs and searches are checked before they are published."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports import load
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.archive import unpacked
from fmnist_utils.runs.publish import Published, check_folders, publish_files, publish_run_file
from fmnist_utils.runs.reading import data_fault
from fmnist_utils.runs.store import LOCAL_RUNS, TRIAL_RUNS, records_folder
from fmnist_utils.tuning.local import LOCAL_SEARCHES, LocalSearch
from fmnist_utils.tuning.trials import (
    Trials,
    TuningError,
    check_trials,
    get_search,
    published_path,
    published_trials,
    write_trials,
)


def publish_new(folder: Path | None, file: Path | None) -> tuple[Published, Published]:
    """Publish the runs and the searches of a folder, of a file of `pack`, or of the usual folders.

    Errors are those of `check_folders` and `unpacked`.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Where new records are, at any depth.
    file : pathlib.Path, optional
        One that `pack` wrote.
    """
    if folder and file:
        raise FmnistError("Runs are published from a folder or from a file: give one of them.")
    with ExitStack() as stack:
        if file:
            folders = [stack.enter_context(unpacked(file))]
        else:
            folders = [folder] if folder else [*map(records_folder, (LOCAL_RUNS, LOCAL_SEARCHES))]
        check_folders(folders)
        return (
            publish_files(folders, "*.seed*.json", publish_run_file),
            publish_files(folders, TRIAL_RUNS, publish_search),
        )


def publish_search(folder: Path) -> bool | None:
    """Publish what the runs of a search's trials give, as `publish_trials` does.

    None when no trial is finished. What is not published yet is held against the data set.
    """
    *_, report_id, name, _ = folder.absolute().parts
    search_id = name.rpartition(".")[0]
    if report_id not in load.list_reports():
        raise TuningError(f"{report_id}/{search_id}: there is no report {report_id}.")
    report = load.load_report(report_id)
    here = LocalSearch(report, get_search(report, search_id), folder.absolute().parents[2])
    if here.folder.parent.name != name:
        raise TuningError(f"{folder} is stale: it is not what {report_id}/{search_id} tries now.")
    table = here.table()
    if not table.trials:
        return None
    for planned in here.plan[: len(table.trials)]:
        for run in here.runs(planned):
            if not run.diverged and (what := data_fault(run, planned.experiment)):
                raise TuningError(
                    f"{report_id}/{search_id}: trial {planned.trial.number} rests on "
                    f"{run.filename}, which cannot be: {what}."
                )
    return publish_trials(report, table)


def publish_trials(report: Report, table: Trials) -> bool:
    """Write a table of trials into the package data; False when the very same is there already.

    Parameters
    ----------
    report : Report
        The report that the table claims to be of.
    table : Trials
        As it was computed: it is checked by `check_trials`.

    Raises
    ------
    TuningError
        When the table is no evidence (`check_trials`), lacks or contradicts a trial that is
        published, cannot be written, or has a new trial whose code was of no known commit: nobody
        else could have trained it again.
    """
    search = check_trials(report, table)
    published = published_trials(report, search)
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
    write_trials(table, published_path(report, search))
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
