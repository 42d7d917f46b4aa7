"""Architectures as data: reading a report needs no Keras."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from fmnist_utils.data.inputs import Resize
from fmnist_utils.records import Strict

Activation = Literal["relu", "sigmoid", "tanh", "linear", "elu", "selu", "gelu", "leaky_relu"]

#: As Keras names them; without one a kernel begins as Keras lets it, Glorot uniform.
Initializer = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "random_uniform", "random_normal",
]  # fmt: skip

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


Penalty = Annotated[PositiveFloat, Field(allow_inf_nan=False)]

#: Batch normalisation: after the activation, or before it.
Norm = bool | Literal["before"]


class _Block(Strict):
    """A layer with weights and an activation, and what may follow it.

    ``l1`` times the sum of the kernel's absolute values and ``l2`` times that of its squares are
    added to the loss, evaluated losses included, as Keras does. ``batch_norm`` comes after the
    activation, or, where it is ``before``, before it. A ``leaky_relu`` has a ``negative_slope``.
    """

    @model_validator(mode="after")
    def _slope_is_of_a_leaky_relu(self) -> Self:
        found = self.model_dump(include={"activation", "negative_slope"})
        if (found["negative_slope"] is not None) != (found["activation"] == "leaky_relu"):
            raise ValueError("activation leaky_relu needs a negative_slope, and no other takes one")
        return self


class DenseBlock(_Block):
    """A fully connected layer, then optional batch normalisation and dropout."""

    units: Units
    activation: Activation = "relu"
    negative_slope: Rate | None = None
    initializer: Initializer | None = None
    l1: Penalty | None = None
    l2: Penalty | None = None
    batch_norm: Norm | None = None
    dropout: Rate | None = None


class ConvBlock(_Block):
    """A convolution with square kernels, and stride 1 unless ``strides`` says otherwise.

    Optional batch normalisation, pooling and dropout follow, in this order.
    ``pool`` is the window of the pooling in pixels, and its stride unless ``pool_strides`` says
    otherwise; unless ``pool_padding`` is ``same``, pixels that fill no window are dropped.
    ``pool_kind`` is ``max`` where it is not given.
    """

    filters: Filters
    kernel: Side
    strides: Side | None = None
    padding: Padding = "same"
    activation: Activation = "relu"
    negative_slope: Rate | None = None
    initializer: Initializer | None = None
    l1: Penalty | None = None
    l2: Penalty | None = None
    batch_norm: Norm | None = None
    pool: Side | None = None
    pool_kind: Literal["max", "average"] | None = None
    pool_strides: Side | None = None
    pool_padding: Padding | None = None
    dropout: Rate | None = None

    @model_validator(mode="after")
    def _there_is_a_pooling(self) -> Self:
        given = [key for key in ("pool_kind", "pool_strides") if getattr(self, key) is not None]
        if given and self.pool is None:
            raise ValueError(f"{given[0]} needs pool, the window in pixels")
        return self


#: Plain networks of more layers do not train.
_FEW = Field(max_length=100)


class MLP(Strict):
    """A multilayer perceptron on flattened images; no hidden layer makes it softmax regression."""

    builder: Literal["mlp"]
    input_shape: Annotated[tuple[Pixels, ...], Field(min_length=1, max_length=3)] = (28, 28)
    input_dropout: Rate | None = None
    hidden: Annotated[tuple[DenseBlock, ...], _FEW] = ()


class CNN(Strict):
    """Convolution blocks, then dense blocks, then the softmax output.

    Maps are flattened in between; with `global_pool` the average or the largest value of each takes
    its place. `resize` says how images of another size are brought to ``input_shape``: ``pad`` puts
    zeros around them, ``bilinear`` interpolates.
    """

    builder: Literal["cnn"]
    input_shape: tuple[Side, ...] = (28, 28, 1)
    resize: Resize | None = None
    input_dropout: Rate | None = None
    global_pool: Literal["average", "max"] | None = None
    conv: Annotated[tuple[ConvBlock, ...], _FEW]
    dense: Annotated[tuple[DenseBlock, ...], _FEW] = ()


ModelSpec = Annotated[MLP | CNN, Field(discriminator="builder")]
