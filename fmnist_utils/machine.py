"""What this process may use of its machine: cores, memory, a temporary folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

#: Where Linux keeps the limits of control groups, by which containers and schedulers share out a
#: machine (version 2), and where it says in which group this process is.
_GROUPS, _OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_PREFIX = "fmnist-images-"


def usable_cores() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def core_count() -> int:
    """Return how many cores this process can keep busy.

    Those that it may run on, or fewer where its control group has less time on them.
    """
    shares = [len(usable_cores())]
    for group in _groups():
        with suppress(OSError, ValueError, ZeroDivisionError):  # no limit, or none that we know
            quota, period = (group / "cpu.max").read_text().split()
            shares.append(int(quota) // int(period))
    return max(1, min(shares))


def free_memory() -> int:
    """Return how many bytes a process could still take before others have to give way."""
    free = [int(psutil.virtual_memory().available)]
    for group in _groups():
        with suppress(OSError, ValueError):
            limit = int((group / "memory.max").read_text())
            taken = int((group / "memory.current").read_text())
            words = (group / "memory.stat").read_text().split()
            # Copies of files count as taken, and are given up when memory is short.
            given_up = int(words[words.index("inactive_file") + 1])
            free.append(limit - taken + given_up)
    return max(0, min(free))


def _groups() -> list[Path]:
    """List the folders of this process's control group, and of those that it belongs to."""
    with suppress(OSError):
        for line in _OWN_GROUP.read_text().splitlines():
            if line.startswith("0::/"):
                group = _GROUPS / line.removeprefix("0::/")
                return [group, *(path for path in group.parents if path.is_relative_to(_GROUPS))]
    return []


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Provide a folder until the end of the block; remove those that killed processes have left."""
    place = Path(tempfile.gettempdir())
    # One at a time: a folder that another process is just making is not held yet.
    with FileLock(place / f".{_PREFIX}{os.getuid()}.lock"):
        for folder in place.glob(f"{_PREFIX}*"):
            _remove_unless_held(folder)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        held = FileLock(folder / ".held")  # which ends with this process, however that ends
        held.acquire()
    try:
        yield folder
    finally:
        held.release()
        shutil.rmtree(folder, ignore_errors=True)


def _remove_unless_held(folder: Path) -> None:
    with suppress(OSError, Timeout):
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        with FileLock(folder / ".held", timeout=0):
            shutil.rmtree(folder)
