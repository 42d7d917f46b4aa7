"""Numbers that a report states, beside what our runs give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fmnist_utils import tables
from fmnist_utils.errors import FmnistError
from fmnist_utils.plots.row_axes import folded, label_rows, rows_height, text_at_end
from fmnist_utils.plots.style import GREY, SHADE, SPLIT_WORDS, figure, note
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.quantities import NATS, POINTS, QUANTITIES, READINGS, Quantity
from fmnist_utils.verdicts.outcome import Verdict, Word

# Hollow, so that what it stands on shows through.
REPORTED: Any = {
    "marker": "D", "linestyle": "none", "markersize": 9, "markerfacecolor": "none",
    "markeredgecolor": "black", "markeredgewidth": 1.5,
}  # fmt: skip


def to_axis(claim: Claim) -> float:
    """Return the factor from the claim's unit to the axis': shares in percent, losses in nats."""
    return {POINTS: 100.0, NATS: 1.0}.get(claim.about.unit, claim.whole) / claim.whole


def stated(claim: Claim) -> str:
    """Write what a claim states in a few words."""
    reported = tables.reported_text(claim)
    number = claim.number if claim.numbers == 1 else 0.0
    return (claim.about.short or "{name} {reported}").format(
        name=tables.claim_text(claim),
        part=SPLIT_WORDS[claim.split or "test"],
        reported=reported,
        signed=f"{number:+g} point{'s' * (abs(number) != 1)}",
    )


class _Panel(NamedTuple):
    """Claims that share an axis of the forest plot."""

    unit: str
    margin: float | None

    @classmethod
    def of(cls, row: Quantity) -> _Panel:
        return cls(row.unit, None if row.relative else row.margin)


def forest(verdicts: Sequence[Verdict], labels: Sequence[str] | None = None) -> Figure:
    """Draw how far our runs lie from each number that a report states.

    One panel per unit. Zero is the reported value; our mean stands with the 95 % prediction
    interval of one more run, and the verdict in words. Only numbers that runs were held against
    are drawn: settings, orderings and pending claims are left out.

    Parameters
    ----------
    verdicts : sequence of Verdict
    labels : sequence of str, optional
        One per verdict. By default experiment and claim, and a number stated twice is drawn once.

    Raises
    ------
    FmnistError
        When there are not as many labels as verdicts.
    """
    if labels is not None and len(labels) != len(verdicts):
        raise FmnistError(
            f"{len(labels)} labels do not fit {len(verdicts)} verdicts: give each one."
        )
    named = list(zip(labels, verdicts, strict=True)) if labels else _named_once(verdicts)
    named = [(folded(name), item) for name, item in named if item.word != Word.PENDING]
    panels = [
        (panel, rows)
        for panel in dict.fromkeys(_Panel.of(row) for row in QUANTITIES.values() if row.unit)
        if (rows := [row for row in named if _Panel.of(row[1].claim.about) == panel])
    ]
    if not panels:
        return note("No claim with at least three runs to hold it against yet.")
    sizes = [len(rows) for _, rows in panels]
    names = [name for _, rows in panels for name, _ in rows]
    height = 0.7 + 0.6 * len(panels) + rows_height(names)
    with figure(len(panels), height=height, height_ratios=sizes, squeeze=False) as (fig, axes):
        for ax, (panel, rows) in zip(axes.flat, panels, strict=True):
            _draw_forest(ax, panel, rows)
        handles = _forest_handles(any(panel.margin for panel, _ in panels))
        fig.legend(handles=handles, loc="outside upper center", ncols=2)
    return fig


def _named_once(verdicts: Sequence[Verdict]) -> list[tuple[str, Verdict]]:
    named: dict[tuple[str, str], tuple[str, Verdict]] = {}
    for verdict in verdicts:
        claim = verdict.claim
        if claim.about.unit:
            who = verdict.experiment or f"{claim.of} − {claim.than}"
            name = f"{who}\n{stated(claim)}"
            named.setdefault((name, claim.reading), (name, verdict))
    return list(named.values())


def _draw_forest(ax: Axes, panel: _Panel, rows: Sequence[tuple[str, Verdict]]) -> None:
    """Draw the claims of one panel, the first on top."""
    if panel.margin:
        ax.axvspan(-panel.margin, panel.margin, color=SHADE, linewidth=0, zorder=0)
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)
    for y, (_, verdict) in enumerate(rows):
        scale, reported = to_axis(verdict.claim), verdict.claim.number
        rounding = scale * verdict.claim.half_width
        ax.plot([-rounding, rounding], [y, y], color="black", linewidth=5, solid_capstyle="butt")
        ax.plot(0, y, zorder=2.5, **REPORTED | {"markerfacecolor": "white"})
        draw_interval(ax, y, verdict, scale, reported)
        _write_word(ax, y, verdict.word)
    label_rows(ax, [name for name, _ in rows])
    ax.set_xlabel(f"ours − reported ({panel.unit})")


def draw_interval(
    ax: Axes, y: float, verdict: Verdict, scale: float = 1.0, origin: float = 0.0
) -> None:
    """Draw our mean and prediction interval at one height, in the looks of the verdict."""
    look = verdict.word.look
    if verdict.low is not None and verdict.high is not None:
        interval = scale * (np.array([verdict.low, verdict.high]) - origin)
        ax.plot(interval, [y, y], color=look.color, linewidth=2, solid_capstyle="butt", zorder=3)
    if verdict.mean is not None:
        ax.plot(
            scale * (verdict.mean - origin), y, zorder=4, **look.mark,
        )  # fmt: skip


def _write_word(ax: Axes, y: int, word: Word) -> None:
    text_at_end(ax, y, word.replace(", ", ",\n"), word.look.color)


def _forest_handles(margin: bool) -> list[Artist]:
    """Explain the forest plot."""
    reported = Line2D([], [], color="black", linewidth=5, **REPORTED)
    reported.set(linestyle="-", markerfacecolor="white", label="reported, with its rounding")
    if not margin:
        return [ours_handle(), reported]
    shade = Patch(color=SHADE, label="close enough: within the margin")
    return [ours_handle(), reported, shade]


def ours_handle() -> Artist:
    """Explain what `draw_interval` draws."""
    label = "ours: mean, 95 % prediction interval"
    return Line2D([], [], color=GREY, marker="o", linewidth=2, label=label)


def readings(verdicts_by_reading: Mapping[str, Verdict]) -> Figure:
    """Draw what our runs give under each reading of one claim, beside the reported value.

    Parameters
    ----------
    verdicts_by_reading : mapping of str to Verdict
        One of `READINGS`, or any other name, to the same claim's verdict.
    """
    if not verdicts_by_reading:
        return note("There is no reading to compare.")
    claim = next(iter(verdicts_by_reading.values())).claim
    scale = to_axis(claim)
    value, rounding = scale * claim.number, scale * claim.half_width
    names = [folded(READINGS.get(key, key)) for key in verdicts_by_reading]
    with figure(height=1 + rows_height(names)) as (fig, ax):
        ax.axvspan(value - rounding, value + rounding, color="#d0d0d0", zorder=0)
        line = ax.axvline(value, color="black", linestyle=":", linewidth=1.2, zorder=1)
        line.set_label(f"reported: {stated(claim)}")
        for y, verdict in enumerate(verdicts_by_reading.values()):
            draw_interval(ax, y, verdict, scale)
            _write_word(ax, y, verdict.word)
        label_rows(ax, names)
        ax.set_xlabel(_axis_label(claim))
        fig.legend(handles=[ours_handle(), line], loc="outside upper center")
    return fig


def _axis_label(claim: Claim) -> str:
    row = claim.about
    if not row.is_metric:
        return row.unit
    unit = "%" if row.unit == POINTS else row.unit
    return f"{SPLIT_WORDS[claim.split or 'test']} {row.metric} ({unit})"
