"""Many runs: what is missing, in which order, and that nothing finished is ever lost."""

import errno
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from factories import FakeExecutor, make_run
from filelock import FileLock
from rich.console import Console

from fmnist_utils.campaign.campaign import run_jobs
from fmnist_utils.campaign.child import ChildTask, write_images
from fmnist_utils.campaign.executor import LocalExecutor, jobs_at_once
from fmnist_utils.campaign.jobs import CampaignError, Job, Watcher, missing_jobs
from fmnist_utils.campaign.process import ProcessLostError, StoppedError, train_in_process
from fmnist_utils.campaign.progress import CampaignProgress
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.machine import usable_cores
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.reading import read_run
from fmnist_utils.runs.record import Run, RunError
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training.checkpoint import checkpoint_threads, finished_epochs
from fmnist_utils.training.train import train

BALTZI = load_report("baltzi")
MLP, CNN = BALTZI["mlp-baseline"], BALTZI["cnn-1-conv"]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs", published=tmp_path / "published")


def made(job: Job, checkpoint: Path) -> Run:
    return make_run(job.experiment, job.seed)


class Log(Watcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.epochs: list[tuple[str, int]] = []
        self.finished: list[str] = []
        self.notes: list[str] = []

    def on_start(self, job: Job) -> None:
        self.started.append(job.name)

    def on_epoch(self, job: Job, epoch: Any) -> None:
        self.epochs.append((job.name, epoch.epoch))

    def on_run(self, job: Job, run: Run) -> None:
        self.finished.append(job.name)

    def on_note(self, job: Job, note: str) -> None:
        self.notes.append(f"{job.name} {note}")


def names(jobs: list[Job]) -> list[tuple[str, int]]:
    return [(job.experiment.id, job.seed) for job in jobs]


def records(store: RunStore) -> list[Path]:
    return sorted(store.written.rglob("*.json"))


# --- what is missing -----------------------------------------------------------------------------


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


# --- the campaign, without training --------------------------------------------------------------


def test_each_run_is_on_disk_when_it_is_told_of_and_before_the_next_one_starts(
    store: RunStore,
) -> None:
    class Present(Log):
        def on_start(self, job: Job) -> None:
            super().on_start(job)
            assert len(records(store)) == len(self.finished) == len(self.started) - 1

        def on_run(self, job: Job, run: Run) -> None:
            super().on_run(job, run)
            assert store.missing(job.experiment, [job.seed]) == []

    jobs, log = missing_jobs(store, [MLP, CNN], [1, 2]), Present()
    runs = run_jobs(jobs, store, FakeExecutor(made), [log])
    assert log.started == log.finished == [job.name for job in jobs]
    ended = {job.name: run.epochs for job, run in zip(jobs, runs, strict=True)}
    assert names(jobs) == [(run.experiment, run.seed) for run in runs]
    assert log.epochs == [
        (job.name, epoch) for job in jobs for epoch in range(1, ended[job.name] + 1)
    ]
    assert missing_jobs(store, [MLP, CNN], [1, 2]) == []


def test_an_interrupt_loses_no_finished_run_and_the_rest_goes_on_later(store: RunStore) -> None:
    class Interrupt(Watcher):
        def on_start(self, job: Job) -> None:
            if (job.experiment, job.seed) == (CNN, 1):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_jobs(missing_jobs(store, [MLP, CNN], [1, 2]), store, FakeExecutor(made), [Interrupt()])
    assert (MLP.id, 1) in [(run.experiment, run.seed) for run in map(read_run, records(store))]
    log = Log()
    run_jobs(missing_jobs(store, [MLP, CNN], [1, 2]), store, FakeExecutor(made), [log])
    assert f"baltzi/{MLP.id} seed 1" not in log.started
    assert [run.seed for run in store.runs(MLP)] == [run.seed for run in store.runs(CNN)] == [1, 2]


def test_a_second_ctrl_c_while_a_run_is_saved_loses_nothing(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*paths: Any) -> None:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGINT):
            signal.raise_signal(number)
        whole(*paths)

    store.check_writable()
    whole = os.replace
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "check_writable", lambda _: None)
        patch.setattr(os, "replace", replace)
        run_jobs(missing_jobs(store, [MLP], [1, 2]), store, FakeExecutor(made))
    assert [run.seed for run in map(read_run, records(store))] == [1]


