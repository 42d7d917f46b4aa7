"""Build Keras models from their specifications, and say what was built."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from fmnist_utils.errors import FmnistError
from fmnist_utils.models.fused import batch_normalization
from fmnist_utils.models.keras_calls import layer_calls
from fmnist_utils.models.keras_import import import_keras
from fmnist_utils.models.layer_rules import too_small
from fmnist_utils.models.spec import CNN, MLP

if TYPE_CHECKING:
    import keras


class ModelError(FmnistError):
    """A network that cannot be built."""


class Layer(NamedTuple):
    """One row of a layer table; the shape is without the batch axis."""

    name: str
    type: str
    shape: tuple[int, ...]
    params: int


def build(spec: MLP | CNN, *, plain: bool = False) -> keras.Model:
    """Build the Keras model of a specification, not yet compiled.

    Parameters
    ----------
    spec : MLP or CNN
        The architecture.
    plain : bool
        Use Keras' own layers only, not our faster ones.

    Returns
    -------
    keras.Model
        Maps float images in [0, 1] of shape ``(batch, *spec.input_shape)`` to class probabilities,
        float32 of shape ``(batch, 10)``.

    Raises
    ------
    ModelError
        Where nothing is left of the images.
    """
    if problem := too_small(spec):
        raise ModelError(f"The network cannot be built: {problem}.")
    keras = import_keras()
    x = images = keras.Input(spec.input_shape, name="Input")
    for name, call, _ in layer_calls(spec):
        if call.function == "layers.BatchNormalization" and not plain:
            layer = batch_normalization(name)
        else:
            # Probabilities are float32 in every precision.
            layer = call.make(keras, name=name, **{"dtype": "float32"} if name == "Output" else {})
        x = layer(x)
    return keras.Model(images, x, name=spec.builder)


def layer_table(model: keras.Model) -> list[Layer]:
    """List a model's layers as ``model.summary()`` does.

    Parameters
    ----------
    model : keras.Model
        A built functional model.

    Returns
    -------
    list of Layer
        In order; Keras class name, output shape without the batch axis, number of parameters.
    """
    return [
        Layer(
            layer.name,
            type(layer).__name__,
            tuple(int(n) for n in layer.output.shape[1:]),
            int(layer.count_params()),
        )
        for layer in model.layers
    ]


def parameter_totals(model: Any) -> dict[str, int]:
    """Count a Keras model's parameters: all, those that are trained, and the others."""
    total = int(model.count_params())
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return {"total": total, "trainable": trainable, "non_trainable": total - trainable}
