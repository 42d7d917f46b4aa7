"""What runs predict: which class for which, and which images wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FashionMNIST
from fmnist_utils.plots.images import grid
from fmnist_utils.plots.panels import Panels, panels
from fmnist_utils.plots.style import Floats, figure, marked, note
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.disputed import Disputed


def confusion_matrix(runs: Sequence[Run], at: Literal["final", "best"] = "final") -> Figure:
    """Draw which class is taken for which, in percent of each true class.

    Parameters
    ----------
    runs : sequence of Run
        The mean of their counts is taken.
    at : {"final", "best"}
        The last epoch, or the best validation epoch.
    """
    if not runs:
        return note("There is no run of this experiment yet.")
    counts = np.mean([getattr(run, at).test_confusion for run in runs], axis=0)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with figure(height=6.3) as (fig, ax):
        sns.heatmap(
            shares, ax=ax, cmap="Blues", norm=PowerNorm(0.4, 0, 100),
            annot=_percents(shares), fmt="", annot_kws={"fontsize": 9},
            linewidths=0.5, linecolor="white", xticklabels=False, yticklabels=False,
            cbar_kws={"ticks": [0, 1, 5, 20, 50, 100], "label": "share of the true class (%)"},
        )  # fmt: skip
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
        ax.tick_params(length=0)
        middles = np.arange(len(counts)) + 0.5
        ax.set_xticks(middles, CLASS_NAMES, rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(middles, CLASS_NAMES)
    return fig


def _percents(shares: Floats) -> NDArray[np.str_]:
    """Write one decimal, but a plain 0 where nothing is: zeros should not crowd the rest."""
    return np.where(shares < 0.05, "0", np.char.mod("%.1f", shares))


def disputed(data: FashionMNIST, found: Disputed, share: float = 1.0) -> Panels | Figure:
    """Show the test images of which nearly all runs say the same other class.

    Parameters
    ----------
    data : FashionMNIST
    found : Disputed
        What the runs say; see `verdicts.disputed`.
    share : float
        At least so many of the runs agree.

    Examples
    --------
    >>> fu.plots.disputed(data, fu.verdicts.disputed(data))  # no run has seen synthetic images
    <Figure size ... with 1 Axes>
    """
    picked = found.candidates(share)
    if not len(picked):
        return marked(note("There is no image of which so many runs say the same class."), data)
    names = data.class_names
    words = [(names[found.labels[i]], names[found.said[i]]) for i in picked]
    titles = [f"label: {given}\nruns: {said}" for given, said in words]
    alt = [
        f"Test image {i}, labelled {given}; {100 * found.agreed[i]:.0f} % of the runs say {said}."
        for i, (given, said) in zip(picked, words, strict=True)
    ]
    fig = grid(data.test_images[picked], titles, columns=5)
    for ax in fig.axes[len(picked) :]:
        ax.set_visible(False)
    of = "all" if share == 1 else f"at least {100 * share:.0f} %"
    caption = f"Test images of which {of} of {found.runs} runs say the same other class"
    return panels(fig, alt, "photo", caption)
