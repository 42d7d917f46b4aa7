"""Runs of several models, of several ways of training, or of all reports, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist_utils.errors import FmnistError
from fmnist_utils.plots.forest import REPORTED, to_axis
from fmnist_utils.plots.labels import folded, label_end, legend, mark_zero, marks, row_figure, shade
from fmnist_utils.plots.style import BLUE, GREY, ORANGE, SHADE, figure, no_runs_note, note, series
from fmnist_utils.reports.claim import SPLIT_WORDS, Split
from fmnist_utils.reports.quantities import QUANTITIES
from fmnist_utils.runs.pairing import difference
from fmnist_utils.runs.record import Method, Run, accuracies, finished, seeds_text
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.stats import mean_half_width
from fmnist_utils.verdicts.across_reports import accuracy_verdicts
from fmnist_utils.verdicts.equivalence import MARGIN, PLAIN_FIT, SEEDED_FIT, SEEDS, Comparison
from fmnist_utils.verdicts.outcome import Outcome, Verdict


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
        A model without runs keeps its row. Those that diverged are left out, and counted.
    reported : mapping of str to float, optional
        Label to reported accuracy in percent.
    split : {"train", "validation", "test"}
    at : {"final", "best"}
        After which epoch: the last, or the best one on the validation images.

    Examples
    --------
    >>> fu.plots.seed_strip({"MLP": runs}, reported={"MLP": 84.6})
    <Figure size ... with 1 Axes>
    """
    reported = reported or {}
    if not any(map(finished, runs_by_label.values())):
        return no_runs_note("these models", any(runs_by_label.values()))
    with row_figure(list(runs_by_label)) as (fig, ax):
        for y, (label, runs) in enumerate(runs_by_label.items()):
            scores = np.sort(accuracies(runs, split, at))
            ax.plot(scores, _staggered(y, len(scores), 0.14), "o", **_OURS)
            if scores.size:
                ax.plot([scores.mean()] * 2, [y - 0.32, y + 0.32], color="black", linewidth=2)
            if label in reported:
                ax.plot(reported[label], y, **REPORTED)
            label_end(ax, y, _seeds(runs), GREY)
        epoch = {"final": "last", "best": "best"}[at]
        ax.set_xlabel(f"{SPLIT_WORDS[split]} accuracy at the {epoch} epoch (%)")
        mean = marks("|", color="black", markersize=12, markeredgewidth=2)
        looks = {"one seed": marks("o", color=BLUE, markersize=5), "mean": mean}
        shown = reported.keys() & runs_by_label.keys()
        legend(fig, looks | ({"reported": REPORTED} if shown else {}), columns=3)
    return fig


def _staggered(y: float, n: int, apart: float) -> Any:
    """Return heights that differ for values next to each other, so that none hides another."""
    return y + apart * (np.arange(n) % 3 - 1)


