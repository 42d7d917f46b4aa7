"""The Keras calls that a network is made of: built from them, and written as a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from fmnist_utils.data.fashion_mnist import NUM_CLASSES
from fmnist_utils.models.spec import CNN, MLP, ConvBlock, DenseBlock


class Call(NamedTuple):
    """One call of something in Keras, such as ``layers.Dense``, by its arguments."""

    function: str
    positional: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def make(self, keras: ModuleType, **more: Any) -> Any:
        """Make the call, with further keywords."""
        function: Any = keras
        for name in self.function.split("."):
            function = getattr(function, name)
        keywords = {
            key: value.make(keras) if isinstance(value, Call) else value
            for key, value in (self.keywords | more).items()
        }
        return function(*self.positional, **keywords)

    def __str__(self) -> str:
        """Write the call as Python; layers as where ``from keras import layers`` was."""
        prefix = "" if self.function.startswith("layers.") else "keras."
        return f"{prefix}{self.function}({', '.join(self.arguments)})"

    @property
    def arguments(self) -> list[str]:
        """The arguments as Python."""
        keywords = (f"{key}={as_python(value)}" for key, value in self.keywords.items())
        return [*map(as_python, self.positional), *keywords]


def as_python(value: Any) -> str:
    """Write a value, or a call, as Python."""
    if isinstance(value, Call):
        return str(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


class LayerCall(NamedTuple):
    """One layer of a network: our name for it, how it is made, and the settings that say so."""

    name: str
    call: Call
    settings: tuple[str, ...] = ()


def layer_calls(spec: MLP | CNN) -> Iterator[LayerCall]:
    """Yield the layers of a network in order, the input left out.

    Examples
    --------
    >>> for name, call, _ in layer_calls(MLP(builder="mlp", hidden=(DenseBlock(units=100),))):
    ...     print(name, call)
    Flatten layers.Flatten()
    Hidden1 layers.Dense(100, activation="relu")
    Output layers.Dense(10, activation="softmax")
    """
    for i, convolution in enumerate(spec.conv if isinstance(spec, CNN) else ()):
        yield from _convolution(convolution, str(i + 1), f"model.conv.{i}")
    if isinstance(spec, CNN) or len(spec.input_shape) > 1:
        yield LayerCall("Flatten", Call("layers.Flatten"))
    kind, dense = ("dense", spec.dense) if isinstance(spec, CNN) else ("hidden", spec.hidden)
    for i, block in enumerate(dense):
        yield from _hidden(block, str(i + 1), f"model.{kind}.{i}")
    yield LayerCall("Output", Call("layers.Dense", (NUM_CLASSES,), {"activation": "softmax"}))


def _convolution(block: ConvBlock, number: str, at: str) -> Iterator[LayerCall]:
    settings = {"padding": block.padding, "activation": block.activation}
    call = Call("layers.Conv2D", (block.filters, block.kernel), settings)
    own = tuple(f"{at}.{key}" for key in ("filters", "kernel", *settings))
    yield LayerCall(f"Conv{number}", call, own)
    yield from _batch_norm(block, f"ConvBatchNorm{number}", at)
    if block.pool is not None:
        padding = {"padding": block.pool_padding} if block.pool_padding else {}
        call = Call("layers.MaxPooling2D", (block.pool,), padding)
        yield LayerCall(f"MaxPool{number}", call, (f"{at}.pool", f"{at}.pool_padding"))
    yield from _dropout(block, f"ConvDropout{number}", at)


def _hidden(block: DenseBlock, number: str, at: str) -> Iterator[LayerCall]:
    settings: dict[str, Any] = {"activation": block.activation}
    if block.l2 is not None:
        settings["kernel_regularizer"] = Call("regularizers.L2", (block.l2,))
    own = tuple(f"{at}.{key}" for key in ("units", "activation", "l2"))
    yield LayerCall(f"Hidden{number}", Call("layers.Dense", (block.units,), settings), own)
    yield from _batch_norm(block, f"HiddenBatchNorm{number}", at)
    yield from _dropout(block, f"HiddenDropout{number}", at)


def _batch_norm(block: DenseBlock | ConvBlock, name: str, at: str) -> Iterator[LayerCall]:
    if block.batch_norm:
        yield LayerCall(name, Call("layers.BatchNormalization"), (f"{at}.batch_norm",))


def _dropout(block: DenseBlock | ConvBlock, name: str, at: str) -> Iterator[LayerCall]:
    if block.dropout is not None:
        yield LayerCall(name, Call("layers.Dropout", (block.dropout,)), (f"{at}.dropout",))
