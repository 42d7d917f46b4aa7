"""Consistent reports, tables and scores drawn at random, for the tests of the audit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from made_up_reports import Content, claim, derived, experiment, layers, scores, tiny

from fmnist_utils.data.fashion_mnist import CLASS_NAMES


def rounded(draw: Callable[..., Any], value: Fraction, percent: bool) -> str:
    """Print a fraction as reports do: rounded either way at ties, or as Keras prints a float32."""
    style = draw(st.sampled_from(["even", "up", "float32"]))
    if style == "float32":
        text = f"{100 * float(np.float32(float(value))):.4f}" if percent else ""
        return text or f"{float(np.float32(float(value))):.10f}"
    places = draw(st.integers(0 if percent else 2, 4))
    scaled = (100 if percent else 1) * value * 10**places
    whole = round(scaled) if style == "even" else (scaled + Fraction(1, 2)).__floor__()
    return str(Decimal(whole).scaleb(-places)) if places else f"{whole}"


def whole(value: Fraction, relation: str) -> str:
    """Return the nearest whole number that bounds a value: a true bound need not be close."""
    return str(value.__floor__() if relation == "at_least" else value.__ceil__())


@st.composite
def consistent_reports(draw: Callable[..., Any]) -> Content:
    """State true counts of right answers, and what follows from them, each rounded at random."""
    right = {
        name: {
            "test": Fraction(draw(st.integers(5_000, 9_990)), 10_000),
            "validation": Fraction(draw(st.integers(6_000, 11_990)), 12_000),
            # At least as well as what it was not trained on.
            "train": Fraction(draw(st.integers(47_960, 48_000)), 48_000),
        }
        for name in ("a", "b")
    }

    def stated(name: str, split: str, value: Fraction) -> Content:
        percent = draw(st.booleans())
        unit = "percent" if percent else "plain"
        text = rounded(draw, value, percent)
        return claim(name, "accuracy", text, split=split, unit=unit)

    def gap(name: str, true: Fraction, than_split: str = "test") -> Content:
        keys = {"split": "train", "than_split": than_split, "unit": "points"}
        return claim(name, "gap", rounded(draw, true, True), **keys)

    ends = {
        name: [epoch_table(draw, split, values[split]) for split in ("train", "validation")]
        for name, values in right.items()
    }
    experiments = {
        name: experiment(
            name,
            *(
                stated(f"{split}-{i}", split, value)
                for split, value in values.items()
                for i in range(draw(st.integers(1, 3)))
            ),
            claim("ended", "epochs_trained", str(draw(st.integers(11, 100)))),
            *counts_of_images(draw),
            *class_recalls(draw),
            gap("gap", values["train"] - values["test"]),
            gap("gap-again", values["train"] - values["validation"], than_split="validation"),
            *(table["stated"] for table in ends[name]),
            table=draw(printed_tables()),
            epoch_tables=[table["printed"] for table in ends[name]],
        )
        for name, values in right.items()
    }
    best, other = sorted(right, key=lambda name: right[name]["test"], reverse=True)
    gain = right[best]["test"] - right[other]["test"]
    pair = {"split": "test", "of": best, "than": other}
    bounds = [
        claim(f"bound-{name}-{relation[3:]}", "bound", whole(100 * right[name]["test"], relation),
              split="test", of=name, relation=relation, unit="percent")
        for name in right
        for relation in ("at_least", "at_most")
    ]  # fmt: skip
    comparisons = [
        claim("gain", "difference", rounded(draw, gain, True), unit="points", **pair),
        claim("gain-plain", "difference", rounded(draw, gain, False), unit="plain", **pair),
    ]
    if gain:
        comparisons.append(claim("better", "ordering", **pair))
    return {
        **tiny(),
        "claims": [*comparisons, *bounds],
        "experiments": experiments,
        "derivations": draw(derivations()),
    }


def counts_of_images(draw: Callable[..., Any]) -> list[Content]:
    """State how the images are divided, as counts and as shares."""
    sizes = {"train": 48_000, "validation": 12_000, "test": 10_000}
    shares = {split: rounded(draw, Fraction(n, 70_000), True) for split, n in sizes.items()}
    return [
        *(claim(f"{split}-count", "images", str(n), split=split) for split, n in sizes.items()),
        *(claim(f"{split}-share", "images", share, split=split, unit="percent")
          for split, share in shares.items()),
    ]  # fmt: skip


def class_recalls(draw: Callable[..., Any]) -> list[Content]:
    """State how many images of some classes are recognised, and which class is better."""
    right = draw(st.dictionaries(st.integers(0, 9), st.integers(0, 1_000), max_size=4))
    stated = [
        claim(f"recall-{label}", "recall", rounded(draw, Fraction(hits, 1_000), True), label=label,
              split="test", unit="percent")
        for label, hits in right.items()
    ]  # fmt: skip
    ranked = sorted(right, key=lambda label: right[label])
    if ranked and right[ranked[0]] < right[ranked[-1]]:
        pair = {"labels": [ranked[-1]], "than_labels": [ranked[0]]}
        stated.append(claim("ranks", "class_ordering", split="test", **pair))
    return stated


def epoch_table(draw: Callable[..., Any], split: str, last: Fraction) -> dict[str, Content]:
    """Print accuracies that end at a true one and losses that the errors allow; state the last."""
    accuracies = [Fraction(draw(st.integers(6_000, 12_000)), 12_000) for _ in range(2)] + [last]
    # Each error costs ln 2 at least.
    losses = [(1 - right) * Fraction(7, 10) + Fraction(draw(st.integers(0, 2_000)), 1_000)
              for right in accuracies]  # fmt: skip
    printed = {
        "where": f"Table of {split}", "split": split,
        "accuracy": [rounded(draw, value, False) for value in accuracies],
        "loss": [rounded(draw, value, False) for value in losses],
    }  # fmt: skip
    stated = claim(f"{split}-loss", "loss", rounded(draw, losses[-1], False), split=split)
    return {"printed": printed, "stated": stated}


@st.composite
def derivations(draw: Callable[..., Any]) -> list[Content]:
    parts = draw(st.lists(st.integers(1, 1_000), min_size=2, max_size=4))
    shares = [Fraction(part, sum(parts)) for part in parts]
    printed = [rounded(draw, share, True) for share in shares]
    return [
        derived("sum", "sum", str(sum(parts)), *map(str, parts)),
        derived("share", "ratio", printed[0], str(parts[0]), str(sum(parts)), unit="percent"),
        derived("hundred", "sum", "100.0", *printed, unit="percent"),
        derived("mean", "mean", rounded(draw, sum(shares, Fraction()) / len(shares), True),
                *printed, unit="percent"),
    ]  # fmt: skip


@st.composite
def printed_tables(draw: Callable[..., Any]) -> Content:
    """Print the layer table of a random CNN, counting positions and weights one by one.

    Kernels need not be square, strides need not be those of the window, convolutions may be dilated
    or in groups, and batch normalisation may leave out its scale.
    """
    rows: list[tuple[str, tuple[int, ...], int]] = []
    size, channels = (28, 28), 1

    def moved(windows: tuple[int, int]) -> tuple[int, int]:
        same, stride = draw(st.booleans()), draw(st.integers(1, 3))
        dilation = 1 if stride > 1 else draw(st.integers(1, 3))
        reach = [dilation * (window - 1) for window in windows]
        if min(side - beyond for side, beyond in zip(size, reach, strict=True)) < 1:
            reach = [window - 1 for window in windows]
        return tuple(  # type: ignore[return-value]
            len(range(0, side if same else side - beyond, stride))
            for side, beyond in zip(size, reach, strict=True)
        )

    if draw(st.booleans()):
        rows.append(("InputLayer", (28, 28, 1), 0))
    for _ in range(draw(st.integers(0, 3))):
        kernel = (draw(st.integers(1, 7)), draw(st.integers(1, 7)))
        filters = draw(st.integers(1, 64))
        if min(size) < max(kernel):
            break
        size = moved(kernel)
        groups = draw(st.sampled_from([n for n in (1, 2, 3) if channels % n == filters % n == 0]))
        weights = np.empty((*kernel, channels // groups, filters), np.uint8).size
        rows.append(("Conv2D", (*size, filters), weights + filters * draw(st.booleans())))
        channels = filters
        if draw(st.booleans()):
            normalised = draw(st.sampled_from([3, 4])) * channels
            rows.append(("BatchNormalization", (*size, channels), normalised))
        if min(size) > 1 and draw(st.booleans()):
            window = draw(st.integers(2, min(4, *size)))
            size = moved((window, window))
            rows.append(("MaxPooling2D", (*size, channels), 0))
        rows.append(("Dropout", (*size, channels), 0))
    width = size[0] * size[1] * channels
    if not rows or len(rows[-1][1]) > 1:
        rows.append(("Flatten", (width,), 0))
    for units in [*draw(st.lists(st.integers(1, 300), max_size=3)), 10]:
        rows.append(("Dense", (units,), np.empty((width + 1, units), np.uint8).size))
        width = units
    return layers(*rows)


@st.composite
def printed_scores(draw: Callable[..., Any]) -> tuple[str, Content]:
    """Return the accuracy and the classification report of random predictions, rounded."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    chances = generator.dirichlet(np.full(10, generator.uniform(0.05, 2)), 10) + 3 * np.eye(10)
    confusion = np.array([generator.multinomial(1_000, p / p.sum()) for p in chances])
    percent = draw(st.booleans())
    rows = []
    for i, name in enumerate(CLASS_NAMES):
        hits, predicted = int(confusion[i, i]), int(confusion[:, i].sum())
        values = {
            "precision": Fraction(hits, predicted),
            "recall": Fraction(hits, 1_000),
            "f1": Fraction(2 * hits, predicted + 1_000),
        }
        texts = {key: rounded(draw, value, percent) for key, value in values.items()}
        rows.append({"label": name, "support": 1_000, **texts})
    table = scores(["0.5"] * 10, rows=rows, unit="percent" if percent else "plain")
    return rounded(draw, Fraction(int(np.trace(confusion)), 10_000), True), table
