"""What a hyperparameter search tried, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.plots.forest import REPORTED
from fmnist_utils.plots.labels import label_end, label_rows, legend, marks
from fmnist_utils.plots.style import BLUE, GREY, Floats, figure, note
from fmnist_utils.tuning import Trials


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
    nothing would leave the others a single spot. What diverged has no place on it.
    """
    distances: Floats = np.abs(scores - scores[0])
    reach = 4 * np.nanmedian(distances)
    near: NDArray[np.bool_] = np.isfinite(scores) & (distances <= (reach if reach > 0 else np.inf))
    return near


# --- how good the trials are ---------------------------------------------------------------------


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

    Examples
    --------
    >>> trials = fu.search(fu.load_report("anastasopoulos-mpofu-smith"), "as-listed", data)
    >>> fu.plots.trial_scores(trials)
    <Figure size ... with 1 Axes>
    """
    if trials is None or not any(map(math.isfinite, trials.scores)):
        return note("This search has not been run yet.")
    ranked, loss = trials.ranked, _is_loss(trials)
    printed = sorted((reported or {}).items(), key=lambda item: item[1], reverse=not loss)
    names = [f"{rank}. trial {trial.number}" for rank, trial in enumerate(ranked, start=1)]
    names += [f"{rank}." for rank in range(len(names) + 1, len(printed) + 1)]
    with figure(height=1.4 + 0.2 * len(names)) as (fig, ax):
        _draw_scores(ax, trials)
        for y, (label, score) in enumerate(printed):
            ax.plot(score, y, zorder=4, **REPORTED | {"markersize": 7})
            label_end(ax, y, label, "black")
        label_rows(ax, names)
        # To the right is better.
        ax.xaxis.set_inverted(loss)
        ax.set_xlabel(_measure(trials))
        several = any(len(trial.executions) > 1 for trial in ranked)
        legend(fig, _score_looks(several, bool(printed)), columns=2)
    return fig


def _draw_scores(ax: Axes, trials: Trials) -> None:
    scores = _to_axis([trial.score for trial in trials.ranked], trials)
    near = _near(scores)
    for y, (trial, score) in enumerate(zip(trials.ranked, scores, strict=True)):
        if not near[y]:
            ax.text(
                0, y, f"◂ {_written(score, trials)}", fontsize=10, color=GREY, va="center_baseline",
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
