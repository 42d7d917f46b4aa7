"""An error planted anywhere in a real report is found, and a single one is told once."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator

import pytest
from false_statements import FALSE
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_errors import CONTRADICTIONS, ERRORS, Planted

from fmnist_utils import audit
from fmnist_utils.audit.fault import KINDS, Fault
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.report import Finding, Report
from fmnist_utils.text import stated_value

#: Needs runs, `test_audit.py`; or is found in all reports as they are.
NOT_PLANTED = {"noise", "other-protocol", "single-runs", "unstated-reading", "derivation"}


# --- the property --------------------------------------------------------------------------------


@functools.cache
def before(report_id: str) -> tuple[set[Fault], set[Finding]]:
    report = load_report(report_id)
    found = faults(report)
    return set(found), set(audit.findings_of(report, found))


def faults(report: Report) -> list[Fault]:
    return [fault for check in audit.CHECKS for fault in check(report)]


@functools.cache
def places(report_id: str, error: Callable[[Report], Iterator[Planted]]) -> list[Planted]:
    return list(error(load_report(report_id)))


@pytest.mark.slow
@pytest.mark.parametrize("report_id", list_reports())
@pytest.mark.parametrize("error", (*ERRORS, *FALSE), ids=lambda error: error.__name__)
@settings(max_examples=4)
@given(data=st.data())
def test_an_error_planted_in_a_report_is_found_once(
    error: Callable[[Report], Iterator[Planted]], report_id: str, data: st.DataObject
) -> None:
    possible = places(report_id, error)
    if possible:  # some reports have no such number
        assert not problem(report_id, *possible[data.draw(st.integers(0, len(possible) - 1))])


def problem(report_id: str, changed: Report, expected: tuple[str, ...]) -> str:
    """Say what is wrong with how a planted error is found."""
    old_faults, old = before(report_id)
    every = faults(changed)
    found = [fault.id for fault in every if fault not in old_faults]
    if not any(id_.startswith(expected) for id_ in found):
        return f"expected one of {expected}, found {found}"
    known = {item.id for item in (*old, *changed.findings)} | {fault.id for fault in old_faults}
    new = [item for item in audit.findings_of(changed, every) if item not in old]
    contradictions = (*CONTRADICTIONS, *(item.id for item in changed.derivations))
    anew = [i.id for i in new if i.id.startswith(contradictions) and i.id not in known]
    if len(anew) > 1:
        return f"told as {anew}"
    planted = numbers_of(changed) - numbers_of(load_report(report_id))
    told = " ".join(f"{item.claimed}; {item.because}" for item in new)
    # What contradicts no number, or has none of its own, is told under an id that may be known.
    free = [item.id for item in new if not planted or not item.id.startswith(contradictions)]
    own = any(id_.startswith(expected) for id_ in free)
    return "" if anew or own or any(quoted(text, told) for text in planted) else f"{found} untold"


def numbers_of(report: Report) -> set[str]:
    """Return every value that a report states, as it is printed."""
    stated = {str(item.stated) for item in report.derivations}
    return stated | {stated_value(claim) for _, claim in report.all_claims()}


def quoted(text: str, told: str) -> bool:
    """Say whether a text has a number, and not only a longer one that holds it."""
    return bool(re.search(rf"(?<![\d.,]){re.escape(text)}(?!\d|[.,]\d)", told))


def test_every_kind_of_finding_is_planted_in_some_report() -> None:
    planted = set()
    for error in (*ERRORS, *FALSE):
        expected = [found for name in list_reports() for _, found in places(name, error)]
        assert expected, error.__name__
        # What may raise anything says nothing of one kind.
        planted |= {id_ for found in expected for id_ in found if found != CONTRADICTIONS}
    missed = [kind for kind in KINDS if not any(id_.startswith(kind) for id_ in planted)]
    assert set(missed) <= NOT_PLANTED


#: What can be said wrongly of any network with an accuracy. The other kinds need a table of layers
#: or of scores, two models, a search, or accuracies on test images.
ANYWHERE = {
    *("bound", "difference", "class-order", "class-shares", "last-epoch", "images", "epochs"),
    *("loss", "grim", "disagreement", "setting", "fact"),
}


@pytest.mark.slow
@pytest.mark.parametrize("report_id", list_reports())
def test_what_can_be_said_anywhere_is_planted_in_every_report(report_id: str) -> None:
    old, _ = before(report_id)
    raised = {
        fault.kind
        for error in (*ERRORS, *FALSE)
        for changed, _ in places(report_id, error)[:1]
        for fault in faults(changed)
        if fault not in old
    }
    assert ANYWHERE - raised == set()
    assert {"count", "miscounted"} & raised
