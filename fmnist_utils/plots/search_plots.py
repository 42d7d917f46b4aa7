"""What a hyperparameter search tried, and what came of it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from fmnist_utils import tuning
from fmnist_utils.plots.forest import REPORTED
from fmnist_utils.plots.labels import label_end, label_rows, legend, marks, row_figure
from fmnist_utils.plots.style import BLUE, GREY, Floats, bare, figure, note
from fmnist_utils.reports.search import Parameter, Search, Setting
from fmnist_utils.stats import percentile_interval
from fmnist_utils.text import key_text
from fmnist_utils.tuning import Trials, TuningError

#: Draws of the bootstrap: the ends of a 95 % interval then stand still to the eye.
_DRAWS = 1_000

#: How many of the best trials are drawn strong.
_TOP = 5


def _not_run() -> Figure:
    return note("This search has not been run yet.")


def _has_scores(trials: Trials) -> bool:
    return any(map(math.isfinite, trials.scores))


def _is_loss(trials: Trials) -> bool:
    return trials.objective == "val_loss"


def _measure(trials: Trials) -> str:
    return "validation loss (nats)" if _is_loss(trials) else "validation accuracy (%)"


def _written(score: float, trials: Trials) -> str:
    """Write a score of the axis with its unit."""
    if not math.isfinite(score):
        return "diverged"
    return f"{score:.3f} nats" if _is_loss(trials) else f"{score:.2f} %"


def _to_axis(scores: Any, trials: Trials) -> Floats:
    """Return scores in percent or in nats."""
    return (1 if _is_loss(trials) else 100) * np.array(scores, float)


def _near(scores: Floats) -> NDArray[np.bool_]:
    """Mark the scores, best first, that an axis can hold and still tell the best ones apart.

    Not those that lie four times as far from the best as half of them do: a network that learned
    nothing would leave the others a single spot.
    """
    distances: Floats = np.abs(scores - scores[0])
    reach = 4 * np.nanmedian(distances)
    near: NDArray[np.bool_] = distances <= (reach if reach > 0 else np.inf)
    return near


def _near_scores(trials: Trials) -> Floats:
    """Return the scores that an axis can hold, best first."""
    scores = _to_axis([trial.score for trial in trials.ranked], trials)
    return scores[_near(scores)]


# --- how good the trials are ---------------------------------------------------------------------


def expected_best(trials: Trials | None, reference: Mapping[str, float] | None = None) -> Figure:
    """Draw how the best score of a search grows with the number of its trials.

    Over each number of trials stands the score that the best of so many, drawn at random from all
    that were trained, has on average (`tuning.expected_best`; Dodge et al. 2019), with a 95 %
    percentile interval from 1,000 bootstrap draws of the trials. To the right, where all hangs on
    the few best trials, the interval is too narrow: no draw is better than the best trial (Tang
    et al. 2020).

    Parameters
    ----------
    trials : Trials, optional
        Those that could not be built or diverged (NaN) are left out. Where some learned nothing,
        the curve comes from beyond the axis, and the score of one trial is written.
    reference : mapping of str to float, optional
        Label to a score in percent (a loss in nats), drawn as a level line.
    """
    if trials is None or not _has_scores(trials):
        return _not_run()
    scores = [score for score in trials.scores if math.isfinite(score)]
    curve, levels = _curve(scores, trials), reference or {}
    numbers = np.arange(1, len(scores) + 1)
    drawn = np.random.default_rng(0).choice(scores, (_DRAWS, len(scores)))
    low, high = percentile_interval([_curve(draw, trials) for draw in drawn])
    with figure(height=4.2) as (fig, ax):
        ax.fill_between(
            numbers, low, high, color=BLUE, alpha=0.2, linewidth=0, label="95 % bootstrap interval"
        )
        ax.plot(
            numbers, curve, "o-", color=BLUE, markersize=4, linewidth=2,
            label=f"ours, {len(scores)} trained trials",
        )  # fmt: skip
        _draw_levels(ax, levels, trials)
        _cut(ax, curve, [*_near_scores(trials), *levels.values()], trials)
        ax.set_xlim(0.5, len(scores) + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True))
        ax.set_xlabel("number of trials")
        ax.set_ylabel(f"expected best\n{_measure(trials)}")
        fig.legend(loc="outside upper center", ncols=2)
    return fig


def _curve(scores: Any, trials: Trials) -> Floats:
    """Return the expected best of 1, 2, ... trials."""
    sign = -1 if _is_loss(trials) else 1
    signed = (sign * np.asarray(scores)).tolist()
    best = [tuning.expected_best(signed, n) for n in range(1, len(signed) + 1)]
    return sign * _to_axis(best, trials)


def _draw_levels(ax: Axes, levels: Mapping[str, float], trials: Trials) -> None:
    for i, (label, value) in enumerate(levels.items()):
        ax.axhline(
            value, color="black", linestyle=("--", ":", "-.", (0, (8, 3)))[i % 4], linewidth=1.3,
            label=f"{label}: {_written(value, trials)}", zorder=1.5,
        )  # fmt: skip


def _cut(ax: Axes, curve: Floats, shown: Sequence[float], trials: Trials) -> None:
    """Limit the axis to the scores that must be shown; note where a curve enters it."""
    reach = 1.1 * np.abs(np.subtract(shown, curve[-1])).max()
    inside = np.abs(curve - curve[-1]) <= reach
    if inside[0]:
        return
    loss, first = _is_loss(trials), int(np.argmax(inside)) + 1
    if loss:
        ax.set_ylim(min(shown) - 0.1 * reach, curve[-1] + reach)
    else:
        ax.set_ylim(curve[-1] - reach, max(shown) + 0.1 * reach)
    ax.annotate(
        f"one trial: {_written(curve[0], trials)}", (first, 1 if loss else 0),
        (8, -14 if loss else 6), xycoords=("data", "axes fraction"), textcoords="offset points",
    )  # fmt: skip


def trial_scores(trials: Trials | None, reported: Mapping[str, float] | None = None) -> Figure:
    """Draw the score of every trial, best first, beside those that the report prints.

    Where a trial was trained several times, ticks show each training. A trial that would squeeze
    the others into a spot is written as a number at the edge.

    Parameters
    ----------
    trials : Trials, optional
        Those that could not be built have no score.
    reported : mapping of str to float, optional
        Label to score in percent (a loss in nats); drawn in the order of rank.
    """
    if trials is None or not _has_scores(trials):
        return _not_run()
    ranked, loss = trials.ranked, _is_loss(trials)
    printed = sorted((reported or {}).items(), key=lambda item: item[1], reverse=not loss)
    names = [f"{rank}. trial {trial.number}" for rank, trial in enumerate(ranked, start=1)]
    names += [f"{rank}." for rank in range(len(names) + 1, len(printed) + 1)]
    with figure(height=1.3 + 0.19 * len(names)) as (fig, ax):
        _draw_scores(ax, trials)
        for y, (label, score) in enumerate(printed):
            ax.plot(score, y, zorder=4, **REPORTED | {"markersize": 7})
            label_end(ax, y, label, "black")
        label_rows(ax, names)
        ax.tick_params(axis="y", labelsize=9)
        # To the right is better.
        ax.xaxis.set_inverted(loss)
        ax.set_xlabel(_measure(trials))
        several = any(len(trial.executions) > 1 for trial in ranked)
        legend(fig, _score_looks(several, bool(printed)), columns=3)
    return fig


def _draw_scores(ax: Axes, trials: Trials) -> None:
    scores = _to_axis([trial.score for trial in trials.ranked], trials)
    near = _near(scores)
    for y, (trial, score) in enumerate(zip(trials.ranked, scores, strict=True)):
        if not near[y]:
            ax.text(
                0, y, f"◂ {_written(score, trials)}", fontsize=9, color=GREY, va="center_baseline",
                transform=ax.get_yaxis_transform(),
            )  # fmt: skip
            continue
        each = _to_axis([execution.score for execution in trial.executions], trials)
        if len(each) > 1:
            ax.plot(each, [y] * len(each), "|-", color=GREY, linewidth=0.8, markersize=7)
        ax.plot(score, y, "o", color=BLUE, markersize=5, zorder=3)


def _score_looks(several: bool, reported: bool) -> dict[str, Any]:
    mean = "our trial, mean of its trainings" if several else "our trial"
    looks = {mean: marks("o", color=BLUE, markersize=5)}
    if several:
        looks["one training"] = marks("|", color=GREY, markersize=7)
    return looks | ({"reported": REPORTED | {"markersize": 7}} if reported else {})


# --- what was tried ------------------------------------------------------------------------------


def parallel_coordinates(search: Search, trials: Trials | None) -> Figure:
    """Draw every trial as a line through its settings to its score.

    One vertical axis per parameter, the score last, best on top. Choices stand at equal distances
    in the order of the report, intervals to scale; in lists, T is true and F is false. The best
    lines run side by side where they share a value.

    Parameters
    ----------
    search : Search
    trials : Trials, optional
        Those that could not be built have no score, and no line. Scores far below the others end
        at the foot of the score's axis.
    """
    if trials is None or not _has_scores(trials):
        return _not_run()
    scores = _to_axis([trial.score for trial in trials.ranked], trials)
    near = _near_scores(trials)
    worst, best = near[-1], near[0]
    heights = [_height(score, worst, best) for score in scores]
    with figure(height=6) as (fig, ax):
        for x, item in enumerate(search.space.values()):
            _draw_axis(ax, x, [(_place(item, value), _text(value)) for value in _marks(item)])
        _draw_axis(ax, len(search.space), _score_marks(worst, best, len(near) < len(scores)))
        for rank in reversed(range(len(scores))):
            shift = 0.016 * ((_TOP - 1) / 2 - rank) if rank < _TOP else 0
            path = _path(search, trials.ranked[rank].settings, shift)
            ax.plot([*path, heights[rank]], **_look(rank))
        _label_axes(ax, [*search.space, _measure(trials)])
        legend(fig, _line_looks(trials, scores), columns=3)
    return fig


def _height(score: float, worst: float, best: float) -> float:
    """Return the height of a score: 0 for the worst that is shown, 1 for the best."""
    if not math.isfinite(score):
        return 0.0
    return float(np.clip((score - worst) / (best - worst), 0, 1)) if best != worst else 1.0


def _place(item: Parameter, value: Any) -> float:
    """Return the height of a value on its axis, between 0 and 1."""
    if item.choices is not None:
        return (item.choices.index(value) + 0.5) / len(item.choices)
    low, high = item.low or 0, item.high or 0
    if item.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return float((value - low) / (high - low))


def _path(search: Search, settings: Mapping[str, Setting], shift: float) -> list[float]:
    """Return the heights of all settings; a shift keeps lines through one value apart."""
    return [
        _place(item, settings[name]) + (shift if item.choices or item.step else 0)
        for name, item in search.space.items()
    ]


def _marks(item: Parameter) -> Sequence[Setting]:
    """Choose the values that an axis names."""
    if item.choices is not None or item.step is not None:
        each = 1 if item.choices else math.ceil(len(item.values) / 8)
        return item.values[::each]
    low, high = item.low or 0, item.high or 0
    locator = LogLocator() if item.log else MaxNLocator(5)
    inside = [float(value) for value in locator.tick_values(low, high) if low <= value <= high]
    return inside if len(inside) > 1 else item.values


def _score_marks(worst: float, best: float, cut: bool) -> list[tuple[float, str]]:
    """Choose round scores; the foot of the axis stands for all below when it is cut."""
    if best == worst:
        return [(1.0, f"{best:.4g}")]
    ticks = MaxNLocator(6).tick_values(*sorted((worst, best)))
    places = [(float((tick - worst) / (best - worst)), f"{tick:g}") for tick in ticks]
    marks = [(place, text) for place, text in places if (0.05 if cut else 0) <= place <= 1]
    return [(0.0, "worse"), *marks] if cut else marks


def _text(value: Setting) -> str:
    if not isinstance(value, tuple):
        return str(value).lower() if isinstance(value, bool) else _short(value)
    return textwrap.fill(" ".join(map(_short, value)), 8, break_long_words=False)


def _short(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return value if isinstance(value, str) else f"{value:g}"


def _draw_axis(ax: Axes, x: int, marks: Sequence[tuple[float, str]]) -> None:
    ax.plot([x, x], [-0.04, 1.04], color="black", linewidth=0.8, zorder=2)
    for place, text in marks:
        ax.plot([x - 0.04, x], [place, place], color="black", linewidth=0.8, zorder=2)
        ax.text(
            x - 0.07, place, text, ha="right", va="center", fontsize=9.5, linespacing=1, zorder=5,
            bbox={"color": "white", "alpha": 0.65, "pad": 0.2},
        )  # fmt: skip


def _look(rank: int) -> dict[str, Any]:
    if rank >= _TOP:
        return {"color": "#b0b0b0", "linewidth": 0.8, "alpha": 0.7, "zorder": 1}
    palette = sns.color_palette("colorblind")
    return {
        "color": palette[rank % len(palette)],
        "linestyle": ("-", "--", "-.", ":", (0, (8, 2)))[rank % 5],
        "linewidth": 2.2,
        "zorder": 4,
    }


def _label_axes(ax: Axes, names: Sequence[str]) -> None:
    words = [textwrap.fill(key_text(name), 14) for name in names]
    ax.set_xticks(range(len(names)), words, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks([])
    bare(ax)
    ax.set_xlim(-0.05, len(names) - 0.95)
    ax.set_ylim(-0.04, 1.04)


def _line_looks(trials: Trials, scores: Floats) -> dict[str, Any]:
    looks = {
        f"{rank + 1}. trial {trial.number}: {_written(scores[rank], trials)}": _look(rank)
        for rank, trial in enumerate(trials.ranked[:_TOP])
    }
    if (others := len(scores) - _TOP) > 0:
        looks[f"the other {others} trial{'s' * (others != 1)}"] = _look(_TOP)
    return looks


# --- what mattered -------------------------------------------------------------------------------


def importance(search: Search, trials: Trials | None) -> Figure:
    """Draw how much each parameter predicts the rank of a trial, the most important on top.

    By how many places the predicted rank of a trial is further off when the parameter is shuffled
    (`tuning.importance`). A parameter whose error bar reaches zero may not matter at all.

    Parameters
    ----------
    search : Search
    trials : Trials, optional
        Fewer than five that were trained give a figure that says so.
    """
    if trials is None or not _has_scores(trials):
        return _not_run()
    try:
        found = tuning.importance(search, trials)
    except TuningError as error:
        return note(str(error))
    names = sorted(found, key=lambda name: found[name][0], reverse=True)
    means, sds = np.transpose([found[name] for name in names])
    with row_figure([key_text(name) for name in names], room=1.3, stretch=0.6) as (fig, ax):
        ax.barh(range(len(names)), means, 0.6, color=BLUE, label="mean")
        ax.errorbar(
            means, range(len(names)), xerr=sds, fmt="none", color="black", elinewidth=1.3,
            capsize=3, label="± standard deviation",
        )  # fmt: skip
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_xlabel("rise of the error in a trial's predicted rank (places)")
        fig.legend(loc="outside upper center", ncols=2)
    return fig
