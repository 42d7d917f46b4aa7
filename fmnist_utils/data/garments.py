"""Garments drawn by program: a stand-in for Fashion-MNIST where its images cannot be had.

A garment is a list of parts, each a polygon with a tone relative to the cloth. A drawing function
per class returns the parts of n garments at once, in a space where x runs from -1 (left) to 1
(right) and y from -1 (top) to 1 (bottom). The ranges of similar classes overlap on purpose, as
those of the real classes do.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, DataError, FashionMNIST

Floats = NDArray[np.floating[Any]]
Value = float | Floats  # the same for every garment, or shape (n,)
Point = tuple[Value, Value]
Part = tuple[Floats, Floats]  # outline of shape (n, corners, 2), tone of shape (n,)

SIZE = 28
OVERSAMPLING = 4
FULL_TONE = 200  # Grey level of tone 1: leaves room for details brighter than the cloth.


@lru_cache(maxsize=2)
def load_synthetic(train: int = 60_000, test: int = 10_000, seed: int = 0) -> FashionMNIST:
    """Draw a data set of the form of Fashion-MNIST.

    Parameters
    ----------
    train, test : int
        Number of images in each split, multiples of ten: the classes are exactly balanced.
    seed : int
        The same seed and sizes give the same images, whatever was drawn before.

    Returns
    -------
    FashionMNIST
        With source "synthetic"; shuffled; the arrays are read-only.

    Raises
    ------
    DataError
        If a size is no positive multiple of ten.
    """
    classes = len(CLASS_NAMES)
    for size in (train, test):
        if size <= 0 or size % classes:
            raise DataError(
                f"Cannot draw {size} images in balanced classes: ask for a multiple of {classes}."
            )
    per_class = (train + test) // classes
    drawn = np.stack([draw(label, per_class, seed) for label in range(classes)])
    cut = train // classes
    rng = np.random.default_rng([seed, classes])
    return FashionMNIST(
        *_shuffled(drawn[:, :cut], rng), *_shuffled(drawn[:, cut:], rng), source="synthetic"
    )


def _shuffled(
    by_class: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Mix images of shape (classes, per class, 28, 28) and label them."""
    classes, per_class = by_class.shape[:2]
    order = rng.permutation(classes * per_class)
    labels = np.repeat(np.arange(classes, dtype=np.uint8), per_class)
    return by_class.reshape(-1, SIZE, SIZE)[order], labels[order]


def draw(label: int, n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw garments of one class.

    Parameters
    ----------
    label : int
        Index into `fmnist_utils.data.CLASS_NAMES`.
    n : int
        How many.
    seed : int
        The same label, number and seed give the same images.

    Returns
    -------
    uint8 array, shape (n, 28, 28)
        Bright garments on background 0.
    """
    rng = np.random.default_rng([seed, label])
    dice = Dice(rng, n)
    parts = GARMENTS[CLASS_NAMES[label]](dice)
    tones = _rasterise(_posed(parts, dice), n)
    return np.clip(tones * _cloth(dice), 0, 255).astype(np.uint8)


class Dice:
    """Random properties of n garments, each an array of shape (n,), and polygons made of them."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        """Draw from `rng` for `n` garments."""
        self.rng = rng
        self.n = n

    def between(self, low: float, high: float) -> Floats:
        """Uniform values."""
        return low + (high - low) * self.rng.random(self.n, dtype=np.float32)

    def chance(self, probability: float) -> Floats:
        """1 with the given probability, else 0."""
        return (self.rng.random(self.n) < probability).astype(np.float32)

    def either(self, probability: float, one: Value, other: Value) -> Floats:
        """`one` with the given probability, else `other`."""
        return np.where(self.chance(probability) > 0, one, other)

    def part(
        self, *corners: Point, tone: Value = 1.0, rounded: int = 0, shown: Value = 1.0
    ) -> Part:
        """Make a polygon, its corners cut `rounded` times; outside the picture if not `shown`."""
        outline = np.stack(
            [np.broadcast_to(value, self.n) for xy in corners for value in xy],
            axis=1,
        ).reshape(self.n, len(corners), 2)
        for _ in range(rounded):
            outline = _corners_cut(outline)
        away = 4 * (1 - np.broadcast_to(shown, self.n))
        return outline + away[:, np.newaxis, np.newaxis], np.broadcast_to(tone, self.n)

    def both(self, *corners: Point, tone: Value = 1.0, shown: Value = 1.0) -> list[Part]:
        """Make a polygon and its mirror image."""
        outline, tones = self.part(*corners, tone=tone, shown=shown)
        return [(outline, tones), (outline * np.array([-1, 1]), tones)]

    def symmetric(self, *corners: Point, tone: Value = 1.0, rounded: int = 0) -> Part:
        """Make a polygon from its right half."""
        left = [(-x, y) for x, y in reversed(corners)]
        return self.part(*corners, *left, tone=tone, rounded=rounded)


def _corners_cut(outline: Floats) -> Floats:
    """Round a polygon by one step of Chaikin's corner cutting (1974)."""
    following = np.roll(outline, -1, axis=1)
    cut = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], axis=2)
    return cut.reshape(len(outline), -1, 2)


