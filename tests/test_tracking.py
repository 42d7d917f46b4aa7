"""Logging to Weights & Biases: the real package, offline, and everything that may go wrong."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, call, create_autospec

import pytest
from factories import FakeExecutor, make_run

from fmnist_utils.campaign import tracking
from fmnist_utils.campaign.campaign import run_jobs
from fmnist_utils.campaign.jobs import CampaignError, Job, Watcher
from fmnist_utils.campaign.process import ProcessLostError
from fmnist_utils.campaign.tracking import TrackingError, make_tracker
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.record import Run, fingerprint
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training.state import Progress

BALTZI = load_report("baltzi")
MLP, CNN = BALTZI["mlp-baseline"], BALTZI["cnn-1-conv"]
KEY = "fa1ce" * 8


class TwoAtOnce(FakeExecutor):
    size = 2


def make(job: Job, checkpoint: Path) -> Run:
    """Make a run; seed 8 is lost, seed 9 interrupts the campaign after two other runs."""
    if job.seed == 8:
        raise ProcessLostError("was killed")
    if job.seed == 9:
        while len(list(checkpoint.parent.glob("*.json"))) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt
    return make_run(job.experiment, job.seed)


def campaign(*jobs: Job) -> list[Run]:
    with make_tracker("wandb") as tracker:
        return run_jobs(jobs, RunStore(Path("runs"), Path("published")), TwoAtOnce(make), [tracker])


class FakeWandb(MagicMock):
    """The module wandb with a key, whose runs are kept; one call may fail."""

    def __init__(self, **failure: Any) -> None:
        super().__init__(__version__="0.31.0", **failure)
        self.runs: list[MagicMock] = []
        self.setup.return_value.settings.mode = "online"
        self.login = create_autospec(lambda prompt, verify: True, return_value=True)

    def init(self, **given: Any) -> MagicMock:
        self.begin()
        self.runs.append(MagicMock(given=given, dir="wandb/run-1/files"))
        self.runs[-1].configure_mock(**self.failure)
        return self.runs[-1]

    def _get_child_mock(self, **settings: Any) -> MagicMock:
        return MagicMock(**settings)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    fake = FakeWandb(failure={})
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def ends(fake: FakeWandb) -> list[Any]:
    return [run.finish.mock_calls for run in fake.runs]


def test_every_training_is_a_run_with_its_protocol_epochs_and_evaluations(fake):
    records = {run.experiment: run for run in campaign(Job(MLP, 1), Job(CNN, 1))}
    assert ends(fake) == [[call(exit_code=0)]] * 2
    for run, experiment in zip(fake.runs, (MLP, CNN), strict=True):
        record = records[experiment.id]
        assert run.given["project"] == "fmnist-reproduction"
        assert run.given["group"] == f"baltzi/{experiment.id}"
        assert run.given["name"] == f"{experiment.id}-seed01"
        assert run.given["config"] | run.config.update.call_args.args[0] == {
            "report": "baltzi",
            "experiment": experiment.id,
            "seed": 1,
            "fingerprint": fingerprint(experiment),
            "model": experiment.model.model_dump(mode="json", exclude_none=True),
            "training": experiment.training.model_dump(mode="json", exclude_none=True),
            **record.provenance.model_dump(mode="json"),
        }
        for i, logged in enumerate(run.log.mock_calls):
            metrics = {name: values[i] for name, values in record.history.items()}
            assert logged == call({**metrics, "seconds": 1.5, "epoch": i + 1}, step=i + 1)
        assert len(run.log.mock_calls) == record.epochs
        assert run.summary.update.call_args.args[0] == {
            "epochs": record.epochs,
            "best/epoch": record.best.epoch,
            **{
                f"{name}/{split}/{metric}": getattr(getattr(snapshot, split), metric)
                for name, snapshot in (("final", record.final), ("best", record.best))
                for split in ("train", "validation", "test")
                for metric in ("loss", "accuracy")
            },
        }


def test_a_retried_job_goes_on_with_its_run_and_repeats_no_epoch(fake):
    with make_tracker("wandb") as tracker:
        for epochs in ([1, 2], [2, 3]):
            tracker.on_start(Job(MLP, 1))
            for epoch in epochs:
                tracker.on_epoch(Job(MLP, 1), Progress(epoch, 3, {"loss": 1.0}, 1.0))
        tracker.on_run(Job(MLP, 1), make_run(MLP))
    assert [logged.kwargs["step"] for logged in fake.runs[0].log.mock_calls] == [1, 2, 3]
    assert ends(fake) == [[call(exit_code=0)]]


def test_runs_that_are_cut_short_or_fail_are_closed_as_failed(fake):
    with pytest.raises(KeyboardInterrupt):
        campaign(Job(MLP, 1), Job(CNN, 1), Job(MLP, 9))
    with pytest.raises(CampaignError, match="was killed, 3 times"):
        campaign(Job(MLP, 8))
    assert ends(fake) == [[call(exit_code=code)] for code in (0, 0, 1, 1)]


@pytest.mark.parametrize("what", ["setup", "login", "begin", "log", "config.update", "finish"])
@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_failure_is_one_warning_without_the_key(fake, monkeypatch, capfd, what, error):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    failure = {f"{what}.side_effect": error(f"the key {KEY}\nis wrong")}
    fake.configure_mock(**failure)
    fake.failure = failure
    runs = campaign(*(Job(MLP, seed) for seed in (1, 2, 3)))
    assert sorted(run.seed for run in runs) == [1, 2, 3]
    assert capfd.readouterr() == (
        f"Weights & Biases failed ({error.__name__}: the key ...): nothing more is logged there; "
        "the training goes on, and its run records are complete.\n",
        "",
    )
    assert what not in ("log", "config.update") or ends(fake)[0] == [call(exit_code=1)]


def test_a_wandb_that_does_not_answer_holds_nothing_up(fake, monkeypatch, capsys):
    answer = threading.Event()
    fake.setup.side_effect = lambda settings: answer.wait()
    monkeypatch.setattr(tracking, "_LIMIT", 0.1)
    assert len(campaign(Job(MLP, 1))) == 1
    answer.set()
    assert "failed (no answer within 0 s)" in capsys.readouterr().out


@pytest.mark.parametrize("prompts", [True, False], ids=["0.28", "0.31"])
@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [
        (None, True, "online"),
        (None, False, "offline"),
        ("online", False, "offline"),  # nobody is asked
        ("offline", True, "offline"),
        ("disabled", True, "disabled"),
    ],
)
def test_the_mode_is_the_users_and_offline_without_a_key(
    fake, monkeypatch, capsys, prompts, mode, key, expected
):
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    fake.login.return_value = fake.api.api_key = key
    if prompts:
        fake.login = lambda: pytest.fail("would ask")
    campaign(Job(MLP, 1))
    assert fake.runs[0].given["mode"] == expected
    hint = "Weights & Biases was offline; to upload: wandb sync wandb/offline-run-*\n"
    assert capsys.readouterr().out == (hint if expected == "offline" else "")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (None, r"needs the package wandb: pip install fmnist-utils\[wandb\]$"),
        (SimpleNamespace(), "needs the package wandb"),  # a folder named wandb
        (SimpleNamespace(init=1, __version__="0.22.3"), "^wandb 0.22.3 cannot .* --upgrade wandb"),
    ],
)
def test_a_package_that_cannot_be_used_is_one_sentence(monkeypatch, module, sentence):
    monkeypatch.setitem(sys.modules, "wandb", module)
    assert type(make_tracker("none")) is Watcher
    with pytest.raises(TrackingError, match=sentence):
        make_tracker("wandb")
    with pytest.raises(TrackingError, match=r"no tracker 'mlflow'; there are none, wandb\.$"):
        make_tracker("mlflow")


@pytest.mark.slow
@pytest.mark.parametrize("keyed", [True, False])
def test_real_runs_are_on_disk_and_the_key_is_in_none_of_their_files(tmp_path, keyed):
    pytest.importorskip("wandb", reason="needs the wandb extra")
    (tmp_path / "wandb").mkdir()  # from an earlier campaign; it is not the package
    script = (
        "import test_tracking as t\n"
        "try: t.campaign(t.Job(t.MLP, 1), t.Job(t.CNN, 1), t.Job(t.MLP, 9))\n"
        "except KeyboardInterrupt: pass"
    )
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    env |= {"PYTHONPATH": os.pathsep.join(paths), "HOME": str(tmp_path)}
    env |= {"NETRC": str(tmp_path / "no-netrc"), "WANDB_ERROR_REPORTING": "false"}
    if keyed:
        env |= {"WANDB_API_KEY": KEY, "WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path / "logs")}
        (tmp_path / "logs").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    folder = "logs/wandb" if keyed else "wandb"
    hint = f"Weights & Biases was offline; to upload: wandb sync {folder}/offline-run-*\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, hint, "")
    assert len(list(tmp_path.glob(f"{folder}/offline-run-*/run-*.wandb"))) == 3
    assert len(list(tmp_path.glob("runs/**/*.json"))) == 2
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