def _seeds(runs: Sequence[Run]) -> str:
    return seeds_text(runs).replace(", ", ",\n")


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

    Examples
    --------
    >>> fu.plots.equivalence(fu.equivalence.compare(fu.equivalence.BFLOAT16))
    <Figure size ... with 1 Axes>
    """
    if not any(item.ours for item in comparisons):
        return no_runs_note("the models to compare", diverged=False)
    names = [item.experiment.title for item in comparisons]
    with row_figure(names, room=1.8, stretch=1.2) as (fig, ax):
        mark_zero(ax, MARGIN)
        for y, item in enumerate(comparisons):
            _draw_comparison(ax, y, item)
        ax.set_xlabel("test accuracy − mean of ours\n(percentage points)")
        looks = {
            "one seed, ours": marks("o", **_OURS),
            f"one seed, {_method_name({item.method for item in comparisons})}": marks(
                "s", **_OTHER
            ),
            "difference of means, 90 % interval": _INTERVAL
            | {"marker": "D", "markerfacecolor": "white", "markersize": 7},
            f"margin ±{MARGIN} points": shade(),
        }
        legend(fig, looks, columns=1)
    return fig


def ranking(runs_by_label: Mapping[str, Sequence[Run]], baseline: str) -> Figure:
    """Rank models by test accuracy after the last epoch, as differences from one of them.

    At the left the accuracy minus the baseline's mean, with Welch's 95 % interval of the
    difference of the means, for which both need two runs. At the right how much more accurate a
    model is on its training images. No losses: a penalty on weights is part of its model's loss.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        The best stands on top; models without runs stand below all others. Those that diverged
        are left out, and counted.
    baseline : str
        The label of the model to compare with.

    Raises
    ------
    FmnistError
        When no model has the baseline's label.

    Examples
    --------
    >>> by_label = {"MLP": runs, "CNN": book.runs("cnn-1-conv")}
    >>> fu.plots.ranking(by_label, baseline="MLP")
    <Figure size ... with 2 Axes>
    """
    if baseline not in runs_by_label:
        raise FmnistError(
            f"There is no model {baseline!r} to compare with: name one of "
            f"{', '.join(runs_by_label)}."
        )
    if not finished(runs_by_label[baseline]):
        return no_runs_note("the model to compare with", bool(runs_by_label[baseline]))
    test = {name: accuracies(runs, "test").tolist() for name, runs in runs_by_label.items()}
    gaps = {name: accuracies(runs, "train") - test[name] for name, runs in runs_by_label.items()}
    zero = np.mean(test[baseline])
    ranked = sorted(test, key=lambda label: -np.mean(test[label] or -np.inf))
    layout: Any = {"room": 1.5, "stretch": 1.1}
    with row_figure(ranked, 2, **layout) as (fig, (left, right)):
        for y, label in enumerate(ranked):
            found = difference(runs_by_label[label], runs_by_label[baseline])
            interval = None if label == baseline or found is None else found[1:3]
            _draw_ranked(left, y, np.subtract(test[label], zero), interval)
            _draw_ranked(right, y, gaps[label])
            label_end(right, y, _seeds(runs_by_label[label]), GREY)
        for ax in (left, right):
            middle = ranked.index(baseline)
            ax.axhspan(middle - 0.45, middle + 0.45, color=SHADE, linewidth=0, zorder=0)
            mark_zero(ax)
        left.set_xlabel("test accuracy −\nbaseline (points)")
        right.set_xlabel("training − test\naccuracy (points)")
        looks = {
            "one seed": marks("o", **_OURS),
            "mean": marks("D", **_MEAN),
            "95 % interval of the difference": _INTERVAL,
            "baseline": shade(),
        }
        legend(fig, looks, columns=2)
    return fig


def _draw_ranked(
    ax: Axes, y: int, values: Any, interval: tuple[float, float] | None = None
) -> None:
    """Draw single runs above their mean and its interval."""
    ax.plot(np.sort(values), _staggered(y - 0.16, len(values), 0.1), "o", **_OURS)
    if interval:
        ax.plot(interval, [y + 0.24] * 2, zorder=3, **_INTERVAL)
    if len(values):
        ax.plot(np.mean(values), y + 0.24, "D", zorder=4, **_MEAN)


def _draw_comparison(ax: Axes, y: int, item: Comparison) -> None:
    """Draw our runs above and the other method's below the interval of their difference."""
    if item.ours:
        middle = np.mean(item.ours)
        ax.plot(np.subtract(item.ours, middle), np.full(len(item.ours), y - 0.2), "o", **_OURS)
        ax.plot(np.subtract(item.other, middle), np.full(len(item.other), y + 0.2), "s", **_OTHER)
    found = item.difference
    if found is None:
        seeds = min(len(item.ours), len(item.other))
        label_end(ax, y, f"{seeds} of {SEEDS}\nseeds", GREY)
        return
    ax.plot([found.low, found.high], [y, y], zorder=3, **_INTERVAL)
    ax.plot(found.mean, y, "D", zorder=4, **_MEAN)
    word = "equivalent" if found.equivalent else "not\nequivalent"
    alike = Outcome.REPRODUCED if found.equivalent else Outcome.NOT_REPRODUCED
    label_end(ax, y, word, alike.look.color)


def _method_name(methods: set[Method]) -> str:
    """Name a method in a few words; several have no name in common."""
    if methods == {PLAIN_FIT}:
        return "Keras' own fit"
    if methods == {SEEDED_FIT}:
        return "Keras' own fit, seeded"
    return "bfloat16" if methods == {Method("mixed_bfloat16")} else "the other method"


