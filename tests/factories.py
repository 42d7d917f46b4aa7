"""Small, valid run records for tests that need runs but no training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.campaign.executor import Executor, OnEpoch
from fmnist_utils.campaign.jobs import Job
from fmnist_utils.data.fashion_mnist import NUM_CLASSES
from fmnist_utils.records import sha256
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.runs.packing import pack_predictions
from fmnist_utils.runs.record import (
    Evaluation,
    Method,
    Provenance,
    Run,
    Snapshot,
    confusion,
    fingerprint,
)
from fmnist_utils.training.state import Progress

FLOAT32 = Method()

#: As many test images per class as the real data set has, in another order.
TEST_LABELS = np.tile(np.arange(NUM_CLASSES, dtype=np.uint8), 1_000)


def make_run(
    experiment: Experiment,
    seed: int = 1,
    epochs: int | None = None,
    accuracy: float = 0.9,
    *,
    best_epoch: int | None = None,
    best_accuracy: float | None = None,
    gap: float = 0.03,
    labels: NDArray[np.uint8] = TEST_LABELS,
    method: Method = FLOAT32,
) -> Run:
    """Return a run of `experiment`, with its digest, as if it had been trained.

    Parameters
    ----------
    experiment : Experiment
    seed : int
        Also decides which test images are predicted wrongly.
    epochs : int, optional
        By default as many as the experiment's protocol gives, with the best one where it must be.
    accuracy : float
        On the test images at the last epoch, to the nearest image; validation has the same.
    best_epoch : int, optional
        Counted from 1; the last epoch by default.
    best_accuracy : float, optional
        On validation and test images at the best epoch; by default `accuracy`, a little more
        when the best epoch is not the last.
    gap : float
        How much more accurate the model is on training images; Keras' running accuracy lies
        half way.
    labels : uint8 array, shape (n,)
        True classes of the test images.
    method : Method
    """
    if epochs is None:
        epochs, stopping = experiment.training.epochs, experiment.training.early_stopping
        best_epoch = best_epoch or (1 if stopping else epochs)
        epochs = min(epochs, best_epoch + stopping.patience) if stopping else epochs
    best_epoch = best_epoch or epochs
    if best_accuracy is None:
        best_accuracy = accuracy if best_epoch == epochs else min(1.0, accuracy + 0.005)
    final = _snapshot(epochs, accuracy, gap, labels, seed)
    best = _snapshot(best_epoch, best_accuracy, gap, labels, seed)
    return Run(
        report=experiment.report,
        experiment=experiment.id,
        seed=seed,
        fingerprint=fingerprint(experiment),
        images=split_sizes(experiment.training) | {"test": len(labels)},
        history=_history(epochs, final, best, gap),
        final=final,
        best=best,
        test_predictions=pack_predictions(predict(labels, accuracy, seed)),
        seconds_per_epoch=(1.0,) * epochs,
        provenance=Provenance(
            backend="tensorflow",
            device="cpu",
            precision=method.precision,
            plain_fit=method.plain_fit,
            unseeded=method.unseeded,
            versions={"keras": "3.0.0"},
            date="2024-01-01",
            revision="0000000",
        ),
    ).with_digest()


def diverged_run(experiment: Experiment, seed: int = 1) -> Run:
    """Return a run whose losses are NaN from its first epoch: it answers class 0."""
    run = make_run(experiment, seed, accuracy=0.1, method=Method.of(experiment))
    epochs, nan = run.epochs, float("nan")
    classes = np.zeros_like(TEST_LABELS)
    lost = Evaluation(loss=nan, accuracy=0.1)
    counts = tuple(tuple(map(int, row)) for row in confusion(TEST_LABELS, classes))
    ends = {
        name: Snapshot(epoch=epoch, train=lost, validation=lost, test=lost, test_confusion=counts)
        for name, epoch in (("final", epochs), ("best", 1))
    }
    values = {"loss": nan, "accuracy": 0.1, "val_loss": nan, "val_accuracy": 0.1}
    history = {name: (value,) * epochs for name, value in values.items()}
    packed = pack_predictions(classes)
    return run.model_copy(
        update=ends | {"history": history, "test_predictions": packed}
    ).with_digest()


def of_revision(run: Run, revision: str) -> Run:
    """Return a run whose code was of another revision."""
    provenance = run.provenance.model_copy(update={"revision": revision})
    return run.model_copy(update={"provenance": provenance}).with_digest()


def with_new_digest(content: dict[str, Any]) -> str:
    """Return the text of a record that was edited by one who knows how its digest is made."""
    digest = sha256({name: value for name, value in content.items() if name != "digest"})
    return json.dumps(content | {"digest": digest})


def with_value(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Change one value of JSON content, at a dotted path."""
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    place: Any = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


