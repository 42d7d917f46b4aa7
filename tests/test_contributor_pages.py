"""The pages for contributors say what is true: files, names, floors, commands, hooks."""

import re
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml
from test_imports import FLOORS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md")]
EACH_PAGE = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
ARCHITECTURE = PAGES[0].read_text()
SOURCES = "\n".join(path.read_text() for path in (ROOT / "fmnist_utils").rglob("*.py"))
FILES = "py|md|ya?ml|css|ipynb|toml|txt|cff|json"
_TEST = re.compile(r"(?m)^def (test_\w+)")
#: Made by commands that the pages name.
MADE = {".venv", "_build/", "_build/html", "runs/", "searches/", ".venv/"}


def exists(name: str) -> bool:
    """Look for a file where pages name it from: the project, the package, its folders."""
    pattern = re.sub(r"<id>", "*", name).rstrip("/")
    package = ROOT / "fmnist_utils"
    return any(any(folder.glob(pattern)) for folder in (ROOT, package, package / "reports/baltzi"))


@EACH_PAGE
def test_files_that_a_page_names_exist(path: Path) -> None:
    names = set(re.findall(rf"`([\w.<>/-]+(?:/|\.(?:{FILES})))`", path.read_text())) - MADE
    assert [name for name in sorted(names) if not exists(name)] == []


@EACH_PAGE
def test_names_in_the_code_that_a_page_uses_exist(path: Path) -> None:
    names = set(re.findall(r"`([A-Z]\w*[a-z]\w+|_?[A-Z]{4,}|[a-z]+_\w+)`", path.read_text()))
    tests = "\n".join(test.read_text() for test in (ROOT / "tests").glob("test_*.py"))
    known = SOURCES + (ROOT / "pyproject.toml").read_text() + "\n".join(_TEST.findall(tests))
    missing = [name for name in sorted(names) if not re.search(rf"\b{name}\b", known)]
    assert [name for name in missing if name != "FMNIST_DATA_DIR"] == []


def test_the_tree_has_every_folder_and_module_at_the_top() -> None:
    tree = ARCHITECTURE.split("## The tree")[1].split("\n## ")[0]
    names = re.findall(r"^ {4,6}([\w.<>/-]+)  ", tree, re.MULTILINE)
    assert [name for name in names if not exists(name)] == []
    top = {path.name for path in (ROOT / "fmnist_utils").iterdir() if path.name[0] not in "_."}
    assert {name.rstrip("/") for name in names} >= top - {"py.typed"}


def test_the_floors_are_those_that_a_test_keeps() -> None:
    (written,) = re.findall(r"^    errors < [^#]*?\n\n", ARCHITECTURE, re.MULTILINE)
    floors = [tuple(floor.split(", ")) for floor in " ".join(written.split()).split(" < ")]
    *below, command, _ = FLOORS  # the last is the file that starts the command
    assert floors[:-1] == below and floors[-1][0] in command


def test_commands_of_the_pages_name_files_that_exist() -> None:
    lines = chain(*(path.read_text().splitlines() for path in PAGES))
    commands = [line.strip() for line in lines if line.startswith("    .venv/bin/pytest ")]
    files = [word for line in commands for word in shlex.split(line)[1:] if "/" in word]
    assert files and [name for name in files if not (ROOT / name).is_file()] == []


def test_every_hook_before_a_commit_is_local_and_its_notebook_checks_are_quick() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    assert {hook["language"] for hook in hooks.values()} == {"system"}
    program, *arguments = shlex.split(hooks["notebooks"]["entry"])
    command = ["-m", program.rpartition("/")[2], "--collect-only", *arguments]
    listed = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
    ).stdout
    found = set(re.findall(r"::(test_\w+)", listed))
    assert {"test_cells_are_short", "test_parameters_are_plain_values"} <= found
    assert not [name for name in found if re.search("smoke|papermill|nbval", name)]
