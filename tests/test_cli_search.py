"""`fmnist search`, and what becomes of its table: what a user sees."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import TEST_LABELS, FakeExecutor, Training, make_run, of_revision
from test_tuning import IMAGES, TINY, read, search_with, told, with_trial
from typer.testing import CliRunner, Result

from fmnist_utils import cli, tuning
from fmnist_utils.campaign import cluster, executor, launch
from fmnist_utils.reports import load
from fmnist_utils.reports.report import Report
from fmnist_utils.runs import reading as run_reading
from fmnist_utils.runs import store as run_store
from fmnist_utils.runs.reading import read_run
from fmnist_utils.runs.store import write_run
from fmnist_utils.training.interrupts import INTERRUPTED
from fmnist_utils.tuning import LocalSearch, Trials
from fmnist_utils.tuning import trials as tuning_trials
from fmnist_utils.tuning.trials import write_trials


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Training:
    training = Training()
    monkeypatch.setattr(launch, "LocalExecutor", training.executor)
    return training


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Training) -> Report:
    """Work in an empty folder, on a tiny report of one search, without training."""
    report = read(tmp_path, TINY)
    bare = report.model_copy(update={"id": "bare", "searches": {}})
    both = {"tiny": report, "bare": bare}
    monkeypatch.setattr(load, "load_report", both.__getitem__)
    monkeypatch.setattr(load, "list_reports", lambda: list(both))
    for module in (run_store, tuning_trials):
        monkeypatch.setattr(module, "reports_folder", lambda: tmp_path / "package")
    monkeypatch.setattr(run_reading, "labels_at_hand", lambda: TEST_LABELS)
    (tmp_path / "package").mkdir()
    monkeypatch.setattr(launch, "load_data", lambda: IMAGES)
    monkeypatch.chdir(tmp_path)
    return report


def fmnist(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["search", *arguments])


def publish(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["publish-runs", *arguments])


def local_table() -> Trials:
    report = load.load_report("tiny")
    return LocalSearch(report, report.searches["tuner"]).table()


def test_each_trial_is_one_line_and_load_trials_finds_them_all() -> None:
    result = fmnist("tiny", "tuner")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "tiny/tuner: 6 trials with keras-tuner"
    assert told(result.stdout) == [1, 2, 3, 4, 5, 6]
    failed = sum("cannot be built" in line for line in lines)
    runs = 2 * (6 - failed)
    assert sum(line.startswith(f"{runs} runs") and "GB free" in line for line in lines) == 1
    assert sum("test accuracy" in line for line in lines) == runs
    assert lines[-1] == f"6 trials finished, {failed} could not be built."
    found = tuning.load_trials(load.load_report("tiny"), "tuner")
    assert found == local_table() and len(found.trials) == 6


def test_it_stops_after_so_many_and_goes_on_from_there() -> None:
    assert told(fmnist("tiny", "--trials", "2").stdout) == [1, 2]
    assert told(fmnist("tiny").stdout) == [3, 4, 5, 6]
    again = fmnist("tiny").stdout
    assert told(again) == [] and " runs" not in again and "6 trials finished" in again


def test_jobs_train_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "core_count", lambda: 3)
    monkeypatch.setattr(executor, "_has_gpu", lambda: False)
    monkeypatch.setattr(executor, "MEMORY", 1)
    for trials, jobs, size in (("3", "2", 2), ("6", "auto", 3)):
        result = fmnist("tiny", "--trials", trials, "--jobs", jobs)
        (plan,) = (line for line in result.stdout.splitlines() if line.startswith("4 runs "))
        assert f", {size} side by side: " in plan


def test_a_cluster_trains_a_search(monkeypatch: pytest.MonkeyPatch, trained: Training) -> None:
    addresses = []

    def executor(address: str, say: Callable[[str], None]) -> FakeExecutor:
        addresses.append(address)
        return trained.executor(IMAGES, 1)

    monkeypatch.setattr(cluster, "DaskExecutor", executor)
    monkeypatch.setattr(launch, "LocalExecutor", None)
    assert told(fmnist("tiny", "--scheduler", "tcp://10.0.0.1:8786").stdout) == [1, 2, 3, 4, 5, 6]
    assert addresses == ["tcp://10.0.0.1:8786"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tiny", "other"], "no search 'other'; it has tuner."),
        (["bare"], "Report bare has no searches."),
        (["tiny", "--trials", "7"], "has 6 trials"),
        (["tiny", "--scheduler", "nowhere"], "No Dask scheduler answers at nowhere"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments: list[str], sentence: str) -> None:
    result = fmnist(*arguments)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert sentence in result.stderr


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    result = fmnist("tiny")
    assert result.exit_code == 2
    assert result.stderr.endswith("pip install fmnist-utils[tuning].\n")


def test_ctrl_c_says_that_the_search_goes_on(trained: Training) -> None:
    trained.errors[4] = KeyboardInterrupt()
    result = fmnist("tiny")
    assert (result.exit_code, result.stderr) == (130, f"{INTERRUPTED}\n")


# --- the table as evidence -----------------------------------------------------------------------

PUBLISHED = Path("package/tiny/searches/tuner.json")


def test_a_search_is_published_as_it_grows_and_the_runs_of_its_trials_are_not() -> None:
    fmnist("tiny", "--trials", "2")
    assert list(Path("searches").rglob("*.seed*.json"))
    first = "0 runs and 1 tables of trials published, 0 already there, 0 refused.\n"
    again = "0 runs and 0 tables of trials published, 1 already there, 0 refused.\n"
    for sentence in (first, again):
        result = publish()
        assert (result.exit_code, result.stdout, result.stderr) == (0, sentence, "")
    assert tuning.read_trials(PUBLISHED) == local_table()
    fmnist("tiny")
    assert publish("searches/tiny").stdout == first
    assert tuning.read_trials(PUBLISHED) == local_table()


def test_runs_and_searches_are_published_together(tiny: Report) -> None:
    fmnist("tiny", "--trials", "2")
    for seed in (1, 2):
        write_run(make_run(tiny["cnn"], seed), Path("runs/tiny"))
    assert publish().stdout.startswith("2 runs and 1 tables of trials published, 0 already")
    Path("runs").rename("searches/runs")
    assert publish("searches").stdout.startswith("0 runs and 0 tables of trials published, 3 alr")


def test_one_of_the_two_folders_is_enough(tiny: Report) -> None:
    result = publish()
    assert result.exit_code == 2
    assert result.stderr.startswith("There is no folder runs or searches: ")
    write_run(make_run(tiny["cnn"]), Path("runs/tiny"))
    assert publish().stdout == "1 runs published, 0 already there, 0 refused.\n"


def test_a_search_without_a_finished_trial_publishes_nothing(
    tiny: Report, trained: Training
) -> None:
    tiny.searches["tuner"] = search_with(tiny, "optuna")
    trained.errors[2] = KeyboardInterrupt()
    fmnist("tiny")
    assert len(list(Path("searches").rglob("*.json"))) == 1
    result = publish()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "0 runs published, 0 already there, 0 refused.\n"


def damaged(path: Path) -> None:
    path.write_text(path.read_text()[:100])


def edited(path: Path) -> None:
    path.write_text(path.read_text().replace('"accuracy":0.', '"accuracy":0.1', 1))


def of_a_gone_search(path: Path) -> None:
    folder = path.parents[2]
    folder.rename(folder.with_name(f"gone{folder.suffix}"))


def of_an_older_search(path: Path) -> None:
    path.parents[2].rename(path.parents[2].with_suffix(".01234567"))


def of_a_gone_report(path: Path) -> None:
    path.parents[3].rename("searches/gone")


def change(path: Path, **fields: Any) -> None:
    """Change a record, by one who knows how the digest is made."""
    write_run(read_run(path).model_copy(update=fields), path.parent)


def of_other_images(path: Path) -> None:
    report, run = load.load_report("tiny"), read_run(path)
    plan = LocalSearch(report, report.searches["tuner"]).plan
    (experiment,) = (item.experiment for item in plan if item.experiment.id == run.experiment)
    labels = TEST_LABELS[::-1]
    write_run(make_run(experiment, run.seed, 2, best_epoch=1, labels=labels), path.parent)


def of_another_trial(path: Path) -> None:
    change(path, fingerprint=f"0123{read_run(path).fingerprint}"[:16])


def dirty(path: Path) -> None:
    for record in path.parent.iterdir():
        change(record, provenance=of_revision(read_run(record), "0123-dirty").provenance)


def begun_dirty(path: Path) -> None:
    change(path, provenance=of_revision(read_run(path), "4567-dirty").provenance)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (damaged, "is not a run record"),
        (edited, "does not fit its own digest"),
        (of_a_gone_search, "has no search 'gone'"),
        (of_an_older_search, "is stale: it is not what tiny/tuner tries now"),
        (of_a_gone_report, "there is no report gone"),
        (of_other_images, "which cannot be: the predictions do not give"),
        (of_another_trial, "has other settings than keras-tuner draws now"),
        (dirty, "by code of no commit (0123-dirty)"),
        (begun_dirty, "by code of no commit (4567-dirty)"),
    ],
)
def test_a_search_that_is_no_evidence_is_refused(
    fault: Callable[[Path], None], reason: str
) -> None:
    fmnist("tiny", "--trials", "4")
    fault(min(Path("searches").rglob("*.seed*.json")))
    result = publish()
    assert result.exit_code == 1
    assert result.stdout == "0 runs and 0 tables of trials published, 0 already there, 1 refused.\n"
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Refused: ") and reason in result.stderr
    assert not PUBLISHED.exists()


def test_a_trial_without_its_runs_is_not_published() -> None:
    fmnist("tiny", "--trials", "4")
    every = local_table().trials
    for path in Path("searches").rglob("tuner-3.seed*.json"):
        path.unlink()
    assert publish().stdout.startswith("0 runs and 1 tables of trials published")
    assert tuning.read_trials(PUBLISHED).trials == every[:2] and len(every) == 4


def status_row(name: str) -> list[str]:
    lines = CliRunner().invoke(cli.app, ["status"]).stdout.splitlines()
    return next(line.split() for line in lines if line.split()[:1] == [name])


def test_status_counts_trials_and_says_where_they_are() -> None:
    assert status_row("tiny/tuner") == ["tiny/tuner", "0", "of", "6", "trials"]
    fmnist("tiny", "--trials", "3")
    assert status_row("tiny/tuner") == ["tiny/tuner", "3", "of", "6", "trials,", "local", "cpu"]
    publish()
    assert status_row("tiny/tuner") == ["tiny/tuner", "3", "of", "6", "trials,", "published", "cpu"]
    fmnist("tiny", "--trials", "4")
    assert status_row("tiny/tuner") == ["tiny/tuner", "4", "of", "6", "trials,", "local", "cpu"]


def test_a_published_trial_that_diverged_is_told_as_published() -> None:
    fmnist("tiny", "--trials", "3")
    trial = next(trial for trial in local_table().trials if trial.executions)
    lost = tuple(item.model_copy(update={"score": math.nan}) for item in trial.executions)
    write_trials(with_trial(local_table(), trial.number, {"executions": lost}), PUBLISHED)
    assert status_row("tiny/tuner")[-2] == "published"


def test_status_names_a_record_of_a_trial_that_is_damaged() -> None:
    fmnist("tiny", "--trials", "2")
    damaged(min(Path("searches").rglob("*.seed*.json")))
    result = CliRunner().invoke(cli.app, ["status"])
    assert result.exit_code == 0
    assert "is not a run record" in result.stdout
    assert status_row("tiny/tuner") == ["tiny/tuner", "0", "of", "6", "trials"]
