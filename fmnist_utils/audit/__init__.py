"""Check each report for statements that cannot be true or contradict each other.

A check is a function that reads a report and yields faults; it yields nothing when the report
does not state the numbers that it needs. Printed numbers are compared with allowance for rounding,
so that correct rounding is never a finding. What no arithmetic can find is written as a finding in
the report's file, its numbers filled in from the claims, and is listed with the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from fmnist_utils.audit import (
    gap_checks,
    layer_checks,
    number_checks,
    protocol_checks,
    run_checks,
    score_checks,
    statement_checks,
)
from fmnist_utils.audit.fault import Fault, merged_findings
from fmnist_utils.reports.report import SEVERITIES, Finding, Report
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore

Check = Callable[[Report], Iterator[Fault]]

#: Every check that needs the report alone.
CHECKS: tuple[Check, ...] = (
    layer_checks.impossible_tables,
    layer_checks.unshown_attempts,
    statement_checks.disagreeing_statements,
    statement_checks.otherwise_described,
    statement_checks.false_orderings,
    statement_checks.wrong_differences,
    statement_checks.wrong_gaps,
    statement_checks.compared_unlike,
    statement_checks.above_training,
    statement_checks.broken_bounds,
    statement_checks.false_class_orderings,
    number_checks.wrong_derivations,
    number_checks.wrong_ends,
    number_checks.dropped_zeros,
    number_checks.losses_in_percent,
    number_checks.losses_too_low,
    number_checks.impossible_accuracies,
    number_checks.impossible_class_shares,
    number_checks.shares_beyond_a_class,
    score_checks.impossible_scores,
    score_checks.wrong_macro_recalls,
    protocol_checks.impossible_epochs,
    protocol_checks.unequal_protocols,
    protocol_checks.unreported_criterion,
    protocol_checks.chosen_on_test,
    protocol_checks.covered_little,
    protocol_checks.outside_the_space,
    gap_checks.unstated_settings,
    gap_checks.unstated_environment,
    gap_checks.single_runs,
    gap_checks.untested,
)


def audit(report: Report, runs: Mapping[str, Sequence[Run]] | None = None) -> list[Finding]:
    """List where a report contradicts itself, cannot be right, or cannot be followed.

    Parameters
    ----------
    report : Report
        The report as data.
    runs : mapping, optional
        Id of an experiment or variant to its runs; with them the audit also says which differences
        are within the noise of the seeds, and which numbers fit another training.

    Returns
    -------
    list of Finding
        Those of the checks and those in the report's file, the most severe first.
    """
    faults = [fault for check in CHECKS for fault in check(report)]
    for with_runs in (run_checks.within_seed_noise, run_checks.fitting_another_protocol):
        faults += with_runs(report, runs or {})
    return findings_of(report, faults)


def findings_of(report: Report, faults: Sequence[Fault]) -> list[Finding]:
    """Tell what checks found, and what stands in the report's file; the most severe first.

    Parameters
    ----------
    report : Report
        Whose own findings are told too, where what they depend on holds.
    faults : sequence of Fault
        What the checks found; a finding of the report that tells one takes its place.
    """
    written = [item for item in report.findings if all(map(report.holds, item.when))]
    found, by_hand = [], set()
    for item in written:
        filled = report.filled(item)
        tells = {fault for fault in faults if fault.id in item.tells and _has_all(filled, fault)}
        if tells or not item.tells:
            found.append(filled)
            by_hand |= tells
    found = merged_findings(fault for fault in faults if fault not in by_hand) + found
    return sorted(found, key=lambda finding: list(SEVERITIES).index(finding.severity))


def _has_all(finding: Finding, fault: Fault) -> bool:
    """Say whether a written finding has every value of a fault; of a later one it knows nothing."""

    def plain(words: str) -> str:
        """Write a hyphen, as many do, where others write a minus sign."""
        return words.replace("\N{MINUS SIGN}", "-")

    text = plain(f"{finding.claimed}; {finding.because}")
    values = (re.escape(plain(value.removesuffix(" %"))) for value in fault.values)
    # A longer number that holds a value is another one.
    return all(re.search(rf"(?<![\d.,]){value}(?!\d|[.,]\d)", text) for value in values)


def audit_report(report: Report, store: RunStore) -> list[Finding]:
    """Audit a report together with the runs that a store has of its experiments and variants.

    Parameters
    ----------
    report : Report
        The report as data.
    store : RunStore
        Where the runs are; without any, all checks that need none are made.
    """
    return audit(report, {name: store.runs(item) for name, item in report.trainable.items()})


def count_severities(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by severity; every severity is present, the highest first."""
    severities: list[str] = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in SEVERITIES}
