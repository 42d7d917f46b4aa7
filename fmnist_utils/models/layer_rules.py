"""Check one printed layer against the layer before it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.models.spec import CNN, MLP
from fmnist_utils.rounding import Shape, times


def kernel_areas(parameters: int, channels: int, filters: int) -> list[int]:
    """Return of how many pixels a kernel with so many parameters can be: with bias or without.

    The channels may be convolved in groups; kernels of a single group come first.

    Parameters
    ----------
    parameters : int
        Of the layer, as a table prints them.
    channels : int
        Of its input.
    filters : int
        Channels of its output.
    """
    sizes = math.gcd(channels, filters)
    areas = (
        divmod(parameters - bias, channels * filters // groups)
        for groups in range(1, sizes + 1)
        if sizes % groups == 0
        for bias in (filters, 0)
    )
    return list(dict.fromkeys(area for area, rest in areas if rest == 0 and area > 0))


def windowed(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return the output size of a convolution or pooling: with valid, and with same padding.

    Parameters
    ----------
    size : int
        Pixels of the input along one side.
    window : int
        Pixels of the kernel or pool along that side.
    stride : int
        Pixels from one window to the next.
    """
    return (size - window) // stride + 1, -(-size // stride)


_SIDE = count("image_height")


class Window(NamedTuple):
    """A kernel or pooling window on its way through a network: its layer, and sizes of the maps."""

    layer: int
    kind: str
    size: int
    before: Shape
    after: Shape


def windows(model: MLP | CNN) -> Iterator[Window]:
    """Follow the height and width of the maps through a network; layers are counted from 1.

    Where a window does not fit, nothing is left: the network cannot be built.
    """
    sides: Shape = model.input_shape[:2]
    for layer, block in enumerate(model.conv if isinstance(model, CNN) else (), start=1):
        steps = [("kernel", block.kernel, block.strides or 1, block.padding)]
        if block.pool is not None:
            stride = block.pool_strides or block.pool
            steps.append(("pooling", block.pool, stride, block.pool_padding or "valid"))
        for kind, size, stride, padding in steps:
            reached = (windowed(side, size, stride)[padding == "same"] for side in sides)
            before, sides = sides, tuple(max(0, side) for side in reached)
            yield Window(layer, kind, size, before, sides)


def too_small(model: MLP | CNN) -> str | None:
    """Say where the images of a network shrink below one pixel; None when it can be built."""
    for layer, kind, size, before, after in windows(model):
        if min(after) < 1:
            return f"layer {layer}: a {kind} of {size} does not fit {times(before)} pixels"
    return None


#: With gradients and the moments of Adam they fill 3 GB; the book has 5.8 million at most.
MAX_WEIGHTS = 2 * 10**8


def kernel_weights(model: MLP | CNN) -> int:
    """Count the weights of all kernels but the output's: nearly all parameters of a network."""
    width, weights = math.prod(model.input_shape), 0
    if isinstance(model, CNN):
        sides, channels = model.input_shape[:2], 1
        for convolution in model.conv:
            weights += convolution.kernel**2 * channels * convolution.filters
            channels = convolution.filters
        for item in windows(model):
            sides = item.after
        width = channels if model.global_pool else math.prod(sides) * channels
    for block in model.dense if isinstance(model, CNN) else model.hidden:
        weights += width * block.units
        width = block.units
    return weights


def misbuilt(model: MLP | CNN) -> str | None:
    """Say why a network cannot be built, or not take the images; None when all is well."""
    shape, grey = model.input_shape, f"{_SIDE}, {_SIDE}"
    given, has = f"input_shape {list(shape)}", f"images have {grey} pixels"
    if isinstance(model, CNN):
        if len(shape) != 3 or shape[2] != 1:
            return f"{given}: a cnn takes [{grey}, 1], as the images are grey"
        if shape[:2] != (_SIDE, _SIDE) and not model.resize:
            return f"{given}: {has}, or resize"
        if model.resize == "pad" and min(shape[:2]) < _SIDE:
            return f"{given}: {has}, and pad makes none smaller"
    elif math.prod(shape) != _SIDE**2:
        return f"{given}: {has}"
    if problem := too_small(model):
        return problem
    if (weights := kernel_weights(model)) > MAX_WEIGHTS:
        return f"{weights:,} weights: more than {MAX_WEIGHTS:,} are not built"
    return None


