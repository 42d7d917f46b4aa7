"""Training images as a model sees them: moved at random, or brought to another size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.data.inputs import input_images
from fmnist_utils.errors import FmnistError
from fmnist_utils.models.spec import CNN
from fmnist_utils.plots.images import draw
from fmnist_utils.plots.labels import folded
from fmnist_utils.plots.style import WIDTH, bare, figure, marked
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import Augmentation
from fmnist_utils.training.augment import Augmenter

Floats = NDArray[np.float32]


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


def _as_trained(images: NDArray[np.uint8], experiment: Experiment) -> Floats:
    """Resize and scale images as training does: floats in [0, 1], ``(n, height, width)``."""
    model = experiment.model
    resize = model.resize if isinstance(model, CNN) else None
    shaped = input_images(images, model.input_shape, resize)
    size = model.input_shape[:2] if len(model.input_shape) > 1 else images.shape[1:]
    return shaped.reshape(-1, *size).astype(np.float32) / np.float32(255)


def _rows(rows: Mapping[str, Floats]) -> Figure:
    """Draw grey images in [0, 1], as many in every row, each row behind its label."""
    names = [folded(label) for label in rows]
    # A letter is 0.07 inches wide.
    margin = 0.2 + 0.07 * max(len(line) for name in names for line in name.splitlines())
    count = len(next(iter(rows.values())))
    side = min(1.2, (WIDTH - margin) / count)
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
