"""Scores of single classes, beside those that a report prints."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fmnist_utils.plots.forest import REPORTED, draw_interval, to_axis
from fmnist_utils.plots.row_axes import label_rows
from fmnist_utils.plots.style import figure, note
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.outcome import Verdict, Word

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
        words = {item.word for item in verdicts if item.mean is not None}
        fig.legend(handles=_handles(words), loc="outside upper center", ncols=2)
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


def _handles(words: set[Word]) -> list[Artist]:
    """Explain the reported scores, and the verdicts that occur."""
    reported = Line2D([], [], color="black", linewidth=3, **REPORTED)
    reported.set(linestyle="-", markerfacecolor="white", markersize=6)
    reported.set_label("reported, with its rounding")
    handles: list[Artist] = [reported]
    for word in Word:
        if word in words:
            handles.append(Line2D([], [], linewidth=2, label=f"ours: {word}", **word.look.mark))
    return handles
