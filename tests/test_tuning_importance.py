"""Which parameter of a search matters, from made-up trials."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmnist_utils import tuning
from fmnist_utils.reports.search import Parameter, Search
from fmnist_utils.tuning import Execution, Trial, Trials, TuningError

SPACE = {
    "noise": Parameter(sets=("a",), low=0.0, high=1.0),
    "rate": Parameter(sets=("a",), low=1e-5, high=1e-1, log=True),
    "kind": Parameter(sets=("a",), choices=("relu", "tanh", "sigmoid")),
    "sizes": Parameter(sets=("a", "b"), choices=((8, 16), (16, 8))),
    "norm": Parameter(sets=("a",), choices=(False, True)),
}
SEARCH = Search.model_construct(id="tiny", space=SPACE)

importance = functools.partial(tuning.importance, divisions=5, trees=10)


def made_up(score: Callable[[dict[str, Any]], float], n: int = 30) -> Trials:
    rng = np.random.default_rng(1)
    trials = []
    for number in range(1, n + 1):
        values = {
            "noise": float(rng.uniform()),
            "rate": float(10 ** rng.uniform(-5, -1)),
            "kind": ("relu", "tanh", "sigmoid")[rng.integers(3)],
            "sizes": ((8, 16), (16, 8))[rng.integers(2)],
            "norm": bool(rng.integers(2)),
        }
        done = Execution(seed=1, score=score(values), epoch=1, test_accuracy=0.5, seconds=1)
        trials.append(Trial(number=number, settings=values, executions=(done,)))
    return Trials(
        report="r", search="tiny", objective="val_accuracy", fingerprint="0", trials=tuple(trials)
    ).sealed()


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("rate", lambda values: 0.9 - 0.01 * abs(math.log10(values["rate"]) + 3)),
        ("kind", lambda values: {"relu": 0.9, "tanh": 0.88, "sigmoid": 0.8}[values["kind"]]),
        ("sizes", lambda values: 0.9 if values["sizes"] == (16, 8) else 0.8),
        ("norm", lambda values: 0.9 if values["norm"] else 0.8),
    ],
)
def test_the_parameter_that_decides_the_score_is_found(
    name: str, score: Callable[[dict[str, Any]], float]
) -> None:
    found = importance(SEARCH, made_up(score))
    assert list(found) == list(SPACE)
    mean, sd = found[name]
    others = [other for key, (other, _) in found.items() if key != name]
    assert mean > sd > 0
    assert mean > 3 * max(others)


def test_one_dead_network_does_not_outweigh_all_others() -> None:
    trials = made_up(lambda values: 0.9 - 0.05 * values["noise"])
    (first, *rest) = trials.trials
    dead = first.executions[0].model_copy(update={"score": 0.1})
    broken = trials.model_copy(
        update={"trials": (first.model_copy(update={"executions": (dead,)}), *rest)}
    )
    mean, sd = importance(SEARCH, broken)["noise"]
    assert mean > sd


def test_the_same_seed_gives_the_same() -> None:
    trials = made_up(lambda values: values["noise"], n=6)
    assert importance(SEARCH, trials) == importance(SEARCH, trials)
    assert importance(SEARCH, trials) != importance(SEARCH, trials, seed=1)


def test_from_fewer_than_five_trained_trials_nothing_is_said() -> None:
    trials = made_up(lambda values: values["noise"], n=5)
    assert all(map(math.isfinite, np.ravel(list(importance(SEARCH, trials).values()))))
    failed = trials.trials[0].model_copy(update={"executions": (), "failure": "too small"})
    nan = trials.trials[0].executions[0].model_copy(update={"score": math.nan})
    diverged = trials.trials[0].model_copy(update={"executions": (nan,)})
    for other in (failed, diverged):
        four = trials.model_copy(update={"trials": (other, *trials.trials[1:])})
        with pytest.raises(TuningError, match="at least 5 trained trials; search tiny has 4"):
            importance(SEARCH, four)
