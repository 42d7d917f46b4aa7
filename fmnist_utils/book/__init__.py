"""From chapters to a site; and what a chapter's kernel imports first, which must be little."""

import os
import sys
from collections.abc import Iterable
from typing import Any


def note_looks(names: Iterable[str], notes: str) -> None:
    """Note from now on at which reports this process looks, be it a file or a list of files.

    Parameters
    ----------
    names : iterable of str
        Ids of reports: a path that has one among its folders is a look at that report.
    notes : str
        The file that they are written to, a line each. It is there as soon as this works.
    """
    unseen = set(names)

    def look(event: str, details: tuple[Any, ...]) -> None:
        if event not in _LOOKS or not isinstance(details[0], (str, bytes, os.PathLike)):
            return
        if seen := unseen.intersection(os.fsdecode(details[0]).split(os.sep)):
            unseen.difference_update(seen)
            with open(notes, "a", encoding="utf-8") as file:
                file.writelines(f"{name}\n" for name in seen)

    sys.addaudithook(look)
    open(notes, "a").close()


#: Audit events of Python before it opens a file, lists a folder or changes into one.
_LOOKS = {"open", "os.listdir", "os.scandir", "os.chdir"}
