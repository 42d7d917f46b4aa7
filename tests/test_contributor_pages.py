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
CHECKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
HOOKS = {hook["id"]: hook for repository in CHECKS["repos"] for hook in repository["hooks"]}
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
    (repository,) = CHECKS["repos"]
    assert repository["repo"] == "local"
    languages = {name: hook["language"] for name, hook in HOOKS.items()}
    assert languages.pop("message") == "pygrep"  # pre-commit's own
    assert set(languages.values()) == {"system"}
    program, *arguments = shlex.split(HOOKS["notebooks"]["entry"])
    command = ["-m", program.rpartition("/")[2], "--collect-only", *arguments]
    listed = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
    ).stdout
    found = set(re.findall(r"::(test_\w+)", listed))
    assert {"test_cells_are_short", "test_parameters_are_plain_values"} <= found
    assert not [name for name in found if re.search("smoke|papermill|nbval", name)]


def is_accepted(message: str) -> bool:
    """Look at a message as pre-commit does: at its bytes, before git takes out its comments."""
    hook = HOOKS["message"]
    assert hook["stages"] == ["commit-msg"] and hook["args"] == ["--negate", "--multiline"]
    pattern = re.compile(hook["entry"].encode(), re.MULTILINE | re.DOTALL)
    return pattern.search(message.encode()) is not None


BODY = "\n\nNobody had noticed that it was missing.\n"
COMMENTS = "# Please enter the message.\n# --- >8 ---\ndiff --git a/x b/x\n"


@pytest.mark.parametrize(
    "message",
    [
        f"runs: add ten seeds{BODY}",
        f"tests, fashion-mnist-report: bring back a line{BODY}{COMMENTS}",
        f"book: pass on what was said\n{BODY}",
        f"tables: focus on one row{BODY}",
        "a: b" + "c" * 68 + BODY,
        "a: b" + "é" * 68 + BODY,
        "Merge branch 'main' into runs\n",
        "fixup! runs: add ten seeds\n",
    ],
)
def test_a_message_of_the_agreed_form_is_accepted(message: str) -> None:
    assert is_accepted(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "runs: add ten seeds\n",
        f"runs: add ten seeds\n\n{COMMENTS}",
        "runs: add ten seeds\nwithout an empty line\n\nbefore this.\n",
        f"\nruns: add ten seeds{BODY}",
        f"add ten seeds{BODY}",
        f"Runs: add ten seeds{BODY}",
        f"runs:add ten seeds{BODY}",
        f"runs: {BODY}",
        f"runs: Add ten seeds{BODY}",
        *(f"runs: {word} ten seeds{BODY}" for word in ("adds", "added", "adding", "stores")),
        "a: b" + "c" * 69 + BODY,
        "a: b" + "é" * 69 + BODY,
    ],
)
def test_any_other_message_is_refused(message: str) -> None:
    assert not is_accepted(message)


def test_installing_the_checks_installs_that_of_messages_and_it_is_of_messages_alone() -> None:
    assert CHECKS["default_install_hook_types"] == ["pre-commit", "commit-msg"]
    assert CHECKS["default_stages"] == ["pre-commit"]


def test_messages_that_the_page_shows_are_of_the_agreed_form() -> None:
    lines = re.findall("git commit (.*)", (ROOT / "CONTRIBUTING.md").read_text())
    options = [shlex.split(line) for line in lines]
    assert options and {name for words in options for name in words[::2]} == {"--message"}
    assert all(is_accepted("\n\n".join(words[1::2])) for words in options)
