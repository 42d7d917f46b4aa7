"""Numbers that a report states, beside what our runs give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, NUM_CLASSES
from fmnist_utils.plots.labels import (
    ROW_LETTERS,
    folded,
    label_end,
    label_rows,
    legend,
    mark_zero,
    rows_height,
    shade,
)
from fmnist_utils.plots.style import GREY, WIDTH, figure, note
from fmnist_utils.reports.claim import SPLIT_WORDS, Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.quantities import POINTS, QUANTITIES, Quantity
from fmnist_utils.runs.record import Run
from fmnist_utils.text import claim_text, reported_text
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.outcome import Outcome, Verdict

# Hollow, so that what it stands on shows through.
REPORTED: Any = {
    "marker": "D", "linestyle": "none", "markersize": 9, "markerfacecolor": "none",
    "markeredgecolor": "black", "markeredgewidth": 1.5,
}  # fmt: skip


# In a legend, on the line that stands for its rounding.
REPORTED_ROUNDED: Any = REPORTED | {
    "color": "black", "linewidth": 3, "linestyle": "-", "markerfacecolor": "white",
}  # fmt: skip
_OURS: Any = {"color": GREY, "marker": "o", "linewidth": 2}


def to_axis(claim: Claim) -> float:
    """Return the factor from the claim's unit to the axis': shares are drawn in percent."""
    return (100.0 if claim.about.unit == POINTS else 1.0) / claim.whole


def stated(claim: Claim) -> str:
    """Describe in a few words what a claim states."""
    reported = reported_text(claim)
    number = claim.number if claim.numbers == 1 else 0.0
    return (claim.about.short or "{name} {reported}").format(
        name=claim_text(claim),
        part=SPLIT_WORDS[claim.split or "test"],
        reported=reported,
        signed=f"{number:+g} point{'s' * (abs(number) != 1)}",
    )


#: What claims share that share an axis of the forest plot: their unit and margin.
_Panel = tuple[str, float | None]


def _panel_of(row: Quantity) -> _Panel:
    return row.unit, None if row.relative else row.margin


def forest(verdicts: Sequence[Verdict]) -> Figure:
    """Draw how far our runs lie from each number that a report states.

    One panel per unit. Zero is the reported value; our mean stands with the 95 % prediction
    interval of one more run, and the verdict in words. Only numbers that runs were held against
    are drawn, each once: settings, orderings and pending claims are left out.

    Examples
    --------
    >>> fu.plots.forest(fu.verdicts.judge_accuracies(report, {experiment.id: runs}))
    <Figure size ... with 1 Axes>
    """
    named = _named_once([verdict for verdict in verdicts if verdict.word != Outcome.PENDING])
    panels = [
        (panel, rows)
        for panel in dict.fromkeys(_panel_of(row) for row in QUANTITIES.values() if row.unit)
        if (rows := [row for row in named if _panel_of(row[1].claim.about) == panel])
    ]
    if not panels:
        return note("No claim with at least three runs to hold it against yet.")
    sizes = [len(rows) for _, rows in panels]
    names = [name for _, rows in panels for name, _ in rows]
    height = 0.7 + 0.6 * len(panels) + rows_height(names)
    with figure(len(panels), height=height, height_ratios=sizes, squeeze=False) as (fig, axes):
        for ax, (panel, rows) in zip(axes.flat, panels, strict=True):
            _draw_forest(ax, panel, rows)
        reported = REPORTED_ROUNDED | {"linewidth": 5}
        looks = {
            "ours: mean, 95 % prediction interval": _OURS,
            "reported, with its rounding": reported,
        }
        if any(margin for (_, margin), _ in panels):
            looks["close enough: within the margin"] = shade()
        legend(fig, looks)
    return fig


def _named_once(verdicts: Sequence[Verdict]) -> list[tuple[str, Verdict]]:
    """Name each number, with its experiment where there are several; leave out repeats."""
    named: dict[tuple[str, str], tuple[str, Verdict]] = {}
    several = len({_owner(verdict) for verdict in verdicts}) > 1
    for verdict in verdicts:
        claim = verdict.claim
        if claim.about.unit:
            owner = f"{_owner(verdict)}\n" if several else ""
            name = folded(f"{owner}{stated(claim)}", ROW_LETTERS)
            named.setdefault((name, claim.reading), (name, verdict))
    return list(named.values())


def _owner(verdict: Verdict) -> str:
    return verdict.experiment or f"{verdict.claim.of} − {verdict.claim.than}"


def _draw_forest(ax: Axes, panel: _Panel, rows: Sequence[tuple[str, Verdict]]) -> None:
    """Draw the claims of one panel, the first on top."""
    unit, margin = panel
    mark_zero(ax, margin)
    for y, (_, verdict) in enumerate(rows):
        scale, reported = to_axis(verdict.claim), verdict.claim.number
        rounding = scale * verdict.claim.half_width
        ax.plot([-rounding, rounding], [y, y], color="black", linewidth=5, solid_capstyle="butt")
        ax.plot(0, y, zorder=2.5, **REPORTED | {"markerfacecolor": "white"})
        _draw_interval(ax, y, verdict, scale, reported)
        label_end(ax, y, verdict.word.replace(", ", ",\n"), verdict.word.look.color)
    label_rows(ax, [name for name, _ in rows])
    ax.set_xlabel(f"ours − reported ({unit})")


def _draw_interval(
    ax: Axes, y: float, verdict: Verdict, scale: float = 1.0, origin: float = 0.0
) -> None:
    """Draw our mean and prediction interval at one height, in the looks of the verdict."""
    look = verdict.word.look
    if verdict.low is not None and verdict.high is not None:
        interval = scale * (np.array([verdict.low, verdict.high]) - origin)
        ax.plot(interval, [y, y], color=look.color, linewidth=2, solid_capstyle="butt", zorder=3)
    if verdict.mean is not None:
        ax.plot(
            scale * (verdict.mean - origin), y, zorder=4, **look.drawn,
        )  # fmt: skip


# --- scores of single classes --------------------------------------------------------------------

_PANELS = {"precision": "precision (%)", "recall": "recall (%)", "f1": "F1 (%)"}


def class_scores(experiment: Experiment, runs: Sequence[Run]) -> Figure:
    """Draw the classification report that is printed beside ours, one row per class.

    Our mean stands with the 95 % prediction interval of one more run; colour and marker say the
    verdict.

    Parameters
    ----------
    experiment : Experiment
        Whose classification report.
    runs : sequence of Run
        Its runs. Without any, only the printed scores are drawn.

    Examples
    --------
    >>> book = fu.setup({}, "mendez")
    >>> fu.plots.class_scores(book.report["listing"], book.runs("listing"))
    <Figure size ... with 3 Axes>
    """
    if experiment.scores is None:
        return note("The report prints no scores of single classes for this experiment.")
    verdicts = [
        judge(experiment, claim, runs)
        for claim in experiment.scores.claims()
        if claim.kind == "measured"
    ]
    # Three panels need room for two gaps.
    height, width = 1.1 + 0.4 * NUM_CLASSES, WIDTH - 0.3
    with figure(1, 3, height=height, width=width, sharex=True) as (fig, axes):
        for ax, (score, label) in zip(axes, _PANELS.items(), strict=True):
            _draw_panel(ax, [item for item in verdicts if item.claim.about.metric == score])
            label_rows(ax, CLASS_NAMES)
            ax.set_xlabel(label)
            ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        looks = {"reported, with its rounding": REPORTED_ROUNDED | {"markersize": 6}}
        words = {item.word for item in verdicts if item.mean is not None}
        looks |= {f"ours: {w}": {**w.look.drawn, "linewidth": 2} for w in Outcome if w in words}
        legend(fig, looks)
    return fig


def _draw_panel(ax: Axes, verdicts: Sequence[Verdict]) -> None:
    """Draw one score of every class: reported above, ours below."""
    for y, verdict in enumerate(verdicts):
        claim, scale = verdict.claim, to_axis(verdict.claim)
        value, rounding = scale * claim.number, scale * claim.half_width
        ax.plot(
            [value - rounding, value + rounding], [y - 0.17] * 2,
            color="black", linewidth=3, solid_capstyle="butt",
        )  # fmt: skip
        ax.plot(value, y - 0.17, **REPORTED | {"markerfacecolor": "white", "markersize": 6})
        _draw_interval(ax, y + 0.17, verdict, scale)
