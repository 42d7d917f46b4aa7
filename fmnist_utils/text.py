"""Words for numbers, claims and lists: what every table, figure and finding writes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, NUM_CLASSES
from fmnist_utils.reports.claim import SPLIT_WORDS, Claim
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.settings import key_words
from fmnist_utils.runs.pairing import difference
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.outcome import Verdict

# --- values --------------------------------------------------------------------------------------


def value_text(value: Any) -> str:
    """Write a value as a report would print it; a stated one keeps its trailing zeros."""
    if isinstance(value, tuple):
        # A narrow column must not break a shape.
        return "(" + ",\N{NO-BREAK SPACE}".join(str(item) for item in value) + ")"
    if isinstance(value, Decimal):
        return str(value) if int(value.as_tuple().exponent) < 0 else f"{int(value):,}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def stated_value(claim: Claim) -> str:
    """Write the value of a claim as printed, with its unit."""
    return f"{value_text(claim.value)}{claim.suffix}"


def reported_text(claim: Claim) -> str:
    """Write what the report states: a value, what bounds it, or that something is higher."""
    if claim.value is None:
        return claim.comparison
    return f"{claim.sign}{stated_value(claim)}"


def percent_text(claim: Claim) -> str:
    """Write a share that is printed as a fraction in percent, as readers look for it; else "".

    A difference of two is one in points.
    """
    if claim.about.high != 1 or claim.unit != "plain" or not isinstance(claim.value, Decimal):
        return ""
    unit = "points" if "points" in claim.about.units else "percent"
    value = Decimal(f"{100 * claim.number:.6g}")
    return reported_text(claim.model_copy(update={"unit": unit, "value": value}))


def ours_text(verdict: Verdict) -> str:
    """Write what we found: mean and standard deviation, or the exact value."""
    if verdict.claim.kind == "exact":
        if verdict.claim.setting and verdict.claim.unit == "percent":
            return f"{verdict.ours:g} %"
        return value_text(verdict.ours)
    if verdict.mean is None:
        return "" if verdict.runs or verdict.claim.kind == "untested" else "no runs yet"
    if share_of := verdict.claim.about.share_of:
        return f"{100 * verdict.mean:.0f} % of {share_of.format(runs=verdict.runs)}"
    mean = _number(verdict.mean, verdict.claim)
    return mean if verdict.sd is None else f"{mean} ± {_number(verdict.sd, verdict.claim)}"


def interval_text(verdict: Verdict) -> str:
    """Write the 95 % interval that the verdict rests on."""
    if verdict.low is None or verdict.high is None:
        return ""
    if verdict.claim.about.share_of:
        return f"{100 * verdict.low:.0f} to {100 * verdict.high:.0f} %"
    return f"{_number(verdict.low, verdict.claim)} to {_number(verdict.high, verdict.claim)}"


def _number(value: float, claim: Claim) -> str:
    """Write one of our numbers with as many digits as the claim prints, one at least.

    A loss or an accuracy as a fraction has three: with two our spread would read 0.00.
    """
    printed = claim.value.as_tuple().exponent if isinstance(claim.value, Decimal) else -2
    least = 3 if claim.unit == "plain" and claim.about.is_metric else 1
    return f"{value:.{min(4, max(least, -int(printed)))}f}"


# --- means of our runs ---------------------------------------------------------------------------


def spread_text(values: np.ndarray) -> str:
    """Write mean and standard deviation of our runs; one run has no spread, none is empty."""
    if values.size < 2:
        return f"{values[0]:.2f}" if values.size else ""
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"


def difference_text(ones: Sequence[Run], others: Sequence[Run]) -> str:
    """Write by how much one model is more accurate, `runs.pairing.difference`; or nothing.

    Parameters
    ----------
    ones, others : sequence of Run
        The model, and the one it is compared with.
    """
    found = difference(ones, others)
    if found is None:
        return ""
    return with_interval(*found[:3]) + " in pairs" * found.in_pairs


def with_interval(estimate: float, low: float, high: float) -> str:
    """Write a difference with its sign, and the ends of its interval.

    Parameters
    ----------
    estimate : float
        The difference of the means, in percentage points.
    low, high : float
        Ends of its interval.
    """
    # Adding zero turns the -0.0 that rounding may leave into 0.0.
    mean, *ends = (f"{round(value, 2) + 0.0:+.2f}" for value in (estimate, low, high))
    return f"{mean} [{', '.join(ends)}]"


# --- names ---------------------------------------------------------------------------------------


#: What settings mean whose keys do not say it, by the end of their paths.
_MEANINGS = {
    "dropout": "dropout rate",
    "pool": "pooling window",
    "pool_kind": "kind of pooling",
    "pool_strides": "stride of pooling",
    "kernel": "kernel size",
    "strides": "stride",
    "negative_slope": "slope below zero",
    "model.input_dropout": "dropout rate of the input",
    "model.global_pool": "pooling of whole maps",
    "conv.count": "number of conv layers",
    "dense.count": "number of dense layers",
    "hidden.count": "number of hidden layers",
    "validation.take": "which images are held out",
    "validation.seed": "which images are held out",
    "validation.fraction": "share held out",
    "validation.count": "number held out",
    "optimizer.name": "optimizer",
    "optimizer.learning_rate": "learning rate",
    "schedule.kind": "schedule of the learning rate",
    "schedule.decay_steps": "steps of its decay",
    "schedule.decay_rate": "rate of its decay",
    "schedule.staircase": "whether it decays in steps",
    "early_stopping.monitor": "what early stopping watches",
    "early_stopping.patience": "patience of early stopping",
    "early_stopping.min_delta": "least improvement for early stopping",
    "early_stopping.restore_best_weights": "whether the best weights are restored",
    "reduce_lr_on_plateau.monitor": "what lowers the learning rate",
    "reduce_lr_on_plateau.factor": "factor of the learning rate",
    "reduce_lr_on_plateau.patience": "patience with a learning rate",
    "reduce_lr_on_plateau.min_delta": "least improvement for a learning rate",
    "reduce_lr_on_plateau.min_lr": "least learning rate",
    "augmentation.rotation_degrees": "angle of rotation",
    "augmentation.shear_degrees": "amount of shear",
    "augmentation.validation": "whether validation images are augmented",
    "model.resize": "way of resizing images",
}
_IN_LAYER = re.compile(r"model\.(\w+)\.(\d+)\.(\w+)")


def setting_name(path: str) -> str:
    """Name the setting of a path, in whichever layer it is."""
    in_layer = _IN_LAYER.fullmatch(path)
    key = in_layer[3] if in_layer else path
    end = ".".join(path.split(".")[-2:])
    # A key alone means what it says: it may be the id of a claim.
    meaning = _MEANINGS.get(key if in_layer else end) if "." in path else None
    return meaning or key_words(key)


def key_text(path: str) -> str:
    """Write a key, or a dotted path of keys, as words; layers are counted from one.

    Examples
    --------
    >>> from fmnist_utils.text import key_text
    >>> key_text("model.conv.0.kernel"), key_text("training.validation.take")
    ('kernel size of conv layer 1', 'which images are held out')
    """
    in_layer = _IN_LAYER.fullmatch(path)
    name = setting_name(path)
    return f"{name} of {in_layer[1]} layer {int(in_layer[2]) + 1}" if in_layer else name


def claim_text(claim: Claim) -> str:
    """Name what a claim is about; the id of a setting says it."""
    classes = {key: CLASS_NAMES[getattr(claim, key) or 0] for key in ("label", "predicted")}
    name = claim.about.name
    if claim.label is not None and "{label}" not in name:
        name += " of {label}"
    text = name.format(
        id=key_text(claim.id), fact=key_text(claim.fact or ""),
        split=SPLIT_WORDS.get(claim.split or ""), of=claim.of, than=claim.than, **classes,
        than_split=SPLIT_WORDS.get(claim.than_split or ""),
        labels=_classes_text(claim.labels), than_labels=_classes_text(claim.than_labels),
    )  # fmt: skip
    text += f", epoch {claim.epoch}" if claim.epoch else ""
    return f"{text}, on {claim.machine}" if claim.machine else text


def _classes_text(labels: Collection[int] | None) -> str:
    """Name classes; by those that are missing where that is shorter."""
    labels = labels or ()
    if len(labels) < NUM_CLASSES - 1:
        return listed(CLASS_NAMES[label] for label in labels) if labels else ""
    return "every other class"


def subject_text(claim: Claim) -> str:
    """Name what a claim is about, a setting by its path: several claims may be about one."""
    return key_text(claim.setting) if claim.setting else claim_text(claim)


def experiment_title(report: Report, experiment_id: str | None) -> str:
    """Return the title of an experiment or of a variant.

    Parameters
    ----------
    report : Report
        Whose.
    experiment_id : str or None
        Id of either, as a verdict has it.
    """
    variant = report.variants.get(experiment_id or "")
    return variant.title if variant else report.experiments[experiment_id or ""].title


def slug(label: str) -> str:
    """Turn a label into a part of an id."""
    return re.sub(r"\W+", "-", label.lower()).strip("-")


# --- lists ---------------------------------------------------------------------------------------


def joined(texts: Iterable[str]) -> str:
    """Join texts with semicolons, leaving out repetitions."""
    return "; ".join(dict.fromkeys(texts))


def listed(items: Iterable[str]) -> str:
    """Join texts with commas, and the last with ``and``."""
    *rest, last = items
    return f"{', '.join(rest)} and {last}" if rest else last


def sentence(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]


def counted(n: int, thing: str) -> str:
    """Write how many there are of a thing, with a plural where it needs one.

    Parameters
    ----------
    n : int
        How many.
    thing : str
        In the singular; its plural ends in s.
    """
    return f"{n} {thing}{'s' * (n != 1)}"


_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip


def spelled(n: int) -> str:
    """Write a small number as a word, as in a sentence.

    Examples
    --------
    >>> from fmnist_utils.text import spelled
    >>> spelled(5), spelled(13)
    ('five', '13')
    """
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)


def variants_text(report: Report, settings: Collection[tuple[str, str]]) -> str:
    """Return the end of a sentence: the variants that try another value of a setting.

    Those that change the least come first, and three are named: studies may have dozens.

    Parameters
    ----------
    report : Report
        Whose variants.
    settings : collection of (str, str)
        Id of an experiment, and dotted path of a setting of it.
    """
    varied = sorted(
        (
            variant
            for variant in report.other_choices.values()
            if any((variant.of, setting) in settings for setting in variant.settings)
        ),
        key=lambda variant: len(variant.settings),
    )
    if not varied:
        return "."
    named, more = [variant.title for variant in varied[:3]], len(varied) - 3
    rest = f"; and {more} more" if more > 0 else ""
    return f"; variants show what it changes: {'; '.join(named)}{rest}."
