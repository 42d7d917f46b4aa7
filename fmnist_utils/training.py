"""Train one experiment with one seed.

Keras semantics throughout: the images are shuffled every epoch, the last partial batch is used,
validation follows every epoch. On TensorFlow an epoch is compiled over data that already sits on
the device; on another backend the same batches go through plain ``fit``.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.backend import import_keras
from fmnist_utils.data import FashionMNIST, one_hot, split_indices
from fmnist_utils.reports import Experiment, Training
from fmnist_utils.runs import (
    Evaluation,
    Provenance,
    Run,
    Snapshot,
    confusion,
    fingerprint,
    pack_predictions,
)

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

#: Batch size of evaluation: it changes no result, only the memory used.
_EVALUATION_BATCH = 1000
#: Optimizer steps between two looks at the keyboard, so that Ctrl-C answers within seconds.
_STEPS_PER_CALL = 50


class Progress(NamedTuple):
    """One finished epoch, counted from 1, with the metrics that Keras would print."""

    epoch: int
    epochs: int
    metrics: dict[str, float]
    seconds: float


class Part(NamedTuple):
    """Images, uint8 ``(n, ...)``, with their labels in the form the loss wants."""

    images: NDArray[np.uint8]
    labels: NDArray[Any]


class _Engine(Protocol):
    """What trains and evaluates a compiled model on one backend."""

    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]: ...
    def evaluate(self, name: str) -> dict[str, float]: ...
    def predict(self, name: str) -> Floats: ...


def train(
    experiment: Experiment,
    seed: int,
    data: FashionMNIST,
    on_epoch: Callable[[Progress], None] | None = None,
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

    Returns
    -------
    Run
        With history, evaluations of the last and of the best validation epoch, predictions and
        provenance; not yet written anywhere.
    """
    keras = import_keras()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    spec = experiment.training
    model = compiled_model(experiment)
    parts = split_parts(data, spec, experiment.model.input_shape)
    engine = _engine(model, parts, spec.batch_size)
    fitted = _fit(model, engine, spec, parts["train"].labels.shape[0], seed, on_epoch)
    final, classes = _snapshot(engine, fitted.epochs, data.test_labels)
    best = final
    if fitted.best_epoch != fitted.epochs:
        model.set_weights(fitted.best_weights)
        best, _ = _snapshot(engine, fitted.best_epoch, data.test_labels)
    return Run(
        report=experiment.report,
        experiment=experiment.id,
        seed=seed,
        fingerprint=fingerprint(experiment, data.fingerprint),
        images={name: int(part.labels.shape[0]) for name, part in parts.items()},
        history={key: tuple(map(_short, values)) for key, values in fitted.history.items()},
        final=final,
        best=best,
        test_predictions=pack_predictions(classes),
        seconds_per_epoch=tuple(round(seconds, 3) for seconds in fitted.seconds),
        provenance=_provenance(),
    ).sealed()


def compiled_model(experiment: Experiment) -> keras.Model:
    """Build the experiment's model and compile it with the experiment's optimizer and loss."""
    keras = import_keras()
    spec = experiment.training
    optimizer = keras.optimizers.get(
        {
            "class_name": spec.optimizer.name,
            "config": {"learning_rate": spec.optimizer.learning_rate},
        }
    )
    model = experiment.build()
    model.compile(optimizer=optimizer, loss=spec.loss, metrics=["accuracy"])
    return model