def _posed(parts: list[Part], dice: Dice) -> list[Part]:
    """Turn, stretch, lean and shift every garment a little."""
    angle = np.radians(dice.between(-7, 7))
    width, height = dice.between(0.8, 1.0), dice.between(0.85, 1.0)
    lean = dice.between(-0.08, 0.08)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.stack([width * cos, lean - height * sin, width * sin, height * cos], axis=1)
    shift = np.stack([dice.between(-0.07, 0.07), dice.between(-0.07, 0.07)], axis=1)
    return [
        (outline @ matrix.reshape(-1, 2, 2).transpose(0, 2, 1) + shift[:, np.newaxis], tone)
        for outline, tone in parts
    ]


def _rasterise(parts: list[Part], n: int) -> Floats:
    """Paint the parts over each other, without jagged edges; tones, shape (n, 28, 28)."""
    side = SIZE * OVERSAMPLING
    # Python lists: Pillow reads them several times faster than arrays.
    painted = [
        (
            ((outline + 1) * (side / 2)).reshape(n, -1).tolist(),
            np.clip(tone * FULL_TONE, 0, 255).astype(int).tolist(),
        )
        for outline, tone in parts
    ]
    tones = np.empty((n, SIZE, SIZE), np.float32)
    for i in range(n):
        canvas = Image.new("L", (side, side))
        pen = ImageDraw.Draw(canvas)
        for outlines, levels in painted:
            pen.polygon(outlines[i], fill=levels[i])
        tones[i] = np.asarray(canvas.reduce(OVERSAMPLING))
    return tones / FULL_TONE


def _cloth(dice: Dice) -> Floats:
    """Shade and pattern of the cloth: grey levels, shape (n, 28, 28)."""

    def each(values: Floats) -> Floats:
        return values[:, np.newaxis, np.newaxis]

    axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
    x, y = axis[np.newaxis, np.newaxis, :], axis[np.newaxis, :, np.newaxis]
    shade = 255 * np.sqrt(dice.between(0.06, 1.0))
    light = 1 + each(dice.between(-0.2, 0.2)) * x + each(dice.between(-0.15, 0.15)) * y

    direction = dice.either(0.6, np.pi / 2, dice.either(0.5, 0.0, dice.between(0, np.pi)))
    along = each(np.cos(direction)) * x + each(np.sin(direction)) * y
    waves = np.sin(each(dice.between(8, 28)) * along + each(dice.between(0, 6.3)))
    stripes = 1 - each(dice.chance(0.25) * dice.between(0.1, 0.6)) * (waves > 0)

    centre_x, centre_y = each(dice.between(-0.3, 0.3)), each(dice.between(-0.5, 0.4))
    inside = np.maximum(
        np.abs(x - centre_x) / each(dice.between(0.1, 0.45)),
        np.abs(y - centre_y) / each(dice.between(0.1, 0.4)),
    )
    motif = 1 + each(dice.chance(0.2) * dice.between(-0.6, 0.5)) * (inside < 1)

    grain = dice.rng.standard_normal((dice.n, SIZE, SIZE), dtype=np.float32)
    grain = 1 + each(dice.between(0.01, 0.12)) * grain
    return each(shade) * light * stripes * motif * grain


