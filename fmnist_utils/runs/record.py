"""Run records: what one training leaves behind, and when it is out of date."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fmnist_utils.data.fashion_mnist import NUM_CLASSES, official_fingerprint
from fmnist_utils.errors import FmnistError
from fmnist_utils.records import (
    Line,
    RecordWithDigest,
    Share,
    Slug,
    Strict,
    sha256,
)
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import Precision
from fmnist_utils.runs.packing import unpack_confidences, unpack_predictions

#: Raised by one whenever the same experiment and seed would, by design, train differently.
TRAINER_VERSION = 1


class Method(NamedTuple):
    """How an experiment is trained; runs of different methods are never mixed.

    Attributes
    ----------
    precision : str
        What layers compute in.
    plain_fit : bool
        Train with Keras' own ``model.fit``, which our trainer is held against.
    unseeded : bool
        Leave plain fit without a global seed, which on TensorFlow would repeat one order of the
        images in every epoch. Weights and dropout stay seeded.
    """

    precision: Precision = "float32"
    plain_fit: bool = False
    unseeded: bool = False

    @property
    def file_suffix(self) -> str:
        """End of the names of this method's record files."""
        short = ".bf16" if self.precision == "mixed_bfloat16" else ""
        fit = ".fit" if self.plain_fit else ""
        return f"{short}{fit}{'.unseeded' if self.unseeded else ''}.json"

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        precision: Precision | None = None,
        plain_fit: bool = False,
        unseeded: bool = False,
    ) -> Method:
        """Return how the book trains an experiment, but for what is asked for.

        Parameters
        ----------
        experiment : Experiment
            Its own precision counts where none is asked for.
        precision : {"float32", "mixed_bfloat16"}, optional
            In which layers compute.
        plain_fit : bool
            Train by ``model.fit`` instead.
        unseeded : bool
            Leave out the global seed that plain fit would be given.
        """
        return cls(precision or experiment.precision, plain_fit, unseeded)


class RunError(FmnistError):
    """A run record that is damaged, edited, or does not belong where it stands."""


#: What Keras takes as a seed.
Seed = Annotated[int, Field(ge=0, lt=2**32)]

Epoch = Annotated[int, Field(ge=1, le=10**6)]

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_Count = Annotated[int, Field(ge=0, le=10**6)]

_Row = Annotated[tuple[_Count, ...], Field(min_length=NUM_CLASSES, max_length=NUM_CLASSES)]

_Matrix = Annotated[tuple[_Row, ...], Field(min_length=NUM_CLASSES, max_length=NUM_CLASSES)]


class Evaluation(Strict):
    """Mean loss (nats per image; not finite after divergence) and accuracy of one split."""

    loss: float
    accuracy: Share


class Snapshot(Strict):
    """The model at the end of one epoch (counted from 1), evaluated on every split.

    ``test_confusion`` counts test images, shape ``(10, 10)``: true class by predicted class.
    """

    epoch: Epoch
    train: Evaluation
    validation: Evaluation
    test: Evaluation
    test_confusion: _Matrix

    @property
    def parts(self) -> tuple[Evaluation, ...]:
        """What was found on each split."""
        return self.train, self.validation, self.test


class Provenance(Strict):
    """What is needed to judge, and to repeat, a run.

    `threads` is how many computed the last part of the run; older records do not say.
    `plain_fit` and `unseeded` are set only in runs of Keras' own ``model.fit``; see `Method`.
    """

    backend: Line
    device: Line
    precision: Precision
    versions: dict[Line, Line]
    date: Line
    revision: Line
    threads: Annotated[int, Field(ge=1, le=10**6)] | None = None
    plain_fit: bool = False
    unseeded: bool = False

    @property
    def trained_on(self) -> str:
        """The device, and the backend where it is not TensorFlow."""
        other = self.backend != "tensorflow"
        return f"{self.device} ({self.backend})" if other else self.device

    @property
    def is_committed(self) -> bool:
        """Whether the code that trained is that of a known commit."""
        return self.revision != "unknown" and not self.revision.endswith("-dirty")

    @property
    def method(self) -> Method:
        """How the run was trained."""
        return Method(self.precision, self.plain_fit, self.unseeded)


