"""Statements compared with each other: what is said twice, orderings, differences, bounds."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fmnist_utils.audit.fault import Fault, address, fault_of, place, severity_of
from fmnist_utils.data.fashion_mnist import CLASS_NAMES, count
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.report import Report, Severity
from fmnist_utils.reports.values import SCALES
from fmnist_utils.rounding import Interval
from fmnist_utils.text import (
    claim_text,
    experiment_title,
    joined,
    listed,
    stated_value,
    subject_text,
    value_text,
)
from fmnist_utils.verdicts.judge import hold_against
from fmnist_utils.verdicts.measure import Evidence
from fmnist_utils.verdicts.outcome import Outcome

# --- the same thing, said twice ------------------------------------------------------------------


def disagreeing_statements(report: Report) -> Iterator[Fault]:
    """Find quantities that are stated several times, and not the same each time."""
    for experiment, claims in _conflicts(report):
        values = dict.fromkeys(stated_value(claim) for claim in claims)
        table = experiment.table if experiment else None
        counted = table is not None and claims[0].about.judge == "total"
        terms = " + ".join(f"{row.params:,}" for row in table.layers if row.params) if table else ""
        yield Fault(
            kind="miscounted" if counted else "disagreement",
            about=_about(experiment, claims[0]),
            where=place(*claims),
            claimed=f"{_subject(experiment, claims[0])} is {listed(values)}",
            because=f"the rows of the layer table have {terms} parameters"
            if counted
            else "no one number can be rounded to all of these"
            if claims[0].numbers == 1
            else "these are not the same",
            rests_on=frozenset(address(experiment, claim) for claim in claims),
            values=tuple(values) if claims[0].numbers == 1 and not counted else (),
            severity=severity_of(*claims),
            words=_words(report, experiment, claims[0]),
        )


def _conflicts(report: Report) -> Iterator[tuple[Experiment | None, list[Claim]]]:
    """Yield the statements of one thing that do not agree, with the experiment they are about."""
    groups: dict[tuple[Any, ...], list[tuple[Experiment | None, Claim]]] = defaultdict(list)
    for experiment, claim in report.all_claims():
        # One thing may have several bounds; what states no value does not disagree.
        if claim.kind != "untested" and claim.value is not None and not claim.relation:
            what = claim.model_dump(
                mode="json", exclude={"id", "where", "value", "unit", "role", "statement"}
            )
            if experiment and experiment.training.validation.take == "test":
                what["split"] = claim.split and claim.split.replace("validation", "test")
            if claim.about.whole:  # a share says something else than a count
                what["unit"] = claim.unit
            key = (experiment.id if experiment else "", *map(str, what.values()))
            groups[key].append((experiment, claim))
    for stated in groups.values():
        claims = [claim for _, claim in stated]
        if not all(_agree(one, other) for one, other in itertools.combinations(claims, 2)):
            yield stated[0][0], claims


def _agree(a: Claim, b: Claim) -> bool:
    if isinstance(a.value, Decimal) and isinstance(b.value, Decimal):
        return a.interval.meets(b.interval)
    if a.about.counts_images:  # arrays and counts of the same images
        first, second = (c.value[0] if isinstance(c.value, tuple) else c.value for c in (a, b))
        return first == second
    return str(a.value).lower() == str(b.value).lower()


def otherwise_described(report: Report) -> Iterator[Fault]:
    """Find what is stated of a model, a protocol or the data, and is not so.

    The model is the one that tables, listings and protocol describe, and that we build. What is
    said twice and not alike is found by `disagreeing_statements`.
    """
    said_twice = [claim for _, claims in _conflicts(report) for claim in claims]
    for owner, claim in report.all_claims():
        subject = owner or report.searches.get(claim.of or "")
        tabled = owner and owner.table and claim.about.judge in ("layer", "total")
        # A count that also stands under another experiment is held against that one's table.
        shared = "/" in claim.statement
        tabled = tabled or (shared and claim.about.judge == "total")
        if claim.kind != "exact" or tabled or claim in said_twice:
            continue
        verdict = hold_against(claim, Evidence(subject))
        if verdict.word != Outcome.DIFFERS:
            continue
        kind = {"total": "count", "fact": "fact", "images": "images"}.get(
            claim.about.judge, "setting"
        )
        yield Fault(
            kind=kind,
            about=_about(subject, claim),
            where=place(claim),
            claimed=f"{_subject(subject, claim)} is {stated_value(claim)}",
            because=_instead(claim, owner, verdict.ours),
            # How the images are divided is one thing, in however many arrays and shares.
            rests_on=frozenset({f"{owner.id}/images" if owner and kind == "images"
                                else address(owner, claim)}),
            words=_words(report, subject, claim),
        )  # fmt: skip


def _instead(claim: Claim, owner: Experiment | None, ours: Any) -> str:
    """Say what a claim should have stated."""
    share = claim.unit == "percent" and claim.about.judge in ("fact", "images")
    value = f"{float(ours):.2f} %" if share else value_text(ours)
    if claim.about.judge == "fact":
        return f"the data set has {value}"
    if claim.about.judge == "total":
        return f"as described it has {value}"
    if claim.about.judge == "setting" or owner is None:
        return f"tables, listings and settings describe {value}"
    if claim.label is not None:
        return f"the test set has {value}"
    sizes = split_sizes(owner.training)
    terms = [f"{sizes[name]:,}" for name in ("train", "validation", "test")]
    return f"it would be {value}: {' + '.join(terms)} = {count('total_images'):,}"


def _about(owner: Any, claim: Claim) -> str:
    return f"{owner.id}-{claim.id}" if owner else claim.id


def _subject(owner: Any, claim: Claim) -> str:
    name = _counted_part(claim) or subject_text(claim)
    return f"{name} of {owner.title}" if owner else name


def _counted_part(claim: Claim) -> str:
    """Name what a setting such as ``model.conv.count`` counts."""
    counted = re.fullmatch(r"model\.(\w+)\.count", claim.setting or "")
    return f"number of {counted[1]} layers" if counted else ""


def _words(report: Report, owner: Any, claim: Claim) -> dict[str, str]:
    subject = _counted_part(claim) or subject_text(claim)
    return {"of": owner.title if owner else report.short_name, "subject": subject}


# --- one number against another ------------------------------------------------------------------


def false_orderings(report: Report) -> Iterator[Fault]:
    """Find what is said to be higher, and is lower in the report's own numbers."""
    for claim in report.claims:
        above, below = claims_compared(report, claim)
        if claim.about.judge != "ordering" or above is None or below is None:
            continue
        if above.interval.high >= below.interval.low:
            continue
        opposite = [
            place(other)
            for other in report.claims
            if (other.of, other.than, other.split) == (claim.than, claim.of, claim.split)
            and other.about.judge == "ordering"
        ]
        reasons = [
            f"{stated_value(above)} ({place(above)}) is less than {stated_value(below)} "
            f"({place(below)})",
            *(f"the report itself says so ({joined(opposite)})" for _ in opposite[:1]),
            *_built_on(report, claim, below),
        ]
        names = {"of": _title(report, claim.of), "than": _title(report, claim.than)}
        yield _about_accuracies(
            report, claim, "ordering", names, joined(reasons),
            f"{names['of']} has a higher {claim.split} accuracy than {names['than']}",
        )  # fmt: skip


