"""Networks as blocks, and the functions that make them more than linear."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.models.build import Layer, layer_table
from fmnist_utils.plots.style import BLUE, GREY, ORANGE, WIDTH, Floats, figure, marked
from fmnist_utils.reports.experiment import Experiment

_FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def activation_functions() -> Figure:
    """Draw activation functions between -4 and 4."""
    x = np.linspace(-4, 4, 401)
    colors = sns.color_palette("colorblind", len(_FUNCTIONS))
    with figure(height=3.6) as (fig, ax):
        for (name, function), color, line in zip(
            _FUNCTIONS.items(), colors, ("-", "--", "-."), strict=True
        ):
            ax.plot(x, function(x), line, color=color, linewidth=2, label=name)
        ax.axhline(0, color="black", linewidth=0.8, zorder=1)
        ax.axvline(0, color="black", linewidth=0.8, zorder=1)
        ax.set_xlabel("input of the unit")
        ax.set_ylabel("output of the unit")
        fig.legend(loc="outside upper center", ncols=4)
    return fig


# --- a network -----------------------------------------------------------------------------------

#: Inches: the largest square or bar, a line of text, and what is above, between and below them.
_SIZE = 0.75
_LINE = 0.18
_MARGIN = 0.55
_MARKS = ("BatchNormalization", "Dropout")


class _Block(NamedTuple):
    """A layer, and the normalisation and dropout that follow it, as text and as marks."""

    layer: Layer
    marks: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> list[str]:
        """Type, shape, parameters and marks."""
        name, shape = self.layer.type.removesuffix("Layer"), self.layer.shape
        lines = [name, " × ".join(f"{n:,}" for n in shape)]
        if self.layer.params:
            lines.append(f"{self.layer.params:,} params")
        return lines + [text for _, text in self.marks]


def network(experiment: Experiment, data: FashionMNIST | None = None) -> Figure:
    """Draw an experiment's network as blocks from the input to the output.

    A square is as high as its feature maps, and as many stand behind each other as their number
    has binary digits. The height of a bar follows the logarithm of the number of units.

    Parameters
    ----------
    experiment : Experiment
        Its model is built.
    data : FashionMNIST, optional
        Gives the picture that is shown as the input.
    """
    blocks = _blocks(experiment)
    longest = max(len(line) for block in blocks for line in block.lines)
    columns = math.ceil(len(blocks) / math.ceil(len(blocks) / (6 if longest < 16 else 5)))
    rows = [blocks[i : i + columns] for i in range(0, len(blocks), columns)]
    heights = [_SIZE + _MARGIN + _LINE * max(len(block.lines) for block in row) for row in rows]
    slot = WIDTH / columns
    with figure(height=sum(heights), layout="none") as (fig, ax):
        ax.set(position=(0, 0, 1, 1), xlim=(0, WIDTH), ylim=(sum(heights), 0))
        ax.axis("off")
        for i, block in enumerate(blocks):
            row, column = divmod(i, columns)
            x, y = (column + 0.5) * slot, sum(heights[:row]) + (_MARGIN + _SIZE) / 2 - 0.1
            _draw_block(ax, x, y, block, _relative_size(block, blocks), data if i == 0 else None)
            if i:
                between, arrow = max(x - slot / 2, 0.15), {"arrowstyle": "->", "color": GREY}
                ax.annotate("", (between + 0.11, y), (between - 0.11, y), arrowprops=arrow)
    return marked(fig, data) if data else fig


def _blocks(experiment: Experiment) -> list[_Block]:
    model = experiment.build()
    blocks: list[_Block] = []
    for layer in layer_table(model):
        if layer.type not in _MARKS:
            blocks.append(_Block(layer, ()))
            continue
        text = f"batch norm: {layer.params:,}"
        if layer.type == "Dropout":
            text = f"dropout {100 * model.get_layer(layer.name).rate:.3g} %"
        last = blocks[-1]
        blocks[-1] = last._replace(marks=(*last.marks, (layer.type, text)))
    return blocks


def _is_image(layer: Layer) -> bool:
    return len(layer.shape) > 1


def _relative_size(block: _Block, blocks: Sequence[_Block]) -> float:
    """Return the height of a block as a share of the highest of its kind."""
    alike = [b.layer.shape[0] for b in blocks if _is_image(b.layer) == _is_image(block.layer)]
    if _is_image(block.layer):
        return block.layer.shape[0] / max(alike)
    return math.log1p(block.layer.shape[0]) / math.log1p(max(alike))


def _draw_block(
    ax: Axes, x: float, y: float, block: _Block, size: float, data: FashionMNIST | None
) -> None:
    """Draw one block around a point, its text below."""
    side = _SIZE * size
    maps = block.layer.shape[2] if len(block.layer.shape) > 2 else 1
    if data is not None and _is_image(block.layer):
        extent = (x - side / 2, x + side / 2, y + side / 2, y - side / 2)
        ax.imshow(data.train_images[0], cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
        right = x + side / 2
    elif _is_image(block.layer):
        right = _draw_maps(ax, x, y, side, maps)
    else:
        color = ORANGE if block.layer.params else "white"
        ax.add_patch(
            Rectangle((x - 0.06, y - side / 2), 0.12, side, facecolor=color, edgecolor="black")
        )
        right = x + 0.06
    _draw_marks(ax, right, y, side, block)
    first, *others = block.lines
    below = y + _SIZE / 2 + 0.15
    ax.text(x, below, first, ha="center", va="top", fontsize=10, fontweight="bold")
    ax.text(
        x, below + _LINE, "\n".join(others), ha="center", va="top", fontsize=10, linespacing=1.15
    )


def _draw_maps(ax: Axes, x: float, y: float, side: float, maps: int) -> float:
    """Draw squares one behind the other and return where the last one ends."""
    step, count = min(0.03, side / 4), maps.bit_length()
    left = x - (side + step * (count - 1)) / 2
    for i in range(count):
        ax.add_patch(
            Rectangle(
                (left + i * step, y - side / 2 + (i - (count - 1) / 2) * step), side, side,
                facecolor="#cfe3f2", edgecolor=BLUE, linewidth=0.8,
            )
        )  # fmt: skip
    return left + (count - 1) * step + side


def _draw_marks(ax: Axes, x: float, y: float, side: float, block: _Block) -> None:
    """Draw a line behind a block for each mark: whole for normalisation, dotted for dropout."""
    half = max(side, 0.3) / 2
    for i, (kind, _) in enumerate(block.marks, start=1):
        style = ":" if kind == "Dropout" else "-"
        at = x + 0.07 * i
        ax.plot([at, at], [y - half, y + half], style, color=GREY, linewidth=2)
