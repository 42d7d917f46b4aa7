"""Predictions and confidences as short texts inside a record."""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np
from numpy.typing import NDArray


def pack_predictions(classes: NDArray[np.uint8]) -> str:
    """Pack class numbers below 16 into text, two to a byte, deflated, base64."""
    padded = np.append(classes, np.zeros(classes.size % 2, np.uint8))
    nibbles = (padded[0::2] << 4 | padded[1::2]).astype(np.uint8)
    return f"{classes.size}:{_deflate(nibbles)}"


def unpack_predictions(text: str) -> NDArray[np.uint8]:
    """Undo `pack_predictions`: uint8 of shape ``(n,)``."""
    size, _, packed = text.partition(":")
    nibbles = _inflate(packed, (int(size) + 1) // 2)
    return np.stack([nibbles >> 4, nibbles & 15], axis=1).ravel()[: int(size)]


def pack_confidences(probabilities: NDArray[np.float32]) -> str:
    """Pack probabilities into text as whole percents: a byte each, deflated, base64."""
    return _deflate(np.rint(100 * probabilities).astype(np.uint8))


def unpack_confidences(text: str, n: int) -> NDArray[np.uint8]:
    """Undo `pack_confidences`, to whole percents: uint8 of shape ``(n,)``.

    Parameters
    ----------
    text : str
        As a record holds it: compressed, in base 64.
    n : int
        How many there are, one for each test image.
    """
    return _inflate(text, n)


def _deflate(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode()


def _inflate(packed: str, n: int) -> NDArray[np.uint8]:
    """Undo `_deflate`; a ValueError where that does not give n bytes: a few may hide millions."""
    try:
        values = zlib.decompressobj().decompress(binascii.a2b_base64(packed), n + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(values) != n:
        raise ValueError(f"they are not {n} bytes")
    return np.frombuffer(values, np.uint8)
