"""Sums, shares and scores: what follows from other numbers, and what no count can give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed import ScoreTable
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.report import Derivation, Finding, Report
from fmnist_utils.reports.values import SCALES
from fmnist_utils.rounding import Interval, f1, mean, possible_counts, sizes_allowing, total
from fmnist_utils.text import joined, listed, slug, stated_value, subject_text


def wrong_derivations(report: Report) -> Iterator[Finding]:
    """Find numbers that do not follow from others: sums, shares, ratios, means, years."""
    for item in report.derivations:
        given = [report.given(item, value) for value in item.given]
        if item.rule != "proportion" and not _follows(item, _stated(item), given):
            sign = " %" if item.unit == "percent" else ""
            yield Finding(
                id=item.id,
                severity=item.severity,
                where=item.where,
                claimed=f"{item.stated}{sign}",
                because=_derivation(report, item, given),
                consequence=item.consequence,
            )


_RULES: dict[str, Callable[[list[Interval]], Interval]] = {
    "sum": total,
    "mean": mean,
    "difference": lambda given: given[0] - given[1],
    "ratio": lambda given: given[0] / given[1],
}


def _follows(item: Derivation, stated: Interval, given: list[Interval]) -> bool:
    if item.rule == "not_before":
        return stated.high >= given[0].low
    if item.rule == "same":
        return all(stated.meets(value) for value in given)
    return stated.meets(_RULES[item.rule](given))


def _stated(item: Derivation) -> Interval:
    return Interval.printed(item.stated, SCALES[item.unit])


def _derivation(report: Report, item: Derivation, given: list[Interval]) -> str:
    digits = "" if item.rule == "not_before" else ","  # a year has no thousands
    parts = [
        stated_value(report.claim(v)) if isinstance(v, str) else f"{v:{digits}}" for v in item.given
    ]
    if item.rule in ("same", "not_before"):
        return f"it must be {item.rule.replace('_', ' ')} {' and '.join(parts)}"
    result = float(_RULES[item.rule](given).middle / SCALES[item.unit])
    sign = {"sum": " + ", "difference": " − ", "ratio": " / ", "mean": ", "}[item.rule]
    return f"{'mean of ' * (item.rule == 'mean')}{sign.join(parts)} = {result:,.2f}"


def impossible_percentages(report: Report) -> Iterator[Finding]:
    """Find accuracies that no number of images gives (GRIM; Brown & Heathers 2017)."""
    for experiment, claim in report.all_claims():
        if experiment is None or claim.quantity != "accuracy":
            continue
        n = _images(experiment, claim) * (claim.mean_of or 1)
        if not possible_counts(claim.interval, n):
            yield Finding(
                id=f"grim-{experiment.id}-{claim.id}",
                severity="medium",
                where=claim.place,
                claimed=f"{subject_text(claim)} of {experiment.title} is {stated_value(claim)}",
                because=f"of {n:,} images that is {float(n * claim.interval.middle):.2f}",
                consequence="The number was not measured on the images that the report names.",
            )


def impossible_shares(report: Report) -> Iterator[Finding]:
    """Find shares of a group of images that no number of them gives (GRIM)."""
    groups: dict[int, list[Derivation]] = defaultdict(list)
    for item in report.derivations:
        if item.rule == "proportion":
            groups[int(report.given(item, item.given[0]).middle)].append(item)
    for size, items in groups.items():
        impossible = [i for i in items if not possible_counts(_stated(i), size)]
        if impossible:
            counts = (f"{float(size * _stated(item).middle):,.2f}" for item in impossible)
            yield Finding(
                id=impossible[0].id,
                severity=impossible[0].severity,
                where=joined(item.where for item in impossible),
                claimed=f"{listed(str(item.stated) for item in impossible)}"
                f"{' %' * (impossible[0].unit == 'percent')} of {size:,} images",
                because=f"that is {listed(counts)} images; {_common_size(items, size)}",
                consequence=impossible[0].consequence,
            )


def _common_size(items: Sequence[Derivation], size: int) -> str:
    """Describe which group of images could have all these shares."""
    most = min(2 * size, count("total_images"))
    fitting = sizes_allowing(map(_stated, items), range(1, most + 1))
    if not fitting:
        return f"no group of up to {most:,} has all {len(items)} shares"
    nearest = min(fitting, key=lambda n: abs(n - size))
    return f"the group nearest in size that has all {len(items)} shares is one of {nearest:,}"


def impossible_f1(report: Report) -> Iterator[Finding]:
    """Find F1 scores that precision and recall, as rounded, do not allow."""
    for experiment, scores, row in ((e, s, row) for e, s in _scored(report) for row in s.rows):
        scale = SCALES[scores.unit]
        precision, recall, printed = (
            Interval.printed(value, scale) for value in (row.precision, row.recall, row.f1)
        )
        possible = f1(precision, recall)
        if not possible.meets(printed):
            yield Finding(
                id=f"f1-{experiment.id}-{slug(row.label)}",
                severity="low",
                where=f"{scores.where}, {row.label}",
                claimed=f"precision {row.precision}, recall {row.recall}, F1 {row.f1}",
                because=f"F1 is at most {float(possible.high / scale):.4f} and at least "
                f"{float(possible.low / scale):.4f}",
                consequence="One of the three is misprinted; each gets its own verdict.",
            )


def recall_against_accuracy(report: Report) -> Iterator[Finding]:
    """Find accuracies that are not the mean recall, weighted by images per class."""
    for experiment, scores in _scored(report):
        recalls = [Interval.printed(row.recall, SCALES[scores.unit]) for row in scores.rows]
        average = mean(recalls, [row.support for row in scores.rows])
        for claim in experiment.stated:
            if claim.quantity != "accuracy" or claim.split != scores.split:
                continue
            if not average.meets(claim.interval):
                yield Finding(
                    id=f"recall-{experiment.id}-{claim.id}",
                    severity="medium",
                    where=f"{claim.place}; {scores.where}",
                    claimed=f"{subject_text(claim)} is {stated_value(claim)}",
                    because=f"the recalls average to {100 * float(average.middle):.2f} %, between "
                    f"{100 * float(average.low):.2f} and {100 * float(average.high):.2f}",
                    consequence="Table and accuracy come from different evaluations.",
                )


def wrong_supports(report: Report) -> Iterator[Finding]:
    """Find classification reports whose classes do not add up to the test images."""
    for experiment, scores in _scored(report):
        summed = sum(row.support for row in scores.rows)
        if summed != count("test_images"):
            yield Finding(
                id=f"support-{experiment.id}",
                severity="medium",
                where=scores.where,
                claimed=f"scores on a test set of {summed:,} images",
                because=f"the data set has {count('test_images'):,}",
                consequence="The scores were not measured on the official test images.",
            )


def _scored(report: Report) -> Iterator[tuple[Experiment, ScoreTable]]:
    for experiment in report.experiments.values():
        if experiment.scores:
            yield experiment, experiment.scores


def _images(experiment: Experiment, claim: Claim) -> int:
    """Return how many images stand behind a claimed accuracy."""
    sizes = split_sizes(experiment.training)
    held_out = sizes["validation"] if claim.reading.endswith("-all") else 0
    return sizes[claim.split or "test"] + held_out