def interaction(groups: Mapping[tuple[str, str], Sequence[Run]], x: str, line: str) -> Figure:
    """Draw a study with two factors: whether the effect of one depends on the other.

    Each mean test accuracy after the last epoch stands with its 95 % confidence interval (Student's
    t), which needs two runs. Where lines are parallel, the factors do not interact.

    Parameters
    ----------
    groups : mapping of (str, str) to sequence of Run
        Values of both factors to runs. One without runs is left out, as are those that diverged.
    x : str
        Name of the first factor, whose values stand along the axis in the order of `groups`.
    line : str
        Name of the second factor, each of whose values has a line.

    Examples
    --------
    >>> groups = {("none", "MLP"): runs, ("one", "MLP"): book.runs("mlp-1-hidden")}
    >>> fu.plots.interaction(groups, x="hidden layers", line="model")
    <Figure size ... with 1 Axes>
    """
    scores = {key: accuracies(runs, "test").tolist() for key, runs in groups.items()}
    scores = {key: found for key, found in scores.items() if found}
    if not scores:
        return no_runs_note("this study", any(groups.values()))
    places = list(dict.fromkeys(place for place, _ in scores))
    names = list(dict.fromkeys(name for _, name in scores))
    with figure(height=3.6) as (fig, ax):
        shifts = 0.08 * (np.arange(len(names)) - (len(names) - 1) / 2)
        for i, name in enumerate(names):
            of_line = {p: scores[p, name] for p in places if (p, name) in scores}
            at = [places.index(place) + shifts[i] for place in of_line]
            _draw_line(ax, at, list(of_line.values()), name, i)
        ax.set_xticks(range(len(places)), [folded(place) for place in places])
        ax.set_xlim(-0.5, len(places) - 0.5)
        ax.grid(axis="x", visible=False)
        ax.set_xlabel(x)
        ax.set_ylabel("test accuracy (%)")
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
        at, [np.mean(values) for values in groups], [mean_half_width(values) for values in groups],
        color=color, marker=marker, linestyle=("-", "--", "-.", ":")[i % 4], label=name,
        capsize=4, markersize=7, markeredgecolor="white", zorder=3,
    )  # fmt: skip


def deviations(store: RunStore = STORE) -> Figure:
    """Draw how far our mean lies from each reported accuracy, a row for each report and split.

    One mark for each model that has three runs or more; colour and shape are the verdict's.

    Examples
    --------
    >>> fu.plots.deviations()
    <Figure size ... with 1 Axes>
    """
    rows: dict[tuple[str, str], list[Verdict]] = {}
    for report, verdict in accuracy_verdicts(store):
        if verdict.word != Outcome.PENDING:
            name = f"{report.short_name}\n{SPLIT_WORDS[verdict.claim.split or 'test']}"
            rows.setdefault((report.id, name), []).append(verdict)
    if not rows:
        return note("No accuracy with at least three runs to hold it against yet.")
    with row_figure([name for _, name in rows], room=1.8) as (fig, ax):
        mark_zero(ax, QUANTITIES["accuracy"].margin)
        for y, verdicts in enumerate(rows.values()):
            for i, verdict in enumerate(sorted(verdicts, key=_distance)):
                ax.plot(_distance(verdict), y + 0.16 * (i % 3 - 1), **_mark(verdict.word))
        ax.set_xlabel("ours − reported\n(percentage points)")
        words = dict.fromkeys(verdict.word for found in rows.values() for verdict in found)
        looks: dict[str, Any] = {word: _mark(word) for word in Outcome if word in words}
        legend(fig, looks | {"within the margin": shade()}, columns=2)
    return fig


def _distance(verdict: Verdict) -> float:
    """Return our mean minus the reported value in percentage points."""
    assert verdict.mean is not None
    return to_axis(verdict.claim) * (verdict.mean - verdict.claim.number)


def _mark(word: Outcome) -> dict[str, Any]:
    """Return the looks of a verdict's mark, in the figure and in its legend."""
    return {**word.look.drawn, "linestyle": "none", "markeredgewidth": 1.5}
