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
        """Make the call.

        Parameters
        ----------
        keras : module
            Keras, which only a caller that needs it imports.
        **more
            Further keywords of the call; they win over its own.
        """
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
    from_input = _dropout(spec.input_dropout, "InputDropout", "model.input_dropout")
    if isinstance(spec, CNN):
        yield from from_input
        for i, convolution in enumerate(spec.conv):
            yield from _convolution(convolution, str(i + 1), f"model.conv.{i}")
    if isinstance(spec, CNN) and spec.global_pool:
        kind = f"layers.Global{spec.global_pool.capitalize()}Pooling2D"
        yield LayerCall("GlobalPool", Call(kind), ("model.global_pool",))
    elif isinstance(spec, CNN) or len(spec.input_shape) > 1:
        yield LayerCall("Flatten", Call("layers.Flatten"))
    yield from from_input  # of an mlp, whose images are flat by now
    kind, dense = ("dense", spec.dense) if isinstance(spec, CNN) else ("hidden", spec.hidden)
    for i, block in enumerate(dense):
        yield from _hidden(block, str(i + 1), f"model.{kind}.{i}")
    yield LayerCall("Output", Call("layers.Dense", (NUM_CLASSES,), {"activation": "softmax"}))


def _convolution(block: ConvBlock, number: str, at: str) -> Iterator[LayerCall]:
    shape = {"strides": block.strides} if block.strides else {}
    call = Call("layers.Conv2D", (block.filters, block.kernel), {**shape, "padding": block.padding})
    layer = LayerCall(f"Conv{number}", call, _at(at, "filters", "kernel", "strides", "padding"))
    yield from _activated(block, layer, "Conv", number, at)
    if block.pool is not None:
        settings = {"strides": block.pool_strides, "padding": block.pool_padding}
        used = {key: value for key, value in settings.items() if value is not None}
        kind = (block.pool_kind or "max").capitalize()
        call = Call(f"layers.{kind}Pooling2D", (block.pool,), used)
        paths = _at(at, "pool", "pool_kind", "pool_strides", "pool_padding")
        yield LayerCall(f"{kind}Pool{number}", call, paths)
    yield from _dropout(block.dropout, f"ConvDropout{number}", f"{at}.dropout")


def _hidden(block: DenseBlock, number: str, at: str) -> Iterator[LayerCall]:
    layer = LayerCall(f"Hidden{number}", Call("layers.Dense", (block.units,)), _at(at, "units"))
    yield from _activated(block, layer, "Hidden", number, at)
    yield from _dropout(block.dropout, f"HiddenDropout{number}", f"{at}.dropout")


def _activated(
    block: DenseBlock | ConvBlock, layer: LayerCall, kind: str, number: str, at: str
) -> Iterator[LayerCall]:
    """Yield a layer with weights, its batch normalisation, and its activation where it is apart."""
    norm = LayerCall(
        f"{kind}BatchNorm{number}", Call("layers.BatchNormalization"), _at(at, "batch_norm")
    )
    how = Call("layers.Activation", (block.activation,))
    if block.activation == "leaky_relu":
        how = Call("layers.LeakyReLU", (), {"negative_slope": block.negative_slope})
    act = LayerCall(f"{kind}Activation{number}", how, _at(at, "activation", "negative_slope"))
    apart = block.batch_norm == "before" or block.activation == "leaky_relu"
    settings = layer.call.keywords | ({} if apart else {"activation": block.activation})
    yield LayerCall(
        layer.name,
        layer.call._replace(keywords=settings | _on_kernel(block)),
        layer.settings + _at(at, "initializer", "l1", "l2") + (() if apart else act.settings),
    )
    after = [norm] if block.batch_norm else []
    yield from (*after, act) if block.batch_norm == "before" else (*[act] * apart, *after)


def _at(at: str, *keys: str) -> tuple[str, ...]:
    return tuple(f"{at}.{key}" for key in keys)


def _on_kernel(block: DenseBlock | ConvBlock) -> dict[str, Any]:
    """Return how a kernel begins and is penalised."""
    found: dict[str, Any] = {}
    if block.initializer is not None:
        found["kernel_initializer"] = block.initializer
    penalties = {"l1": block.l1, "l2": block.l2}
    used = {name: value for name, value in penalties.items() if value is not None}
    if len(used) == 2:
        found["kernel_regularizer"] = Call("regularizers.L1L2", (), used)
    elif used:
        ((name, value),) = used.items()
        found["kernel_regularizer"] = Call(f"regularizers.{name.upper()}", (value,))
    return found


def _dropout(rate: float | None, name: str, at: str) -> Iterator[LayerCall]:
    if rate is not None:
        yield LayerCall(name, Call("layers.Dropout", (rate,)), (at,))