def predict(labels: NDArray[np.uint8], accuracy: float, seed: int) -> NDArray[np.uint8]:
    """Return the labels, the wrong share of them replaced by the class that follows."""
    wrong = round((1 - accuracy) * len(labels))
    classes = labels.copy()
    at = np.random.default_rng(seed).permutation(len(labels))[:wrong]
    classes[at] = (classes[at] + 1) % NUM_CLASSES
    return classes


def _snapshot(
    epoch: int, accuracy: float, gap: float, labels: NDArray[np.uint8], seed: int
) -> Snapshot:
    counts = confusion(labels, predict(labels, accuracy, seed))
    held_out = _evaluation(float(np.trace(counts) / len(labels)))
    return Snapshot(
        epoch=epoch,
        train=_evaluation(accuracy + gap),
        validation=held_out,
        test=held_out,
        test_confusion=tuple(tuple(map(int, row)) for row in counts),
    )


def _evaluation(accuracy: float) -> Evaluation:
    accuracy = round(min(1.0, accuracy), 6)
    return Evaluation(loss=round(3 * (1 - accuracy) + 0.01, 6), accuracy=accuracy)


def _history(
    epochs: int, final: Snapshot, best: Snapshot, gap: float
) -> dict[str, tuple[float, ...]]:
    """Rise to the best epoch, then fall to the last, so that the history fits the snapshots."""
    epoch = np.arange(1, epochs + 1)
    top, end = best.validation.accuracy, final.validation.accuracy
    rising = top - 0.1 * (1 - epoch / best.epoch)
    falling = np.interp(epoch, [best.epoch, max(epochs, best.epoch + 1)], [top, end])
    held_out = np.where(epoch < best.epoch, rising, falling)
    curves = {"": np.minimum(1.0, held_out + gap / 2), "val_": held_out}
    return {
        **{f"{prefix}loss": _rounded(3 * (1 - curve) + 0.01) for prefix, curve in curves.items()},
        **{f"{prefix}accuracy": _rounded(curve) for prefix, curve in curves.items()},
    }


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


class FakeExecutor(Executor):
    """An executor that makes runs by a function instead of training them, one at a time."""

    size = 1

    def __init__(self, train: Callable[..., Run]) -> None:
        super().__init__()
        self._make = train

    def _train(self, job: Job, checkpoint: Path, on_epoch: OnEpoch) -> Run:
        run = self._make(job, checkpoint)
        for i in range(run.epochs):
            metrics = {name: values[i] for name, values in run.history.items()}
            on_epoch(job, Progress(i + 1, run.epochs, metrics, 1.5))
        return run


def fake_run(experiment: Experiment, seed: int) -> Run:
    """Return a run whose accuracies follow from experiment and seed."""
    rate = experiment.training.optimizer.learning_rate
    accuracy = 0.5 + 30 * rate + 0.001 * (seed % 7)
    return make_run(
        experiment, seed, experiment.training.epochs, round(accuracy, 3),
        best_epoch=1, method=Method.of(experiment),
    )  # fmt: skip


class Training:
    """Stands in for training: makes run records out of thin air, and lists what they are of.

    Attributes
    ----------
    jobs : list of Job
        What was trained, or begun.
    side_by_side : int
    before : callable
        Called with each job and the path of its checkpoint.
    errors : dict
        What the training of a seed raises, once.
    """

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.side_by_side = 1
        self.errors: dict[int, BaseException] = {}
        self.before: Callable[[Job, Path], object] = lambda job, checkpoint: None

    def executor(self, data: Any, size: int) -> FakeExecutor:
        """Return who trains, in place of a `LocalExecutor`."""
        executor = FakeExecutor(self._make)
        executor.size = self.side_by_side  # type: ignore[misc]
        return executor

    def _make(self, job: Job, checkpoint: Path) -> Run:
        self.jobs.append(job)
        self.before(job, checkpoint)
        if job.seed in self.errors:
            raise self.errors.pop(job.seed)
        return fake_run(job.experiment, job.seed)

    def seeds(self) -> list[int]:
        """Return the seeds of the trainings since the last call."""
        seeds = [job.seed for job in self.jobs]
        self.jobs.clear()
        return seeds
