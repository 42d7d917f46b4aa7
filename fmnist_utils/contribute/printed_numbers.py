"""The numbers that a text prints, held against a report's claims."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.report import Report

#: What leads to a figure or a section states nothing.
REFERENCE = re.compile(r"\b([Ff]igures?|[Tt]ables?|[Ss]ections?) \d+(\.\d)?((, | and )+\d+)*")


def numbers_in(text: str) -> set[Decimal]:
    """Read the numbers of a text; digits within a name, such as conv2d_1, are none."""
    text = re.sub(r"https?://\S+|(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"(?<=\d)[x×](?=\d)", " ", text)
    return {
        Decimal(found).normalize() for found in re.findall(r"(?<!\w)(?<!\d\.)\d+(?:\.\d+)?", text)
    }


def numbers_of(claim: Claim) -> set[Decimal]:
    """Return the numbers that a claim holds, its epoch among them."""
    values = claim.value if isinstance(claim.value, tuple) else (claim.value,)
    numbers = {value.normalize() for value in values if isinstance(value, Decimal)}
    if claim.epoch:
        numbers.add(Decimal(claim.epoch))
    # 3 × 3 and (3, 3) are one setting.
    return numbers | (numbers_in(claim.value) if isinstance(claim.value, str) else set())


def unaccounted(report: Report, text: str) -> Iterator[tuple[int, str]]:
    """Yield each line, from 1, with the numbers in it that are neither claimed nor ignored.

    Parameters
    ----------
    report : Report
        What is claimed and ignored.
    text : str
        The report's own text.
    """
    known = set().union(*(numbers_of(claim) for _, claim in report.all_claims()))
    known |= numbers_in(" ".join(number for item in report.ignored for number in item.number))
    for line, words in enumerate(text.splitlines(), start=1):
        if left := numbers_in(REFERENCE.sub("", words)) - known:
            yield line, ", ".join(f"{number:f}" for number in sorted(left))