def split_parts(
    data: FashionMNIST, spec: Training, input_shape: tuple[int, ...]
) -> dict[str, Part]:
    """Split the images as the protocol says, shaped for the model: train, validation, test."""
    held_out = spec.validation
    train, validation = split_indices(
        len(data.train_labels),
        fraction=held_out.fraction,
        count=held_out.count,
        take=held_out.take,
        seed=held_out.seed,
    )
    sparse = spec.loss == "sparse_categorical_crossentropy"

    def part(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Part:
        shaped = images.reshape(-1, *input_shape)
        return Part(shaped, labels.astype(np.int32) if sparse else one_hot(labels))

    return {
        "train": part(data.train_images[train], data.train_labels[train]),
        "validation": part(data.train_images[validation], data.train_labels[validation]),
        "test": part(data.test_images, data.test_labels),
    }


class _Fitted(NamedTuple):
    history: dict[str, list[float]]
    seconds: list[float]
    best_epoch: int
    best_weights: list[NDArray[Any]]

    @property
    def epochs(self) -> int:
        return len(self.seconds)


def _fit(
    model: keras.Model,
    engine: _Engine,
    spec: Training,
    images: int,
    seed: int,
    on_epoch: Callable[[Progress], None] | None,
) -> _Fitted:
    """Run the epochs; stop as ``keras.callbacks.EarlyStopping`` would, keeping both weights."""
    shuffle = np.random.default_rng(seed)
    history: dict[str, list[float]] = {}
    seconds: list[float] = []
    stopping = spec.early_stopping
    monitor = stopping.monitor if stopping else "val_accuracy"
    best, best_epoch, best_weights = -np.inf, 0, model.get_weights()
    for epoch in range(1, spec.epochs + 1):
        start = time.perf_counter()
        metrics = engine.train_epoch(shuffle.permutation(images).astype(np.int32))
        metrics |= {f"val_{key}": value for key, value in engine.evaluate("validation").items()}
        seconds.append(time.perf_counter() - start)
        for key, value in metrics.items():
            history.setdefault(key, []).append(value)
        if on_epoch is not None:
            on_epoch(Progress(epoch, spec.epochs, metrics, seconds[-1]))
        score = metrics[monitor] if monitor == "val_accuracy" else -metrics[monitor]
        if epoch == 1 or score > best:  # a first loss of NaN counts, as it does in Keras
            best, best_epoch, best_weights = score, epoch, model.get_weights()
        elif stopping and epoch - best_epoch >= stopping.patience:
            break
    return _Fitted(history, seconds, best_epoch, best_weights)


def _snapshot(
    engine: _Engine, epoch: int, test_labels: NDArray[np.uint8]
) -> tuple[Snapshot, NDArray[np.uint8]]:
    """Evaluate the weights as they are on every split; also return the predicted test classes."""
    parts = {
        name: Evaluation(**{key: _short(value) for key, value in engine.evaluate(name).items()})
        for name in ("train", "validation", "test")
    }
    classes = engine.predict("test").argmax(axis=1).astype(np.uint8)
    counts = tuple(tuple(map(int, row)) for row in confusion(test_labels, classes))
    return Snapshot(epoch=epoch, **parts, test_confusion=counts), classes


def _short(value: float) -> float:
    """Six decimals: finer than one image in 60,000, and a third of the file's size."""
    return round(float(value), 6)


def _engine(model: keras.Model, parts: dict[str, Part], batch_size: int) -> _Engine:
    import keras

    kind = _TensorFlowEngine if keras.backend.backend() == "tensorflow" else _KerasEngine
    return kind(model, parts, batch_size)


class _TensorFlowEngine:
    """Epochs compiled into one graph each, over uint8 images that stay on the device."""

    def __init__(self, model: keras.Model, parts: dict[str, Part], batch_size: int) -> None:
        import tensorflow as tf

        self._tf, self._model, self._batch_size = tf, model, batch_size
        self._parts = {
            name: (tf.constant(part.images), tf.constant(part.labels))
            for name, part in parts.items()
        }
        order = tf.TensorSpec([None], tf.int32)

        def compiled(step: Callable[[Any], Any], name: str, size: int) -> Any:
            """Compile steps over slices of an order of images."""
            images, labels = self._parts[name]

            def steps(order: Any) -> None:
                count = tf.shape(order)[0]
                for start in tf.range(0, count, size):
                    rows = order[start : tf.minimum(start + size, count)]
                    step((_scaled(tf.gather(images, rows)), tf.gather(labels, rows)))

            return tf.function(steps, input_signature=[order])

        def _scaled(images: Any) -> Any:
            return tf.cast(images, tf.float32) / 255.0

        self._train_steps = compiled(model.train_step, "train", batch_size)
        self._test_steps = {
            name: compiled(model.test_step, name, _EVALUATION_BATCH) for name in parts
        }
        self._forward = tf.function(
            lambda images: model(_scaled(images), training=False), reduce_retracing=True
        )

    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        self._model.reset_metrics()
        stride = self._batch_size * _STEPS_PER_CALL
        for start in range(0, len(order), stride):
            self._train_steps(order[start : start + stride])
        return self._metrics()

    def evaluate(self, name: str) -> dict[str, float]:
        self._model.reset_metrics()
        self._test_steps[name](np.arange(len(self._parts[name][1]), dtype=np.int32))
        return self._metrics()

    def predict(self, name: str) -> Floats:
        images = self._parts[name][0]
        batches = range(0, len(images), _EVALUATION_BATCH)
        outputs = [self._forward(images[i : i + _EVALUATION_BATCH]) for i in batches]
        return np.concatenate([output.numpy() for output in outputs])

    def _metrics(self) -> dict[str, float]:
        return {key: float(value) for key, value in self._model.get_metrics_result().items()}


class _KerasEngine:
    """Plain ``fit``, ``evaluate`` and ``predict``: works on every Keras backend."""

    def __init__(self, model: keras.Model, parts: dict[str, Part], batch_size: int) -> None:
        self._model, self._parts, self._batch_size = model, parts, batch_size

    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        batches = self._batches("train", order, self._batch_size)
        history = self._model.fit(batches, epochs=1, shuffle=False, verbose=0).history
        return {key: float(values[0]) for key, values in history.items()}

    def evaluate(self, name: str) -> dict[str, float]:
        result = self._model.evaluate(self._batches(name), verbose=0, return_dict=True)
        return {key: float(value) for key, value in result.items()}

    def predict(self, name: str) -> Floats:
        return np.asarray(self._model.predict(self._batches(name), verbose=0))

    def _batches(
        self, name: str, order: NDArray[np.int32] | None = None, size: int = _EVALUATION_BATCH
    ) -> Any:
        import keras

        part = self._parts[name]
        rows = np.arange(len(part.labels), dtype=np.int32) if order is None else order

        class Batches(keras.utils.PyDataset):  # type: ignore[misc]
            def __len__(self) -> int:
                return -(-len(rows) // size)

            def __getitem__(self, i: int) -> tuple[Floats, NDArray[Any]]:
                chosen = rows[i * size : (i + 1) * size]
                return part.images[chosen].astype(np.float32) / 255.0, part.labels[chosen]

        return Batches()


def _provenance() -> Provenance:
    import keras

    backend = keras.backend.backend()
    packages = ("fmnist-utils", "keras", backend, "numpy")
    return Provenance(
        backend=backend,
        device=_device(backend),
        precision="float32",
        versions={"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        revision=_revision(),
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
