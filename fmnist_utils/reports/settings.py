"""Settings by their dotted paths, readings, and whether a claim or an assumption fits one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Protocol

from pydantic import ValidationError

from fmnist_utils.errors import FmnistError
from fmnist_utils.records import LocatedError, first_problem
from fmnist_utils.reports.claim import Assumption, Claim
from fmnist_utils.reports.protocol import NOT_SUPPORTED, Precision, Training
from fmnist_utils.reports.quantities import EPOCHS
from fmnist_utils.reports.values import not_whole, same_value


class SettingError(FmnistError):
    """A setting that an experiment does not have, or a value that it does not take."""


class HasSettings(Protocol):
    """What has settings: an experiment, or a search."""

    id: str

    def setting(self, path: str) -> Any:
        """Look up a setting by its dotted path."""


class HasReadings(HasSettings, Protocol):
    """An experiment, of which readings are stated or assumed: its module imports this one."""

    training: Training
    precision: Precision
    layers_as: str | None
    assumed: tuple[Assumption, ...]
    stated: tuple[Claim, ...]

    @property
    def results(self) -> Sequence[Claim]:
        """Every claim but the cells of the layer table."""


def look_up(value: Any, path: str, owner: str) -> Any:
    """Follow a dotted path such as ``training.optimizer.learning_rate``.

    In a list a number is a position from 0 and ``count`` its length: ``model.hidden.count``.

    Parameters
    ----------
    value : object
        Where the path starts.
    path : str
        Names of attributes or keys, and positions.
    owner : str
        Whom the error names.

    Raises
    ------
    KeyError
        When the path leads nowhere.
    """
    for part in path.split("."):
        try:
            if isinstance(value, tuple):
                value = len(value) if part == "count" else value[int(part)]
            else:
                value = value[part] if isinstance(value, dict) else getattr(value, part)
        except (AttributeError, ValueError, IndexError, KeyError) as error:
            raise KeyError(f"{owner} has no setting {path}") from error
    return value


def find(have: Mapping[str, Any], name: str, owner: str) -> list[str]:
    """Return the dotted paths that a setting's name stands for.

    Parameters
    ----------
    have : mapping
        Model and training, features that are not used as None.
    name : str
        A path, or its end, which stands for every place where the setting is used; where it is
        used nowhere, for the only place where it can be.
    owner : str
        Whom the error names.

    Raises
    ------
    SettingError
        When there is no such setting, or none in use and several places for it.
    """
    paths = dict(_nodes(have))
    if name in paths:
        return [name]
    ends = [path for path in paths if path.endswith(f".{name}")]
    used = [path for path in ends if paths[path] is not None]
    if used or len(ends) == 1:
        return used or ends
    if ends:
        raise SettingError(f"{owner} uses no {name}: say where, such as {ends[0]}.")
    if name in NOT_SUPPORTED:
        raise SettingError(f"{name} is not supported: {NOT_SUPPORTED[name]}.")
    words = {path.rpartition(".")[2] for path in paths} - {"0", "model", "training"}
    known = sorted(word for word in words if not word.isdigit())
    close = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}."
    raise SettingError(f"{owner} has no setting {name}: {hint}")


def _nodes(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every dotted path, with what stands there."""
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, Mapping) else ()
    if isinstance(value, tuple) and value and isinstance(value[0], dict):
        items = enumerate(value)
    for key, item in items:
        path = f"{at}.{key}" if at else str(key)
        yield path, item
        yield from _nodes(item, path)


def key_words(path: str) -> str:
    """Write a dotted path as words: ``model.conv.0.kernel`` as conv 0 kernel."""
    return re.sub(r"[._-]", " ", re.sub(r"^(training|model|reading)\.", "", path))


@contextmanager
def named_errors(what: str, *at: int | str) -> Iterator[None]:
    """Say in an error about a setting, a claim or a key which part of the report it is about.

    Parameters
    ----------
    what : str
        The beginning of the message, such as "claim test".
    *at : int or str
        Keys and indices that lead to the place in the report's file.
    """
    try:
        yield
    except KeyError as error:
        raise LocatedError(f"{what}: {error.args[0]}", *at) from error
    except ValidationError as error:
        raise LocatedError(f"{what}: {first_problem(error)}", *at) from error