def _built_on(report: Report, ordering: Claim, better: Claim) -> Iterator[str]:
    """Say which stated differences hold from the model wrongly called better alone."""
    for claim in report.claims:
        ours, theirs = claims_compared(report, claim)
        if claim.about.judge != "difference" or ours is None or theirs is None:
            continue
        if (claim.than, claim.split) != (ordering.of, ordering.split):
            continue
        true = (ours.interval - better.interval).meets(claim.interval)
        if (ours.interval - theirs.interval).meets(claim.interval) and not true:
            yield (
                f"from the better one {_title(report, claim.of)} is "
                f"{_subtraction(ours, better)} ahead, not {stated_value(claim)} ({place(claim)})"
            )


def wrong_differences(report: Report) -> Iterator[Fault]:
    """Find stated differences that the two numbers do not have."""
    for claim in report.claims:
        ours, theirs = claims_compared(report, claim)
        if claim.about.judge != "difference" or ours is None or theirs is None:
            continue
        if not (ours.interval - theirs.interval).meets(claim.interval):
            of, than = _title(report, claim.of), _title(report, claim.than)
            yield _about_accuracies(
                report, claim, "difference", {}, _subtraction(ours, theirs),
                f"{of} is {stated_value(claim)} above {than} in {claim.split} accuracy",
                severity_of(claim, ours, theirs),
            )  # fmt: skip


def wrong_gaps(report: Report) -> Iterator[Fault]:
    """Find gaps between two splits that the accuracies of one model do not have."""
    for experiment in report.experiments.values():
        for claim in experiment.stated:
            one, other = map(experiment.accuracy, (claim.split, claim.than_split))
            if one is None or other is None:
                continue
            if not (one.interval - other.interval).meets(claim.interval):
                yield fault_of(
                    "difference", experiment, (claim, one, other),
                    where=place(claim),
                    claimed=f"{claim_text(claim)} of {experiment.title} is {stated_value(claim)}",
                    because=_subtraction(one, other),
                    severity=severity_of(claim, one, other),
                )  # fmt: skip


def above_training(report: Report) -> Iterator[Fault]:
    """Find models said to be more accurate on images that they were not trained on."""
    found = [
        (experiment, other, train)
        for experiment in report.experiments.values()
        for other in (experiment.accuracy("validation"), experiment.accuracy("test"))
        if (train := experiment.accuracy("train")) and other
        if other.interval.low > train.interval.high
    ]
    if found:
        yield Fault(
            kind="above-training",
            where=place(*(claim for _, *claims in found for claim in claims)),
            claimed=joined(f"{other.split} accuracy of {experiment.title} is above its training "
                           "accuracy" for experiment, other, _ in found),
            rests_on=frozenset(address(experiment, c) for experiment, *both in found for c in both),
            because=joined([*(_subtraction(other, train) for _, other, train in found),
                            "training accuracy as Keras prints it is a mean over an epoch, with "
                            "dropout on; the others are taken after it, with dropout off"]),
        )  # fmt: skip


