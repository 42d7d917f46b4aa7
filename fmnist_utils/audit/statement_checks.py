"""Statements compared with each other: what is said twice, orderings, differences, bounds."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.report import Finding, Report
from fmnist_utils.reports.values import SCALES
from fmnist_utils.text import experiment_title, joined, listed, stated_value, subject_text


def disagreeing_statements(report: Report) -> Iterator[Finding]:
    """Find quantities that are stated several times, and not the same each time."""
    groups: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for experiment, claim in report.all_claims():
        if claim.kind != "untested" and claim.quantity not in ("ordering", "bound"):
            what = claim.model_dump_json(
                exclude={"id", "where", "value", "unit", "role", "statement"}
            )
            if claim.quantity == "images":  # a share, a count and a shape say different things
                what += f"{claim.unit} {claim.numbers}"
            groups[experiment.id if experiment else "", what].append(claim)
    for (experiment_id, _), claims in groups.items():
        conflicting = [
            other for one, other in itertools.combinations(claims, 2) if not _agree(one, other)
        ]
        if conflicting:
            values = dict.fromkeys(stated_value(claim) for claim in claims)
            title = f" of {experiment_title(report, experiment_id)}" if experiment_id else ""
            yield Finding(
                id="-".join(filter(None, ("disagreement", experiment_id, conflicting[0].id))),
                severity="medium",
                where=joined(claim.place for claim in claims),
                claimed=f"{subject_text(claims[0])}{title} is {listed(values)}",
                because="these cannot all be rounded from one number"
                if conflicting[0].numbers == 1
                else "these are not the same",
                consequence="Each statement gets its own verdict, and at most one can be right.",
            )


def _agree(a: Claim, b: Claim) -> bool:
    if isinstance(a.value, Decimal) and isinstance(b.value, Decimal):
        return a.interval.meets(b.interval)
    return str(a.value).lower() == str(b.value).lower()


def false_orderings(report: Report) -> Iterator[Finding]:
    """Find what is said to be higher, and is lower in the report's own numbers."""
    for claim, above, below in _false_orderings(report):
        opposite = [
            other.place
            for other in report.claims
            if (other.of, other.than, other.split) == (claim.than, claim.of, claim.split)
            and other.quantity == "ordering"
        ]
        says_so = f"; the report itself says so at {joined(opposite)}" if opposite else ""
        yield Finding(
            id=f"ordering-{claim.id}",
            severity="high",
            where=claim.place,
            claimed=f"{experiment_title(report, claim.of)} has a higher {claim.split} accuracy "
            f"than {experiment_title(report, claim.than)}",
            because=f"{stated_value(above)} ({above.place}) is less than {stated_value(below)} "
            f"({below.place}){says_so}",
            consequence="No runs can bear out both the sentence and the numbers, and what is "
            f"measured against {experiment_title(report, claim.of)} as the better has to be "
            "computed again.",
        )


def _false_orderings(report: Report) -> Iterator[tuple[Claim, Claim, Claim]]:
    for claim in report.claims:
        above, below = claims_compared(report, claim)
        if claim.quantity != "ordering" or above is None or below is None:
            continue
        if above.interval.high < below.interval.low:
            yield claim, above, below


def wrong_differences(report: Report) -> Iterator[Finding]:
    """Find stated differences that the two numbers do not have."""
    for claim in report.claims:
        ours, theirs = claims_compared(report, claim)
        if claim.quantity == "difference" and ours and theirs:
            difference = ours.interval - theirs.interval
            if not difference.meets(claim.interval):
                yield Finding(
                    id=f"difference-{claim.id}",
                    severity="medium",
                    where=claim.place,
                    claimed=_difference_claimed(report, claim),
                    because=_subtraction(ours, theirs),
                    consequence="The difference is judged as printed, and by the two numbers.",
                )


def differences_from_a_false_best(report: Report) -> Iterator[Finding]:
    """Find differences from a model wrongly called better, that another model would change."""
    for ordering, _, better in _false_orderings(report):
        for claim in report.claims:
            ours, _ = claims_compared(report, claim)
            if (
                claim.quantity == "difference"
                and (claim.than, claim.split) == (ordering.of, ordering.split)
                and ours
                and not (ours.interval - better.interval).meets(claim.interval)
            ):
                yield Finding(
                    id=f"false-best-{claim.id}",
                    severity="high",
                    where=claim.place,
                    claimed=_difference_claimed(report, claim),
                    because=f"the better of the two is {experiment_title(report, ordering.than)}: "
                    + _subtraction(ours, better),
                    consequence="We judge it between the two models that the report means; from "
                    f"the better one it would read {_rounded_like(claim, ours, better)}.",
                )


def broken_bounds(report: Report) -> Iterator[Finding]:
    """Find bounds that the report's own number breaks."""
    for claim in report.claims:
        value, _ = claims_compared(report, claim)
        if claim.quantity != "bound" or value is None:
            continue
        inside, bound = value.interval, claim.interval
        too_high = claim.relation == "at_most" and inside.low > bound.high
        if too_high or (claim.relation == "at_least" and inside.high < bound.low):
            yield Finding(
                id=f"bound-{claim.id}",
                severity="medium",
                where=claim.place,
                claimed=f"{claim.split} accuracy of {experiment_title(report, claim.of)} is "
                f"{(claim.relation or '').replace('_', ' ')} {stated_value(claim)}",
                because=f"{stated_value(value)} ({value.place})",
                consequence="The bound fails by the report's own number; ours cannot rescue it.",
            )


def claims_compared(report: Report, claim: Claim) -> tuple[Claim | None, Claim | None]:
    """Return the accuracies that a comparison sets against each other, where they are stated."""

    def stated(name: str | None) -> Claim | None:
        experiment = report.experiments.get(name or "")
        return experiment.accuracy(claim.split) if experiment else None

    return stated(claim.of), stated(claim.than)


def _difference_claimed(report: Report, claim: Claim) -> str:
    return (
        f"{experiment_title(report, claim.of)} is {stated_value(claim)} above "
        f"{experiment_title(report, claim.than)} in {claim.split} accuracy"
    )


def _rounded_like(claim: Claim, ours: Claim, theirs: Claim) -> str:
    """Write the difference of two accuracies with as many digits as a claim has."""
    assert isinstance(claim.value, Decimal)
    difference = (ours.interval.middle - theirs.interval.middle) / SCALES[claim.unit]
    return f"{float(difference):.{max(0, -int(claim.value.as_tuple().exponent))}f}"


def _subtraction(ours: Claim, theirs: Claim) -> str:
    difference = 100 * (ours.interval.middle - theirs.interval.middle)
    points = f"{float(difference):.2f}".replace("-", "−")
    return f"{stated_value(ours)} − {stated_value(theirs)} = {points} points"
