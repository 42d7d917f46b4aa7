"""The data set as a type: its images, its classes, the facts about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.errors import FmnistError

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

NUM_CLASSES = len(CLASS_NAMES)


FILES: dict[str, str] = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


FACTS: Mapping[str, int | float | tuple[int, ...]] = MappingProxyType(
    {
        "train_images": 60_000,
        "test_images": 10_000,
        "total_images": 70_000,
        "train_share": 6 / 7,
        "test_share": 1 / 7,
        "image_height": 28,
        "image_width": 28,
        "pixels": 784,
        "classes": NUM_CLASSES,
        "first_class": 0,
        "last_class": NUM_CLASSES - 1,
        "labels": tuple(range(NUM_CLASSES)),
        "table_columns": 785,  # of the tables that the data set is also published as: class, pixels
        "train_images_per_class": 6_000,
        "test_images_per_class": 1_000,
        "pixel_min": 0,
        "pixel_max": 255,
        "train_images_shape": (60_000, 28, 28),
        "test_images_shape": (10_000, 28, 28),
        "train_onehot_shape": (60_000, NUM_CLASSES),
        "test_onehot_shape": (10_000, NUM_CLASSES),
        "image_shape": (28, 28),
        "image_shape_with_channel": (28, 28, 1),
    }
)


def count(fact: str) -> int:
    """Return a fact of the data set that is a whole number."""
    value = FACTS[fact]
    assert isinstance(value, int)
    return value


class DataError(FmnistError):
    """The data set is missing, damaged, unreachable or asked for in a way that makes no sense."""


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """Images and labels of both official splits, read-only.

    Attributes
    ----------
    train_images, test_images : uint8 arrays, shapes (60000, 28, 28) and (10000, 28, 28)
        Grey levels 0 (background) to 255.
    train_labels, test_labels : uint8 arrays, shapes (60000,) and (10000,)
        Indices into `class_names`.
    source : {"real", "synthetic"}
        Synthetic data may come in other sizes.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    source: Literal["real", "synthetic"]

    def __post_init__(self) -> None:
        """Freeze the arrays: every caller in a process shares them."""
        for array in self._arrays:
            array.setflags(write=False)

    @property
    def _arrays(self) -> tuple[NDArray[np.uint8], ...]:
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten class names, by label."""
        return CLASS_NAMES

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the data; for real data `official_fingerprint()`."""
        if self.source == "real":
            return official_fingerprint()
        digest = hashlib.sha256()
        for array in self._arrays:
            digest.update(repr(array.shape).encode())
            digest.update(array.tobytes())
        return digest.hexdigest()[:12]


def official_fingerprint() -> str:
    """Return the fingerprint of the official data set, without loading an image.

    Returns
    -------
    str
        The first twelve hex digits of the SHA-256 of the four MD5 sums in `FILES`.
    """
    return hashlib.sha256("\n".join(FILES.values()).encode()).hexdigest()[:12]
