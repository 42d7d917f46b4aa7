"""Student reports on Fashion-MNIST, reproduced number by number.

The names below are all that a notebook needs. They are loaded when first used, so that importing
the package is quick and imports neither Keras nor a plotting library.

Examples
--------
Examples in this package begin as a chapter does:

>>> import fmnist_utils as fu
>>> book = fu.setup({"DATA": "synthetic"}, "baltzi")
>>> report, data = book.report, book.data
>>> experiment = report["mlp-baseline"]
>>> runs = book.runs(experiment)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmnist_utils import plots, tables, verdicts
    from fmnist_utils.baselines.fast_training import read_fast_runs
    from fmnist_utils.book.chapter_setup import setup
    from fmnist_utils.book.reproduce import check_parameters, reproduce, search
    from fmnist_utils.data.download import load_data
    from fmnist_utils.models.cost import multiply_adds
    from fmnist_utils.program.keras_code import keras_code
    from fmnist_utils.reports.load import load_report
    from fmnist_utils.runs.contrast import compare
    from fmnist_utils.runs.pairing import difference, nested
    from fmnist_utils.verdicts import equivalence

_MODULES = {
    "check_parameters": "fmnist_utils.book.reproduce",
    "compare": "fmnist_utils.runs.contrast",
    "difference": "fmnist_utils.runs.pairing",
    "equivalence": "fmnist_utils.verdicts",
    "keras_code": "fmnist_utils.program.keras_code",
    "load_data": "fmnist_utils.data.download",
    "load_report": "fmnist_utils.reports.load",
    "multiply_adds": "fmnist_utils.models.cost",
    "nested": "fmnist_utils.runs.pairing",
    "read_fast_runs": "fmnist_utils.baselines.fast_training",
    "reproduce": "fmnist_utils.book.reproduce",
    "search": "fmnist_utils.book.reproduce",
    "setup": "fmnist_utils.book.chapter_setup",
}
_SUBPACKAGES = ("plots", "tables", "verdicts")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"fmnist_utils.{name}")
    raise AttributeError(f"module 'fmnist_utils' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_MODULES, *_SUBPACKAGES])