def account_for(
    place: str, paths: Iterable[str], stated: Container[str | None], assumed: Container[str]
) -> None:
    """Raise a ValueError that names all settings that are not either claimed or assumed.

    Parameters
    ----------
    place : str
        The beginning of the message: whose settings they are.
    paths : iterable of str
        Dotted paths of all settings in use.
    stated : container of str
        Paths that claims name.
    assumed : container of str
        Paths that assumptions name.
    """
    paths, problems = list(paths), []
    for faulty, how in (
        (
            [p for p in paths if p not in stated and p not in assumed],
            "neither claimed nor assumed: a claim names one as its setting",
        ),
        ([p for p in paths if p in stated and p in assumed], "both claimed and assumed"),
    ):
        if faulty:
            problems.append(f"{', '.join(faulty)} {'is' if len(faulty) == 1 else 'are'} {how}")
    if problems:
        raise ValueError(f"{place}: {'; '.join(problems)}")


def _as_restored(training: Training, claim: Claim) -> Claim:
    """Read a claim that says no reading at the best epoch, where its weights are restored."""
    restored = training.restores_best and claim.epoch is None and claim.kind == "measured"
    if restored and "reading" not in claim.model_fields_set:
        return claim.model_copy(update={"reading": "best"})
    return claim


def _check_assumption(subject: HasSettings, path: str, chosen: Any) -> None:
    try:
        used = subject.setting(path)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from error
    if not same_value(chosen, used):
        kind = type(subject).__name__.lower()
        raise ValueError(f"{kind} {subject.id}: {path} is {used}, assumed {chosen}")


def _check_setting(subject: HasSettings, claim: Claim, *at: int | str) -> None:
    with named_errors(f"claim {claim.id}", *at):
        used = subject.setting(claim.setting or "")
    counted = type(used) is int and claim.unit == "plain"
    if counted and isinstance(claim.value, Decimal) and (problem := not_whole(claim.value)):
        raise LocatedError(f"claim {claim.id}: {problem}", *at, *(["value"] if at else []))


# --- readings: what a training, or a claim about one, leaves open -------------------------------


def open_readings(experiment: HasReadings) -> Iterator[str]:
    """Yield what an experiment must state or assume besides its model and its protocol."""
    yield from ("reading.pixel scaling", "reading.initialiser", "reading.defaults")
    if experiment.precision != "float32":
        yield "precision"  # another one than Keras has by default
    if experiment.layers_as is not None:
        yield "reading.layers"
    if experiment.training.augmentation is not None:
        yield "reading.fill mode"
    measured = [claim for claim in experiment.results if claim.about.kind == "measured"]
    ends = [c for c in measured if c.about.unit != EPOCHS and c.epoch is None]
    if ends and not experiment.training.restores_best:
        yield "reading.weights"
    if any(claim.split == "train" for claim in ends):
        yield "reading.training accuracy"
    if experiment.training.early_stopping or any(c.reading.startswith("best") for c in ends):
        yield "reading.best epoch"


def check_compared(experiment: HasReadings, claim: Claim, *at: int | str) -> None:
    """Refuse a comparison that reads off an experiment what nothing there states or assumes.

    Parameters
    ----------
    experiment : Experiment
        One side of the comparison.
    claim : Claim
        The comparison.
    *at : int or str
        Keys and indices that lead to the claim in the report's file.
    """
    best = claim.reading.startswith("best")
    reading = "reading.best epoch" if best else "reading.weights"
    told = {item.setting for item in experiment.assumed} | {c.setting for c in experiment.stated}
    if reading not in told and (best or not experiment.training.restores_best):
        problem = f"{reading} of {experiment.id} is neither claimed nor assumed"
        raise LocatedError(f"claim {claim.id}: {problem}", *at)


def check_reading(experiment: HasReadings, claim: Claim, *at: int | str) -> None:
    """Refuse a claim that cannot be read off the runs of an experiment as it says.

    Parameters
    ----------
    experiment : Experiment
        Off whose runs it is read.
    claim : Claim
        Which says how, by split, reading and quantity.
    *at : int or str
        Keys and indices that lead to the claim in the report's file.
    """
    spec, problem = experiment.training, ""
    # The epochs that are no length are those of a best validation.
    watched = claim.about.unit == EPOCHS and not claim.about.is_length
    validates = watched or "validation" in (claim.split, claim.than_split)
    if claim.reading.endswith("-all") and not spec.validation.holds_out:
        problem = (
            f"{experiment.id} holds no training images out, which reading {claim.reading} adds"
        )
    elif spec.validation.take == "none" and validates:
        problem = f"{experiment.id} has no validation images"
    elif spec.restores_best and claim.of and "reading" not in claim.model_fields_set:
        problem = f"{experiment.id} restores the best weights: give it reading: best, or final"
    if problem:
        raise LocatedError(f"claim {claim.id}: {problem}", *at)