def broken_bounds(report: Report) -> Iterator[Fault]:
    """Find bounds that the report's own number breaks.

    One that includes its value is kept by what rounds to it; ``above`` and ``below`` are exact.
    """
    for claim in report.claims:
        value, _ = claims_compared(report, claim)
        if not claim.relation or value is None or not isinstance(claim.value, Decimal):
            continue
        exact = claim.value * SCALES[claim.unit].numerator / SCALES[claim.unit].denominator
        strict = claim.relation in ("above", "below")
        bound = Interval.exactly(exact) if strict else claim.interval
        inside, upper = value.interval, claim.relation in ("at_most", "below")
        if inside.low > bound.high if upper else inside.high < bound.low:
            of = _title(report, claim.of)
            relation = (claim.relation or "").replace("_", " ")
            yield _about_accuracies(
                report, claim, "bound", {"of": of}, f"it is {stated_value(value)} ({place(value)})",
                f"{claim.split} accuracy of {of} is {relation} {stated_value(claim)}",
                severity_of(claim, value),
            )  # fmt: skip


def compared_unlike(report: Report) -> Iterator[Fault]:
    """Find accuracies that are compared, and were taken at other epochs or over other runs."""
    compared = [
        (claim, ours, theirs)
        for claim in report.claims
        for ours, theirs in [claims_compared(report, claim)]
        if ours and theirs and _measured(ours) != _measured(theirs)
    ]
    if compared:
        sides = dict.fromkeys(side for _, *both in compared for side in both)
        yield Fault(
            kind="unlike",
            where=place(*sides),
            claimed=joined(f"{_title(report, claim.of)} and {_title(report, claim.than)} are "
                           f"compared in {claim.split} accuracy" for claim, *_ in compared),
            because=joined(f"{stated_value(side)} ({place(side)}) is {_measured(side)}"
                           for side in sides),
        )  # fmt: skip


def _measured(claim: Claim) -> str:
    """Say at which epoch, and over how many runs, an accuracy was taken."""
    at, _, how = claim.reading.partition("-")
    runs = f"a mean of {claim.mean_of} runs" if claim.mean_of else "of one run"
    return f"{runs}, at the {at} epoch" + (f", {how}" if how else "")


def _about_accuracies(
    report: Report,
    claim: Claim,
    kind: str,
    words: dict[str, str],
    because: str,
    claimed: str,
    severity: Severity | None = None,
) -> Fault:
    """Return the fault of a comparison, which rests on the accuracies that it compares."""
    sides = zip((claim.of, claim.than), claims_compared(report, claim), strict=True)
    return Fault(
        kind=kind,
        about=claim.id,
        where=place(claim),
        claimed=claimed,
        because=because,
        rests_on=frozenset(address(report.experiments[n or ""], c) for n, c in sides if c),
        severity=severity,
        words=words,
    )  # fmt: skip


def claims_compared(report: Report, claim: Claim) -> tuple[Claim | None, Claim | None]:
    """Return the accuracies that a comparison sets against each other, where they are stated.

    Parameters
    ----------
    report : Report
        Whose experiments state the accuracies.
    claim : Claim
        The comparison; None stands for a side of which no accuracy on its split is stated.
    """

    def stated(name: str | None) -> Claim | None:
        experiment = report.experiments.get(name or "")
        return experiment.accuracy(claim.split) if experiment else None

    return stated(claim.of), stated(claim.than)


def _title(report: Report, name: str | None) -> str:
    return experiment_title(report, name)


def _subtraction(ours: Claim, theirs: Claim) -> str:
    difference = 100 * (ours.interval.middle - theirs.interval.middle)
    points = f"{float(difference):.2f}".replace("-", "−")
    return f"{stated_value(ours)} − {stated_value(theirs)} = {points} points"


def false_class_orderings(report: Report) -> Iterator[Fault]:
    """Find classes that are ranked against the recalls that the report prints."""
    for experiment in report.experiments.values():
        recalls = {
            c.label: c for c in experiment.results if c.about.of_class and c.predicted is None
        }
        for claim in experiment.stated:
            false = [
                (above, below)
                for above, below in (map(recalls.get, pair) for pair in _pairs(claim))
                if above and below and above.interval.high < below.interval.low
            ]
            if false:
                scores = [recall for pair in false for recall in pair]
                yield fault_of(
                    "class-order", experiment, scores,
                    about=f"{experiment.id}-{claim.id}",
                    where=joined((place(claim), place(*scores))),
                    claimed=joined(f"{_class(above)} is recognised better than {_class(below)}"
                                   for above, below in false),
                    because=joined(f"recall {stated_value(above)} of {_class(above)} is less than "
                                   f"{stated_value(below)} of {_class(below)}"
                                   for above, below in false),
                )  # fmt: skip


def _class(claim: Claim) -> str:
    return CLASS_NAMES[claim.label or 0]


def _pairs(claim: Claim) -> list[tuple[int, int]]:
    """Return which class a claim puts above which."""
    return list(itertools.product(claim.labels or (), claim.than_labels or ()))
