"""The reports' hyperparameter searches: run by KerasTuner or Optuna, kept as one table of trials.

The tool draws the combinations and keeps the books, so that a search that was cut short goes on;
each combination is trained by `training.train`. What a trial found is stored with the tool's own
record of it, and the table is written anew after every trial: reading it needs neither tool.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from fmnist_utils.arithmetic import times
from fmnist_utils.backend import import_keras
from fmnist_utils.data import FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.files import write_whole
from fmnist_utils.interrupts import ctrl_c_at_checks
from fmnist_utils.models import CNN, MLP
from fmnist_utils.reports import Experiment, Report, reports_folder
from fmnist_utils.reports.search import Parameter, Scalar, Search, Setting
from fmnist_utils.runs import Provenance, fingerprint
from fmnist_utils.sealed import Sealed, sha256
from fmnist_utils.strict import Strict
from fmnist_utils.training import train

if TYPE_CHECKING:
    import keras_tuner
    import optuna

LOCAL_SEARCHES = Path("searches")
TABLE = "trials.json"

_PACKAGES = {"keras-tuner": "keras_tuner", "optuna": "optuna"}
#: A trial on another machine counts as dead after two of these, in seconds, without a sign of life.
_HEARTBEAT = 60


class TuningError(FmnistError):
    """A search that cannot be run, or a table of trials that cannot be trusted."""


# --- what a search leaves behind -----------------------------------------------------------------


class Execution(Strict):
    """One training within a trial.

    Attributes
    ----------
    score : float
        The search's objective at its best epoch: a fraction of images, or nats per image.
    epoch : int
        That epoch, counted from 1.
    test_accuracy : float
        Fraction of the test images, at the epoch that the protocol keeps; it chooses nothing.
    seconds : float
        Wall-clock time of all epochs.
    """

    seed: int
    score: float
    epoch: int
    test_accuracy: float
    seconds: float


class Trial(Strict):
    """One combination that was drawn, and what came of it.

    Attributes
    ----------
    number : int
        In the order of drawing, from 1.
    settings : dict
        Parameter to value.
    executions : tuple of Execution
        None where the combination cannot be built.
    failure : str
        Why it cannot be built.
    """

    number: int
    settings: dict[str, Setting]
    executions: tuple[Execution, ...] = ()
    failure: str | None = None
    provenance: Provenance | None = None

    @property
    def score(self) -> float | None:
        """Mean of the executions' scores, as KerasTuner has it; None when nothing was trained."""
        scores = [execution.score for execution in self.executions]
        return math.fsum(scores) / len(scores) if scores else None

    def sentence(self, of: int) -> str:
        """Say which trial of how many it is, its scores and how long it took."""
        if self.failure is not None:
            return f"trial {self.number} of {of}: cannot be built: {self.failure}"
        scores = ", ".join(f"{item.score:.4f}" for item in self.executions)
        seconds = sum(item.seconds for item in self.executions)
        return f"trial {self.number} of {of}: {self.score:.4f} ({scores}), {seconds:.0f} s"


class Trials(Sealed):
    """The table of a search's trials, in the order of drawing.

    `fingerprint` identifies what the search tries, `digest` is the SHA-256 of all other fields.
    """

    report: str
    search: str
    objective: str
    fingerprint: str
    trials: tuple[Trial, ...]

    @property
    def scores(self) -> list[float]:
        """Scores of the trials that were trained, in the order of drawing."""
        return [trial.score for trial in self.trials if trial.score is not None]

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that could not be built."""
        return tuple(trial for trial in self.trials if trial.failure is not None)

    @property
    def ranked(self) -> list[Trial]:
        """The trials that were trained, best first; one that diverged (NaN) comes last."""
        sign = -1 if self.objective == "val_accuracy" else 1

        def place(trial: Trial) -> tuple[bool, float]:
            score = trial.score or 0.0
            return math.isnan(score), sign * score

        return sorted((trial for trial in self.trials if trial.executions), key=place)


def search_fingerprint(report: Report, search: Search, images: str | None = None) -> str:
    """Identify what a search tries: its space, draws and trainings, but not how many trials.

    `images` is the fingerprint of the images; that of the official data set by default.
    """
    base = search.vary(report.experiments[search.of], {})
    content = search.model_dump(
        mode="json", include={"tool", "objective", "executions", "seed", "space"}, exclude_none=True
    )
    return sha256({"experiment": fingerprint(base, images), "search": content})[:16]


def read_trials(path: Path) -> Trials:
    """Read one table of trials.

    Raises
    ------
    TuningError
        When the file is damaged or was edited by hand.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        table = Trials.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise TuningError(f"{name} is no table of trials; delete it and search again.") from error
    if not table.is_intact:
        raise TuningError(f"{name} does not fit its own digest: it was edited or damaged.")
    return table


