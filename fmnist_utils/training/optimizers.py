"""The optimizer, the loss and the callbacks of a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmnist_utils.models.keras_calls import Call
from fmnist_utils.reports.protocol import EarlyStopping, Optimizer, Plateau, Schedule, Training

if TYPE_CHECKING:
    import keras


def make_optimizer(spec: Optimizer) -> keras.Optimizer:
    """Return the Keras optimizer of a protocol, with the fastest update the backend has."""
    import keras

    plain = Optimizer(name="adam", learning_rate=spec.learning_rate)
    if spec == plain and keras.backend.backend() == "tensorflow":
        return _fused_adam(spec.learning_rate)
    return keras_optimizer(spec)


def keras_optimizer(spec: Optimizer) -> keras.Optimizer:
    """Return the Keras optimizer of a protocol, as Keras has it."""
    import keras

    return optimizer_call(spec).make(keras)


def optimizer_call(spec: Optimizer) -> Call:
    """Return the call that makes the Keras optimizer of a protocol."""
    settings = spec.model_dump(exclude={"name", "schedule"}, exclude_none=True)
    if spec.schedule is not None:
        settings["learning_rate"] = _schedule_call(spec.learning_rate, spec.schedule)
    return Call(f"optimizers.{_CLASSES[spec.name]}", (), settings)


_CLASSES = {
    "adam": "Adam", "adamw": "AdamW", "adagrad": "Adagrad", "nadam": "Nadam",
    "rmsprop": "RMSprop", "sgd": "SGD",
}  # fmt: skip


def _schedule_call(start: float, spec: Schedule) -> Call:
    words = "".join(word.capitalize() for word in spec.kind.split("_"))
    settings = spec.model_dump(exclude={"kind"}, exclude_none=True)
    return Call(f"optimizers.schedules.{words}Decay", (start,), settings)


def loss_of(spec: Training) -> Call | str:
    """Return what ``compile`` takes as the loss of a protocol: its name, or the call of one."""
    if spec.label_smoothing is None:
        return spec.loss
    settings = {"label_smoothing": spec.label_smoothing}
    return Call("losses.CategoricalCrossentropy", (), settings)


def stopping_call(spec: EarlyStopping) -> Call:
    """Return the call that makes Keras' early stopping."""
    return Call("callbacks.EarlyStopping", (), spec.model_dump(exclude_none=True))


def plateau_call(spec: Plateau) -> Call:
    """Return the call that makes what lowers the learning rate on a plateau."""
    return Call("callbacks.ReduceLROnPlateau", (), spec.model_dump(exclude_none=True))


def _fused_adam(learning_rate: float) -> keras.Optimizer:
    """Return Keras' Adam whose update of a variable is one operation instead of a dozen."""
    import keras
    import tensorflow as tf

    class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            i = self._get_variable_index(variable)
            step = tf.cast(self.iterations.value + 1, variable.dtype)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._momentums[i].value.handle,
                v=self._velocities[i].value.handle,
                beta1_power=self.beta_1**step,
                beta2_power=self.beta_2**step,
                lr=tf.cast(learning_rate, variable.dtype),
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=tf.cast(gradient, variable.dtype),
            )

    return FusedAdam(learning_rate=learning_rate, name="adam")
