"""Settings by their dotted paths, and whether a claim or an assumption fits one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from pydantic import ValidationError

from fmnist_utils.records import WrongAt, first_problem
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.values import same_value


class HasSettings(Protocol):
    """What has settings: an experiment, or a search."""

    @property
    def id(self) -> str:
        """Its name in the report's file."""

    def setting(self, path: str) -> Any:
        """Look up a setting by its dotted path."""


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


@contextmanager
def named_errors(what: str, *at: int | str) -> Iterator[None]:
    """Say in an error about a setting, a claim or a key which part of the report it is about."""
    try:
        yield
    except KeyError as error:
        raise WrongAt(f"{what}: {error.args[0]}", *at) from error
    except ValidationError as error:
        raise WrongAt(f"{what}: {first_problem(error)}", *at) from error


def account_for(
    place: str, paths: Iterable[str], stated: Container[str | None], assumed: Container[str]
) -> None:
    """Raise a ValueError that names all settings that are not either claimed or assumed."""
    paths, problems = list(paths), []
    for faulty, how in (
        ([p for p in paths if p not in stated and p not in assumed], "neither claimed nor"),
        ([p for p in paths if p in stated and p in assumed], "both claimed and"),
    ):
        if faulty:
            verb = "is" if len(faulty) == 1 else "are"
            problems.append(f"{', '.join(faulty)} {verb} {how} assumed")
    if problems:
        raise ValueError(f"{place}: {'; '.join(problems)}")


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
        subject.setting(claim.setting or "")
