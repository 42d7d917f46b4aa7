"""Many runs: side by side, each on disk as soon as it is finished, none trained twice."""

from __future__ import annotations

import queue
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

from filelock import FileLock, Timeout

from fmnist_utils.campaign.executor import Executor
from fmnist_utils.campaign.jobs import CampaignError, Job, Watcher
from fmnist_utils.campaign.process import ProcessLostError
from fmnist_utils.errors import FmnistError
from fmnist_utils.runs.record import Run, RunError
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training.interrupts import ctrl_c_at_checks, uninterrupted
from fmnist_utils.training.state import Progress

#: How often a job is begun whose process is lost.
TRIES = 3
#: Seconds between two looks at what has happened.
_LOOK = 0.2


def run_jobs(
    jobs: Sequence[Job], store: RunStore, executor: Executor, watchers: Iterable[Watcher] = ()
) -> list[Run]:
    """Train jobs; each run is on disk as soon as it is finished.

    A training leaves checkpoints, from which the same job goes on after a break. A job whose
    process dies or stalls is begun again. A job that another command is training in the same folder
    is waited for, not trained twice.

    Parameters
    ----------
    jobs : sequence of Job
        Begun in this order.
    store : RunStore
        Where runs and checkpoints go.
    executor : Executor
        Who trains: see `LocalExecutor` and `DaskExecutor`.
    watchers : iterable of Watcher
        Told what happens.

    Returns
    -------
    list of Run
        In the order in which they were finished.

    Raises
    ------
    RunError
        When the folder cannot be written: before anything is trained, if it shows by then.
    CampaignError
        After all others are done, when jobs failed.
    KeyboardInterrupt
        After Ctrl-C, when all trainings have stopped.
    """
    store.check_writable({job.experiment.report for job in jobs})
    campaign = _Campaign(jobs, store, executor, watchers)
    with campaign, executor, ctrl_c_at_checks() as check:
        while campaign.goes_on:
            check()
            campaign.begin()
            campaign.look()
    if campaign.failed:
        raise CampaignError(
            f"{len(campaign.failed)} of {len(jobs)} runs failed: {'; '.join(campaign.failed)}."
        )
    return campaign.finished


class _Campaign:
    """The state of a campaign: what waits, what is being trained, what has come of it."""

    def __init__(
        self, jobs: Iterable[Job], store: RunStore, executor: Executor, watchers: Iterable[Watcher]
    ) -> None:
        self._store, self._executor, self._watchers = store, executor, list(watchers)
        self._waiting = deque(jobs)
        self._running: dict[Future[Run], tuple[Job, FileLock]] = {}
        self._epochs: queue.SimpleQueue[tuple[Job, Progress]] = queue.SimpleQueue()
        self._begun: Counter[str] = Counter()
        self._elsewhere: set[str] = set()
        self._kept: set[str] = set()  # begun beside a checkpoint, and not heard of yet
        self.finished: list[Run] = []
        self.failed: list[str] = []

    def __enter__(self) -> None:
        """Nothing is locked yet."""

    def __exit__(self, *error: object) -> None:
        """Save what was finished while the others stopped, and leave the rest to other commands."""
        for future, (job, lock) in self._running.items():
            if future.done() and not future.cancelled() and not future.exception():
                try:
                    self._save(job, future.result())
                except RunError as error:  # besides the one that may have ended the campaign
                    self._tell(Watcher.on_note, job, f"is finished: {error}")
            lock.release()

    @property
    def goes_on(self) -> bool:
        """Whether there is anything left to be done."""
        return bool(self._waiting or self._running)

    def begin(self) -> None:
        """Begin as many jobs as there is room for."""
        for _ in range(len(self._waiting)):
            if len(self._running) >= self._executor.size:
                return
            job = self._waiting.popleft()
            path = self._store.path(*job)
            lock = FileLock(self._store.written / ".locks" / f"{path.stem}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                self._waiting.append(job)
                if job.name not in self._elsewhere:
                    self._elsewhere.add(job.name)
                    self._tell(Watcher.on_note, job, "is being trained by another command")
                continue
            if not self._store.missing(job.experiment, [job.seed], job.method):
                lock.release()  # the other command has finished it
                continue
            self._begun[job.name] += 1
            checkpoint = path.with_suffix(".npz")
            self._tell(Watcher.on_start, job)
            if checkpoint.exists():
                self._kept.add(job.name)
            future = self._executor.submit(job, checkpoint, self._put)
            self._running[future] = job, lock

    def look(self) -> None:
        """Wait a moment for jobs to finish; tell of them, and of epochs."""
        done = wait(self._running, timeout=_LOOK, return_when=FIRST_COMPLETED).done
        if not self._running:
            time.sleep(_LOOK)  # all that waits is being trained elsewhere
        while not self._epochs.empty():
            self._hear(*self._epochs.get())
        self._executor.check()  # before a job is blamed for what ails them all
        for future in done:
            job, lock = self._running.pop(future)
            try:
                self._end(job, future)
            finally:  # when the run is on disk, and not before
                lock.release()

    def _hear(self, job: Job, epoch: Progress) -> None:
        # Only the training itself knows whether it can go on from its checkpoint.
        if job.name in self._kept and epoch.epoch == 1:
            self._tell(Watcher.on_note, job, "starts over: its checkpoint is damaged, or another's")
        self._kept.discard(job.name)
        self._tell(Watcher.on_epoch, job, epoch)

    def _end(self, job: Job, future: Future[Run]) -> None:
        try:
            run = future.result()
        except ProcessLostError as error:
            if self._begun[job.name] < TRIES:
                self._tell(Watcher.on_note, job, f"{error}; it goes on from its checkpoint")
                self._waiting.appendleft(job)
            else:
                self._fail(job, f"{error}, {TRIES} times")
        except FmnistError as error:
            self._fail(job, str(error).rstrip("."))
        else:
            self._save(job, run)
            self.finished.append(run)
            self._tell(Watcher.on_run, job, run)

    def _fail(self, job: Job, reason: str) -> None:
        self.failed.append(f"{job.name} ({reason})")
        self._tell(Watcher.on_note, job, f"failed: {reason}")

    def _save(self, job: Job, run: Run) -> None:
        with uninterrupted():  # the checkpoint of a finished training is of no use
            try:
                self._store.add(run)
            except RunError as error:
                try:
                    kept = RunStore(Path(tempfile.mkdtemp(prefix="fmnist-run-"))).add(run)
                except (RunError, OSError):
                    raise error from None
                raise RunError(f"{error} The run is kept in {kept}.") from error
            self._store.path(*job).with_suffix(".npz").unlink(missing_ok=True)

    def _put(self, job: Job, epoch: Progress) -> None:
        self._epochs.put((job, epoch))

    def _tell(self, what: Callable[..., None], *news: object) -> None:
        for watcher in self._watchers:
            getattr(watcher, what.__name__)(*news)
