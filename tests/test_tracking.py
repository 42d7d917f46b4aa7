"""Logging to Weights & Biases: the real package, offline, and everything that may go wrong."""

import json
import math
import os
import shlex
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from factories import make_run

from fmnist_utils import campaign
from fmnist_utils.campaign import Job, run_jobs
from fmnist_utils.reports import Experiment, load_report
from fmnist_utils.runs import Run, RunStore, fingerprint
from fmnist_utils.tracking import Tracker, TrackingError, make_tracker
from fmnist_utils.training import Progress

wandb = pytest.importorskip("wandb", reason="needs the wandb extra")

BALTZI = load_report("baltzi")
MLP, CNN = BALTZI["mlp-baseline"], BALTZI["cnn-1-conv"]
KEY = "fa1ce" * 8
NO_IMAGES: Any = None


def fake_train(
    experiment: Experiment, seed: int, data: Any, on_epoch: Any, method: Any, checkpoint: Any
) -> Run:
    """Take a run out of thin air, epoch by epoch; the second seed of all is interrupted."""
    run = make_run(experiment, seed)
    for epoch in range(run.epochs):
        if (seed, epoch) == (2, 1):
            raise KeyboardInterrupt
        metrics = {name: values[epoch] for name, values in run.history.items()}
        on_epoch(Progress(epoch + 1, run.epochs, metrics, 1.5))
    return run


def interrupted_campaign() -> None:
    campaign.train = fake_train  # type: ignore[assignment]
    with make_tracker("wandb") as tracker:
        jobs = [Job(MLP, 1), Job(CNN, 1), Job(MLP, 2), Job(CNN, 2)]
        run_jobs(jobs, RunStore(Path("runs")), NO_IMAGES, tracker=tracker)


# --- What is logged ------------------------------------------------------------------------------


def environment(folder: Path) -> dict[str, str]:
    """Return an environment without any trace of the user's own wandb."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return {
        **rest,
        "HOME": str(folder / "home"),
        "NETRC": str(folder / "home/no-netrc"),
        "WANDB_DIR": str(folder),
        "WANDB_ERROR_REPORTING": "false",
    }


class Logged(NamedTuple):
    folder: Path
    output: str
    errors: str
    mark: str
    runs: list[dict[str, Any]]

    @property
    def env(self) -> dict[str, str]:
        return environment(self.folder)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    folder = tmp_path_factory.mktemp("logged")
    (folder / "home").mkdir()
    script = "import test_tracking as t\ntry: t.interrupted_campaign()\nexcept KeyboardInterrupt: 0"
    mark = uuid.uuid4().hex
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    settings = {"WANDB_MODE": "offline", "WANDB_API_KEY": KEY, "MARK": mark, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment(folder) | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    files = folder.glob("wandb/offline-run-*/run-*.wandb")
    runs = sorted(map(read_log, files), key=lambda run: int(run["start"]))
    return Logged(folder, done.stdout, done.stderr, mark, runs)


def read_log(path: Path) -> dict[str, Any]:
    """Read a transaction log of wandb back."""
    from wandb.proto.wandb_internal_pb2 import Record

    read: dict[str, Any] = {"config": {}, "history": [], "summary": {}, "exit_code": None}

    def load(items: Any) -> dict[str, Any]:
        return {
            "/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items
        }

    for content in log_records(path.read_bytes()):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            read |= {"project": record.run.project, "group": record.run.run_group}
            read |= {
                "name": record.run.display_name,
                "start": record.run.start_time.ToNanoseconds(),
            }
            read["config"] |= load(record.run.config.update)
        elif kind == "config":
            read["config"] |= load(record.config.update)
        elif kind == "history":
            read["history"].append(load(record.history.item))
        elif kind == "summary":
            read["summary"] |= load(record.summary.update)
        elif kind == "exit":
            read["exit_code"] = record.exit.exit_code
    return read


def log_records(content: bytes) -> Iterator[bytes]:
    """Split the LevelDB log format: blocks of 32 KiB, whose records may span several."""
    at, block, record = 7, 32 * 1024, b""  # the file starts with a header of 7 bytes
    while at + 7 <= len(content):
        if block - at % block < 7:
            at += block - at % block
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def test_every_training_is_one_named_and_grouped_run(logged: Logged) -> None:
    assert [(run["project"], run["group"], run["name"]) for run in logged.runs] == [
        ("fmnist-reproduction", "baltzi/mlp-baseline", "mlp-baseline-seed01"),
        ("fmnist-reproduction", "baltzi/cnn-1-conv", "cnn-1-conv-seed01"),
        ("fmnist-reproduction", "baltzi/mlp-baseline", "mlp-baseline-seed02"),
    ]


def test_the_config_says_what_was_trained_and_how(logged: Logged) -> None:
    config = logged.runs[1]["config"]
    config.pop("_wandb", None)
    record = make_run(CNN)
    assert config == {
        "report": "baltzi",
        "experiment": CNN.id,
        "seed": 1,
        "fingerprint": fingerprint(CNN),
        "model": CNN.model.model_dump(mode="json", exclude_none=True),
        "training": CNN.training.model_dump(mode="json", exclude_none=True),
        **record.provenance.model_dump(mode="json"),
    }
    assert (config["precision"], config["plain_fit"]) == ("float32", False)


def test_the_history_has_every_epoch(logged: Logged) -> None:
    history = make_run(MLP).history
    logs = logged.runs[0]["history"]
    assert len(logs) == 3
    for epoch, log in enumerate(logs):
        assert (log["epoch"], log["_step"], log["seconds"]) == (epoch + 1, epoch + 1, 1.5)
        assert {name: log[name] for name in history} == {
            name: values[epoch] for name, values in history.items()
        }
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_the_summary_has_both_snapshots_on_every_split(logged: Logged) -> None:
    summary, record = logged.runs[0]["summary"], make_run(MLP)
    for name, snapshot in (("final", record.final), ("best", record.best)):
        for split in ("train", "validation", "test"):
            for metric in ("loss", "accuracy"):
                expected = getattr(getattr(snapshot, split), metric)
                assert summary[f"{name}/{split}/{metric}"] == expected
    assert (summary["epochs"], summary["best/epoch"]) == (3, record.best.epoch)


def test_an_interrupted_run_is_marked_and_the_finished_ones_are_kept(logged: Logged) -> None:
    assert [run["exit_code"] for run in logged.runs] == [0, 0, 255]
    assert len(logged.runs[2]["history"]) == 1
    records = RunStore(logged.folder / "runs")
    assert [run.seed for run in records.all_runs(MLP) + records.all_runs(CNN)][-1] == 1
    assert len(list((logged.folder / "runs").rglob("*.json"))) == 2


def test_nothing_is_printed_but_where_the_runs_are_and_how_to_upload_them(logged: Logged) -> None:
    assert logged.errors == ""
    assert logged.output == (
        "3 runs are in wandb, not yet on Weights & Biases; to upload: wandb sync wandb\n"
    )
    command = shlex.split(logged.output.rpartition(": ")[2])
    done = subprocess.run(
        [sys.executable, "-m", *command, "--dry-run"],  # wherever the wandb command is installed
        cwd=logged.folder, env=logged.env, capture_output=True, text=True,
    )  # fmt: skip
    assert "Would sync 3 run(s)" in done.stderr


def test_the_key_is_in_no_file_and_no_output(logged: Logged) -> None:
    files = [path for path in logged.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path
    assert KEY not in logged.output + logged.errors


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_no_process_is_left_behind(logged: Logged) -> None:
    while left := marked(logged.mark):  # the last helper of wandb ends a moment after its parent
        print(left)  # shown when the suite's own timeout ends this
        time.sleep(0.5)


def marked(mark: str) -> list[Path]:
    """List the processes whose environment holds a mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # gone, or another user's
            if mark.encode() in path.read_bytes():
                found.append(path)
    return found


