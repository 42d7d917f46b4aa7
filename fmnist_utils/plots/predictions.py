"""What runs predict: which class for which, and which images wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from fmnist_utils.data import CLASS_NAMES, FashionMNIST
from fmnist_utils.plots.canvas import Floats, figure, marked, note
from fmnist_utils.plots.images import grid, pick
from fmnist_utils.runs import Run


def confusion_matrix(
    runs: Sequence[Run] | ArrayLike, class_names: Sequence[str] = CLASS_NAMES
) -> Figure:
    """Draw which class is taken for which, in percent of each true class.

    Parameters
    ----------
    runs : sequence of Run, or array_like of shape (classes, classes)
        Runs, of whose last epochs the mean is taken; or counts, true class by predicted class.
    class_names : sequence of str
    """
    counts = _mean_confusion(runs)
    if counts is None:
        return note("There is no run of this experiment yet.")
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
        ax.set_xticks(middles, class_names, rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(middles, class_names)
    return fig


def _percents(shares: Floats) -> NDArray[np.str_]:
    """Write one decimal, but a plain 0 where nothing is: zeros should not crowd the rest."""
    return np.where(shares < 0.05, "0", np.char.mod("%.1f", shares))


def _mean_confusion(runs: Any) -> Floats | None:
    if isinstance(runs, Sequence) and all(isinstance(run, Run) for run in runs):
        matrices = [run.final.test_confusion for run in runs]
        return np.mean(matrices, axis=0) if matrices else None
    return np.asarray(runs, float)


def misclassified(
    data: FashionMNIST,
    run: Run,
    true: int | None = None,
    predicted: int | None = None,
    count: int = 8,
    seed: int = 0,
) -> Figure:
    """Show test images that a run predicted wrongly.

    A run that was not tested on these images (they are synthetic, or it was tested on a part of
    them) gives a figure that says so: a preview must not fail.

    Parameters
    ----------
    data : FashionMNIST
    run : Run
    true, predicted : int, optional
        Only images of this class, or taken for this class.
    count : int
        At most so many images.
    seed : int
        Which ones.
    """
    labels, predictions = data.test_labels, run.predictions
    if data.source != "real" or len(labels) != len(predictions):
        why = "Which images a run gets wrong needs the real data set and a run tested on all of it."
        return marked(note(why), data)
    wrong = labels != predictions
    if true is not None:
        wrong &= labels == true
    if predicted is not None:
        wrong &= predictions == predicted
    pool = np.flatnonzero(wrong)
    if not len(pool):
        return note("The run gets none of these images wrong.")
    picked = pick(pool, min(count, len(pool)), np.random.default_rng(seed))
    names = data.class_names
    titles = [f"{names[labels[i]]},\ntaken for {names[predictions[i]]}" for i in picked]
    return grid(data.test_images[picked], titles, columns=min(len(picked), 4))
