"""Train one experiment with one seed.

Keras semantics throughout: the images are shuffled every epoch, the last partial batch is used,
validation follows every epoch. On TensorFlow an epoch is compiled over data that already sits on
the device; on another backend the same batches go through plain ``fit``.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import math
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.arithmetic import times
from fmnist_utils.augmentation import Augmentation, Augmenter
from fmnist_utils.backend import import_keras
from fmnist_utils.checkpoints import Checkpoint, Course
from fmnist_utils.data import FashionMNIST, count, one_hot, split_indices
from fmnist_utils.engines import (
    Augmenters,
    Engine,
    KerasEngine,
    Part,
    keras_optimizer,
    make_engine,
    make_optimizer,
)
from fmnist_utils.errors import FmnistError
from fmnist_utils.interrupts import ctrl_c_at_checks
from fmnist_utils.models import CNN, Resize
from fmnist_utils.reports import Experiment, Training
from fmnist_utils.runs import (
    Evaluation,
    Method,
    Provenance,
    Run,
    Snapshot,
    confusion,
    fingerprint,
    pack_confidences,
    pack_predictions,
)

if TYPE_CHECKING:
    import keras


class TrainingError(FmnistError):
    """A training that was asked for and cannot be done."""


class Progress(NamedTuple):
    """One finished epoch, counted from 1, with the metrics that Keras would print."""

    epoch: int
    epochs: int
    metrics: dict[str, float]
    seconds: float


def train(
    experiment: Experiment,
    seed: int,
    data: FashionMNIST,
    on_epoch: Callable[[Progress], None] | None = None,
    *,
    method: Method | None = None,
    checkpoint: Checkpoint | None = None,
) -> Run:
    """Train an experiment once, by its own protocol.

    Parameters
    ----------
    experiment : Experiment
        What to train.
    seed : int
        Seeds weight initialisation, dropout and shuffling; the same seed on the same machine and
        library versions gives the same history.
    data : FashionMNIST
        The images; uint8 until a batch needs floats.
    on_epoch : callable, optional
        Told of every finished epoch.
    method : Method, optional
        Precision and trainer; by default as the book trains the experiment.
    checkpoint : Checkpoint, optional
        Where to keep what is trained so far, and to go on from: with the same result as without a
        break. Plain fit takes none.

    Returns
    -------
    Run
        With history, evaluations of the last and of the best validation epoch, predictions and
        provenance; not yet written anywhere.

    Raises
    ------
    TrainingError
        When the images do not fit the model, or plain fit is asked to augment.
    BackendError
        When Keras or its backend cannot be imported.
    CheckpointError
        When the checkpoint cannot be written.
    KeyboardInterrupt
        After Ctrl-C, between two batches; the checkpoint keeps what it has.
    """
    method = method or Method.of(experiment)
    identity = fingerprint(experiment, data.fingerprint)
    with ctrl_c_at_checks() as check:
        keras = import_keras()
        provenance = _provenance(method)
        environment = provenance.model_dump(exclude={"date", "revision"})
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        spec = experiment.training
        model = compiled_model(experiment, method)
        resize = experiment.model.resize if isinstance(experiment.model, CNN) else None
        parts = split_parts(data, spec, experiment.model.input_shape, resize)
        if method.plain_fit:
            engine: Engine = KerasEngine(model, parts, spec.batch_size, check)
            if method.unseeded and keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                tf.random.set_seed(None)  # the weights are drawn; only the order is left to chance
            course = _plain_fit(model, parts, spec, check, on_epoch)
        else:
            augmenters = _augmenters(spec.augmentation, seed)
            engine = make_engine(model, parts, spec.batch_size, check, augmenters)
            whose = {"seed": seed, "of": identity, "by": environment}
            resumable = _Resumable.of(checkpoint, model, augmenters, whose) if checkpoint else None
            images = parts["train"].labels.shape[0]
            course = _fit(model, engine, spec, images, seed, on_epoch, resumable)
        final, probabilities = _snapshot(engine, course.epochs, data.test_labels)
        best = final
        if course.best_epoch != course.epochs:
            model.set_weights(course.best_weights)
            best, _ = _snapshot(engine, course.best_epoch, data.test_labels)
    return Run(
        report=experiment.report,
        experiment=experiment.id,
        seed=seed,
        fingerprint=identity,
        images={name: int(part.labels.shape[0]) for name, part in parts.items()},
        history={key: tuple(map(_short, values)) for key, values in course.history.items()},
        final=final,
        best=best,
        test_predictions=pack_predictions(probabilities.argmax(axis=1).astype(np.uint8)),
        test_confidences=pack_confidences(probabilities.max(axis=1)),
        seconds_per_epoch=tuple(round(seconds, 3) for seconds in course.seconds),
        provenance=provenance,
    ).sealed()


def compiled_model(experiment: Experiment, method: Method) -> keras.Model:
    """Build the experiment's model and compile it with the experiment's optimizer and loss.

    Variables, loss and output stay float32 in either precision.
    """
    keras = import_keras()
    spec = experiment.training
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(method.precision)
    try:
        model = experiment.build(plain=method.plain_fit)
    finally:
        keras.config.set_dtype_policy(before)
    optimizer = (keras_optimizer if method.plain_fit else make_optimizer)(spec.optimizer)
    model.compile(optimizer=optimizer, loss=spec.loss, metrics=["accuracy"])
    return model


def _augmenters(spec: Augmentation | None, seed: int) -> Augmenters:
    """Build the augmenters of a protocol, with streams of their own for training and validation."""
    if spec is None:
        return Augmenters()
    return Augmenters(
        train=Augmenter(spec, 2 * seed),
        validation=Augmenter(spec, 2 * seed + 1) if spec.validation else None,
    )


def split_parts(
    data: FashionMNIST,
    spec: Training,
    input_shape: tuple[int, ...],
    resize: Resize | None = None,
) -> dict[str, Part]:
    """Split the images as the protocol says, shaped for the model: train, validation, test.

    Raises
    ------
    TrainingError
        When the images have another size than the model takes, and `resize` does not help.
    """
    train, validation = split_rows(spec, len(data.train_labels))
    sparse = spec.loss == "sparse_categorical_crossentropy"

    def part(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Part:
        shaped = input_images(images, input_shape, resize)
        return Part(shaped, labels.astype(np.int32) if sparse else one_hot(labels))

    test = part(data.test_images, data.test_labels)
    return {
        "train": part(data.train_images[train], data.train_labels[train]),
        "validation": test
        if validation is None
        else part(data.train_images[validation], data.train_labels[validation]),
        "test": test,
    }


def input_images(
    images: NDArray[np.uint8], input_shape: tuple[int, ...], resize: Resize | None
) -> NDArray[np.uint8]:
    """Give images the shape that a model takes; grey levels stay bytes."""
    size = images.shape[1:]
    if math.prod(input_shape) == math.prod(size):
        return images.reshape(-1, *input_shape)
    wanted = input_shape[:2]
    grows = all(new >= old for new, old in zip(wanted, size, strict=False))
    if resize is None or input_shape != (*wanted, 1) or (resize == "pad" and not grows):
        how = f"resize: {resize} cannot do that" if resize else "give it resize: pad or bilinear"
        raise TrainingError(
            f"The images are {times(size)} pixels and the model takes {times(input_shape)}: {how}."
        )
    if resize == "pad":
        before = [(new - old) // 2 for new, old in zip(wanted, size, strict=True)]
        shaped = np.zeros((len(images), *wanted), np.uint8)
        rows, columns = (slice(n, n + old) for n, old in zip(before, size, strict=True))
        shaped[:, rows, columns] = images
    else:
        down, across = map(_interpolation, size, wanted)
        floats = down @ images.astype(np.float32) @ across.T
        shaped = np.rint(floats).astype(np.uint8)
    return shaped.reshape(-1, *input_shape)


def _interpolation(old: int, new: int) -> NDArray[np.float32]:
    """Return the matrix, ``(new, old)``, that interpolates a line of pixels between centres."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old)))
    return weights.astype(np.float32)


