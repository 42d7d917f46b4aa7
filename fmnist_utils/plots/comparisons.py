"""Runs of several models, or of several ways of training, set against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fmnist_utils.errors import FmnistError
from fmnist_utils.plots.forest import REPORTED
from fmnist_utils.plots.row_axes import folded, label_rows, rows_height, text_at_end
from fmnist_utils.plots.style import BLUE, GREY, ORANGE, SHADE, SPLIT_WORDS, figure, note, series
from fmnist_utils.reports.claim import Split
from fmnist_utils.runs.record import Method, Run, accuracies
from fmnist_utils.stats import mean_reach, welch_interval
from fmnist_utils.verdicts.equivalence import MARGIN, PLAIN_FIT, SEEDED_FIT, SEEDS, Comparison
from fmnist_utils.verdicts.outcome import Word


def seed_strip(
    runs_by_label: Mapping[str, Sequence[Run]],
    reported: Mapping[str, float] | None = None,
    split: Split = "test",
    at: Literal["final", "best"] = "final",
) -> Figure:
    """Draw the accuracy of every run, one row per model, beside what is reported.

    Shows whether the noise between seeds is small enough to tell the models apart.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        A model without runs keeps its row.
    reported : mapping of str to float, optional
        Label to reported accuracy in percent.
    split : {"train", "validation", "test"}
    at : {"final", "best"}
        After which epoch: the last, or the best one on the validation images.
    """
    reported = reported or {}
    if not any(runs_by_label.values()):
        return note("There is no run of these models yet.")
    names = [folded(label) for label in runs_by_label]
    with figure(height=1 + rows_height(names)) as (fig, ax):
        for y, (label, runs) in enumerate(runs_by_label.items()):
            scores = np.sort(accuracies(runs, split, at))
            ax.plot(scores, _staggered(y, len(scores), 0.14), "o", **_OURS)
            if runs:
                ax.plot([scores.mean()] * 2, [y - 0.32, y + 0.32], color="black", linewidth=2)
            if label in reported:
                ax.plot(reported[label], y, **REPORTED)
            text_at_end(ax, y, _seeds(runs), GREY)
        label_rows(ax, names)
        epoch = {"final": "last", "best": "best"}[at]
        ax.set_xlabel(f"{SPLIT_WORDS[split]} accuracy at the {epoch} epoch (%)")
        fig.legend(handles=_strip_handles(bool(reported)), loc="outside upper center", ncols=3)
    return fig


def _staggered(y: float, n: int, apart: float) -> Any:
    """Return heights that differ for values next to each other, so that none hides another."""
    return y + apart * (np.arange(n) % 3 - 1)


def _seeds(runs: Sequence[Run]) -> str:
    return f"{len(runs)} seed{'s' * (len(runs) != 1)}"


def _strip_handles(reported: bool) -> list[Artist]:
    handles = [
        _dot("o", "one seed", color=BLUE, markersize=5),
        _dot("|", "mean", color="black", markersize=12, markeredgewidth=2),
    ]
    if reported:
        handles.append(Line2D([], [], label="reported", **REPORTED))
    return handles


def _dot(marker: str, label: str, **kwargs: Any) -> Artist:
    return Line2D([], [], marker=marker, linestyle="none", label=label, **kwargs)


_OURS: Any = {"color": BLUE, "markersize": 5, "alpha": 0.8}
_OTHER: Any = {"color": ORANGE, "markersize": 5, "markerfacecolor": "white"}
_MEAN: Any = {"color": "white", "markeredgecolor": "black", "markersize": 7}
_INTERVAL: Any = {"color": "black", "linewidth": 4, "solid_capstyle": "butt"}


def equivalence(comparisons: Sequence[Comparison]) -> Figure:
    """Draw whether another way of training gives the same test accuracy, one row per experiment.

    Zero is the mean of our runs. A method is equivalent when the 90 % interval of the difference
    of the means lies within the margin, which is shaded.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Without any run of ours there is nothing to draw.
    """
    if not any(item.ours for item in comparisons):
        return note("There is no run to compare with yet.")
    names = [folded(item.experiment.title) for item in comparisons]
    with figure(height=1.3 + 1.2 * rows_height(names)) as (fig, ax):
        ax.axvspan(-MARGIN, MARGIN, color=SHADE, linewidth=0, zorder=0)
        ax.axvline(0, color="black", linewidth=0.8, zorder=1)
        for y, item in enumerate(comparisons):
            _draw_comparison(ax, y, item)
        label_rows(ax, names)
        ax.set_xlabel("test accuracy − mean of ours (percentage points)")
        handles = _comparison_handles(_method_name({item.method for item in comparisons}))
        fig.legend(handles=handles, loc="outside upper center", ncols=2)
    return fig


def ranking(runs_by_label: Mapping[str, Sequence[Run]], baseline: str) -> Figure:
    """Rank models by test accuracy after the last epoch, as differences from one of them.

    At the left the accuracy minus the baseline's mean, with Welch's 95 % interval of the
    difference of the means, for which both need two runs. At the right how much more accurate a
    model is on its training images. No losses: a penalty on weights is part of its model's loss.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        The best stands on top; models without runs stand below all others.
    baseline : str
        The label of the model to compare with.

    Raises
    ------
    FmnistError
        When no model has the baseline's label.
    """
    if baseline not in runs_by_label:
        raise FmnistError(
            f"There is no model {baseline!r} to compare with: name one of "
            f"{', '.join(runs_by_label)}."
        )
    if not runs_by_label[baseline]:
        return note("There is no run to compare with yet.")
    test, gaps = _accuracies_and_gaps(runs_by_label)
    zero = np.mean(test[baseline])
    ranked = sorted(test, key=lambda label: -np.mean(test[label] or -np.inf))
    names = [folded(label) for label in ranked]
    height, widths = 1.5 + 1.2 * rows_height(names), (3, 2)
    with figure(1, 2, height=height, sharey=True, width_ratios=widths) as (fig, (left, right)):
        for y, label in enumerate(ranked):
            found = welch_interval((1, test[label]), (-1, test[baseline]))
            interval = None if label == baseline or found is None else found[1:]
            _draw_ranked(left, y, np.subtract(test[label], zero), interval)
            _draw_ranked(right, y, gaps[label])
            text_at_end(right, y, _seeds(runs_by_label[label]), GREY)
        for ax in (left, right):
            middle = ranked.index(baseline)
            ax.axhspan(middle - 0.45, middle + 0.45, color=SHADE, linewidth=0, zorder=0)
            ax.axvline(0, color="black", linewidth=0.8, zorder=1)
            label_rows(ax, names)
        left.set_xlabel("test accuracy −\nmean of the baseline (points)")
        right.set_xlabel("training − test\naccuracy (points)")
        fig.legend(handles=_ranking_handles(), loc="outside upper center", ncols=2)
    return fig


def _accuracies_and_gaps(
    runs_by_label: Mapping[str, Sequence[Run]],
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Read test accuracies, and what the training images have more, in percent."""
    test, gaps = {}, {}
    for label, runs in runs_by_label.items():
        test[label] = accuracies(runs, "test").tolist()
        gaps[label] = (accuracies(runs, "train") - accuracies(runs, "test")).tolist()
    return test, gaps


