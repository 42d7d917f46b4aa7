"""Who trains: the workers of a Dask cluster, each job in a process of its own there too."""

from __future__ import annotations

import logging
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as NotYetError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pooch

from fmnist_utils.campaign.child import ChildTask
from fmnist_utils.campaign.executor import Executor, OnEpoch
from fmnist_utils.campaign.jobs import CampaignError, Job
from fmnist_utils.campaign.process import ProcessLostError, StoppedError, train_in_process
from fmnist_utils.machine import core_count
from fmnist_utils.records import write_atomically
from fmnist_utils.runs.record import Run
from fmnist_utils.training.checkpoint import finished_epochs
from fmnist_utils.training.provenance import code_digest
from fmnist_utils.training.state import Progress

#: Seconds after which a cluster without workers is given up.
PATIENCE = 60.0


class DaskExecutor(Executor):
    """The workers of a Dask cluster.

    Its size is how many threads all workers have together. A job trains on one worker, with the
    worker's cores divided by its threads. Its checkpoint comes back every few minutes, so that
    another worker can go on; until then it is in the worker's cache folder, where the same worker
    finds it again. The package and the data set must be at hand on every worker.

    Parameters
    ----------
    address : str
        Of the Dask scheduler, such as ``tcp://10.0.0.1:8786``.
    pause : float
        Seconds between two checkpoints that come back.
    checkpoint_interval : float
        Seconds of work that a training may lose on its worker, besides the epoch that is cut short.
    patience : float
        Seconds to wait for a worker.
    say : callable
        Told that a worker is waited for.

    Raises
    ------
    CampaignError
        When Dask is not installed.
    """

    def __init__(
        self,
        address: str,
        pause: float = 600.0,
        checkpoint_interval: float = 60.0,
        patience: float = PATIENCE,
        say: Callable[[str], None] = print,
    ) -> None:
        super().__init__()
        try:
            from distributed import Client
        except ImportError as error:
            raise CampaignError(
                "Training on a cluster needs the package distributed: "
                "pip install fmnist-utils[dask]."
            ) from error
        # Cut short while it looks for a scheduler that is gone, the client logs a traceback.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)

        class Connection(Client):
            """Not closed where it was never open: that would wait a minute, and print a trace."""

            def __del__(self) -> None:
                if self.status == "running":
                    self.close()  # type: ignore[no-untyped-call]

        self._connect: Any = Connection
        self._address, self._patience, self._say = address, patience, say
        self._times = {"pause": pause, "checkpoint_interval": checkpoint_interval}
        self.size, self._looked, self._manned = 0, 0.0, time.monotonic()
        self._listeners: dict[str, tuple[Job, OnEpoch]] = {}
        self._topic = f"fmnist-{uuid.uuid4().hex}"

    def __enter__(self) -> Self:
        """Connect; refuse a worker whose code is not the same as here.

        Raises
        ------
        CampaignError
            When the scheduler does not answer, no worker comes, or one has no or another version
            of the package.
        """
        try:
            self._client = self._connect(self._address, timeout=30, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:  # the last for tls:// without certificate
            raise CampaignError(
                f"No Dask scheduler answers at {self._address}: {error}."
            ) from error
        try:
            with self._asking():
                self._check_workers()
                self._client.subscribe_topic(self._topic, self._hear)
        except BaseException:
            self._client.close()
            raise
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        """Stop what is still training, and leave the cluster."""
        super().__exit__(*error)
        self._client.close()

    def check(self) -> None:
        """Count the workers every other second.

        Raises
        ------
        CampaignError
            When the scheduler is gone, or all workers have been for a while.
        """
        now = time.monotonic()
        if self._client.status != "running":
            raise self._gone()
        if now - self._looked > 2.0:
            self._looked = now
            with self._asking():
                self.size = sum(self._client.nthreads().values())
            self._manned = now if self.size else self._manned
        if now - self._manned > self._patience:
            raise CampaignError(
                f"The Dask cluster at {self._address} has lost its workers: start one with "
                f"dask worker {self._address}, and run the same command again."
            )

    def _check_workers(self) -> None:
        if not self._client.nthreads():
            self._say(
                f"Waiting for a worker of the Dask cluster at {self._address}, "
                f"{self._patience:.0f} s at most."
            )
        try:
            self._client.wait_for_workers(1, timeout=self._patience)
        except TimeoutError as error:
            raise CampaignError(
                f"The Dask cluster at {self._address} has no worker: start one with "
                f"dask worker {self._address}."
            ) from error
        ours = code_digest()
        for worker, digest in self._client.run(code_digest, on_error="return").items():
            if isinstance(digest, Exception):
                raise CampaignError(
                    f"The worker at {worker} cannot import fmnist_utils ({digest}): install the "
                    "same version there, or stop it."
                )
            if digest != ours:
                raise CampaignError(_other_code(worker))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Say it in one sentence when the scheduler goes away before it has answered."""
        try:
            yield
        except OSError as error:
            raise self._gone() from error

    def _gone(self) -> CampaignError:
        return CampaignError(
            f"The Dask scheduler at {self._address} is gone: start it and its workers again, "
            "and run the same command; what was finished is kept."
        )

    def _hear(self, event: Any) -> None:
        name, *epoch = event[-1]
        job, on_epoch = self._listeners[name]
        on_epoch(job, Progress(*epoch))

    def _train(self, job: Job, checkpoint: Path, on_epoch: OnEpoch) -> Run:
        self._listeners[job.name] = job, on_epoch
        while True:
            content = checkpoint.read_bytes() if checkpoint.exists() else b""
            result = self._wait_for(job, checkpoint.name, content)
            if isinstance(result, Run):
                with suppress(Exception):  # what is finished is worth more than a file too many
                    self._client.run(
                        forget_on_worker, checkpoint.name, wait=False, on_error="ignore"
                    )
                return result
            write_atomically(checkpoint, result)

    def _wait_for(self, job: Job, name: str, content: bytes) -> Any:
        """Have a worker train until it pauses; return the run, or the checkpoint's content."""
        with warnings.catch_warnings():
            # Dask's advice is to scatter what is large; but that would be lost with its worker.
            warnings.filterwarnings("ignore", "Sending large graph")
            future = self._client.submit(
                train_on_worker,
                job,
                name,
                content,
                code_digest(),
                self._topic,
                self._times,
                pure=False,
            )
        try:
            while future.status != "error":
                with suppress(NotYetError, TimeoutError):
                    return future.result(timeout=1.0)
                if self._stopped.is_set():
                    future.cancel()
                    raise StoppedError
            return future.result()  # the job's error, which may be a TimeoutError too
        except Exception as error:
            if self._client.status != "running":
                raise self._gone() from error
            if type(error).__module__.startswith("distributed"):  # its worker was lost
                raise ProcessLostError(f"lost its worker ({error})") from error
            if isinstance(error, OSError):  # a full disk, say, which is not ours
                raise CampaignError(f"on a worker: {error}") from error
            raise
        finally:
            future.release()  # else it is computed again when the worker that holds it is lost


def _other_code(worker: str) -> str:
    return (
        f"The worker at {worker} runs other code of fmnist_utils: install the same version there, "
        "or stop it."
    )


# --- on a worker ---------------------------------------------------------------------------------


def train_on_worker(
    job: Job, name: str, content: bytes, digest: str, topic: str, times: dict[str, Any]
) -> Run | bytes:
    """Train a job until it is finished or pauses; return its run, or its checkpoint's content.

    Parameters
    ----------
    job : Job
        What to train.
    name : str
        Of the checkpoint's file.
    content : bytes
        Of the checkpoint that the campaign has; the worker's own counts if it is further.
    digest : str
        Of the campaign's code: a worker with other code refuses.
    topic : str
        Where epochs are told of.
    times : dict
        `pause` and `checkpoint_interval` of the `ChildTask`.
    """
    from distributed import get_worker

    worker = get_worker()
    if code_digest() != digest:
        raise CampaignError(_other_code(worker.address))
    key = worker.get_current_task()
    checkpoint = _cached(name)
    if finished_epochs(content) > finished_epochs(checkpoint):
        write_atomically(checkpoint, content)

    def stopped() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state not in ("executing", "long-running")

    def on_epoch(epoch: Progress) -> None:
        worker.log_event(topic, [job.name, *epoch])

    threads = max(1, core_count() // worker.state.nthreads)
    run = train_in_process(ChildTask(job, checkpoint, threads=threads, **times), on_epoch, stopped)
    return checkpoint.read_bytes() if run is None else run


def forget_on_worker(name: str) -> None:
    """Delete a checkpoint that is no longer needed."""
    _cached(name).unlink(missing_ok=True)


def _cached(name: str) -> Path:
    folder = Path(pooch.os_cache("fmnist-reproduction")) / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
