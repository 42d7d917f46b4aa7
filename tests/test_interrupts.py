"""Ctrl-C, taken where it loses nothing."""

import signal
import threading

import pytest

from fmnist_utils.training.interrupts import ctrl_c_at_checks


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