def test_a_run_that_is_finished_while_the_campaign_stops_is_kept(store: RunStore) -> None:
    class Interrupt(Watcher):
        def on_start(self, job: Job) -> None:
            signal.raise_signal(signal.SIGINT)

    def made_late(job: Job, checkpoint: Path) -> Run:
        executor._stopped.wait()
        return made(job, checkpoint)

    executor = FakeExecutor(made_late)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(missing_jobs(store, [MLP], [1, 2]), store, executor, [Interrupt()])
    assert [run.seed for run in map(read_run, records(store))] == [1]


def test_a_run_that_is_finished_while_the_campaign_stops_and_cannot_be_saved_is_told(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupt(Log):
        def on_start(self, job: Job) -> None:
            signal.raise_signal(signal.SIGINT)

    def made_late(job: Job, checkpoint: Path) -> Run:
        executor._stopped.wait()
        shutil.rmtree(store.written / "baltzi")
        (store.written / "baltzi").write_text("in the way")
        return made(job, checkpoint)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executor, log = FakeExecutor(made_late), Interrupt()
    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job(MLP, 1)], store, executor, [log])
    [kept] = tmp_path.glob("fmnist-run-*/baltzi/*.json")
    [note] = log.notes
    assert note.startswith(f"baltzi/{MLP.id} seed 1 is finished: Run ")
    assert note.endswith(f"The run is kept in {kept}.")


def test_a_checkpoint_that_no_training_goes_on_from_is_told(store: RunStore) -> None:
    path, log = store.path(MLP, 1).with_suffix(".npz"), Log()
    path.parent.mkdir(parents=True)
    np.savez(path, notes=np.array(json.dumps({})))  # whole, and of no training
    run_jobs(missing_jobs(store, [MLP], [1, 2]), store, FakeExecutor(made), [log])
    sentence = "starts over: its checkpoint is damaged, or another's"
    assert log.notes == [f"baltzi/{MLP.id} seed 1 {sentence}"]


