"""A sixth report: its skeleton, what is missing in one, and the walk through of CONTRIBUTING.md."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories import make_run
from typer.testing import CliRunner

from fmnist_utils import cli
from fmnist_utils.contribute.check import check_report
from fmnist_utils.reports import load
from fmnist_utils.runs import store
from fmnist_utils.runs.store import write_run

ROOT = Path(__file__).parents[1]
WALK = (ROOT / "CONTRIBUTING.md").read_text().split("## A sixth report")[1].split("\n## ")[0]
TEXT, DATA = (re.findall(rf"```{kind}\n(.*?)```", WALK, re.DOTALL)[0] for kind in ("text", "yaml"))
COMMANDS = re.findall(r"(?m)^    (\S.*)$", re.sub(r"(?s)```.*?```", "", WALK))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a checkout with one report and its chapter, which the package is taken to be in."""
    folder = tmp_path / "book"
    reports = folder / "fmnist_utils/reports"
    (reports / "baltzi").mkdir(parents=True)
    (folder / "chapters").mkdir()
    shutil.copy(ROOT / "fmnist_utils/reports/baltzi/report.yaml", reports / "baltzi")
    shutil.copy(ROOT / "chapters/baltzi.ipynb", folder / "chapters")
    for name in ("_toc.yml", "_config.yml"):
        shutil.copy(ROOT / name, folder)
    for module in (load, store):
        monkeypatch.setattr(module, "reports_folder", lambda: reports)
    monkeypatch.chdir(folder)
    (tmp_path / "tiny.txt").write_text(TEXT)
    load.load_report.cache_clear()
    yield folder
    load.load_report.cache_clear()


def fmnist(*words: str) -> Any:
    load.load_report.cache_clear()
    return CliRunner().invoke(cli.app, words)


def begun(checkout: Path, data: str = "") -> Path:
    """Begin the report of the walk through, and return its file."""
    assert fmnist("new-report", "tiny-mlp").exit_code == 0
    path = checkout / "fmnist_utils/reports/tiny-mlp/report.yaml"
    if data:
        path.write_text(data)
    return path


def executed(checkout: Path) -> Path:
    """Fill in the chapter as the walk through does, as if it had been refreshed."""
    path = checkout / "chapters/tiny-mlp.ipynb"
    notebook = json.loads(path.read_text().replace("TODO", "Later:"))
    for cell in notebook["cells"]:
        cell |= {"execution_count": 1} if cell["cell_type"] == "code" else {}
    path.write_text(json.dumps(notebook))
    return path


# --- new-report ----------------------------------------------------------------------------------


def test_a_skeleton_is_a_report_that_can_be_read_and_is_all_to_do(checkout: Path) -> None:
    path = begun(checkout)
    assert yaml.safe_load(path.read_text())["id"] == "tiny-mlp"
    done = fmnist("check", "tiny-mlp")
    assert done.exit_code == 1
    told = done.stdout.splitlines()
    for file in ("fmnist_utils/reports/tiny-mlp/report.yaml", "chapters/tiny-mlp.ipynb"):
        lines = (checkout / file).read_text().splitlines()
        # Caption and alternative text of a figure are one thing to do.
        marked = sum("TODO" in line and '"alt"' not in line for line in lines)
        assert sum("to be filled in" in line for line in told if file in line) == marked > 10
    assert not any("neither claimed nor assumed" in line for line in told)
    listed = re.findall(r"file: (chapters/\S+)", (checkout / "_toc.yml").read_text())
    before = re.findall(r"file: (chapters/\S+)", (ROOT / "_toc.yml").read_text())
    assert sorted(set(listed) - set(before)) == ["chapters/tiny-mlp"]
    assert listed[listed.index("chapters/tiny-mlp") - 1] == "chapters/baltzi"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("baltzi", "exists already: choose another id"),
        ("dataset", "exists already: choose another id"),
        ("Tiny MLP", "is no id: small letters, digits and hyphens"),
        ("../evil", "is no id"),
        ("", "is no id"),
    ],
)
def test_an_id_that_is_taken_or_none_is_refused(checkout: Path, name: str, sentence: str) -> None:
    (checkout / "chapters/dataset.ipynb").write_text("{}")
    before = sorted(checkout.rglob("*"))
    done = fmnist("new-report", name)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert sorted(checkout.rglob("*")) == before


def test_outside_of_a_checkout_a_report_has_no_place(checkout: Path) -> None:
    (checkout / "_toc.yml").unlink()
    for command in ("new-report", "check"):
        done = fmnist(command, "tiny-mlp")
        assert done.exit_code == 2 and "is no checkout" in done.stderr


# --- check ---------------------------------------------------------------------------------------


def test_every_report_of_the_book_is_complete() -> None:
    assert [line for name in load.list_reports() for line in check_report(name)] == []


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


