"""Records on disk: strict fields, a digest that notices edits, writes that are whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

#: Bytes of a record; those that ship have 40,000 at most.
LARGEST = 2_000_000

#: A share of images.
Share = Annotated[float, Field(ge=0, le=1)]


def sha256(content: Any) -> str:
    """Return the SHA-256 of JSON content, whatever the order of its keys."""
    # No content holds itself, and not to look for that takes a third less time.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), check_circular=False)
    return hashlib.sha256(text.encode()).hexdigest()


class LocatedError(ValueError):
    """A problem of a record that names where in it the fault stands: keys, and places in lists.

    `more` are the other problems of the same record; see `all_problems`.
    """

    def __init__(self, message: str, *loc: int | str) -> None:
        super().__init__(message)
        self.loc = loc
        self.more: list[ValueError] = []


def all_problems(checks: Iterable[Callable[[], object]]) -> None:
    """Make all checks of a record, and raise the first problem with the others in its `more`."""
    found: list[ValueError] = []
    for check in checks:
        try:
            check()
        except ValueError as error:
            found.append(error)
    if found:
        first = found[0] if isinstance(found[0], LocatedError) else LocatedError(str(found[0]))
        first.more = found[1:]
        raise first


def check_slug(text: str) -> str:
    """Return a text that is an id; raise a ValueError that says why it is none."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{,99}", text):
        raise ValueError(f"{text[:100]!a} is no id: small letters, digits and hyphens, at most 100")
    return text


#: An id: it names files and folders, so that nothing in it can lead out of a store.
Slug = Annotated[str, AfterValidator(check_slug)]


#: A text of a line, in which nothing steers a terminal.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=1_000)]


class Strict(BaseModel):
    """A frozen record in which an unknown key is an error."""

    # The loss of a diverged training is NaN, and its record must stay readable.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class RecordWithDigest(Strict):
    """A record with the SHA-256 of all its other fields."""

    digest: str = ""

    def with_digest(self) -> Self:
        """Return the record with its digest filled in."""
        return self.model_copy(update={"digest": self._digest()})

    @property
    def is_intact(self) -> bool:
        """Whether the digest fits the record."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        # Fields that a record does not have are left out, so that a new optional one breaks none.
        return sha256(self.model_dump(mode="json", exclude={"digest"}, exclude_unset=True))


def first_problem(error: ValidationError) -> str:
    """Name the first key that is wrong in a record, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))  # which an unknown key may make long, or worse
    where = where if where.isprintable() else ascii(where)
    return f"{where:.80}: {first['msg']}" if where else first["msg"]


def refuse_duplicates(what: str, names: Iterable[str], how: str = "stands twice") -> None:
    """Raise a ValueError that names the first, in alphabetical order, of the names that recur.

    Parameters
    ----------
    what : str
        What the error calls each of them, such as "claim".
    names : iterable of str
        Those that must differ.
    how : str
        The end of the sentence.
    """
    if recurring := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"{what} {min(recurring)} {how}")


def read_regular(path: Path, largest: int = LARGEST) -> bytes:
    """Read a file, unless it has no end or is far too large.

    Parameters
    ----------
    path : pathlib.Path
    largest : int
        How many bytes it may have.

    Raises
    ------
    OSError
        When it cannot be read, is no regular file, or is too large.
    """
    # Without O_NONBLOCK, a FIFO that nobody writes to would never open.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if about.st_size > largest:
            raise OSError(errno.EFBIG, f"it has more than {largest:,} bytes", str(path))
        return file.read()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file atomically, its folder made when missing.

    A process that is killed, or a disk that is full, leaves what was there before.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    content : bytes
        What it holds afterwards.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk names no file, or one that nobody knows
        raise
