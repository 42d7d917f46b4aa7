"""Run records: what one training leaves behind, and when it is out of date."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from fmnist_utils.data.fashion_mnist import NUM_CLASSES, official_fingerprint
from fmnist_utils.errors import FmnistError
from fmnist_utils.records import Sealed, Strict, first_problem, sha256
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import Precision

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
    def ending(self) -> str:
        """End of the names of this method's record files."""
        short = ".bf16" if self.precision == "mixed_bfloat16" else ""
        fit = ".fit" if self.plain_fit else ""
        return f"{short}{fit}{'.unseeded' if self.unseeded else ''}.json"

    @classmethod
    def of(cls, experiment: Experiment) -> Method:
        """Return how the book trains an experiment."""
        return cls(experiment.precision)


class RunError(FmnistError):
    """A run record that is damaged, edited, or does not belong where it stands."""


class Evaluation(Strict):
    """Mean loss (nats per image) and accuracy (fraction) of one split."""

    loss: float
    accuracy: float


class Snapshot(Strict):
    """The model at the end of one epoch (counted from 1), evaluated on every split.

    ``test_confusion`` counts test images, shape ``(10, 10)``: true class by predicted class.
    """

    epoch: int
    train: Evaluation
    validation: Evaluation
    test: Evaluation
    test_confusion: tuple[tuple[int, ...], ...]


class Provenance(Strict):
    """What is needed to judge, and to repeat, a run.

    `threads` is how many computed the last part of the run; older records do not say.
    `plain_fit` and `unseeded` are set only in runs of Keras' own ``model.fit``; see `Method`.
    """

    backend: str
    device: str
    precision: Precision
    versions: dict[str, str]
    date: str
    revision: str
    threads: int | None = None
    plain_fit: bool = False
    unseeded: bool = False

    @property
    def method(self) -> Method:
        """How the run was trained."""
        return Method(self.precision, self.plain_fit, self.unseeded)


class Run(Sealed):
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
    seconds_per_epoch : tuple of float
        Wall-clock seconds, training and validation together.
    digest : str
        SHA-256 of all other fields, so that a record edited by hand is noticed.
    """

    report: str
    experiment: str
    seed: int
    fingerprint: str
    images: dict[str, int]
    history: dict[str, tuple[float, ...]]
    final: Snapshot
    best: Snapshot
    test_predictions: str
    test_confidences: str | None = None
    seconds_per_epoch: tuple[float, ...]
    provenance: Provenance

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
        """Probability of each predicted class in whole percent, uint8 of shape ``(n,)``."""
        packed = self.test_confidences
        return None if packed is None else unpack_confidences(packed)

    @property
    def filename(self) -> str:
        """Name of the record's file: a changed protocol does not overwrite older evidence."""
        return _filename(self.experiment, self.seed, self.fingerprint, self.provenance.method)


def _filename(experiment: str, seed: int, identity: str, method: Method) -> str:
    return f"{experiment}.seed{seed:02d}.{identity[:8]}{method.ending}"


def fingerprint(experiment: Experiment, images: str | None = None) -> str:
    """Identify what a run of this experiment trains: model, protocol, data and trainer.

    `images` is the fingerprint of the images; that of the official data set by default.

    Settings that are None are left out, so that a new optional feature leaves older runs valid.
    """
    return sha256(
        {
            "model": experiment.model.model_dump(mode="json", exclude_none=True),
            "training": experiment.training.model_dump(mode="json", exclude_none=True),
            "data": images or official_fingerprint(),
            "trainer": TRAINER_VERSION,
        }
    )[:16]


def pack_predictions(classes: NDArray[np.uint8]) -> str:
    """Pack class numbers below 16 into text, two to a byte, deflated, base64."""
    padded = np.append(classes, np.zeros(classes.size % 2, np.uint8))
    nibbles = (padded[0::2] << 4 | padded[1::2]).astype(np.uint8)
    return f"{classes.size}:{_deflate(nibbles)}"


def unpack_predictions(text: str) -> NDArray[np.uint8]:
    """Undo `pack_predictions`: uint8 of shape ``(n,)``."""
    size, _, packed = text.partition(":")
    nibbles = _inflate(packed)
    return np.stack([nibbles >> 4, nibbles & 15], axis=1).ravel()[: int(size)]


def pack_confidences(probabilities: NDArray[np.float32]) -> str:
    """Pack probabilities into text as whole percents: a byte each, deflated, base64."""
    return _deflate(np.rint(100 * probabilities).astype(np.uint8))


def unpack_confidences(text: str) -> NDArray[np.uint8]:
    """Undo `pack_confidences`, to whole percents: uint8 of shape ``(n,)``."""
    return _inflate(text)


def _deflate(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode()


def _inflate(packed: str) -> NDArray[np.uint8]:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)


def confusion(labels: NDArray[np.uint8], classes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column): int64, ``(10, 10)``."""
    pairs = labels.astype(np.int64) * NUM_CLASSES + classes
    return np.bincount(pairs, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)


def accuracies(runs: Iterable[Run], split: str, at: str = "final") -> NDArray[np.float64]:
    """Return the accuracies on one split in percent, shape ``(runs,)``: last or best epoch."""
    return np.array([100 * getattr(getattr(run, at), split).accuracy for run in runs])


def read_run(path: Path) -> Run:
    """Read one run record.

    Raises
    ------
    RunError
        When the file cannot be read, is damaged or was edited by hand.
    """
    try:
        run = Run.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RunError(
            f"{path.name} cannot be read ({error.strerror}): make it readable, or move it out of "
            f"{path.parent}."
        ) from error
    except ValidationError as error:
        raise RunError(
            f"{path.name} is not a run record ({first_problem(error)}); delete it and train again."
        ) from error
    if not run.is_intact:
        raise RunError(
            f"{path.name} does not fit its own digest: a run record is never edited by hand; "
            "restore it from version control or train it again."
        )
    return run


def valid_runs(
    records: Iterable[Run], experiment: Experiment, method: Method | None = None
) -> list[Run]:
    """Choose the records of an experiment as it is now, trained by one method, in order of seeds.

    Of several records of one seed the first counts. `method` is by default the one by which the
    book trains the experiment.
    """
    method, wanted = method or Method.of(experiment), fingerprint(experiment)
    by_seed: dict[int, Run] = {}
    for run in records:
        if run.fingerprint == wanted and run.provenance.method == method:
            by_seed.setdefault(run.seed, run)
    return [by_seed[seed] for seed in sorted(by_seed)]
