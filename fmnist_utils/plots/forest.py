"""Numbers that a report states, beside what our runs give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist_utils import tables
from fmnist_utils.plots.labels import (
    folded,
    label_end,
    label_rows,
    legend,
    mark_zero,
    rows_height,
    shade,
)
from fmnist_utils.plots.style import GREY, SPLIT_WORDS, figure, note
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.judge import ACCURACY_MARGIN, CLASS_MARGIN, judge
from fmnist_utils.verdicts.outcome import Verdict, Word

#: Colour (dark enough for text), marker and fill of what carries each verdict.
LOOKS: dict[Word, tuple[str, str, bool]] = {
    Word.REPRODUCED: ("#00795a", "o", True),
    Word.CLOSE: ("#0173b2", "s", True),
    Word.IMPRECISE: ("#8a5f00", "o", False),
    Word.CONSISTENT: ("#8a5f00", "o", False),
    Word.NOT_REPRODUCED: ("#b8400a", "X", True),
    Word.PENDING: (GREY, "o", False),
}

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
    """Return the factor from the claim's unit to the axis': shares in percent, losses in nats."""
    if claim.quantity == "loss":
        return 1 / claim.whole
    share = claim.quantity in ("accuracy", "difference") or claim.label is not None
    return 100 / claim.whole if share else 1.0


def stated(claim: Claim) -> str:
    """Say what a claim states in a few words."""
    if claim.quantity == "epochs_trained":
        return f"{claim.value} epochs"
    if claim.quantity == "lowest_val_loss_epoch":
        return f"lowest validation loss at epoch {claim.value}"
    if claim.label is not None:
        return f"{tables.claim_text(claim)} {tables.reported_text(claim)}"
    part = SPLIT_WORDS[claim.split or "test"]
    if claim.quantity == "difference":
        return f"{part} accuracy {claim.number:+g} point{'' if abs(claim.number) == 1 else 's'}"
    return f"{part} {claim.quantity} {tables.reported_text(claim)}"


class _Group(NamedTuple):
    """Claims that share an axis of the forest plot."""

    quantities: tuple[str, ...]
    unit: str
    margin: float | None = None

    def holds(self, claim: Claim) -> bool:
        return claim.quantity in self.quantities


_GROUPS = (
    _Group(("accuracy", "difference"), "percentage points", ACCURACY_MARGIN),
    _Group(("precision", "recall", "f1", "confused"), "percentage points", CLASS_MARGIN),
    _Group(("loss",), "nats"),
    _Group(("epochs_trained", "lowest_val_loss_epoch"), "epochs"),
)


def forest(verdicts: Sequence[Verdict]) -> Figure:
    """Draw how far our runs lie from each number that a report states.

    One panel per unit. Zero is the reported value; our mean stands with the 95 % prediction
    interval of one more run, and the verdict in words. Only numbers that runs were held against
    are drawn, each once: settings, orderings and pending claims are left out.
    """
    named = _named_once([verdict for verdict in verdicts if verdict.word != Word.PENDING])
    panels = [
        (group, rows)
        for group in _GROUPS
        if (rows := [row for row in named if group.holds(row[1].claim)])
    ]
    if not panels:
        return note("No claim with at least three runs to hold it against yet.")
    sizes = [len(rows) for _, rows in panels]
    names = [name for _, rows in panels for name, _ in rows]
    height = 0.7 + 0.6 * len(panels) + rows_height(names)
    with figure(len(panels), height=height, height_ratios=sizes, squeeze=False) as (fig, axes):
        for ax, (group, rows) in zip(axes.flat, panels, strict=True):
            _draw_forest(ax, group, rows)
        reported = REPORTED_ROUNDED | {"linewidth": 5}
        looks = {
            "ours: mean, 95 % prediction interval": _OURS,
            "reported, with its rounding": reported,
        }
        if any(group.margin for group, _ in panels):
            looks["close enough: within the margin"] = shade()
        legend(fig, looks, columns=2)
    return fig


def _named_once(verdicts: Sequence[Verdict]) -> list[tuple[str, Verdict]]:
    named: dict[tuple[str, str], tuple[str, Verdict]] = {}
    for verdict in verdicts:
        claim = verdict.claim
        if any(group.holds(claim) for group in _GROUPS):
            owner = verdict.experiment or f"{claim.of} − {claim.than}"
            name = folded(f"{owner}\n{stated(claim)}")
            named.setdefault((name, claim.reading), (name, verdict))
    return list(named.values())


def _draw_forest(ax: Axes, group: _Group, rows: Sequence[tuple[str, Verdict]]) -> None:
    """Draw the claims of one panel, the first on top."""
    mark_zero(ax, group.margin)
    for y, (_, verdict) in enumerate(rows):
        scale, reported = to_axis(verdict.claim), verdict.claim.number
        rounding = scale * verdict.claim.half_width
        ax.plot([-rounding, rounding], [y, y], color="black", linewidth=5, solid_capstyle="butt")
        ax.plot(0, y, zorder=2.5, **REPORTED | {"markerfacecolor": "white"})
        draw_interval(ax, y, verdict, scale, reported)
        label_end(ax, y, verdict.word.replace(", ", ",\n"), LOOKS[verdict.word][0])
    label_rows(ax, [name for name, _ in rows])
    ax.set_xlabel(f"ours − reported ({group.unit})")


def draw_interval(
    ax: Axes, y: float, verdict: Verdict, scale: float = 1.0, origin: float = 0.0
) -> None:
    """Draw our mean and prediction interval at one height, in the looks of the verdict."""
    color, marker, filled = LOOKS[verdict.word]
    if verdict.low is not None and verdict.high is not None:
        interval = scale * (np.array([verdict.low, verdict.high]) - origin)
        ax.plot(interval, [y, y], color=color, linewidth=2, solid_capstyle="butt", zorder=3)
    if verdict.mean is not None:
        ax.plot(
            scale * (verdict.mean - origin), y, marker, color=color, markersize=7.5, zorder=4,
            markeredgewidth=0 if filled else 1.5, markerfacecolor=color if filled else "white",
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
    """
    if experiment.scores is None:
        return note("The report prints no scores of single classes for this experiment.")
    verdicts = [
        judge(experiment, claim, runs)
        for claim in experiment.scores.claims()
        if claim.kind == "measured"
    ]
    names = [row.label for row in experiment.scores.rows]
    with figure(1, 3, height=1.1 + 0.4 * len(names), sharex=True, sharey=True) as (fig, axes):
        for ax, (quantity, label) in zip(axes, _PANELS.items(), strict=True):
            _draw_panel(ax, [item for item in verdicts if item.claim.quantity == quantity])
            label_rows(ax, names)
            ax.set_xlabel(label)
        looks = {"reported, with its rounding": REPORTED_ROUNDED | {"markersize": 6}}
        words = {item.word for item in verdicts if item.mean is not None}
        for word, (color, marker, filled) in LOOKS.items():
            if word in words:
                looks[f"ours: {word}"] = {
                    "color": color, "marker": marker, "markersize": 7.5, "linewidth": 2,
                    "markeredgewidth": 0 if filled else 1.5,
                    "markerfacecolor": color if filled else "white",
                }  # fmt: skip
        legend(fig, looks, columns=2)
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
        draw_interval(ax, y + 0.17, verdict, scale)
