"""Arithmetic with printed numbers: what rounding, counting and layer tables allow.

It is exact, with fractions instead of floats, so that a number printed on the very edge of its
rounding raises no false alarm. Nothing here knows of reports.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from fmnist_utils.models import NUM_CLASSES

Shape = tuple[int, ...]

#: Keras reports metrics as float32: half a unit in the last place, relative to the value.
_FLOAT32 = Fraction(1, 2**24)


# --- intervals -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """All numbers that a printed one may stand for, both ends included: rules for ties differ."""

    low: Fraction
    high: Fraction

    @classmethod
    def exactly(cls, value: Decimal | int | Fraction) -> Interval:
        """Return the interval of a number without rounding, such as a count."""
        return cls(Fraction(value), Fraction(value))

    @classmethod
    def printed(cls, value: Decimal, scale: Fraction = Fraction(1)) -> Interval:
        """Return what rounds to `value`; `scale` brings it to its unit (1/100 for percentages).

        Half of the last printed digit to either side, and what float32 leaves open.
        """
        half = Fraction(10) ** int(value.as_tuple().exponent) / 2
        half += abs(Fraction(value)) * _FLOAT32
        return cls(scale * (Fraction(value) - half), scale * (Fraction(value) + half))

    @property
    def middle(self) -> Fraction:
        """The number as printed."""
        return (self.low + self.high) / 2

    def meets(self, other: Interval) -> bool:
        """Say whether both may stand for the same number."""
        return self.low <= other.high and other.low <= self.high

    def __add__(self, other: Interval) -> Interval:
        """Return what the sum can be."""
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        """Return what the difference can be."""
        return Interval(self.low - other.high, self.high - other.low)

    def __truediv__(self, other: Interval) -> Interval:
        """Return what the quotient can be, of positive numbers."""
        return Interval(self.low / other.high, self.high / other.low)


def total(parts: Sequence[Interval]) -> Interval:
    """Return the sum."""
    return sum(parts, Interval.exactly(0))


def mean(parts: Sequence[Interval], weights: Sequence[int] | None = None) -> Interval:
    """Return the mean, weighted by counts if they are given."""
    weights = weights or [1] * len(parts)
    return total(
        [
            Interval(part.low * weight / sum(weights), part.high * weight / sum(weights))
            for part, weight in zip(parts, weights, strict=True)
        ]
    )


def f1(precision: Interval, recall: Interval) -> Interval:
    """Return what F1 can be; it grows with precision and with recall, so the ends meet the ends."""

    def harmonic(p: Fraction, r: Fraction) -> Fraction:
        return 2 * p * r / (p + r) if p + r > 0 else Fraction()

    return Interval(
        harmonic(max(precision.low, Fraction()), max(recall.low, Fraction())),
        harmonic(precision.high, recall.high),
    )


# --- counting ------------------------------------------------------------------------------------


def possible_counts(share: Interval, images: int) -> range:
    """Return how many of `images` a printed share can be; empty when it is no such share.

    The GRIM test: a proportion of n things is a multiple of 1/n (Brown & Heathers 2017).
    """
    return range(math.ceil(share.low * images), math.floor(share.high * images) + 1)


def sizes_allowing(shares: Iterable[Interval], sizes: Iterable[int]) -> list[int]:
    """Return those group sizes of which every one of `shares` can be the share."""
    shares = list(shares)
    return [n for n in sizes if all(possible_counts(share, n) for share in shares)]


def chance_difference(sd_a: float, sd_b: float) -> float:
    """Return how far two single runs of equal mean lie apart in 95 % of cases, at most."""
    return 1.96 * math.hypot(sd_a, sd_b)


# --- layer tables --------------------------------------------------------------------------------


def kernel_size(parameters: int, channels: int, filters: int) -> int | None:
    """Return the side of the square kernel with so many parameters, with or without bias."""
    for bias in (filters, 0):
        area, rest = divmod(parameters - bias, channels * filters)
        if rest == 0 and area > 0 and math.isqrt(area) ** 2 == area:
            return math.isqrt(area)
    return None


def windowed(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return the output size of a convolution or pooling: with valid, and with same padding."""
    return (size - window) // stride + 1, -(-size // stride)


