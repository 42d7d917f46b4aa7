"""What trains and evaluates a model: compiled epochs on TensorFlow, plain Keras elsewhere."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


Floats = NDArray[np.float32]


#: Batch size of evaluation: it changes no result, only the memory used.
EVALUATION_BATCH = 1000

#: Seconds between two looks at the keyboard that a compiled call aims at.
_SECONDS_PER_CALL = 1.0

_MAX_STEPS_PER_CALL = 500


class Part(NamedTuple):
    """Images, uint8 ``(n, ...)``, with their labels in the form the loss wants."""

    images: NDArray[np.uint8]
    labels: NDArray[Any]


Augment = Callable[[Any], Any]


class Augmenters(NamedTuple):
    """What moves the float images of a batch at random: while training, and while validating.

    Training images that are evaluated, and test images, are never moved.
    """

    train: Augment | None = None
    validation: Augment | None = None


_NO_AUGMENTERS = Augmenters()


class Engine(ABC):
    """What trains and evaluates a compiled model on one backend; see `make_engine`."""

    def __init__(
        self,
        model: keras.Model,
        parts: dict[str, Part],
        batch_size: int,
        check: Callable[[], None] = lambda: None,
        augmenters: Augmenters = _NO_AUGMENTERS,
    ) -> None:
        self._model, self._parts, self._batch_size = model, parts, batch_size
        self._check, self._augmenters = check, augmenters

    @abstractmethod
    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        """Take one optimizer step per batch of the order; return the running metrics."""

    @abstractmethod
    def evaluate(self, name: str) -> dict[str, float]:
        """Return loss and accuracy of one split."""

    @abstractmethod
    def predict(self, name: str) -> Floats:
        """Return class probabilities of one split, float32 of shape ``(n, 10)``."""

    def _all_rows(self, name: str) -> NDArray[np.int32]:
        return np.arange(len(self._parts[name].labels), dtype=np.int32)

    def _evaluation_augment(self, name: str) -> Augment | None:
        return self._augmenters.validation if name == "validation" else None


def make_engine(
    model: keras.Model,
    parts: dict[str, Part],
    batch_size: int,
    check: Callable[[], None] = lambda: None,
    augmenters: Augmenters = _NO_AUGMENTERS,
) -> Engine:
    """Return the engine for the Keras backend in use.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    parts : dict
        The images and labels of each split, by its name.
    batch_size : int
        Of training.
    check : callable, optional
        Called about once a second; what it raises ends the training.
    augmenters : Augmenters, optional
        Applied to whole batches, outside the model.
    """
    import keras

    kind = TensorFlowEngine if keras.backend.backend() == "tensorflow" else KerasEngine
    return kind(model, parts, batch_size, check, augmenters)


class TensorFlowEngine(Engine):
    """Epochs compiled into one graph each, over uint8 images that stay on the device."""

    def __init__(self, *settings: Any, **more: Any) -> None:
        import tensorflow as tf

        super().__init__(*settings, **more)
        tf.get_logger().addFilter(_unexpected)
        model = self._model
        self._steps_per_call = 10
        self._tensors = {
            name: (tf.constant(part.images), tf.constant(part.labels))
            for name, part in self._parts.items()
        }
        # Arguments, not captured: a graph that is kept would keep its images too.
        images, labels = self._tensors["train"]
        signature = [
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, *images.shape[1:]], images.dtype),
            tf.TensorSpec([None, *labels.shape[1:]], labels.dtype),
        ]

        def compiled(step: Callable[[Any], Any], size: int, augment: Augment | None = None) -> Any:
            """Compile steps over slices of an order of images."""

            def steps(order: Any, images: Any, labels: Any) -> None:
                count = tf.shape(order)[0]
                for start in tf.range(0, count, size):
                    rows = order[start : tf.minimum(start + size, count)]
                    batch = scaled(tf.gather(images, rows))
                    step((augment(batch) if augment else batch, tf.gather(labels, rows)))

            return tf.function(steps, input_signature=signature)

        def scaled(images: Any) -> Any:
            return tf.cast(images, tf.float32) / 255.0

        self._train_steps = compiled(model.train_step, self._batch_size, self._augmenters.train)
        plain = compiled(model.test_step, EVALUATION_BATCH)
        moved = self._augmenters.validation
        self._test_steps = {name: plain for name in self._parts}
        if moved:
            self._test_steps["validation"] = compiled(model.test_step, EVALUATION_BATCH, moved)
        self._forward = tf.function(
            lambda images: model(scaled(images), training=False), reduce_retracing=True
        )

    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        """Take one optimizer step per batch of the order; return the running metrics."""
        self._model.reset_metrics()
        self._call(self._train_steps, "train", order, self._batch_size)
        return self._metrics()

    def evaluate(self, name: str) -> dict[str, float]:
        """Return loss and accuracy of one split."""
        self._model.reset_metrics()
        self._call(self._test_steps[name], name, self._all_rows(name), EVALUATION_BATCH)
        return self._metrics()

    def _call(self, compiled: Any, name: str, order: NDArray[np.int32], batch_size: int) -> None:
        """Run compiled steps over an order of a split, in calls of about a second each."""
        start = 0
        while start < len(order):
            self._check()
            stop = start + self._steps_per_call * batch_size
            began = time.perf_counter()
            compiled(order[start:stop], *self._tensors[name])
            per_step = (time.perf_counter() - began) / self._steps_per_call
            if stop <= len(order):
                fitting = int(_SECONDS_PER_CALL / per_step)
                self._steps_per_call = min(max(1, fitting), _MAX_STEPS_PER_CALL)
            start = stop

    def predict(self, name: str) -> Floats:
        """Return class probabilities of one split, float32 of shape ``(n, 10)``."""
        images = self._tensors[name][0]
        batches = range(0, len(images), EVALUATION_BATCH)
        outputs = [self._forward(images[i : i + EVALUATION_BATCH]) for i in batches]
        return np.concatenate([output.numpy() for output in outputs])

    def _metrics(self) -> dict[str, float]:
        return {key: float(value) for key, value in self._model.get_metrics_result().items()}


def _unexpected(record: logging.LogRecord) -> bool:
    """Drop TensorFlow's advice against tracing often: each training is traced anew, on purpose."""
    return "tf.function retracing" not in record.getMessage()


