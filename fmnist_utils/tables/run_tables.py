"""What our runs give: accuracies, and the effects of one choice or of two together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.claim import SPLIT_WORDS
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import Run, accuracies, finished, lost_text
from fmnist_utils.runs.status import runs_status, stray_records
from fmnist_utils.tables.table import Badge, Stacked, Table, ours_cell, verdict_badge
from fmnist_utils.text import difference_text, reported_text, spread_text, with_interval
from fmnist_utils.tuning import search_status
from fmnist_utils.verdicts.equivalence import MARGIN, SEEDS, Comparison
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.outcome import Outcome
from fmnist_utils.verdicts.report_verdicts import accuracy_claims


def status_of(reports: Iterable[Report]) -> tuple[Table, list[str]]:
    """Show which runs and trials there are, and say what is wrong with other records."""
    rows: list[tuple[Any, ...]] = []
    problems = stray_records()
    for report in reports:
        for found, wrong in (runs_status(report), search_status(report)):
            problems += wrong
            for name, valid, *others, stale in found:
                count = str(valid) if valid else Badge(Outcome.PENDING, text="0")
                marked = Badge(Outcome.NOT_REPRODUCED, text=stale) if stale else ""
                rows.append((name, count, *others, marked))
    headers = ("experiment", "valid", "seeds", "epochs", "device", "stale")
    return Table(headers, tuple(rows), "Runs of experiments, trials of searches"), problems


def study(runs_by_label: Mapping[str, Sequence[Run]], changed: str = "setting") -> Table:
    """Compare trainings of our own: accuracy of every choice, and how far it overfits.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        Each choice's runs; those that diverged enter no mean, and are counted apart.
    changed : str
        What the labels say, the header of the first column.

    Examples
    --------
    >>> fu.tables.study({"none": runs, "one": book.runs("mlp-1-hidden")}, "hidden layers").headers
    ('hidden layers', 'seeds', 'training (%)', 'test (%)', 'gap (points)')
    """
    rows = []
    for label, runs in runs_by_label.items():
        train, test = (accuracies(runs, split) for split in ("train", "test"))
        rows.append((label, _counted(runs), *map(spread_text, (train, test, train - test))))
    headers = (changed, "seeds", "training (%)", "test (%)", "gap (points)")
    return Table(headers, tuple(rows), "Accuracy after the last epoch, mean ± standard deviation")


def _counted(runs: Sequence[Run]) -> str:
    return f"{len(finished(runs))}{lost_text(runs)}"


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

    Examples
    --------
    >>> by_id = book.runs_by_id("cnn-1-conv", "cnn-1-conv-dropout-20")
    >>> [row[0] for row in fu.tables.variants(report, by_id).rows]
    ['1 CNN Layer + Best MLP', '1 CNN Layer + Best MLP, convolution dropout 0.2']
    """
    rows: list[tuple[Any, ...]] = []
    shown = {name: variant.of for name, variant in report.variants.items() if name in runs}
    for base in dict.fromkeys(shown.values()):
        for name in (base, *(name for name, of in shown.items() if of == base)):
            cells = _accuracy_cells(report, base, runs.get(name, ()), split)
            rows.append((report[name].title, *cells))
    headers = ("protocol", "reported", "ours, 95 % interval", "verdict")
    caption = f"{SPLIT_WORDS[split]} accuracy under other choices".capitalize()
    return Table(headers, tuple(rows), caption)


def _accuracy_cells(
    report: Report, base: str, runs: Sequence[Run], split: str
) -> tuple[Any, Any, Any]:
    """Judge the runs by the accuracy that the report states; without one, only show ours."""
    claim = accuracy_claims(report, split).get(base)
    if claim is None:
        ours = spread_text(accuracies(runs, split))
        return "not stated", ours and f"{ours} %{lost_text(runs)}", ""
    verdict = judge(report[base], claim, runs)
    return reported_text(claim), ours_cell(verdict), verdict_badge(verdict)


def equivalence(comparisons: Sequence[Comparison]) -> Table:
    """Show whether another way of training is equivalent to ours, experiment by experiment.

    Examples
    --------
    >>> comparisons = fu.equivalence.compare(fu.equivalence.BFLOAT16)
    >>> [str(row[-1]) for row in fu.tables.equivalence(comparisons).rows]
    ['equivalent', 'equivalent', 'equivalent']
    """
    rows = []
    for item in comparisons:
        found = item.difference
        seeds = min(len(item.other), len(item.ours))
        interval = ""
        decided = Badge(Outcome.PENDING, text=f"undecided, {seeds} of {SEEDS} seeds")
        if found is not None:
            interval = with_interval(found.mean, found.low, found.high)
            decided = Badge(Outcome.NOT_REPRODUCED, text="not equivalent")
            if found.equivalent:
                decided = Badge(Outcome.REPRODUCED, text="equivalent")
        other, ours = (spread_text(np.array(values)) for values in (item.other, item.ours))
        rows.append((Stacked(item.experiment.title, f"{other} against {ours}"), interval, decided))
    headers = ("experiment, other against ours (%)", "difference, 90 % interval", "verdict")
    caption = f"Test accuracy, up to {SEEDS} seeds each; margin ±{MARGIN} percentage points"
    return Table(headers, tuple(rows), caption)


#: Value of the first factor, value of the second, and their runs; as in `plots.interaction`.
Groups = Mapping[tuple[str, str], Sequence[Run]]


def effects(groups: Groups, against: str, x: str, line: str) -> Table:
    """Show by how much each choice changes the test accuracy of a model, line by line.

    The interval is Welch's, for two means whose variances may differ, or in pairs where one
    training is the beginning of the other; it needs two runs of each.

    Parameters
    ----------
    groups : mapping of (str, str) to sequence of Run
        Values of both factors to runs. One without runs keeps its row; runs that diverged enter no
        mean, and are counted apart.
    against : str
        The value of the first factor that the others are compared with.
    x : str
        Name of the first factor, the choice.
    line : str
        Name of the second factor, such as the model; only groups of the same line are compared.

    Raises
    ------
    FmnistError
        When a line has no group to compare with.

    Examples
    --------
    >>> groups = {("none", "MLP"): runs, ("one", "MLP"): book.runs("mlp-1-hidden")}
    >>> fu.tables.effects(groups, against="none", x="hidden layers", line="model").rows[0][1:]
    ('none', '10', '84.52 ± 0.19', 'reference')
    """
    rows = []
    for name in dict.fromkeys(name for _, name in groups):
        found = {place: runs for (place, of_line), runs in groups.items() if of_line == name}
        if against not in found:
            raise FmnistError(
                f"There is no {x} {against!r} to compare with where {line} is {name}: "
                f"give as against one of {', '.join(found)}."
            )
        for place, runs in found.items():
            ours = spread_text(accuracies(runs, "test"))
            apart = difference_text(runs, found[against])
            change = "reference" if place == against else apart
            rows.append((name, place, _counted(runs), ours, change))
    headers = (line, x, "seeds", "test accuracy (%)", "difference (points), 95 % interval")
    return Table(headers, tuple(rows), "Accuracy after the last epoch, mean ± standard deviation")