def write_trials(table: Trials, path: Path) -> None:
    """Write one table of trials, atomically.

    Raises
    ------
    TuningError
        When the folder cannot be written, or the disk is full.
    """
    _write("table", path, table)


def _write(what: str, path: Path, content: Strict) -> None:
    try:
        write_whole(path, f"{content.model_dump_json(exclude_unset=True)}\n".encode())
    except OSError as error:
        raise TuningError(f"The {what} {path} cannot be written: {error}.") from error


def load_trials(report: Report, search_id: str, local: Path = LOCAL_SEARCHES) -> Trials | None:
    """Read the trials of a search: the published or the local ones, whichever are more.

    There may be fewer than ``search.trials``: a search that is not finished is of use already.

    Parameters
    ----------
    report : Report
    search_id : str
        One of ``report.searches``.
    local : pathlib.Path
        Where `fmnist search` writes, one folder per report.

    Returns
    -------
    Trials or None
        None when there are none yet.

    Raises
    ------
    TuningError
        When there is no such search, or a table is damaged, or the published one is stale.
    """
    found = find_trials(report, search_id, local)
    return found[1] if found else None


def find_trials(
    report: Report, search_id: str, local: Path = LOCAL_SEARCHES
) -> tuple[Path, Trials] | None:
    """Read what `load_trials` reads, and say in which file it stands."""
    search = get_search(report, search_id)
    wanted = search_fingerprint(report, search)
    published = published_path(report, search)
    paths = (published, table_path(report, search, local / report.id))
    tables = {path: read_trials(path) for path in paths if path.exists()}
    if published in tables and tables[published].fingerprint != wanted:
        raise TuningError(
            f"{report.id}/searches/{published.name} is stale: it is not what the search tries "
            f"now; delete it and run fmnist search {report.id} {search.id} again."
        )
    valid = [item for item in tables.items() if item[1].fingerprint == wanted]
    return max(valid, key=lambda item: len(item[1].trials), default=None)


def get_search(report: Report, search_id: str) -> Search:
    """Return a search of a report by its id.

    Raises
    ------
    TuningError
        With the known ids, when there is no such search.
    """
    if search_id not in report.searches:
        known = f"it has {', '.join(report.searches)}" if report.searches else "it has none"
        raise TuningError(f"Report {report.id} has no search {search_id!r}; {known}.")
    return report.searches[search_id]


def published_path(report: Report, search: Search) -> Path:
    """Return where the published table of a search belongs: package data."""
    return reports_folder() / report.id / "searches" / f"{search.id}.json"


def table_path(report: Report, search: Search, folder: Path, images: str | None = None) -> Path:
    """Return where a search that is run in a folder keeps its table.

    What is tried is part of the path, so that a changed search never goes on from an older one.
    """
    name = f"{search.id}.{search_fingerprint(report, search, images)[:8]}"
    return folder / name / TABLE


# --- what counts as evidence ---------------------------------------------------------------------


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
    for fault in (_fault(report, search, trial) for trial in table.trials):
        if fault is not None:
            raise TuningError(f"{name}: {fault}; delete its folder and search again.")
    return search


def _fault(report: Report, search: Search, trial: Trial) -> str | None:
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


# --- running a search ----------------------------------------------------------------------------


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
            if on_trial is not None:
                on_trial(trial)
            check()

        published = _published_trials(report, search, data)
        work = _Work(report, search, data, path.parent, wanted, storage, published, tell)
        run_tool = {"optuna": _run_optuna, "keras-tuner": _run_keras_tuner}[search.tool]
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
    return {trial.number: trial for trial in table.trials if not _fault(report, search, trial)}


