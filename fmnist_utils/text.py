"""Words for numbers: what a claim states, what our runs give, written as a report would."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.reports.claim import Claim
from fmnist_utils.stats import welch_interval
from fmnist_utils.verdicts.outcome import Verdict

_QUANTITIES = {
    "epochs_trained": "epochs trained",
    "lowest_val_loss_epoch": "epoch of the lowest validation loss",
    "f1": "F1",
    "minutes": "training time",
    "layer_shape": "output shape",
    "layer_params": "parameters",
    "total_params": "total parameters",
    "trainable_params": "trainable parameters",
    "non_trainable_params": "non-trainable parameters",
}


def value_text(value: Any) -> str:
    """Write a shape, a count or a word as a report would print it."""
    if isinstance(value, tuple):
        return _shape(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def key_text(name: str) -> str:
    """Write the name of a parameter as words."""
    return name.replace("-", " ").replace("_", " ")


def reported_text(claim: Claim) -> str:
    """Write what the report states, with its unit, as printed."""
    if claim.quantity in ("ordering", "class_ordering"):
        return "higher"
    sign = {"at_least": "≥ ", "at_most": "≤ ", None: ""}[claim.relation]
    unit = {"percent": " %", "points": " points", "plain": ""}[claim.unit]
    unit = " point" if unit == " points" and claim.value == 1 else unit
    unit = " min" if claim.quantity == "minutes" else unit
    return f"{sign}{printed_text(claim.value)}{unit}"


def ours_text(verdict: Verdict) -> str:
    """Write what we found: mean and standard deviation, or the exact value."""
    if verdict.claim.kind == "exact":
        return value_text(verdict.ours)
    if verdict.mean is None:
        return "" if verdict.runs or verdict.claim.kind == "untested" else "no runs yet"
    if verdict.claim.quantity in ("ordering", "class_ordering", "bound"):
        among = f"{verdict.runs}" if verdict.claim.quantity == "bound" else "pairs of"
        return f"{100 * verdict.mean:.0f} % of {among} runs"
    mean = _number(verdict.mean, verdict.claim)
    return mean if verdict.sd is None else f"{mean} ± {_number(verdict.sd, verdict.claim)}"


def interval_text(verdict: Verdict) -> str:
    """Write the 95 % interval that the verdict rests on."""
    if verdict.low is None or verdict.high is None:
        return ""
    if verdict.claim.quantity in ("ordering", "class_ordering", "bound"):
        return f"{100 * verdict.low:.0f} to {100 * verdict.high:.0f} %"
    return f"{_number(verdict.low, verdict.claim)} to {_number(verdict.high, verdict.claim)}"


def spread_text(values: np.ndarray, decimals: int = 2) -> str:
    """Write mean and standard deviation of our runs; one run has no spread, none is empty."""
    if values.size < 2:
        return f"{values[0]:.{decimals}f}" if values.size else ""
    return f"{values.mean():.{decimals}f} ± {values.std(ddof=1):.{decimals}f}"


def contrast_text(*terms: tuple[float, np.ndarray]) -> str:
    """Write a weighted sum of means with its 95 % interval, `welch_interval`; or nothing.

    Parameters
    ----------
    *terms : pairs of float and float array, shape (n,)
        Weight and sample; one of fewer than two values leaves the text empty.
    """
    found = welch_interval(*terms)
    return with_interval(*found) if found else ""


def with_interval(difference: float, low: float, high: float) -> str:
    """Write a difference with its sign, and the ends of its interval."""
    # Adding zero turns the -0.0 that rounding may leave into 0.0.
    mean, *ends = (f"{round(value, 2) + 0.0:+.2f}" for value in (difference, low, high))
    return f"{mean} [{', '.join(ends)}]"


def claim_text(claim: Claim) -> str:
    """Name what a claim is about; the id of a setting says it, ``-again`` where it is repeated."""
    if claim.quantity in ("setting", "cited"):
        return claim.id.removesuffix("-again").replace("-", " ")
    if claim.quantity == "data":
        return (claim.fact or "").replace("_", " ")
    name = _QUANTITIES.get(claim.quantity, claim.quantity)
    if claim.quantity in ("difference", "ordering"):
        return f"{claim.split} accuracy of {claim.of} over {claim.than}"
    if claim.quantity == "bound":
        return f"{claim.split} accuracy of {claim.of}"
    what = f"{claim.split} {name}" if claim.split else name
    if claim.than_label is not None and claim.label is not None:
        return f"recall of {CLASS_NAMES[claim.label]} over {CLASS_NAMES[claim.than_label]}"
    if claim.predicted is not None and claim.label is not None:
        return f"{CLASS_NAMES[claim.label]} taken for {CLASS_NAMES[claim.predicted]}"
    if claim.label is not None:
        return f"{name} of {CLASS_NAMES[claim.label]}"
    return f"{what}, epoch {claim.epoch}" if claim.epoch else what


def _number(value: float | None, claim: Claim) -> str:
    """Write one of our numbers with as many digits as the claim prints, one at least.

    A loss or an accuracy as a fraction has three: with two our spread would read 0.00.
    """
    if value is None:
        return ""
    printed = claim.value.as_tuple().exponent if claim.numbers == 1 else -2  # type: ignore[union-attr]
    fraction = claim.unit == "plain" and claim.quantity in ("accuracy", "loss")
    least = 3 if fraction else 1
    return f"{value:.{min(4, max(least, -int(printed)))}f}"


def printed_text(value: Any) -> str:
    """Write a stated or chosen value as printed."""
    if isinstance(value, tuple):
        return _shape(value)
    if isinstance(value, str):
        return value
    if value != int(value) or value.as_tuple().exponent < 0:
        return str(value)
    return f"{int(value):,}"


def _shape(value: tuple[Any, ...]) -> str:
    """Write a shape that a narrow column does not break."""
    return "(" + ",\N{NO-BREAK SPACE}".join(str(item) for item in value) + ")"
