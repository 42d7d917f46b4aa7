"""Images: the data set, as training changes it, and what runs take its classes for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FashionMNIST
from fmnist_utils.data.inputs import input_images
from fmnist_utils.errors import FmnistError
from fmnist_utils.models.spec import CNN
from fmnist_utils.plots.labels import folded
from fmnist_utils.plots.panels import Panels, panels
from fmnist_utils.plots.style import NARROW, WIDTH, Floats, bare, figure, marked, note
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import Augmentation
from fmnist_utils.runs.record import Run
from fmnist_utils.training.augment import Augmenter
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
    """
    rng = np.random.default_rng(0)
    picked = np.stack([own[pick(np.arange(len(own)), per_class, rng)] for own in _by_class(data)])
    if per_class == 1:
        return marked(grid(picked[:, 0], data.class_names, columns=5), data)
    return marked(_montage(picked, data.class_names), data)


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
        The mean of their counts after the last epoch is taken.
    """
    if not runs:
        return note("There is no run of this experiment yet.")
    counts = np.mean([run.final.test_confusion for run in runs], axis=0)
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
        f"Test image {i}, labelled {given}; {100 * found.agreed[i]:.0f} % of the runs say {said}."
        for i, (given, said) in zip(picked, words, strict=True)
    ]
    fig = grid(data.test_images[picked], titles, columns=5)
    for ax in fig.axes[len(picked) :]:
        ax.set_visible(False)
    of = "all" if share == 1 else f"at least {100 * share:.0f} %"
    first = f"The first {len(picked)} of {len(every)} test" if len(picked) < len(every) else "Test"
    caption = f"{first} images of which {of} of {found.runs} runs say the same other class"
    return panels(fig, alt, "photo", caption)


def augmented(data: FashionMNIST, experiment: Experiment) -> Figure:
    """Show training images as they are, under each transform of an experiment, and under all.

    A transform draws the same amounts alone and together with the others, so that the last row
    adds up those above.

    Parameters
    ----------
    data : FashionMNIST
    experiment : Experiment
        One that is trained on augmented images.

    Raises
    ------
    FmnistError
        When the experiment has no augmentation.
    """
    spec = experiment.training.augmentation
    if spec is None:
        raise FmnistError(
            f"{experiment.title} is trained on images as they are: give an experiment that has "
            "training.augmentation."
        )
    picked = draw(len(data.train_images), 8)
    images = _as_trained(data.train_images[picked], experiment)
    rows = {"as they are": images}
    for label, transform in _transforms(spec):
        rows[label] = np.asarray(Augmenter(transform, 0)(images))
    return marked(_rows(rows), data)


def _transforms(spec: Augmentation) -> Iterator[tuple[str, Augmentation]]:
    """Yield every transform in use alone, named with its range, and several together."""
    amounts = {
        "rotation_degrees": f"rotation ±{spec.rotation_degrees or 0:g}°",
        "zoom": f"zoom ±{100 * (spec.zoom or 0):g} %",
        "shift": f"shift ±{100 * (spec.shift or 0):g} %",
        "shear_degrees": f"shear ±{spec.shear_degrees or 0:g}°",
        "horizontal_flip": "horizontal flip",
        "vertical_flip": "vertical flip",
    }
    used = {name: label for name, label in amounts.items() if getattr(spec, name)}
    for name, label in used.items():
        yield label, Augmentation.model_validate({name: getattr(spec, name)})
    if len(used) > 1:
        yield "all together", spec


def _as_trained(images: NDArray[np.uint8], experiment: Experiment) -> NDArray[np.float32]:
    """Resize and scale images as training does: floats in [0, 1], ``(n, height, width)``."""
    model = experiment.model
    resize = model.resize if isinstance(model, CNN) else None
    shaped = input_images(images, model.input_shape, resize)
    size = model.input_shape[:2] if len(model.input_shape) > 1 else images.shape[1:]
    return shaped.reshape(-1, *size).astype(np.float32) / np.float32(255)


def _rows(rows: Mapping[str, NDArray[np.float32]]) -> Figure:
    """Draw grey images in [0, 1], as many in every row, each row behind its label."""
    names = [folded(label) for label in rows]
    # A letter is 0.07 inches wide.
    margin = 0.2 + 0.07 * max(len(line) for name in names for line in name.splitlines())
    count = len(next(iter(rows.values())))
    side = min(1.2, (NARROW - margin) / count)
    with figure(width=margin + side * count, height=side * len(rows)) as (fig, ax):
        for y, images in enumerate(rows.values()):
            for x, image in enumerate(images):
                # Every image has the same room, whatever its size, and its pixels stay squares.
                frame = (x - 0.48, x + 0.48, y + 0.48, y - 0.48)
                ax.imshow(image, "gray", vmin=0, vmax=1, extent=frame, interpolation="nearest")
        ax.set(xlim=(-0.5, count - 0.5), ylim=(len(rows) - 0.5, -0.5), xticks=[])
        ax.set_yticks(range(len(rows)), names)
        ax.set_anchor("W")  # were it centred in its room, the labels would leave the figure
        bare(ax)
    return fig
