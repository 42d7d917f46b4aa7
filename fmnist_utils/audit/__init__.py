"""Check each report for statements that cannot be true or contradict each other.

A check is a function that reads a report and yields findings; it yields nothing when the report
does not state the numbers that it needs. Printed numbers are compared with allowance for rounding,
so that correct rounding is never a finding. What no arithmetic can find is written as a finding in
the report's file, and is listed with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from fmnist_utils.audit import layer_checks, number_checks, protocol_checks, statement_checks
from fmnist_utils.reports.report import SEVERITIES, Finding, Report
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore

Check = Callable[[Report], Iterator[Finding]]

#: Every check that needs the report alone.
CHECKS: tuple[Check, ...] = (
    layer_checks.impossible_layers,
    layer_checks.wrong_totals,
    layer_checks.prose_against_table,
    layer_checks.unexplained_counts,
    layer_checks.unstated_model_settings,
    layer_checks.unshown_attempts,
    statement_checks.disagreeing_statements,
    statement_checks.false_orderings,
    statement_checks.wrong_differences,
    statement_checks.differences_from_a_false_best,
    statement_checks.broken_bounds,
    number_checks.wrong_derivations,
    number_checks.impossible_percentages,
    number_checks.impossible_shares,
    number_checks.impossible_f1,
    number_checks.recall_against_accuracy,
    number_checks.wrong_supports,
    protocol_checks.impossible_epochs,
    protocol_checks.unequal_protocols,
    protocol_checks.unreported_criterion,
    protocol_checks.chosen_on_test,
    protocol_checks.unequal_on_test,
)


def audit(report: Report, runs: Mapping[str, Sequence[Run]] | None = None) -> list[Finding]:
    """List where a report contradicts itself, cannot be right, or cannot be followed.

    Parameters
    ----------
    report : Report
        The report as data.
    runs : mapping, optional
        Experiment id to its runs; with them the audit also says which differences between single
        runs are within the noise of the seeds.

    Returns
    -------
    list of Finding
        Those of the checks and those in the report's file, the most severe first.
    """
    found = [finding for check in CHECKS for finding in check(report)]
    found += protocol_checks.within_seed_noise(report, runs or {})
    found += report.findings
    return sorted(found, key=lambda finding: list(SEVERITIES).index(finding.severity))


def audit_report(report: Report, store: RunStore) -> list[Finding]:
    """Audit a report together with the runs that a store has of its experiments."""
    return audit(report, store.runs_of(report))


def count_severities(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by severity; every severity is present, the highest first."""
    severities: list[str] = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in SEVERITIES}
