"""The process that trains one run, and nothing else.

Keras takes the seeds of layers from Python's process-wide ``random``, and a process that trains
many networks one after the other grows with each. In a process of its own a training meets neither
another thread's draws nor another training's leftovers.

It reads a `ChildTask` from standard input and writes pickles to standard output: every epoch, a
sign of life now and then, at last the run. It stops when its input ends, so that a parent that
wants it to stop and one that was killed look alike.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from fmnist_utils.campaign.jobs import Job
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.training.checkpoint import Checkpoint, PauseError
from fmnist_utils.training.train import train

#: What a child says besides epochs, errors and runs.
ALIVE, PAUSED = "alive", "paused"
#: Seconds between two signs of life, and seconds to the end of a batch when the parent is gone.
_BEAT, GRACE = 5.0, 60.0
_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


class ChildTask(NamedTuple):
    """What a child trains, and with what.

    Attributes
    ----------
    job : Job
        What to train.
    checkpoint : pathlib.Path
        Where the training is kept between two epochs.
    cores : tuple of int
        Numbers of the cores that it may use; all when empty.
    threads : int, optional
        How many threads it may use, where no cores are its own.
    images : pathlib.Path, optional
        A folder that `write_images` has filled; without it the child loads the official data set.
    checkpoint_interval : float
        How many seconds of work may be lost, besides the epoch that is cut short.
    pause : float
        End with the first epoch after so many seconds, as if interrupted, checkpoint written.
    """

    job: Job
    checkpoint: Path
    cores: tuple[int, ...] = ()
    threads: int | None = None
    images: Path | None = None
    checkpoint_interval: float = 60.0
    pause: float = math.inf


def write_images(data: FashionMNIST, folder: Path) -> Path:
    """Write images where every child maps them into memory, instead of holding its own copy.

    Parameters
    ----------
    data : FashionMNIST
        The images and labels.
    folder : pathlib.Path
        An empty one, whose path is returned.
    """
    for name in _ARRAYS:
        np.save(folder / f"{name}.npy", getattr(data, name))
    (folder / "source").write_text(data.source)
    return folder


def _read_images(folder: Path) -> FashionMNIST:
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    return FashionMNIST(**arrays, source=(folder / "source").read_text())  # type: ignore[arg-type]


def main() -> None:
    """Train the task on standard input."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not come between the messages
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def send(message: Any) -> None:
        pickle.dump(message, out)
        out.flush()

    task: ChildTask = pickle.load(sys.stdin.buffer)
    stop = threading.Event()
    threading.Thread(target=_await_end_of_input, args=(stop,), daemon=True).start()
    if task.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task.cores)
    try:
        send(_train(task, send, stop))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # nobody listens any more
        os._exit(1)
    except FmnistError as error:
        send(error)
    except BaseException:
        # At a normal exit Python waits for the thread that reads standard input, and aborts.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _await_end_of_input(stop: threading.Event) -> None:
    """Have the training stop at its next batch; end the process if it does not."""
    sys.stdin.buffer.read()
    stop.set()
    time.sleep(GRACE)
    os._exit(1)


@contextmanager
def _held(lock: FileLock, check: Callable[[], None]) -> Iterator[None]:
    """Hold a lock as soon as it is free; give signs of life, and heed a stop, until then."""
    while True:
        with suppress(Timeout):
            lock.acquire(timeout=1.0)
            break
        check()
    try:
        yield
    finally:
        lock.release()


def _train(task: ChildTask, send: Callable[[Any], None], stop: threading.Event) -> Any:
    beat = time.monotonic()

    def check() -> None:
        nonlocal beat
        if stop.is_set():
            raise KeyboardInterrupt
        if time.monotonic() - beat > _BEAT:
            beat = time.monotonic()
            send(ALIVE)

    task.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(task.checkpoint, task.checkpoint_interval, task.pause)
    locks = task.checkpoint.parent.parent / ".locks"
    # A child that lost its parent may still be at its last batch.
    with _held(FileLock(locks / f"{task.checkpoint.stem}.training.lock"), check):
        experiment, seed, method = task.job
        data = _read_images(task.images) if task.images else load_data()
        try:
            return train(
                experiment, seed, data, send, method=method, checkpoint=checkpoint, on_check=check
            )
        except PauseError:
            return PAUSED
