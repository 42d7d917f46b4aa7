"""Values as a report prints them: read, bounded, and refused with the right spelling."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from fmnist_utils.reports.quantities import Quantity

#: The fraction that one of each unit is.
SCALES = {"percent": Fraction(1, 100), "points": Fraction(1, 100), "plain": Fraction(1)}

#: Exact arithmetic with 1e1000000000 would never end. Nothing that a report on 70,000 images prints
#: has more digits before the point, or more in all: a Python float has 17.
MAX_MAGNITUDE, MAX_DIGITS = 15, 30

_ABOUT = (
    r"~|≈|about|around|ca\.?|over|above|under|below|more than|less than|at (?:least|most)|[<>≤≥]=?"
)
_DIGITS = r"[+-]?\d[\d.,\s_']*"
_MISSPELT = re.compile(
    rf"(?:({_ABOUT})\s*)?({_DIGITS})(?:\s*[-–]\s*({_DIGITS}))?\s*(%|percent)?", re.I
)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:[,.\s_'](?=\d{3}(?!\d)))+\d{3}")


def as_printed(value: Any) -> Any:
    """Turn printed text into a Decimal that keeps its trailing zeros; leave words as they are."""
    if isinstance(value, list | tuple):
        return tuple(as_printed(item) for item in value)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return value
    return number if number.is_finite() and "_" not in str(value) else value


def _bounded(value: Any) -> Any:
    """Refuse a number that no report can mean, and that arithmetic would choke on."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, Decimal):
            digits = max(len(number.as_tuple().digits), -int(number.as_tuple().exponent))
            if digits > MAX_DIGITS or (number and number.adjusted() >= MAX_MAGNITUDE):
                raise ValueError(
                    f"{str(number)[:20]} is out of range: at most {MAX_MAGNITUDE} digits before "
                    f"the point and {MAX_DIGITS} in all"
                )
    return value


def _number(value: Any) -> Any:
    """Read one number; a text that is none is refused with the right spelling."""
    printed = as_printed(value)
    if isinstance(printed, str):
        raise ValueError(f"{printed} is not a number: write {_spelling(printed) or _EXAMPLE}")
    return printed


_EXAMPLE = "digits with a point, such as 0.8838"

Number = Annotated[Decimal, BeforeValidator(_number), AfterValidator(_bounded)]

Printed = Annotated[
    Decimal | str | tuple[Decimal, ...], BeforeValidator(as_printed), AfterValidator(_bounded)
]

PrintedOrClaim = Annotated[Decimal | str, BeforeValidator(as_printed), AfterValidator(_bounded)]

#: How many parameters a layer has: ten thousand million are more than a graphics card holds.
Count = Annotated[int, Field(ge=0, le=10**10)]


def _spelling(text: str, whole: bool = False) -> str:
    """Return how to write a number that is spelt as no YAML reader reads it; nothing for words.

    `whole` says that a point can only part thousands.
    """
    match = _MISSPELT.fullmatch(text.strip())
    if match is None:
        return ""
    about, first, second, percent = match.groups()
    if second:
        return "one number, as printed: a range is two claims"
    number = first.strip()
    if _THOUSANDS.fullmatch(number) and (whole or "." not in number):
        number = re.sub(r"\D", "", number)
    else:
        number = re.sub(r"[\s_']", "", number).replace(",", "." if number.count(",") == 1 else "")
    if not isinstance(as_printed(number), Decimal):
        return ""
    unit = " and unit: percent" if percent else ""
    bound = " alone, or as a claim of quantity bound" if about else ""
    return f"{number}{unit}{bound}"


def misfit(row: Quantity, value: Any, unit: str, mean: bool = False) -> str:
    """Say why a value cannot be one of a quantity, and how to write it; nothing when it can.

    Parameters
    ----------
    row : Quantity
        Says what its values are.
    value : Decimal, str or tuple of Decimal
        As printed.
    unit : str
        Of `SCALES`.
    mean : bool
        It is the mean of several trainings, for which a count need not be whole.
    """
    if unit not in row.units:
        return f"the unit is {' or '.join(sorted(row.units))}, not {unit}"
    if isinstance(value, str):
        if (right := _spelling(value, row.whole)) or row.form != "words":
            return f"{value} is not a number: write {right or _EXAMPLE}"
        return ""
    if isinstance(value, tuple) and row.form == "number":
        return "it takes one number, not a list: write one claim for each"
    for number in value if isinstance(value, tuple) else (value,):
        if problem := _out_of_range(row, number, unit, mean):
            return problem
    return ""


def _out_of_range(row: Quantity, number: Decimal, unit: str, mean: bool) -> str:
    one = int(1 / SCALES[unit])
    if row.whole and unit == "plain" and not mean and (problem := not_whole(number)):
        return problem
    accuracy = row.measure == "metric" and row.metric == "accuracy"  # of a model, or a bound on it
    if unit == "percent" and accuracy and 0 < number <= 1:
        return f"{number} is a fraction: leave out unit: percent"
    # Above 100 percent nothing is a share of anything, but a loss may be.
    high = row.high
    if high is None and unit == "percent" and not row.metric:
        high = 1
    if high is not None and number > high * one:
        also = ""
        if unit == "plain" and number <= 100 * high:
            percent = "points" if "points" in row.units else "percent"
            also = f": write {number / 100}, or add unit: {percent}"
        return f"{number} is more than {high * one}{also}"
    if row.low is not None and number < row.low * one:
        return f"{number} is less than {row.low * one}"
    return ""


def not_whole(number: Decimal) -> str:
    """Say that a count has a point, and how to write it; nothing when it has none."""
    if int(number.as_tuple().exponent) >= 0:
        return ""
    right = _spelling(str(number), whole=True)
    whole = right if "." not in right else f"{number:.0f}"
    return f"{number} is not a whole number: write one, such as {whole}"


def not_a_number(text: str, whole: bool) -> str:
    """Say that a text is no number, and how to write it.

    Parameters
    ----------
    text : str
        As it stands in the file.
    whole : bool
        Whether only a whole number would do.
    """
    if isinstance(number := as_printed(text), Decimal) and whole:
        return not_whole(number) or f"{text} is not a whole number"
    return f"{text} is not a number: write {_spelling(text, whole) or _EXAMPLE}"


def same_value(printed: Any, used: Any) -> bool:
    """Say whether a printed value equals a setting in use; words match in any case.

    A list of words is printed as one text, with commas.

    Parameters
    ----------
    printed : Any
        As a report states it: a number, a word, a size.
    used : Any
        The value of the setting.
    """
    if isinstance(used, tuple) and isinstance(printed, str):
        used = ", ".join(map(str, used))
    if isinstance(used, bool) or isinstance(printed, str):
        return str(printed).lower() == str(used).lower()
    return bool(as_printed(used) == printed)
