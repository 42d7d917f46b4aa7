"""What runs predict: which class for which, and which images wrongly."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Literal, TypeVar

import numpy as np
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.plots.images import draw, grid
from fmnist_utils.plots.panels import Panels, panels
from fmnist_utils.plots.style import Floats, figure, marked, note
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.disputed import Disputed
from fmnist_utils.verdicts.outcome import Word

Key = TypeVar("Key", bound=Hashable)


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


def predictions(data: FashionMNIST, run: Run) -> Figure:
    """Show 15 test images drawn at random, each with its class and with the class a run predicts.

    Below the true class stands the predicted one, after a tick when it is right and a cross when
    it is wrong, and its probability. An older record keeps no probabilities: they are left out.

    Parameters
    ----------
    data : FashionMNIST
    run : Run
        One that was not tested on these images gives a figure that says so; see `mistaken`.
    """
    if untested := _not_tested_on(data, run):
        return untested
    labels, classes, percents = data.test_labels, run.predictions, run.confidences
    picked = draw(len(labels), 15)
    right = labels == classes
    titles = [
        f"{data.class_names[labels[i]]}\n{'✓' if right[i] else '✗'} {data.class_names[classes[i]]}"
        + ("" if percents is None else f", {percents[i]} %")
        for i in picked
    ]
    fig = grid(data.test_images[picked], titles, columns=5)
    for ax, i in zip(fig.axes, picked, strict=False):
        # The longest title just fits its image.
        ax.title.set(fontsize=9, color="black" if right[i] else Word.NOT_REPRODUCED.look.color)
    return fig


def _not_tested_on(data: FashionMNIST, run: Run) -> Figure | None:
    """Return a figure that explains it when a run was not tested on these images, else None."""
    if data.source == "real" and len(data.test_labels) == len(run.predictions):
        return None
    why = "What a run predicts for which image needs the real data set and a run tested on it all."
    return marked(note(why), data)


def mistaken(data: FashionMNIST, runs: Sequence[Run], pairs: Sequence[tuple[int, int]]) -> Figure:
    """Show test images taken for another class, each above a training image of that class.

    The mistakes are those of the last of the runs, at its last epoch. A run that was not tested on
    these images (they are synthetic, or it was tested on a part of them) gives a figure that says
    so: a preview must not fail.

    Parameters
    ----------
    data : FashionMNIST
    runs : sequence of Run
        Of one experiment.
    pairs : sequence of (int, int)
        True and predicted class of each column, one to four. A pair that is repeated shows other
        images; one that did not happen so often says so in its column.

    Raises
    ------
    FmnistError
        When there is no pair, or more than four.
    """
    if not 1 <= len(pairs) <= 4:
        raise FmnistError(f"{len(pairs)} pairs do not fit side by side: ask for one to four.")
    if not runs:
        return note("There is no run of this experiment yet.")
    if untested := _not_tested_on(data, runs[-1]):
        return untested
    rng = np.random.default_rng(0)
    names, labels, classes = data.class_names, data.test_labels, runs[-1].predictions
    taken = [predicted for _, predicted in pairs]
    wrong = _each_anew(pairs, lambda pair: (labels == pair[0]) & (classes == pair[1]), rng)
    right = _each_anew(taken, lambda label: data.train_labels == label, rng)
    above = [_image(data.test_images, at) for at in wrong]
    below = [_image(data.train_images, at) for at in right]
    titles = [f"{names[true]},\ntaken for {names[label]}" for true, label in pairs]
    titles += [names[label] for label in taken]
    fig = grid(np.stack([*above, *below]), titles, columns=len(pairs))
    for i, at in enumerate(wrong):
        if at is None:
            never = wrong[pairs.index(pairs[i])] is None
            which = "no such\nmistake" if never else "no other\nsuch mistake"
            fig.axes[i].text(13.5, 13.5, which, ha="center", va="center")
    return fig


def _each_anew(
    keys: Sequence[Key], pool: Callable[[Key], NDArray[np.bool_]], rng: np.random.Generator
) -> list[int | None]:
    """Draw an image for every key, another one where a key is repeated, None when none is left."""
    shuffled = {
        key: iter(rng.permutation(np.flatnonzero(pool(key)))) for key in dict.fromkeys(keys)
    }
    return [next(shuffled[key], None) for key in keys]


def _image(images: NDArray[np.uint8], at: int | None) -> NDArray[np.uint8]:
    """Return one image, a white one for None."""
    return np.full_like(images[0], 255) if at is None else images[at]


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
