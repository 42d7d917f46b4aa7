"""Which plain convolutional networks have a stated number of parameters."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import product
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
    dense: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return the layers in words, in order."""
        convolutions = ", ".join(
            f"conv {n}{', pool' * pooled}"
            for n, pooled in zip(self.filters, self.pooled, strict=True)
        )
        dense = "".join(f", dense {n}" for n in self.dense)
        return f"{convolutions}{dense} ({self.kernel} × {self.kernel}, {self.padding})"


def architectures_with(parameters: int) -> list[Architecture]:
    """Search the plain CNNs of usual widths for those with so many parameters.

    They have one to three convolutions, at most two hidden dense layers and an output of ten
    classes; those with the fewest layers come first.
    """
    found = [
        stack._replace(dense=dense)
        for stack, weights, features in _stacks()
        for dense in _heads(parameters - weights - NUM_CLASSES, features)
    ]
    return sorted(found, key=lambda item: (len(item.filters) + len(item.dense), item))


@functools.cache
def _stacks() -> list[tuple[Architecture, int, int]]:
    """List convolutions on grey images that can be built: parameters, output features."""
    found = []
    for depth, kernel, padding in product((1, 2, 3), (2, 3, 5), ("valid", "same")):
        for pooled in product((False, True), repeat=depth):
            side = 28
            for pool in pooled:
                side = windowed(side, kernel, 1)[padding == "same"] // (2 if pool else 1)
            for filters in product(USUAL_FILTERS, repeat=depth):
                inputs = (1, *filters[:-1])
                weights = sum((kernel**2 * c + 1) * n for c, n in zip(inputs, filters, strict=True))
                if side > 0:
                    stack = Architecture(filters, kernel, padding, pooled)
                    found.append((stack, weights, side**2 * filters[-1]))
    return found


def _heads(parameters: int, features: int) -> Iterator[tuple[int, ...]]:
    """Yield the hidden dense layers that have so many parameters, solving for the first."""
    if parameters == features * NUM_CLASSES:
        yield ()
    for second in (0, *USUAL_UNITS):
        left = parameters - second * (1 + NUM_CLASSES)
        first, remainder = divmod(left, features + 1 + (second or NUM_CLASSES))
        if remainder == 0 and first in USUAL_UNITS:
            yield (first, second) if second else (first,)