def _draw_ranked(
    ax: Axes, y: int, values: Any, interval: tuple[float, float] | None = None
) -> None:
    """Draw single runs above their mean and its interval."""
    ax.plot(np.sort(values), _staggered(y - 0.16, len(values), 0.1), "o", **_OURS)
    if interval:
        ax.plot(interval, [y + 0.24] * 2, zorder=3, **_INTERVAL)
    if len(values):
        ax.plot(np.mean(values), y + 0.24, "D", zorder=4, **_MEAN)


def _ranking_handles() -> list[Artist]:
    interval = Line2D([], [], label="95 % interval of the difference", **_INTERVAL)
    return [
        _dot("o", "one seed", **_OURS),
        _dot("D", "mean", **_MEAN),
        interval,
        Patch(color=SHADE, label="baseline"),
    ]


def _draw_comparison(ax: Axes, y: int, item: Comparison) -> None:
    """Draw our runs above and the other method's below the interval of their difference."""
    if item.ours:
        middle = np.mean(item.ours)
        ax.plot(np.subtract(item.ours, middle), np.full(len(item.ours), y - 0.2), "o", **_OURS)
        ax.plot(np.subtract(item.other, middle), np.full(len(item.other), y + 0.2), "s", **_OTHER)
    found = item.difference
    if found is None:
        seeds = min(len(item.ours), len(item.other))
        text_at_end(ax, y, f"{seeds} of {SEEDS}\nseeds", GREY)
        return
    ax.plot([found.low, found.high], [y, y], zorder=3, **_INTERVAL)
    ax.plot(found.mean, y, "D", zorder=4, **_MEAN)
    word = "equivalent" if found.equivalent else "not\nequivalent"
    alike = Word.REPRODUCED if found.equivalent else Word.NOT_REPRODUCED
    text_at_end(ax, y, word, alike.look.color)


