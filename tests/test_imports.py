"""Imports go one way: no module imports one of a higher floor, also not inside a function."""

import ast
from pathlib import Path

import fmnist_utils

PACKAGE = Path(fmnist_utils.__file__).parent
#: Low to high; names in one row may import each other, as long as no circle arises.
FLOORS = (
    ("errors",), ("machine", "records", "stats", "rounding"), ("data",), ("models",), ("reports",),
    ("runs",), ("training",), ("verdicts",), ("campaign",), ("tuning",), ("text",), ("audit",),
    ("export",),
    ("tables",), ("plots",), ("book",), ("shell", "evidence"), ("contribute",),
    ("cli", "__init__"), ("__main__",),
)  # fmt: skip
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def imports(path: Path) -> set[str]:
    """Name the modules of the package that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fmnist_utils"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {item.name for item in node.names if item.name.startswith("fmnist_utils.")}
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
