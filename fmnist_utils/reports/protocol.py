"""The protocol of one training, and which images it trains on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.data.inputs import split_indices
from fmnist_utils.records import Strict


class Augmentation(Strict):
    """How far images are moved at random; None means that a transform is not used.

    Space that opens at an edge is filled with the nearest pixel, as ``ImageDataGenerator`` does by
    default; values between pixels are bilinear.

    Attributes
    ----------
    rotation_degrees : float
        The angle about the image's centre is uniform in ±`rotation_degrees`.
    zoom : float
        The distance between two samples of the image is uniform in 1 ± `zoom` pixels, drawn for
        each axis apart: above 1 the garment shrinks, below 1 it grows.
    shift : float
        The shifts are uniform in ±`shift` of the height and of the width, drawn apart.
    shear_degrees : float
        Rows slide along each other, the middle one stays. Vertical lines lean by an angle within
        ±`shear_degrees`, uniform in its tangent. ``ImageDataGenerator`` does the same and then
        stretches the height by the inverse cosine, 4 % at 15 degrees, which is left out here.
    horizontal_flip, vertical_flip : bool
        Mirror left and right, or top and bottom, with probability one half.
    validation : bool
        Augment the validation images too.
    """

    rotation_degrees: Annotated[float, Field(ge=0, le=180)] | None = None
    zoom: Annotated[float, Field(ge=0, lt=1)] | None = None
    shift: Annotated[float, Field(ge=0, le=1)] | None = None
    shear_degrees: Annotated[float, Field(ge=0, le=45)] | None = None
    horizontal_flip: bool | None = None
    vertical_flip: bool | None = None
    validation: bool | None = None

    @model_validator(mode="after")
    def _some_transform(self) -> Augmentation:
        if not self.model_dump(exclude={"validation"}, exclude_none=True):
            transforms = ", ".join(name for name in type(self).model_fields if name != "validation")
            raise ValueError(f"an augmentation needs at least one of {transforms}")
        return self


#: With a run's seed what its split is drawn from; the order of images is drawn from the seed alone.
SPLIT_STREAM = 1


def split_rows(
    spec: Training, n: int, seed: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
    """Return which of n training images a run trains on, and which it validates on.

    Parameters
    ----------
    spec : Training
        The protocol.
    n : int
        Number of training images.
    seed : int, optional
        Of the run; needed where each run draws a split of its own.

    Returns
    -------
    train, validation : int32 arrays
        Ascending; `validation` is None where no training image is held out.

    Raises
    ------
    DataError
        When a split is to be drawn without the seed of a run.
    """
    held_out = spec.validation
    if held_out.take == "test" or held_out.take == "none":
        return np.arange(n, dtype=np.int32)[: spec.images], None
    drawn_from: int | tuple[int, int] | None = held_out.seed
    if held_out.drawn_by_run and seed is not None:
        drawn_from = (seed, SPLIT_STREAM)
    train, validation = split_indices(
        n, fraction=held_out.fraction, count=held_out.count, take=held_out.take, seed=drawn_from
    )
    return train[: spec.images], validation


def split_sizes(spec: Training) -> dict[str, int]:
    """Count the images of the official data set that a protocol trains, validates and tests on."""
    train, validation = split_rows(spec, count("train_images"), seed=0)
    test = count("test_images")
    held_out = test if validation is None else len(validation)
    return {"train": len(train), "validation": held_out, "test": test}


#: Each epoch leaves a line in the record of a run; the reports train for at most 100.
Epochs = Annotated[PositiveInt, Field(le=10_000)]

#: What NumPy and Keras both take.
Seed = Annotated[PositiveInt, Field(lt=2**31)]

#: Adam diverges far below; an infinite rate is none.
Finite = Annotated[PositiveFloat, Field(allow_inf_nan=False)]

#: No batch, and no part of the data, has more images than there are for training.
Images = Annotated[PositiveInt, Field(le=count("train_images"))]


#: float32, or matrix products in bfloat16 with variables and everything else in float32.
Precision = Literal["float32", "mixed_bfloat16"]


class Validation(Strict):
    """Which training images are held out for validation: a fraction or a count of them.

    With ``take: test`` none is: the test images are looked at during training, as some do. With
    ``take: none`` nothing is looked at; our curves then are of the test images, and decide nothing.

    With ``take: random`` a `seed` draws one split for all runs; without one each run draws its own,
    so that runs differ by the split too, as they must where nobody knows which images it was.
    """

    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    count: Images | None = None
    take: Literal["first", "last", "random", "test", "none"]
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None

    @model_validator(mode="after")
    def _can_be_taken(self) -> Validation:
        given = (self.fraction is not None) + (self.count is not None)
        if given != self.holds_out:
            raise ValueError(
                "a validation split needs either a fraction or a count, or take: test or none"
            )
        if self.seed is not None and self.take != "random":
            raise ValueError("only a random validation split takes a seed")
        return self

    @property
    def holds_out(self) -> bool:
        """Whether some training images are held out."""
        return self.take not in ("test", "none")

    @property
    def drawn_by_run(self) -> bool:
        """Whether each run draws a split of its own."""
        return self.take == "random" and self.seed is None


#: What can be watched during training, as Keras names it: of validation images, or running.
Monitor = Literal["val_accuracy", "val_loss", "accuracy", "loss"]

#: By how much a metric must improve to count as better.
Delta = Annotated[float, Field(ge=0, lt=10)]


class Schedule(Strict):
    """How a learning rate falls with the number of steps, as ``keras.optimizers.schedules`` has it.

    An ``exponential`` or ``inverse_time`` decay has a `decay_rate`; ``cosine`` ends at 0 after
    `decay_steps`.
    """

    kind: Literal["exponential", "inverse_time", "cosine"]
    decay_steps: Annotated[PositiveInt, Field(le=10**8)]
    decay_rate: Finite | None = None
    staircase: bool | None = None

    @model_validator(mode="after")
    def _has_what_it_takes(self) -> Schedule:
        if (self.decay_rate is None) != (self.kind == "cosine"):
            raise ValueError("an exponential or inverse_time schedule needs a decay_rate, no other")
        if self.kind == "cosine" and self.staircase is not None:
            raise ValueError("a cosine schedule takes no staircase")
        return self


class Optimizer(Strict):
    """A Keras optimizer; what is not named here stays at the Keras default.

    SGD and RMSprop take a `momentum`, SGD alone `nesterov`. With a `schedule` the `learning_rate`
    is that of the first step.
    """

    name: Literal["adam", "adamw", "adagrad", "nadam", "rmsprop", "sgd"]
    learning_rate: Finite
    momentum: Annotated[float, Field(ge=0, le=1)] | None = None
    nesterov: bool | None = None
    weight_decay: Annotated[float, Field(ge=0, lt=1)] | None = None
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _has_what_it_takes(self) -> Optimizer:
        for key, takers in (("momentum", ("sgd", "rmsprop")), ("nesterov", ("sgd",))):
            if getattr(self, key) is not None and self.name not in takers:
                raise ValueError(f"{self.name} takes no {key}: {' and '.join(takers)} do")
        return self


class EarlyStopping(Strict):
    """Stop when the monitored metric has not improved by `min_delta` for `patience` epochs.

    Every run is evaluated at its last and at its best epoch. With `restore_best_weights` a claim is
    about the best one, unless it says otherwise.
    """

    monitor: Monitor
    patience: Epochs
    min_delta: Delta | None = None
    restore_best_weights: bool | None = None


class Plateau(Strict):
    """Multiply the learning rate by `factor` when the monitored metric has not improved.

    As ``keras.callbacks.ReduceLROnPlateau`` does; what is None stays at its default, of which
    `min_delta` is 0.0001.
    """

    monitor: Monitor
    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: Epochs
    min_delta: Delta | None = None
    cooldown: Annotated[int, Field(ge=0, le=10_000)] | None = None
    min_lr: Annotated[float, Field(ge=0, lt=1)] | None = None


#: What every training does, by the ``reading`` under which a report states it or leaves it open.
ALWAYS = {
    "reading.pixel scaling": "divided by 255",
    "reading.pixel range": (0, 1),
    "reading.strides": (1, 1),
    "reading.dilation": (1, 1),
    "reading.initialiser": "Glorot uniform, zero biases",
    "reading.defaults": "those of Keras",
    "reading.fill mode": "nearest pixel, bilinear",
}


class Training(Strict):
    """The protocol of one training.

    `images` limits it to so many training images, the first ones that are not held out.
    `label_smoothing` spreads that share of each label over all classes, in every loss, also where
    one is evaluated, as Keras does.

    A feature that a report does not use is None, and None is left out of the fingerprint: new
    optional features leave existing runs valid.
    """

    validation: Validation
    batch_size: Images
    epochs: Epochs
    optimizer: Optimizer
    loss: Literal["categorical_crossentropy", "sparse_categorical_crossentropy"]
    early_stopping: EarlyStopping | None = None
    reduce_lr_on_plateau: Plateau | None = None
    images: Images | None = None
    augmentation: Augmentation | None = None
    label_smoothing: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _labels_can_be_smoothed(self) -> Training:
        if self.label_smoothing is not None and self.loss != "categorical_crossentropy":
            raise ValueError("label_smoothing needs one-hot labels: loss: categorical_crossentropy")
        return self

    @model_validator(mode="after")
    def _watches_what_there_is(self) -> Training:
        if self.reduce_lr_on_plateau and self.optimizer.schedule:
            raise ValueError("a learning rate has a schedule or reduce_lr_on_plateau, not both")
        watching = {"early_stopping": self.early_stopping, "plateau": self.reduce_lr_on_plateau}
        for name, item in watching.items():
            if item and item.monitor.startswith("val_") and self.validation.take == "none":
                raise ValueError(f"no image is held out, so {name} cannot watch {item.monitor}")
        return self

    @property
    def monitor(self) -> Monitor:
        """The metric that chooses the best epoch."""
        if self.early_stopping:
            return self.early_stopping.monitor
        return "accuracy" if self.validation.take == "none" else "val_accuracy"

    @property
    def restores_best(self) -> bool:
        """Whether the weights of the best epoch are the result."""
        return bool(self.early_stopping and self.early_stopping.restore_best_weights)

    def best_epoch(self, history: Mapping[str, Sequence[float]]) -> int:
        """Return the best epoch of a history, from 1: the last that improved on all before it.

        By at least `min_delta`; a first loss of NaN counts, as it does in Keras.
        """
        delta = (self.early_stopping and self.early_stopping.min_delta) or 0.0
        sign = 1 if self.monitor.endswith("accuracy") else -1
        best, *rest = (sign * value for value in history[self.monitor])
        found = 1
        for epoch, score in enumerate(rest, start=2):
            if score - delta > best:
                best, found = score, epoch
        return found


#: What reports state and no protocol here can have, and what to do instead.
NOT_SUPPORTED = {
    "learning_rate_schedule": "write it as schedule of the optimizer, or as reduce_lr_on_plateau",
    "baseline": "early stopping waits for any improvement, not for one on a given value",
    "start_from_epoch": "early stopping counts from the first epoch",
    "folds": "there is one split, by validation",
    "stratified": "validation images are the first, the last or drawn at random",
    "standardisation": "grey levels are divided by 255",
    "residual": "layers follow one another, and are never added",
    "resnet": "layers follow one another, and are never added",
    "separable": "convolutions are plain ones",
    **dict.fromkeys(
        ("knn", "svm", "random_forest", "logistic_regression", "sklearn"),
        "networks alone are trained; logistic regression is an mlp without hidden layers",
    ),
}
