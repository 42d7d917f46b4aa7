"""Architectures as data: reading a report needs no Keras."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from fmnist_utils.data.inputs import Resize
from fmnist_utils.records import Strict

Activation = Literal["relu", "sigmoid", "tanh", "linear"]

Padding = Literal["same", "valid"]


#: Wider layers than any published network on these images has; the next one's weights alone would
#: fill the memory of a GPU.
Units = Annotated[PositiveInt, Field(le=16_384)]

Filters = Annotated[PositiveInt, Field(le=4_096)]

#: A kernel, a window of pooling or an image of more pixels a side is a slip: images have 28.
Side = Annotated[PositiveInt, Field(le=256)]

#: Also of an image whose rows stand one after the other.
Pixels = Annotated[PositiveInt, Field(le=256**2)]

Rate = Annotated[float, Field(ge=0, lt=1)]


class DenseBlock(Strict):
    """A fully connected layer, then optional batch normalisation and dropout.

    ``l2`` times the sum of the squared kernel is added to the loss, evaluated losses included, as
    Keras does.
    """

    units: Units
    activation: Activation = "relu"
    l2: Annotated[PositiveFloat, Field(allow_inf_nan=False)] | None = None
    batch_norm: bool | None = None
    dropout: Rate | None = None


class ConvBlock(Strict):
    """A convolution with square kernels and stride 1.

    Optional batch normalisation, max pooling and dropout follow, in this order.
    ``pool`` is both the window and the stride of the pooling, in pixels; unless ``pool_padding``
    is ``same``, pixels that fill no window are dropped.
    """

    filters: Filters
    kernel: Side
    padding: Padding = "same"
    activation: Activation = "relu"
    batch_norm: bool | None = None
    pool: Side | None = None
    pool_padding: Padding | None = None
    dropout: Rate | None = None


#: Plain networks of more layers do not train.
_FEW = Field(max_length=100)


class MLP(Strict):
    """A multilayer perceptron on flattened images; no hidden layer makes it softmax regression."""

    builder: Literal["mlp"]
    input_shape: Annotated[tuple[Pixels, ...], Field(min_length=1, max_length=3)] = (28, 28)
    hidden: Annotated[tuple[DenseBlock, ...], _FEW] = ()


class CNN(Strict):
    """Convolution blocks, then dense blocks, then the softmax output.

    `resize` says how images of another size are brought to ``input_shape``: ``pad`` puts zeros
    around them, ``bilinear`` interpolates.
    """

    builder: Literal["cnn"]
    input_shape: tuple[Side, ...] = (28, 28, 1)
    resize: Resize | None = None
    conv: Annotated[tuple[ConvBlock, ...], _FEW]
    dense: Annotated[tuple[DenseBlock, ...], _FEW] = ()


ModelSpec = Annotated[MLP | CNN, Field(discriminator="builder")]
