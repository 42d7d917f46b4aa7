"""Train with Keras' own ``fit``, which our trainer is held against."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist_utils.reports.protocol import Training
from fmnist_utils.training.engines import LabelledImages
from fmnist_utils.training.optimizers import plateau_call, stopping_call
from fmnist_utils.training.state import Progress, TrainingError, TrainingState

if TYPE_CHECKING:
    import keras


def _plain_fit(
    model: keras.Model,
    parts: dict[str, LabelledImages],
    spec: Training,
    check: Callable[[], None],
    on_epoch: Callable[[Progress], None] | None,
) -> TrainingState:
    """Train as the reports do: numpy floats, Keras' own shuffling, callbacks and ``model.fit``."""
    import keras

    if spec.augmentation is not None:
        raise TrainingError("Plain fit takes no augmentation: train it without --plain-fit.")
    state = TrainingState()

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            check()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds = time.perf_counter() - self.start
            state.add(logs, seconds, spec, model.get_weights)
            if on_epoch is not None:
                on_epoch(Progress(epoch + 1, spec.epochs, dict(logs), seconds))

    callbacks = [Watch()]
    if spec.early_stopping:  # which weights count is decided later
        stopping = spec.early_stopping.model_copy(update={"restore_best_weights": None})
        callbacks.append(stopping_call(stopping).make(keras))
    if spec.reduce_lr_on_plateau:
        callbacks.append(plateau_call(spec.reduce_lr_on_plateau).make(keras))
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
    return state
