"""A search run by KerasTuner, which keeps its books in files."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fmnist_utils.reports.search import Scalar, Search
from fmnist_utils.tuning.trials import Trial, TuningError, write_content
from fmnist_utils.tuning.work import Work, import_tool, in_one_line

if TYPE_CHECKING:
    from pathlib import Path

    import keras_tuner


def run_keras_tuner(work: Work) -> list[Trial]:
    """Search with `keras_tuner.RandomSearch`; our record of a trial lies beside KerasTuner's."""
    kt = import_tool(work.search)
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


def _record(work: Work, number: int, tokens: Mapping[str, Scalar]) -> Trial:
    """Try a combination out, unless the search was cut short between our books and the tool's."""
    path = work.folder / "records" / f"{number}.json"
    if path.exists():
        kept = _read_record(path)
        if kept.settings == work.values(tokens):
            return kept
    record = work.try_out(number, tokens)
    write_content("record", path, record)
    work.tell(record, _kept(work))
    return record


def _kept(work: Work) -> list[Trial]:
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
def _sound_books(kt: ModuleType, work: Work) -> Iterator[None]:
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
            f"KerasTuner cannot go on with search {work.search.id} ({in_one_line(error)}): "
            f"unless the disk is full, delete the folder {work.folder / 'keras-tuner'}; then "
            "search again, finished trials are not lost."
        ) from error


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
