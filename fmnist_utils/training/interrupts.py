"""Ctrl-C, taken where it loses nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ctrl_c_at_checks(also: Callable[[], None] | None = None) -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the code calls the function that this yields.

    TensorFlow turns an interrupt that arrives while it traces a function into a TypeError, and
    Python drops one that arrives inside a destructor. A second Ctrl-C interrupts at once. One that
    no check has met is passed on to whoever handled Ctrl-C before. Where it is ignored, as in a
    background job of a shell script, it stays ignored.

    `also` is called at every check.

    Yields
    ------
    callable
        Raises KeyboardInterrupt if Ctrl-C was pressed.
    """
    noted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noted
        if noted:
            raise KeyboardInterrupt
        noted = True

    def check() -> None:
        if noted:
            raise KeyboardInterrupt
        if also is not None:
            also()

    heard = threading.current_thread() is threading.main_thread()  # no other hears signals
    if not heard or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield check
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
    if noted:
        signal.raise_signal(signal.SIGINT)
