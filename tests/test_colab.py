"""The pages where only Colab's versions are: `make test-colab` makes it, FMNIST_COLAB names it."""

import json
import os
import resource
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_notebooks import NOTEBOOKS, ROOT, papermill
from test_project import declared

from fmnist_utils.book.links import INSTALL

PICTURE = r'width="\d+" src="data:image/png;base64,[A-Za-z0-9+/=]+'
PINS = ROOT / "requirements-colab.txt"


def test_the_package_asks_for_nothing_that_colab_would_have_to_replace() -> None:
    lines = [line for line in PINS.read_text().splitlines() if not line.startswith("#")]
    shipped = {canonicalize_name(pin.name): pin for pin in map(Requirement, lines)}
    for needed in declared():
        (only,) = shipped[canonicalize_name(needed.name)].specifier
        assert only.version in needed.specifier, needed


def test_a_failed_install_is_answered_where_the_traceback_points() -> None:
    for path in NOTEBOOKS:
        (cell,) = (cell for cell in nbformat.read(path, 4).cells if "%pip" in cell.source)
        assert cell.source.startswith(
            "try:\n    import fmnist_utils as fu\nexcept ModuleNotFoundError:\n    %pip "
        )
        assert "\n    import fmnist_utils as fu  # failed? " in cell.source, path.name


# --- in that environment -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the Python of the environment."""
    folder = os.environ.get("FMNIST_COLAB")
    if not folder:
        pytest.skip("needs an environment with Colab's versions: make test-colab makes it")
    return Path(folder).absolute() / "bin/python"


@pytest.fixture(scope="module")
def env(python: Path, real_data_dir: Path, tmp_path_factory) -> dict[str, str]:
    """Return the variables of a reader who has only the environment, as the kernel ``colab``."""
    home = tmp_path_factory.mktemp("home")
    kernel = home / "kernels/colab"
    kernel.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**clean, "HOME": str(home), "JUPYTER_PATH": str(home)}


def packages(python: Path) -> set[str]:
    command = [python, "-m", "pip", "freeze"]
    return set(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    )


@pytest.fixture(scope="module")
def installed(python: Path, env: dict[str, str], tmp_path_factory) -> dict[str, object]:
    """Install the committed package by the cell of a page; return what that took and changed."""
    subprocess.run(
        [python, "-m", "pip", "uninstall", "--quiet", "--yes", "fmnist-utils"], check=True
    )
    folder, page = tmp_path_factory.mktemp("install"), nbformat.read(NOTEBOOKS[0], 4)
    page.cells = [cell for cell in page.cells if "%pip" in cell.source]
    page.cells[0].source = INSTALL.sub(f"git+{ROOT.as_uri()}", page.cells[0].source)
    nbformat.write(page, folder / "page.ipynb")
    before, start = packages(python), resource.getrusage(resource.RUSAGE_CHILDREN)
    result = papermill("page.ipynb", env, folder, kernel="colab")
    assert result.returncode == 0, result.stderr[-2000:]
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "before": before,
        "after": packages(python),
        "seconds": end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime,
        "said": str(nbformat.read(folder / "out.ipynb", 4).cells[-1].outputs[:-1]),
    }


def test_the_install_cell_adds_the_package_and_replaces_nothing(installed) -> None:
    (added,) = installed["after"] - installed["before"]
    assert added.startswith("fmnist-utils @ git+file:") and installed["before"] < installed["after"]
    assert "ERROR" not in installed["said"] and "conflict" not in installed["said"]


def test_the_install_is_quick_and_light(python: Path, installed) -> None:
    assert installed["seconds"] < 60  # of computing: no wait for a network counts
    code = (
        "import importlib.metadata as m; print(sum(f.size or 0 for f in m.files('fmnist-utils')))"
    )
    size = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    clone = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    assert max(int(size), len(clone.stdout)) < 25e6


@pytest.mark.slow
def test_every_page_shows_there_what_is_stored(env, installed, tmp_path: Path) -> None:
    for path in (*NOTEBOOKS, ROOT / "conftest.py"):
        shutil.copy(path, tmp_path)
    command = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--nbval"]
    # Another Matplotlib draws other pictures; nbval leaves them out, but for those within HTML.
    (tmp_path / "but.cfg").write_text(f"[pictures]\nregex: {PICTURE}\nreplace: a picture\n")
    command += ["--nbval-sanitize-with", "but.cfg"]
    command += ["--nbval-kernel-name", "colab", "--nbval-kernel-startup-timeout", "600"]
    result = subprocess.run(
        [*command, *(path.name for path in NOTEBOOKS)],
        cwd=tmp_path, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-5000:]


@pytest.mark.slow
def test_a_chapter_trains_there(env, installed, tmp_path: Path) -> None:
    chapter = ROOT / "chapters/baltzi.ipynb"
    result = papermill(chapter, env, tmp_path, ("MODE", "smoke"), kernel="colab")
    assert result.returncode == 0, result.stderr[-2000:]
    assert [item.name for item in tmp_path.iterdir()] == ["out.ipynb"]


@pytest.mark.slow
def test_the_exercise_on_dropout_works_there_as_it_is_printed(
    env, installed, tmp_path: Path
) -> None:
    """But for the number of images and epochs."""
    page = nbformat.read(ROOT / "chapters/baltzi.ipynb", 4)
    (text,) = (cell.source for cell in page.cells if "## Exercises" in cell.source)
    code = textwrap.dedent(text.split("```python\n")[1].split("```")[0])
    assert code.count("vary(dropout=0.3)") == 1
    code = code.replace("vary(dropout=0.3)", "vary(dropout=0.3, epochs=1, images=2000)")
    opening = [cell for cell in page.cells if cell.cell_type == "code"][:2]
    page.cells = [*opening, nbformat.v4.new_code_cell(code)]
    nbformat.write(page, tmp_path / "exercise.ipynb")
    result = papermill("exercise.ipynb", env, tmp_path, kernel="colab")
    assert result.returncode == 0, result.stderr[-2000:]
    shown = nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs
    said = "".join(o.get("text") or o.data.get("text/plain", "") for o in shown)
    assert "epoch 1 of 1" in said or "seed 1: 1 epoch, " in said
    assert said.count("1 run of baltzi/cnn-2-conv") == 2 and "Mine were trained on" in said
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert [path.parent.name for path in tmp_path.rglob("*.seed01.*.json")] == ["baltzi"]
