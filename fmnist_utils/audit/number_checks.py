"""Shares, sums and tables: what follows from other numbers, and what no count of images gives."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction

from fmnist_utils.audit.fault import Fault, address_at, fault_of, place, severity_of
from fmnist_utils.data.fashion_mnist import CLASS_NAMES, count
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.quantities import NATS
from fmnist_utils.reports.report import Derivation, Report
from fmnist_utils.reports.values import SCALES
from fmnist_utils.rounding import Interval, mean, possible_counts, sizes_allowing, total
from fmnist_utils.stats import at_least
from fmnist_utils.text import joined, listed, stated_value, subject_text

# --- what follows from other numbers -------------------------------------------------------------


def wrong_derivations(report: Report) -> Iterator[Fault]:
    """Find numbers that do not follow from others: sums, ratios, means, years."""
    for item in report.derivations:
        given = [report.given(item, value) for value in item.given]
        if not _follows(item, _stated(report, item), given):
            yield Fault(
                kind="derivation",
                about=item.id,
                where=item.where,
                claimed=f"{item.subject} is {_derived_text(report, item, item.stated)}",
                because=_derivation(report, item, given),
                rests_on=frozenset(
                    address_at(report, value)
                    for value in (item.stated, *item.given)
                    if isinstance(value, str)
                ),
                severity=item.severity,
                words={"of": item.title, "consequence": item.consequence},
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


def _stated(report: Report, item: Derivation) -> Interval:
    if isinstance(item.stated, str):
        return report.claim(item.stated).interval
    return Interval.printed(item.stated, SCALES[item.unit])


def _derived_text(report: Report, item: Derivation, value: object) -> str:
    if isinstance(value, str):
        return stated_value(report.claim(value))
    plain = item.unit == "plain" or (value is not item.stated and item.rule == "ratio")
    digits = "" if item.rule == "not_before" else ","  # a year has no thousands
    return f"{value:{digits}}{'' if plain else ' %'}"


def _derivation(report: Report, item: Derivation, given: list[Interval]) -> str:
    parts = [_derived_text(report, item, value) for value in item.given]
    if item.rule == "not_before":
        return f"it cannot be before {parts[0]}"
    if item.rule == "same":
        return f"elsewhere it is {' and '.join(parts)}"
    printed = [Interval.exactly(value.middle) for value in given]
    result = float(_RULES[item.rule](printed).middle / SCALES[item.unit])
    sign = {"sum": " + ", "difference": " − ", "ratio": " / ", "mean": ", "}[item.rule]
    return f"{'the mean of ' * (item.rule == 'mean')}{sign.join(parts)} = {result:,.2f}"


def wrong_ends(report: Report) -> Iterator[Fault]:
    """Find accuracies and losses that the epoch table of their split does not have.

    One after training must be that of the last epoch. At the best epoch accuracy is the highest;
    the loss is that of the same epoch or the lowest, for either can be called the best. Where loss
    is watched, accuracy may be that of its lowest. Of training images a table has the running
    values, and does not show which epoch was the best.
    """
    for experiment in report.experiments.values():
        for table in experiment.epoch_tables:
            cells: dict[str, list[Claim]] = {"accuracy": [], "loss": []}
            for cell in table.claims():
                cells[cell.about.metric].append(cell)
            top = max(cells["accuracy"], key=_middle)
            lowest = min(cells["loss"], key=_middle)
            epochs = list(zip(cells["loss"], cells["accuracy"], strict=True))
            at_top = [loss for loss, cell in epochs if cell.interval.meets(top.interval)]
            best = {"accuracy": [top], "loss": [lowest, *at_top]}
            if experiment.training.monitor.endswith("loss"):
                best["accuracy"] += [c for x, c in epochs if x.interval.meets(lowest.interval)]
            for claim in experiment.stated:
                metric = claim.about.metric if claim.about.is_metric else ""
                if metric not in cells or claim.split != table.split or claim.mean_of:
                    continue
                if claim.split == "train" and claim.reading != "final-running":
                    continue
                last, asked = cells[metric][-1], claim.reading.startswith("best")
                allowed = best[metric] if asked else [last]
                if claim.epoch or any(claim.interval.meets(cell.interval) for cell in allowed):
                    continue
                yield fault_of(
                    "last-epoch", experiment, (claim, *allowed),
                    where=joined((place(claim), table.where)),
                    claimed=f"{stated_value(claim)} {claim.split} {metric} "
                    f"{'at the best epoch' if asked else 'after training'}",
                    because=f"{table.where} ends at {stated_value(last)}, and its best is "
                    f"{stated_value(best[metric][0])}",
                )  # fmt: skip


def _middle(claim: Claim) -> Fraction:
    return claim.interval.middle


def dropped_zeros(report: Report) -> Iterator[Fault]:
    """Find epoch tables some cells of which have fewer decimals than the others."""
    tables = [t for e in report.experiments.values() for t in e.epoch_tables if t.decimals]
    cells = [(t, cell) for t in tables for cell in (*t.loss, *t.accuracy)]
    short = [t for t, cell in cells if -int(cell.as_tuple().exponent) < (t.decimals or 0)]
    if short:
        yield Fault(
            kind="dropped-zeros",
            where=joined(table.where for table in short),
            claimed=f"{len(short)} of {len(cells)} cells have fewer decimals than the others",
            because="all of a table were rounded alike, so that a final zero was left out in print",
        )


def losses_in_percent(report: Report) -> Iterator[Fault]:
    """Find losses that are stated as percentages."""
    stated = [c for _, c in report.all_claims() if c.about.unit == NATS and c.unit == "percent"]
    if stated:
        guessing = math.log(count("classes"))
        yield Fault(
            kind="percent-losses",
            where=place(*stated),
            claimed=f"losses of {listed(dict.fromkeys(map(stated_value, stated)))}",
            because="cross-entropy has no upper end, and is a share of nothing; guessing among all "
            f"classes has ln {count('classes')} = {guessing:.3f}, which would be "
            f"{100 * guessing:.0f} %",
        )


#: A wrongly classified image gives its class a probability of one half at most.
_LOSS_OF_AN_ERROR = Fraction(693, 1000)


def losses_too_low(report: Report) -> Iterator[Fault]:
    """Find cross-entropies below ln 2 times the share of errors, which none can be."""
    for experiment in report.experiments.values():
        ends: dict[tuple[object, ...], dict[str, Claim]] = defaultdict(dict)
        for claim in experiment.results:
            if claim.about.is_metric and not claim.mean_of:
                key = (claim.split, claim.epoch, claim.reading, claim.machine)
                ends[key].setdefault(claim.about.metric, claim)
        for pair in ends.values():
            accuracy, loss = pair.get("accuracy"), pair.get("loss")
            if accuracy is None or loss is None:
                continue
            least = (1 - accuracy.interval.high) * _LOSS_OF_AN_ERROR
            if loss.interval.high < least:
                yield fault_of(
                    "loss", experiment, (loss, accuracy),
                    claimed=f"{subject_text(loss)} of {experiment.title} is {stated_value(loss)}, "
                    f"{subject_text(accuracy)} {stated_value(accuracy)}",
                    because="each error costs ln 2 at least, so the loss is above "
                    f"{float(least):.3f}",
                )  # fmt: skip


# --- what no count of images gives (GRIM; Brown & Heathers 2017) ---------------------------------


def impossible_accuracies(report: Report) -> Iterator[Fault]:
    """Find accuracies that no number of images gives, where the report says of how many."""
    for experiment, claim in report.all_claims():
        if experiment is None or not claim.about.is_accuracy or size_is_ours(experiment, claim):
            continue
        images = _images(experiment, claim)
        if not _possible(claim, images):
            n = _counted(claim, images)
            yield fault_of(
                "grim", experiment, (claim,),
                claimed=f"{subject_text(claim)} of {experiment.title} is {stated_value(claim)}",
                because=f"of {n:,} images that is {float(n * claim.interval.middle):.2f}; "
                f"{_by_chance([claim], images)}",
                severity=severity_of(claim),
            )  # fmt: skip


def impossible_class_shares(report: Report) -> Iterator[Fault]:
    """Find recalls and confusions that no number of a class's test images gives."""
    n = count("test_images_per_class")
    for experiment in report.experiments.values():
        shares = [
            claim for claim in experiment.results if claim.about.of_class and claim.split == "test"
        ]
        impossible = [claim for claim in shares if not _possible(claim, n)]
        if impossible:
            counts = [
                f"{f'{c.mean_of} × ' * bool(c.mean_of)}{float(n * c.interval.middle):,.2f}"
                for c in impossible
            ]
            yield fault_of(
                "class-shares", experiment, impossible,
                about=experiment.id,
                claimed=f"{listed(map(stated_value, impossible))} of the {n:,} test images of a "
                "class",
                because=joined([f"that is {listed(counts)} images", _by_chance(shares, n),
                                *_sizes_of_classes(shares, n)]),
            )  # fmt: skip