def test_a_notebook_without_widgets_gets_lines_and_no_warning(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    said = io.StringIO()
    console = Console(file=said, force_jupyter=True)
    monkeypatch.setattr(console, "print", lambda text, **_: said.write(f"{text}\n"))
    with CampaignProgress(1, console) as progress:
        run_jobs(missing_jobs(store, [MLP], [1]), store, FakeExecutor(made), [progress])
    assert [str(warning.message) for warning in recwarn] == []
    *epochs, finished = said.getvalue().splitlines()
    assert all("epoch 1 of 11" in line for line in epochs)
    assert finished.startswith(f"baltzi/{MLP.id} seed 1: 11 epochs")


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_trained(
    store: RunStore,
) -> None:
    store.written.parent.mkdir(exist_ok=True)
    store.written.write_text("in the way")
    with pytest.raises(RunError, match=r"Runs cannot be written to .*another one"):
        run_jobs([Job(MLP, 1)], store, FakeExecutor(lambda *_: pytest.fail("was trained")))


def test_a_disk_that_fills_up_ends_the_campaign_and_the_run_is_kept_elsewhere(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fill_up(job: Job, checkpoint: Path) -> Run:
        shutil.rmtree(store.written / "baltzi")
        (store.written / "baltzi").write_text("in the way")
        return made(job, checkpoint)

    with pytest.raises(RunError, match=r"cannot be written.* The run is kept in (.*)\.$") as caught:
        run_jobs(missing_jobs(store, [MLP, CNN], [1, 2]), store, FakeExecutor(fill_up), [log])
    assert log.started == [f"baltzi/{MLP.id} seed 1"]
    [kept] = tmp_path.glob("fmnist-run-*/baltzi/*.json")
    assert str(kept) in str(caught.value) and read_run(kept).seed == 1


def test_a_run_that_can_be_kept_nowhere_is_named(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(job: Job, checkpoint: Path) -> Run:
        shutil.rmtree(store.written / "baltzi")
        (store.written / "baltzi").write_text("in the way")
        return made(job, checkpoint)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(RunError, match=rf"^Run {MLP.id}.seed01.* cannot be written to .*/baltzi: "):
        run_jobs([Job(MLP, 1)], store, FakeExecutor(fill_up))


def test_two_commands_may_try_a_folder_at_once(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: bytes) -> None:
        """Write nothing: another container, with the same number of process, has deleted it."""

    monkeypatch.setattr("fmnist_utils.runs.store.write_atomically", write)
    store.check_writable(["baltzi"])


def test_a_full_disk_is_found_before_anything_is_trained(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        if len(content) > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fmnist_utils.runs.store.write_atomically", full)
    with pytest.raises(RunError, match=r"No space left on device\): make room"):
        run_jobs([Job(MLP, 1)], store, FakeExecutor(lambda *_: pytest.fail("was trained")))


def test_a_job_that_fails_is_told_at_once(store: RunStore) -> None:
    def refuse(job: Job, checkpoint: Path) -> Run:
        raise FmnistError("The images do not fit.")

    log = Log()
    with pytest.raises(CampaignError, match=r"^1 of 1 runs failed"):
        run_jobs([Job(MLP, 1)], store, FakeExecutor(refuse), [log])
    assert log.notes == [f"baltzi/{MLP.id} seed 1 failed: The images do not fit"]


def test_a_checkpoint_goes_when_the_run_is_on_disk_and_not_before(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left_behind(job: Job, checkpoint: Path) -> Run:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_bytes(b"half a training")
        return make_run(job.experiment, job.seed)

    def failing(run: Run) -> Path:
        raise RunError("the disk is full")

    with monkeypatch.context() as patch, pytest.raises(RunError):
        patch.setattr(store, "add", failing)
        run_jobs([Job(MLP, 1)], store, FakeExecutor(left_behind))
    assert len(list(store.written.rglob("*.npz"))) == 1
    run_jobs([Job(MLP, 1)], store, FakeExecutor(left_behind))
    assert not list(store.written.rglob("*.npz")) and len(records(store)) == 1


def test_a_job_whose_process_is_lost_is_told_and_begun_again_three_times_at_most(
    store: RunStore,
) -> None:
    lost = iter([True, True, False, True, True, True])

    def losing(job: Job, checkpoint: Path) -> Run:
        if next(lost):
            raise ProcessLostError("was killed by SIGKILL")
        return make_run(job.experiment, job.seed)

    log = Log()
    with pytest.raises(CampaignError, match=r"^1 of 2 runs failed: .* seed 2 \(was killed by SIG"):
        run_jobs([Job(MLP, 1), Job(MLP, 2)], store, FakeExecutor(losing), [log])
    assert [run.seed for run in store.runs(MLP)] == [1]
    assert len(log.started) == 6 and len(log.notes) == 5
    assert set(log.notes[:-1]) == {
        f"baltzi/{MLP.id} seed {seed} was killed by SIGKILL; it goes on from its checkpoint"
        for seed in (1, 2)
    }


def test_a_job_that_another_command_trains_is_waited_for_and_not_trained_twice(
    store: RunStore,
) -> None:
    job, log = Job(MLP, 1), Log()
    path = store.path(*job)
    lock = FileLock(store.written / ".locks" / f"{path.stem}.lock", thread_local=False)
    lock.acquire()

    def finish_elsewhere() -> None:
        while not log.notes:
            time.sleep(0.05)
        store.add(make_run(MLP, 1))
        lock.release()

    other = threading.Thread(target=finish_elsewhere)
    other.start()
    runs = run_jobs([job, Job(MLP, 2)], store, FakeExecutor(made), [log])
    other.join()
    assert log.started == [f"baltzi/{MLP.id} seed 2"] and [run.seed for run in runs] == [2]
    assert log.notes == [f"baltzi/{MLP.id} seed 1 is being trained by another command"]
    assert store.missing(MLP, [1, 2]) == []


# --- how many side by side -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "jobs", "cores", "gigabytes", "expected"),
    [
        ("auto", 9, 4, 64, 4),
        ("auto", 2, 4, 64, 2),
        ("auto", 9, 4, 5, 2),
        ("auto", 9, 4, 1, 1),
        (3, 9, 4, 1, 3),
        (8, 9, 4, 64, 4),
        (8, 2, 4, 64, 2),
        ("auto", 0, 4, 64, 1),
    ],
)
def test_as_many_as_cores_jobs_and_memory_allow(
    monkeypatch: pytest.MonkeyPatch, wanted: Any, jobs: int, cores: int, gigabytes: int,
    expected: int,
) -> None:  # fmt: skip
    free = psutil.virtual_memory()._replace(available=gigabytes * 1024**3)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    monkeypatch.setattr("fmnist_utils.campaign.executor.core_count", lambda: cores)
    monkeypatch.setattr("fmnist_utils.campaign.executor._has_gpu", lambda: False)
    assert jobs_at_once(wanted, [Job(MLP, 1)] * jobs) == expected


def test_jobs_share_the_cores_and_none_is_used_twice() -> None:
    shares = LocalExecutor(images(), 1)._shares
    assert [list(share) for share in shares] == [list(usable_cores())]
    halves = LocalExecutor(images(), len(usable_cores()))._shares
    assert sorted(core for share in halves for core in share) == list(usable_cores())


# --- real processes ------------------------------------------------------------------------------


def images() -> FashionMNIST:
    labels = np.tile(np.arange(10, dtype=np.uint8), 20)
    shades = np.repeat(20 * labels, 784).reshape(-1, 28, 28)
    return FashionMNIST(shades, labels, shades[:50], labels[:50], "real")


def trained_for(epochs: int, experiment: Experiment = MLP) -> Experiment:
    protocol = experiment.training.model_copy(update={"epochs": epochs, "early_stopping": None})
    return experiment.model_copy(update={"training": protocol})


SHORT = trained_for(2)
#: Long enough to be killed in the middle: its epochs take milliseconds.
LONG = trained_for(100_000)


def children() -> list[psutil.Process]:
    """List the processes of this one that train."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "campaign.child" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def no_child_is_left() -> Iterator[None]:
    yield
    assert children() == []


@pytest.mark.slow
def test_a_run_is_the_same_in_a_process_of_its_own_beside_others_and_here(
    store: RunStore, no_child_is_left: None
) -> None:
    """Another thread that draws from Python's ``random`` changes nothing either."""
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set():
            random.random()

    noise = threading.Thread(target=draw)
    noise.start()
    try:
        jobs = [Job(SHORT, seed) for seed in (1, 2, 3)]
        runs = run_jobs(jobs, store, LocalExecutor(images(), len(usable_cores())))
    finally:
        stop.set()
        noise.join()
    for run in runs:
        alone = train(SHORT, run.seed, images())
        assert run.history == alone.history
        assert run.test_predictions == alone.test_predictions
        assert run.provenance.threads == 1 or len(usable_cores()) > 3


@pytest.mark.slow
def test_a_killed_process_is_told_and_its_job_goes_on_from_its_checkpoint(
    store: RunStore, no_child_is_left: None
) -> None:
    middle = trained_for(150)

    class Kill(Log):
        def on_epoch(self, job: Job, epoch: Any) -> None:
            super().on_epoch(job, epoch)
            checkpoint = store.path(*job).with_suffix(".npz")
            if not self.notes and len(self.started) == 1 and checkpoint.exists():
                for child in children():
                    child.kill()

    log = Kill()
    [run] = run_jobs(
        [Job(middle, 1)], store, LocalExecutor(images(), 1, checkpoint_interval=0.0), [log]
    )
    assert log.notes == [
        f"baltzi/{MLP.id} seed 1 was killed by SIGKILL; it goes on from its checkpoint"
    ]
    assert len(log.started) == 2 and run.epochs == 150
    numbers = [epoch for _, epoch in log.epochs]
    assert numbers.count(1) == 1, "the second process started from the beginning"
    assert run.history == train(middle, 1, images()).history


@pytest.mark.slow
def test_a_process_that_stalls_is_noticed_and_killed(
    tmp_path: Path, no_child_is_left: None
) -> None:
    task = ChildTask(Job(LONG, 1), tmp_path / "a.npz", images=write_images(images(), tmp_path))

    def stop_it(epoch: Any) -> None:
        for child in children():
            child.suspend()

    with pytest.raises(ProcessLostError, match="gave no sign of life for 2 s"):
        train_in_process(task, stop_it, lambda: False, silence=2.0)


@pytest.mark.slow
def test_a_process_that_breaks_says_why(tmp_path: Path, no_child_is_left: None) -> None:
    task = ChildTask(Job(LONG, 1), tmp_path / "a.npz", images=tmp_path / "nowhere")
    with pytest.raises(ProcessLostError, match=r"ended with code 1 \(FileNotFoundError: .*nowhere"):
        train_in_process(task, lambda _: None, lambda: False)


@pytest.mark.slow
def test_a_process_that_does_not_answer_is_killed_when_it_is_to_stop(
    tmp_path: Path, no_child_is_left: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fmnist_utils.campaign.process.GRACE", -14.0)
    task = ChildTask(Job(LONG, 1), tmp_path / "a.npz", images=write_images(images(), tmp_path))
    suspended = []

    def suspend(epoch: Any) -> None:
        for child in children():
            child.suspend()
            suspended.append(child)

    with pytest.raises(StoppedError):
        train_in_process(task, suspend, lambda: bool(suspended))


@pytest.mark.slow
def test_a_training_goes_on_with_as_many_threads_as_it_began_with(
    tmp_path: Path, no_child_is_left: None
) -> None:
    path = tmp_path / "a.npz"
    write_images(images(), tmp_path)
    job = Job(trained_for(3), 1)
    first = ChildTask(
        job, path, (usable_cores()[0],), images=tmp_path, checkpoint_interval=0.0, pause=0.0
    )
    assert train_in_process(first, lambda _: None, lambda: False) is None
    assert checkpoint_threads(path) == 1
    epochs: list[int] = []
    rest = ChildTask(job, path, threads=2, images=tmp_path)
    run = train_in_process(rest, lambda epoch: epochs.append(epoch.epoch), lambda: False)
    assert run is not None and run.provenance.threads == 1 and epochs == [2, 3]


CAMPAIGN = """
import signal, sys
from pathlib import Path
from fmnist_utils.campaign.campaign import run_jobs
from fmnist_utils.campaign.executor import LocalExecutor
from fmnist_utils.campaign.jobs import Job
from fmnist_utils.runs.store import RunStore
from test_campaign import LONG, SHORT, images

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored
store = RunStore(Path(sys.argv[1]), published=Path(sys.argv[2]))
jobs = [Job(SHORT, 1), Job(SHORT, 2)] + [Job(LONG, 1)] * (sys.argv[3] == "long")
run_jobs(jobs, store, LocalExecutor(images(), 1, checkpoint_interval=0.0))
"""


def start_campaign(store: RunStore, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CAMPAIGN, str(store.written), str(store.published), *arguments],
        cwd=Path(__file__).parent,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_checkpoint(store: RunStore, process: subprocess.Popen[str]) -> Path:
    path = store.path(LONG, 1).with_suffix(".npz")
    while finished_epochs(path) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_campaign_that_is_killed_keeps_runs_and_checkpoints_and_leaves_no_process(
    store: RunStore, no_child_is_left: None, number: signal.Signals
) -> None:
    process = start_campaign(store, "long")
    path = wait_for_checkpoint(store, process)
    done = finished_epochs(path)
    children_then = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode != 0
    psutil.wait_procs(children_then, timeout=600)
    assert not [child for child in children_then if child.is_running()]
    assert [read_run(path).seed for path in records(store)] == [1, 2], errors
    assert finished_epochs(path) >= done
    with FileLock(store.written / ".locks" / f"{path.stem}.lock", timeout=0):
        pass  # a lock of a process that is gone holds nobody up


@pytest.mark.slow
def test_two_commands_in_one_folder_train_each_run_once(
    store: RunStore, no_child_is_left: None
) -> None:
    both = [start_campaign(store, "short") for _ in range(2)]
    for process in both:
        assert process.wait() == 0, process.communicate()
    assert [read_run(path).seed for path in records(store)] == [1, 2]
    assert len({path.stat().st_mtime_ns for path in records(store)}) == 2


@pytest.mark.slow
def test_the_memory_of_a_campaign_does_not_grow_with_its_runs(
    store: RunStore, no_child_is_left: None
) -> None:
    sizes = []

    class Weigh(Watcher):
        def on_run(self, job: Job, run: Run) -> None:
            sizes.append(psutil.Process().memory_info().rss)

    run_jobs(
        [Job(SHORT, seed) for seed in range(1, 11)], store, LocalExecutor(images(), 2), [Weigh()]
    )
    assert len(sizes) == 10
    assert sizes[-1] - sizes[1] < 20e6  # one training more in here would be 43 MB
