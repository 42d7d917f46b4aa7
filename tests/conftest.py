"""Fixtures shared by all tests."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fmnist_utils.runs import store as run_store
from fmnist_utils.runs.store import RunStore
from fmnist_utils.training import interrupts
from fmnist_utils.verdicts.ledger import every_ledger

# No test may fail because a machine is slow: neither by a deadline, nor for slowly drawn examples.
settings.register_profile("clockless", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("clockless")

# Beside other workers, one thread each: two that share two cores get in each other's way. Processes
# that a test starts, kernels among them, inherit this.
if "PYTEST_XDIST_WORKER" in os.environ:
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Return the folder with the official files, or skip: no test may fetch them."""
    folder = os.environ.get("FMNIST_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs the real Fashion-MNIST images: set FMNIST_DATA_DIR to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Return the ledgers of all reports, from shipped runs alone, as JSON gives them.

    What pages, tables and scripts read; ten seconds for all reports.
    """
    store = RunStore(tmp_path_factory.mktemp("runs"))
    found = {name: [asdict(row) for row in rows] for name, rows in every_ledger(store).items()}
    return json.loads(json.dumps(found, allow_nan=False))


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Hear Ctrl-C: a shell has its background jobs ignore it, which tests would inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def unpublished_runs_do_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Leave the checkout's own folder ``runs`` alone: neither read it in a test nor write to it."""
    folder, root = run_store.records_folder, Path(__file__).parents[1]
    empty = tmp_path_factory.getbasetemp() / "unpublished"
    monkeypatch.setattr(
        run_store, "records_folder", lambda kind: empty if Path.cwd() == root else folder(kind)
    )


@pytest.fixture(autouse=True)
def nothing_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test start like a command of its own, which has acknowledged no Ctrl-C yet."""
    monkeypatch.setattr(interrupts, "_acknowledged", False)
