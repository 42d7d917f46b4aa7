"""What our runs give: accuracies, scores per class, cost, and what is still to be trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import Run, accuracies
from fmnist_utils.tables.table import Table, ours_cell, verdict_badge
from fmnist_utils.text import apart_text, reported_text, spread_text, with_interval
from fmnist_utils.verdicts.collect import accuracy_claims
from fmnist_utils.verdicts.equivalence import MARGIN, SEEDS, Comparison
from fmnist_utils.verdicts.judge import judge


def study(runs_by_label: Mapping[str, Sequence[Run]], changed: str = "setting") -> Table:
    """Compare trainings of our own: accuracy of every choice, and how far it overfits.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        Each choice's runs.
    changed : str
        What the labels say, the header of the first column.
    """
    rows = []
    for label, runs in runs_by_label.items():
        train, test = (accuracies(runs, split) for split in ("train", "test"))
        rows.append((label, str(len(runs)), *map(spread_text, (train, test, train - test))))
    headers = (changed, "seeds", "training (%)", "test (%)", "gap (points)")
    return Table(headers, tuple(rows), "Accuracy after the last epoch, mean ± standard deviation")


def differences(
    one: Experiment, ones: Sequence[Run], other: Experiment, others: Sequence[Run]
) -> Table:
    """Show how much more accurate one model is than another, on validation and test images.

    The interval is Welch's, for two means whose variances may differ; where one training is the
    beginning of the other, that of the differences in pairs.

    Parameters
    ----------
    one, other : Experiment
        The models.
    ones, others : sequence of Run
        Their runs; the interval needs two of each.
    """
    rows = []
    for split in ("validation", "test"):
        for when, epoch in (("last epoch", "final"), ("best validation epoch", "best")):
            a, b = (accuracies(runs, split, epoch) for runs in (ones, others))
            apart = apart_text(ones, others, split, epoch)
            rows.append((f"{split}, {when}", spread_text(a), spread_text(b), apart))
    headers = ("accuracy (%)", one.title, other.title, "difference (points), 95 % interval")
    return Table(headers, tuple(rows), f"{one.title} and {other.title}, mean ± sd")


def variants(report: Report, runs: Mapping[str, Sequence[Run]], split: str = "test") -> Table:
    """Show how much an assumption matters: each variant beside the experiment it varies.

    Parameters
    ----------
    report : Report
        Whose variants.
    runs : mapping
        Runs by id, of variants and of what they vary; a variant that is not there is left out.
    split : str
        On which accuracy to look.
    """
    rows: list[tuple[Any, ...]] = []
    shown = {name: variant.of for name, variant in report.variants.items() if name in runs}
    for base in dict.fromkeys(shown.values()):
        for name in (base, *(name for name, of in shown.items() if of == base)):
            cells = _accuracy_cells(report, base, runs.get(name, ()), split)
            rows.append((report[name].title, *cells))
    headers = ("protocol", "reported", "reproduced, 95 % interval", "verdict")
    return Table(headers, tuple(rows), f"{split} accuracy under other choices".capitalize())


def _accuracy_cells(
    report: Report, base: str, runs: Sequence[Run], split: str
) -> tuple[Any, Any, Any]:
    """Judge the runs by the accuracy that the report states; without one, only show ours."""
    claim = accuracy_claims(report, split).get(base)
    if claim is None:
        ours = spread_text(accuracies(runs, split))
        return "not stated", ours and f"{ours} %", ""
    verdict = judge(report[base], claim, runs)
    return reported_text(claim), ours_cell(verdict), verdict_badge(verdict)


def equivalence(comparisons: Sequence[Comparison]) -> Table:
    """Show whether another way of training is equivalent to ours, experiment by experiment."""
    rows = []
    for item in comparisons:
        found = item.difference
        seeds = min(len(item.other), len(item.ours))
        decided = ("", f"undecided, {seeds} of {SEEDS} seeds")
        if found is not None:
            interval = with_interval(found.mean, found.low, found.high)
            word = "equivalent" if found.equivalent else "not equivalent"
            decided = (interval, word)
        spreads = (spread_text(np.array(values)) for values in (item.other, item.ours))
        rows.append((item.experiment.title, *spreads, *decided))
    headers = ("experiment", "other (%)", "ours (%)", "difference, 90 % interval", "verdict")
    caption = f"Test accuracy, up to {SEEDS} seeds each; margin ±{MARGIN} percentage points"
    return Table(headers, tuple(rows), caption)
