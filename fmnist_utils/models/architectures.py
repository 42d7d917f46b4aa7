"""Which plain convolutional networks have a stated number of parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fmnist_utils.data.fashion_mnist import NUM_CLASSES
from fmnist_utils.models.layer_rules import windowed

USUAL_FILTERS = (8, 16, 32, 64, 128, 256)

USUAL_UNITS = (10, 16, 20, 32, 48, 50, 64, 80, 84, 96, 100, 120, 128, 200, 250, 256, 300, 400, 500,
               512, 800, 1000, 1024)  # fmt: skip


class Architecture(NamedTuple):
    """A plain CNN: convolutions with one kernel size, 2 × 2 pooling after some, dense layers."""

    filters: tuple[int, ...]
    kernel: int
    padding: str
    pooled: tuple[bool, ...]
    dense: tuple[int, ...]

    def __str__(self) -> str:
        """Return the layers in words, in order."""
        convolutions = ", ".join(
            f"conv {n}" + (", pool" if pooled else "")
            for n, pooled in zip(self.filters, self.pooled, strict=True)
        )
        dense = "".join(f", dense {n}" for n in self.dense)
        return f"{convolutions}{dense} ({self.kernel} × {self.kernel}, {self.padding})"


def convolution_stack(
    filters: Sequence[int], kernel: int, padding: str, pooled: Sequence[bool], size: int = 28
) -> tuple[int, int]:
    """Return the parameters of a stack of convolutions on grey images, and its output features.

    An output of no pixels has 0 features: the stack cannot be built.
    """
    parameters, channels = 0, 1
    for n, pool in zip(filters, pooled, strict=True):
        parameters += (kernel**2 * channels + 1) * n
        size = windowed(size, kernel, 1)[padding == "same"]
        size = size // 2 if pool else size
        channels = n
    return parameters, max(size, 0) ** 2 * channels


def architectures_with(
    parameters: int,
    depths: Sequence[int] = (1, 2, 3),
    kernels: Sequence[int] = (2, 3, 5),
    filters: Sequence[int] = USUAL_FILTERS,
    units: Sequence[int] = USUAL_UNITS,
) -> list[Architecture]:
    """Search the plain CNNs of usual widths for those with so many parameters.

    Parameters
    ----------
    parameters : int
        The stated count, output layer of ten classes included.
    depths, kernels, filters, units : sequence of int
        Numbers of convolutions, kernel sizes, widths of convolutions and of dense layers.

    Returns
    -------
    list of Architecture
        With no, one or two hidden dense layers, the fewest layers first.
    """
    found = [
        Architecture(widths, kernel, padding, pooled, dense)
        for depth in depths
        for widths in itertools.product(filters, repeat=depth)
        for kernel in kernels
        for padding in ("valid", "same")
        for pooled in itertools.product((False, True), repeat=depth)
        for dense in _heads(parameters, *convolution_stack(widths, kernel, padding, pooled), units)
    ]
    return sorted(found, key=lambda item: (len(item.filters) + len(item.dense), item))


def _heads(
    parameters: int, convolutions: int, features: int, units: Sequence[int]
) -> Iterator[tuple[int, ...]]:
    """Yield the hidden dense layers that bring a stack to the count, solving for the first."""
    if features == 0 or convolutions > parameters:
        return
    rest = parameters - convolutions - NUM_CLASSES
    if rest == features * NUM_CLASSES:
        yield ()
    for second in (0, *units):
        left = rest - second * (1 + NUM_CLASSES)
        first, remainder = divmod(left, features + 1 + (second or NUM_CLASSES))
        if remainder == 0 and first in units:
            yield (first, second) if second else (first,)


def common_width(parameters: int) -> int:
    """Return the largest power of two that can divide every width of a plain network.

    Were all its hidden widths multiples of m, all its parameters but the ten biases of the output
    would be too.
    """
    rest = parameters - NUM_CLASSES
    return rest & -rest
