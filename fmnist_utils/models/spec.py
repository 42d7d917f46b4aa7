"""Architectures as data: reading a report needs no Keras."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from fmnist_utils.data.inputs import Resize
from fmnist_utils.records import Strict

Activation = Literal["relu", "sigmoid", "tanh", "linear"]

Padding = Literal["same", "valid"]


Rate = Annotated[float, Field(ge=0, lt=1)]


class DenseBlock(Strict):
    """A fully connected layer, then optional batch normalisation and dropout.

    ``l2`` times the sum of the squared kernel is added to the loss, evaluated losses included, as
    Keras does.
    """

    units: PositiveInt
    activation: Activation = "relu"
    l2: PositiveFloat | None = None
    batch_norm: bool | None = None
    dropout: Rate | None = None


class ConvBlock(Strict):
    """A convolution with square kernels and stride 1.

    Optional batch normalisation, max pooling and dropout follow, in this order.
    ``pool`` is both the window and the stride of the pooling, in pixels; unless ``pool_padding``
    is ``same``, pixels that fill no window are dropped.
    """

    filters: PositiveInt
    kernel: PositiveInt
    padding: Padding = "same"
    activation: Activation = "relu"
    batch_norm: bool | None = None
    pool: PositiveInt | None = None
    pool_padding: Padding | None = None
    dropout: Rate | None = None


class MLP(Strict):
    """A multilayer perceptron on flattened images; no hidden layer makes it softmax regression."""

    builder: Literal["mlp"]
    input_shape: tuple[PositiveInt, ...] = (28, 28)
    hidden: tuple[DenseBlock, ...] = ()


class CNN(Strict):
    """Convolution blocks, then dense blocks, then the softmax output.

    `resize` says how images of another size are brought to ``input_shape``: ``pad`` puts zeros
    around them, ``bilinear`` interpolates.
    """

    builder: Literal["cnn"]
    input_shape: tuple[PositiveInt, ...] = (28, 28, 1)
    resize: Resize | None = None
    conv: tuple[ConvBlock, ...]
    dense: tuple[DenseBlock, ...] = ()


ModelSpec = Annotated[MLP | CNN, Field(discriminator="builder")]
