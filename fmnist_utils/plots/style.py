"""The common ground of all figures: the book's style, and what carries which meaning."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import FashionMNIST

Floats = NDArray[np.float64]

#: Inches of a figure with panels, which are shown apart, and of any other: there letters of 10
#: points, the smallest, are 9 pixels high on a phone of 360 pixels, which has 312 for an article.
WIDTH, NARROW = 6.9, 4.6

BLUE, ORANGE = sns.color_palette("colorblind", 2).as_hex()
GREY = "#6e6e6e"
SHADE = "#ececec"

_RC: Any = {
    "figure.dpi": 144,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "font.size": 11,
    "axes.labelsize": 11,
    "axes.titlesize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    # A dollar in a name is one, and begins no formula.
    "text.parse_math": False,
}


_PALETTE = sns.color_palette("colorblind").as_hex()
_MARKERS = "osD^vPX<>*"


def series(i: int) -> tuple[str, str]:
    """Return colour and marker of one of several series, counted from 0: ten that differ."""
    return _PALETTE[i % len(_PALETTE)], _MARKERS[i % len(_MARKERS)]


@contextmanager
def figure(
    rows: int = 1, columns: int = 1, *, height: float, width: float | None = None, **kwargs: Any
) -> Iterator[tuple[Figure, Any]]:
    """Open a figure in the book's style and close it, also when drawing fails.

    The user's own style changes nothing, and is back in force afterwards.

    Parameters
    ----------
    rows, columns : int
        Number of axes below and beside each other.
    height : float
        Of the whole figure, in inches.
    width : float, optional
        In inches; by default that of a phone for one column, else of the page.
    **kwargs
        Passed to ``plt.subplots``.
    """
    width = width or (NARROW if columns == 1 else WIDTH)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        fig, axes = plt.subplots(rows, columns, figsize=(width, height), **kwargs)
        try:
            yield fig, axes
        finally:
            plt.close(fig)


def bare(ax: Axes) -> None:
    """Remove grid, frame and ticks."""
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)


def note(text: str) -> Figure:
    """Return a figure with a sentence instead of a drawing, such as that there is no run yet."""
    with figure(height=1.2) as (fig, ax):
        ax.axis("off")
        # Above a watermark, should there be one.
        words = textwrap.fill(text, 60)
        fig.text(0.5, 0.5, words, ha="center", va="center", zorder=1001, gid="note")
    return fig


def no_runs_note(of: str, diverged: bool) -> Figure:
    """Return the note of a figure that has no run to draw.

    Parameters
    ----------
    of : str
        What there is no run of, such as "this experiment".
    diverged : bool
        Whether there are runs all the same, which have no accuracy.
    """
    all_lost = "Every run diverged: there is nothing to draw."
    return note(all_lost if diverged else f"There is no run of {of} yet.")


def note_of(fig: Figure) -> str:
    """Return the sentence of a figure that `note` made; nothing for a drawing."""
    found = (text.get_text() for text in fig.texts if text.get_gid() == "note")
    return " ".join(next(found, "").split())


def watermark(fig: Figure) -> Figure:
    """Write "synthetic preview" across a figure drawn from synthetic images, once; return it."""
    if any(text.get_gid() == "watermark" for text in fig.texts):
        return fig
    width, height = fig.get_size_inches()
    angle = min(30.0, math.degrees(math.atan2(height, width)))
    length = min(width / math.cos(math.radians(angle)), height / math.sin(math.radians(angle)))
    words = "synthetic preview"
    # A letter is about 0.6 of the font size wide; a margin of a tenth stays at both ends.
    size = 0.8 * length * 72 / (0.6 * len(words))
    fig.text(
        0.5, 0.5, words, fontsize=size, rotation=angle, color="#e0523f", alpha=0.55,
        ha="center", va="center", zorder=1000, gid="watermark", in_layout=False,
    )  # fmt: skip
    return fig


def marked(fig: Figure, data: FashionMNIST) -> Figure:
    """Watermark a figure drawn from synthetic images.

    Parameters
    ----------
    fig : Figure
        Drawn from images.
    data : FashionMNIST
        The images, which say where they are from.
    """
    return watermark(fig) if data.source == "synthetic" else fig