# --- What may go wrong ---------------------------------------------------------------------------


class Here(NamedTuple):
    store: RunStore
    said: list[str]

    def train(self, *seeds: int) -> list[Run]:
        with make_tracker("wandb", self.said.append) as tracker:
            jobs = [Job(MLP, seed) for seed in seeds]
            return run_jobs(jobs, self.store, NO_IMAGES, tracker=tracker)

    def logs(self) -> list[dict[str, Any]]:
        wandb.teardown()  # its service writes the last records when it ends
        return [read_log(path) for path in Path().glob("wandb/offline-run-*/run-*.wandb")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """Work in an empty folder, offline, with training that takes no time."""
    (tmp_path / "home").mkdir()
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(campaign, "train", fake_train)
    wandb.teardown()  # settings are read from the environment once
    yield Here(RunStore(tmp_path / "runs", tmp_path / "published"), [])
    wandb.teardown()


def fail(*arguments: Any, **settings: Any) -> Any:
    raise RuntimeError("the server\nis on fire")


WARNING = (
    "Weights & Biases failed (RuntimeError: the server): the training goes on, and its run "
    "records are complete."
)


def test_no_run_can_be_started(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb, "init", fail)
    assert [run.seed for run in here.train(1, 3)] == [1, 3]
    assert [run.seed for run in here.store.runs(MLP)] == [1, 3]
    assert here.said == [WARNING]


@pytest.mark.parametrize("method", ["log", "finish"])
def test_logging_fails_during_the_training(
    here: Here, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(wandb.Run, method, fail)
        here.train(1, 3)
    assert [run.seed for run in here.store.runs(MLP)] == [1, 3]
    assert here.said[0] == WARNING
    assert here.said[1].startswith("1 run is in wandb, not yet on")
    assert len(here.said) == 2
    (log,) = here.logs()
    assert log["name"] == "mlp-baseline-seed01"
    if method == "log":
        assert log["exit_code"] == 1


def test_a_run_is_finished_only_when_its_record_is_on_disk(here: Here) -> None:
    (here.store.written).write_text("in the way")
    with pytest.raises(Exception, match="cannot be written"):
        here.train(1)
    (log,) = here.logs()
    assert (log["exit_code"], len(log["history"])) == (1, 3)
    assert "epochs" not in log["summary"]


def test_a_server_that_cannot_be_reached_means_offline(
    here: Here, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "0.5")
    here.train(1, 3)
    warning, where = here.said
    assert warning.startswith("Weights & Biases failed (CommError: ")
    assert where.startswith("2 runs are in wandb, ")
    assert sorted(log["config"]["seed"] for log in here.logs()) == [1, 3]
    assert KEY not in warning
    assert capfd.readouterr() == ("", "")


def test_an_upload_that_is_late_can_be_sent_later(
    here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def late(exit_code: int) -> None:
        raise TimeoutError

    ignore: Any = SimpleNamespace(update=lambda *_, **__: None)
    run = SimpleNamespace(
        dir=tmp_path / "wandb/run-1/files", offline=False, finish=late,
        log=lambda *_, **__: None, config=ignore, summary=ignore,
    )  # fmt: skip
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    here.train(1)
    assert here.said[0].startswith("Weights & Biases failed (TimeoutError: )")
    assert here.said[1].endswith("to upload: wandb sync --include-online wandb")


def test_without_a_key_runs_are_logged_offline_and_nobody_is_asked(
    here: Here, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setattr("builtins.input", fail)
    here.train(1)
    assert [log["config"]["seed"] for log in here.logs()] == [1]
    assert len(here.said) == 1
    assert capfd.readouterr() == ("", "")


def asked_for(here: Here, monkeypatch: pytest.MonkeyPatch) -> str:
    modes: list[str] = []

    def init(**settings: Any) -> Any:
        modes.append(settings["mode"])
        raise RuntimeError

    monkeypatch.setattr(wandb, "init", init)
    here.train(1)
    return modes[0]


@pytest.mark.parametrize("where", ["environment", "netrc"])
def test_with_a_key_runs_go_online(
    here: Here, monkeypatch: pytest.MonkeyPatch, where: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    if where == "environment":
        monkeypatch.setenv("WANDB_API_KEY", KEY)
    else:
        Path(os.environ["NETRC"]).write_text(
            f"machine api.wandb.ai\n  login user\n  password {KEY}\n"
        )
    assert asked_for(here, monkeypatch) == "online"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_the_mode_that_the_user_has_set_counts(
    here: Here, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", mode)
    assert asked_for(here, monkeypatch) == mode


def test_a_key_of_the_wrong_form_is_not_repeated(
    here: Here, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "not/a_key")
    here.train(1)
    assert len(here.said) == 2 and "AuthenticationError" in here.said[0]
    assert "not/a_key" not in "".join(here.said)
    assert capfd.readouterr() == ("", "")
    assert len(here.logs()) == 1


def test_disabled_wandb_has_nothing_to_say(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    here.train(1)
    assert here.said == []
    assert not Path("wandb").exists()


def test_a_loss_that_is_not_finite_is_logged(here: Here) -> None:
    with make_tracker("wandb", here.said.append) as tracker:
        tracker.on_start(Job(MLP, 1))
        tracker.on_epoch(Progress(1, 2, {"loss": math.nan}, 1.0))
    (log,) = here.logs()
    assert math.isnan(float(log["history"][0]["loss"]))
    assert log["exit_code"] == 1
    assert len(here.said) == 1


def test_a_run_that_the_user_has_open_is_left_alone(here: Here) -> None:
    own = wandb.init(project="own", settings=wandb.Settings(silent=True))
    here.train(1)
    assert wandb.run is own
    own.log({"x": 1})
    own.finish()
    assert sorted(log["project"] for log in here.logs()) == ["fmnist-reproduction", "own"]


def test_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrackingError, match=r"pip install fmnist-utils\[wandb\]$"):
        make_tracker("wandb")


def test_a_folder_named_wandb_is_not_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", type(sys)("wandb"))
    with pytest.raises(TrackingError, match="needs the package wandb"):
        make_tracker("wandb")


def test_an_unknown_tracker_is_one_sentence() -> None:
    with pytest.raises(TrackingError, match=r"no tracker 'mlflow'; there are none, wandb\.$"):
        make_tracker("mlflow")


def test_no_tracker_keeps_nothing_and_needs_no_package(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with make_tracker("none") as tracker:
        assert type(tracker) is Tracker
        run_jobs([Job(MLP, 1)], here.store, NO_IMAGES, tracker=tracker)
    assert [path.name for path in Path().iterdir() if path.name != "home"] == ["runs"]


def test_the_package_loads_without_wandb() -> None:
    script = (
        "import sys, fmnist_utils.campaign, fmnist_utils.chapter; print('wandb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n"