def _top(
    dice: Dice,
    *,
    chest: Value,
    waist: Value,
    hem: Value,
    length: Value,
    sleeve: Value,
    spread: Value,
    neck: Value,
) -> list[Part]:
    """Draw what hangs from the shoulders.

    Half widths `chest`, `waist` and `hem`; `length` is where the hem lies; `sleeve` is the length
    of a sleeve, 0 for none, and `spread` its angle to the body in radians; `neck` is the depth of
    the neckline.
    """
    shoulder = chest * dice.between(0.85, 1.0)
    opening = dice.between(0.12, 0.24)
    top, armpit = -0.95, dice.between(-0.5, -0.35)
    body = dice.symmetric(
        (0.0, top + neck),
        (opening, top),
        (shoulder, dice.between(-0.88, -0.8)),
        (chest, armpit),
        (waist, 0.5 * (length + armpit)),
        (hem, length),
        (0.0, length + dice.between(-0.02, 0.05)),
    )
    cuff = dice.between(0.16, 0.26)
    across, down = np.sin(spread), np.cos(spread)
    outer_x, outer_y = shoulder + sleeve * across, -0.82 + sleeve * down
    sleeves = dice.both(
        (0.6 * shoulder, -0.87),
        (shoulder, -0.84),
        (shoulder + 0.55 * sleeve * across + 0.03, -0.8 + 0.5 * sleeve * down),
        (outer_x, outer_y),
        (outer_x - cuff * down, outer_y + cuff * across),
        (0.9 * chest, armpit + 0.12),
        tone=dice.between(0.78, 1.0),
        shown=np.sign(sleeve),
    )
    return [*sleeves, body]


def _front(dice: Dice, bottom: Value, tone: Value, shown: Value) -> Part:
    """Draw the line down the front where a garment opens."""
    middle, width = dice.between(-0.04, 0.04), dice.between(0.03, 0.06)
    return dice.part(
        (middle - width, -0.85), (middle + width, -0.85), (middle + width, bottom),
        (middle - width, bottom), tone=tone, shown=shown,
    )  # fmt: skip


def _collar(dice: Dice, depth: Value, tone: Value, shown: Value) -> list[Part]:
    """Draw two triangles beside the neck."""
    width = dice.between(0.2, 0.32)
    return dice.both(
        (0.0, -0.75), (0.06, -1.0), (width, -0.92), (0.14, -0.85 + depth), tone=tone, shown=shown
    )


def _t_shirt(dice: Dice) -> list[Part]:
    chest = dice.between(0.42, 0.58)
    return _top(
        dice,
        chest=chest,
        waist=chest * dice.between(0.86, 1.0),
        hem=chest * dice.between(0.9, 1.08),
        length=dice.between(0.75, 0.95),
        sleeve=dice.either(0.9, dice.between(0.3, 0.65), dice.between(0.65, 1.6)),
        spread=dice.between(0.4, 0.85),
        neck=dice.between(0.06, 0.3),
    )


def _trouser(dice: Dice) -> list[Part]:
    waist, hem = dice.between(0.24, 0.38), dice.between(0.14, 0.26)
    gap = dice.between(0.0, 0.2)
    bottom = dice.either(0.85, dice.between(0.88, 0.97), dice.between(0.1, 0.6))
    legs = dice.both(
        (-0.01, -0.95),
        (waist, -0.95),
        (waist * dice.between(1.05, 1.3), dice.between(-0.55, -0.35)),
        (gap + hem, bottom),
        (gap, bottom),
        (0.015, dice.between(-0.5, -0.2)),
        tone=dice.between(0.9, 1.0),
    )
    band = dice.symmetric((waist, -0.95), (waist, -0.85), tone=dice.between(0.6, 1.1))
    return [*legs, band]