class Run(RecordWithDigest):
    """One training of one experiment with one seed.

    Attributes
    ----------
    history : dict
        Per epoch, as Keras names them: ``loss``, ``accuracy`` (running, dropout on),
        ``val_loss``, ``val_accuracy``.
    images : dict
        Number of images in each split.
    final, best : Snapshot
        The last epoch, and the first epoch with the best monitored validation metric.
    test_predictions : str
        The predicted class of each test image at the last epoch, packed; see `predictions`.
    test_confidences : str, optional
        The probability of that class, packed; see `confidences`. Older records have none.
    best_predictions, best_confidences : str, optional
        The same at the best epoch, where the protocol restores its weights and it is not the last.
    seconds_per_epoch : tuple of float
        Wall-clock seconds, training and validation together.
    digest : str
        SHA-256 of all other fields, so that a record edited by hand is noticed.
    """

    report: Slug
    experiment: Slug
    seed: Seed
    fingerprint: str
    images: dict[str, _Count]
    history: dict[str, tuple[float, ...]]
    final: Snapshot
    best: Snapshot
    test_predictions: str
    test_confidences: str | None = None
    best_predictions: str | None = None
    best_confidences: str | None = None
    seconds_per_epoch: tuple[Seconds, ...]
    provenance: Provenance

    @property
    def snapshots(self) -> tuple[Snapshot, Snapshot]:
        """The last epoch and the best one."""
        return self.final, self.best

    @property
    def diverged(self) -> bool:
        """Whether a loss is not finite, in the history or in an evaluation."""
        ends = [part.loss for snap in self.snapshots for part in snap.parts]
        losses = itertools.chain(ends, self.history["loss"], self.history["val_loss"])
        return not all(map(math.isfinite, losses))

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return len(self.history["loss"])

    @property
    def predictions(self) -> NDArray[np.uint8]:
        """Predicted class of each test image at the last epoch, uint8 of shape ``(n,)``."""
        return unpack_predictions(self.test_predictions)

    @property
    def confidences(self) -> NDArray[np.uint8] | None:
        """Probability of each predicted class in whole percent, uint8 of shape ``(n,)``.

        Checked here, as to unpack them whenever a run is read would take a third of its time.

        Raises
        ------
        RunError
            When they are not one of at most 100 % for each test image.
        """
        return self._percents(self.test_confidences)

    def at_best(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Predictions and confidences at the best epoch; see `predictions` and `confidences`.

        Raises
        ------
        RunError
            When the record does not keep them, or the confidences cannot be.
        """
        last = self.best.epoch == self.final.epoch
        classes = self.test_predictions if last else self.best_predictions
        percents = self._percents(self.test_confidences if last else self.best_confidences)
        if classes is None or percents is None:
            raise RunError(f"{self.filename} does not keep what was predicted at its best epoch.")
        return unpack_predictions(classes), percents

    def _percents(self, packed: str | None) -> NDArray[np.uint8] | None:
        if packed is None:
            return None
        try:
            percents = unpack_confidences(packed, self.images["test"])
        except ValueError as error:
            raise RunError(f"{self.filename}: confidences cannot be unpacked: {error}.") from error
        if percents.max() > 100:
            raise RunError(f"{self.filename}: a confidence is {percents.max()} %.")
        return percents

    @property
    def filename(self) -> str:
        """Name of the record's file: a changed protocol does not overwrite older evidence."""
        return _filename(self.experiment, self.seed, self.fingerprint, self.provenance.method)


def _filename(experiment: str, seed: int, identity: str, method: Method) -> str:
    return f"{experiment}.seed{seed:02d}.{identity[:8]}{method.file_suffix}"


def fingerprint(experiment: Experiment, images: str | None = None) -> str:
    """Identify what a run of this experiment trains: model, protocol, data and trainer.

    Settings that are None are left out, so that a new optional feature leaves older runs valid.

    Parameters
    ----------
    experiment : Experiment
        Its title and claims do not count.
    images : str, optional
        Fingerprint of the images; that of the official data set by default.
    """
    return sha256(
        {
            "model": experiment.model.model_dump(mode="json", exclude_none=True),
            "training": experiment.training.model_dump(mode="json", exclude_none=True),
            "data": images or official_fingerprint(),
            "trainer": TRAINER_VERSION,
        }
    )[:16]


def confusion(labels: NDArray[np.uint8], classes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column): int64, ``(10, 10)``.

    Parameters
    ----------
    labels, classes : array of uint8, shape (n,)
        What each image is, and what it is taken for: 0 to 9.
    """
    pairs = labels.astype(np.int64) * NUM_CLASSES + classes
    return np.bincount(pairs, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)


def finished(runs: Iterable[Run]) -> list[Run]:
    """Leave out runs that diverged: no accuracy or epoch of theirs is one of the model."""
    return [run for run in runs if not run.diverged]


def seeds_text(runs: Collection[Run]) -> str:
    """Count runs, those that diverged apart."""
    n = len(finished(runs))
    return f"{n} seed{'s' * (n != 1)}{lost_text(runs)}"


def lost_text(runs: Iterable[Run]) -> str:
    """Say how many runs diverged, to stand after the number of the others; nothing for none."""
    lost = sum(run.diverged for run in runs)
    return f", {lost} more diverged" if lost else ""


def accuracies(runs: Iterable[Run], split: str, at: str = "final") -> NDArray[np.float64]:
    """Return the accuracies on one split in percent, shape ``(runs,)``.

    Parameters
    ----------
    runs : iterable of Run
        Each gives one value, but those that diverged.
    split : {"train", "validation", "test"}
        Of which images.
    at : {"final", "best"}
        After which epoch: the last, or the best one on the validation images.
    """
    return np.array([100 * getattr(getattr(run, at), split).accuracy for run in finished(runs)])
