"""What the commands share: how each of them ends, and options that several take."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from fmnist_utils.errors import FmnistError
from fmnist_utils.training.interrupts import acknowledge

AGAIN = "mend that, and run the same command again."


class Commands(TyperGroup):
    """A mistake of the user is one sentence and exit code 2; Ctrl-C is one and 130."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _one_sentence():
            return super().invoke(ctx)

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Read what was typed."""
        with _one_sentence():
            return super().make_context(*arguments, **settings)


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except FmnistError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # who read our output has seen enough; click's business
            raise
        where, why = error.filename or "A file", error.strerror or type(error).__name__
        print(f"{where} cannot be read or written ({why}): {AGAIN}", file=sys.stderr)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:  # which click would call an aborted prompt
        acknowledge()
        raise typer.Exit(130) from error


CellTimeout = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="SECONDS",
        help="How long a cell may run; by default 1800 s, and any time where chapters train.",
    ),
]
AnyReport = Annotated[
    str | None, typer.Argument(help="Which report; all when none is named.", metavar="REPORT")
]
ReportId = Annotated[str, typer.Argument(help="Which report, e.g. baltzi.", metavar="REPORT")]


def _jobs_wanted(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter("give a whole number of at least 1, or auto")
    return int(text)


Jobs = Annotated[
    Any,
    typer.Option(
        "--jobs",
        parser=_jobs_wanted,
        metavar="N|auto",
        help="Train N runs side by side; auto: as many as cores and memory allow.",
    ),
]

Scheduler = Annotated[
    str | None, typer.Option(help="Train on a Dask cluster: the address of its scheduler.")
]