WRONG = [
    ("value: 86.4, unit: percent", "value: 86.4", "experiments.mlp.claims.10.value", "add unit"),
    ("batch_size: 128\n", "batch_sise: 128\n", "training.batch_sise", "unknown key"),
    ("      epochs: 3\n", "", "experiments.mlp.training.epochs", "this key is required"),
    ("value: 1, where: sentence 2}", "value: 1}", "claims.0.where", "this key is required"),
    ("where: sentence 2\n", "where: *it\n", "", "not valid YAML"),
    ("authors: [A. Student]", "authors: A. Student", "authors", "this must be a list"),
    ("title: One hidden layer\n", "table:\n", "mlp.table", "nothing stands here"),
    ("training:\n      validation", "training: quick\n    later:\n      validation", "training",
     "this must be a mapping"),
    ("title: A small", "# A small", "title", "this key is required"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "sentence"), WRONG)
def test_what_the_schema_refuses_is_told_with_its_line(
    checkout: Path, old: str, new: str, key: str, sentence: str
) -> None:
    begun(checkout, DATA.replace(old, new, 1))
    done = fmnist("check", "tiny-mlp")
    assert done.exit_code == 1
    (told,) = [line for line in done.stdout.splitlines() if sentence in line]
    assert key in told and re.match(r"fmnist_utils/reports/tiny-mlp/report.yaml, line \d+: ", told)
    if new.strip():
        wrong = DATA.replace(old, new, 1)
        assert abs(int(told.split("line ")[1].split(":")[0]) - line_of(wrong, new)) <= 1


def test_everything_that_is_wrong_is_told_in_one_go(checkout: Path) -> None:
    wrong = re.sub(r"(?m)^ +- \{setting: (reading\.[^w]|training\.).*\n", "", DATA)
    wrong = re.sub(r"(?m)^ +- \{id: (units|optimizer),.*\n", "", wrong)
    wrong = wrong.replace("setting: training.epochs", "setting: training.epoch")
    wrong = wrong.replace("model.hidden.count", "model.hiden.count")
    begun(checkout, wrong)
    told = fmnist("check", "tiny-mlp").stdout
    for setting in (
        "model.hidden.0.units", "training.optimizer.name", "training.optimizer.learning_rate",
        "training.loss", "reading.pixel scaling", "reading.initialiser", "reading.defaults",
        "training.epochs", "model.hidden.count",
    ):  # fmt: skip
        assert re.search(rf"{setting}.* are neither claimed nor assumed", told), setting
    for misspelt in ("training.epoch", "model.hiden.count"):
        (line,) = [line for line in told.splitlines() if f"has no setting {misspelt}" in line]
        assert f"line {line_of(wrong, misspelt)}: " in line


def test_numbers_of_the_text_that_are_nowhere_are_told_with_their_line(checkout: Path) -> None:
    begun(checkout, DATA)
    text = checkout.parent / "tiny.txt"
    text.write_text(f"{TEXT}It took 3 epochs, as Figure 4 shows, and 41 seconds.\n")
    told = fmnist("check", "tiny-mlp", "--text", str(text)).stdout
    assert f"{text}, line 6: 41: neither claimed nor ignored" in told
    assert told.count("neither claimed nor ignored") == 1


def test_a_report_without_headlines_or_chapter_is_not_complete(checkout: Path) -> None:
    begun(checkout, DATA.replace("role: headline, ", ""))
    (checkout / "chapters/tiny-mlp.ipynb").unlink()
    toc = checkout / "_toc.yml"
    toc.write_text(toc.read_text().replace("      - file: chapters/tiny-mlp\n", ""))
    told = fmnist("check", "tiny-mlp").stdout
    assert "no claim has role: headline" in told
    assert "chapters/tiny-mlp.ipynb: the report has no chapter yet" in told
    assert "_toc.yml: chapters/tiny-mlp is not listed" in told


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("## Exercises", "## Tasks", "there is no section '## Exercises'"),
        ("## In short", "In short", "there is no section '## In short'"),
        ("book.in_short()", "book", "no cell calls book.in_short"),
        ('\\"tiny-mlp\\")', '\\"baltzi\\")', 'no cell calls fu.setup(globals(), "tiny-mlp")'),
        ('"parameters"', '"settings"', "no cell has the tag parameters"),
        ('"execution_count": 1', '"execution_count": null', "it has no stored outputs"),
    ],
)
def test_what_a_chapter_lacks_is_told(checkout: Path, old: str, new: str, sentence: str) -> None:
    begun(checkout, DATA)
    path = executed(checkout)
    assert "chapters/" not in fmnist("check", "tiny-mlp").stdout
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert f"chapters/tiny-mlp.ipynb: {sentence}" in fmnist("check", "tiny-mlp").stdout


