"""What our runs give: accuracies, scores per class, cost, and what is still to be trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import Run, accuracies
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.stats import class_scores
from fmnist_utils.tables.table import Stacked, Table, ours_cell, verdict_badge
from fmnist_utils.text import apart_text, reported_text, spread_text, with_interval
from fmnist_utils.tuning import load_trials
from fmnist_utils.verdicts.collect import accuracy_claims
from fmnist_utils.verdicts.equivalence import MARGIN, SEEDS, Comparison
from fmnist_utils.verdicts.judge import MIN_RUNS, judge


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


def classification_report(runs: Sequence[Run], at: Literal["final", "best"] = "final") -> Table:
    """Show precision, recall and F1 per class in percent: mean and sd over the runs.

    Parameters
    ----------
    runs : sequence of Run
    at : {"final", "best"}
        The last epoch, or the best validation epoch.
    """
    headers = ("class", "precision (%)", "recall (%)", "F1 (%)")
    if not runs:
        return Table(headers, (), "No runs yet")
    scores = np.array([class_scores(np.array(getattr(run, at).test_confusion)) for run in runs])
    rows = tuple(
        (name, *(spread_text(100 * scores[:, i, j], decimals=1) for j in range(3)))
        for i, name in enumerate(CLASS_NAMES)
    )
    where = "Test set" if at == "final" else "Test set at the best validation epoch"
    over = f"mean and standard deviation over {len(runs)} runs" if len(runs) > 1 else "one run"
    return Table(headers, rows, f"{where}, {over}")


def campaign(runs: Mapping[str, Sequence[Run]]) -> Table:
    """List what the evidence cost: runs, epochs, seconds, hardware."""
    rows = []
    for name, found in runs.items():
        if found:
            costs = [(run.epochs, sum(run.seconds_per_epoch)) for run in found]
            means = (f"{mean:.0f}" for mean in np.mean(costs, axis=0))
            rows.append((name, str(len(found)), *means, *_hardware(found)))
    headers = ("experiment", "runs", "mean epochs", "mean seconds", "hardware", "precision")
    return Table(headers, tuple(rows), "Runs behind this page")


def _hardware(runs: Sequence[Run]) -> tuple[str, str]:
    """List the devices and the precisions of some runs."""
    devices = {run.provenance.device for run in runs}
    precisions = {run.provenance.precision for run in runs}
    return ", ".join(sorted(devices)), ", ".join(sorted(precisions))


def training_times(report: Report, runs: Mapping[str, Sequence[Run]]) -> Table:
    """Show the training times that a report states beside ours.

    Hardware and trainer differ, so there is no verdict. A report's experiment without either has
    no row, and variants have none.

    Parameters
    ----------
    report : Report
        Whose experiments and claims of quantity ``minutes``.
    runs : mapping
        Experiment id to its runs. Seconds are wall-clock time, validation included, and images
        those of the training part.
    """
    rows = []
    for name, experiment in report.experiments.items():
        stated = [claim for claim in experiment.stated if claim.quantity == "minutes"]
        found = runs.get(name, ())
        if stated or found:
            minutes = "; ".join(map(reported_text, stated)) or "not stated"
            reported = Stacked(minutes, "; ".join(claim.place for claim in stated))
            rows.append((experiment.title, reported, *_times(found), *_hardware(found)))
    headers = (
        "experiment", "reported", "ours (minutes)", "seconds per epoch", "images per second",
        "hardware", "precision",
    )  # fmt: skip
    return Table(headers, tuple(rows), "Training times, validation included: mean ± sd over runs")


def _times(runs: Sequence[Run]) -> tuple[str, str, str]:
    """Write minutes per run, seconds per epoch and training images per second."""
    if not runs:
        return "no runs yet", "", ""
    seconds = np.array([sum(run.seconds_per_epoch) for run in runs])
    epochs = sum(run.epochs for run in runs)
    images = sum(run.epochs * run.images["train"] for run in runs)
    per_epoch, per_second = seconds.sum() / epochs, images / seconds.sum()
    return spread_text(seconds / 60), f"{per_epoch:.2f}", f"{per_second:,.0f}"


def undone(report: Report, store: RunStore = STORE) -> Table:
    """List what has fewer runs than a verdict needs, or trials than a search, with the command.

    Parameters
    ----------
    report : Report
        Whose experiments, variants and searches.
    store : RunStore
        Where the runs are.
    """
    rows = []
    for name, experiment in report.trainable.items():
        found = len(store.runs(experiment))
        if found < MIN_RUNS:
            command = f"fmnist run {report.id} {name} --seeds {MIN_RUNS}"
            rows.append((experiment.title, f"{found} of {MIN_RUNS} runs", command))
    for name, search in report.searches.items():
        trials = load_trials(report, name)
        found = len(trials.trials) if trials else 0
        if found < search.trials:
            command = f"fmnist search {report.id} {name}"
            rows.append((search.title, f"{found} of {search.trials} trials", command))
    caption = "What is not trained yet, and how to do it" if rows else "Nothing left"
    return Table(("training", "done", "command"), tuple(rows), caption)
