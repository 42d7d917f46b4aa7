"""How good a training gets, against the time that it takes."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from fmnist_utils.baselines.fast_training import read_fast_runs
from fmnist_utils.plots.labels import legend, marks
from fmnist_utils.plots.style import BLUE, GREY, ORANGE, figure, note

_MARKS: tuple[Any, ...] = (
    marks("o", color=BLUE, markersize=5), marks("s", color=ORANGE, markersize=5),
    marks("^", color=GREY, markersize=6),
)  # fmt: skip


def fast_trainings() -> Figure:
    """Draw the test accuracy of each fast training against its seconds; lines are the goals.

    Examples
    --------
    >>> fu.plots.fast_trainings()
    <Figure size ... with 1 Axes>
    """
    by_goal = read_fast_runs()
    if not by_goal:
        return note("There is no fast training yet.")
    looks = dict(zip(by_goal, _MARKS, strict=False))
    with figure(height=3.0) as (fig, ax):
        for goal, runs in by_goal.items():
            ax.axhline(float(goal), color=GREY, linewidth=0.8, zorder=0)
            for run in runs:
                ax.plot(run.seconds, run.accuracy, **looks[goal])
        ax.set_xlim(left=0)
        ax.set_xlabel("time from start to last prediction (s)")
        ax.set_ylabel("test accuracy (%)")
        legend(fig, {f"recipe for {goal} %": look for goal, look in looks.items()})
    return fig
