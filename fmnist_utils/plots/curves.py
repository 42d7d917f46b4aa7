"""What happens from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fmnist_utils.plots.forest import stated, to_axis
from fmnist_utils.plots.labels import folded, legend, shade
from fmnist_utils.plots.style import BLUE, GREY, ORANGE, Floats, figure, no_runs_note, note, series
from fmnist_utils.reports.claim import SPLIT_WORDS, Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed_tables import EpochTable
from fmnist_utils.reports.quantities import NATS, POINTS
from fmnist_utils.runs.record import Run, finished, lost_text, seeds_text
from fmnist_utils.stats import ClaimTest
from fmnist_utils.verdicts.judge import MIN_RUNS
from fmnist_utils.verdicts.measure import scale_of, summarise


class _Curve(NamedTuple):
    """How one part of the data is drawn in the learning curves."""

    word: str
    prefix: str
    color: str
    line: Literal["-", "--"]
    marker: str
    fill: str

    def look(self, **kwargs: Any) -> dict[str, Any]:
        return {"color": self.color, "linestyle": self.line, "linewidth": 2, **kwargs}


_CURVES = (
    _Curve("training", "", BLUE, "-", "o", BLUE),
    _Curve("validation", "val_", ORANGE, "--", "s", "white"),
)
#: Of the left axes, and of the right.
_UNITS = (NATS, POINTS)
_REPORTED_MARKERS = {"train": ("D", BLUE), "validation": ("s", ORANGE), "test": ("D", "white")}


def learning_curves(runs: Sequence[Run], experiment: Experiment | None = None) -> Figure:
    """Draw loss and accuracy of every epoch: each seed, and mean and deviation over the seeds.

    Parameters
    ----------
    runs : sequence of Run
        Of one experiment. The mean goes on while at least half of them train. Those that diverged
        are left out, and counted.
    experiment : Experiment, optional
        Adds what the report states: epochs trained, losses, accuracies.

    Examples
    --------
    >>> fu.plots.learning_curves(runs, experiment)
    <Figure size ... with 2 Axes>
    """
    if not (kept := finished(runs)):
        return no_runs_note("this experiment", bool(runs))
    with figure(1, 2, height=3.5) as (fig, (left, right)):
        for ax, curve, histories in _histories((left, right), _CURVES, runs):
            _draw_curve(ax, histories, curve)
        _label_axes(left, right)
        legend(fig, _curve_looks(runs), place="upper left")
        if experiment:
            length = float(np.mean([run.epochs for run in kept]))
            legend(fig, _draw_reported((left, right), experiment, length), place="upper right")
        _start_at_zero(left, right)
    return fig


def _histories(
    axes: Sequence[Axes], curves: Sequence[_Curve], runs: Sequence[Run]
) -> Iterator[tuple[Axes, _Curve, list[Floats]]]:
    """Yield the loss of every epoch for the left axes, then accuracies in percent for the right."""
    kept = finished(runs)
    for ax, metric, scale in zip(axes, ("loss", "accuracy"), (1.0, 100.0), strict=True):
        for curve in curves if kept else ():
            yield ax, curve, [scale * np.array(run.history[curve.prefix + metric]) for run in kept]


def _label_axes(left: Axes, right: Axes) -> None:
    """Name the axes of loss and accuracy."""
    for ax in (left, right):
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    left.set_ylabel("loss (nats)")
    right.set_ylabel("accuracy (%)")


def _start_at_zero(left: Axes, right: Axes) -> None:
    """Start the epochs and the loss at zero."""
    for ax in (left, right):
        ax.set_xlim(0, 1.03 * ax.dataLim.x1 + 1)
    left.set_ylim(0, 1.05 * left.dataLim.y1)


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
        _draw_mean(ax, histories, curve.line, curve.color)


def _draw_mean(ax: Axes, histories: Sequence[Floats], line: str, color: str, **kwargs: Any) -> None:
    """Draw mean and standard deviation per epoch; a single history has no deviation."""
    shown = _while_half_go_on(histories)
    epochs, mean = np.arange(1, shown.shape[1] + 1), shown.mean(axis=0)
    if len(histories) > 1:
        sd = shown.std(axis=0, ddof=1)
        ax.fill_between(epochs, mean - sd, mean + sd, color=color, alpha=0.2, linewidth=0)
    ax.plot(epochs, mean, line, color=color, linewidth=2, zorder=2.5, **kwargs)


def _while_half_go_on(histories: Sequence[Floats]) -> Any:
    """Stack histories, shape (histories, epochs), up to the last epoch that half of them reach.

    A masked array: a single history that goes on has no deviation.
    """
    lengths = sorted((len(history) for history in histories), reverse=True)
    padded = np.full((len(histories), lengths[0]), np.nan)
    for row, history in zip(padded, histories, strict=True):
        row[: len(history)] = history
    return np.ma.masked_invalid(padded)[:, : lengths[math.ceil(len(histories) / 2) - 1]]


def _curve_looks(runs: Sequence[Run]) -> dict[str, Any]:
    """Explain the lines of the learning curves."""
    if len(finished(runs)) == 1:
        return {
            c.word + lost_text(runs): c.look(marker=c.marker, markersize=4, markerfacecolor=c.fill)
            for c in _CURVES
        }
    looks: dict[str, Any] = {f"{c.word}, mean of {seeds_text(runs)}": c.look() for c in _CURVES}
    looks["mean ± sd"] = shade(GREY, alpha=0.3, linewidth=0)
    thin = {"color": GREY, "linewidth": 0.7, "marker": "o", "markersize": 3.5}
    return looks | {"one seed, to its last epoch": thin}


def _draw_reported(axes: Sequence[Axes], experiment: Experiment, x: float) -> dict[str, Any]:
    """Mark what the report states, each value once, and return the marks by their labels."""
    drawn: dict[str, Any] = {}
    claims = {(claim.quantity, claim.split, claim.value): claim for claim in experiment.stated}
    # Where a report says how long it trained, its other numbers stand there.
    for claim in sorted(claims.values(), key=lambda claim: not claim.about.is_length):
        if claim.about.is_length:
            x = claim.number
            lines = [ax.axvline(x, color="black", linestyle=":", linewidth=1.2) for ax in axes]
            drawn[f"reported: {claim.value} epochs"] = lines[0]
        elif claim.about.is_metric and claim.about.unit in _UNITS and claim.epoch is None:
            ax = axes[_UNITS.index(claim.about.unit)]
            marker, fill = _REPORTED_MARKERS[claim.split or "test"]
            label = f"reported: {stated(claim)}"
            (drawn[label],) = ax.plot(
                x, claim.number * to_axis(claim), marker, markersize=8, linestyle="none",
                markerfacecolor=fill, markeredgecolor="black", zorder=4, label=label,
            )  # fmt: skip
    return drawn


def compare_curves(runs_by_label: Mapping[str, Sequence[Run]]) -> Figure:
    """Draw loss and accuracy of every epoch for several models, mean and deviation over seeds.

    Training is solid with full markers, validation dashed with empty ones. Loss and accuracy in
    training are what Keras reports: means over the epoch, dropout active, penalties included.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        A model without runs keeps its name in the legend. A mean goes on while at least half of
        the seeds train. Runs that diverged are left out, and counted.

    Examples
    --------
    >>> fu.plots.compare_curves({"MLP": runs, "CNN": book.runs("cnn-1-conv")})
    <Figure size ... with 2 Axes>
    """
    if not any(map(finished, runs_by_label.values())):
        return no_runs_note("these models", any(runs_by_label.values()))
    names = [_with_seeds(label, runs) for label, runs in runs_by_label.items()]
    lines = max(4, sum(1 + name.count("\n") for name in names))
    with figure(1, 2, height=2.8 + 0.2 * lines) as (fig, (left, right)):
        for i, runs in enumerate(runs_by_label.values()):
            for ax, curve, histories in _histories((left, right), _CURVES, runs):
                _draw_marked(ax, histories, curve, i)
        _label_axes(left, right)
        _start_at_zero(left, right)
        looks = {
            name: {"color": series(i)[0], "marker": series(i)[1], "markersize": 5, "linewidth": 2}
            for i, name in enumerate(names)
        }
        legend(fig, looks, place="upper left")
        several = any(len(finished(runs)) > 1 for runs in runs_by_label.values())
        legend(fig, _kind_looks(several), place="upper right")
    return fig


def _with_seeds(label: str, runs: Sequence[Run]) -> str:
    """Name a model with its number of seeds, which no line break divides."""
    count = seeds_text(runs) if runs else "no runs yet"
    return folded(f"{label} ({count.replace(' ', chr(160))})")


def _draw_marked(ax: Axes, histories: Sequence[Floats], curve: _Curve, i: int) -> None:
    """Draw one metric of the i-th model on one part of the data, with six markers at most."""
    color, marker = series(i)
    last = _while_half_go_on(histories).shape[1] - 1
    step = last // 6 + 1
    _draw_mean(
        ax, histories, curve.line, color, marker=marker, markersize=5,
        markerfacecolor=color if curve.line == "-" else "white", markevery=(last % step, step),
    )  # fmt: skip


def _kind_looks(several: bool) -> dict[str, Any]:
    """Explain lines and bands."""
    looks: dict[str, Any] = {
        curve.word: curve.look(
            color=GREY, marker="o", markersize=5,
            markerfacecolor=GREY if curve.line == "-" else "white",
        )
        for curve in _CURVES
    }  # fmt: skip
    band = {"mean ± sd over the seeds": shade(GREY, alpha=0.3, linewidth=0)}
    return looks | (band if several else {})


def epochs(experiment: Experiment, runs: Sequence[Run]) -> Figure:
    """Draw the printed tables of epochs over what our runs give, epoch by epoch.

    Our mean stands with the 95 % prediction interval of one more run, where at least three train.

    Parameters
    ----------
    experiment : Experiment
        Whose printed tables.
    runs : sequence of Run
        Its runs, but those that diverged. Without any, only the printed values are drawn.

    Examples
    --------
    >>> book = fu.setup({}, "anastasopoulos-mpofu-smith")
    >>> fu.plots.epochs(book.report["baseline"], book.runs("baseline"))
    <Figure size ... with 2 Axes>
    """
    if not experiment.epoch_tables:
        return note("The report prints no table of epochs for this experiment.")
    parts = {SPLIT_WORDS[table.split] for table in experiment.epoch_tables}
    curves = [curve for curve in _CURVES if curve.word in parts]
    with figure(1, 2, height=3.5) as (fig, (left, right)):
        about = {c.about.unit: c for table in experiment.epoch_tables for c in table.claims()}
        for ax, curve, histories in _histories((left, right), curves, runs):
            _draw_band(ax, histories, curve, about[NATS if ax is left else POINTS])
        for table in experiment.epoch_tables:
            _draw_table((left, right), table)
        _label_axes(left, right)
        printed, ours = _epoch_looks(curves, runs)
        legend(fig, printed, place="upper left")
        if ours:
            legend(fig, ours, place="upper right")
    return fig


def _draw_band(ax: Axes, histories: Sequence[Floats], curve: _Curve, claim: Claim) -> None:
    """Draw mean and prediction interval of one metric, that of a claim, on one part of the data.

    The interval is that of verdicts, on the scale of the metric: no accuracy exceeds 100 %.
    """
    shown = _while_half_go_on(histories)
    at = np.arange(1, shown.shape[1] + 1)
    ax.plot(at, shown.mean(axis=0), curve.line, color=curve.color, linewidth=2, zorder=2.5)
    enough = shown.count(axis=0) >= MIN_RUNS
    if enough.any():
        unit = to_axis(claim)
        summaries = [summarise(claim, values.compressed() / unit) for values in shown.T[enough]]
        tests = [ClaimTest(0, 0, 0, (summary,), scale=scale_of(claim)) for summary in summaries]
        ends = [test.prediction_interval() for test in tests]
        low, high = unit * np.array(ends).T
        ax.fill_between(at[enough], low, high, color=curve.color, alpha=0.25, linewidth=0)


def _draw_table(axes: Sequence[Axes], table: EpochTable) -> None:
    """Draw the printed values with their rounding."""
    for claim in table.claims():
        marker, fill = _REPORTED_MARKERS[table.split]
        scale = to_axis(claim)
        axes[_UNITS.index(claim.about.unit)].errorbar(
            claim.epoch or 0, scale * claim.number, scale * claim.half_width, fmt=marker,
            color="black", elinewidth=1, markersize=4.5, markerfacecolor=fill,
            markeredgewidth=0.8, zorder=3,
        )  # fmt: skip


def _epoch_looks(
    curves: Sequence[_Curve], runs: Sequence[Run]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Explain the printed values, and the lines and bands."""
    printed: dict[str, Any] = {}
    splits = {word: split for split, word in SPLIT_WORDS.items()}
    for curve in curves:
        marker, fill = _REPORTED_MARKERS[splits[curve.word]]
        printed[f"reported: {curve.word}, with rounding"] = {
            "color": "black", "marker": marker, "markersize": 4.5, "markerfacecolor": fill,
            "linewidth": 1,
        }  # fmt: skip
    ours: dict[str, Any] = {
        f"ours: {c.word}, mean of {seeds_text(runs)}": c.look() for c in curves if runs
    }
    if len(finished(runs)) >= MIN_RUNS:
        ours["95 % prediction interval"] = shade(GREY, alpha=0.3, linewidth=0)
    return printed, ours
