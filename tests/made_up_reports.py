"""Reports made up for the tests of the audit: consistent ones, small or drawn at random."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from pydantic import TypeAdapter

from fmnist_utils import audit
from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.models.spec import ModelSpec
from fmnist_utils.reports.protocol import ALWAYS
from fmnist_utils.reports.report import Report

Content = dict[str, Any]


def claim(name: str, quantity: str, value: Any = None, **keys: Any) -> Content:
    stated = {} if value is None else {"value": value}
    return {"id": name, "quantity": quantity, "where": f"p. of {name}", **stated, **keys}


def accuracy(name: str, split: str, value: str, **keys: Any) -> Content:
    unit = "percent" if Decimal(value) > 1 else "plain"
    return claim(name, "accuracy", value, split=split, **{"unit": unit, **keys})


def experiment(name: str, *claims: Content, epochs: int = 100, **parts: Any) -> Content:
    """Return an experiment that stops early, all of its protocol stated."""
    training = {
        "validation": {"fraction": 0.2, "take": "last"},
        "batch_size": 128,
        "epochs": epochs,
        "optimizer": {"name": "adam", "learning_rate": 0.001},
        "loss": "categorical_crossentropy",
        "early_stopping": {"monitor": "val_accuracy", "patience": 10},
    }
    model = parts.pop("model", {"builder": "mlp", "hidden": [{"units": 64}]})
    stated = {c.get("setting") for c in claims}
    stated |= {item["setting"] for item in parts.get("assumed", ())}
    settings = [
        claim(re.sub("[._]", "-", path), "setting", str(value), setting=path)
        for path, value in [*leaves(training, "training"), *layer_settings(model)]
        if path not in stated
    ]
    readings = [
        {"setting": path, "chosen": ALWAYS.get(path, "ours"), "because": TOLD} for path in READINGS
    ]
    return {
        "id": name,
        "report": "tiny",
        "title": f"Model {name}",
        "where": f"Section {name}",
        "model": model,
        "training": training,
        "assumed": readings,
        "claims": [*claims, *settings],
        **parts,
    }


TOLD = "not stated again; it is that of another model"
READINGS = [
    *("reading.pixel scaling", "reading.initialiser", "reading.defaults"),
    *("reading.weights", "reading.training accuracy", "reading.best epoch", "reading.layers"),
]


def layer_settings(model: Content) -> list[tuple[str, Any]]:
    """Return every setting of a model that is in use, with its value."""
    used = TypeAdapter(ModelSpec).validate_python(model)
    settings = used.model_dump(exclude={"builder", "input_shape"}, exclude_none=True)
    found = []
    for part, blocks in settings.items():
        if blocks:
            found.append((f"model.{part}.count", len(blocks)))
        for i, block in enumerate(blocks):
            found += leaves(block, f"model.{part}.{i}")
    return found


def leaves(settings: Content, prefix: str) -> list[tuple[str, Any]]:
    return [
        pair
        for key, value in settings.items()
        for pair in (
            leaves(value, f"{prefix}.{key}")
            if isinstance(value, dict)
            else [(f"{prefix}.{key}", value)]
        )
    ]


def layers(*rows: tuple[str, tuple[int, ...], int], where: str = "Figure 1") -> Content:
    total = sum(parameters for _, _, parameters in rows)
    frozen = sum(2 * shape[-1] for kind, shape, _ in rows if kind == "BatchNormalization")
    return {
        "where": where,
        "layers": [
            {"name": f"row {i}", "type": kind, "shape": shape, "params": parameters}
            for i, (kind, shape, parameters) in enumerate(rows)
        ],
        "total": total,
        "trainable": total - frozen,
        "non_trainable": frozen,
    }


def scores(recalls: Sequence[str], **changes: Any) -> Content:
    rows = [
        {"label": name, "precision": recall, "recall": recall, "f1": recall, "support": 1000}
        for name, recall in zip(CLASS_NAMES, recalls, strict=True)
    ]
    return {"where": "Table 2", "split": "test", "rows": rows, **changes}


CNN = layers(
    ("Conv2D", (26, 26, 32), 320),
    ("BatchNormalization", (26, 26, 32), 128),
    ("MaxPooling2D", (13, 13, 32), 0),
    ("Dropout", (13, 13, 32), 0),
    ("Flatten", (5408,), 0),
    ("Dense", (128,), 692352),
    ("Dense", (10,), 1290),
)


def tiny() -> Content:
    """Return a consistent report of two models, for an error to be planted in."""
    small = experiment(
        "small",
        accuracy("small-val", "validation", "88.75"),
        accuracy("small-test", "test", "88.40"),
        accuracy("small-again", "test", "0.884"),
        claim("small-epochs", "epochs_trained", "44"),
    )
    large = experiment(
        "large",
        accuracy("large-val", "validation", "91.9"),
        accuracy("large-test", "test", "91.13"),
        claim("filters", "setting", "32", setting="model.conv.0.filters"),
        claim("layers", "setting", "1", setting="model.conv.count"),
        claim("units", "setting", "128", setting="model.dense.0.units"),
        model={
            "builder": "cnn",
            "conv": [{"filters": 32, "kernel": 3, "padding": "valid", "pool": 2, "dropout": 0.25}],
            "dense": [{"units": 128}],
        },
        table=copy.deepcopy(CNN),
        scores=scores([f"0.{n}" for n in (85, 98, 86, 92, 87, 98, 75, 97, 98, 96)]),
    )  # fmt: skip
    return {
        "id": "tiny",
        "title": "A tiny report",
        "authors": [],
        "means": {"versions": "p. 1", "hardware": "p. 1", "seed": "p. 1"},
        "claims": [
            claim("better", "ordering", split="test", of="large", than="small"),
            claim("gain", "difference", "2.7", split="test", of="large", than="small",
                  unit="points"),
            claim("over", "bound", "91", split="test", of="large", relation="at_least",
                  unit="percent"),
            claim("under", "bound", "89", split="test", of="small", relation="at_most",
                  unit="percent"),
            claim("images", "data", "60000", fact="train_images"),
        ],
        "experiments": {"small": small, "large": large},
        "derivations": [
            derived("all", "sum", "70000", "images", "10000"),
            derived("share", "ratio", "14", "10000", "70000", unit="percent"),
            derived("times", "ratio", "3", "3384234", "1221546"),
            derived("average", "mean", "89.77", "small/small-test", "large/large-test",
                    unit="percent"),
            derived("fell", "difference", "2.73", "large/large-test", "small/small-test",
                    unit="percent"),
            derived("copied", "same", "small/small-again", "small/small-test", unit="percent"),
            derived("cited", "not_before", "2019", "2017"),
        ],
    }  # fmt: skip


def derived(name: str, rule: str, stated: str, *given: str, unit: str = "plain") -> Content:
    return {
        "id": name, "title": "A number that does not follow", "subject": "a number", "rule": rule,
        "where": f"p. of {name}", "stated": stated, "given": given,
        "unit": unit, "consequence": "It is judged as printed.",
    }  # fmt: skip


def planted(path: Sequence[str | int], value: Any, content: Content | None = None) -> Content:
    """Return the tiny report, or another, with one value of it changed."""
    content = content or tiny()
    target: Any = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return content


def audited(content: Content) -> list[str]:
    return [finding.id for finding in audit.audit(Report.model_validate(content))]


def found_in(content: Content) -> list[Any]:
    return audit.audit(Report.model_validate(content))


def alone(*stated: Content, **parts: Any) -> Content:
    """Return a report of one experiment with these claims."""
    content = tiny()
    content["claims"] = content["derivations"] = []
    # What ends the training is stated, and an accuracy on test images.
    given = {c["split"] for c in stated if c["quantity"] == "accuracy"}
    kept = [
        accuracy(f"kept-{split}", split, value)
        for split, value in (("validation", "88.75"), ("test", "88.4"))
        if split not in given
    ]
    content["experiments"] = {"small": experiment("small", *stated, *kept, **parts)}
    return content


# --- drawn at random -----------------------------------------------------------------------------


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
