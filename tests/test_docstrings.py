"""What a docstring says under Parameters: every argument that a function takes, and no other."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import fmnist_utils

_STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def public_functions() -> Iterator[Callable[..., Any]]:
    """Yield functions and methods, but no commands: what those take is told by their options.

    A method that a parent has too does what the parent says.
    """
    for found in pkgutil.walk_packages(fmnist_utils.__path__, "fmnist_utils."):
        module = importlib.import_module(found.name)
        if hasattr(module, "typer"):
            continue
        for home in (module, *filter(inspect.isclass, vars(module).values())):
            parents = home.__mro__[1:] if home is not module else ()
            known = set().union(*map(vars, parents))
            for name, item in vars(home).items():
                function = inspect.unwrap(getattr(item, "__func__", item))
                own = isinstance(function, FunctionType) and function.__module__ == found.name
                private = any(part.startswith("_") for part in (name, *home.__name__.split(".")))
                if own and not private and name not in known:
                    yield function


def taken(function: Callable[..., Any]) -> list[str]:
    """Name the arguments, with the stars of those that collect several."""
    arguments = inspect.signature(function).parameters.values()
    names = [f"{_STARS.get(item.kind, '')}{item.name}" for item in arguments]
    return [name for name in names if name not in ("self", "cls")]


def described(function: Callable[..., Any]) -> list[str] | None:
    """Name what stands under Parameters, where several may share a line; None without that."""
    lines = inspect.cleandoc(function.__doc__ or "").splitlines()
    if "Parameters" not in lines:
        return None
    section = "\n".join(lines[lines.index("Parameters") + 2 :])
    section = re.split(r"\n\n\w+\n-+\n", section)[0]
    heads = re.findall(r"^\S.*", section, re.MULTILINE)
    return [name for head in heads for name in head.partition(" : ")[0].split(", ")]


def wrong(function: Callable[..., Any]) -> bool:
    """Say whether several arguments are not described, or others than there are."""
    names, told = taken(function), described(function)
    return told != names if told is not None else len(names) > 1


def test_several_arguments_are_described_one_by_one() -> None:
    functions = list(public_functions())
    assert len(functions) > 400
    found = [f"{item.__module__}.{item.__qualname__}" for item in functions if wrong(item)]
    assert found == []


def test_what_is_missing_or_unknown_is_found() -> None:
    told = "Do.\n\nParameters\n----------\na : int\n    One.\n*b : int\n    More."
    last = "\n\nRaises\n------\nValueError\n    Never."

    def is_wrong(text: str) -> bool:
        def function(a: int, *b: int) -> None: ...

        function.__doc__ = text
        return wrong(function)

    assert not is_wrong(told)
    assert not is_wrong(told + last)
    assert not is_wrong(told.replace("a : int\n    One.\n*b", "a, *b"))
    assert is_wrong("Do." + last)
    assert is_wrong(told.replace("*b", "c") + last)
    assert is_wrong(told.replace("a : int\n    One.\n", ""))