def layer_misfit(kind: str, before: Shape, shape: Shape, parameters: int) -> str:
    """Say what is wrong with one row of a layer table, in the light of the row before.

    Parameters
    ----------
    kind : str
        Keras class name; a class without a rule is taken at its word.
    before, shape : tuple of int
        Input and printed output shape, without the batch axis.
    parameters : int
        As printed.

    Returns
    -------
    str
        The arithmetic; empty when the row can be right.
    """
    rule = _RULES.get(kind)
    return rule(before, shape, parameters) if rule else ""


def _input(before: Shape, shape: Shape, parameters: int) -> str:
    if math.prod(shape) != math.prod(before):
        return f"{times(shape)} = {math.prod(shape)} values, and an image has {math.prod(before)}"
    return _none(parameters)


def _flatten(before: Shape, shape: Shape, parameters: int) -> str:
    if shape != (math.prod(before),):
        return f"{times(before)} = {math.prod(before)}, not {times(shape)}"
    return _none(parameters)


def _unchanged(before: Shape, shape: Shape, parameters: int) -> str:
    return _none(parameters) if shape == before else f"{times(before)} cannot become {times(shape)}"


def _none(parameters: int) -> str:
    return f"the layer has no parameters, not {parameters:,}" if parameters else ""


def _dense(before: Shape, shape: Shape, parameters: int) -> str:
    weights, units = before[-1] * shape[-1], shape[-1]
    if before[:-1] != shape[:-1]:
        return f"{times(before)} cannot become {times(shape)}"
    if parameters not in (weights + units, weights):
        return f"{before[-1]} × {units} + {units} = {weights + units:,}, not {parameters:,}"
    return ""


def _normalisation(before: Shape, shape: Shape, parameters: int) -> str:
    channels = before[-1]
    # The centre and the scale can be left out; the moving mean and variance cannot.
    if shape == before and parameters not in (4 * channels, 3 * channels, 2 * channels):
        return f"4 × {channels} = {4 * channels:,}, not {parameters:,}"
    return "" if shape == before else f"{times(before)} cannot become {times(shape)}"


def frozen_parameters(kind: str, shape: Shape, parameters: int) -> int:
    """Return how many parameters of a layer training leaves alone: moving means and variances.

    Parameters
    ----------
    kind : str
        Class of the layer in Keras, such as ``BatchNormalization``.
    shape : tuple of int
        Of its output, without the batch.
    parameters : int
        All that the layer has.
    """
    return min(parameters, 2 * shape[-1]) if kind == "BatchNormalization" else 0


def _convolution(before: Shape, shape: Shape, parameters: int) -> str:
    filters, per_pixel = shape[-1], before[-1] * shape[-1]
    areas = kernel_areas(parameters, before[-1], filters)
    if not areas:
        return f"no kernel of n pixels has {per_pixel:,} n + {filters} = {parameters:,} parameters"
    if len(before) != 3 or len(shape) != 3:
        return "" if len(before) == len(shape) else f"{times(before)} cannot become {times(shape)}"
    for area in areas:
        for height in (side for side in range(1, area + 1) if area % side == 0):
            sides = (height, area // height)
            if all(map(_window_makes, before[:2], shape[:2], sides)):
                return ""
    return f"no kernel of {areas[0]} pixels makes {times(shape[:2])} of {times(before[:2])}"


def _window_makes(size: int, out: int, window: int) -> bool:
    """Say whether a window makes so many positions of a side, at any stride, padding, dilation."""
    steps = range(1, size + 1)
    return any(
        out in windowed(size, window, step) or out in windowed(size, step * (window - 1) + 1, 1)
        for step in steps
    )


def _pooling(before: Shape, shape: Shape, parameters: int) -> str:
    # Some window and some stride make any smaller side, so that only growth is impossible.
    if len(shape) != len(before) or shape[-1] != before[-1] or any(map(operator.gt, shape, before)):
        return f"{times(before)} cannot become {times(shape)}"
    return _none(parameters)


def _global_pooling(before: Shape, shape: Shape, parameters: int) -> str:
    if shape != before[-1:]:
        return f"{times(before)} becomes {before[-1]} values, not {times(shape)}"
    return _none(parameters)


_RULES: dict[str, Callable[[Shape, Shape, int], str]] = {
    "InputLayer": _input,
    "Flatten": _flatten,
    "Dropout": _unchanged,
    "Activation": _unchanged,
    "ReLU": _unchanged,
    "LeakyReLU": _unchanged,
    "ELU": _unchanged,
    "Dense": _dense,
    "BatchNormalization": _normalisation,
    "Conv2D": _convolution,
    "MaxPooling2D": _pooling,
    "AveragePooling2D": _pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "GlobalAveragePooling2D": _global_pooling,
}
