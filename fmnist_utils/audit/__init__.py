"""Hold each report against itself: can what it states be true, and does it agree with itself.

Each check is one idea: a function that reads a report and yields findings. A check whose numbers
a report does not state yields nothing. Printed numbers are compared through their rounding, so
that honest rounding is never a finding. What no arithmetic can find stands in the report's file
as a finding of its own, and is sorted in with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from fmnist_utils.audit.layer_checks import (
    impossible_layers,
    prose_against_table,
    unexplained_counts,
    unshown_attempts,
    unstated_model_settings,
    wrong_totals,
)
from fmnist_utils.audit.number_checks import (
    impossible_f1,
    impossible_percentages,
    impossible_shares,
    recall_against_accuracy,
    wrong_derivations,
    wrong_supports,
)
from fmnist_utils.audit.protocol_checks import (
    impossible_epochs,
    unequal_protocols,
    unreported_criterion,
    within_seed_noise,
)
from fmnist_utils.audit.statement_checks import (
    broken_bounds,
    differences_from_a_false_best,
    disagreeing_statements,
    false_orderings,
    wrong_differences,
)
from fmnist_utils.reports.findings import SEVERITIES, Finding
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore

Check = Callable[[Report], Iterator[Finding]]

#: Every check that needs the report alone.
CHECKS: tuple[Check, ...] = (
    impossible_layers,
    wrong_totals,
    prose_against_table,
    unexplained_counts,
    unstated_model_settings,
    unshown_attempts,
    disagreeing_statements,
    false_orderings,
    wrong_differences,
    differences_from_a_false_best,
    broken_bounds,
    wrong_derivations,
    impossible_percentages,
    impossible_shares,
    impossible_f1,
    recall_against_accuracy,
    wrong_supports,
    impossible_epochs,
    unequal_protocols,
    unreported_criterion,
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
        What the checks find and what the report's file declares, the most severe first.
    """
    found = [finding for check in CHECKS for finding in check(report)]
    found += within_seed_noise(report, runs or {})
    found += report.findings
    return sorted(found, key=lambda finding: list(SEVERITIES).index(finding.severity))


def audit_report(report: Report, store: RunStore) -> list[Finding]:
    """Audit a report together with the runs that a store has of its experiments."""
    return audit(report, store.runs_of(report))


def count_severities(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by severity; every severity is present, the highest first."""
    severities: list[str] = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in SEVERITIES}
