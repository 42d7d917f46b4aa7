"""New runs on their way into the package: kept in Drive, sent in as a file, published from it."""

import errno
import os
import stat
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from factories import TEST_LABELS, make_run
from typer.testing import CliRunner, Result

from fmnist_utils import cli
from fmnist_utils.campaign import launch
from fmnist_utils.campaign.executor import LocalExecutor
from fmnist_utils.campaign.jobs import Job
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs import archive, reading
from fmnist_utils.runs import store as run_store
from fmnist_utils.runs.store import LOCAL_RUNS, RunStore, write_run
from fmnist_utils.tuning import LocalSearch, trials


@pytest.fixture
def mlp() -> Experiment:
    return load_report("baltzi")["mlp-baseline"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder; return the package data elsewhere, without runs."""
    for module in (run_store, trials):
        monkeypatch.setattr(module, "reports_folder", lambda: tmp_path / "package")
    monkeypatch.setattr(reading, "labels_at_hand", lambda: TEST_LABELS)
    (tmp_path / "package/baltzi/runs").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "package"


def fmnist(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


def shipped(package: Path) -> list[str]:
    return sorted(path.name for path in package.rglob("*") if path.is_file())


# --- a file to send in ---------------------------------------------------------------------------


def test_runs_are_sent_in_as_one_file_and_published_from_it(package: Path, mlp: Experiment) -> None:
    runs = [make_run(mlp, seed) for seed in (1, 2)]
    for run in (*runs, make_run(mlp.vary(epochs=3))):
        RunStore().add(run)
    sent = fmnist("export-runs", "new.zip")
    assert sent.exit_code == 0
    assert sent.stdout == (
        "2 records written to new.zip: attach it to an issue at "
        "https://github.com/fmnist-reproduction/fmnist-reproduction/issues.\n"
    )
    taken = fmnist("publish-runs", "--from", "new.zip")
    assert taken.exit_code == 0
    assert taken.stdout == "2 runs published, 0 already there, 0 refused.\n"
    assert shipped(package) == [run.filename for run in runs]


def test_what_is_sent_in_is_checked_like_any_run(package: Path, mlp: Experiment) -> None:
    for seed in (1, 3):
        RunStore().add(make_run(mlp, seed))
    own = make_run(mlp.vary(epochs=3))
    with zipfile.ZipFile("new.zip", "w") as file:
        for path in Path("runs").rglob("*.json"):
            text = path.read_text().replace('"seed":1,', '"seed":2,')
            file.writestr(path.as_posix(), text)
        file.writestr(f"runs/baltzi/{own.filename}", own.model_dump_json(exclude_unset=True))
    result = fmnist("publish-runs", "--from", "new.zip")
    assert result.exit_code == 1 and result.stderr.count("Refused: ") == 3
    assert shipped(package) == []


def test_the_runs_of_trials_are_sent_in_where_a_search_finds_them(package: Path) -> None:
    report = load_report("anastasopoulos-mpofu-smith")
    here = LocalSearch(report, report.searches["as-listed"])
    trials = [here.folder / report.id / f"as-listed-{n}.seed01.0.json" for n in (1, 2)]
    for path in trials:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert fmnist("export-runs", "new.zip").stdout.startswith("2 records written")
    with archive.unpacked(Path("new.zip")) as folder:
        assert all((folder / path).is_file() for path in trials)


def test_what_is_no_file_is_left_out_and_any_date_is_taken(package: Path, mlp: Experiment) -> None:
    path = RunStore().add(make_run(mlp))
    os.utime(path, (0, 0))
    (path.parent / "folder.json").mkdir()
    os.mkfifo(path.parent / "pipe.json")
    assert fmnist("export-runs", "new.zip").stdout.startswith("1 record written to new.zip")
    assert fmnist("publish-runs", "--from", "new.zip").stdout.startswith("1 runs published")


def test_a_file_that_cannot_be_written_is_named_and_no_temporary_one(
    package: Path, mlp: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", ".x1y2z3.tmp")

    RunStore().add(make_run(mlp))
    monkeypatch.setattr(tempfile, "mkstemp", full)
    said = fmnist("export-runs", "new.zip").stderr
    assert said.startswith("new.zip cannot be read or written (No space left on device)")


@pytest.mark.parametrize(
    ("limits", "size", "said"),
    [
        ({}, 3_000_000, "runs/baltzi/4.json cannot be read or written (it has more than 2,000,000"),
        ({"ROOM": 4_500}, 1_000, "There are more new records than a file may hold"),
        ({"MOST": 4}, 1_000, "There are more new records than a file may hold"),
    ],
)
def test_no_file_is_written_that_would_be_refused(
    package: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], size: int, said: str
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(archive, name, value)
    Path("runs/baltzi").mkdir(parents=True)
    for number, length in enumerate((1_000, 1_000, 1_000, 1_000, size)):
        Path(f"runs/baltzi/{number}.json").write_bytes(bytes(length))
    result = fmnist("export-runs", "new.zip")
    assert result.exit_code == 2 and result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1 and not Path("new.zip").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export-runs", "new.zip"], "There are no new runs to send in"),
        (["publish-runs", "--from", "no.zip"], "no.zip cannot be read or written (No such file"),
        (["publish-runs", "runs", "--from", "no.zip"], "a folder or from a file: give one"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence(package: Path, arguments: list[str], said: str) -> None:
    result = fmnist(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert said in result.stderr and result.stderr.count("\n") == 1


def member(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    "name",
    [
        "../runs/baltzi/a.json", "/runs/baltzi/a.json", "runs/../../a.json", "runs/a/../a.json",
        "runs\\baltzi\\..\\a.json", "C:/runs/baltzi/a.json", "runs/baltzi/.a.json",
        "runs/baltzi/a.py", "runs/baltzi/", "a.json", "else/baltzi/a.json", "runs/a.json\n",
        f"runs/baltzi/{'a' * 300}.json", "runs/a/b/c/d/e/f.json", "runs/bältzi/a.json",
    ],
)  # fmt: skip
def test_a_name_that_is_no_record_s_is_refused_and_written_nowhere(
    package: Path, tmp_path: Path, name: str
) -> None:
    with zipfile.ZipFile("new.zip", "w") as file:
        file.writestr(member(name), "{}")
    before = sorted(tmp_path.rglob("*"))
    result = fmnist("publish-runs", "--from", "new.zip")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "which is no record of a run or a search: nothing of it is taken." in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_is_no_more_than_its_text(package: Path) -> None:
    with zipfile.ZipFile("new.zip", "w") as file:
        file.writestr(member("runs/baltzi/a.json", stat.S_IFLNK | 0o777), "/etc/passwd")
    with archive.unpacked(Path("new.zip")) as folder:
        path = folder / "runs/baltzi/a.json"
        assert path.read_text() == "/etc/passwd" and not path.is_symlink()


def zeros(file: zipfile.ZipFile) -> None:
    file.writestr("runs/baltzi/a.json", bytes(3_000_000), zipfile.ZIP_DEFLATED)


def many(file: zipfile.ZipFile) -> None:
    for number in range(5):
        file.writestr(f"runs/baltzi/{number}.json", bytes(1_000), zipfile.ZIP_DEFLATED)


def twice(file: zipfile.ZipFile) -> None:
    file.writestr("runs/baltzi/a.json", "{}")
    with pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("runs/baltzi/a.json", "{}")


def rare(file: zipfile.ZipFile) -> None:
    file.writestr("runs/baltzi/a.json", "{}", zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    ("write", "limits", "said"),
    [
        (zeros, {}, "holds runs/baltzi/a.json, which is too large for a record"),
        (many, {"ROOM": 4_500}, "holds runs/baltzi/4.json, which is too large"),
        (many, {"MOST": 4}, "holds more than 4 records"),
        (twice, {}, "holds runs/baltzi/a.json twice"),
        (rare, {}, "which is no record"),
    ],
)
def test_a_bomb_is_not_unpacked(package: Path, monkeypatch, write, limits, said: str) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(archive, name, value)
    with zipfile.ZipFile("new.zip", "w") as file:
        write(file)
    result = fmnist("publish-runs", "--from", "new.zip")
    assert result.exit_code == 2 and said in result.stderr and shipped(package) == []


def test_a_size_that_lies_is_not_believed(package: Path) -> None:
    with zipfile.ZipFile("new.zip", "w") as file:
        zeros(file)
    content = Path("new.zip").read_bytes()
    Path("new.zip").write_bytes(
        content.replace((3_000_000).to_bytes(4, "little"), bytes([9, 0, 0, 0]))
    )
    result = fmnist("publish-runs", "--from", "new.zip")
    assert result.exit_code == 2 and "damaged" in result.stderr and shipped(package) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04" + bytes(40), b"PK\x05\x06" * 9])
def test_what_is_no_archive_is_said_to_be_none(package: Path, content: bytes) -> None:
    Path("new.zip").write_bytes(content)
    result = fmnist("publish-runs", "--from", "new.zip")
    assert result.exit_code == 2 and "new.zip is no file of fmnist export-runs" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("cut", [5_000, 40])
def test_an_archive_without_its_beginning_is_damaged(
    package: Path, mlp: Experiment, cut: int
) -> None:
    for seed in (1, 2, 3):
        RunStore().add(make_run(mlp, seed))
    assert fmnist("export-runs", "new.zip").exit_code == 0
    content = Path("new.zip").read_bytes()
    Path("new.zip").write_bytes(content[min(cut, len(content) // 2) :])
    result = fmnist("publish-runs", "--from", "new.zip")
    assert result.exit_code == 2 and "new.zip is no file of fmnist export-runs" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_pipe_is_no_archive(package: Path) -> None:
    os.mkfifo("new.zip")
    result = fmnist("publish-runs", "--from", "new.zip")
    assert result.exit_code == 2 and "new.zip" in result.stderr


# --- what a user is told after a run -------------------------------------------------------------


def test_the_advice_after_a_run_is_right_where_the_package_is(
    package: Path, mlp: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store, run, own = RunStore(), make_run(mlp), make_run(mlp.vary(epochs=3))
    assert launch.written_text([run], store) == (
        "1 run written to runs; publish with fmnist publish-runs."
    )
    assert launch.written_text([own, own], store) == "2 runs written to runs."
    installed = tmp_path / "lib/site-packages/fmnist_utils/reports"
    installed.mkdir(parents=True)
    monkeypatch.setattr(run_store, "reports_folder", lambda: installed)
    assert launch.written_text([run], store) == (
        "1 run written to runs; to send them in: fmnist export-runs runs.zip."
    )
    write_run(run, Path("runs/baltzi"))
    refused = fmnist("publish-runs")
    assert refused.exit_code == 2 and "with fmnist export-runs runs.zip." in refused.stderr


# --- Drive ---------------------------------------------------------------------------------------


def test_runs_are_kept_in_drive_once_it_is_mounted(
    package: Path, mlp: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drive, store = tmp_path / "drive/MyDrive", RunStore()
    monkeypatch.setattr(run_store, "DRIVE", drive)
    assert store.written == LOCAL_RUNS
    drive.mkdir(parents=True)
    path = store.add(make_run(mlp))
    assert path.is_relative_to(drive) and store.runs(mlp) == [make_run(mlp)]
    report = load_report("anastasopoulos-mpofu-smith")
    assert LocalSearch(report, report.searches["as-listed"]).folder.is_relative_to(drive)
    assert fmnist("export-runs", "new.zip").stdout.startswith("1 record written to new.zip")
    assert fmnist("publish-runs").stdout.startswith("1 runs published")


@pytest.mark.parametrize("mounted", [False, True])
def test_colab_users_are_told_the_line_that_keeps_their_runs(
    package: Path, mlp: Experiment, monkeypatch, tmp_path, capsys, mounted: bool
) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr(launch, "DRIVE", tmp_path if mounted else tmp_path / "not")
    monkeypatch.setattr(launch, "run_jobs", lambda *all: [])
    monkeypatch.setattr(LocalExecutor, "__init__", lambda *all: None)
    launch.train_missing([Job(mlp, 1)], RunStore(), data=object(), at_once=1)
    said = capsys.readouterr().out
    assert ("run this first: from google.colab import drive; drive.mount(" in said) is not mounted
    assert said.splitlines()[-1].startswith(f"1 run on {launch.hardware()}: ")
