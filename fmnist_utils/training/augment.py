"""Move the images of a batch at random, as Keras' layers do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fmnist_utils.models.keras_import import import_keras
from fmnist_utils.reports.protocol import Augmentation


class Augmenter:
    """Augments batches: each image of a batch is moved by amounts of its own.

    Parameters
    ----------
    spec : Augmentation
        The transforms and their ranges.
    seed : int
        Not negative. The same seed and sequence of batch sizes give the same draws, whatever the
        global seed; each transform has a stream of its own, so that switching one on or off
        leaves the draws of the others.

    Notes
    -----
    Called one after another, the layers would interpolate four times and blur 28 x 28 images, and
    ``RandomShear`` would hold the top left corner in place and so shift the garment. So the layers
    only draw, and one resampling applies all draws about the centre, in the order of
    ``ImageDataGenerator``: rotation, shift, shear, zoom, then flips.
    """

    def __init__(self, spec: Augmentation, seed: int) -> None:
        layers = import_keras().layers
        # Not the policy's type: in bfloat16 an angle would have three digits, a pixel 256 tones.
        streams = [
            {"seed": int(state >> 1), "dtype": "float32"}  # some backends hold seeds in 31 bits
            for state in np.random.SeedSequence(seed).generate_state(6)
        ]
        zoom, shift = spec.zoom or 0.0, spec.shift or 0.0
        lean = math.tan(math.radians(spec.shear_degrees or 0.0))
        self._geometry = (
            layers.RandomRotation((spec.rotation_degrees or 0.0) / 360, **streams[0]),
            layers.RandomZoom(zoom, zoom, **streams[1]),
            layers.RandomTranslation(shift, shift, **streams[2]),
            layers.RandomShear(lean, **streams[3]),
        )
        self._flips = [
            layers.RandomFlip(mode, **stream)
            for mode, used, stream in (
                ("horizontal", spec.horizontal_flip, streams[4]),
                ("vertical", spec.vertical_flip, streams[5]),
            )
            if used
        ]
        self._moves = bool(spec.rotation_degrees or zoom or shift or lean)

    @property
    def variables(self) -> list[Any]:
        """Where the streams of random numbers stand."""
        return [stand for layer in (*self._geometry, *self._flips) for stand in layer.variables]

    def __call__(self, images: Any) -> Any:
        """Augment a batch.

        Parameters
        ----------
        images : array
            Floats in [0, 1], shape ``(n, height, width)`` or ``(n, height, width, 1)``.

        Returns
        -------
        float32 tensor
            Of the same shape and range (up to rounding), whatever the precision policy. Every call
            draws anew, also inside a ``tf.function`` once that is traced: make the augmenter
            outside of it.
        """
        from keras import ops

        images = ops.convert_to_tensor(images, dtype="float32")
        batch = ops.reshape(images, (-1, *images.shape[1:3], 1))
        if self._moves:
            sampling = _sampling(batch, *self._geometry)
            batch = ops.image.affine_transform(
                batch, sampling, interpolation="bilinear", fill_mode="nearest"
            )
        for flip in self._flips:
            batch = flip(batch, training=True)
        return ops.reshape(batch, ops.shape(images))


def _sampling(images: Any, rotation: Any, zoom: Any, shift: Any, shear: Any) -> Any:
    """Draw where each output pixel is read: rows (a0, a1, a2, b0, b1, b2, 0, 0) per image.

    A pixel (x, y) is read at (a0 x + a1 y + a2, b0 x + b1 y + b2): the product of rotation, shift,
    shear and zoom about the centre.
    """
    from keras import ops

    angle = rotation.get_random_transformation(images)["angle"] * (math.pi / 180)
    zooms = zoom.get_random_transformation(images)
    zoom_x, zoom_y = zooms["width_zoom"][:, 0], zooms["height_zoom"][:, 0]
    shifts = shift.get_random_transformation(images)["translations"]
    lean = shear.get_random_transformation(images)["shear_factor"][:, 0]

    cos, sin = ops.cos(angle), ops.sin(angle)
    a0, a1 = cos * zoom_x, (cos * lean - sin) * zoom_y
    b0, b1 = sin * zoom_x, (sin * lean + cos) * zoom_y
    x, y = (images.shape[2] - 1) / 2, (images.shape[1] - 1) / 2
    a2 = x - a0 * x - a1 * y + cos * shifts[:, 0] - sin * shifts[:, 1]
    b2 = y - b0 * x - b1 * y + sin * shifts[:, 0] + cos * shifts[:, 1]
    zero = ops.zeros_like(a0)
    return ops.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
