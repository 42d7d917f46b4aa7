"""What a protocol trains on: splits, one-hot labels, images of the size a model takes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import NUM_CLASSES, DataError
from fmnist_utils.rounding import times

#: How images of another size than the model takes are made to fit it.
Resize = Literal["pad", "bilinear"]


def input_images(
    images: NDArray[np.uint8], input_shape: tuple[int, ...], resize: Resize | None
) -> NDArray[np.uint8]:
    """Give images the shape that a model takes; grey levels stay bytes.

    Parameters
    ----------
    images : array of uint8, shape (n, height, width)
        Grey levels from 0 to 255.
    input_shape : tuple of int
        Shape of one image as the model takes it; without channels, with one, or flat.
    resize : {"pad", "bilinear"} or None
        How a model of other size is served: zeros all around, or interpolated.
    """
    size = images.shape[1:]
    # As many pixels in other rows are another picture.
    flat = resize is None and math.prod(input_shape) == math.prod(size)
    if flat or input_shape in (size, (*size, 1)):
        return images.reshape(-1, *input_shape)
    wanted = input_shape[:2]
    grows = all(new >= old for new, old in zip(wanted, size, strict=False))
    if resize is None or input_shape != (*wanted, 1) or (resize == "pad" and not grows):
        how = f"resize: {resize} cannot do that" if resize else "give it resize: pad or bilinear"
        raise DataError(
            f"The images are {times(size)} pixels and the model takes {times(input_shape)}: {how}."
        )
    if resize == "pad":
        before = [(new - old) // 2 for new, old in zip(wanted, size, strict=True)]
        shaped = np.zeros((len(images), *wanted), np.uint8)
        rows, columns = (slice(n, n + old) for n, old in zip(before, size, strict=True))
        shaped[:, rows, columns] = images
    else:
        down, across = map(_interpolation, size, wanted)
        floats = down @ images.astype(np.float32) @ across.T
        shaped = np.rint(floats).astype(np.uint8)
    return shaped.reshape(-1, *input_shape)


def _interpolation(old: int, new: int) -> NDArray[np.float32]:
    """Return the matrix, ``(new, old)``, that interpolates a line of pixels between centres."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old)))
    return weights.astype(np.float32)


def split_indices(
    n: int,
    *,
    fraction: float | None = None,
    count: int | None = None,
    take: Literal["first", "last", "random"] = "last",
    seed: int | tuple[int, ...] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Split a data set into a training and a validation part.

    Parameters
    ----------
    n : int
        Number of examples.
    fraction : float, optional
        Share of the examples to validate on, between 0 and 1, rounded as Keras rounds
        ``validation_split``: ``floor(n * (1 - fraction))`` examples are left to train on.
    count : int, optional
        Number of examples to validate on, instead of `fraction`.
    take : {"first", "last", "random"}
        Which examples to validate on; "last" is what Keras ``validation_split`` takes.
    seed : int or tuple of int, optional
        Needed by "random", ignored otherwise; no global random state is read or changed.

    Returns
    -------
    train, validation : int32 arrays
        Ascending indices; together each example exactly once, neither part empty.

    Raises
    ------
    DataError
        If not exactly one of `fraction` and `count` is given, a part would be empty, `take` is
        unknown or "random" lacks a seed.
    """
    size = _validation_size(n, fraction, count)
    order = np.arange(n, dtype=np.int32)
    if take == "last":
        return order[:-size], order[-size:]
    if take == "first":
        return order[size:], order[:size]
    if take != "random":
        raise DataError(f"Unknown split {take!r}: take 'first', 'last' or 'random'.")
    if seed is None:
        raise DataError("A random split without a seed cannot be repeated: give a seed.")
    order = np.random.default_rng(seed).permutation(order)
    return np.sort(order[size:]), np.sort(order[:size])


def left_to_train(n: int, fraction: float) -> int:
    """Return how many of n examples are left when a fraction is held out, as Keras rounds.

    Parameters
    ----------
    n : int
        Number of examples.
    fraction : float
        Share that is held out, from 0 to 1.
    """
    return math.floor(n * (1.0 - fraction))


def _validation_size(n: int, fraction: float | None, count: int | None) -> int:
    """Return how many of n examples to validate on."""
    if fraction is not None and count is None:
        if not 0 < fraction < 1:
            raise DataError(f"The validation fraction is {fraction}: it must be between 0 and 1.")
        size = n - left_to_train(n, fraction)
    elif count is not None and fraction is None:
        size = count
    else:
        raise DataError("Give either the fraction or the count of examples to validate on.")
    if not 0 < size < n:
        raise DataError(
            f"{size} of {n} examples to validate on leave one part empty: choose between 1 and "
            f"{n - 1}."
        )
    return size


def one_hot(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Encode labels as rows with a single one.

    Parameters
    ----------
    labels : uint8 array, shape (n,)
        Class indices.

    Returns
    -------
    float32 array, shape (n, 10)

    Raises
    ------
    DataError
        If a label is out of range.
    """
    if labels.size and labels.max() >= NUM_CLASSES:
        raise DataError(f"Label {labels.max()} is out of range: there are {NUM_CLASSES} classes.")
    return np.eye(NUM_CLASSES, dtype=np.float32)[labels]
