"""The committed notebooks: as sources, run in smoke mode, and held to their stored output."""

import ast
import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from fmnist_utils.book.reproduce import PARAMETERS
from fmnist_utils.runs.record import Run

ROOT = Path(__file__).parents[1]
NOTEBOOKS = [ROOT / "index.ipynb", *sorted((ROOT / "chapters").glob("*.ipynb"))]

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def tagged(path, tag):
    return [cell for cell in code_cells(path) if tag in cell.metadata.get("tags", [])]


def outputs(path):
    return [output for cell in code_cells(path) for output in cell.outputs]


# --- as sources ----------------------------------------------------------------------------------


@every_notebook
def test_the_package_itself_is_the_only_door(path):
    """What a notebook uses stands in one list, and a reader finds it there."""
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert not re.search(r"fmnist_utils\.\w|from fmnist_utils import", code)


@every_notebook
def test_parameters_are_plain_values(path):
    """A value derived in the parameters cell would not follow an injected parameter."""
    (cell,) = tagged(path, "parameters")
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)


@every_notebook
def test_every_parameter_stands_in_the_parameters_cell(path):
    (cell,) = tagged(path, "parameters")
    names = [line.partition(" = ")[0] for line in cell.source.splitlines()]
    assert names == list(PARAMETERS)


@every_notebook
def test_the_chapter_checks_its_parameters(path):
    ways = ("fu.setup(globals()", "fu.check_parameters(globals())")
    assert any(way in cell.source for cell in code_cells(path) for way in ways)


@every_notebook
def test_committed_executed_without_error_or_stderr(path):
    assert [cell.execution_count for cell in code_cells(path)] == list(
        range(1, len(code_cells(path)) + 1)
    )
    for output in outputs(path):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.get("text")


@every_notebook
def test_no_trace_of_the_machine_that_ran_it(path):
    text = path.read_text(encoding="utf-8")
    assert "papermill" not in json.loads(text)["metadata"]
    assert not re.search(r"/(home|root|tmp|work|Users)/\w", text)


@every_notebook
def test_every_picture_has_alternative_text_and_a_caption(path):
    for cell in code_cells(path):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            about = cell.metadata["mystnb"]
            assert len(about["image"]["alt"]) > 20
            assert len(about["figure"]["caption"]) > 20


@every_notebook
def test_a_picture_is_one_panel_that_a_phone_shows_with_letters_of_nine_pixels(path):
    """Several panels go through `fu.plots.panels`, so that they wrap where a page is narrow."""
    widest = 312 * (10 * 96 / 72) / 9  # of an article on 360 pixels; letters of 10 points
    for output in outputs(path):
        if "image/png" in output.get("data", {}):
            assert output.data["text/plain"].endswith("with 1 Axes>"), output.data["text/plain"]
            picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
            assert picture.width * 96 / 144 <= widest


@every_notebook
def test_cells_are_short(path):
    """A model by hand may be as long as the network is, and so may what a page does not show."""
    for cell in code_cells(path):
        by_hand = "keras.Sequential(" in cell.source or ".fit(" in cell.source
        folded = {"hide-input", "remove-input"} & set(cell.metadata.get("tags", []))
        assert len(cell.source.splitlines()) <= (20 if by_hand or folded else 8), cell.source


@every_notebook
def test_pictures_are_stored_with_a_palette_and_so_at_a_third_of_their_size(path):
    for output in (output for cell in code_cells(path) for output in cell.outputs):
        if "image/png" in output.get("data", {}):
            picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
            assert picture.mode == "P"


# --- run, against the installed package ----------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return an environment in which the package is a proper install, not this checkout."""
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("installed")
    shutil.copytree(
        ROOT / "fmnist_utils", source / "fmnist_utils", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run(command, check=True)
    return {**os.environ, "PYTHONPATH": str(target)}


def papermill(notebook, env, folder, *parameters, kernel=None):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(notebook), "out.ipynb"]
    command += ["--kernel", kernel] if kernel else []
    for name, value in parameters:
        command += ["-p", name, value]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def data_kind():
    folder = os.environ.get("FMNIST_DATA_DIR", "")
    return "real" if folder and Path(folder).is_dir() else "synthetic"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_smoke_in_an_empty_folder(path, installed, tmp_path):
    result = papermill(path, installed, tmp_path, ("MODE", "smoke"), ("DATA", data_kind()))
    assert result.returncode == 0, result.stderr[-2000:]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["out.ipynb"]


WRONG = [
    ("MODE", "fast", "ParameterError: MODE is 'fast'; it takes replay, smoke, full."),
    ("EPOCHS", "3", "ParameterError: There is no parameter EPOCHS; a chapter takes"),
    ("seeds", "3", "ParameterError: There is no parameter seeds; a chapter takes"),
    ("Mode", "smoke", "ParameterError: There is no parameter Mode; a chapter takes"),
    ("epochs", "3", "ParameterError: There is no parameter epochs; a chapter takes"),
    ("SEEDS", "True", "ParameterError: SEEDS is True; it takes a whole number"),
]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [WRONG[0], *(pytest.param(*case, marks=pytest.mark.slow) for case in WRONG[1:])],
)
def test_a_wrong_parameter_stops_papermill_with_one_sentence(
    name, value, sentence, installed, tmp_path
):
    notebook = ROOT / "chapters" / "baltzi.ipynb"
    result = papermill(notebook, installed, tmp_path, (name, value))
    assert result.returncode != 0
    assert sentence in result.stderr
    written = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    (error,) = [o for c in written.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert len(error.traceback) == 1


@pytest.mark.slow
@pytest.mark.parametrize("new_digest", [False, True], ids=["edited", "edited, with new digest"])
def test_nbval_notices_one_changed_digit_of_a_run(new_digest, real_data_dir, installed, tmp_path):
    """The digest gives an edited record away; if it did not, the stored tables would."""
    copy = tmp_path / "installed"
    shutil.copytree(installed["PYTHONPATH"], copy)
    records = copy / "fmnist_utils/reports/baltzi/runs"
    path = next(records.glob("cnn-1-conv.seed01.????????.json"))
    content = json.loads(path.read_text())
    content["final"]["train"]["accuracy"] = round(content["final"]["train"]["accuracy"] + 0.01, 6)
    run = Run.model_validate(content)
    record = run.with_digest() if new_digest else run
    path.write_text(record.model_dump_json(exclude_unset=True))
    notebook = shutil.copy(ROOT / "chapters" / "baltzi.ipynb", tmp_path)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q"]
    command += ["-x", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(notebook)]
    env = {**installed, "PYTHONPATH": str(copy)}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 1, result.stdout[-2000:]
    assert ("does not fit its own digest" in result.stdout) == (not new_digest)
    assert "NbCellError" in result.stdout or "FAILED" in result.stdout