def _pullover(dice: Dice) -> list[Part]:
    chest = dice.between(0.42, 0.58)
    hem = chest * dice.between(0.85, 1.05)
    length = dice.between(0.7, 0.95)
    ribbing = dice.symmetric((hem, length - 0.13), (hem, length), tone=dice.between(0.8, 1.05))
    knit = _top(
        dice,
        chest=chest,
        waist=chest * dice.between(0.88, 1.02),
        hem=hem,
        length=length,
        sleeve=dice.between(1.3, 1.75),
        spread=dice.between(0.15, 0.35),
        neck=dice.between(0.03, 0.2),
    )
    zip_fastener = _front(dice, length, dice.between(0.4, 0.8), dice.chance(0.12))
    return [*knit, zip_fastener, ribbing]


def _dress(dice: Dice) -> list[Part]:
    chest = dice.between(0.26, 0.46)
    sleeve = dice.either(0.45, 0.0, dice.either(0.5, dice.between(0.25, 0.5), dice.between(1, 1.5)))
    return _top(
        dice,
        chest=chest,
        waist=chest * dice.between(0.7, 1.0),
        hem=chest * dice.between(0.9, 1.8),
        length=dice.between(0.82, 0.97),
        sleeve=sleeve,
        spread=dice.between(0.12, 0.4),
        neck=dice.between(0.05, 0.4),
    )


def _coat(dice: Dice) -> list[Part]:
    chest = dice.between(0.42, 0.58)
    length = dice.between(0.78, 0.97)
    cloth = _top(
        dice,
        chest=chest,
        waist=chest * dice.between(0.82, 1.0),
        hem=chest * dice.between(0.88, 1.15),
        length=length,
        sleeve=dice.between(1.3, 1.75),
        spread=dice.between(0.13, 0.33),
        neck=dice.between(0.05, 0.3),
    )
    lapels = _collar(dice, dice.between(0.1, 0.6), dice.between(0.7, 1.1), dice.chance(0.75))
    opening = _front(dice, length, dice.between(0.2, 0.9), dice.chance(0.8))
    return [*cloth, opening, *lapels]


def _sandal(dice: Dice) -> list[Part]:
    heel = dice.either(0.5, dice.between(0.0, 0.15), dice.between(0.25, 0.7))
    ground, thick = 0.45 + 0.35 * heel, dice.between(0.06, 0.16)

    def sole(x: Value) -> Floats:
        height: Floats = np.clip((x + 0.4) / 1.2, 0, 1) * heel
        return ground - thick - height

    def instep(x: Value) -> Floats:
        return sole(x) - 0.22 - 0.4 * np.clip((x + 0.8) / 0.9, 0, 1)

    spots = (-0.95, -0.4, 0.2, 0.92)
    upper = [(x, sole(x)) for x in spots]
    lower = [(x, sole(x) + thick) for x in reversed(spots)]
    block = dice.either(0.4, dice.between(-0.2, 0.3), dice.between(0.6, 0.75))
    parts = [
        dice.part(*upper, *lower, tone=dice.between(0.7, 1.0)),
        dice.part(
            (block, sole(block)), (0.92, sole(0.92)), (0.9, ground), (block + 0.08, ground)
        ),
    ]  # fmt: skip
    width = dice.between(0.05, 0.14)
    for foot, probability in ((-0.75, 0.9), (-0.45, 0.6), (-0.15, 0.5)):
        start = foot + dice.between(-0.1, 0.1)
        end = start + dice.between(0.05, 0.3)
        shown = dice.chance(probability)
        parts.append(_strap(dice, (start, sole(start)), (end, instep(end)), width, shown))
    ankle = dice.chance(0.65)
    top, front = sole(0.85) - dice.between(0.4, 0.7), dice.between(0.15, 0.35)
    buckle = (front, top + dice.between(-0.05, 0.1))
    bar = ankle * dice.chance(0.5)
    parts.append(_strap(dice, (0.85, sole(0.85)), (0.8, top), width, ankle))
    parts.append(_strap(dice, (0.85, top), buckle, width, ankle))
    parts.append(_strap(dice, buckle, (-0.35, instep(-0.35) + 0.1), width, bar))
    return parts


