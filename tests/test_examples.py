"""The examples in docstrings: all are run, and whatever a chapter calls has one."""

import doctest
import functools
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import pytest

import fmnist_utils as fu
from fmnist_utils.data import garments

ROOT = Path(__file__).parents[1]
#: Look at every report or build many models; check a notebook's own variables.
WITHOUT = {
    "check_parameters", "equivalence.compare",
    "tables.assumption_effects", "tables.audit_counts", "tables.omissions", "tables.scoreboard",
}  # fmt: skip

#: Examples that judge all reports, for seconds each.
OF_EVERY_REPORT = (
    *("front.answers", "front.result", "ledger.ledger_rows", "opening.Chapter.record"),
    *("report_tables.chance_alone", "report_tables.shares", "across_tables.kinds"),
)


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(fu.__path__, "fmnist_utils."):
        yield importlib.import_module(found.name)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the docstring of the package defines for all other examples; few images do."""
    few = functools.partial(garments.load_synthetic, train=1_000, test=200)
    monkeypatch.setattr(garments, "load_synthetic", few)
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
    for module in modules():
        for test in finder.find(module, extraglobs=names):
            if test.name.endswith(OF_EVERY_REPORT) == of_every_report:
                runner.run(test)
    assert runner.failures == 0, "what failed is printed above"
    assert runner.tries > (5 if of_every_report else 30)


def test_whatever_a_chapter_calls_has_an_example() -> None:
    cells = [
        "".join(cell["source"])
        for path in (ROOT / "index.ipynb", *(ROOT / "chapters").glob("*.ipynb"))
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "code"
    ]
    called = set(re.findall(r"\b((?:fu|book)\.(?!report\.)[a-z_.]+)\(", "\n".join(cells)))
    files = (ROOT / "fmnist_utils").rglob("*.py")
    lines = [line for path in files for line in path.read_text().splitlines()]
    examples = "\n".join(line for line in lines if line.lstrip().startswith((">>>", "...")))
    without = {name for name in called if f"{name}(" not in examples}
    assert without <= {f"fu.{name}" for name in WITHOUT}
