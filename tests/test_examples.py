"""The examples in docstrings: all are run, and what chapters call most has one."""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import matplotlib as mpl
import pytest

import fmnist_utils as fu


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(fu.__path__, "fmnist_utils."):
        yield importlib.import_module(found.name)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """Return the names that examples use without saying so, as the package's docstring lists them."""
    mpl.use("agg")
    session: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(fu.__doc__ or ""):
        exec(example.source, session)
    return session


def test_all_examples_run(names: dict[str, Any]) -> None:
    finder, flags = doctest.DocTestFinder(exclude_empty=True), doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags, verbose=False)
    for module in modules():
        for test in finder.find(module, extraglobs=names):
            runner.run(test)
    assert runner.failures == 0, "what failed is printed above"
    assert runner.tries > 15
