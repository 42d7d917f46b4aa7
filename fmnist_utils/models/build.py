"""Build Keras models from their specifications, and say what was built."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from fmnist_utils.data.fashion_mnist import NUM_CLASSES
from fmnist_utils.errors import FmnistError
from fmnist_utils.models.fused import batch_normalization
from fmnist_utils.models.keras_import import import_keras
from fmnist_utils.models.layer_rules import too_small
from fmnist_utils.models.spec import CNN, MLP, ConvBlock

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
    images = keras.Input(spec.input_shape, name="Input")
    features = images if isinstance(spec, MLP) else _convolve(images, spec.conv, plain)
    flat = len(features.shape) == 2  # the batch axis and one more: nothing to flatten
    x = features if flat else keras.layers.Flatten(name="Flatten")(features)
    dense = spec.hidden if isinstance(spec, MLP) else spec.dense
    for i, block in enumerate(dense, start=1):
        x = keras.layers.Dense(
            block.units,
            activation=block.activation,
            kernel_regularizer=None if block.l2 is None else keras.regularizers.L2(block.l2),
            name=f"Hidden{i}",
        )(x)
        x = _batch_norm(x, block.batch_norm, f"HiddenBatchNorm{i}", plain)
        x = _dropout(x, block.dropout, f"HiddenDropout{i}")
    # Probabilities are float32 in every precision.
    output = keras.layers.Dense(NUM_CLASSES, activation="softmax", dtype="float32", name="Output")
    return keras.Model(images, output(x), name=spec.builder)


def _convolve(x: Any, blocks: tuple[ConvBlock, ...], plain: bool) -> Any:
    from keras import layers

    for i, block in enumerate(blocks, start=1):
        x = layers.Conv2D(
            block.filters,
            block.kernel,
            padding=block.padding,
            activation=block.activation,
            name=f"Conv{i}",
        )(x)
        x = _batch_norm(x, block.batch_norm, f"ConvBatchNorm{i}", plain)
        if block.pool is not None:
            padding = block.pool_padding or "valid"
            x = layers.MaxPooling2D(block.pool, padding=padding, name=f"MaxPool{i}")(x)
        x = _dropout(x, block.dropout, f"ConvDropout{i}")
    return x


def _batch_norm(x: Any, wanted: bool | None, name: str, plain: bool) -> Any:
    from keras import layers

    if not wanted:
        return x
    return (layers.BatchNormalization(name=name) if plain else batch_normalization(name))(x)


def _dropout(x: Any, rate: float | None, name: str) -> Any:
    from keras import layers

    return x if rate is None else layers.Dropout(rate, name=name)(x)


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
    return {
        "total_params": total, "trainable_params": trainable,
        "non_trainable_params": total - trainable,
    }  # fmt: skip
