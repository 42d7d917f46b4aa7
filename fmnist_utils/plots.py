"""What a chapter draws: images, learning curves, claims beside runs.

Every function returns a closed matplotlib figure, which a notebook shows once when it is the last
expression of a cell. Figures are opaque black on white, so that inverting a chart gives its dark
form; colours come from seaborn's colour-blind palette and never carry a meaning alone.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

from fmnist_utils import tables
from fmnist_utils.data import CLASS_NAMES, FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports import READINGS, Claim, Experiment
from fmnist_utils.reports.schema import Split
from fmnist_utils.runs import Run
from fmnist_utils.verdicts import ACCURACY_MARGIN, CLASS_MARGIN, Verdict, Word

Floats = NDArray[np.float64]

#: Inches: a font of 11 points is then 14 pixels high where a page is 720 pixels wide.
WIDTH = 7.5

BLUE, ORANGE = sns.color_palette("colorblind", 2).as_hex()
GREY = "#6e6e6e"
_SHADE = "#ececec"

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
}

#: Colour (dark enough for text), marker and fill of what carries each verdict.
_LOOKS: dict[Word, tuple[str, str, bool]] = {
    Word.REPRODUCED: ("#00795a", "o", True),
    Word.CLOSE: ("#0173b2", "s", True),
    Word.IMPRECISE: ("#8a5f00", "o", False),
    Word.CONSISTENT: ("#8a5f00", "o", False),
    Word.NOT_REPRODUCED: ("#b8400a", "X", True),
    Word.PENDING: (GREY, "o", False),
}

# Hollow, so that what it stands on shows through.
_REPORTED: Any = {
    "marker": "D", "linestyle": "none", "markersize": 9, "markerfacecolor": "none",
    "markeredgecolor": "black", "markeredgewidth": 1.5,
}  # fmt: skip

_SPLIT_WORDS = {"train": "training", "validation": "validation", "test": "test"}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the book's style, whatever the user's own, which is back in force afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


@contextmanager
def _figure(
    rows: int = 1, columns: int = 1, *, height: float, width: float = WIDTH, **kwargs: Any
) -> Iterator[tuple[Figure, Any]]:
    """Open a figure in the book's style and close it, also when drawing fails."""
    with style():
        fig, axes = plt.subplots(rows, columns, figsize=(width, height), **kwargs)
        try:
            yield fig, axes
        finally:
            plt.close(fig)