def _strap(dice: Dice, start: Point, end: Point, width: Floats, shown: Floats) -> Part:
    """Draw a band."""
    (x0, y0), (x1, y1) = start, end
    # Thicken across the band's main direction, else it would vanish.
    steep = np.abs(y1 - y0) > np.abs(x1 - x0)
    dx, dy = np.where(steep, width, 0.0), np.where(steep, 0.0, width)
    return dice.part(
        (x0 - dx, y0 - dy), (x1 - dx, y1 - dy), (x1 + dx, y1 + dy), (x0 + dx, y0 + dy),
        tone=dice.between(0.75, 1.0), shown=shown,
    )  # fmt: skip


def _shirt(dice: Dice) -> list[Part]:
    chest = dice.between(0.4, 0.58)
    length = dice.between(0.72, 0.96)
    long = dice.chance(0.65) > 0
    cloth = _top(
        dice,
        chest=chest,
        waist=chest * dice.between(0.82, 1.0),
        hem=chest * dice.between(0.88, 1.12),
        length=length,
        sleeve=np.where(long, dice.between(1.3, 1.75), dice.between(0.3, 0.7)),
        spread=np.where(long, dice.between(0.15, 0.36), dice.between(0.4, 0.85)),
        neck=dice.between(0.05, 0.3),
    )
    collar = _collar(dice, dice.between(0.05, 0.2), dice.between(0.8, 1.25), dice.chance(0.7))
    buttons = _front(dice, length, dice.between(0.5, 1.25), dice.chance(0.7))
    return [*cloth, buttons, *collar]


def _sneaker(dice: Dice) -> list[Part]:
    high = dice.chance(0.25)
    ground = dice.between(0.3, 0.48) + 0.2 * high
    tongue = ground - np.where(high > 0, dice.between(0.9, 1.25), dice.between(0.65, 0.9))
    heel = tongue + dice.between(-0.05, 0.2)
    sole = dice.between(0.1, 0.2)
    upper = dice.part(
        (-0.95, ground - 0.05), (-0.93, ground - dice.between(0.2, 0.35)), (-0.55, ground - 0.42),
        (dice.between(-0.15, 0.1), tongue), (0.3, tongue + 0.05),
        (0.5, heel + dice.between(0.05, 0.2)), (0.85, heel), (0.9, ground - 0.3),
        (0.93, ground), rounded=1, tone=dice.between(0.7, 1.0),
    )  # fmt: skip
    rubber = dice.part(
        (-0.97, ground - sole), (0.95, ground - sole), (0.96, ground + 0.02),
        (-0.93, ground + 0.02), tone=dice.between(0.5, 1.2),
    )  # fmt: skip
    slant, start = dice.between(-0.3, 0.3), dice.between(-0.3, 0.2)
    stripe = dice.part(
        (start, ground - 0.45), (start + 0.18, ground - 0.45),
        (start + slant + 0.18, ground - sole), (start + slant, ground - sole),
        tone=dice.either(0.6, dice.between(0.4, 1.25), 0.9),
    )  # fmt: skip
    return [upper, stripe, rubber]