@pytest.mark.parametrize(
    "content",
    ["", "[]", "not JSON", '{"cells": 5, "metadata": {}}', '{"cells": [{}], "metadata": {}}',
     '{"cells": [{"cell_type": "code", "source": 3}], "metadata": {}}'],
)  # fmt: skip
def test_a_chapter_that_is_no_notebook_is_told(checkout: Path, content: str) -> None:
    begun(checkout, DATA)
    (checkout / "chapters/tiny-mlp.ipynb").write_text(content)
    done = fmnist("check", "tiny-mlp")
    assert done.exit_code == 1 and "is not a notebook" in done.stdout
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_a_page_that_begins_like_another_is_not_taken_for_it(checkout: Path) -> None:
    path = begun(checkout, DATA)
    other = path.parents[1] / "tiny/report.yaml"
    other.parent.mkdir()
    other.write_text(DATA.replace("tiny-mlp", "tiny"))
    assert "_toc.yml: chapters/tiny is not listed" in fmnist("check", "tiny").stdout


@pytest.mark.parametrize("toc", ["", "parts: []\n"])
def test_a_table_of_contents_without_chapters_is_no_place_for_one(checkout: Path, toc: str) -> None:
    (checkout / "_toc.yml").write_text(toc)
    done = fmnist("new-report", "tiny-mlp")
    assert done.exit_code == 2 and "_toc.yml lists no report's chapter" in done.stderr
    assert not (checkout / "fmnist_utils/reports/tiny-mlp").exists()


def test_wrong_input_is_one_sentence_and_no_answer(checkout: Path) -> None:
    begun(checkout, DATA)
    latin = checkout / "latin.txt"
    latin.write_bytes(b"caf\xe9 84 %")
    for words, sentence in (
        (["tiny"], "There is no report 'tiny': fmnist new-report tiny begins it"),
        (["../tiny"], "is no id"),
        (["tiny-mlp", "--text", "nowhere.txt"], "does not exist"),
        (["tiny-mlp", "--text", str(latin)], "is no text in UTF-8"),
        (["tiny-mlp", "--text", "/dev/zero"], "it is no regular file"),
    ):
        done = fmnist("check", *words)
        assert done.exit_code == 2 and sentence in " ".join(done.stderr.split()), words


# --- the walk through ----------------------------------------------------------------------------


def test_the_walk_through_leads_to_a_complete_report(checkout: Path) -> None:
    """All but training and running the notebook, for which made up runs and counts stand."""
    check = ["check", "tiny-mlp", "--text", str(checkout.parent / "tiny.txt")]
    assert f"fmnist {' '.join(check[:2])} --text ../tiny.txt" in COMMANDS
    path = begun(checkout)
    assert fmnist(*check).exit_code == 1
    path.write_text(DATA)
    left = fmnist(*check).stdout.splitlines()[:-1]
    assert all("chapters/tiny-mlp.ipynb" in line or "no runs" in line for line in left), left
    assert fmnist("audit", "tiny-mlp").exit_code == 0
    experiment = load.load_report("tiny-mlp")["mlp"]
    for seed in range(1, 6):
        write_run(make_run(experiment, seed, accuracy=0.86), Path("runs/tiny-mlp"))
    told = fmnist(*check).stdout
    assert "experiment mlp has runs that are not published: fmnist publish-runs" in told
    shutil.copytree("runs/tiny-mlp", path.parent / "runs")
    executed(checkout)
    done = fmnist(*check)
    assert (done.exit_code, done.stdout) == (0, "tiny-mlp is complete.\n")
    assert fmnist("report", "tiny-mlp").exit_code == 0


@pytest.mark.slow
def test_the_walk_through_does_what_it_says(real_data_dir: Path, tmp_path: Path) -> None:
    """Every command in order, in a clone: five trainings, and the chapter executed."""
    clone = tmp_path / "clone"
    left_out = shutil.ignore_patterns(".git", "_build", ".venv", "runs", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, clone, ignore=left_out)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/fmnist"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m fmnist_utils "$@"\n')
    program.chmod(0o755)
    (tmp_path / "tiny.txt").write_text(TEXT)
    env = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "FMNIST_DATA_DIR": str(real_data_dir),
    }
    for name in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{name}_NAME": "A", f"GIT_{name}_EMAIL": "nobody"}

    def run(line: str) -> Any:
        return subprocess.run(
            ["bash", "-c", line], cwd=clone, env=env, capture_output=True, text=True
        )

    for line in ("git init --quiet --initial-branch main", "git add --all", "git commit -qm all"):
        assert run(line).returncode == 0
    done: list[Any] = []
    for line in COMMANDS[: COMMANDS.index("make book")]:
        done.append(run(line))
        if line.startswith("fmnist check") and len(done) < 4:
            assert done[-1].returncode == 1, done[-1].stderr
            (clone / "fmnist_utils/reports/tiny-mlp/report.yaml").write_text(DATA)
        else:
            assert done[-1].returncode == 0, (line, done[-1].stdout, done[-1].stderr)
    assert done[-1].stdout == "tiny-mlp is complete.\n"
