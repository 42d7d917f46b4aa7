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

#: What a statement is about whose parts have several topics: a table of epochs.
SEVERAL = "accuracy and loss of every epoch"

#: What statements about results are about, in the order in which tables count them.
TOPICS = (
    "training accuracy", "validation accuracy", "test accuracy", "losses", SEVERAL,
    "single classes", "averages of classes", "which model is better, by how much",
    "numbers of epochs", "gaps between splits", "training times", "sizes of models",
    "anything else",
)  # fmt: skip


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
        Name in `verdicts.measure.MEASURES`, and which metric or score that function, or else the
        judge, reads.
    unit : str
        What figures draw it in; empty where it is not drawn.
    margin : float, optional
        Largest difference that does not matter, in percentage points or, when `relative`, as a
        share of the claimed value. Without one the interval alone decides.
    topic : str
        One of `TOPICS`, where ``{part}`` is the part of the data.
    short : str
        What is stated, in the few words of a figure; by default the name and the value.
    says : str
        What a comparison without a value says of its first side.
    share_of : str
        What the verdict's mean is a share of, where it is one.
    suffix : str
        What follows the value where no unit of the claim does.
    form : {"number", "numbers", "words"}
        What a value can be: one number; also a list of them, such as a shape; also words.
    whole : bool
        Plain numbers are whole, and exact: a count, or an epoch.
    of_class : bool
        Whether it is a share of the images of one class.
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
    topic: str = "anything else"
    short: str = ""
    says: str = "higher"
    share_of: str = ""
    suffix: str = ""
    form: Literal["number", "numbers", "words"] = "number"
    whole: bool = False
    of_class: bool = False
    low: int | None = 0
    high: int | None = None
    units: Set[str] = frozenset({"plain", "percent"})
    place: Literal["experiment", "report", "any"] = "experiment"

    @property
    def is_metric(self) -> bool:
        """Whether every epoch of a training has it, on every split: accuracy and loss."""
        return self.kind == "measured" and self.measure == "metric"

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the share of all images of a split that are classified correctly."""
        return self.is_metric and self.metric == "accuracy"

    @property
    def is_length(self) -> bool:
        """Whether it says for how long a model was trained."""
        return self.measure == "epochs"

    @property
    def counts_images(self) -> bool:
        """Whether it says how many images a split has."""
        return self.judge == "images"


#: Of numbers that trainings give, which may be the means of several.
_MEAN = frozenset({"mean_of"})


def _metric(metric: str, unit: str, margin: float, **row: Any) -> Quantity:
    return Quantity(
        kind="measured", name=f"{{split}} {metric}", judge="values", measure="metric",
        metric=metric, needs={"value", "split"}, takes={"epoch", *_MEAN}, unit=unit,
        margin=margin,
        **row, short=f"{{part}} {metric} {{reported}}",
    )  # fmt: skip


def _epochs(name: str, measure: str, short: str) -> Quantity:
    return Quantity(
        kind="measured", name=name, judge="values", measure=measure, unit=EPOCHS, short=short,
        topic="numbers of epochs", whole=True, low=1, units={"plain"}, takes=_MEAN,
    )  # fmt: skip


def _score(name: str, needs: Set[str] = frozenset(), **row: Any) -> Quantity:
    # A class has 1,000 test images, a tenth of what an accuracy has: hence three points.
    return Quantity(
        kind="measured", name=name, judge="values", needs={"value", "split", "label", *needs},
        topic="single classes", unit=POINTS, margin=3.0, high=1, takes=_MEAN,
        **{"measure": "class_score", **row},
    )  # fmt: skip


def _macro(name: str, metric: str) -> Quantity:
    return Quantity(
        kind="measured", name=f"macro {name}", judge="values", measure="macro_score", metric=metric,
        needs={"value", "split"}, topic="averages of classes", unit=POINTS, margin=1.0, high=1,
        takes=_MEAN, short=f"macro {name} {{reported}}",
    )  # fmt: skip


def _shown(name: str, judge: str, suffix: str, **row: Any) -> Quantity:
    return Quantity(
        kind="untested", name=name, judge=judge, suffix=suffix, units={"plain"},
        **{"topic": "training times", **row},
    )  # fmt: skip


def _comparison(name: str, judge: str, *needs: str, low: int = 0, **row: Any) -> Quantity:
    return Quantity(
        kind="comparison", name=name, judge=judge, needs={"split", "of", *needs},
        measure="metric", metric="accuracy", topic="which model is better, by how much",
        place="report", low=low, high=1, **row,
    )  # fmt: skip


def _exact(name: str, judge: str, *needs: str, **row: Any) -> Quantity:
    return Quantity(kind="exact", name=name, judge=judge, needs={"value", *needs}, **row)


def _count(name: str, judge: str, *needs: str, **row: Any) -> Quantity:
    return _exact(name, judge, *needs, whole=True, **{"units": {"plain"}, **row})


def _total(which: str) -> Quantity:
    name = f"{which.replace('_', '-')} parameters"
    return _count(name, "total", metric=which, role="architecture")


#: Every quantity; figures show their panels in this order.
QUANTITIES = {
    "accuracy": _metric("accuracy", POINTS, margin=1.0, high=1, topic="{part} accuracy"),
    "precision": _score("precision of {label}", metric="precision"),
    "recall": _score("recall of {label}", metric="recall", of_class=True),
    "f1": _score("F1 of {label}", metric="f1"),
    # The averages of the ten classes; each has 1,000 test images, so that no weight changes them.
    "macro_precision": _macro("precision", "precision"),
    "macro_recall": _macro("recall", "recall"),
    "macro_f1": _macro("F1", "f1"),
    "confused": _score(
        "{label} taken for {predicted}", {"predicted"}, measure="confused", of_class=True
    ),
    "loss": _metric("loss", NATS, margin=0.10, relative=True, topic="losses"),
    "gap": Quantity(
        kind="measured", name="{split} accuracy over {than_split} accuracy", judge="values",
        measure="gap", metric="accuracy", needs={"value", "split", "than_split"}, unit=POINTS,
        margin=1.0, topic="gaps between splits", short="{name} {reported}", low=-1, high=1,
        units={"plain", "points"}, takes=_MEAN,
    ),
    "epochs_trained": _epochs("epochs trained", "epochs", "{reported} epochs"),
    "lowest_val_loss_epoch": _epochs(
        "epoch of the lowest validation loss", "lowest_epoch",
        "lowest validation loss at epoch {reported}",
    ),
    "highest_val_accuracy_epoch": _epochs(
        "epoch of the highest validation accuracy", "highest_epoch",
        "highest validation accuracy at epoch {reported}",
    ),
    "class_ordering": Quantity(
        kind="measured", name="recall of {labels} over {than_labels}", judge="class_ordering",
        needs={"split", "labels", "than_labels"}, measure="class_score", metric="recall",
        topic="single classes", share_of="runs",
    ),
    "difference": _comparison(
        "{split} accuracy of {of} over {than}", "difference", "value", "than",
        unit=POINTS, margin=1.0, short="{part} accuracy {signed}", low=-1,
        units={"plain", "points"}, takes=_MEAN,
    ),
    "ordering": _comparison(
        "{split} accuracy of {of} over {than}", "ordering", "than", share_of="pairs of runs"
    ),
    "match": _comparison(
        "{split} accuracy of {of} as good as of {than}", "match", "than", margin=1.0,
        says="as good", takes=_MEAN,
    ),
    "bound": _comparison(
        "{split} accuracy of {of}", "bound", "value", "relation", share_of="{runs} runs"
    ),
    "layer_shape": _count(
        "output shape", "layer", "layer", metric="shape", role="architecture", form="numbers",
        low=1,
    ),
    "layer_params": _count("parameters", "layer", "layer", metric="params", role="architecture"),
    "total_params": _total("total"),
    "trainable_params": _total("trainable"),
    "non_trainable_params": _total("non_trainable"),
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
    "megabytes": _shown("size of the model", "megabytes", " MB", topic="sizes of models"),
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
