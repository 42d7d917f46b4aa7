"""The examples in docstrings: all are run, and whatever a chapter calls has one of its own."""

import doctest
import functools
import importlib
import inspect
import json
import operator
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import pytest

import fmnist_utils as fu
from fmnist_utils.book.chapter_setup import Chapter
from fmnist_utils.data import synthetic

ROOT = Path(__file__).parents[1]
#: Examples that judge all reports, for seconds each.
OF_EVERY_REPORT = (
    *("front_page.answers", "front_page.result", "ledger.ledger_rows"),
    *(
        "chapter_setup.Chapter.record",
        "report_tables.chance_alone",
        "report_tables.shares",
        "report_tables.scoreboard",
    ),
    *("report_tables.audit_counts", "across_tables.kinds", "across_tables.directions"),
    *("across_tables.assumption_effects", "comparisons.deviations"),
)


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(fu.__path__, "fmnist_utils."):
        yield importlib.import_module(found.name)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the docstring of the package defines for all other examples; few images do."""
    few = functools.partial(synthetic.load_synthetic, train=1_000, test=200)
    monkeypatch.setattr(synthetic, "load_synthetic", few)
    mpl.use("agg")
    session: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(fu.__doc__ or ""):
        exec(example.source, session)
    return session


@pytest.mark.parametrize(
    "of_every_report", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["one", "all"]
)
def test_all_examples_run(names: dict[str, Any], of_every_report: bool) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    tests = [test for module in modules() for test in finder.find(module, extraglobs=names)]
    slow = [test for test in tests if test.name.endswith(OF_EVERY_REPORT)]
    assert len(slow) == len(OF_EVERY_REPORT), "a name there is of nothing"
    for test in tests:
        if (test in slow) == of_every_report:
            runner.run(test)
    assert runner.failures == 0, "what failed is printed above"
    assert runner.tries > (5 if of_every_report else 30)


def test_what_the_package_offers_is_in_the_reference() -> None:
    listed = re.findall(r"autofunction:: (\w+)", (ROOT / "reference/api.md").read_text())
    assert sorted(listed) == sorted(
        name for name in dir(fu) if not isinstance(getattr(fu, name), ModuleType)
    )


def test_whatever_a_chapter_calls_has_an_example() -> None:
    cells = [
        "".join(cell["source"])
        for path in (ROOT / "index.ipynb", *(ROOT / "chapters").glob("*.ipynb"))
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "code"
    ]
    called = set(re.findall(r"\b((?:fu|book)\.(?!report\.)[a-z_.]+)\(", "\n".join(cells)))
    assert len(called) > 70
    homes = {"fu": fu, "book": Chapter}
    for name in sorted(called):
        home, _, path = name.partition(".")
        found = operator.attrgetter(path)(homes[home])
        text = inspect.getdoc(found) or ""
        assert "\nExamples\n--------\n>>> " in text, f"{name} has no example"