def split_rows(spec: Training, n: int) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
    """Return which of n training images a protocol trains on, and which it validates on.

    Parameters
    ----------
    spec : Training
        The protocol.
    n : int
        Number of training images.

    Returns
    -------
    train, validation : int32 arrays
        Ascending; `validation` is None where the test images take its place.
    """
    held_out = spec.validation
    if held_out.take == "test":
        return np.arange(n, dtype=np.int32)[: spec.images], None
    train, validation = split_indices(
        n,
        fraction=held_out.fraction,
        count=held_out.count,
        take=held_out.take,
        seed=held_out.seed,
    )
    return train[: spec.images], validation


def split_sizes(spec: Training) -> dict[str, int]:
    """Count the images of the official data set that a protocol trains, validates and tests on."""
    train, validation = split_rows(spec, count("train_images"))
    test = count("test_images")
    held_out = test if validation is None else len(validation)
    return {"train": len(train), "validation": held_out, "test": test}


def _fit(
    model: keras.Model,
    engine: Engine,
    spec: Training,
    images: int,
    seed: int,
    on_epoch: Callable[[Progress], None] | None,
    resumable: _Resumable | None,
) -> Course:
    """Run the epochs; stop as ``keras.callbacks.EarlyStopping`` would, keeping both weights."""
    course = (resumable and resumable.load()) or Course()
    shuffle = np.random.default_rng(seed)
    for _ in range(course.epochs):
        shuffle.permutation(images)
    stopping = spec.early_stopping
    for epoch in range(course.epochs + 1, spec.epochs + 1):
        start = time.perf_counter()
        metrics = engine.train_epoch(shuffle.permutation(images).astype(np.int32))
        metrics |= {f"val_{key}": value for key, value in engine.evaluate("validation").items()}
        course.add(metrics, time.perf_counter() - start, _monitor(spec), model.get_weights)
        if on_epoch is not None:
            on_epoch(Progress(epoch, spec.epochs, metrics, course.seconds[-1]))
        if stopping and epoch - course.best_epoch >= stopping.patience:
            break
        if resumable:
            resumable.save(course)
    return course


