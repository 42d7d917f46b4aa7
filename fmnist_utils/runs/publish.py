"""What counts as evidence: runs are checked before they are copied into the package."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports import load
from fmnist_utils.reports.experiment import OWN, Experiment
from fmnist_utils.runs.reading import data_fault, fault, protocol_fault, read_run
from fmnist_utils.runs.record import Run, RunError, fingerprint
from fmnist_utils.runs.store import STORE, TRIAL_RUNS, RunStore, write_run


class Published(NamedTuple):
    """What became of some files: how many are new, how many were there, why others are refused."""

    new: int
    known: int
    refused: list[str]


def publish_files(
    folders: Iterable[Path], pattern: str, publish: Callable[[Path], bool | None]
) -> Published:
    """Publish every file of a pattern below some folders, and collect why one is refused.

    Parameters
    ----------
    folders : iterable of pathlib.Path
    pattern : str
        Such as ``*.seed*.json``.
    publish : callable
        Publishes one file, or folder, and returns False when it is published already.
    """
    outcomes, refused = [], []
    paths = [
        path
        for folder in folders
        for path in folder.rglob(pattern)
        # A search publishes its table, not each training.
        if TRIAL_RUNS not in path.relative_to(folder).parent.parts
    ]
    for path in sorted(paths, key=_by_numbers):
        try:
            outcomes.append(publish(path))
        except FmnistError as error:
            refused.append(str(error))
    return Published(outcomes.count(True), outcomes.count(False), refused)


def _by_numbers(path: Path) -> list[str]:
    """Order names so that seed 100 comes after seed 11, as no seed may be left out."""
    # No number in a name has more than nine digits.
    return [part.zfill(9) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def is_checkout() -> bool:
    """Whether the package lies where runs can be published: pip would replace a copy of its own."""
    package = STORE.published
    installed = {"site-packages", "dist-packages"} & set(package.parts)
    return not installed and os.access(package, os.W_OK)


def check_folders(folders: Sequence[Path]) -> None:
    """Refuse to publish from no folder, or into a package that is no checkout."""
    if not is_checkout():
        raise FmnistError(
            f"The package in {STORE.published} is no checkout that can be written: publish from a "
            "clone of the repository, installed with pip install -e; or make a file to send in, "
            "with fmnist export-runs runs.zip."
        )
    if not any(folder.is_dir() for folder in folders):
        names = " or ".join(map(str, folders))
        raise FmnistError(f"There is no folder {names}: name the one that holds the new runs.")


def publish_run_file(path: Path) -> bool:
    """Publish the run that a file holds, as `publish_run` does."""
    run = read_run(path)
    known = load.load_report(run.report).trainable if run.report in load.list_reports() else {}
    if run.experiment not in known and OWN in run.experiment:
        raise RunError(
            f"{run.filename} is of an experiment of your own, which no report states: it is no "
            f"evidence, and stays in {path.parent}."
        )
    if run.experiment not in known:
        raise RunError(f"{run.filename}: there is no experiment {run.report}/{run.experiment}.")
    return publish_run(run, known[run.experiment], STORE, path.parent)


def publish_run(
    run: Run, experiment: Experiment, store: RunStore, beside: Path | None = None
) -> bool:
    """Write a run into the package data, where it counts as evidence.

    Parameters
    ----------
    run : Run
        As it was read: its digest is checked again.
    experiment : Experiment
        The experiment that the run claims to be of.
    store : RunStore
        Whose published runs it joins.
    beside : pathlib.Path, optional
        The folder that it comes from: where an earlier seed in it diverged, that is said.

    Returns
    -------
    bool
        False when the very same run is published already.

    Raises
    ------
    RunError
        When the run is edited, stale, diverged, or impossible by itself (`fault`), under the
        experiment's protocol (`protocol_fault`) or for the data set (`data_fault`); when it differs
        from the published run of the same seed, or would leave a gap: seeds are published from 1
        upwards for each method, so that nobody can choose the runs that please. Also when its code
        was of no known commit: nobody else could have trained it again.
    """
    if not run.is_intact:
        raise RunError(f"{run.filename} does not fit its own digest.")
    if run.fingerprint != fingerprint(experiment):
        raise RunError(f"{run.filename} is stale: it is not what the experiment trains now.")
    if what := fault(run) or protocol_fault(run, experiment) or data_fault(run, experiment):
        raise RunError(f"{run.filename} cannot be what a training left behind: {what}.")
    if run.diverged:
        raise RunError(
            f"{run.filename} diverged, a loss is not finite: seed {run.seed} is no evidence, and "
            "no later seed is published without it; change the experiment's protocol, such as its "
            "learning rate, and train every seed again."
        )
    folder = store.published / experiment.report / "runs"
    suffix = run.provenance.method.file_suffix
    pattern = f"{experiment.id}.seed*.{run.fingerprint[:8]}{suffix}"
    published = {other.seed: other for other in map(read_run, folder.glob(pattern))}
    if run.seed in published:
        if published[run.seed].digest == run.digest:
            return False
        raise RunError(f"{run.filename} differs from the published run of seed {run.seed}.")
    if not run.provenance.is_committed:
        raise RunError(
            f"{run.filename} was trained by code of no commit ({run.provenance.revision:.40}): "
            "commit what is changed, delete the record and train it again from a clone."
        )
    first_missing = min(set(range(1, len(published) + 2)) - set(published))
    if run.seed != first_missing:
        earlier = beside and beside / run.model_copy(update={"seed": first_missing}).filename
        diverged = earlier and earlier.exists() and read_run(earlier).diverged
        raise RunError(
            f"{run.filename} would leave a gap: seed {first_missing} "
            f"{'diverged' if diverged else 'has not been published'}."
        )
    write_run(run, folder)
    return True