def _method_name(methods: set[Method]) -> str:
    """Name a method in a few words; several have no name in common."""
    if methods == {PLAIN_FIT}:
        return "Keras' own fit"
    if methods == {SEEDED_FIT}:
        return "Keras' own fit, seeded"
    return "bfloat16" if methods == {Method("mixed_bfloat16")} else "the other method"


def _comparison_handles(other: str) -> list[Artist]:
    interval = Line2D([], [], marker="D", markerfacecolor="white", markersize=7, **_INTERVAL)
    interval.set(markeredgecolor="black", label="difference of means, 90 % interval")
    return [
        _dot("o", "one seed, ours", **_OURS),
        _dot("s", f"one seed, {other}", **_OTHER),
        interval,
        Patch(color=SHADE, label=f"margin ±{MARGIN} points"),
    ]


def interaction(
    groups: Mapping[tuple[str, str], Sequence[Run]], x: str, line: str, split: Split = "test"
) -> Figure:
    """Draw a study with two factors: whether the effect of one depends on the other.

    Each mean final accuracy stands with its 95 % confidence interval (Student's t), which needs
    two runs. Where lines are parallel, the factors do not interact.

    Parameters
    ----------
    groups : mapping of (str, str) to sequence of Run
        Values of both factors to runs. One without runs is left out.
    x : str
        Name of the first factor, whose values stand along the axis in the order of `groups`.
    line : str
        Name of the second factor, each of whose values has a line.
    split : {"train", "validation", "test"}
    """
    scores = {key: accuracies(runs, split).tolist() for key, runs in groups.items() if runs}
    if not scores:
        return note("There is no run of this study yet.")
    places = list(dict.fromkeys(place for place, _ in scores))
    names = list(dict.fromkeys(name for _, name in scores))
    with figure(height=4) as (fig, ax):
        shifts = 0.08 * (np.arange(len(names)) - (len(names) - 1) / 2)
        for i, name in enumerate(names):
            of_line = {p: scores[p, name] for p in places if (p, name) in scores}
            at = [places.index(place) + shifts[i] for place in of_line]
            _draw_line(ax, at, list(of_line.values()), name, i)
        ax.set_xticks(range(len(places)), [folded(place) for place in places])
        ax.set_xlim(-0.5, len(places) - 0.5)
        ax.grid(axis="x", visible=False)
        ax.set_xlabel(x)
        ax.set_ylabel(f"{SPLIT_WORDS[split]} accuracy (%)")
        fig.legend(title=line, loc="outside upper center", ncols=min(len(names), 4))
    return fig


def _draw_line(
    ax: Axes, at: Sequence[float], groups: Sequence[Sequence[float]], name: str, i: int
) -> None:
    """Draw one line of means with their intervals, and faintly the runs behind them."""
    color, marker = series(i)
    for position, values in zip(at, groups, strict=True):
        ax.plot([position] * len(values), values, "o", color=color, alpha=0.3, markersize=4)
    ax.errorbar(
        at, [np.mean(values) for values in groups], [mean_reach(values) for values in groups],
        color=color, marker=marker, linestyle=("-", "--", "-.", ":")[i % 4], label=name,
        capsize=4, markersize=7, markeredgecolor="white", zorder=3,
    )  # fmt: skip
