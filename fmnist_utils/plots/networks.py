"""The networks of all reports under one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fmnist_utils import stats
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.models.cost import multiply_adds
from fmnist_utils.plots.labels import legend, marks
from fmnist_utils.plots.style import BLUE, GREY, ORANGE, figure, marked, note, series
from fmnist_utils.runs.record import accuracies
from fmnist_utils.verdicts.across_reports import Model, answers_of, network_name
from fmnist_utils.verdicts.disputed import tested_on

_ON_FRONT: Any = marks("o", color=ORANGE, markersize=8)
_OTHER: Any = marks("s", color=BLUE, markersize=5)


def pareto(found: Sequence[Model]) -> Figure:
    """Draw accuracy against arithmetic, and the networks that no other beats in both.

    Each mean test accuracy at the best epoch stands with its 95 % interval (Student's t), and with
    the network's number in `tables.networks`.

    Parameters
    ----------
    found : sequence of Model
        See `verdicts.one_protocol`: the most accurate first.

    Examples
    --------
    >>> fu.plots.pareto(fu.verdicts.one_protocol())
    <Figure size ... with 1 Axes>
    """
    if not found:
        return note("There is no run under the one protocol yet.")
    cost = [multiply_adds(model.experiment.build()) / 1e6 for model in found]
    scores = [accuracies(model.runs, "test", "best") for model in found]
    means = [float(each.mean()) for each in scores]
    front = on_front(cost, means)
    with figure(height=4.0) as (fig, ax):
        for i, (x, y) in enumerate(zip(cost, means, strict=True)):
            half_width = stats.mean_half_width(scores[i].tolist())
            ax.plot([x, x], [y - half_width, y + half_width], color=GREY, linewidth=1, zorder=1)
            ax.plot(x, y, **(_ON_FRONT if i in front else _OTHER))
            beside: Any = {"xytext": (-5, 4), "ha": "right"} if i in front else {"xytext": (5, -11)}
            ax.annotate(str(i + 1), (x, y), textcoords="offset points", fontsize=10, **beside)
        line = sorted((cost[i], means[i]) for i in front)
        ax.plot(*zip(*line, strict=True), color=ORANGE, linewidth=1, zorder=0)
        ax.set_xscale("log")
        for tick in (*ax.xaxis.get_major_ticks(), *ax.xaxis.get_minor_ticks()):
            tick.label1.set_parse_math(True)  # a power of ten
        ax.set_xlabel("multiply–adds for one image (millions)")
        ax.set_ylabel("test accuracy (%)")
        legend(fig, {"no other is more accurate and cheaper": _ON_FRONT, "another one is": _OTHER})
    return fig


def on_front(cost: Sequence[float], gain: Sequence[float]) -> list[int]:
    """Find what nothing else beats: is at least as good in both, and better in one.

    Parameters
    ----------
    cost, gain : sequence of float, shape (n,)
        The less of the first and the more of the second, the better.

    Returns
    -------
    list of int
        Indices from 0, in their order.

    Examples
    --------
    >>> fu.plots.on_front([1, 2, 3], [90.0, 89.0, 91.0])
    [0, 2]
    """
    pairs = list(zip(cost, gain, strict=True))
    return [
        i
        for i, (x, y) in enumerate(pairs)
        if not any(a <= x and b >= y and (a, b) != (x, y) for a, b in pairs)
    ]


def reliability(found: Sequence[Model], data: FashionMNIST) -> Figure:
    """Draw how often predictions are right, against how sure the networks were of them.

    A point is a tenth of the range of confidences, of all seeds together; bins with fewer than 50
    predictions are left out. On the diagonal a network is right as often as it says.

    Parameters
    ----------
    found : sequence of Model
        A few of `verdicts.one_protocol`.
    data : FashionMNIST
        The real images: no run was tested on others.

    Examples
    --------
    >>> fu.plots.reliability(fu.verdicts.one_protocol(), data)  # no run saw synthetic images
    <Figure size ... with 1 Axes>
    """
    if not (found and tested_on(data)):
        return marked(note("No run was tested on these images."), data)
    with figure(height=3.5) as (fig, ax):
        ax.plot([0, 100], [0, 100], color="black", linewidth=0.8)
        looks = {}
        for i, model in enumerate(found):
            each = [answers_of(run, data.test_labels) for run in model.runs]
            sure, right = (np.concatenate(part) for part in zip(*each, strict=True))
            pooled = stats.reliability(sure, right)
            shown = pooled.counts >= _FEWEST
            x, y = 100 * pooled.confidence[shown], 100 * pooled.accuracy[shown]
            color, marker = series(i)
            look = {"color": color, "marker": marker, "markersize": 6}
            ax.plot(x, y, **look)
            looks[network_name(model)] = look
        ax.set_xlabel("confidence (%)")
        ax.set_ylabel("predictions that are right (%)")
        ax.set_xlim(0, 101)
        ax.set_ylim(0, 101)
        legend(fig, looks)
    return fig


#: Predictions that a bin must hold: their share of right ones is then known to ± 14 points.
_FEWEST = 50