@dataclass(frozen=True)
class _Work:
    """What either tool is given: a search, how to try a combination, and whom to tell."""

    report: Report
    search: Search
    data: FashionMNIST
    folder: Path
    trials: int
    storage: str | None
    published: Mapping[int, Trial]
    tell: Callable[[Trial, Iterable[Trial]], None]

    def values(self, tokens: Mapping[str, Scalar]) -> dict[str, Setting]:
        """Return the settings that drawn tokens stand for."""
        return {name: item.value(tokens[name]) for name, item in self.search.space.items()}

    def try_out(self, number: int, tokens: Mapping[str, Scalar]) -> Trial:
        """Train what a tool has drawn, or say why it cannot be built; once is enough for all."""
        search, values = self.search, self.values(tokens)
        published = self.published.get(number)
        if published is not None and published.settings == values:
            return published
        base = self.report.experiments[search.of]
        experiment = search.vary(base, values, f"{search.id}-{number}")
        reason = too_small(experiment.model)
        if reason is not None:
            return Trial(number=number, settings=values, failure=reason)
        first = search.executions * (number - 1) + 1  # no two trainings of a search share a seed
        done = [self._execute(experiment, first + i) for i in range(search.executions)]
        return Trial(
            number=number,
            settings=values,
            executions=tuple(execution for execution, _ in done),
            provenance=done[-1][1],
        )

    def _execute(self, experiment: Experiment, seed: int) -> tuple[Execution, Provenance]:
        run = train(experiment, seed, self.data)
        history = np.array(run.history[self.search.objective])
        score = history if self.search.objective == "val_accuracy" else -history
        best = int(np.argmax(np.where(np.isnan(score), -np.inf, score)))
        package = _tool(self.search)
        versions = run.provenance.versions | {self.search.tool: package.__version__}
        return (
            Execution(
                seed=seed,
                score=run.history[self.search.objective][best],
                epoch=best + 1,
                test_accuracy=run.best.test.accuracy,
                seconds=round(math.fsum(run.seconds_per_epoch), 3),
            ),
            run.provenance.model_copy(update={"versions": versions}),
        )


def _tool(search: Search) -> ModuleType:
    """Import the library that a search needs; Keras first, quietly."""
    import importlib

    import_keras()
    try:
        return importlib.import_module(_PACKAGES[search.tool])
    except ImportError as error:
        raise TuningError(
            f"Search {search.id} needs {search.tool}, which cannot be imported ({error}): "
            "pip install fmnist-utils[tuning]."
        ) from error


# --- KerasTuner ----------------------------------------------------------------------------------


def _run_keras_tuner(work: _Work) -> list[Trial]:
    """Search with `keras_tuner.RandomSearch`; our record of a trial lies beside KerasTuner's."""
    kt = _tool(work.search)
    higher = work.search.objective == "val_accuracy"

    class Tuner(kt.RandomSearch):  # type: ignore[misc, name-defined]
        # Not a HyperModel: KerasTuner would build every network once more, and never use it.
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> list[dict[str, float]]:
            try:
                record = _record(work, int(trial.trial_id) + 1, trial.hyperparameters.values)
            except Exception as error:  # KerasTuner takes others for a trial that failed
                raise kt.errors.FatalError(str(error)) from error
            # A NaN is a failed trial to KerasTuner, and so is an exception, whose trace it prints.
            scores = [item.score for item in record.executions] or [math.nan]
            return [{work.search.objective: score} for score in scores]

    space = _keras_tuner_space(kt, work.search)
    # It says that it goes on from where it stopped, with the whole path.
    with _sound_books(kt, work), contextlib.redirect_stdout(io.StringIO()):
        tuner = Tuner(
            hyperparameters=space,
            objective=kt.Objective(work.search.objective, "max" if higher else "min"),
            max_trials=work.trials,
            executions_per_trial=work.search.executions,
            seed=work.search.seed,
            max_consecutive_failed_trials=work.search.trials + 1,
            directory=str(work.folder),
            project_name="keras-tuner",
            overwrite=False,
        )
    try:
        with warnings.catch_warnings(), _sound_books(kt, work):
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            tuner.search(verbose=0)
    except kt.errors.FatalError as error:
        raise error.__cause__ or error from None
    return _kept(work)


def _record(work: _Work, number: int, tokens: Mapping[str, Scalar]) -> Trial:
    """Try a combination out, unless the search was cut short between our books and the tool's."""
    path = work.folder / "records" / f"{number}.json"
    if path.exists():
        kept = _read_record(path)
        if kept.settings == work.values(tokens):
            return kept
    record = work.try_out(number, tokens)
    _write("record", path, record)
    work.tell(record, _kept(work))
    return record


