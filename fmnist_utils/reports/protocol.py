"""The protocol of one training, and which images it trains on."""

from __future__ import annotations

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
        Ascending; `validation` is None where the test images take its place.

    Raises
    ------
    DataError
        When a split is to be drawn without the seed of a run.
    """
    held_out = spec.validation
    if held_out.take == "test":
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
    ``take: random`` a `seed` draws one split for all runs; without one each run draws its own, so
    that runs differ by the split too, as they must where nobody knows which images it was.
    """

    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    count: Images | None = None
    take: Literal["first", "last", "random", "test"]
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None

    @model_validator(mode="after")
    def _can_be_taken(self) -> Validation:
        given = (self.fraction is not None) + (self.count is not None)
        if given != (self.take != "test"):
            raise ValueError("a validation split needs either a fraction or a count, or take: test")
        if self.seed is not None and self.take != "random":
            raise ValueError("only a random validation split takes a seed")
        return self

    @property
    def drawn_by_run(self) -> bool:
        """Whether each run draws a split of its own."""
        return self.take == "random" and self.seed is None


class Optimizer(Strict):
    """A Keras optimizer; what is not named here stays at the Keras default.

    SGD and RMSprop take a `momentum`, SGD alone `nesterov`.
    """

    name: Literal["adam", "adamw", "adagrad", "nadam", "rmsprop", "sgd"]
    learning_rate: Finite
    momentum: Annotated[float, Field(ge=0, le=1)] | None = None
    nesterov: bool | None = None
    weight_decay: Annotated[float, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _has_what_it_takes(self) -> Optimizer:
        for key, takers in (("momentum", ("sgd", "rmsprop")), ("nesterov", ("sgd",))):
            if getattr(self, key) is not None and self.name not in takers:
                raise ValueError(f"{self.name} takes no {key}: {' and '.join(takers)} do")
        return self


class EarlyStopping(Strict):
    """Stop when the monitored validation metric has not improved for `patience` epochs."""

    monitor: Literal["val_accuracy", "val_loss"]
    patience: Epochs


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
    images: Images | None = None
    augmentation: Augmentation | None = None
    label_smoothing: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _labels_can_be_smoothed(self) -> Training:
        if self.label_smoothing is not None and self.loss != "categorical_crossentropy":
            raise ValueError("label_smoothing needs one-hot labels: loss: categorical_crossentropy")
        return self


#: What reports state and no protocol here can have, and what to do instead.
NOT_SUPPORTED = {
    "restore_best_weights": "every run is evaluated at its last and at its best epoch: assume "
    "reading.weights, and give the claims reading: best",
    "min_delta": "any improvement counts",
    "learning_rate_schedule": "a learning rate stays as it is",
    "reduce_lr_on_plateau": "a learning rate stays as it is",
    "folds": "there is one split, by validation",
    "stratified": "validation images are the first, the last or drawn at random",
    "standardisation": "grey levels are divided by 255",
    "strides": "convolutions have stride 1",
    "initializer": "weights begin as Keras lets them",
}
