"""The `fmnist` command as its user meets it: words, exit codes, interruptions."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat.v4 as nb
import pytest
from factories import (
    TEST_LABELS,
    diverged_run,
    make_run,
    of_revision,
    with_new_digest,
    with_value,
)
from typer.testing import CliRunner, Result

from fmnist_utils import cli
from fmnist_utils.campaign import jobs as campaign_jobs
from fmnist_utils.campaign import launch
from fmnist_utils.campaign.estimate import plan_text
from fmnist_utils.cli_common import AGAIN
from fmnist_utils.reports import load
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs import reading as run_reading
from fmnist_utils.runs import store as run_store
from fmnist_utils.runs.reading import read_run
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.runs.store import RunStore, write_run
from fmnist_utils.training.interrupts import INTERRUPTED, SIGNALS
from fmnist_utils.tuning import trials

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "fmnist_utils"]


def fmnist(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


@pytest.fixture
def experiment() -> Experiment:
    return load_report("baltzi")["mlp-baseline"]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with package data elsewhere; return that folder of runs."""
    for module in (run_store, trials):
        monkeypatch.setattr(module, "reports_folder", lambda: tmp_path / "package")
    monkeypatch.setattr(run_reading, "labels_at_hand", lambda: TEST_LABELS)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "package/baltzi/runs"
    folder.mkdir(parents=True)
    return folder


# --- Manners -------------------------------------------------------------------------------------


def test_the_command_starts_without_keras_or_tensorflow() -> None:
    heavy = ("keras", "tensorflow", "numpy", "pydantic", "papermill", "matplotlib")
    script = f"import sys, fmnist_utils.cli; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.parametrize("words", ["--version", "--help", "reports"])