def _kept(work: _Work) -> list[Trial]:
    return [_read_record(path) for path in work.folder.glob("records/*.json")]


def _read_record(path: Path) -> Trial:
    try:
        return Trial.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise TuningError(
            f"{path} is no record of a trial: delete it and the folder keras-tuner beside records, "
            "and search again; the other trials are not lost."
        ) from error


@contextmanager
def _sound_books(kt: ModuleType, work: _Work) -> Iterator[None]:
    """Say what is wrong when KerasTuner cannot read or write its own files.

    It writes them in place, so that one that was cut short there cannot be read. It does so through
    TensorFlow, whose errors for a full disk are no OSErrors. Errors of ours come as its FatalError.
    """
    try:
        yield
    except kt.errors.FatalError:
        raise
    except Exception as error:
        raise TuningError(
            f"KerasTuner cannot go on with search {work.search.id} ({_reason(error)}): unless the "
            f"disk is full, delete the folder {work.folder / 'keras-tuner'}; then search again, "
            "finished trials are not lost."
        ) from error


def _reason(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _keras_tuner_space(kt: ModuleType, search: Search) -> keras_tuner.HyperParameters:
    space = kt.HyperParameters()
    for name, item in search.space.items():
        if item.choices is not None:
            space.Choice(name, list(item.tokens))
        elif item.is_whole:
            space.Int(name, item.low, item.high, step=item.step)
        else:
            sampling = "log" if item.log else "linear"
            space.Float(name, item.low, item.high, step=item.step, sampling=sampling)
    return space


# --- Optuna --------------------------------------------------------------------------------------


class _CannotBeBuilt(Exception):
    pass


def _run_optuna(work: _Work) -> list[Trial]:
    """Search in an Optuna study; each of its trials also holds our record of it.

    A seeded sampler that is made anew would start its sequence anew. So all combinations are drawn
    first, always the same ones, and queued; machines that share a storage take them from there.
    """
    optuna = _tool(work.search)
    from optuna.trial import TrialState

    def objective(trial: Any) -> float:
        number = trial.user_attrs.get("number")
        if number is None or _is_taken(trial, number):  # two machines queued it at the same time
            raise optuna.TrialPruned
        tokens = {name: _suggest(trial, name, item) for name, item in work.search.space.items()}
        record = work.try_out(number, tokens)
        trial.set_user_attr("record", record.model_dump(mode="json", exclude_unset=True))
        if record.score is None:
            raise _CannotBeBuilt(record.failure)
        return record.score

    with _quiet(optuna), _lasting_storage(optuna, work):
        draws = _draws(optuna, work.search, work.trials)
        study = _open_study(optuna, work)
        if work.storage is None:  # nobody else works on it, so what is running was killed
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                study.tell(trial.number, state=TrialState.FAIL)
        while True:
            known = _records(study)
            # Optuna itself looks for machines that died only when it starts a trial.
            optuna.storages.fail_stale_trials(study)
            _queue(study, draws)
            if not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                return list(known.values())
            study.optimize(objective, n_trials=1, catch=(_CannotBeBuilt,))
            every = _records(study)
            for number in every.keys() - known.keys():  # other machines' trials among them
                work.tell(every[number], every.values())


def _draws(optuna: ModuleType, search: Search, n: int) -> dict[int, dict[str, Scalar]]:
    """Draw the first n combinations of a search, by number from 1."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=search.seed))
    return {
        number: {name: _suggest(trial, name, item) for name, item in search.space.items()}
        for number, trial in ((i + 1, study.ask()) for i in range(n))
    }


def _suggest(trial: Any, name: str, item: Parameter) -> Any:
    if item.choices is not None:
        return trial.suggest_categorical(name, item.tokens)
    if item.is_whole:
        return trial.suggest_int(name, item.low, item.high, step=item.step)
    return trial.suggest_float(name, item.low, item.high, step=item.step, log=item.log)


def _open_study(tool: ModuleType, work: _Work) -> optuna.Study:
    url = work.storage or f"sqlite:///{work.folder.resolve() / 'study.db'}"
    higher = work.search.objective == "val_accuracy"

    class Storage(tool.storages.RDBStorage):  # type: ignore[misc, name-defined]
        def record_heartbeat(self, trial_id: int) -> None:
            # In a thread of its own, which one lost sign of life would end with a stack trace.
            with contextlib.suppress(tool.exceptions.StorageInternalError):
                super().record_heartbeat(trial_id)

    try:
        work.folder.mkdir(parents=True, exist_ok=True)
        study: optuna.Study = tool.create_study(
            storage=Storage(url, heartbeat_interval=_HEARTBEAT),
            study_name=f"{work.report.id}.{work.folder.name}",
            direction="maximize" if higher else "minimize",
            load_if_exists=True,
        )
    except Exception as error:  # whatever the database's own driver raises
        raise TuningError(
            f"The storage of search {work.search.id} cannot be opened ({type(error).__name__}): "
            "give a URL such as sqlite:///study.db or postgresql://host/name, with its driver."
        ) from error
    return study


@contextmanager
def _lasting_storage(optuna: ModuleType, work: _Work) -> Iterator[None]:
    """Say so when the database of a study is lost in mid-search."""
    from sqlalchemy.exc import SQLAlchemyError

    kinds = (optuna.exceptions.StorageInternalError, SQLAlchemyError)
    try:
        yield
    except TuningError:
        raise
    except Exception as error:  # Optuna may fail on an assertion while it handles the loss
        losses = [item for item in _chain(error) if isinstance(item, kinds)]
        if not losses:
            raise
        raise TuningError(
            f"The storage of search {work.search.id} failed ({_reason(losses[-1])}): search "
            "again when it is back; the trials that it holds are kept."
        ) from error


def _chain(error: BaseException | None) -> list[BaseException]:
    """List an error and what led to it; one that is raised again may have led to itself."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _queue(study: optuna.Study, draws: Mapping[int, Mapping[str, Scalar]]) -> None:
    """Queue the combinations that nobody has tried, is trying, or has queued."""
    from optuna.trial import TrialState

    open_states = (TrialState.WAITING, TrialState.RUNNING)
    cared_for = {
        trial.user_attrs.get("number")
        for trial in study.get_trials(deepcopy=False)
        if trial.state in open_states or "record" in trial.user_attrs
    }
    for number, tokens in draws.items():
        if number not in cared_for:
            study.enqueue_trial(dict(tokens), user_attrs={"number": number})


def _is_taken(trial: optuna.Trial, number: int) -> bool:
    """Say whether an earlier trial of the study has the same combination."""
    from optuna.trial import TrialState

    return any(
        other.user_attrs.get("number") == number
        and other.number < trial.number
        and (other.state == TrialState.RUNNING or "record" in other.user_attrs)
        for other in trial.study.get_trials(deepcopy=False)
    )


def _records(study: optuna.Study) -> dict[int, Trial]:
    """Read our records of the study's trials, by number."""
    attributes = (trial.user_attrs for trial in study.get_trials(deepcopy=False))
    kept = [item["record"] for item in attributes if "record" in item]
    # As JSON, in which a list is what stands for a tuple.
    trials = (Trial.model_validate_json(json.dumps(record)) for record in kept)
    return {trial.number: trial for trial in trials}


@contextmanager
def _quiet(optuna: ModuleType) -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


# --- what can be built, and what a search is worth -----------------------------------------------


def too_small(model: MLP | CNN) -> str | None:
    """Say where the images of a network shrink below one pixel; None when it can be built."""
    if not isinstance(model, CNN):
        return None
    sides = model.input_shape[:2]
    for i, block in enumerate(model.conv, start=1):
        if block.padding == "valid":
            if block.kernel > min(sides):
                return f"layer {i}: a kernel of {block.kernel} does not fit {times(sides)} pixels"
            sides = tuple(side - block.kernel + 1 for side in sides)
        if block.pool is not None:
            if block.pool_padding == "same":
                sides = tuple(-(-side // block.pool) for side in sides)
            elif block.pool > min(sides):
                return f"layer {i}: a pooling of {block.pool} does not fit {times(sides)} pixels"
            else:
                sides = tuple(side // block.pool for side in sides)
    return None


_SIZES = ("kernel", "padding", "pool", "pool_padding", "resize")


def unbuildable(report: Report, search: Search, parameter: str) -> tuple[Setting, ...]:
    """List the values of one parameter that cannot be built, whatever the other parameters are.

    Parameters
    ----------
    report, search
        The search and its report.
    parameter : str
        A name in ``search.space``.
    """
    others = {
        name: item.values
        for name, item in search.space.items()
        if name != parameter and any(path.rpartition(".")[2] in _SIZES for path in item.sets)
    }
    experiment = report.experiments[search.of]

    def can_be_built(value: Setting) -> bool:
        for rest in itertools.product(*others.values()):
            values = {**dict(zip(others, rest, strict=True)), parameter: value}
            if too_small(search.vary(experiment, values).model) is None:
                return True
        return False

    return tuple(value for value in search.space[parameter].values if not can_be_built(value))


def expected_best(scores: Sequence[float], n: int) -> float:
    """Return the expected maximum of n scores drawn from these without replacement.

    What a search of n trials would have found on average, as Dodge et al. (2019, "Show Your Work",
    EMNLP) ask for; in the unbiased form of Tang et al. (2020, "Showing Your Work Doesn't Always
    Work", ACL). Of N scores in ascending order, the i-th is the largest of n with probability
    C(i - 1, n - 1) / C(N, n).

    Parameters
    ----------
    scores : sequence of float
        One per trial; for a loss, negated.
    n : int
        From 1, which gives the mean, to ``len(scores)``, which gives the maximum.

    Raises
    ------
    ValueError
        When there are fewer than n scores, or n is less than 1.
    """
    if not 1 <= n <= len(scores):
        raise ValueError(f"the best of {n} cannot be expected from {len(scores)} scores")
    total = math.comb(len(scores), n)
    return math.fsum(
        value * (math.comb(i, n - 1) / total) for i, value in enumerate(sorted(scores))
    )


def importance(search: Search, trials: Trials, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Estimate how much each parameter says about the score of a trial.

    Permutation importance (Breiman 2001, "Random Forests"): a random forest learns from the
    settings of two thirds of the trials at which place they come when all are ranked by score,
    and predicts the places of the others. Importance is by how much the mean absolute error of
    these predictions rises when one parameter is shuffled among them. Places, not scores: one
    network that learned nothing would outweigh all others.

    From a few dozen trials this is a hint, not a measurement: a parameter with a small effect
    drowns in noise, and may come out negative.

    Parameters
    ----------
    search : Search
        Says how settings are encoded: numbers as they are, or as their logarithm where they are
        drawn in it; words and lists by their position among the choices.
    trials : Trials
        Those that could not be built or diverged (NaN) are left out.
    seed : int
        Of the divisions, the forests and the shuffling.

    Returns
    -------
    dict
        Parameter to mean and standard deviation over 20 random divisions of the trials, in places.
        The deviation says how much hangs on which trials happen to be predicted.

    Raises
    ------
    TuningError
        When fewer than five trials were trained.
    """
    trained = [trial for trial in trials.ranked if math.isfinite(trial.score or 0.0)]
    if len(trained) < 5:
        raise TuningError(
            f"The importance of parameters needs at least 5 trained trials; search {search.id} "
            f"has {len(trained)}: run more of it."
        )
    from scipy.stats import rankdata
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import ShuffleSplit

    settings = [trial.settings for trial in trained]
    space = search.space.items()
    x = np.array([[_encoded(item, values[name]) for name, item in space] for values in settings])
    y = rankdata([trial.score for trial in trained])
    rises = []
    for known, held_out in ShuffleSplit(20, test_size=1 / 3, random_state=seed).split(x):
        forest = RandomForestRegressor(n_estimators=30, random_state=seed).fit(x[known], y[known])
        found = permutation_importance(
            forest, x[held_out], y[held_out],
            scoring="neg_mean_absolute_error", n_repeats=5, random_state=seed,
        )  # fmt: skip
        rises.append(found.importances_mean)
    means, sds = np.mean(rises, axis=0).tolist(), np.std(rises, axis=0, ddof=1).tolist()
    return dict(zip(search.space, zip(means, sds, strict=True), strict=True))


def _encoded(item: Parameter, value: Setting) -> float:
    """Return a value as a number that a decision tree can split."""
    if isinstance(value, str | tuple):
        return float((item.choices or ()).index(value))
    return math.log(value) if item.log else float(value)
