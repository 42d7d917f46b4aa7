"""Words in figures: legends, and rows with a name at the left."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fmnist_utils.plots.style import SHADE, figure

#: The longest line of a name at the left of a row, in letters; where rows are short, and else.
_FEW_LETTERS, ROW_LETTERS = 24, 28


def legend(
    fig: Figure, looks: Mapping[str, Any], columns: int = 1, place: str = "upper center"
) -> None:
    """Explain looks above the axes.

    Parameters
    ----------
    fig : Figure
    looks : mapping of str to dict or Artist
        Label to the properties of a line or mark, or to what stands for it in the legend.
    columns : int
    place : str
        Where outside the axes, in matplotlib's words.
    """
    handles = [
        Line2D([], [], **look) if isinstance(look, dict) else look for look in looks.values()
    ]
    where: Any = f"outside {place}"
    fig.legend(handles, list(looks), loc=where, ncols=columns)


def marks(marker: str, **kwargs: Any) -> dict[str, Any]:
    """Return the look of marks without a line.

    Parameters
    ----------
    marker : str
        As matplotlib names them.
    **kwargs
        Of the line, such as ``color`` and ``markersize``.
    """
    return {"marker": marker, "linestyle": "none", **kwargs}


def shade(color: str = SHADE, **kwargs: Any) -> Patch:
    """Return what stands for a shaded area in a legend.

    Parameters
    ----------
    color : str
        Of the area.
    **kwargs
        Of the patch, such as ``label``.
    """
    return Patch(color=color, **kwargs)


@contextmanager
def row_figure(
    names: Sequence[str], columns: int = 1, *, room: float = 1, stretch: float = 1, **kwargs: Any
) -> Iterator[tuple[Figure, Any]]:
    """Open a figure of rows that are named at the left, the first on top, as `figure` does.

    Parameters
    ----------
    names : sequence of str
        Long lines are broken.
    columns : int
        Number of axes side by side.
    room : float
        Inches for what stands above and below the rows.
    stretch : float
        By how much rows are higher than their names need.
    **kwargs
        Passed to `figure`.
    """
    names = [folded(name, ROW_LETTERS if columns == 1 else _FEW_LETTERS) for name in names]
    height = room + stretch * rows_height(names)
    with figure(1, columns, height=height, **kwargs) as (fig, axes):
        yield fig, axes
        for ax in fig.axes:
            label_rows(ax, names)


def mark_zero(ax: Axes, margin: float | None = None) -> None:
    """Draw a line where nothing differs, and shade the margin around it.

    Parameters
    ----------
    ax : Axes
        Whose horizontal axis is the difference.
    margin : float, optional
        Largest difference that does not matter, in units of the axis; nothing is shaded without it.
    """
    if margin:
        ax.axvspan(-margin, margin, color=SHADE, linewidth=0, zorder=0)
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)


def label_end(ax: Axes, y: int, text: str, color: str) -> None:
    """Write text at the right end of one row.

    Parameters
    ----------
    ax : Axes
        Whose rows.
    y : int
        Which row, from 0 at the top.
    text : str
        It may have several lines.
    color : str
        Of the text.
    """
    ax.text(
        1.02, y, text, color=color, va="center_baseline", fontsize=10, linespacing=1,
        transform=ax.get_yaxis_transform(),
    )  # fmt: skip


def folded(name: str, letters: int = 34) -> str:
    """Break long lines at spaces, keeping the breaks that are there.

    Parameters
    ----------
    name : str
        Of a row; a break in it stays.
    letters : int
        The most on one line.
    """
    return "\n".join(
        textwrap.fill(line, letters, break_on_hyphens=False) for line in name.splitlines()
    )


def rows_height(names: Sequence[str]) -> float:
    """Return the inches that rows with such names need."""
    # A line of 10 points is 0.17 inches high; a row has room for two, and for a gap.
    return len(names) * (0.15 + 0.17 * max(2, *(1 + name.count("\n") for name in names)))


def label_rows(ax: Axes, names: Sequence[str]) -> None:
    """Name the rows 0, 1, ... from the top.

    Parameters
    ----------
    ax : Axes
        Which then has a row for each name.
    names : sequence of str
        From the top.
    """
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
