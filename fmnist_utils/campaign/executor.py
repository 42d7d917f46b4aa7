"""Who trains: processes of this machine, as many side by side as its cores allow."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Self

from fmnist_utils.campaign.child import ChildTask, write_images
from fmnist_utils.campaign.jobs import CampaignError, Job
from fmnist_utils.campaign.process import train_in_process
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.machine import core_count, free_memory, temporary_folder, usable_cores
from fmnist_utils.runs.record import Run
from fmnist_utils.training.state import Progress

#: What one training may need, in bytes: the largest network of the reports takes 1.4 GB.
MEMORY = 2 * 1024**3

OnEpoch = Callable[[Job, Progress], None]


class Executor(ABC):
    """Trains jobs side by side, each watched by a thread of its own.

    A context manager, at whose end no training goes on. `size` is how many jobs it takes at a time.
    """

    size: int
    _threads: ThreadPoolExecutor

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        """Get ready to train."""
        self._threads = ThreadPoolExecutor(max_workers=1024)  # `size` says how many are busy
        return self

    def __exit__(self, *error: object) -> None:
        """Stop what is still training, and wait until it has."""
        self._stopped.set()
        self._threads.shutdown(cancel_futures=True)

    def submit(self, job: Job, checkpoint: Path, on_epoch: OnEpoch) -> Future[Run]:
        """Begin a training, or go on with it.

        Parameters
        ----------
        job : Job
            What to train.
        checkpoint : pathlib.Path
            Where the training is kept between two epochs.
        on_epoch : callable
            Called with every epoch, from another thread.

        Returns
        -------
        Future of Run
            Its errors are those of `train_in_process`.
        """
        return self._threads.submit(self._train, job, checkpoint.absolute(), on_epoch)

    def check(self) -> None:  # noqa: B027 (for most executors there is nothing to check)
        """Raise a `CampaignError` when nobody can train any more."""

    @abstractmethod
    def _train(self, job: Job, checkpoint: Path, on_epoch: OnEpoch) -> Run:
        """Have a job trained, and wait for it."""


class LocalExecutor(Executor):
    """Processes of this machine, which share its cores evenly.

    Parameters
    ----------
    data : FashionMNIST
        The images, which all processes map into memory.
    size : int
        How many train side by side; see `jobs_at_once`.
    checkpoint_interval : float
        How many seconds of work a training may lose, besides the epoch that is cut short.
    """

    def __init__(self, data: FashionMNIST, size: int, checkpoint_interval: float = 60.0) -> None:
        super().__init__()
        self._data, self.size, self._checkpoint_interval = data, size, checkpoint_interval
        cores, count = usable_cores(), core_count()
        self._threads_each = max(1, count // size)
        share = max(1, len(cores) // size)
        self._shares = [cores[i * share : (i + 1) * share] for i in range(size)]
        if count < len(cores):  # a share of the time on all of them, which others share too
            self._shares = [()] * size

    def __enter__(self) -> Self:
        """Write the images where all processes find them.

        Raises
        ------
        CampaignError
            When there is no room for them.
        """
        with ExitStack() as stack:
            try:
                self._images = write_images(self._data, stack.enter_context(temporary_folder()))
            except OSError as error:
                raise CampaignError(
                    f"The images, {self._data.nbytes / 1e6:.0f} MB, cannot be written to the "
                    f"temporary folder ({error.strerror or error}): make room there, or name "
                    "another folder in TMPDIR."
                ) from error
            self._folder = stack.pop_all()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        """Stop what is still training, and take the images away."""
        super().__exit__(*error)
        self._folder.close()

    def _train(self, job: Job, checkpoint: Path, on_epoch: OnEpoch) -> Run:
        cores = self._shares.pop()
        task = ChildTask(
            job, checkpoint, cores, self._threads_each, self._images, self._checkpoint_interval
        )
        try:
            run = train_in_process(task, lambda epoch: on_epoch(job, epoch), self._stopped.is_set)
        finally:
            self._shares.append(cores)
        assert run is not None  # only a task that says so pauses
        return run


def jobs_at_once(wanted: int | Literal["auto"], jobs: Sequence[Job]) -> int:
    """Return how many jobs to train side by side.

    Parameters
    ----------
    wanted : int or "auto"
        As many as this, or as is fastest: one on each core, as long as they fit into the free
        memory, and one alone where there is a GPU, which they would share. Limits of a container
        count, for cores and for memory.
    jobs : sequence of Job
        What is to be trained.

    Returns
    -------
    int
        At least 1, and no more than there are jobs or cores.
    """
    most = max(1, min(core_count(), len(jobs)))
    if wanted != "auto":
        return max(1, min(wanted, most))
    if _has_gpu():
        return 1
    return max(1, min(most, free_memory() // MEMORY))


def _has_gpu() -> bool:
    """Look for a GPU without loading a backend, which would take it."""
    return any(Path("/dev").glob("nvidia[0-9]*"))
