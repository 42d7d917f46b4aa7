"""Imports go one way, also inside a function; files and folders stay small."""

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import fmnist_utils

PACKAGE = Path(fmnist_utils.__file__).parent
#: Low to high; names in one row may import each other, as long as no circle arises.
FLOORS = (
    ("errors",), ("console", "machine", "records", "stats", "rounding"), ("data",), ("models",),
    ("reports",), ("runs",), ("tuning",), ("training",), ("verdicts",), ("baselines",),
    ("campaign",), ("text",), ("audit",), ("export",),
    ("tables",), ("plots",), ("program",), ("book",), ("cli_common",), ("contribute",),
    ("cli", "__init__"), ("__main__",),
)  # fmt: skip
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def imports(path: Path) -> set[str]:
    """Name the modules of the package that a file imports, wherever it does, be it for types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fmnist_utils"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names = {item.name for item in node.names if item.name.startswith("fmnist_utils")}
            # The bare package stands for all that it offers.
            found |= {f"{name}.__init__" if name == "fmnist_utils" else name for name in names}
    return found


def test_no_module_imports_one_of_a_higher_floor() -> None:
    upward = []
    for path in sorted(PACKAGE.rglob("*.py")):
        here = path.relative_to(PACKAGE).with_suffix("").parts[0]
        upward += [
            f"{path.relative_to(PACKAGE)} imports {name}"
            for name in sorted(imports(path))
            if FLOOR[name.split(".")[1]] > FLOOR[here]
        ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    paths = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
    }
    paths |= {name.removesuffix(".__init__"): path for name, path in paths.items()}

    def module(name: str) -> str:
        """Name the module that is imported, be it whole or a name in it."""
        return name if name in paths else name.rpartition(".")[0]

    graph = {name: set(map(module, imports(path))) for name, path in paths.items()}
    assert set().union(*graph.values()) <= graph.keys()
    TopologicalSorter(graph).prepare()  # a CycleError names the circle


def test_no_file_is_long_no_folder_full_and_no_name_there_twice() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert [path.name for path in files if len(path.read_text().splitlines()) > 400] == []
    full = {folder for folder, n in Counter(path.parent for path in files).items() if n > 12}
    assert full == set()
    names = Counter(path.name for path in files if path.name != "__init__.py")
    assert [name for name, n in names.items() if n > 1] == []
