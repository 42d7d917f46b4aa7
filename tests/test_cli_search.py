"""`fmnist search`: what its user sees."""

import sys
from pathlib import Path
from typing import Any

import pytest
from test_tuning import IMAGES, TINY, fake_train, read
from typer.testing import CliRunner, Result

from fmnist_utils import cli, data, reports, tuning


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, on a tiny report of one search, without training."""
    report = read(tmp_path, TINY)
    bare = report.model_copy(update={"id": "bare", "searches": {}})
    monkeypatch.setattr(reports, "load_report", {"tiny": report, "bare": bare}.__getitem__)
    monkeypatch.setattr(data, "load_data", lambda: IMAGES)
    monkeypatch.setattr(tuning, "train", fake_train)
    monkeypatch.chdir(tmp_path)


def fmnist(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["search", *arguments])


def test_each_trial_is_one_line_and_the_table_is_where_load_trials_finds_it() -> None:
    result = fmnist("tiny", "tuner")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    first, *lines, last = result.stdout.splitlines()
    assert first == "tiny/tuner: 6 trials with keras-tuner"
    assert [line.partition(":")[0] for line in lines] == [f"trial {i} of 6" for i in range(1, 7)]
    failed = sum("cannot be built" in line for line in lines)
    assert last == f"6 trials finished, {failed} could not be built."
    (path,) = Path("searches/tiny").glob("tuner.*/trials.json")
    assert len(tuning.read_trials(path).trials) == 6


def test_it_stops_after_so_many_and_goes_on_from_there() -> None:
    assert "trial 2 of 2" in fmnist("tiny", "--trials", "2").stdout
    result = fmnist("tiny")
    assert "trial 2 of" not in result.stdout and "trial 3 of 6" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tiny", "other"], "no search 'other'; it has tuner."),
        (["bare"], "Report bare has no searches."),
        (["tiny", "--trials", "7"], "has 6 trials"),
        (["tiny", "--storage", "sqlite://"], "takes no storage URL."),
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


def test_ctrl_c_says_that_the_search_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "train", interrupted)
    result = fmnist("tiny")
    assert (result.exit_code, result.stderr) == (130, f"{cli.INTERRUPTED}\n")
