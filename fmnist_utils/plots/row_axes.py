"""Rows with a name at the left and a word at the right, as several figures have them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes


def text_at_end(ax: Axes, y: int, text: str, color: str) -> None:
    """Write to the right of one row."""
    ax.text(
        1.02, y, text, color=color, va="center_baseline", fontsize=10, linespacing=1,
        transform=ax.get_yaxis_transform(),
    )  # fmt: skip


def folded(name: str) -> str:
    """Break long lines at spaces, keeping the breaks that are there."""
    return "\n".join(textwrap.fill(line, 34, break_on_hyphens=False) for line in name.splitlines())


def rows_height(names: Sequence[str]) -> float:
    """Return the inches that rows with such names need."""
    return len(names) * (0.15 + 0.17 * max(2, *(1 + name.count("\n") for name in names)))


def label_rows(ax: Axes, names: Sequence[str]) -> None:
    """Name the rows 0, 1, ... from the top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
