"""The parent's side of a training in a process of its own: start it, hear it, give it up."""

from __future__ import annotations

import math
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fmnist_utils.campaign.child import ALIVE, GRACE, PAUSED, ChildTask
from fmnist_utils.errors import FmnistError
from fmnist_utils.runs.record import Run
from fmnist_utils.training.checkpoint import checkpoint_threads
from fmnist_utils.training.state import Progress

#: Seconds without a sign of life after which a training has stalled. To compile the largest
#: network and take its first steps needs a minute on a slow machine.
SILENCE = 1800.0


class ProcessLostError(Exception):
    """A training whose process died or stalled; it can go on from its checkpoint."""


class StoppedError(Exception):
    """A training that was asked to stop."""


def train_in_process(
    task: ChildTask,
    on_epoch: Callable[[Progress], None],
    stopped: Callable[[], bool],
    silence: float = SILENCE,
) -> Run | None:
    """Train in a new process, and wait for it.

    Parameters
    ----------
    task : ChildTask
        What to train.
    on_epoch : callable
        Called with every finished epoch.
    stopped : callable
        Asked twice a second whether to stop.
    silence : float
        Seconds without a sign of life after which the process is killed.

    Returns
    -------
    Run or None
        None when the training pauses, with its state in the checkpoint.

    Raises
    ------
    FmnistError
        What the training itself refuses, such as images that do not fit the model.
    ProcessLostError
        When the process dies, or gives no sign of life.
    StoppedError
        When `stopped` said so, and the process has ended.
    """
    with tempfile.TemporaryFile() as errors, _start(task, errors) as child:
        messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(child, messages), daemon=True).start()
        heard, asked = time.monotonic(), math.inf
        while True:
            if asked == math.inf and stopped():
                asked = time.monotonic()
                child.stdin.close()  # type: ignore[union-attr]
            if time.monotonic() - asked > GRACE + 15:
                raise StoppedError  # it does not answer, and is killed
            try:
                message = messages.get(timeout=0.5)
            except queue.Empty:
                if time.monotonic() - heard > silence:
                    raise ProcessLostError(f"gave no sign of life for {silence:.0f} s") from None
                continue
            heard = time.monotonic()
            if isinstance(message, Progress):
                on_epoch(message)
            elif isinstance(message, Run):
                return message
            elif isinstance(message, FmnistError):
                raise message
            elif message == PAUSED:
                return None
            elif message != ALIVE:
                if asked < math.inf:
                    raise StoppedError
                raise ProcessLostError(_how_it_ended(child.wait(), errors))


@contextmanager
def _start(task: ChildTask, errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child on a task; whatever happens, no process is left behind."""
    root = str(Path(__file__).parents[2])  # the very same code as ours
    places = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    # A training goes on with as many threads as it began with: they decide the last bits.
    threads = checkpoint_threads(task.checkpoint) or len(task.cores) or task.threads
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS") if threads else ()
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", "from fmnist_utils.campaign.child import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(places)}
        # What libraries leave there goes with the images.
        | ({"TMPDIR": str(task.images)} if task.images else {})
        | dict.fromkeys(names, str(threads)),
        start_new_session=True,  # Ctrl-C in a terminal reaches us, and we stop the child
    )
    try:
        with suppress(BrokenPipeError):  # a child that is dead already is heard to have ended
            pickle.dump(task, child.stdin)  # type: ignore[arg-type]
            child.stdin.flush()  # type: ignore[union-attr]
        yield child
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]


def _listen(child: subprocess.Popen[bytes], messages: queue.SimpleQueue[Any]) -> None:
    """Pass on what a child says, and None when it has ended."""
    message: Any = ALIVE
    while message is not None:
        try:
            message = pickle.load(child.stdout)  # type: ignore[arg-type]
        except Exception:  # whatever a broken message may raise
            message = None
        messages.put(message)


def _how_it_ended(code: int, errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return how + (f" ({lines[-1].strip()})" if lines else "")