def _monitor(spec: Training) -> str:
    """Return the metric that chooses the best epoch."""
    return spec.early_stopping.monitor if spec.early_stopping else "val_accuracy"


class _Resumable(NamedTuple):
    """A checkpoint with what is kept in it."""

    checkpoint: Checkpoint
    whose: dict[str, Any]
    variables: list[Any]

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, model: keras.Model, augmenters: Augmenters, whose: Any
    ) -> _Resumable:
        model.optimizer.build(model.trainable_variables)
        drawing = [each.variables for each in augmenters if isinstance(each, Augmenter)]
        variables = [*model.variables, *model.optimizer.variables, *itertools.chain(*drawing)]
        return cls(checkpoint, whose, variables)

    def load(self) -> Course | None:
        return self.checkpoint.load(self.whose, self.variables)

    def save(self, course: Course) -> None:
        self.checkpoint.save(self.whose, course, self.variables)


def _plain_fit(
    model: keras.Model,
    parts: dict[str, Part],
    spec: Training,
    check: Callable[[], None],
    on_epoch: Callable[[Progress], None] | None,
) -> Course:
    """Train as the reports do: numpy floats, Keras' own shuffling, callbacks and ``model.fit``."""
    import keras

    if spec.augmentation is not None:
        raise TrainingError("Plain fit takes no augmentation: train it without --plain-fit.")
    stopping = spec.early_stopping
    course = Course()

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            check()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds = time.perf_counter() - self.start
            course.add(logs, seconds, _monitor(spec), model.get_weights)
            if on_epoch is not None:
                on_epoch(Progress(epoch + 1, spec.epochs, dict(logs), seconds))

    callbacks = [Watch()]
    if stopping:
        callbacks.append(
            keras.callbacks.EarlyStopping(stopping.monitor, patience=stopping.patience)
        )
    train, validation = (
        (parts[name].images.astype(np.float32) / 255, parts[name].labels)
        for name in ("train", "validation")
    )
    model.fit(
        *train,
        validation_data=validation,
        batch_size=spec.batch_size,
        epochs=spec.epochs,
        callbacks=callbacks,
        verbose=0,
    )
    return course


def _snapshot(
    engine: Engine, epoch: int, test_labels: NDArray[np.uint8]
) -> tuple[Snapshot, NDArray[np.float32]]:
    """Evaluate the weights as they are on every split; also return the test probabilities."""
    parts = {
        name: Evaluation(**{key: _short(value) for key, value in engine.evaluate(name).items()})
        for name in ("train", "validation", "test")
    }
    probabilities = engine.predict("test")
    classes = probabilities.argmax(axis=1).astype(np.uint8)
    counts = tuple(tuple(map(int, row)) for row in confusion(test_labels, classes))
    return Snapshot(epoch=epoch, **parts, test_confusion=counts), probabilities


def _short(value: float) -> float:
    """Six decimals: finer than one image in 60,000, and a third of the file's size."""
    return round(float(value), 6)


def _provenance(method: Method) -> Provenance:
    import keras

    backend = keras.backend.backend()
    packages = ("fmnist-utils", "keras", backend, "numpy")
    return Provenance(
        backend=backend,
        device=_device(backend),
        precision=method.precision,
        versions={"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        revision=_revision(),
        # A record names only what is out of the ordinary, so that older records stay intact.
        **{name: True for name in ("plain_fit", "unseeded") if getattr(method, name)},
    )


def _device(backend: str) -> str:
    """Name the hardware: the GPU when the backend sees one, else the processor."""
    if backend == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            return str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
    elif backend == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform != "cpu":
            return str(device.device_kind)
    return _processor()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _revision() -> str:
    """Return the git revision of the code, or "unknown" when it was installed without git."""

    def git(*arguments: str) -> str:
        result = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout.strip()

    try:
        # An installed copy may lie inside a repository that is not ours.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
