"""What a claim can be about: a registry with one row per quantity.

Schema, measuring, judging, tables and figures all look a claim's quantity up here. A new quantity
is a row; a metric that runs do not hold yet also needs a field of `runs.record.Evaluation` and a
place in the trainer, and a new way of measuring or judging needs a function in `MEASURES` of
`verdicts.measure` or in `JUDGES` of `verdicts.judge`.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Literal

#: The ways in which "the accuracy after training" can be read, and what each one means.
READINGS = {
    "final": "evaluated with the weights of the last epoch",
    "best": "evaluated with the weights of the best validation epoch",
    "final-running": "as Keras prints it during the last epoch: weights still changing, dropout on",
    "best-running": "as Keras prints it during the best validation epoch",
    "final-all": "last epoch, evaluated on all training images, validation part included",
    "best-all": "best validation epoch, evaluated on all training images, validation part included",
}

Reading = Literal["final", "best", "final-running", "best-running", "final-all", "best-all"]

Kind = Literal["measured", "comparison", "exact", "untested"]

Role = Literal["headline", "result", "architecture", "setting", "data", "cited"]

#: What a claim is for, and what each word means; only the first two count as reproduced or not.
ROLES: dict[Role, str] = {
    "headline": "a number that the report's conclusion rests on",
    "result": "what a training gave",
    "architecture": "layers, shapes and parameters of a model",
    "setting": "how a model is trained, or searched for",
    "data": "the data set and how it is divided",
    "cited": "taken from other work",
}

#: Roles whose claims count as reproduced or not.
COUNTED = frozenset[Role]({"headline", "result"})

POINTS, NATS, EPOCHS = "percentage points", "nats", "epochs"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """How everything treats the claims about one quantity.

    Attributes
    ----------
    kind : {"measured", "comparison", "exact", "untested"}
        Held against runs, against several experiments' runs, exactly, or not at all.
    role : str
        One of `ROLES`, for claims that name none.
    name : str
        In words, with fields in braces for what the claim fills in.
    needs, takes : set of str
        Keys that a claim must have, and may have besides.
    judge : str
        Name in `verdicts.judge.JUDGES`.
    measure, metric : str
        Name in `verdicts.measure.MEASURES`, and which metric or score that function reads.
    unit : str
        What figures draw it in; empty where it is not drawn.
    margin : float, optional
        Largest difference that does not matter, in percentage points or, when `relative`, as a
        share of the claimed value. Without one the interval alone decides.
    short : str
        What is stated, in the few words of a figure; by default the name and the value.
    share_of : str
        What the verdict's mean is a share of, where it is one.
    suffix : str
        What follows the value where no unit of the claim does.
    form : {"number", "numbers", "words"}
        What a value can be: one number; also a list of them, such as a shape; also words.
    whole : bool
        Plain numbers are whole: a count, or an epoch.
    low, high : int, optional
        Between which a number lies, as a fraction: 100 percent is 1.
    units : set of str
        Which units of `values.SCALES` a claim may have.
    place : {"experiment", "report", "any"}
        Whether a claim stands under one experiment, or among those of the whole report.
    """

    kind: Kind
    name: str
    judge: str
    needs: Set[str] = frozenset({"value"})
    takes: Set[str] = frozenset()
    role: Role = "result"
    measure: str = ""
    metric: str = ""
    unit: str = ""
    margin: float | None = None
    relative: bool = False
    short: str = ""
    share_of: str = ""
    suffix: str = ""
    form: Literal["number", "numbers", "words"] = "number"
    whole: bool = False
    low: int | None = 0
    high: int | None = None
    units: Set[str] = frozenset({"plain", "percent"})
    place: Literal["experiment", "report", "any"] = "experiment"

    @property
    def is_metric(self) -> bool:
        """Whether every epoch of a training has it, on every split: accuracy and loss."""
        return self.kind == "measured" and self.measure == "metric"


def _metric(metric: str, unit: str, margin: float, **row: Any) -> Quantity:
    return Quantity(
        kind="measured", name=f"{{split}} {metric}", judge="values", measure="metric",
        metric=metric, needs={"value", "split"}, takes={"epoch"}, unit=unit, margin=margin,
        **row, short=f"{{part}} {metric} {{reported}}",
    )  # fmt: skip


def _epochs(name: str, measure: str, short: str) -> Quantity:
    return Quantity(
        kind="measured",
        name=name,
        judge="values",
        measure=measure,
        unit=EPOCHS,
        short=short,
        whole=True,
        low=1,
        units={"plain"},
    )


def _score(name: str, metric: str, measure: str = "class_score", *needs: str) -> Quantity:
    # A class has 1,000 test images, a tenth of what an accuracy has: hence three points.
    return Quantity(
        kind="measured", name=name, judge="values", measure=measure, metric=metric,
        needs={"value", "split", "label", *needs}, unit=POINTS, margin=3.0, high=1,
    )  # fmt: skip


def _macro(name: str, metric: str) -> Quantity:
    return Quantity(
        kind="measured", name=f"macro {name}", judge="values", measure="macro_score", metric=metric,
        needs={"value", "split"}, unit=POINTS, margin=1.0, high=1,
        short=f"macro {name} {{reported}}",
    )  # fmt: skip


def _shown(name: str, judge: str, suffix: str, **row: Any) -> Quantity:
    return Quantity(kind="untested", name=name, judge=judge, suffix=suffix, units={"plain"}, **row)


def _comparison(name: str, judge: str, *needs: str, low: int = 0, **row: Any) -> Quantity:
    return Quantity(
        kind="comparison", name=name, judge=judge, needs={"split", "of", *needs},
        measure="metric", metric="accuracy", place="report", low=low, high=1, **row,
    )  # fmt: skip


def _exact(name: str, judge: str, *needs: str, **row: Any) -> Quantity:
    return Quantity(kind="exact", name=name, judge=judge, needs={"value", *needs}, **row)


def _count(name: str, judge: str, *needs: str, **row: Any) -> Quantity:
    return _exact(name, judge, *needs, whole=True, **{"units": {"plain"}, **row})


#: Every quantity; figures show their panels in this order.
QUANTITIES = {
    "accuracy": _metric("accuracy", POINTS, margin=1.0, high=1),
    "precision": _score("precision of {label}", "precision"),
    "recall": _score("recall of {label}", "recall"),
    "f1": _score("F1 of {label}", "f1"),
    # The averages of the ten classes; each has 1,000 test images, so that no weight changes them.
    "macro_precision": _macro("precision", "precision"),
    "macro_recall": _macro("recall", "recall"),
    "macro_f1": _macro("F1", "f1"),
    "confused": _score("{label} taken for {predicted}", "", "confused", "predicted"),
    "loss": _metric("loss", NATS, margin=0.10, relative=True),
    "gap": Quantity(
        kind="measured", name="{split} accuracy over {than_split} accuracy", judge="values",
        measure="gap", metric="accuracy", needs={"value", "split", "than_split"}, unit=POINTS,
        margin=1.0, short="{name} {reported}", low=-1, high=1, units={"plain", "points"},
    ),
    "epochs_trained": _epochs("epochs trained", "epochs", "{reported} epochs"),
    "lowest_val_loss_epoch": _epochs(
        "epoch of the lowest validation loss",
        "lowest_epoch",
        "lowest validation loss at epoch {reported}",
    ),
    "highest_val_accuracy_epoch": _epochs(
        "epoch of the highest validation accuracy",
        "highest_epoch",
        "highest validation accuracy at epoch {reported}",
    ),
    "class_ordering": Quantity(
        kind="measured", name="recall of {labels} over {than_labels}", judge="class_ordering",
        needs={"split", "labels", "than_labels"}, measure="class_score", metric="recall",
        share_of="runs",
    ),
    "difference": _comparison(
        "{split} accuracy of {of} over {than}", "difference", "value", "than",
        unit=POINTS, margin=1.0, short="{part} accuracy {signed}", low=-1,
        units={"plain", "points"},
    ),
    "ordering": _comparison(
        "{split} accuracy of {of} over {than}", "ordering", "than", share_of="pairs of runs"
    ),
    "match": _comparison(
        "{split} accuracy of {of} as good as of {than}", "match", "than", margin=1.0,
    ),
    "bound": _comparison(
        "{split} accuracy of {of}", "bound", "value", "relation", share_of="{runs} runs"
    ),
    "layer_shape": _count(
        "output shape", "layer", "layer", role="architecture", form="numbers", low=1
    ),
    "layer_params": _count("parameters", "layer", "layer", role="architecture"),
    "total_params": _count("total parameters", "total", role="architecture"),
    "trainable_params": _count("trainable parameters", "total", role="architecture"),
    "non_trainable_params": _count("non-trainable parameters", "total", role="architecture"),
    "setting": _exact("{id}", "setting", "setting", role="setting", form="words", low=None),
    "images": _count(
        "{split} images", "images", "split", takes={"label"}, role="data", form="numbers",
        units={"plain", "percent"},
    ),
    "data": _exact("{fact}", "fact", "fact", role="data", place="any", form="numbers", low=None),
    "cited": Quantity(kind="untested", name="{id}", judge="cited", role="cited", place="any",
                      form="words"),
    "minutes": _shown("training time", "minutes", " min", takes={"relation"}),
    "seconds": _shown("training time", "seconds", " s"),
    "seconds_per_epoch": _shown("training time of an epoch", "seconds_per_epoch", " s"),
    "megabytes": _shown("size of the model", "megabytes", " MB"),
}  # fmt: skip

#: What reports state and no run holds, by how such a quantity's name may begin, and why.
NOT_MEASURED = {
    "top": "runs keep the class of each image that is most likely, and no other",
    "auc": "runs keep the class of each image, not the probabilities of all classes",
    "roc": "runs keep the class of each image, not the probabilities of all classes",
    "fold": "there is one split and no cross-validation",
    "sd": "give the mean with mean_of; its spread is ignored, with a reason",
    "weighted": "each class has as many test images, so that it is the macro score",
}