def shares_beyond_a_class(report: Report) -> Iterator[Fault]:
    """Find classes of whose images more than all are recognised, or taken for another class."""
    for experiment in report.experiments.values():
        classes: dict[tuple[object, ...], dict[int | None, Claim]] = defaultdict(dict)
        for claim in experiment.stated:
            if claim.about.of_class:
                key = (claim.label, claim.split, claim.reading, claim.mean_of, claim.machine)
                # What is stated twice, such as in two roundings, counts once.
                taken_for = claim.label if claim.predicted is None else claim.predicted
                classes[key].setdefault(taken_for, claim)
        for shares in (list(found.values()) for found in classes.values()):
            if total([claim.interval for claim in shares]).low > 1:
                yield fault_of(
                    "class-shares", experiment, shares,
                    claimed=f"{' + '.join(map(stated_value, shares))} of the images of "
                    f"{CLASS_NAMES[shares[0].label or 0]}",
                    because="recognised, or taken for other classes, are more than all of them",
                )  # fmt: skip


def _counted(claim: Claim, images: int) -> int:
    """Return of how many a share is: of a mean, of the images of all its trainings."""
    return images * (claim.mean_of or 1)


def _possible(claim: Claim, images: int) -> bool:
    return bool(possible_counts(claim.interval, _counted(claim, images)))


