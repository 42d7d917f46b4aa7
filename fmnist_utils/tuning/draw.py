"""The combinations of a search, drawn by the tool that its report used.

Both searches that are drawn are random ones: what a trial finds does not change what is drawn next,
so all combinations can be drawn before anything is trained.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from fmnist_utils.models.keras_import import import_keras
from fmnist_utils.reports.search import Parameter, Scalar, Search, Setting
from fmnist_utils.tuning.trials import TuningError


def draw(search: Search, n: int) -> list[dict[str, Setting]]:
    """Draw the first n combinations of a search; they are the same every time.

    Parameters
    ----------
    search : Search
        Its seed, its tool and its space.
    n : int
        Fewer are the first of more.

    Returns
    -------
    list of dict
        Parameter to value.

    Raises
    ------
    TuningError
        When the tool is not installed, or the space holds too few combinations.
    """
    with_tool = {"optuna": _with_optuna, "keras-tuner": _with_keras_tuner}[search.tool]
    return [
        {name: item.value(tokens[name]) for name, item in search.space.items()}
        for tokens in with_tool(search, n)
    ]


def _with_optuna(search: Search, n: int) -> list[Mapping[str, Scalar]]:
    optuna = _import_tool(search, "optuna")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=search.seed))
        return [
            {name: _suggest(trial, name, item) for name, item in search.space.items()}
            for trial in (study.ask() for _ in range(n))
        ]
    finally:
        optuna.logging.set_verbosity(before)


def _suggest(trial: Any, name: str, item: Parameter) -> Any:
    if item.choices is not None:
        return trial.suggest_categorical(name, item.tokens)
    if item.is_whole:
        return trial.suggest_int(name, item.low, item.high, step=item.step)
    return trial.suggest_float(name, item.low, item.high, step=item.step, log=item.log)


def _with_keras_tuner(search: Search, n: int) -> list[Mapping[str, Scalar]]:
    import_keras()  # quietly, before the tool does
    kt = _import_tool(search, "keras_tuner")
    space = kt.HyperParameters()
    for name, item in search.space.items():
        if item.choices is not None:
            space.Choice(name, list(item.tokens))
        elif item.is_whole:
            space.Int(name, item.low, item.high, step=item.step)
        else:
            sampling = "log" if item.log else "linear"
            space.Float(name, item.low, item.high, step=item.step, sampling=sampling)
    with tempfile.TemporaryDirectory(prefix="fmnist-") as folder:  # it writes down what it draws
        tuner = kt.RandomSearch(
            lambda _: None, hyperparameters=space, objective=kt.Objective("score", "max"),
            max_trials=n, seed=search.seed, directory=folder,
        )  # fmt: skip
        tuner.oracle.verbose = 0
        # A tuner that asks twice gets the same trial again.
        drawn = [tuner.oracle.create_trial(f"tuner {i}").hyperparameters.values for i in range(n)]
    if not all(drawn):
        raise TuningError(f"Search {search.id} has fewer than {n} different combinations.")
    return drawn


def _import_tool(search: Search, package: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise TuningError(
            f"Search {search.id} needs {search.tool}, which cannot be imported ({error}): "
            "pip install fmnist-utils[tuning]."
        ) from error
