"""What a printed number may stand for: exact intervals, the arithmetic of shares, formulas."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
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
        """Return what rounds to `value`.

        Half of the last printed digit to either side, and what float32 leaves open.

        Parameters
        ----------
        value : Decimal
            With all digits that are printed, zeros at the end included.
        scale : Fraction
            Brings it to its unit: 1/100 for percentages.
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
    """Return the mean, weighted by counts if they are given.

    Parameters
    ----------
    parts : sequence of Interval
        What each part may be.
    weights : sequence of int, optional
        How many things each part counts; all the same by default.
    """
    weights = weights or [1] * len(parts)
    return total(
        [
            Interval(part.low * weight / sum(weights), part.high * weight / sum(weights))
            for part, weight in zip(parts, weights, strict=True)
        ]
    )


def f1(precision: Interval, recall: Interval) -> Interval:
    """Return what F1 can be; it grows with precision and with recall, so the ends meet the ends.

    Parameters
    ----------
    precision, recall : Interval
        Shares from 0 to 1.
    """

    def harmonic(p: Fraction, r: Fraction) -> Fraction:
        return 2 * p * r / (p + r) if p + r > 0 else Fraction()

    return Interval(
        harmonic(max(precision.low, Fraction()), max(recall.low, Fraction())),
        harmonic(min(precision.high, Fraction(1)), min(recall.high, Fraction(1))),
    )


def possible_counts(share: Interval, images: int) -> range:
    """Return the counts that a printed share can stand for; empty when it is no such share.

    The GRIM test: a proportion of n things is a multiple of 1/n (Brown & Heathers 2017).

    Parameters
    ----------
    share : Interval
        What the printed share may be, from 0 to 1.
    images : int
        Of how many it is a share.
    """
    low, high = math.ceil(share.low * images), math.floor(share.high * images)
    return range(max(low, 0), min(high, images) + 1)


def sizes_allowing(shares: Iterable[Interval], sizes: Iterable[int]) -> list[int]:
    """Return those group sizes of which every one of `shares` can be the share.

    Parameters
    ----------
    shares : iterable of Interval
        What the printed shares of one group may be, from 0 to 1.
    sizes : iterable of int
        Numbers of things that the group may have.
    """
    shares = list(shares)
    return [n for n in sizes if all(possible_counts(share, n) for share in shares)]


def times(shape: Shape) -> str:
    """Write a shape as a product: ``28 × 28 × 1``."""
    return " × ".join(str(n) for n in shape)


# --- formulas over printed numbers ---------------------------------------------------------------

_OPERATORS = {"*": operator.mul, "/": operator.truediv, "+": operator.add, "-": operator.sub}
_RELATIONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
_LITERAL = re.compile(r"\d{1,15}(\.\d{1,15})?")
_PLACEHOLDER = re.compile(r"\{([^{}:]+)(?::\.(\d)f)?\}")

#: Looks up the number that a name stands for.
LookUp = Callable[[str], Decimal]


def evaluate(formula: str, look_up: LookUp) -> Decimal:
    """Return what a formula of names, numbers and operators comes to; ``*`` and ``/`` bind closer.

    Parameters
    ----------
    formula : str
        Spaces part operators from names, which may hold hyphens and slashes.
    look_up : function
        Gives the number that a name stands for.

    Raises
    ------
    ValueError
        When it is no formula, or divides by zero.

    Examples
    --------
    >>> print(evaluate("mlp/test - 84.60", {"mlp/test": Decimal("89.18")}.__getitem__))
    4.58
    """
    parts: list[Decimal | str] = []
    for i, part in enumerate(formula.split()):
        if (part in _OPERATORS) != (i % 2 == 1):
            raise ValueError(f"{formula} is no formula: names and operators take turns")
        name = i % 2 == 0 and not _LITERAL.fullmatch(part)
        parts.append(part if i % 2 else look_up(part) if name else Decimal(part))
    if len(parts) % 2 == 0:
        raise ValueError(f"{formula} is no formula: it ends with an operator, or is empty")
    for level in ("*/", "+-"):
        folded = parts[:1]
        for sign, value in zip(parts[1::2], parts[2::2], strict=True):
            if str(sign) in level:
                try:
                    folded[-1] = _OPERATORS[str(sign)](folded[-1], value)
                except DecimalException as error:
                    raise ValueError(f"{formula} has no value") from error
            else:
                folded += [sign, value]
        parts = folded
    return Decimal(parts[0])


def holds(condition: str, look_up: LookUp) -> bool:
    """Say whether a relation of two formulas holds.

    Parameters
    ----------
    condition : str
        Such as ``a - b > 2 * c``.
    look_up : function
        Gives the number that a name stands for.
    """
    for sign, relation in _RELATIONS.items():
        sides = condition.split(f" {sign} ")
        if len(sides) == 2:
            left, right = (evaluate(side, look_up) for side in sides)
            return relation(left, right)
    raise ValueError(f"{condition} is no relation: it has none of {' '.join(_RELATIONS)}")


def fill(text: str, look_up: LookUp) -> str:
    """Replace each ``{formula}`` of a text by its value, with as many digits as its numbers have.

    Parameters
    ----------
    text : str
        ``{formula:.2f}`` in it is rounded, to two digits here.
    look_up : function
        Gives the number that a name stands for.
    """

    def value(found: re.Match[str]) -> str:
        number = evaluate(found[1], look_up)
        return (f"{number:,.{found[2]}f}" if found[2] else f"{number:,}").replace("-", "−")

    return _PLACEHOLDER.sub(value, text)
