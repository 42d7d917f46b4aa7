"""Ctrl-C, taken where it loses nothing."""

import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from fmnist_utils.training.interrupts import (
    INTERRUPTED,
    SIGNALS,
    ctrl_c_at_checks,
    handle_interrupts,
    uninterrupted,
)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_waits_for_the_next_check() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), ctrl_c_at_checks() as check:
        check()
        press()
        done.append("what must not be cut short")
        check()
        done.append("never")
    assert done == ["what must not be cut short"]


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), ctrl_c_at_checks():
        press()
        press()
        pytest.fail("the second must interrupt")


def test_one_that_no_check_met_is_passed_on() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), ctrl_c_at_checks() as outer:
        with ctrl_c_at_checks():
            press()
        done.append("the run is stored")
        outer()
    assert done == ["the run is stored"]
    with pytest.raises(KeyboardInterrupt), ctrl_c_at_checks():
        press()


def test_the_handler_is_put_back_and_other_exceptions_pass() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="mine"), ctrl_c_at_checks():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is before


def test_where_ctrl_c_is_ignored_it_stays_ignored() -> None:
    done = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for a background job
    try:
        with ctrl_c_at_checks() as check:
            press()
            check()
            press()
            done.append("everything")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["everything"]


def test_in_another_thread_nothing_is_held_back() -> None:
    ended = []

    def work() -> None:
        with ctrl_c_at_checks() as check:
            check()
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]


@pytest.fixture
def heard() -> Iterator[None]:
    """Hear what interrupts as the command does."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where these tests run in the background
    handle_interrupts()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_command_acknowledges_it_at_once_and_once(
    heard: None, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    with pytest.raises(KeyboardInterrupt), ctrl_c_at_checks() as check:
        signal.raise_signal(number)
        assert capsys.readouterr().err == f"{INTERRUPTED}\n"
        check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert capsys.readouterr().err == ""


def test_it_is_acknowledged_amid_another_output(
    heard: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy:
        def write(self, text: str) -> None:
            raise RuntimeError("reentrant call")

    monkeypatch.setattr(sys, "stderr", Busy())
    with pytest.raises(KeyboardInterrupt):
        press()
    assert capfd.readouterr().err == f"{INTERRUPTED}\n"


def test_sigterm_is_left_alone_where_nobody_hears_it() -> None:
    with ctrl_c_at_checks(), uninterrupted():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_is_saved_is_not_interrupted_however_often(heard: None, times: int) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), ctrl_c_at_checks() as check:
        with uninterrupted():
            for _ in range(times):
                press()
            done.append("saved")
        done.append("before the check")
        check()
        done.append("never")
    assert done == ["saved", "before the check"]
    with pytest.raises(KeyboardInterrupt), ctrl_c_at_checks():
        press()
        with uninterrupted():
            press()
            done.append("saved again")
        done.append("never")
    assert done[2:] == ["saved again"]


def test_where_ctrl_c_is_ignored_the_command_ignores_it() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        handle_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
