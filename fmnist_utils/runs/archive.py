"""New runs and searches as one file to send in, and how such a file, maybe hostile, is opened."""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from fmnist_utils.errors import FmnistError
from fmnist_utils.records import LARGEST, read_regular, write_atomically
from fmnist_utils.reports.experiment import OWN

#: Names of records: a folder or two of ids, then a file's own.
_NAME = re.compile(
    r"(runs|searches)(/[a-z0-9][a-z0-9.-]{0,119}){1,4}/[a-z0-9][a-z0-9.-]{0,199}\.json"
)
#: How many records a file holds at most, and of how many bytes together when they are unpacked.
MOST, ROOM = 2_000, 100_000_000


class ArchiveError(FmnistError):
    """A file that holds no runs, or other things than runs."""


def pack(file: Path, folders: Iterable[Path]) -> int:
    """Write the records of folders into a file, without a reader's own experiments.

    Parameters
    ----------
    file : pathlib.Path
        A ZIP archive; one that exists is replaced.
    folders : iterable of pathlib.Path
        Folders named ``runs`` and ``searches``.

    Returns
    -------
    int
        How many records there are.

    Raises
    ------
    ArchiveError
        When there are none, or more than `unpacked` would take.
    OSError
        When one of them cannot be read or is too large, or the file cannot be written.
    """
    found = {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": path
        for folder in folders
        for path in sorted(folder.rglob("*.json"))
    }
    records = {
        name: path
        for name, path in found.items()
        if _NAME.fullmatch(name) and OWN not in path.name and path.is_file()
    }
    if not records:
        raise ArchiveError(
            "There are no new runs to send in: fmnist run trains what the package lacks; "
            "experiments of your own are no evidence."
        )
    content, room = BytesIO(), ROOM
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in records.items():
            room -= len(record := read_regular(path))
            if len(records) > MOST or room < 0:
                raise ArchiveError(
                    f"There are more new records than a file may hold, {MOST:,} of {ROOM:,} bytes "
                    "together: move some folders of reports away, and send in one after the other."
                )
            archive.writestr(name, record)  # `write` refuses dates before 1980
    write_atomically(file, content.getvalue())
    return len(records)


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """Give a temporary folder with the records of a file, as `pack` writes one.

    Nothing of the file is believed: names, number and sizes are checked while it is read, and
    records go where `pack` would have taken them from, to nowhere else.

    Raises
    ------
    ArchiveError
        When the file is no archive, is damaged, or holds anything else than records.
    """
    if file.exists() and not file.is_file():
        raise ArchiveError(f"{file} is no file of fmnist export-runs, but a folder or a pipe.")
    with tempfile.TemporaryDirectory(prefix="fmnist-") as folder:
        try:
            with zipfile.ZipFile(file) as archive:
                _unpack(archive, Path(folder))
        except ArchiveError as error:
            raise ArchiveError(f"{file} {error}: nothing of it is taken.") from error
        # A RuntimeError asks for a password; an OSError without a file is of seeking to where a
        # damaged table of contents points.
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            ValueError,
            OSError,
        ) as error:
            if getattr(error, "filename", None):
                raise
            why = getattr(error, "strerror", None) or error
            raise ArchiveError(
                f"{file} is no file of fmnist export-runs, or is damaged ({why})."
            ) from error
        yield Path(folder)


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    members, room = archive.infolist(), ROOM
    if len(members) > MOST:
        raise ArchiveError(f"holds more than {MOST:,} records")
    for member in members:
        name = member.filename
        known = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if not (known and _NAME.fullmatch(name)):
            raise ArchiveError(f"holds {name[:80]!a}, which is no record of a run or a search")
        if (folder / name).exists():
            raise ArchiveError(f"holds {name} twice")
        room -= len(content := _read(archive, member, min(LARGEST, room)))
        write_atomically(folder / name, content)


def _read(archive: zipfile.ZipFile, member: Any, room: int) -> bytes:
    """Read a member whatever size it says it has: a small file may unpack to any size."""
    with archive.open(member) as packed:
        content = packed.read(room + 1)
    if len(content) > room:
        raise ArchiveError(f"holds {member.filename}, which is too large for a record")
    return content
