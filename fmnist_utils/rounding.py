"""What a printed number may stand for: exact intervals, and the arithmetic of shares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

Shape = tuple[int, ...]

#: Keras reports metrics as float32: half a unit in the last place, relative to the value.
_FLOAT32 = Fraction(1, 2**24)


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


def possible_counts(share: Interval, images: int) -> range:
    """Return how many of `images` a printed share can be; empty when it is no such share.

    The GRIM test: a proportion of n things is a multiple of 1/n (Brown & Heathers 2017).
    """
    return range(math.ceil(share.low * images), math.floor(share.high * images) + 1)


def sizes_allowing(shares: Iterable[Interval], sizes: Iterable[int]) -> list[int]:
    """Return those group sizes of which every one of `shares` can be the share."""
    shares = list(shares)
    return [n for n in sizes if all(possible_counts(share, n) for share in shares)]


def times(shape: Shape) -> str:
    """Write a shape as a product: ``28 × 28 × 1``."""
    return " × ".join(str(n) for n in shape)
