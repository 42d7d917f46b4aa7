"""Ctrl-C, SIGTERM and a closed terminal: answered at once, taken where they lose nothing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = "Interrupted: what was finished is kept, and the same command goes on from there."
#: Ctrl-C, a polite request to end, and a terminal that was closed, which Windows does not tell.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_acknowledged = False


def acknowledge() -> None:
    """Say on standard error, once in a process, that it was interrupted."""
    global _acknowledged
    if _acknowledged:
        return
    _acknowledged = True
    try:
        print(INTERRUPTED, file=sys.stderr, flush=True)  # above the bars, where bars are drawn
    except (RuntimeError, OSError, ValueError):  # came amid another output, or there is none
        with suppress(OSError):
            os.write(2, f"{INTERRUPTED}\n".encode())


def handle_interrupts() -> None:
    """Have Ctrl-C, SIGTERM and SIGHUP acknowledged at once, and raise KeyboardInterrupt.

    Where one is ignored, as in a background job of a shell script, it stays ignored.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        acknowledge()
        raise KeyboardInterrupt

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


@contextmanager
def ctrl_c_at_checks(also: Callable[[], None] | None = None) -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the code calls the function that this yields.

    TensorFlow turns an interrupt that arrives while it traces a function into a TypeError, and
    Python drops one that arrives inside a destructor. A second Ctrl-C interrupts at once. One that
    no check has met is passed on to whoever handled Ctrl-C before. Where it is ignored, as in a
    background job of a shell script, it stays ignored. The other signals are treated alike
    where the command hears them.

    `also` is called at every check.

    Yields
    ------
    callable
        Raises KeyboardInterrupt if Ctrl-C was pressed.
    """
    with _noted(at_once_after=1) as noted:

        def check() -> None:
            if noted:
                raise KeyboardInterrupt
            if also is not None:
                also()

        yield check


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold every interrupt back, a second one too, while something short is saved."""
    with _noted():
        yield


@contextmanager
def _noted(at_once_after: int | None = None) -> Iterator[list[int]]:
    """Note signals instead of what handles them, and pass one of those left over on to that.

    So many are noted; the next one interrupts at once.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        acknowledge()
        if len(noted) == at_once_after:
            raise KeyboardInterrupt
        noted.append(number)

    heard = threading.current_thread() is threading.main_thread()  # no other hears signals
    handlers = {number: signal.getsignal(number) for number in SIGNALS if heard}
    # One that nobody handles ends the process, or is ignored: both as the user wants it.
    before = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in before:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for one in noted[-1:]:
        signal.raise_signal(one)