def _bag(dice: Dice) -> list[Part]:
    width, bottom = dice.between(0.6, 0.95), dice.between(0.6, 0.92)
    top = bottom - dice.between(0.8, 1.25)
    slope = dice.between(0.75, 1.1)
    body = dice.symmetric(
        (width * np.minimum(slope, 1), top), (width * np.minimum(1 / slope, 1), bottom), rounded=1
    )
    square = dice.symmetric(
        (0.97 * width * np.minimum(slope, 1), top + 0.06),
        (0.97 * width * np.minimum(1 / slope, 1), bottom - 0.06),
    )
    reach, rise = width * dice.between(0.35, 0.85), dice.between(0.0, 1.0) * (top + 1.0)
    thick = dice.between(0.06, 0.14)
    handle = _arch(dice, reach, top - rise, top + 0.1, dice.between(0.6, 1.0))
    hole = _arch(dice, reach - thick, np.minimum(top - rise + thick, top), top + 0.1, 0.0)
    flap = top + dice.between(0.25, 0.6)
    seam = dice.symmetric(
        (0.9 * width, flap), (0.9 * width, flap + 0.06), tone=dice.either(0.6, 0.6, 1.0)
    )
    clasp = dice.symmetric((0.09, flap - 0.05), (0.09, flap + 0.12), tone=dice.between(0.5, 1.25))
    return [handle, hole, body, square, seam, clasp]


def _arch(dice: Dice, reach: Value, top: Value, bottom: Value, tone: Value) -> Part:
    """Draw a filled half ellipse standing on its straight side."""
    angles = np.linspace(0, np.pi / 2, 6)[::-1]
    points = [(reach * np.cos(a), bottom - (bottom - top) * np.sin(a)) for a in angles]
    return dice.symmetric(*points, tone=tone)


def _ankle_boot(dice: Dice) -> list[Part]:
    low = dice.chance(0.3)
    height = np.where(low > 0, dice.between(0.85, 1.25), dice.between(1.25, 1.75))
    ground = dice.between(0.72, 0.92) - 0.3 * low
    top = ground - height
    front, back = dice.between(-0.25, 0.05), dice.between(0.65, 0.9)
    heel = dice.either(0.5, dice.between(0.05, 0.12), dice.between(0.12, 0.35))
    instep = ground - dice.between(0.55, 0.7)
    leather = dice.part(
        (-0.93, ground - 0.08), (-0.9, ground - 0.32), (-0.5, ground - 0.45),
        (front - 0.08, instep), (front, top), (back, top + dice.between(-0.05, 0.1)),
        (back - 0.04, instep), (back, ground - heel), (0.2, ground - heel),
        (-0.2, ground - 0.04), rounded=1, tone=dice.between(0.8, 1.0),
    )  # fmt: skip
    sole = dice.part(
        (-0.95, ground - 0.1), (-0.1, ground - 0.1), (0.25, ground - heel - 0.02),
        (0.25, ground - heel + 0.06), (-0.1, ground), (-0.93, ground), tone=dice.between(0.4, 1.1),
    )  # fmt: skip
    block = dice.part(
        (dice.between(0.2, 0.5), ground - heel - 0.02), (back, ground - heel - 0.02),
        (back - 0.02, ground + 0.02), (dice.between(0.3, 0.55), ground + 0.02),
        tone=dice.between(0.5, 1.0),
    )  # fmt: skip
    shaft = dice.part(
        (0.5 * (front + back) - 0.06, top + 0.1), (0.5 * (front + back) + 0.06, top + 0.1),
        (0.5 * (front + back) + 0.06, instep), (0.5 * (front + back) - 0.06, instep),
        tone=dice.either(0.5, dice.between(0.5, 0.8), 0.9),
    )  # fmt: skip
    return [leather, shaft, sole, block]


GARMENTS: dict[str, Callable[[Dice], list[Part]]] = {
    "T-shirt/top": _t_shirt,
    "Trouser": _trouser,
    "Pullover": _pullover,
    "Dress": _dress,
    "Coat": _coat,
    "Sandal": _sandal,
    "Shirt": _shirt,
    "Sneaker": _sneaker,
    "Bag": _bag,
    "Ankle boot": _ankle_boot,
}
