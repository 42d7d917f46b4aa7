"""What is wrong inside a report: written findings and numbers that follow from others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fmnist_utils.records import Slug, Strict, WrongAt
from fmnist_utils.reports.values import Number, PrintedOrClaim

#: How much a finding matters, most first, and what each word means.
SEVERITIES = {
    "high": "a conclusion or a headline number does not hold as it is stated",
    "medium": "a result cannot be checked, or not be taken at face value",
    "low": "a slip or an open question that changes no result",
}

Severity = Literal["high", "medium", "low"]


class Finding(Strict):
    """One place where a report contradicts itself, cannot be right, or cannot be followed.

    Attributes
    ----------
    claimed : str
        What the report states, or leaves out; in our words.
    because : str
        The arithmetic or the reason why that cannot stand.
    consequence : str
        One sentence: what follows for the reproduction.
    """

    id: Slug
    severity: Severity
    where: str
    claimed: str
    because: str
    consequence: str


class Derivation(Strict):
    """A stated number that must follow from others, and how.

    Attributes
    ----------
    rule : str
        ``sum``, ``mean``, ``difference`` or ``ratio`` (first by second) of the given numbers;
        ``same`` as each of them; ``proportion``, a whole number out of as many images as given;
        ``not_before``, a year no earlier than the given one.
    stated : Decimal
        The number as printed, in `unit`.
    given : tuple
        What it follows from: numbers as printed, or claims as ``experiment/claim`` or ``claim``.
        Numbers are in `unit`, but the counts of ``ratio`` and ``proportion`` are plain.
    """

    id: Slug
    rule: Literal["sum", "mean", "difference", "ratio", "same", "proportion", "not_before"]
    where: str
    stated: Number
    unit: Literal["percent", "plain"] = "plain"
    given: Annotated[tuple[PrintedOrClaim, ...], Field(min_length=1)]
    severity: Severity = "low"
    consequence: str

    @model_validator(mode="after")
    def _given_are_as_many(self) -> Derivation:
        wanted = {"difference": 2, "ratio": 2, "proportion": 1, "not_before": 1}.get(self.rule)
        if wanted and len(self.given) != wanted:
            raise WrongAt(f"rule {self.rule} takes {wanted} given, not {len(self.given)}", "given")
        return self