def _by_chance(shares: list[Claim], images: int) -> str:
    """Say how much the test is worth: how many such numbers are a share of images by chance."""
    reach = [_counted(c, images) * (c.interval.high - c.interval.low) for c in shares]
    chance = min(1.0, float(min(reach)))
    passing = sum(_possible(claim, images) for claim in shares)
    by_chance = f"with so many digits {100 * chance:.0f} % of all numbers are possible"
    if len(shares) == 1:
        return by_chance
    tail = at_least(passing, len(shares), chance)
    return f"{by_chance}, so that {passing} of {len(shares)} pass by chance (P = {tail:.2f})"


def _sizes_of_classes(shares: list[Claim], n: int) -> Iterator[str]:
    """Say which sizes, a tenth around n, a class must have for all of its shares."""
    classes: dict[int, list[Claim]] = defaultdict(list)
    for claim in shares:
        if not claim.mean_of:
            classes[claim.label or 0].append(claim)
    low, high = n - n // 10, n + n // 10
    for label, claims in classes.items():
        sizes = sizes_allowing((claim.interval for claim in claims), range(low, high + 1))
        if len(claims) > 1 and len(sizes) <= 3:
            allowed = listed(f"{size:,}" for size in sizes) if sizes else "none"
            yield (
                f"of {low:,} to {high:,} images only {allowed} can have all {len(claims)} shares "
                f"of {CLASS_NAMES[label]}"
            )


def size_is_ours(experiment: Experiment, claim: Claim) -> bool:
    """Say whether we chose how many images stand behind an accuracy, which then proves nothing.

    Parameters
    ----------
    experiment : Experiment
        Whose accuracy it is.
    claim : Claim
        The accuracy.
    """
    paths = {"training.images", "training.validation.fraction", "training.validation.count"}
    if not experiment.training.validation.holds_out:
        paths.add("training.validation.take")
    counts = [c for c in experiment.stated if c.about.counts_images and c.unit == "plain"]
    ours = any(item.setting in paths and not item.derived for item in experiment.assumed)
    return ours and claim.split not in {"test", *(counted.split for counted in counts)}


def _images(experiment: Experiment, claim: Claim) -> int:
    """Return how many images stand behind a claimed accuracy."""
    sizes = split_sizes(experiment.training)
    held_out = sizes["validation"] if claim.reading.endswith("-all") else 0
    return sizes[claim.split or "test"] + held_out
