"""How much arithmetic a network takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def multiply_adds(model: keras.Model) -> int:
    """Count the multiplications, each with an addition, that one image takes.

    Those of dense layers and convolutions: a kernel is used once for every place of the output.
    Biases, activations, pooling and normalisation are left out, as is usual.

    Parameters
    ----------
    model : keras.Model
        Built.

    Examples
    --------
    >>> fu.multiply_adds(fu.load_report("baltzi")["mlp-1-hidden"].build())  # 784 x 256 + 256 x 10
    203264
    """
    with_kernel = (layer for layer in model.layers if hasattr(layer, "kernel"))
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in with_kernel
    )
