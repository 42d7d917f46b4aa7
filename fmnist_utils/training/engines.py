"""What trains and evaluates a model: compiled epochs, on TensorFlow and on JAX."""

from __future__ import annotations

import functools
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.models.keras_import import BackendError, import_keras

if TYPE_CHECKING:
    import keras


Floats = NDArray[np.float32]


#: Batch size of evaluation: it changes no result, only the memory used.
EVALUATION_BATCH = 1000

#: Seconds between two looks at the keyboard that a compiled call aims at.
_SECONDS_PER_CALL = 1.0

_MAX_STEPS_PER_CALL = 500


class LabelledImages(NamedTuple):
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
        parts: dict[str, LabelledImages],
        batch_size: int,
        check: Callable[[], None] = lambda: None,
        augmenters: Augmenters = _NO_AUGMENTERS,
    ) -> None:
        self._model, self._parts, self._batch_size = model, parts, batch_size
        self._check, self._augmenters = check, augmenters
        self._steps_per_call = 10

    @abstractmethod
    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        """Take one optimizer step per batch of the order; return the running metrics."""

    @abstractmethod
    def evaluate(self, name: str) -> dict[str, float]:
        """Return loss and accuracy of one split."""

    @abstractmethod
    def predict(self, name: str) -> Floats:
        """Return class probabilities of one split, float32 of shape ``(n, 10)``."""

    def _portions(self, n: int, batch_size: int) -> Iterator[tuple[int, int]]:
        """Divide n images into calls of about a second each: yield where each begins and ends."""
        start = 0
        while start < n:
            self._check()
            stop = start + self._steps_per_call * batch_size
            began = time.perf_counter()
            yield start, min(stop, n)
            per_step = (time.perf_counter() - began) / self._steps_per_call
            if stop <= n:
                fitting = int(_SECONDS_PER_CALL / per_step)
                self._steps_per_call = min(max(1, fitting), _MAX_STEPS_PER_CALL)
            start = stop

    def _metrics(self) -> dict[str, float]:
        return {key: float(value) for key, value in self._model.get_metrics_result().items()}

    def _all_rows(self, name: str) -> NDArray[np.int32]:
        return np.arange(len(self._parts[name].labels), dtype=np.int32)


def make_engine(
    model: keras.Model,
    parts: dict[str, LabelledImages],
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

    Raises
    ------
    BackendError
        When Keras computes with another library.
    """
    backend = import_keras().backend.backend()
    kinds: dict[str, type[Engine]] = {"tensorflow": TensorFlowEngine, "jax": JaxEngine}
    if backend not in kinds:
        raise BackendError(
            f"Runs are trained with TensorFlow or JAX, not with {backend}: set "
            "KERAS_BACKEND=tensorflow."
        )
    return kinds[backend](model, parts, batch_size, check, augmenters)


class TensorFlowEngine(Engine):
    """Epochs compiled into one graph each, over uint8 images that stay on the device."""

    def __init__(self, *settings: Any, **more: Any) -> None:
        import tensorflow as tf

        super().__init__(*settings, **more)
        tf.get_logger().addFilter(_unexpected)
        model = self._model
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
        """Run compiled steps over an order of a split."""
        for start, stop in self._portions(len(order), batch_size):
            compiled(order[start:stop], *self._tensors[name])

    def predict(self, name: str) -> Floats:
        """Return class probabilities of one split, float32 of shape ``(n, 10)``."""
        images = self._tensors[name][0]
        batches = range(0, len(images), EVALUATION_BATCH)
        outputs = [self._forward(images[i : i + EVALUATION_BATCH]) for i in batches]
        return np.concatenate([output.numpy() for output in outputs])


def _unexpected(record: logging.LogRecord) -> bool:
    """Drop TensorFlow's advice against tracing often: each training is traced anew, on purpose."""
    return "tf.function retracing" not in record.getMessage()


class JaxEngine(Engine):
    """Loops of steps compiled into one program each, over uint8 images that stay on the device."""

    def __init__(self, *settings: Any, **more: Any) -> None:
        import jax

        super().__init__(*settings, **more)
        # By default a GPU multiplies float32 in 19 bits.
        jax.config.update("jax_default_matmul_precision", "highest")
        model, (images, labels) = self._model, self._parts["train"]
        # Makes the variables of loss, metrics and optimizer, which no compiled step can make.
        model.evaluate(images[:1] / np.float32(255), labels[:1], verbose=0)
        model.optimizer.build(model.trainable_variables)
        self._arrays = {name: jax.device_put(tuple(part)) for name, part in self._parts.items()}
        self._compiled = functools.cache(self._compile)

    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        """Take one optimizer step per batch of the order; return the running metrics."""
        return self._call("train_step", "train", order, self._batch_size, self._augmenters.train)

    def evaluate(self, name: str) -> dict[str, float]:
        """Return loss and accuracy of one split."""
        augment = self._augmenters.validation if name == "validation" else None
        return self._call("test_step", name, self._all_rows(name), EVALUATION_BATCH, augment)

    def predict(self, name: str) -> Floats:
        """Return class probabilities of one split, float32 of shape ``(n, 10)``."""
        images = self._parts[name].images / np.float32(255)
        return np.asarray(self._model.predict(images, EVALUATION_BATCH, verbose=0))

    def _call(self, step: str, name: str, order: Any, size: int, augment: Any) -> dict[str, float]:
        """Run compiled steps over an order of a split, and put back what they changed."""
        import jax

        model = self._model
        model.reset_metrics()
        updated = [model.optimizer.variables] if step == "train_step" else []
        held = [model.trainable_variables, model.non_trainable_variables, *updated]
        held += [model.metrics_variables, getattr(augment, "variables", [])]
        state = [[variable.value for variable in group] for group in held]
        rows, steps = jax.device_put(order), self._compiled(step, augment)
        for start, stop in self._portions(len(order), size):
            whole, rest = divmod(stop - start, size)
            if whole:
                state = steps(size, state, rows, start, whole, *self._arrays[name])
            if rest:
                state = steps(rest, state, rows, stop - rest, 1, *self._arrays[name])
            jax.block_until_ready(state)
        for group, values in zip(held, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return self._metrics()

    def _compile(self, step: str, augment: Any) -> Any:
        """Compile a loop over `count` batches of an order, from its image `start` on."""
        import jax
        import keras

        streams = getattr(augment, "variables", [])

        def one(batch: Any, labels: Any, state: list[Any]) -> list[Any]:
            *state, drawn = state
            if augment is not None:
                with keras.StatelessScope(list(zip(streams, drawn, strict=True))) as scope:
                    batch = augment(batch)
                drawn = [scope.get_current_value(stream) for stream in streams]
            _, after = getattr(self._model, step)(tuple(state), (batch, labels))
            return [*after, drawn]

        def steps(
            size: int, state: Any, order: Any, start: int, count: int, images: Any, labels: Any
        ) -> Any:
            def body(i: Any, state: Any) -> Any:
                rows = jax.lax.dynamic_slice(order, (start + i * size,), (size,))
                batch = images[rows].astype(np.float32) / np.float32(255)
                return one(batch, labels[rows], state)

            return jax.lax.fori_loop(0, count, body, state)

        return jax.jit(steps, static_argnums=0)
