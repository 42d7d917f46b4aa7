"""What a process may use of its machine, and the folder that it leaves behind when it is killed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from fmnist_utils import machine
from fmnist_utils.machine import core_count, free_memory, temporary_folder


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in the control group a/b, on 16 cores with 64 GB free."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "own").write_text("4:memory:/elsewhere\n0::/a/b\n")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(machine, "usable_cores", lambda: tuple(range(16)))
    free = psutil.virtual_memory()._replace(available=64 * 10**9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    return tmp_path / "a/b"


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        (None, None, 16),
        ("max 100000", None, 16),
        ("400000 100000", None, 4),
        ("150000 100000", None, 1),
        ("50000 100000", None, 1),
        ("3200000 100000", None, 16),
        ("max 100000", "200000 100000", 2),
        ("200000 100000", "300000 100000", 2),
        ("nonsense", None, 16),
        ("1 0", None, 16),
    ],
)
def test_as_many_cores_as_every_control_group_allows(
    group: Path, own: str | None, above: str | None, expected: int
) -> None:
    for folder, text in ((group, own), (group.parent, above)):
        if text:
            (folder / "cpu.max").write_text(f"{text}\n")
    assert core_count() == expected


def limit_memory(group: Path, limit: str, current: int, given_up: int) -> None:
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.current").write_text(f"{current}\n")
    (group / "memory.stat").write_text(f"anon 7\ninactive_file {given_up}\nactive_file 8\n")


def test_as_much_memory_as_every_control_group_has_left(group: Path) -> None:
    assert free_memory() == 64 * 10**9
    limit_memory(group, "max", 10**9, 0)
    assert free_memory() == 64 * 10**9
    limit_memory(group, str(8 * 10**9), 3 * 10**9, 10**9)
    assert free_memory() == 6 * 10**9
    limit_memory(group.parent, str(5 * 10**9), 4 * 10**9, 0)
    assert free_memory() == 10**9
    limit_memory(group.parent, str(5 * 10**9), 6 * 10**9, 0)
    assert free_memory() == 0


def test_without_control_groups_the_machine_counts(
    group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for own in ("missing", "version-1"):
        (group / "version-1").write_text("4:memory:/a/b\n")
        monkeypatch.setattr(machine, "_OWN_GROUP", group / own)
        assert (core_count(), free_memory()) == (16, 64 * 10**9)


# --- the temporary folder ------------------------------------------------------------------------

HOLD = """
import os, signal, sys
from fmnist_utils.machine import temporary_folder
with temporary_folder() as folder:
    (folder / "images").write_bytes(bytes(1000))
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_at_the_next_start_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    others = [tmp_path / name for name in ("fmnist-run-1", "fmnist-abc", "other")]
    for folder in others:
        folder.mkdir()
    (tmp_path / "fmnist-images-link").symlink_to(others[-1])
    (tmp_path / "fmnist-images-no-lock").mkdir()  # killed between two steps
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )
        for _ in range(2)
    ]  # fmt: skip
    killed, alive = (Path(str(process.stdout.readline()).strip()) for process in processes)  # type: ignore[union-attr]
    try:
        processes[0].kill()
        processes[0].wait()
        assert (killed / "images").exists()
        with temporary_folder() as ours:
            assert ours.is_dir() and (alive / "images").exists() and not killed.exists()
            assert not (tmp_path / "fmnist-images-no-lock").exists()
        assert not ours.exists() and all(folder.is_dir() for folder in others)
    finally:
        for process in processes:
            process.communicate()
    assert not alive.exists()
