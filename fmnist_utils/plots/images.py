"""The data set: its images, and how many of which there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.plots.style import WIDTH, bare, figure, marked


def samples(data: FashionMNIST, per_class: int = 1, rows: int = 1) -> Figure:
    """Show training images of every class.

    Parameters
    ----------
    data : FashionMNIST
    per_class : int
        With one, two rows of five; with more, `rows` rows per class.
    rows : int
        A divisor of `per_class`.

    Raises
    ------
    FmnistError
        When a class has fewer images than asked for, or they do not fill the rows.
    """
    if rows < 1 or per_class % rows:
        raise FmnistError(
            f"{per_class} images do not fill {rows} rows: make rows a divisor of per_class."
        )
    rng = np.random.default_rng(0)
    picked = np.stack([own[pick(np.arange(len(own)), per_class, rng)] for own in _by_class(data)])
    if per_class == 1:
        return marked(grid(picked[:, 0], data.class_names, columns=5), data)
    return marked(_montage(picked, data.class_names, rows), data)


def mean_images(data: FashionMNIST) -> Figure:
    """Show the mean training image of every class."""
    means = np.stack([own.mean(axis=0) for own in _by_class(data)])
    return marked(grid(means, data.class_names, columns=5), data)


def _by_class(data: FashionMNIST) -> list[NDArray[np.uint8]]:
    """Return the training images of every class."""
    return [data.train_images[data.train_labels == i] for i in range(len(data.class_names))]


def draw(n: int, count: int) -> NDArray[np.intp]:
    """Draw some of n images without replacement, the same ones every time."""
    return pick(np.arange(n), count, np.random.default_rng(0))


def pick(pool: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw without replacement."""
    if not 1 <= count <= len(pool):
        raise FmnistError(f"Cannot draw {count} of {len(pool)} images: ask for 1 to {len(pool)}.")
    return rng.choice(pool, count, replace=False)


def grid(images: NDArray[Any], titles: Sequence[str], columns: int) -> Figure:
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


def _montage(images: NDArray[np.uint8], names: Sequence[str], rows: int) -> Figure:
    """Draw images of shape (classes, n, 28, 28), the same number of rows for each class."""
    classes, n, size, _ = images.shape
    columns = n // rows
    # One white pixel between neighbours keeps them apart, and more keep the classes apart.
    padded = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=255)
    blocks = padded.reshape(classes, rows, columns, size + 1, size + 1).swapaxes(2, 3)
    blocks = blocks.reshape(classes, rows * (size + 1), columns * (size + 1))
    gap = 0 if rows == 1 else size // 4
    blocks = np.pad(blocks, ((0, 0), (0, gap), (0, 0)), constant_values=255)
    sheet = blocks.reshape(-1, columns * (size + 1))[: -1 - gap, :-1]
    side = min(0.8, (WIDTH - 1.1) / columns)
    with figure(width=side * columns + 1.1, height=side * len(sheet) / (size + 1)) as (fig, ax):
        ax.imshow(sheet, cmap="gray", vmin=0, vmax=255)
        middles = blocks.shape[1] * np.arange(classes) + (rows * (size + 1) - 1) / 2
        ax.set_yticks(middles, names)
        ax.set_xticks([])
        bare(ax)
    return fig
