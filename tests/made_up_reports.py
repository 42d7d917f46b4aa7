"""Reports made up for the tests of the audit: consistent ones, small or drawn at random."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

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
