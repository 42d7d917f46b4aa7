"""Many runs: what is missing, in which order, and that nothing finished is ever lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_run

from fmnist_utils import campaign
from fmnist_utils.campaign import Job, missing_jobs, run_jobs
from fmnist_utils.data import FashionMNIST
from fmnist_utils.reports import Experiment, load_report
from fmnist_utils.runs import RunError, RunStore, read_run

BALTZI = load_report("baltzi")
MLP, CNN = BALTZI["mlp-baseline"], BALTZI["cnn-1-conv"]
NO_IMAGES: Any = None


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs", published=tmp_path / "published")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Replace training by run records out of thin air, and list what was trained."""
    done = []

    def train(
        experiment: Experiment, seed: int, data: Any, on_epoch: Any, method: Any, checkpoint: Any
    ) -> Any:
        run = make_run(experiment, seed)
        for epoch in range(run.epochs):
            _ = on_epoch and on_epoch(epoch)
        done.append((experiment.id, seed))
        return run

    monkeypatch.setattr(campaign, "train", train)
    return done


def names(jobs: list[Job]) -> list[tuple[str, int]]:
    return [(job.experiment.id, job.seed) for job in jobs]


def test_all_experiments_get_a_seed_before_any_gets_the_next(store: RunStore) -> None:
    assert names(missing_jobs(store, iter([MLP, CNN]), iter([1, 2]))) == [
        (MLP.id, 1), (CNN.id, 1), (MLP.id, 2), (CNN.id, 2),
    ]  # fmt: skip


def test_only_what_is_lacking_is_a_job(store: RunStore) -> None:
    store.add(make_run(MLP, 1))
    store.add(make_run(CNN, 2))
    older = MLP.training.model_copy(update={"batch_size": 1})
    store.add(make_run(MLP.model_copy(update={"training": older}), 2))
    assert names(missing_jobs(store, [MLP, CNN], range(1, 4))) == [
        (CNN.id, 1), (MLP.id, 2), (MLP.id, 3), (CNN.id, 3),
    ]  # fmt: skip
    assert missing_jobs(store, [MLP], [1]) == []
    assert missing_jobs(store, [], range(1, 4)) == []


def test_each_run_is_on_disk_before_the_next_one_starts(
    store: RunStore, trained: list[tuple[str, int]]
) -> None:
    jobs = missing_jobs(store, [MLP, CNN], [1, 2])
    epochs: list[tuple[str, int]] = []
    finished: list[tuple[str, int]] = []

    def on_epoch(job: Job, _: Any) -> None:
        epochs.append((job.experiment.id, job.seed))
        assert len(list(store.written.rglob("*.json"))) == len(finished) == len(trained)

    def on_run(job: Job, run: Any) -> None:
        assert store.missing(job.experiment, [job.seed]) == []
        finished.append((run.experiment, run.seed))

    runs = run_jobs(jobs, store, NO_IMAGES, on_epoch, on_run)
    assert trained == finished == names(jobs) == [(run.experiment, run.seed) for run in runs]
    assert epochs == [job for job in names(jobs) for _ in range(3)]
    assert missing_jobs(store, [MLP, CNN], [1, 2]) == []


def test_interrupt_loses_only_the_run_in_progress_and_the_rest_is_resumed(
    store: RunStore, trained: list[tuple[str, int]]
) -> None:
    def interrupt(job: Job, _: Any) -> None:
        if (job.experiment, job.seed) == (CNN, 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(missing_jobs(store, [MLP, CNN], [1, 2]), store, NO_IMAGES, interrupt)
    files = [path for path in store.written.rglob("*") if path.is_file()]
    assert [(run.experiment, run.seed) for run in map(read_run, files)] == [(MLP.id, 1)]

    trained.clear()
    run_jobs(missing_jobs(store, [MLP, CNN], [1, 2]), store, NO_IMAGES)
    assert trained == [(CNN.id, 1), (MLP.id, 2), (CNN.id, 2)]
    assert [run.seed for run in store.runs(MLP)] == [run.seed for run in store.runs(CNN)] == [1, 2]


def test_disk_that_fills_up_ends_the_campaign_at_that_run(
    store: RunStore, trained: list[tuple[str, int]]
) -> None:
    store.written.mkdir()
    (store.written / "baltzi").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written"):
        run_jobs(missing_jobs(store, [MLP, CNN], [1, 2]), store, NO_IMAGES)
    assert trained == [(MLP.id, 1)]


KILLED = """
import os, signal, sys
from pathlib import Path
from fmnist_utils.runs import RunStore
from test_campaign import SHORT, images, missing_jobs, run_jobs

def kill(job, progress):
    if (job.seed, progress.epoch) == (2, 2):
        os.kill(os.getpid(), signal.SIGKILL)

store = RunStore(Path(sys.argv[1]), published=Path(sys.argv[2]))
run_jobs(missing_jobs(store, [SHORT], [1, 2]), store, images(), kill)
"""
SHORT = MLP.model_copy(update={"training": MLP.training.model_copy(update={"epochs": 2})})


def images() -> FashionMNIST:
    labels = np.tile(np.arange(10, dtype=np.uint8), 20)
    shades = np.repeat(20 * labels, 784).reshape(-1, 28, 28)
    return FashionMNIST(shades, labels, shades[:50], labels[:50], "real")


@pytest.mark.slow
def test_killed_campaign_keeps_what_was_finished_and_goes_on(store: RunStore) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(store.written), str(store.published)],
        cwd=Path(__file__).parent,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    files = [path for path in store.written.rglob("*") if path.is_file()]
    assert [read_run(path).seed for path in files] == [1]

    jobs = missing_jobs(store, [SHORT], [1, 2])
    assert names(jobs) == [(MLP.id, 2)]
    run_jobs(jobs, store, images())
    assert [run.seed for run in store.runs(SHORT)] == [1, 2]
    assert read_run(files[0]) == store.runs(SHORT)[0]