def layer_misfit(kind: str, before: Shape, shape: Shape, parameters: int) -> str:
    """Say what is wrong with one row of a layer table, in the light of the row before.

    Parameters
    ----------
    kind : str
        Keras class name; a class without a rule is taken at its word.
    before, shape : tuple of int
        Input and printed output shape, without the batch axis.
    parameters : int
        As printed.

    Returns
    -------
    str
        The arithmetic; empty when the row can be right.
    """
    rule = _RULES.get(kind)
    return rule(before, shape, parameters) if rule else ""


def _input(before: Shape, shape: Shape, parameters: int) -> str:
    if math.prod(shape) != math.prod(before):
        return f"{times(shape)} = {math.prod(shape)} values, and an image has {math.prod(before)}"
    return _none(parameters)


def _flatten(before: Shape, shape: Shape, parameters: int) -> str:
    if shape != (math.prod(before),):
        return f"{times(before)} = {math.prod(before)}, not {times(shape)}"
    return _none(parameters)


def _unchanged(before: Shape, shape: Shape, parameters: int) -> str:
    return _none(parameters) if shape == before else f"{times(before)} cannot become {times(shape)}"


def _none(parameters: int) -> str:
    return f"the layer has no parameters, not {parameters:,}" if parameters else ""


def _dense(before: Shape, shape: Shape, parameters: int) -> str:
    weights, units = before[-1] * shape[-1], shape[-1]
    if before[:-1] != shape[:-1]:
        return f"{times(before)} cannot become {times(shape)}"
    if parameters not in (weights + units, weights):
        return f"{before[-1]} × {units} + {units} = {weights + units:,}, not {parameters:,}"
    return ""


def _normalisation(before: Shape, shape: Shape, parameters: int) -> str:
    channels = before[-1]
    if shape == before and parameters not in (4 * channels, 3 * channels, 2 * channels):
        return f"4 × {channels} = {4 * channels:,}, not {parameters:,}"
    return "" if shape == before else f"{times(before)} cannot become {times(shape)}"


def _convolution(before: Shape, shape: Shape, parameters: int) -> str:
    kernel = kernel_size(parameters, before[-1], shape[-1])
    if kernel is None:
        one = before[-1] * shape[-1]
        return f"no square kernel k has {one:,} k² + {shape[-1]} = {parameters:,} parameters"
    reached = {
        tuple(windowed(size, kernel, stride)[padding] for size in before[:-1])
        for stride in range(1, kernel + 1)
        for padding in (0, 1)
    }
    if shape[:-1] not in reached:
        valid, same = windowed(before[0], kernel, 1)
        made = f"makes {valid} or {same} of {before[0]}, not {shape[0]}"
        return f"a {kernel} × {kernel} kernel {made}"
    return ""


def _pooling(before: Shape, shape: Shape, parameters: int) -> str:
    if shape[-1] != before[-1] or not pool_windows(before, shape):
        return f"{times(before)} cannot become {times(shape)}"
    return _none(parameters)


def pool_windows(before: Shape, shape: Shape) -> set[int]:
    """Return the windows, equal to their stride as is the Keras default, that give this shape."""
    return {
        window
        for window in range(1, max(before[:-1]) + 1)
        for padding in (0, 1)
        if all(
            windowed(size, window, window)[padding] == out
            for size, out in zip(before[:-1], shape[:-1], strict=True)
        )
    }


def times(shape: Shape) -> str:
    """Write a shape as a product: ``28 × 28 × 1``."""
    return " × ".join(str(n) for n in shape)


_RULES: dict[str, Callable[[Shape, Shape, int], str]] = {
    "InputLayer": _input,
    "Flatten": _flatten,
    "Dropout": _unchanged,
    "Activation": _unchanged,
    "Dense": _dense,
    "BatchNormalization": _normalisation,
    "Conv2D": _convolution,
    "MaxPooling2D": _pooling,
    "AveragePooling2D": _pooling,
}


# --- which architecture has so many parameters? --------------------------------------------------

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