def _note(text: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    with _figure(height=1.2) as (fig, ax):
        ax.axis("off")
        # Above a watermark, should there be one.
        fig.text(0.5, 0.5, textwrap.fill(text, 60), ha="center", va="center", zorder=1001)
    return fig


def watermark(fig: Figure) -> Figure:
    """Write "synthetic preview" across a figure, once.

    Parameters
    ----------
    fig : Figure
        Drawn from synthetic images.

    Returns
    -------
    Figure
        The same one.
    """
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


def _marked(fig: Figure, data: FashionMNIST) -> Figure:
    return watermark(fig) if data.source == "synthetic" else fig


# --- the data set --------------------------------------------------------------------------------


def samples(data: FashionMNIST, per_class: int = 1, seed: int = 0) -> Figure:
    """Show training images of every class.

    Parameters
    ----------
    data : FashionMNIST
    per_class : int
        With one, two rows of five; with more, one row per class.
    seed : int
        Which images.

    Raises
    ------
    FmnistError
        When a class has fewer images than asked for.
    """
    rng = np.random.default_rng(seed)
    picked = np.stack(
        [
            data.train_images[_pick(np.flatnonzero(data.train_labels == label), per_class, rng)]
            for label in range(len(data.class_names))
        ]
    )
    if per_class == 1:
        return _marked(_grid(picked[:, 0], data.class_names, columns=5), data)
    return _marked(_montage(picked, data.class_names), data)


def random_samples(data: FashionMNIST, count: int = 25, seed: int = 0) -> Figure:
    """Show training images drawn at random, with their classes.

    Parameters
    ----------
    data : FashionMNIST
    count : int
        How many images.
    seed : int
        Which images.

    Raises
    ------
    FmnistError
        When there are fewer images than asked for.
    """
    rng = np.random.default_rng(seed)
    picked = _pick(np.arange(len(data.train_images)), count, rng)
    titles = [data.class_names[label] for label in data.train_labels[picked]]
    return _marked(_grid(data.train_images[picked], titles, columns=min(count, 5)), data)


def mean_images(data: FashionMNIST) -> Figure:
    """Show the mean training image of every class."""
    means = np.stack(
        [
            data.train_images[data.train_labels == label].mean(axis=0)
            for label in range(len(data.class_names))
        ]
    )
    return _marked(_grid(means, data.class_names, columns=5), data)


def _pick(pool: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw without replacement."""
    if not 1 <= count <= len(pool):
        raise FmnistError(f"Cannot draw {count} of {len(pool)} images: ask for 1 to {len(pool)}.")
    return rng.choice(pool, count, replace=False)


def _grid(images: NDArray[Any], titles: Sequence[str], columns: int) -> Figure:
    """Draw grey images of shape (n, 28, 28) row by row, each below its title."""
    rows = math.ceil(len(images) / columns)
    lines = 1 + max(title.count("\n") for title in titles)
    side = WIDTH / max(columns, 4)
    height = rows * (side + 0.2 * lines)
    with _figure(rows, columns, width=side * columns, height=height, squeeze=False) as (fig, axes):
        for ax in axes.flat:
            ax.axis("off")
        for ax, image, title in zip(axes.flat, images, titles, strict=False):
            ax.imshow(image, cmap="gray", vmin=0, vmax=255)
            ax.set_title(title, pad=4)
    return fig


def _montage(images: NDArray[np.uint8], names: Sequence[str]) -> Figure:
    """Draw images of shape (classes, n, 28, 28), one row per class."""
    classes, n, size, _ = images.shape
    # One white pixel between neighbours keeps them apart.
    padded = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=255)
    sheet = padded.swapaxes(1, 2).reshape(classes * (size + 1), n * (size + 1))
    side = min(0.8, (WIDTH - 1.1) / n)
    with _figure(width=side * n + 1.1, height=side * classes) as (fig, ax):
        ax.imshow(sheet[:-1, :-1], cmap="gray", vmin=0, vmax=255)
        ax.set_yticks((size + 1) * np.arange(classes) + size / 2, names)
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return fig


def class_counts(data: FashionMNIST) -> Figure:
    """Count the images of every class, in the training and in the test part."""
    y = np.arange(len(data.class_names))
    parts = [
        ("training", data.train_labels, -0.2, BLUE, ""),
        ("test", data.test_labels, 0.2, ORANGE, "//"),
    ]
    with _figure(height=4.2) as (fig, ax):
        for name, labels, shift, color, hatch in parts:
            counts = np.bincount(labels, minlength=len(y))
            bars = ax.barh(
                y + shift, counts, 0.38, label=name, color=color, hatch=hatch, edgecolor="white"
            )
            ax.bar_label(bars, [f"{count:,}" for count in counts], padding=3, fontsize=9)
        ax.set_yticks(y, data.class_names)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.margins(x=0.09, y=0.02)
        ax.set_xlabel("images")
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        fig.legend(loc="outside upper center", ncols=2)
    return _marked(fig, data)


def pixel_histogram(data: FashionMNIST) -> Figure:
    """Count the grey levels of all training images, on a logarithmic scale."""
    # In parts: counting turns bytes into 64-bit integers.
    parts = np.array_split(data.train_images, 60)
    counts = np.sum([np.bincount(part.ravel(), minlength=256) for part in parts], axis=0)
    background = counts[0] / counts.sum()
    with _figure(height=3.2) as (fig, ax):
        ax.stairs(counts, np.arange(257) - 0.5, fill=True, color=BLUE)
        ax.set_yscale("log")
        ax.set_xlim(-4, 259)
        ax.set_xticks([0, 50, 100, 150, 200, 255])
        ax.set_xlabel("grey level (0 is the background)")
        ax.set_ylabel("pixels")
        ax.annotate(
            f"{100 * background:.1f} % of all pixels are 0", (0, counts[0]), (30, counts[0]),
            va="center", arrowprops={"arrowstyle": "->", "color": "black"},
        )  # fmt: skip
    return _marked(fig, data)


# --- training ------------------------------------------------------------------------------------


class _Curve(NamedTuple):
    """How one part of the data is drawn in the learning curves."""

    word: str
    prefix: str
    color: str
    line: Literal["-", "--"]
    marker: str
    fill: str


_CURVES = (
    _Curve("training", "", BLUE, "-", "o", BLUE),
    _Curve("validation", "val_", ORANGE, "--", "s", "white"),
)
_REPORTED_MARKERS = {"train": ("D", BLUE), "validation": ("s", ORANGE), "test": ("D", "white")}


def learning_curves(runs: Sequence[Run], experiment: Experiment | None = None) -> Figure:
    """Draw loss and accuracy of every epoch: each seed, and mean and deviation over the seeds.

    Parameters
    ----------
    runs : sequence of Run
        Of one experiment. The mean goes on while at least half of them train.
    experiment : Experiment, optional
        Adds what the report states: epochs trained, losses, accuracies.
    """
    if not runs:
        return _note("There is no run of this experiment yet.")
    with _figure(1, 2, height=4.1) as (fig, (left, right)):
        for ax, metric, scale in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
            for curve in _CURVES:
                histories = [scale * np.array(run.history[curve.prefix + metric]) for run in runs]
                _draw_curve(ax, histories, curve)
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
        left.set_ylabel("loss (nats)")
        right.set_ylabel("accuracy (%)")
        fig.legend(handles=_curve_handles(len(runs)), loc="outside upper left")
        if experiment:
            length = float(np.mean([run.epochs for run in runs]))
            marks = _draw_reported((left, right), experiment, length)
            fig.legend(handles=marks, loc="outside upper right")
        for ax in (left, right):
            ax.set_xlim(0, 1.03 * ax.dataLim.x1 + 1)
        left.set_ylim(0, 1.05 * left.dataLim.y1)
    return fig


def _draw_curve(ax: Axes, histories: Sequence[Floats], curve: _Curve) -> None:
    """Draw the histories of one metric on one part of the data."""
    alone = len(histories) == 1
    for history in histories:
        epochs = np.arange(1, len(history) + 1)
        ax.plot(
            epochs, history, curve.line, color=curve.color,
            linewidth=2 if alone else 0.7, alpha=1 if alone else 0.4,
        )  # fmt: skip
        ax.plot(
            epochs[-1:], history[-1:], curve.marker, markersize=3.5, linestyle="none",
            markeredgecolor=curve.color, markerfacecolor=curve.fill, zorder=3,
        )  # fmt: skip
    if not alone:
        mean, sd = _mean_and_sd(histories)
        epochs = np.arange(1, len(mean) + 1)
        ax.fill_between(epochs, mean - sd, mean + sd, color=curve.color, alpha=0.2, linewidth=0)
        ax.plot(epochs, mean, curve.line, color=curve.color, linewidth=2, zorder=2.5)


def _mean_and_sd(histories: Sequence[Floats]) -> tuple[Any, Any]:
    """Mean and standard deviation per epoch, while at least half of the histories go on.

    Masked arrays: a single history that goes on has no deviation.
    """
    lengths = sorted((len(history) for history in histories), reverse=True)
    padded = np.full((len(histories), lengths[0]), np.nan)
    for row, history in zip(padded, histories, strict=True):
        row[: len(history)] = history
    shown = np.ma.masked_invalid(padded)[:, : lengths[math.ceil(len(histories) / 2) - 1]]
    return shown.mean(axis=0), shown.std(axis=0, ddof=1)


def _curve_handles(runs: int) -> list[Artist]:
    """Explain the lines of the learning curves."""
    handles: list[Artist] = [
        Line2D(
            [], [], color=curve.color, linestyle=curve.line, linewidth=2, label=curve.word,
            marker=curve.marker if runs == 1 else None, markersize=4, markerfacecolor=curve.fill,
        )
        for curve in _CURVES
    ]  # fmt: skip
    if runs == 1:
        return handles
    for handle in handles:
        handle.set_label(f"{handle.get_label()}, mean of {runs} seeds")
    thin = Line2D([], [], color=GREY, linewidth=0.7, marker="o", markersize=3.5)
    thin.set_label("one seed, to its last epoch")
    return [*handles, Patch(color=GREY, alpha=0.3, linewidth=0, label="mean ± sd"), thin]


def _draw_reported(axes: Sequence[Axes], experiment: Experiment, x: float) -> list[Artist]:
    """Mark what the report states, each value once, and return the legend's handles."""
    handles: list[Artist] = []
    claims = {(claim.quantity, claim.split, claim.value): claim for claim in experiment.stated}
    for claim in claims.values():
        if claim.quantity == "epochs_trained":
            x = claim.number
            for ax in axes:
                line = ax.axvline(x, color="black", linestyle=":", linewidth=1.2, zorder=2)
            line.set_label(f"reported: {claim.value} epochs")
            handles.append(line)
    for claim in claims.values():
        if claim.quantity in ("accuracy", "loss") and claim.epoch is None:
            ax = axes[claim.quantity == "accuracy"]
            marker, fill = _REPORTED_MARKERS[claim.split or "test"]
            handles += ax.plot(
                x, claim.number * _to_axis(claim), marker, markersize=8, linestyle="none",
                markerfacecolor=fill, markeredgecolor="black", zorder=4,
                label=f"reported: {_stated(claim)}",
            )  # fmt: skip
    return handles


def _to_axis(claim: Claim) -> float:
    """Return the factor from the claim's unit to the axis': shares in percent, losses in nats."""
    if claim.quantity == "loss":
        return 0.01 if claim.unit == "percent" else 1.0
    share = claim.quantity in ("accuracy", "difference") or claim.label is not None
    return 100.0 if share and claim.unit == "plain" else 1.0


def _stated(claim: Claim) -> str:
    """Say what a claim states in a few words."""
    if claim.quantity == "epochs_trained":
        return f"{claim.value} epochs"
    if claim.quantity == "lowest_val_loss_epoch":
        return f"lowest validation loss at epoch {claim.value}"
    if claim.label is not None:
        return f"{tables.claim_text(claim)} {tables.reported_text(claim)}"
    part = _SPLIT_WORDS[claim.split or "test"]
    if claim.quantity == "difference":
        return f"{part} accuracy {claim.number:+g} point{'' if abs(claim.number) == 1 else 's'}"
    return f"{part} {claim.quantity} {claim.value}{' %' if claim.unit == 'percent' else ''}"


# --- claims beside runs --------------------------------------------------------------------------


class _Group(NamedTuple):
    """Claims that share an axis of the forest plot."""

    quantities: tuple[str, ...]
    unit: str
    margin: float | None = None

    def holds(self, claim: Claim) -> bool:
        return claim.quantity in self.quantities


_GROUPS = (
    _Group(("accuracy", "difference"), "percentage points", ACCURACY_MARGIN),
    _Group(("precision", "recall", "f1", "confused"), "percentage points", CLASS_MARGIN),
    _Group(("loss",), "nats"),
    _Group(("epochs_trained", "lowest_val_loss_epoch"), "epochs"),
)


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
    named = [(_folded(name), item) for name, item in named if item.word != Word.PENDING]
    panels = [
        (group, rows)
        for group in _GROUPS
        if (rows := [row for row in named if group.holds(row[1].claim)])
    ]
    if not panels:
        return _note("No claim with at least three runs to hold it against yet.")
    sizes = [len(rows) for _, rows in panels]
    names = [name for _, rows in panels for name, _ in rows]
    height = 0.7 + 0.6 * len(panels) + _rows_height(names)
    with _figure(len(panels), height=height, height_ratios=sizes, squeeze=False) as (fig, axes):
        for ax, (group, rows) in zip(axes.flat, panels, strict=True):
            _draw_forest(ax, group, rows)
        handles = _forest_handles(any(group.margin for group, _ in panels))
        fig.legend(handles=handles, loc="outside upper center", ncols=2)
    return fig


def _named_once(verdicts: Sequence[Verdict]) -> list[tuple[str, Verdict]]:
    named: dict[tuple[str, str], tuple[str, Verdict]] = {}
    for verdict in verdicts:
        claim = verdict.claim
        if any(group.holds(claim) for group in _GROUPS):
            who = verdict.experiment or f"{claim.of} − {claim.than}"
            name = f"{who}\n{_stated(claim)}"
            named.setdefault((name, claim.reading), (name, verdict))
    return list(named.values())


def _draw_forest(ax: Axes, group: _Group, rows: Sequence[tuple[str, Verdict]]) -> None:
    """Draw the claims of one panel, the first on top."""
    if group.margin:
        ax.axvspan(-group.margin, group.margin, color=_SHADE, linewidth=0, zorder=0)
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)
    for y, (_, verdict) in enumerate(rows):
        scale, reported = _to_axis(verdict.claim), verdict.claim.number
        rounding = scale * verdict.claim.half_width
        ax.plot([-rounding, rounding], [y, y], color="black", linewidth=5, solid_capstyle="butt")
        ax.plot(0, y, zorder=2.5, **_REPORTED | {"markerfacecolor": "white"})
        _draw_interval(ax, y, verdict, scale, reported)
    _label_rows(ax, [name for name, _ in rows])
    ax.set_xlabel(f"ours − reported ({group.unit})")


def _draw_interval(
    ax: Axes, y: int, verdict: Verdict, scale: float = 1.0, origin: float = 0.0
) -> None:
    """Draw our mean and prediction interval in one row, and the verdict at its right end."""
    color, marker, filled = _LOOKS[verdict.word]
    if verdict.low is not None and verdict.high is not None:
        interval = scale * (np.array([verdict.low, verdict.high]) - origin)
        ax.plot(interval, [y, y], color=color, linewidth=2, solid_capstyle="butt", zorder=3)
    if verdict.mean is not None:
        ax.plot(
            scale * (verdict.mean - origin), y, marker, color=color, markersize=7.5, zorder=4,
            markeredgewidth=0 if filled else 1.5, markerfacecolor=color if filled else "white",
        )  # fmt: skip
    _text_at_end(ax, y, verdict.word.replace(", ", ",\n"), color)


def _text_at_end(ax: Axes, y: int, text: str, color: str) -> None:
    """Write to the right of one row."""
    ax.text(
        1.02, y, text, color=color, va="center_baseline", fontsize=10, linespacing=1,
        transform=ax.get_yaxis_transform(),
    )  # fmt: skip


def _folded(name: str) -> str:
    """Break long lines at spaces, keeping the breaks that are there."""
    return "\n".join(textwrap.fill(line, 34, break_on_hyphens=False) for line in name.splitlines())


def _rows_height(names: Sequence[str]) -> float:
    """Return the inches that rows with such names need."""
    return len(names) * (0.15 + 0.17 * max(2, *(1 + name.count("\n") for name in names)))


def _label_rows(ax: Axes, names: Sequence[str]) -> None:
    """Name the rows 0, 1, ... from the top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)


def _forest_handles(margin: bool) -> list[Artist]:
    """Explain the forest plot."""
    reported = Line2D([], [], color="black", linewidth=5, **_REPORTED)
    reported.set(linestyle="-", markerfacecolor="white", label="reported, with its rounding")
    if not margin:
        return [_ours_handle(), reported]
    shade = Patch(color=_SHADE, label="close enough: within the margin")
    return [_ours_handle(), reported, shade]


def _ours_handle() -> Artist:
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
        return _note("There is no reading to compare.")
    claim = next(iter(verdicts_by_reading.values())).claim
    scale = _to_axis(claim)
    value, rounding = scale * claim.number, scale * claim.half_width
    names = [_folded(READINGS.get(key, key)) for key in verdicts_by_reading]
    with _figure(height=1 + _rows_height(names)) as (fig, ax):
        ax.axvspan(value - rounding, value + rounding, color="#d0d0d0", zorder=0)
        line = ax.axvline(value, color="black", linestyle=":", linewidth=1.2, zorder=1)
        line.set_label(f"reported: {_stated(claim)}")
        for y, verdict in enumerate(verdicts_by_reading.values()):
            _draw_interval(ax, y, verdict, scale)
        _label_rows(ax, names)
        ax.set_xlabel(_axis_label(claim))
        fig.legend(handles=[_ours_handle(), line], loc="outside upper center")
    return fig


def _axis_label(claim: Claim) -> str:
    if claim.quantity in ("accuracy", "loss"):
        unit = "%" if claim.quantity == "accuracy" else "nats"
        return f"{_SPLIT_WORDS[claim.split or 'test']} {claim.quantity} ({unit})"
    return "percentage points" if claim.quantity == "difference" else "epochs"


def seed_strip(
    runs_by_label: Mapping[str, Sequence[Run]],
    reported: Mapping[str, float] | None = None,
    split: Split = "test",
) -> Figure:
    """Draw the final accuracy of every run, one row per model, beside what is reported.

    Shows whether the noise between seeds is small enough to tell the models apart.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        A model without runs keeps its row.
    reported : mapping of str to float, optional
        Label to reported accuracy in percent.
    split : {"train", "validation", "test"}
    """
    reported = reported or {}
    if not any(runs_by_label.values()):
        return _note("There is no run of these models yet.")
    names = [_folded(label) for label in runs_by_label]
    with _figure(height=1 + _rows_height(names)) as (fig, ax):
        for y, (label, runs) in enumerate(runs_by_label.items()):
            accuracies = sorted(100 * getattr(run.final, split).accuracy for run in runs)
            # Neighbours in value at different heights, so that none hides another.
            heights = y + 0.14 * (np.arange(len(accuracies)) % 3 - 1)
            ax.plot(accuracies, heights, "o", color=BLUE, markersize=5, alpha=0.8)
            if accuracies:
                ax.plot([np.mean(accuracies)] * 2, [y - 0.32, y + 0.32], color="black", linewidth=2)
            if label in reported:
                ax.plot(reported[label], y, **_REPORTED)
            count = f"{len(runs)} seed{'s' * (len(runs) != 1)}"
            _text_at_end(ax, y, count, GREY)
        _label_rows(ax, names)
        ax.set_xlabel(f"{_SPLIT_WORDS[split]} accuracy (%)")
        fig.legend(handles=_strip_handles(bool(reported)), loc="outside upper center", ncols=3)
    return fig


def _strip_handles(reported: bool) -> list[Artist]:
    def dot(marker: str, label: str, **kwargs: Any) -> Artist:
        return Line2D([], [], marker=marker, linestyle="none", label=label, **kwargs)

    handles = [
        dot("o", "one seed", color=BLUE, markersize=5),
        dot("|", "mean", color="black", markersize=12, markeredgewidth=2),
    ]
    if reported:
        handles.append(Line2D([], [], label="reported", **_REPORTED))
    return handles


# --- predictions ---------------------------------------------------------------------------------


def confusion_matrix(
    runs: Sequence[Run] | ArrayLike, class_names: Sequence[str] = CLASS_NAMES
) -> Figure:
    """Draw which class is taken for which, in percent of each true class.

    Parameters
    ----------
    runs : sequence of Run, or array_like of shape (classes, classes)
        Runs, of whose last epochs the mean is taken; or counts, true class by predicted class.
    class_names : sequence of str
    """
    counts = _mean_confusion(runs)
    if counts is None:
        return _note("There is no run of this experiment yet.")
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with _figure(height=6.3) as (fig, ax):
        sns.heatmap(
            shares, ax=ax, cmap="Blues", norm=PowerNorm(0.4, 0, 100),
            annot=_percents(shares), fmt="", annot_kws={"fontsize": 9},
            linewidths=0.5, linecolor="white", xticklabels=False, yticklabels=False,
            cbar_kws={"ticks": [0, 1, 5, 20, 50, 100], "label": "share of the true class (%)"},
        )  # fmt: skip
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
        ax.tick_params(length=0)
        middles = np.arange(len(counts)) + 0.5
        ax.set_xticks(middles, class_names, rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(middles, class_names)
    return fig


def _percents(shares: Floats) -> NDArray[np.str_]:
    """Write one decimal, but a plain 0 where nothing is: zeros should not crowd the rest."""
    return np.where(shares < 0.05, "0", np.char.mod("%.1f", shares))


def _mean_confusion(runs: Any) -> Floats | None:
    if isinstance(runs, Sequence) and all(isinstance(run, Run) for run in runs):
        matrices = [run.final.test_confusion for run in runs]
        return np.mean(matrices, axis=0) if matrices else None
    return np.asarray(runs, float)


def misclassified(
    data: FashionMNIST,
    run: Run,
    true: int | None = None,
    predicted: int | None = None,
    count: int = 8,
    seed: int = 0,
) -> Figure:
    """Show test images that a run predicted wrongly.

    A run that was not tested on these images (they are synthetic, or it was tested on a part of
    them) gives a figure that says so: a preview must not fail.

    Parameters
    ----------
    data : FashionMNIST
    run : Run
    true, predicted : int, optional
        Only images of this class, or taken for this class.
    count : int
        At most so many images.
    seed : int
        Which ones.
    """
    labels, predictions = data.test_labels, run.predictions
    if data.source != "real" or len(labels) != len(predictions):
        note = (
            "Which images a run gets wrong needs the real data set and a run tested on all of it."
        )
        return _marked(_note(note), data)
    wrong = labels != predictions
    if true is not None:
        wrong &= labels == true
    if predicted is not None:
        wrong &= predictions == predicted
    pool = np.flatnonzero(wrong)
    if not len(pool):
        return _note("The run gets none of these images wrong.")
    picked = _pick(pool, min(count, len(pool)), np.random.default_rng(seed))
    names = data.class_names
    titles = [f"{names[labels[i]]},\ntaken for {names[predictions[i]]}" for i in picked]
    return _grid(data.test_images[picked], titles, columns=min(len(picked), 4))
