"""What happens from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy import stats

from fmnist_utils.plots.canvas import BLUE, GREY, ORANGE, SPLIT_WORDS, Floats, figure, note
from fmnist_utils.plots.claims import stated, to_axis
from fmnist_utils.reports import Experiment
from fmnist_utils.reports.schema import EpochTable
from fmnist_utils.runs import Run
from fmnist_utils.verdicts import MIN_RUNS, prediction_error


class _Curve(NamedTuple):
    """How one part of the data is drawn in the learning curves."""

    word: str
    prefix: str
    color: str
    line: Literal["-", "--"]
    marker: str
    fill: str


_CURVES = (
    _Curve("training", "", BLUE, "-", "o", BLUE),
    _Curve("validation", "val_", ORANGE, "--", "s", "white"),
)
_REPORTED_MARKERS = {"train": ("D", BLUE), "validation": ("s", ORANGE), "test": ("D", "white")}


def learning_curves(runs: Sequence[Run], experiment: Experiment | None = None) -> Figure:
    """Draw loss and accuracy of every epoch: each seed, and mean and deviation over the seeds.

    Parameters
    ----------
    runs : sequence of Run
        Of one experiment. The mean goes on while at least half of them train.
    experiment : Experiment, optional
        Adds what the report states: epochs trained, losses, accuracies.
    """
    if not runs:
        return note("There is no run of this experiment yet.")
    with figure(1, 2, height=4.1) as (fig, (left, right)):
        for ax, metric, scale in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
            for curve in _CURVES:
                histories = [scale * np.array(run.history[curve.prefix + metric]) for run in runs]
                _draw_curve(ax, histories, curve)
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
        left.set_ylabel("loss (nats)")
        right.set_ylabel("accuracy (%)")
        fig.legend(handles=_curve_handles(len(runs)), loc="outside upper left")
        if experiment:
            length = float(np.mean([run.epochs for run in runs]))
            marks = _draw_reported((left, right), experiment, length)
            fig.legend(handles=marks, loc="outside upper right")
        for ax in (left, right):
            ax.set_xlim(0, 1.03 * ax.dataLim.x1 + 1)
        left.set_ylim(0, 1.05 * left.dataLim.y1)
    return fig


def _draw_curve(ax: Axes, histories: Sequence[Floats], curve: _Curve) -> None:
    """Draw the histories of one metric on one part of the data."""
    alone = len(histories) == 1
    for history in histories:
        epochs = np.arange(1, len(history) + 1)
        ax.plot(
            epochs, history, curve.line, color=curve.color,
            linewidth=2 if alone else 0.7, alpha=1 if alone else 0.4,
        )  # fmt: skip
        ax.plot(
            epochs[-1:], history[-1:], curve.marker, markersize=3.5, linestyle="none",
            markeredgecolor=curve.color, markerfacecolor=curve.fill, zorder=3,
        )  # fmt: skip
    if not alone:
        mean, sd = _mean_and_sd(histories)
        epochs = np.arange(1, len(mean) + 1)
        ax.fill_between(epochs, mean - sd, mean + sd, color=curve.color, alpha=0.2, linewidth=0)
        ax.plot(epochs, mean, curve.line, color=curve.color, linewidth=2, zorder=2.5)


def _mean_and_sd(histories: Sequence[Floats]) -> tuple[Any, Any]:
    """Mean and standard deviation per epoch."""
    shown = _while_half_go_on(histories)
    return shown.mean(axis=0), shown.std(axis=0, ddof=1)


def _while_half_go_on(histories: Sequence[Floats]) -> Any:
    """Stack histories, histories by epochs, while at least half of them go on.

    A masked array: a single history that goes on has no deviation.
    """
    lengths = sorted((len(history) for history in histories), reverse=True)
    padded = np.full((len(histories), lengths[0]), np.nan)
    for row, history in zip(padded, histories, strict=True):
        row[: len(history)] = history
    return np.ma.masked_invalid(padded)[:, : lengths[math.ceil(len(histories) / 2) - 1]]


def _curve_handles(runs: int) -> list[Artist]:
    """Explain the lines of the learning curves."""
    handles: list[Artist] = [
        Line2D(
            [], [], color=curve.color, linestyle=curve.line, linewidth=2, label=curve.word,
            marker=curve.marker if runs == 1 else None, markersize=4, markerfacecolor=curve.fill,
        )
        for curve in _CURVES
    ]  # fmt: skip
    if runs == 1:
        return handles
    for handle in handles:
        handle.set_label(f"{handle.get_label()}, mean of {runs} seeds")
    thin = Line2D([], [], color=GREY, linewidth=0.7, marker="o", markersize=3.5)
    thin.set_label("one seed, to its last epoch")
    return [*handles, Patch(color=GREY, alpha=0.3, linewidth=0, label="mean ± sd"), thin]


def _draw_reported(axes: Sequence[Axes], experiment: Experiment, x: float) -> list[Artist]:
    """Mark what the report states, each value once, and return the legend's handles."""
    handles: list[Artist] = []
    claims = {(claim.quantity, claim.split, claim.value): claim for claim in experiment.stated}
    for claim in claims.values():
        if claim.quantity == "epochs_trained":
            x = claim.number
            for ax in axes:
                line = ax.axvline(x, color="black", linestyle=":", linewidth=1.2, zorder=2)
            line.set_label(f"reported: {claim.value} epochs")
            handles.append(line)
    for claim in claims.values():
        if claim.quantity in ("accuracy", "loss") and claim.epoch is None:
            ax = axes[claim.quantity == "accuracy"]
            marker, fill = _REPORTED_MARKERS[claim.split or "test"]
            handles += ax.plot(
                x, claim.number * to_axis(claim), marker, markersize=8, linestyle="none",
                markerfacecolor=fill, markeredgecolor="black", zorder=4,
                label=f"reported: {stated(claim)}",
            )  # fmt: skip
    return handles