class KerasEngine(Engine):
    """Plain ``fit``, ``evaluate`` and ``predict``: works on every Keras backend."""

    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        """Take one optimizer step per batch of the order; return the running metrics."""
        import keras

        batches = self._batches("train", order, self._batch_size, self._augmenters.train)
        checking = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: self._check()
        )
        history = self._model.fit(
            batches, epochs=1, shuffle=False, verbose=0, callbacks=[checking]
        ).history
        return {key: float(values[0]) for key, values in history.items()}

    def evaluate(self, name: str) -> dict[str, float]:
        """Return loss and accuracy of one split."""
        self._check()
        batches = self._batches(name, augment=self._evaluation_augment(name))
        result = self._model.evaluate(batches, verbose=0, return_dict=True)
        return {key: float(value) for key, value in result.items()}

    def predict(self, name: str) -> Floats:
        """Return class probabilities of one split, float32 of shape ``(n, 10)``."""
        return np.asarray(self._model.predict(self._batches(name), verbose=0))

    def _batches(
        self,
        name: str,
        order: NDArray[np.int32] | None = None,
        size: int = EVALUATION_BATCH,
        augment: Augment | None = None,
    ) -> Any:
        import keras

        part = self._parts[name]
        rows = self._all_rows(name) if order is None else order

        class Batches(keras.utils.PyDataset):  # type: ignore[misc]
            def __len__(self) -> int:
                return -(-len(rows) // size)

            def __getitem__(self, i: int) -> tuple[Floats, NDArray[Any]]:
                chosen = rows[i * size : (i + 1) * size]
                images: Any = part.images[chosen].astype(np.float32) / 255.0
                if augment is not None:
                    images = keras.ops.convert_to_numpy(augment(images))
                return images, part.labels[chosen]

        return Batches()
