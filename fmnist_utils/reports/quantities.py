"""What a claim can be about, and which keys each quantity needs."""

from __future__ import annotations

from typing import Literal

Measured = Literal[
    "accuracy", "loss", "epochs_trained", "lowest_val_loss_epoch",
    "precision", "recall", "f1", "confused", "class_ordering",
]  # fmt: skip

Comparison = Literal["difference", "ordering", "bound"]

Exact = Literal[
    "layer_shape", "layer_params", "total_params", "trainable_params", "non_trainable_params",
    "setting", "images", "data",
]  # fmt: skip

Untested = Literal["cited", "minutes"]


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


_OPTIONAL = (
    "value", "split", "layer", "setting", "fact", "of", "than", "relation", "epoch", "label",
    "predicted", "than_label",
)  # fmt: skip

#: What a claim may have besides.
_ALSO = {"accuracy": {"epoch"}, "loss": {"epoch"}, "images": {"label"}}

_NEEDED: dict[str, set[str]] = {
    "accuracy": {"value", "split"},
    "loss": {"value", "split"},
    "precision": {"value", "split", "label"},
    "recall": {"value", "split", "label"},
    "f1": {"value", "split", "label"},
    "confused": {"value", "split", "label", "predicted"},
    "class_ordering": {"split", "label", "than_label"},
    "images": {"value", "split"},
    "difference": {"value", "split", "of", "than"},
    "ordering": {"split", "of", "than"},
    "bound": {"value", "split", "of", "relation"},
    "layer_shape": {"value", "layer"},
    "layer_params": {"value", "layer"},
    "setting": {"value", "setting"},
    "data": {"value", "fact"},
}
