"""Running a search: a tool draws, we train, and the table is written anew after every trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Search
from fmnist_utils.training.interrupts import ctrl_c_at_checks
from fmnist_utils.tuning.evidence import fault
from fmnist_utils.tuning.trials import (
    Trial,
    Trials,
    TuningError,
    published_path,
    read_trials,
    search_fingerprint,
    table_path,
    write_trials,
)
from fmnist_utils.tuning.with_keras_tuner import run_keras_tuner
from fmnist_utils.tuning.with_optuna import run_optuna
from fmnist_utils.tuning.work import Work


def run_search(
    report: Report,
    search: Search,
    data: FashionMNIST,
    folder: Path,
    trials: int | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    storage: str | None = None,
) -> Trials:
    """Run a search, or go on where it stopped.

    The same seed draws the same combinations, however often the search is cut short; those that
    are published are not trained again.

    Parameters
    ----------
    report, search
        What to search.
    data : FashionMNIST
        The images.
    folder : pathlib.Path
        Where the tool keeps its books and we the table; made when missing.
    trials : int, optional
        Stop after so many; by default, and at most, the search's own number.
    on_trial : callable, optional
        Told of every trial that is finished, after it is on disk.
    storage : str, optional
        For Optuna: the URL of a database that several machines share. By default SQLite in
        `folder`, which is for one process at a time.

    Returns
    -------
    Trials
        All that are finished; ``trials.json`` holds the same.

    Raises
    ------
    TuningError
        When the tool is not installed, the storage cannot be opened or is lost, the tool's books,
        a record or the published table are damaged, the disk is full, or more trials are asked for
        than the search has.
    KeyboardInterrupt
        After Ctrl-C, between two batches; finished trials are kept.
    """
    wanted = search.trials if trials is None else trials
    if not 1 <= wanted <= search.trials:
        raise TuningError(f"Search {search.id} has {search.trials} trials: ask for 1 to as many.")
    if storage is not None and search.tool != "optuna":
        raise TuningError(f"Search {search.id} runs in KerasTuner, which takes no storage URL.")
    path = table_path(report, search, folder, data.fingerprint)
    with ctrl_c_at_checks() as check:

        def tell(trial: Trial, every: Iterable[Trial]) -> None:
            _write_table(report, search, data, path, every)
            work.forget(trial)
            if on_trial is not None:
                on_trial(trial)
            check()

        published = _published_trials(report, search, data)
        work = Work(report, search, data, path.parent, wanted, storage, published, tell)
        run_tool = {"optuna": run_optuna, "keras-tuner": run_keras_tuner}[search.tool]
        every = run_tool(work)
        return _write_table(report, search, data, path, every)


def _write_table(
    report: Report, search: Search, data: FashionMNIST, path: Path, trials: Iterable[Trial]
) -> Trials:
    by_number = {trial.number: trial for trial in trials}
    table = Trials(
        report=report.id,
        search=search.id,
        objective=search.objective,
        fingerprint=search_fingerprint(report, search, data.fingerprint),
        trials=tuple(by_number[number] for number in sorted(by_number)),
    ).sealed()
    write_trials(table, path)
    return table


def _published_trials(report: Report, search: Search, data: FashionMNIST) -> dict[int, Trial]:
    """Read the published trials that the search can take over, by number."""
    path = published_path(report, search)
    table = read_trials(path) if path.exists() else None
    if table is None or table.fingerprint != search_fingerprint(report, search, data.fingerprint):
        return {}
    return {trial.number: trial for trial in table.trials if not fault(report, search, trial)}
