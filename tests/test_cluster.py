"""A campaign on a real Dask cluster: scheduler and workers in processes of their own."""

import errno
import gc
import itertools
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from factories import make_run
from test_campaign import Log, trained_for

import fmnist_utils
from fmnist_utils.campaign.campaign import run_jobs
from fmnist_utils.campaign.cluster import DaskExecutor
from fmnist_utils.campaign.jobs import CampaignError, Job
from fmnist_utils.data.download import load_data
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training.checkpoint import finished_epochs
from fmnist_utils.training.state import Progress
from fmnist_utils.training.train import train

distributed = pytest.importorskip("distributed", reason="needs the dask extra")

MLP = load_report("baltzi")["mlp-baseline"]


def few_images(experiment: Experiment) -> Experiment:
    protocol = experiment.training.model_copy(update={"images": 2000})
    return experiment.model_copy(update={"training": protocol})


SHORT = few_images(trained_for(1, MLP))
#: Long enough to lose a worker in the middle; it must reach its end after that.
MIDDLE = few_images(trained_for(60, MLP))


class Cluster:
    """A scheduler at a fixed port and workers, each a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        return self._start("scheduler", *options)

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        options = [self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        options += ["--memory-limit", "0", "--local-directory", str(self.folder)]
        return self._start("worker", *options, **environment)

    def _start(self, what: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{what}.log").open("ab")
        package = str(Path(fmnist_utils.__file__).parents[1])
        cache = {"XDG_CACHE_HOME": str(self.folder / "cache"), "PYTHONPATH": package}
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", what, *options],
            cwd=self.folder, env=os.environ | cache | environment, stdout=log, stderr=log,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            try:
                below = psutil.Process(process.pid).children(recursive=True)
            except psutil.Error:
                below = []
            for each in (process, *below):
                if each.is_running() if isinstance(each, psutil.Process) else True:
                    each.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path, real_data_dir: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs", published=tmp_path / "published")


def executor(cluster: Cluster, **times: float) -> DaskExecutor:
    """Wait for workers as long as it takes: how fast the machine is proves nothing."""
    return DaskExecutor(cluster.address, **{"checkpoint_interval": 0.0, "patience": 300.0} | times)


def wait_for_scheduler(cluster: Cluster) -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", cluster.port)) == 0:
                return
        time.sleep(0.1)


@pytest.mark.slow
def test_runs_arrive_here_as_they_would_be_made_here_and_a_failed_job_is_named(
    cluster: Cluster, store: RunStore
) -> None:
    cluster.start_scheduler()
    for _ in range(2):
        cluster.start_worker()
    wait_for_scheduler(cluster)
    narrow = SHORT.model.model_copy(update={"input_shape": (5, 5)})
    bad = SHORT.model_copy(update={"model": narrow, "id": "broken"})
    jobs, log = [Job(SHORT, 1), Job(bad, 1), Job(SHORT, 2), Job(SHORT, 3)], Log()
    with pytest.raises(CampaignError, match=r"^1 of 4 runs failed: baltzi/broken seed 1 \(The im"):
        run_jobs(jobs, store, executor(cluster), [log])
    data = load_data()
    for seed, run in enumerate(store.runs(SHORT), start=1):
        assert run.history == train(SHORT, seed, data).history
    assert sorted(log.finished) == [f"baltzi/{SHORT.id} seed {seed}" for seed in (1, 2, 3)]
    assert sorted(log.epochs) == [(name, 1) for name in sorted(log.finished)]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_and_its_job_goes_on_elsewhere(
    cluster: Cluster, store: RunStore
) -> None:
    cluster.start_scheduler()
    wait_for_scheduler(cluster)
    first = cluster.start_worker()
    job = Job(few_images(trained_for(5, MLP)), 1)

    class Kill(Log):
        def on_epoch(self, job: Job, epoch: Progress) -> None:
            super().on_epoch(job, epoch)
            if first.poll() is None and epoch.epoch == 2:  # the first has come back by then
                first.kill()
                # Another machine: it does not have the first one's cache.
                cluster.start_worker(XDG_CACHE_HOME=str(cluster.folder / "other"))

    log = Kill()
    [run] = run_jobs([job], store, executor(cluster, pause=0.0), [log])  # back after every epoch
    assert run.history == train(job.experiment, 1, load_data()).history
    numbers = [epoch for _, epoch in log.epochs]
    assert numbers.count(1) == 1, numbers  # the other worker does not start from the beginning


@pytest.mark.slow
def test_a_scheduler_that_is_killed_is_one_sentence_and_nothing_is_lost(
    cluster: Cluster, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger("distributed.client"), "handle", logged.append)
    scheduler = cluster.start_scheduler()
    wait_for_scheduler(cluster)
    cluster.start_worker()
    jobs = [Job(SHORT, 1), Job(MIDDLE, 2)]

    class Kill(Log):
        def on_epoch(self, job: Job, epoch: object) -> None:
            super().on_epoch(job, epoch)
            if job.experiment == MIDDLE and len(self.epochs) > 5:
                scheduler.kill()

    with pytest.raises(CampaignError, match=r"^The Dask scheduler at .* is gone: start it and"):
        run_jobs(jobs, store, executor(cluster), [Kill()])
    assert not logged  # a traceback of the attempt to reach it again
    assert [run.seed for run in store.runs(SHORT)] == [1]
    [kept] = (cluster.folder / "cache").rglob("*seed02*.npz")
    done = finished_epochs(kept)
    assert done >= 1
    cluster.stop()
    cluster.start_scheduler()
    wait_for_scheduler(cluster)
    cluster.start_worker()
    log = Log()
    [run] = run_jobs(jobs[1:], store, executor(cluster), [log])
    assert log.epochs[0][1] > done >= 1
    assert run.history == train(MIDDLE, 2, load_data()).history


def test_a_scheduler_that_goes_before_it_answers_is_the_same_sentence() -> None:
    class Gone:
        status = "running"

        def nthreads(self) -> None:
            raise ConnectionResetError(104, "Connection reset by peer")

        def close(self) -> None: ...

    gone = DaskExecutor("tcp://127.0.0.1:8786")
    gone._connect = lambda *_, **__: Gone()
    with pytest.raises(CampaignError, match="is gone: start it and its workers again"):
        gone.__enter__()
    gone._client = Gone()
    with pytest.raises(CampaignError, match="is gone: start it and its workers again"):
        gone.check()


def answering(end: Run | Exception) -> DaskExecutor:
    """Return an executor on a cluster whose every job has ended so, and whose workers are gone."""
    future = SimpleNamespace(status="pending", release=lambda: None)
    asked = itertools.count()

    def result(timeout: float | None = None) -> Run:
        assert next(asked) < 5, "it is asked without end"
        future.status = "error" if isinstance(end, Exception) else "finished"
        if isinstance(end, Exception):
            raise end
        return end

    def run(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect")

    future.result, future.done = result, lambda: future.status != "pending"
    made = DaskExecutor("tcp://127.0.0.1:8786")
    made._client = SimpleNamespace(status="running", submit=lambda *_, **__: future, run=run)
    return made


def test_a_finished_run_is_kept_though_its_worker_cannot_be_told(tmp_path: Path) -> None:
    finished = make_run(MLP)
    assert answering(finished)._train(Job(MLP, 1), tmp_path / "a.npz", print) is finished


@pytest.mark.parametrize(
    "error", [TimeoutError("it took long"), OSError(errno.ENOSPC, "No space left", "/cache/a.npz")]
)
def test_what_fails_on_a_worker_fails_its_job_alone(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(CampaignError) as caught:
        answering(error)._train(Job(MLP, 1), tmp_path / "a.npz", print)
    assert str(caught.value) == f"on a worker: {error}"


@pytest.mark.slow
def test_a_worker_with_other_code_is_refused_by_its_address(
    cluster: Cluster, store: RunStore
) -> None:
    other = cluster.folder / "other"
    shutil.copytree(
        Path(fmnist_utils.__file__).parent,
        other / "fmnist_utils",
        ignore=shutil.ignore_patterns("__pycache__", "*.seed*.json"),
    )
    with (other / "fmnist_utils/errors.py").open("a") as file:
        file.write("\n# a later version\n")
    cluster.start_scheduler()
    wait_for_scheduler(cluster)
    cluster.start_worker(PYTHONPATH=str(other))
    with pytest.raises(CampaignError, match=r"^The worker at tcp://.* runs other code"):
        run_jobs([Job(SHORT, 1)], store, executor(cluster))
    assert not list(store.written.rglob("*.json"))


@pytest.mark.slow
def test_a_worker_without_the_data_is_one_sentence(cluster: Cluster, store: RunStore) -> None:
    cluster.start_scheduler()
    wait_for_scheduler(cluster)
    (cluster.folder / "empty").mkdir()
    cluster.start_worker(FMNIST_DATA_DIR=str(cluster.folder / "empty"))
    with pytest.raises(CampaignError, match=r"^1 of 1 runs failed: .* seed 1 \([^\n]*empty"):
        run_jobs([Job(SHORT, 1)], store, executor(cluster))


@pytest.mark.slow
def test_ctrl_c_stops_what_trains_on_a_worker(cluster: Cluster, store: RunStore) -> None:
    cluster.start_scheduler()
    wait_for_scheduler(cluster)
    worker = cluster.start_worker()
    long = few_images(trained_for(10**6, MLP))

    class Interrupt(Log):
        def on_epoch(self, job: Job, epoch: object) -> None:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job(long, 1)], store, executor(cluster), [Interrupt()])
    trainings = psutil.Process(worker.pid).children(recursive=True)
    psutil.wait_procs(trainings, timeout=300)
    assert not [child for child in trainings if child.is_running()]
    assert worker.poll() is None


@pytest.mark.slow
def test_a_cluster_without_workers_is_one_sentence(cluster: Cluster, store: RunStore) -> None:
    said: list[str] = []
    cluster.start_scheduler()
    wait_for_scheduler(cluster)
    with pytest.raises(CampaignError, match=r"^The Dask cluster at .* has no worker: start one"):
        run_jobs(
            [Job(SHORT, 1)], store, DaskExecutor(cluster.address, patience=1.0, say=said.append)
        )
    assert said == [f"Waiting for a worker of the Dask cluster at {cluster.address}, 1 s at most."]


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "nonsense", ""])
def test_a_scheduler_that_is_not_there_is_one_sentence(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """And what is left of the connection says nothing more when it is collected."""
    later: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", later.append)
    with pytest.raises(CampaignError, match=f"No Dask scheduler answers at {address}: [^\n]*$"):
        run_jobs([Job(SHORT, 1)], store, DaskExecutor(address))
    gc.collect()
    assert not later