def test_output_that_cannot_be_written_is_one_sentence(words: str) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run([*COMMAND, words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2 and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "nothing"],
        ["run", "baltzi", "nothing"],
        ["report", "nothing"],
        ["audit", ""],
        ["search", "anastasopoulos-mpofu-smith", ""],
        ["book"],
        ["book", "--executed", "nowhere"],
        ["publish-runs"],
        ["publish-runs", "nowhere"],
        ["set-repository", "https://example.org/a/b"],
        ["set-repository", "https://github.com/a/../b"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments: list[str], published: Path) -> None:
    result = fmnist(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.endswith(".\n")


@pytest.mark.parametrize(
    "command",
    [["audit", "baltzi"], pytest.param(["report", "baltzi", "--json"], marks=pytest.mark.slow)],
    ids=" ".join,
)
def test_a_terminal_that_cannot_show_a_letter_is_told_its_code(command: list[str]) -> None:
    result = subprocess.run(
        [*COMMAND, *command],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        encoding="ascii",
    )
    assert result.returncode == 0, result.stderr
    assert "\\u2264" in result.stdout or "\\u201c" in result.stdout or "\\xd7" in result.stdout
    if "--json" in command:
        assert any("\u2264" in str(row) for row in json.loads(result.stdout))


@pytest.mark.slow
def test_a_closed_terminal_ends_no_command() -> None:
    command = [*COMMAND, "reports"]
    result = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("distributed", ["run", "baltzi", "--scheduler", "tcp://127.0.0.1:9"], "dask"),
        ("papermill", ["book", "--data", "synthetic"], "book"),
        ("jupyter_book", ["book", "--data", "synthetic"], "book"),
        ("papermill", ["refresh"], "book"),
    ],
)
def test_a_missing_extra_is_one_sentence(
    endless_book: Path,
    published: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    arguments: list[str],
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = fmnist(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.endswith(f"pip install fmnist-utils[{extra}].\n")
    assert not (endless_book / "started").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(
    endless_book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(endless_book)
    (endless_book / "_build").touch()
    result = fmnist("book", "--data", "synthetic")
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "_build" in result.stderr and result.stderr.endswith(f"{AGAIN}\n")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "nonsense"])
def test_a_backend_that_is_not_there_is_one_sentence(
    short_report: dict[str, str], tmp_path: Path, backend: str
) -> None:
    (tmp_path / "jax.py").write_text("raise ModuleNotFoundError('no module jax')")
    path = os.pathsep.join([str(tmp_path), short_report["PYTHONPATH"]])
    environment = short_report | {"KERAS_BACKEND": backend, "PYTHONPATH": path}
    process = start(tmp_path, environment, "run", "baltzi", "mlp-baseline", "--seeds", "1")
    output, errors = process.communicate()
    assert process.returncode == 2
    assert len(output.splitlines()) == 2  # what it will take, and which run failed
    assert len(errors.splitlines()) == 1, errors
    assert backend in errors and "KERAS_BACKEND" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["book", "--mode", "fast"],
        ["book", "--data", "fake"],
        ["run", "baltzi", "--seeds", "0"],
        ["run", "baltzi", "--seeds", "99999999999"],
        ["run", "baltzi", "--jobs", "0"],
        ["run", "baltzi", "--jobs", "many"],
        ["run", "baltzi", "--precision", "float16"],
        ["run", "baltzi", "--tracker", "mlflow"],
        ["run"],
        ["nothing"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_refused_before_anything_runs(arguments: list[str]) -> None:
    result = fmnist(*arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr
    assert "Traceback" not in result.stderr


def test_data_says_where_the_files_are(real_data_dir: Path) -> None:
    result = fmnist("data")
    assert result.exit_code == 0
    assert str(real_data_dir) in result.stdout


def test_missing_data_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path))
    result = fmnist("data")
    assert result.exit_code == 2
    assert "train-images-idx3-ubyte.gz is missing" in result.stderr


@pytest.mark.parametrize("folder", ["text", "~nobodyxyz", "fifo"])
def test_a_data_folder_that_cannot_be_used_is_one_sentence(
    folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "fifo").mkdir()
    os.mkfifo(tmp_path / "fifo/train-images-idx3-ubyte.gz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FMNIST_DATA_DIR", folder)
    result = fmnist("data")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "give" in result.stderr or "put the data file" in result.stderr


# --- Status and reports --------------------------------------------------------------------------


def status_line(result: Result, name: str) -> list[str]:
    return next(line.split() for line in result.stdout.splitlines() if name in line)


def test_status_counts_valid_stale_and_damaged_runs(
    published: Path, experiment: Experiment
) -> None:
    for seed in (1, 2, 3, 5):
        write_run(make_run(experiment, seed, seed + 10, best_epoch=seed), Path("runs/baltzi"))
    old = make_run(experiment, 4).model_copy(update={"fingerprint": "0123456789abcdef"})
    write_run(old, published)
    (published / "cnn-1-conv.seed01.abc.json").write_text("{}")
    result = fmnist("status")
    assert result.exit_code == 0
    line = status_line(result, "baltzi/mlp-baseline")
    assert line == ["baltzi/mlp-baseline", "4", "1–3,", "5", "11–15", "cpu", "1", "stale"]
    assert status_line(result, "baltzi/cnn-1-conv") == ["baltzi/cnn-1-conv", "0"]
    assert "cnn-1-conv.seed01.abc.json is not a run record" in result.stdout
    assert f"delete it from {published}" in result.stdout.replace("\n", "")


def test_status_says_in_its_help_which_runs_it_counts() -> None:
    assert "--plain-fit" in fmnist("status", "--help").stdout


def test_status_names_a_backend_that_is_not_tensorflow(
    published: Path, experiment: Experiment
) -> None:
    for seed, backend in enumerate(("tensorflow", "jax", "jax"), start=1):
        run = make_run(experiment, seed)
        provenance = run.provenance.model_copy(update={"backend": backend})
        write_run(run.model_copy(update={"provenance": provenance}), published)
    line = status_line(fmnist("status"), "baltzi/mlp-baseline")
    assert line[-3:] == ["cpu,", "cpu", "(jax)"]


@pytest.fixture
def one_bad_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have two reports, of which the first by name has an unknown key."""
    text = (ROOT / "fmnist_utils/reports/baltzi/report.yaml").read_text()
    for name, content in (("baltzi", text), ("a-sixth", f"colour: red\n{text}")):
        (tmp_path / "package" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "package" / name / "report.yaml").write_text(content)
    monkeypatch.setattr(load, "reports_folder", lambda: tmp_path / "package")
    load.load_report.cache_clear()
    yield
    load.load_report.cache_clear()


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("status", "baltzi/mlp-baseline "),
        ("reports", "baltzi  Fashion Image Class"),
        ("report", "baltzi  Fashion Image Class"),
        ("audit", "baltzi: "),
    ],
)
def test_one_invalid_report_is_named_and_hides_no_other(
    published: Path, one_bad_report: None, command: str, shown: str
) -> None:
    result = fmnist(command)
    assert result.exit_code == 2
    assert shown in result.stdout and "a-sixth" not in result.stdout
    assert result.stderr.endswith("a-sixth/report.yaml, line 1: colour: unknown key\n")
    assert result.stderr.count("\n") == 1


def test_one_invalid_report_stops_no_training_of_another(
    published: Path, one_bad_report: None, experiment: Experiment
) -> None:
    jobs = [campaign_jobs.Job(experiment, 1)]
    assert plan_text(jobs, RunStore(), 1).startswith("1 run: no recorded times")


def test_report_without_a_name_lists_the_reports() -> None:
    assert fmnist("report").stdout == fmnist("reports").stdout
    assert "mendez  Deep Learning Models" in fmnist("report").stdout


def test_the_version_is_that_of_the_package() -> None:
    result = fmnist("--version")
    assert result.exit_code == 0
    assert result.stdout == f"fmnist-utils {metadata.version('fmnist-utils')}\n"


def test_status_names_a_folder_of_records_that_belongs_to_no_report(
    published: Path, experiment: Experiment
) -> None:
    write_run(make_run(experiment), Path("runs/baltsi"))
    told = fmnist("status").stdout.replace("\n", " ")
    assert "runs/baltsi holds records, but there is no report baltsi: move them" in told


def test_status_names_runs_of_an_experiment_that_is_gone(
    published: Path, experiment: Experiment
) -> None:
    gone = make_run(experiment).model_copy(update={"experiment": "mlp-gone"})
    write_run(gone, published)
    assert "baltzi has runs of no experiment: mlp-gone." in fmnist("status").stdout


def test_a_record_under_anothers_name_or_in_anothers_folder_is_told_and_not_counted(
    published: Path, experiment: Experiment
) -> None:
    path = write_run(make_run(experiment, 1), Path("runs/baltzi"))
    path.rename(path.with_name(make_run(experiment, 2).filename))
    write_run(make_run(experiment, 3).model_copy(update={"report": "other"}), published)
    result = fmnist("status")
    assert status_line(result, "baltzi/mlp-baseline")[1] == "0"
    told = result.stdout.replace("\n", "")
    for folder in ("runs/baltzi", str(published)):
        assert f"of another run than its name and its folder {folder} say" in told
    result = fmnist("report", "baltzi")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("final.test.accuracy", 5.0),
        ("final.test_confusion", [[10_000]]),
        ("final.epoch", 2),
        ("final.validation.accuracy", 0.95),
        ("best.validation.loss", 0.1),
        ("history.val_accuracy.0", 0.999),
    ],
)
def test_an_impossible_record_is_one_sentence_everywhere(
    published: Path, experiment: Experiment, number: str, value: Any
) -> None:
    path = write_run(make_run(experiment), published)
    content = with_value(json.loads(path.read_text()), number, value)
    path.write_text(with_new_digest(content))
    assert path.name in fmnist("status").stdout
    assert status_line(fmnist("status"), "baltzi/mlp-baseline")[1] == "0"
    result = fmnist("report", "baltzi")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert result.stderr.startswith(path.name)
    local = Path("runs/baltzi") / path.name
    local.parent.mkdir(parents=True)
    path.rename(local)
    result = fmnist("publish-runs")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert list(published.iterdir()) == []


def test_status_has_one_line_for_each_search(published: Path) -> None:
    result = fmnist("status")
    assert status_line(result, "/as-listed")[1:] == ["0", "of", "20", "trials"]
    assert status_line(result, "tsoukalelis/cnn ")[1:] == ["0", "of", "40", "trials"]


def test_report_prints_every_claim_with_its_verdict(
    published: Path, experiment: Experiment
) -> None:
    for seed in (1, 2, 3):
        write_run(make_run(experiment, seed, 44, 0.84, best_epoch=34), published)
    result = fmnist("report", "baltzi")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert sum(" pending " in line for line in lines) > 10
    (line,) = (line for line in lines if "Table 1, row 1" in line)
    assert "84.60 %" in line
    assert "84.00 ± 0.00" in line
    assert "close (we got lower)" in line
    assert "2 close" in lines[-1]


def test_a_record_that_cannot_be_read_is_named(published: Path, experiment: Experiment) -> None:
    name = f"{experiment.id}.seed01.0123.json"
    (published / name).mkdir()
    result = fmnist("report", "baltzi")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert result.stderr.startswith(f"{name} cannot be read")
    result = fmnist("status")
    assert result.exit_code == 0
    assert f"{name} cannot be read" in result.stdout
    (published / name).rmdir()
    (published.parents[2] / "runs/baltzi" / name).mkdir(parents=True)
    result = fmnist("publish-runs")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Refused: {name} cannot be read")


# --- Publishing ----------------------------------------------------------------------------------


def test_new_runs_are_published_once(published: Path, experiment: Experiment) -> None:
    for seed in (1, 2):
        write_run(make_run(experiment, seed), Path("runs/baltzi"))
    assert fmnist("publish-runs").stdout == "2 runs published, 0 already there, 0 refused.\n"
    assert [read_run(path).seed for path in sorted(published.iterdir())] == [1, 2]
    write_run(make_run(experiment, 3), Path("runs/baltzi"))
    result = fmnist("publish-runs", "runs")
    assert result.stdout == "1 runs published, 2 already there, 0 refused.\n"
    assert result.exit_code == 0


@pytest.mark.slow
def test_a_hundred_seeds_are_published_at_once(published: Path, experiment: Experiment) -> None:
    for seed in range(1, 102):
        write_run(make_run(experiment, seed), Path("runs/baltzi"))
    result = fmnist("publish-runs")
    assert result.stdout == "101 runs published, 0 already there, 0 refused.\n", result.stderr


def test_a_folder_of_runs_may_have_any_name(published: Path, experiment: Experiment) -> None:
    write_run(make_run(experiment), Path("executions"))
    assert fmnist("publish-runs", "executions").stdout.startswith("1 runs published")


def edited(experiment: Experiment) -> None:
    path = write_run(make_run(experiment), Path("runs/baltzi"))
    text = path.read_text()
    assert '"accuracy":0.9' in text
    path.write_text(text.replace('"accuracy":0.9', '"accuracy":0.8', 1))


def stale(experiment: Experiment) -> None:
    run = make_run(experiment).model_copy(update={"fingerprint": "0123456789abcdef"})
    write_run(run, Path("runs/baltzi"))


def gap(experiment: Experiment) -> None:
    write_run(make_run(experiment, 2), Path("runs/baltzi"))


def foreign(experiment: Experiment) -> None:
    run = make_run(experiment).model_copy(update={"experiment": "mlp-gone"})
    write_run(run, Path("runs/baltzi"))


def broken(experiment: Experiment) -> None:
    path = write_run(make_run(experiment), Path("runs/baltzi"))
    path.write_text(path.read_text()[:100])


def dirty(experiment: Experiment) -> None:
    write_run(of_revision(make_run(experiment), "0123456789ab-dirty"), Path("runs/baltzi"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (edited, "does not fit its own digest"),
        (stale, "is stale"),
        (gap, "would leave a gap"),
        (foreign, "there is no experiment baltzi/mlp-gone"),
        (broken, "is not a run record"),
        (dirty, "by code of no commit (0123456789ab-dirty)"),
    ],
)
def test_what_is_no_evidence_is_refused(
    published: Path, experiment: Experiment, fault: Callable[[Experiment], None], reason: str
) -> None:
    fault(experiment)
    result = fmnist("publish-runs")
    assert result.exit_code == 1
    assert result.stdout == "0 runs published, 0 already there, 1 refused.\n"
    assert result.stderr.startswith("Refused: mlp-")
    assert reason in result.stderr
    assert list(published.iterdir()) == []


def test_a_seed_that_diverged_is_named_where_it_holds_up_others(
    published: Path, experiment: Experiment
) -> None:
    for run in (diverged_run(experiment), make_run(experiment, 2), make_run(experiment, 3)):
        write_run(run, Path("runs/baltzi"))
    result = fmnist("publish-runs")
    first, *others = result.stderr.splitlines()
    assert "seed 1 is no evidence" in first and first.endswith("train every seed again.")
    assert len(others) == 2
    assert all(line.endswith("would leave a gap: seed 1 diverged.") for line in others)


def test_published_evidence_is_never_overwritten(published: Path, experiment: Experiment) -> None:
    path = write_run(make_run(experiment, accuracy=0.8), published)
    before = path.read_bytes()
    write_run(make_run(experiment, accuracy=0.9), Path("runs/baltzi"))
    result = fmnist("publish-runs")
    assert "differs from the published run of seed 1" in result.stderr
    assert path.read_bytes() == before


def test_an_installed_package_is_not_published_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lib/site-packages/fmnist_utils/reports"
    folder.mkdir(parents=True)
    monkeypatch.setattr(run_store, "reports_folder", lambda: folder)
    result = fmnist("publish-runs", str(tmp_path))
    assert result.exit_code == 2
    assert "publish from a clone of the repository" in result.stderr


# --- Interruptions -------------------------------------------------------------------------------


@pytest.fixture
def short_report(tmp_path: Path, real_data_dir: Path) -> dict[str, str]:
    """Return an environment in which one experiment trains for three epochs only."""
    package = shutil.copytree(
        ROOT / "fmnist_utils",
        tmp_path / "code/fmnist_utils",
        ignore=shutil.ignore_patterns("__pycache__", "*.seed*.json"),
    )
    report = package / "reports/baltzi/report.yaml"
    report.write_text(report.read_text().replace("epochs: 100", "epochs: 3"))
    return {
        **os.environ,
        "PYTHONPATH": str(package.parent),
        "FMNIST_DATA_DIR": str(real_data_dir.resolve()),
    }


def start(folder: Path, env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    def hear() -> None:  # also where these tests run in the background, which ignores some
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=env,
        preexec_fn=hear,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_or_interrupted_run_keeps_what_is_finished(
    tmp_path: Path, short_report: dict[str, str]
) -> None:
    folder = tmp_path / "runs/baltzi"

    def train(seeds: int) -> subprocess.Popen[str]:
        arguments = ["run", "baltzi", "mlp-baseline", "--seeds", str(seeds)]
        return start(tmp_path, short_report, *arguments)

    def finished() -> dict[str, bytes]:
        """Read every finished run; whatever is a JSON file has to be one."""
        files = sorted(folder.glob("*.json"))
        assert all(read_run(path).epochs == 3 for path in files)
        return {path.name: path.read_bytes() for path in files}

    process = train(seeds=9)
    wait_for(lambda: list(folder.glob("*.json")), process)
    process.kill()
    process.communicate()
    after_kill = finished()
    assert set(folder.iterdir()) == set(folder.glob("*.json"))

    before = after_kill
    for number in SIGNALS:
        process = train(seeds=15)
        wait_for(lambda before=before: len(list(folder.glob("*.json"))) > len(before), process)
        process.send_signal(number)
        assert process.stderr is not None
        assert process.stderr.readline() == INTERRUPTED + "\n"
        assert process.wait() == 130
        _, errors = process.communicate()
        after_interrupt = finished()
        assert errors == ""
        assert before.items() <= after_interrupt.items()
        before = after_interrupt

    # Of two that were trained side by side, the later seed may have been the first to be finished.
    most = max(read_run(folder / name).seed for name in before)
    for nothing_left in (False, True):
        process = train(seeds=most)
        output, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        assert not nothing_left or output.startswith("Nothing to train")
        after = finished()
        assert len(after) == most and before.items() <= after.items()


@pytest.fixture
def endless_book(tmp_path: Path) -> Path:
    for name in ("_config.yml", "references.bib"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    started = tmp_path / "started"  # holds the kernel's process id, and appears when it does
    part = f"pathlib.Path({str(started)!r} + '.part')"
    lines = ["import os, pathlib, time", f"{part}.write_text(str(os.getpid()))"]
    lines += [f"{part}.rename({str(started)!r})", "time.sleep(3600)"]
    notebook = nb.new_notebook(cells=[nb.new_code_cell("\n".join(lines))])
    (tmp_path / "index.ipynb").write_text(json.dumps(notebook))
    return tmp_path


STOPS = pytest.mark.parametrize("number", SIGNALS, ids=lambda it: it.name)


@pytest.mark.slow
@STOPS
def test_an_interrupted_book_stages_nothing(endless_book: Path, number: signal.Signals) -> None:
    process = start(endless_book, dict(os.environ), "book", "--data", "synthetic")
    wait_for((endless_book / "started").exists, process)
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == 130, errors
    assert (output, errors) == ("", INTERRUPTED + "\n")
    assert not list((endless_book / "_build").rglob("*.ipynb"))
    kernel = int((endless_book / "started").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
    assert not (endless_book / "_build/html").exists()


@pytest.mark.slow
@STOPS
def test_a_command_that_is_interrupted_while_it_starts_says_so_at_once(
    tmp_path: Path, number: signal.Signals
) -> None:
    # Stands in for a package that loads slowly, then steps aside for the real one.
    lines = ["import sys, time", "from pathlib import Path", f"here = Path({str(tmp_path)!r})"]
    lines += ["(here / 'loading').touch()", "while not (here / 'go').exists(): time.sleep(0.05)"]
    lines += [f"sys.path.remove({str(tmp_path)!r})", "del sys.modules['typer']", "import typer"]
    (tmp_path / "typer.py").write_text("\n".join(lines))
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    process = start(ROOT, os.environ | {"PYTHONPATH": path}, "reports")
    wait_for((tmp_path / "loading").exists, process)
    process.send_signal(number)
    assert process.stderr is not None
    assert process.stderr.readline() == f"{INTERRUPTED}\n"
    (tmp_path / "go").touch()
    assert process.communicate() == ("", "")
    assert process.returncode == 130


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Method]:
    """List by which methods jobs would be trained, instead of training them."""
    methods: list[Method] = []

    def note(jobs: Sequence[campaign_jobs.Job], *_: object) -> list[Run]:
        methods.extend(job.method for job in jobs)
        return []

    monkeypatch.setattr(launch, "run_jobs", note)
    monkeypatch.setattr(launch, "load_data", lambda: None)
    return methods


@pytest.mark.parametrize(
    ("arguments", "method"),
    [
        ([], Method()),
        (["--precision", "mixed_bfloat16"], Method("mixed_bfloat16")),
        (["--plain-fit"], Method(plain_fit=True)),
        (["--precision", "float32"], Method()),
    ],
)
def test_run_trains_by_the_method_that_is_asked_for(
    trained: list[Method], arguments: list[str], method: Method
) -> None:
    result = fmnist("run", "baltzi", "mlp-baseline", "--seeds", "99", *arguments)
    assert result.exit_code == 0 and set(trained) == {method}


def test_plain_fit_keeps_the_precision_of_the_experiment(trained: list[Method]) -> None:
    result = fmnist("run", "chalkiopoulos-tsoukalelis", "mlp-256", "--plain-fit")
    assert result.exit_code == 0, result.stderr
    assert set(trained) == {Method("mixed_bfloat16", plain_fit=True)}


def test_an_experiment_that_is_named_twice_is_trained_once(trained: list[Method]) -> None:
    fmnist("run", "baltzi", "mlp-baseline", "--seeds", "99")
    once = len(trained)
    fmnist("run", "baltzi", "mlp-baseline", "mlp-baseline", "--seeds", "99")
    assert once and len(trained) == 2 * once


def test_a_spread_that_is_never_known_is_not_waited_for(
    published: Path, trained: list[Method]
) -> None:
    result = fmnist("run", "baltzi", "mlp-baseline", "--seeds", "2", "--until-precise")
    assert (result.exit_code, result.stdout, trained) == (2, "", [])
    assert result.stderr == "--until-precise takes --seeds 3 or more: fewer show no spread.\n"


def test_plain_fit_refuses_augmentation_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "missing_jobs", lambda *_: pytest.fail("was about to train"))
    result = fmnist("run", "fashion-mnist-report", "lenet-5", "four-conv-padded", "--plain-fit")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "--plain-fit takes no augmentation: leave out four-conv-padded.\n"


@pytest.mark.parametrize("arguments", [[], ["--scheduler", "tcp://127.0.0.1:9"]])
def test_a_tracker_that_cannot_be_used_is_one_sentence(
    published: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    result = fmnist("run", "baltzi", "mlp-baseline", "--tracker", "wandb", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "needs the package wandb: pip install fmnist-utils[wandb]" in result.stderr
