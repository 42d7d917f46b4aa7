"""Images: the data set, and what runs take its classes for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.plots.panels import Panels, panels
from fmnist_utils.plots.style import NARROW, WIDTH, Floats, bare, figure, marked, no_runs_note, note
from fmnist_utils.runs.record import Run, finished
from fmnist_utils.verdicts.disputed import Disputed


def samples(data: FashionMNIST, per_class: int = 1) -> Figure:
    """Show training images of every class.

    Parameters
    ----------
    data : FashionMNIST
    per_class : int
        With one, two rows of five; with more, a row per class.

    Raises
    ------
    FmnistError
        When a class has fewer images than asked for.

    Examples
    --------
    >>> fu.plots.samples(data)
    <Figure size ... with 10 Axes>
    """
    rng = np.random.default_rng(0)
    picked = np.stack([own[_pick(np.arange(len(own)), per_class, rng)] for own in _by_class(data)])
    if per_class == 1:
        return marked(_grid(picked[:, 0], data.class_names, columns=5), data)
    return marked(_montage(picked, data.class_names), data)


def mean_images(data: FashionMNIST) -> Figure:
    """Show the mean training image of every class.

    Examples
    --------
    >>> fu.plots.mean_images(data)
    <Figure size ... with 10 Axes>
    """
    means = np.stack([own.mean(axis=0) for own in _by_class(data)])
    return marked(_grid(means, data.class_names, columns=5), data)


def _by_class(data: FashionMNIST) -> list[NDArray[np.uint8]]:
    """Return the training images of every class."""
    return [data.train_images[data.train_labels == i] for i in range(len(data.class_names))]


def _pick(pool: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw without replacement."""
    if not 1 <= count <= len(pool):
        raise FmnistError(f"Cannot draw {count} of {len(pool)} images: ask for 1 to {len(pool)}.")
    return rng.choice(pool, count, replace=False)


def _grid(images: NDArray[Any], titles: Sequence[str], columns: int) -> Figure:
    """Draw grey images of shape (n, 28, 28) row by row, each below its title."""
    rows = math.ceil(len(images) / columns)
    lines = 1 + max(title.count("\n") for title in titles)
    side = WIDTH / max(columns, 4)
    height = rows * (side + 0.2 * lines)
    with figure(rows, columns, width=side * columns, height=height, squeeze=False) as (fig, axes):
        for ax in axes.flat:
            ax.axis("off")
        for ax, image, title in zip(axes.flat, images, titles, strict=False):
            ax.imshow(image, cmap="gray", vmin=0, vmax=255)
            ax.set_title(title, pad=4)
    return fig


def _montage(images: NDArray[np.uint8], names: Sequence[str]) -> Figure:
    """Draw images of shape (classes, n, 28, 28), a row for each class."""
    classes, n, size, _ = images.shape
    # One white pixel keeps neighbours apart.
    padded = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=255)
    sheet = padded.swapaxes(1, 2).reshape(classes * (size + 1), n * (size + 1))[:-1, :-1]
    side = min(0.8, (NARROW - 1.1) / n)
    with figure(width=side * n + 1.1, height=side * len(sheet) / (size + 1)) as (fig, ax):
        ax.imshow(sheet, cmap="gray", vmin=0, vmax=255)
        ax.set_yticks((size + 1) * np.arange(classes) + size / 2, names)
        ax.set_xticks([])
        bare(ax)
    return fig


def confusion_matrix(runs: Sequence[Run]) -> Figure:
    """Draw which class is taken for which, in percent of each true class.

    Parameters
    ----------
    runs : sequence of Run
        The mean of their counts after the last epoch is taken, but for runs that diverged.

    Examples
    --------
    >>> fu.plots.confusion_matrix(runs)
    <Figure size ... with 1 Axes>
    """
    if not (kept := finished(runs)):
        return no_runs_note("this experiment", bool(runs))
    counts = np.mean([run.final.test_confusion for run in kept], axis=0)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with figure(height=4.8) as (fig, ax):
        sns.heatmap(
            shares, ax=ax, cmap="Blues", norm=PowerNorm(0.4, 0, 100),
            annot=_percents(shares), fmt="", annot_kws={"fontsize": 10}, cbar=False,
            linewidths=0.5, linecolor="white", xticklabels=False, yticklabels=False,
        )  # fmt: skip
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class (a row sums to 100 %)")
        ax.tick_params(length=0)
        middles = np.arange(len(counts)) + 0.5
        ax.set_xticks(middles, CLASS_NAMES, rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(middles, CLASS_NAMES)
    return fig


def _percents(shares: Floats) -> NDArray[np.str_]:
    """Write one decimal, but a plain 0 where nothing is: zeros should not crowd the rest."""
    return np.where(shares < 0.05, "0", np.char.mod("%.1f", shares))


def disputed(
    data: FashionMNIST, found: Disputed, share: float = 1.0, most: int | None = None
) -> Panels | Figure:
    """Show the test images of which nearly all runs say the same other class.

    Parameters
    ----------
    data : FashionMNIST
    found : Disputed
        What the runs say; see `verdicts.disputed`.
    share : float
        At least so many of the runs agree.
    most : int, optional
        Show the first so many, in the order of the data set; all by default.

    Examples
    --------
    >>> fu.plots.disputed(data, fu.verdicts.disputed(data))  # no run has seen synthetic images
    <Figure size ... with 1 Axes>
    """
    every = found.candidates(share)
    picked = every[:most]
    if not len(picked):
        return marked(note("There is no image of which so many runs say the same class."), data)
    names = data.class_names
    words = [(names[found.labels[i]], names[found.said[i]]) for i in picked]
    titles = [f"label: {given}\nruns: {said}" for given, said in words]
    alt = [
        f"Test image {i}, labelled {given}; {100 * found.agreed[i]:.3g} % of the runs say {said}."
        for i, (given, said) in zip(picked, words, strict=True)
    ]
    fig = _grid(data.test_images[picked], titles, columns=5)
    for ax in fig.axes[len(picked) :]:
        ax.set_visible(False)
    of = "all" if share == 1 else f"at least {100 * share:g} %"
    first = f"The first {len(picked)} of {len(every)} test" if len(picked) < len(every) else "Test"
    caption = f"{first} images of which {of} of {found.runs} runs say the same other class"
    return panels(fig, alt, "photo", caption)
