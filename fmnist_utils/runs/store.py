"""The folders that hold run records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fmnist_utils.records import write_atomically
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import reports_folder
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.reading import read_run, valid_runs
from fmnist_utils.runs.record import Method, Run, RunError, _filename, fingerprint

LOCAL_RUNS = Path("runs")
#: Where Colab shows the user's Drive once it is mounted; what lies elsewhere ends with the session.
DRIVE = Path("/content/drive/MyDrive")
#: Bytes that must be free: a few records. A checkpoint may take a hundred times as much.
_ROOM = 1_000_000
#: Folder of the runs of a search's trials, which are published as a table, not one by one.
TRIAL_RUNS = "executions"


def records_folder(folder: Path) -> Path:
    """Return where a folder of new records is: in the user's Drive if Colab has it, else here."""
    return DRIVE / "fmnist-utils" / folder if DRIVE.is_dir() else folder


class RunStore:
    """The folders that hold run records: one that is written, others that are only read.

    Parameters
    ----------
    written : pathlib.Path, optional
        Where new runs go, one folder per report; by default ``./runs``, see `records_folder`.
    published : pathlib.Path
        The package data, ``<report>/runs/*.json``.
    """

    def __init__(self, written: Path | None = None, published: Path | None = None) -> None:
        self._written = written
        self._published = published

    @property
    def written(self) -> Path:
        """Where new runs go; Drive may be mounted at any time."""
        return self._written or records_folder(LOCAL_RUNS)

    @property
    def published(self) -> Path:
        """Where the shipped runs are."""
        return self._published or reports_folder()

    def files(self, report_id: str, pattern: str = "*.json") -> Iterator[Path]:
        """Yield the record files of a report, published ones first.

        Parameters
        ----------
        report_id : str
            Whose runs.
        pattern : str
            What the names of files match, as in a shell.
        """
        yield from sorted((self.published / report_id / "runs").glob(pattern))
        yield from sorted((self.written / report_id).glob(pattern))

    def all_runs(self, experiment: Experiment) -> list[Run]:
        """Read every record of an experiment, stale ones included."""
        files = self.files(experiment.report, f"{experiment.id}.seed*.json")
        return [read_run(path, experiment.report) for path in files]

    def runs(self, experiment: Experiment, method: Method | None = None) -> list[Run]:
        """Read the valid records of an experiment, one per seed, in order.

        Parameters
        ----------
        experiment : Experiment
            As it is now; records of what it was before are left out.
        method : Method, optional
            The one by which the book trains the experiment by default.
        """
        return valid_runs(self.all_runs(experiment), experiment, method)

    def runs_of(self, report: Report) -> dict[str, list[Run]]:
        """Read the valid records of every experiment of a report, by the experiment's id.

        Those of variants are there too where a claim is held against them.
        """
        return {name: self.runs(report[name]) for name in (*report.experiments, *report.compared)}

    def missing(
        self, experiment: Experiment, seeds: Iterable[int], method: Method | None = None
    ) -> list[int]:
        """Return the seeds that have no valid run yet.

        Parameters
        ----------
        experiment : Experiment
            What is to be trained.
        seeds : iterable of int
            Those that are wanted; their order is kept.
        method : Method, optional
            The one by which the book trains the experiment by default.
        """
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
        """Return where the record of a run is written.

        Parameters
        ----------
        experiment : Experiment
            What is trained; the name holds its fingerprint.
        seed : int
            Of the run.
        method : Method, optional
            The one by which the book trains the experiment by default.
        """
        method = method or Method.of(experiment)
        name = _filename(experiment.id, seed, fingerprint(experiment), method)
        return self.written / experiment.report / name

    def check_writable(self, reports: Iterable[str] = ()) -> None:
        """Try to write where the runs of some reports will go, before anything is trained.

        Raises
        ------
        RunError
            When that cannot be done, or when the disk has no room for a few records.
        """
        for folder in {self.written, *(self.written / report for report in reports)}:
            probe = folder / f".writable-{os.getpid()}"
            try:
                write_atomically(probe, bytes(_ROOM))
                probe.unlink(missing_ok=True)  # another container may share folder and pid
            except OSError as error:
                raise RunError(
                    f"Runs cannot be written to {folder} ({error.strerror}): make room, make the "
                    "folder writable, or run the command in another one."
                ) from error


#: The runs shipped with the package, and new ones in ``./runs``.
STORE = RunStore()


def write_run(run: Run, folder: Path) -> Path:
    """Write a run with its digest into a folder, atomically, and return the file's path.

    Parameters
    ----------
    run : Run
        Its digest is filled in here.
    folder : pathlib.Path
        Made when missing.
    """
    path = folder / run.filename
    text = run.with_digest().model_dump_json(exclude_unset=True)
    try:
        write_atomically(path, f"{text}\n".encode())
    except OSError as error:
        raise RunError(
            f"Run {path.name} cannot be written to {folder}: {error.strerror or error}."
        ) from error
    return path
