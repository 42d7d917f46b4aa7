"""What counts as evidence: runs are checked before they are copied into the package."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports import load
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.runs.record import Run, RunError, fingerprint, read_run
from fmnist_utils.runs.store import STORE, TRIAL_RUNS, RunStore, write_run


class Published(NamedTuple):
    """What became of some files: how many are new, how many were there, why others are refused."""

    new: int
    known: int
    refused: list[str]


def publish_files(
    folders: Iterable[Path], pattern: str, publish: Callable[[Path], bool]
) -> Published:
    """Publish every file of a pattern below some folders, and collect why one is refused.

    Parameters
    ----------
    folders : iterable of pathlib.Path
    pattern : str
        Such as ``*.seed*.json``.
    publish : callable
        Publishes one file, and returns False when it is published already.
    """
    outcomes, refused = [], []
    paths = itertools.chain(*(folder.rglob(pattern) for folder in folders))
    for path in sorted(paths, key=_by_numbers):
        if TRIAL_RUNS in path.parts:  # a search publishes its table, not each training
            continue
        try:
            outcomes.append(publish(path))
        except FmnistError as error:
            refused.append(str(error))
    return Published(outcomes.count(True), outcomes.count(False), refused)


def _by_numbers(path: Path) -> list[str]:
    """Order names so that seed 100 comes after seed 11, as no seed may be left out."""
    # No number in a name has more than nine digits.
    return [part.zfill(9) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def check_folders(folders: Sequence[Path]) -> None:
    """Refuse to publish from no folder, or into a package that is no checkout."""
    package = STORE.published
    installed = {"site-packages", "dist-packages"} & set(package.parts)
    if installed or not os.access(package, os.W_OK):
        raise FmnistError(
            f"The package in {package} is no checkout that can be written: publish from a clone "
            "of the repository, installed with pip install -e."
        )
    if not any(folder.is_dir() for folder in folders):
        names = " or ".join(map(str, folders))
        raise FmnistError(f"There is no folder {names}: name the one that holds the new runs.")


def publish_run_file(path: Path) -> bool:
    """Publish the run that a file holds, as `publish_run` does."""
    run = read_run(path)
    known = load.load_report(run.report).trainable if run.report in load.list_reports() else {}
    if run.experiment not in known:
        raise RunError(f"{run.filename}: there is no experiment {run.report}/{run.experiment}.")
    return publish_run(run, known[run.experiment], STORE)


def publish_run(run: Run, experiment: Experiment, store: RunStore) -> bool:
    """Write a run into the package data, where it counts as evidence.

    Parameters
    ----------
    run : Run
        As it was read: its digest is checked again.
    experiment : Experiment
        The experiment that the run claims to be of.
    store : RunStore
        Whose published runs it joins.

    Returns
    -------
    bool
        False when the very same run is published already.

    Raises
    ------
    RunError
        When the run is edited, stale, not finite, differs from the published run of the same
        seed, or would leave a gap: seeds are published from 1 upwards for each method, so
        that nobody can choose the runs that please.
    """
    if not run.is_intact:
        raise RunError(f"{run.filename} does not fit its own digest.")
    if run.fingerprint != fingerprint(experiment):
        raise RunError(f"{run.filename} is stale: it is not what the experiment trains now.")
    if not _is_finite(run):
        raise RunError(f"{run.filename} holds a loss or an accuracy that is not finite.")
    folder = store.published / experiment.report / "runs"
    ending = run.provenance.method.ending
    pattern = f"{experiment.id}.seed*.{run.fingerprint[:8]}{ending}"
    published = {other.seed: other for other in map(read_run, folder.glob(pattern))}
    if run.seed in published:
        if published[run.seed].digest == run.digest:
            return False
        raise RunError(f"{run.filename} differs from the published run of seed {run.seed}.")
    first_missing = min(set(range(1, len(published) + 2)) - set(published))
    if run.seed != first_missing:
        raise RunError(
            f"{run.filename} would leave a gap: seed {first_missing} has not been published."
        )
    write_run(run, folder)
    return True


def _is_finite(run: Run) -> bool:
    parts = [(snap.train, snap.validation, snap.test) for snap in (run.final, run.best)]
    values = [(part.loss, part.accuracy) for part in itertools.chain(*parts)]
    return all(map(math.isfinite, itertools.chain(*values, *run.history.values())))
