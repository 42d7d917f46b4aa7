"""A search run by Optuna, which keeps its books in a database that machines can share."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fmnist_utils.reports.search import Parameter, Scalar, Search
from fmnist_utils.tuning.trials import Trial, TuningError
from fmnist_utils.tuning.work import Work, import_tool, in_one_line

if TYPE_CHECKING:
    import optuna

#: A trial on another machine counts as dead after two of these, in seconds, without a sign of life.
_HEARTBEAT = 60


class _CannotBeBuilt(Exception):
    pass


def run_optuna(work: Work) -> list[Trial]:
    """Search in an Optuna study; each of its trials also holds our record of it.

    A seeded sampler that is made anew would start its sequence anew. So all combinations are drawn
    first, always the same ones, and queued one by one, the first that nobody has; machines that
    share a storage divide them so.
    """
    optuna = import_tool(work.search)
    from optuna.trial import TrialState

    def objective(trial: Any) -> float:
        number = trial.user_attrs.get("number")
        # Two machines may queue the same one at the same time, or one that we do not want.
        if number not in draws or _is_taken(trial, number):
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
            if not _queue_next(study, draws):
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


def _open_study(tool: ModuleType, work: Work) -> optuna.Study:
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
def _lasting_storage(optuna: ModuleType, work: Work) -> Iterator[None]:
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
            f"The storage of search {work.search.id} failed ({in_one_line(losses[-1])}): search "
            "again when it is back; the trials that it holds are kept."
        ) from error


def _chain(error: BaseException | None) -> list[BaseException]:
    """List an error and what led to it; one that is raised again may have led to itself."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _queue_next(study: optuna.Study, draws: Mapping[int, Mapping[str, Scalar]]) -> bool:
    """Queue the first combination that nobody has; False when none is left to be tried."""
    from optuna.trial import TrialState

    waiting, cared_for = set(), set()
    for trial in study.get_trials(deepcopy=False):
        number = trial.user_attrs.get("number")
        if trial.state == TrialState.WAITING:
            waiting.add(number)
        elif trial.state == TrialState.RUNNING or "record" in trial.user_attrs:
            cared_for.add(number)
    for number, tokens in draws.items():
        if number not in waiting | cared_for:
            study.enqueue_trial(dict(tokens), user_attrs={"number": number})
            return True
    return not waiting.isdisjoint(draws)


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
