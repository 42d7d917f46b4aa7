"""Tables of precision, recall and F1: whether whole numbers of images can give them all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from fmnist_utils.audit.fault import Fault, address, fault_of, place
from fmnist_utils.data.fashion_mnist import CLASS_NAMES, count
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed_tables import ClassScores, ScoreTable
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.values import SCALES
from fmnist_utils.rounding import Interval, f1, possible_counts
from fmnist_utils.text import joined, stated_value

#: For each number of images that are recognised, as how many the class is predicted.
Counts = dict[int, range]

#: Scores of one digit leave so many counts open that their sums say nothing.
_MOST = 4_000_000


def impossible_scores(report: Report) -> Iterator[Fault]:
    """Find scores of classes that no whole numbers of images give, alone or with the accuracy.

    Of the images of a class so many are recognised, and so many images are taken for it. The first
    give the accuracy when summed, the second must sum to all test images. Where the table has
    another number of images, `otherwise_described` finds it, and sums say nothing.
    """
    for experiment in report.experiments.values():
        table = experiment.scores
        if table is None:
            continue
        rows, problems, every, classes = [], [], [], set()
        for row in table.rows:
            found = _counts(row, table)
            if not found:
                name = CLASS_NAMES[row.label]
                rows.append(f"{name}: precision {row.precision}, recall {row.recall}, F1 {row.f1}")
                problems.append(f"{name}: {_why_not(row, table)}")
                classes.add(row.label)
                found = _counts(row, table, with_f1=False)
            every.append(found)
        stated = [claim] if (claim := _beside(experiment, experiment["recall-0"])) else []
        complete = sum(row.support for row in table.rows) == count("test_images")
        right = _recognised(every) if complete else None
        wrong = [c for c in stated if right and not _any_meets(c.interval, right)]
        if wrong and right:
            low, high = (100 * n / count("test_images") for n in (right[0], right[-1]))
            problems.append(f"the scores need an accuracy from {low:.2f} to {high:.2f} %")
            rows += [f"accuracy {stated_value(claim)}" for claim in wrong]
        elif right == []:
            problems.append("no numbers of images with these scores add up to all test images")
            rows.append("the scores of ten classes")
        if wrong or right == []:  # a sum is one of all classes
            classes = set(range(len(table.rows)))
        if problems:
            yield Fault(
                kind="scores",
                about=experiment.id,
                where=joined([table.where, *map(place, wrong)]),
                claimed=joined(rows),
                because=joined(problems),
                rests_on=frozenset(f"{experiment.id}/scores-{label}" for label in classes)
                | {address(experiment, claim) for claim in wrong},
                words={"of": experiment.title},
            )


def wrong_macro_recalls(report: Report) -> Iterator[Fault]:
    """Find macro recalls that are not the test accuracy, as all classes have as many images."""
    for experiment in report.experiments.values():
        for claim in experiment.stated:
            if (claim.about.measure, claim.about.metric) != ("macro_score", "recall"):
                continue
            accuracy = _beside(experiment, claim)
            if accuracy and not accuracy.interval.meets(claim.interval):
                told = stated_value(claim), stated_value(accuracy)
                yield fault_of(
                    "scores", experiment, (claim, accuracy),
                    claimed="macro recall {}, accuracy {}".format(*told),
                    because="each class has 1,000 test images, so that the two are one number",
                )  # fmt: skip


#: Which training, or trainings, a number is of, and of which images.
_MEASURED_ON = attrgetter("split", "reading", "mean_of", "machine")


def _beside(experiment: Experiment, score: Claim) -> Claim | None:
    """Return the first accuracy that was measured with a score."""
    on = _MEASURED_ON(score)
    return next(
        (c for c in experiment.stated if c.about.is_accuracy and _MEASURED_ON(c) == on), None
    )


def _counts(row: ClassScores, table: ScoreTable, *, with_f1: bool = True) -> Counts:
    """Return what can have given a row: recognised images, and images taken for the class."""
    precision, recall, harmonic = _intervals(row, table)
    found = {}
    for hits in possible_counts(recall, row.support):
        if hits == 0:
            low, high = 0, count("test_images") if precision.low <= 0 >= harmonic.low else -1
        else:
            low = max(hits, math.ceil(hits / precision.high)) if precision.high > 0 else 1
            high = math.floor(hits / precision.low) if precision.low > 0 else count("test_images")
            if with_f1:
                low = max(low, math.ceil(2 * hits / harmonic.high) - row.support
                          if harmonic.high > 0 else high + 1)  # fmt: skip
                if harmonic.low > 0:
                    high = min(high, math.floor(2 * hits / harmonic.low) - row.support)
        if low <= high:
            found[hits] = range(low, high + 1)
    return found


def _intervals(row: ClassScores, table: ScoreTable) -> list[Interval]:
    scale = SCALES[table.unit]
    return [Interval.printed(value, scale) for value in (row.precision, row.recall, row.f1)]


def _why_not(row: ClassScores, table: ScoreTable) -> str:
    precision, recall, harmonic = _intervals(row, table)
    possible = f1(precision, recall)
    if possible.meets(harmonic):
        return f"no whole numbers of {row.support:,} images give the three"
    scale = SCALES[table.unit]
    low, high = (float(end / scale) for end in (possible.low, possible.high))
    return f"F1 is at least {low:.4f} and at most {high:.4f}"


def _recognised(classes: Sequence[Counts]) -> list[int] | None:
    """Return how many images can be recognised in all, where predictions add up; None if open."""
    if not all(classes):
        return None
    grids, least_hits, least_taken = [], 0, 0
    for found in classes:
        hits, taken = min(found), min(part.start for part in found.values())
        shape = (max(found) - hits + 1, max(part.stop for part in found.values()) - taken)
        grid: NDArray[np.float64] = np.zeros(shape)
        for k, part in found.items():
            grid[k - hits, part.start - taken : part.stop - taken] = 1
        grids.append(grid)
        least_hits, least_taken = least_hits + hits, least_taken + taken
    sides = [sum(grid.shape[axis] for grid in grids) for axis in (0, 1)]
    if math.prod(sides) > _MOST:
        return None
    reached = grids[0]
    for grid in grids[1:]:
        reached = (fftconvolve(reached, grid) > 0.5).astype(float)
    column = count("test_images") - least_taken
    if not 0 <= column < reached.shape[1]:
        return []
    return [least_hits + int(k) for k in np.flatnonzero(reached[:, column])]


def _any_meets(interval: Interval, right: Sequence[int]) -> bool:
    images = count("test_images")
    return any(interval.meets(Interval(*(Interval.exactly(n).low / images,) * 2)) for n in right)
