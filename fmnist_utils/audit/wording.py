"""How findings tell of claims, settings and places."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from fractions import Fraction

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.report import Report
from fmnist_utils.rounding import Interval, times

#: The fraction that one of each unit is.
SCALES = {"percent": Fraction(1, 100), "points": Fraction(1, 100), "plain": Fraction(1)}


def interval(claim: Claim) -> Interval:
    """Return what a claim may stand for: counts and settings are exact, the rest is rounded."""
    if not isinstance(claim.value, Decimal):
        raise TypeError(f"claim {claim.id} has no single number")
    counted = claim.quantity in ("epochs_trained", "lowest_val_loss_epoch")
    if claim.unit == "plain" and (counted or claim.kind == "exact"):
        return Interval.exactly(claim.value)
    return Interval.printed(claim.value, SCALES[claim.unit])


def value_shown(claim: Claim) -> str:
    """Write the value of a claim as printed, with its unit."""
    unit = {"percent": " %", "points": " points", "plain": ""}[claim.unit]
    if isinstance(claim.value, tuple):
        return times(tuple(int(n) for n in claim.value))
    if isinstance(claim.value, Decimal):
        return f"{claim.value:,f}{unit}"
    return str(claim.value)


def setting_text(claim: Claim) -> str:
    """Write the value of a setting so that 20 % and 0.2 are the same."""
    if isinstance(claim.value, Decimal):
        return f"{float(interval(claim).middle):g}"
    return str(claim.value).lower()


def quantity_name(claim: Claim) -> str:
    """Name what a claim is about: ``test accuracy``, ``conv 0 filters``."""
    what = key(claim.setting or claim.fact or claim.quantity)
    return f"{claim.split} {what}" if claim.split else what


def key(name: str) -> str:
    """Turn a key or a path of keys into words."""
    return re.sub(r"[._]", " ", re.sub(r"^(training|model)\.", "", name))


def experiment_title(report: Report, experiment_id: str | None) -> str:
    """Return the title of an experiment."""
    return report.experiments[experiment_id or ""].title


def joined(places: Iterable[str]) -> str:
    """Join places, each once."""
    return "; ".join(dict.fromkeys(places))


def listed(items: Iterable[str]) -> str:
    """Join with commas, and the last with ``and``."""
    *rest, last = items
    return f"{', '.join(rest)} and {last}" if rest else last


def counted(n: int, thing: str) -> str:
    """Write a number of things."""
    return f"{n} {thing}{'s' * (n != 1)}"


def slug(label: str) -> str:
    """Turn a label into a part of an id."""
    return re.sub(r"\W+", "-", label.lower()).strip("-")


def variants(report: Report, settings: Collection[tuple[str, str]]) -> str:
    """End a sentence with the variants that try another value of an experiment's setting.

    Those that change the least come first, and three are named: studies may have dozens.
    """
    varied = sorted(
        (
            variant
            for variant in report.variants.values()
            if any((variant.of, setting) in settings for setting in variant.settings)
        ),
        key=lambda variant: len(variant.settings),
    )
    if not varied:
        return "."
    named, more = [variant.title for variant in varied[:3]], len(varied) - 3
    rest = f"; and {more} more" if more > 0 else ""
    return f"; variants show what it changes: {'; '.join(named)}{rest}."