def epochs(experiment: Experiment, runs: Sequence[Run]) -> Figure:
    """Draw the printed tables of epochs over what our runs give, epoch by epoch.

    Our mean stands with the 95 % prediction interval of one more run, where at least three train.

    Parameters
    ----------
    experiment : Experiment
        Whose printed tables.
    runs : sequence of Run
        Its runs. Without any, only the printed values are drawn.
    """
    if not experiment.epoch_tables:
        return note("The report prints no table of epochs for this experiment.")
    parts = {SPLIT_WORDS[table.split] for table in experiment.epoch_tables}
    curves = [curve for curve in _CURVES if curve.word in parts]
    with figure(1, 2, height=4.1) as (fig, (left, right)):
        for ax, metric, scale in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
            for curve in curves if runs else ():
                histories = [scale * np.array(run.history[curve.prefix + metric]) for run in runs]
                _draw_band(ax, histories, curve)
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
        for table in experiment.epoch_tables:
            _draw_table((left, right), table)
        left.set_ylabel("loss (nats)")
        right.set_ylabel("accuracy (%)")
        handles = _epoch_handles(curves, len(runs))
        fig.legend(handles=handles, loc="outside upper center", ncols=2)
    return fig


def _draw_band(ax: Axes, histories: Sequence[Floats], curve: _Curve) -> None:
    """Draw the mean and prediction interval of one metric on one part of the data."""
    shown = _while_half_go_on(histories)
    at = np.arange(1, shown.shape[1] + 1)
    mean, runs = shown.mean(axis=0), shown.count(axis=0)
    ax.plot(at, mean, curve.line, color=curve.color, linewidth=2, zorder=2.5)
    enough = runs >= MIN_RUNS
    if enough.any():
        mean, runs, sd = mean[enough], runs[enough], shown[:, enough].std(axis=0, ddof=1)
        reach = stats.t.ppf(0.975, runs - 1) * prediction_error(sd, runs)
        ax.fill_between(
            at[enough], mean - reach, mean + reach, color=curve.color, alpha=0.25, linewidth=0
        )


def _draw_table(axes: Sequence[Axes], table: EpochTable) -> None:
    """Draw the printed values with their rounding."""
    for claim in table.claims():
        marker, fill = _REPORTED_MARKERS[table.split]
        scale = to_axis(claim)
        axes[claim.quantity == "accuracy"].errorbar(
            claim.epoch or 0, scale * claim.number, scale * claim.half_width, fmt=marker,
            color="black", elinewidth=1, markersize=4.5, markerfacecolor=fill,
            markeredgewidth=0.8, zorder=3,
        )  # fmt: skip


def _epoch_handles(curves: Sequence[_Curve], runs: int) -> list[Artist]:
    """Explain the printed values, then the lines and bands."""
    handles: list[Artist] = []
    splits = {word: split for split, word in SPLIT_WORDS.items()}
    for curve in curves:
        marker, fill = _REPORTED_MARKERS[splits[curve.word]]
        point = Line2D([], [], color="black", marker=marker, markersize=4.5, markerfacecolor=fill)
        point.set(linewidth=1, label=f"reported: {curve.word}, with rounding")
        handles.append(point)
    if runs >= MIN_RUNS:
        label = "95 % prediction interval"
        handles.append(Patch(color=GREY, alpha=0.3, linewidth=0, label=label))
    for curve in curves if runs else ():
        line = Line2D([], [], color=curve.color, linestyle=curve.line, linewidth=2)
        line.set_label(f"ours: {curve.word}, mean of {runs} seeds")
        handles.append(line)
    return handles
