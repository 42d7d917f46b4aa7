"""The folders that hold run records."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from fmnist_utils.records import write_whole
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import reports_folder
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import (
    Method,
    Run,
    RunError,
    _filename,
    fingerprint,
    read_run,
    valid_runs,
)

LOCAL_RUNS = Path("runs")
#: Folder of the runs of a search's trials, which are published as a table, not one by one.
TRIAL_RUNS = "executions"


class RunStore:
    """The folders that hold run records: one that is written, others that are only read.

    Parameters
    ----------
    written : pathlib.Path
        Where new runs go, one folder per report.
    published : pathlib.Path
        The package data, ``<report>/runs/*.json``.
    """

    def __init__(self, written: Path = LOCAL_RUNS, published: Path | None = None) -> None:
        self.written = written
        self.published = published or reports_folder()

    def files(self, report_id: str, pattern: str = "*.json") -> Iterator[Path]:
        """Yield the record files of a report, published ones first."""
        yield from sorted((self.published / report_id / "runs").glob(pattern))
        yield from sorted((self.written / report_id).glob(pattern))

    def all_runs(self, experiment: Experiment) -> list[Run]:
        """Read every record of an experiment, stale ones included."""
        files = self.files(experiment.report, f"{experiment.id}.seed*.json")
        return [read_run(path) for path in files]

    def runs(self, experiment: Experiment, method: Method | None = None) -> list[Run]:
        """Read the valid records of an experiment, one per seed, in order.

        `method` is the one by which the book trains the experiment, unless another is asked for.
        """
        return valid_runs(self.all_runs(experiment), experiment, method)

    def runs_of(self, report: Report) -> dict[str, list[Run]]:
        """Read the valid records of every experiment of a report, by the experiment's id."""
        return {name: self.runs(experiment) for name, experiment in report.experiments.items()}

    def missing(
        self, experiment: Experiment, seeds: Iterable[int], method: Method | None = None
    ) -> list[int]:
        """Return the seeds that have no valid run yet."""
        have = {run.seed for run in self.runs(experiment, method)}
        return [seed for seed in seeds if seed not in have]

    def add(self, run: Run) -> Path:
        """Write a run atomically: a killed process leaves no half file.

        Raises
        ------
        RunError
            When the folder cannot be written, or the disk is full.
        """
        return write_run(run, self.written / run.report)

    def path(self, experiment: Experiment, seed: int, method: Method | None = None) -> Path:
        """Return where the record of a run is written."""
        method = method or Method.of(experiment)
        name = _filename(experiment.id, seed, fingerprint(experiment), method)
        return self.written / experiment.report / name

    def check_writable(self) -> None:
        """Try to write into the folder of new runs, before anything is trained.

        Raises
        ------
        RunError
            When that cannot be done.
        """
        probe = self.written / ".writable"
        try:
            write_whole(probe, b"")
            probe.unlink()
        except OSError as error:
            raise RunError(
                f"Runs cannot be written to {self.written} ({error.strerror}): make the folder "
                "writable, or run the command in another one."
            ) from error

    def publish(self, run: Run, experiment: Experiment) -> bool:
        """Write a run into the package data, where it counts as evidence.

        Parameters
        ----------
        run : Run
            As it was read: its digest is checked again.
        experiment : Experiment
            The experiment that the run claims to be of.

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
        folder = self.published / experiment.report / "runs"
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


def write_run(run: Run, folder: Path) -> Path:
    """Write a sealed run into a folder, atomically, and return the file's path."""
    path = folder / run.filename
    text = run.sealed().model_dump_json(exclude_unset=True)
    try:
        write_whole(path, f"{text}\n".encode())
    except OSError as error:
        raise RunError(f"Run {path.name} cannot be written to {folder}: {error}.") from error
    return path
