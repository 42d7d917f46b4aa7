"""Garments drawn by program: a stand-in for Fashion-MNIST where its images cannot be had.

A garment is a pile of polygons, each given as "x,y" of its corners in pixels from the centre of
the picture. The tops share outlines on purpose: as in the real data, they are what models mix up.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, DataError, FashionMNIST

SIZE = 28
OVERSAMPLING = 4  # Polygons are painted this much larger and then reduced, for smooth edges.

BODY = "0,-11 3,-13 8,-12 7,-4 7,4 8,13 0,13"
SHORT_SLEEVE = "5,-13 8,-12 12,-5 8,-3 5,-5"
LONG_SLEEVE = "5,-13 8,-12 11,-4 13,10 10,11 7,-4"
OPENING = "0,-11 1,-11 1,13 0,13"
# From the lowest polygon to the uppermost, each with the share of the garments that have it.
# Shoes point to the left; of everything else the right half is given, and mirrored.
SHOES = ("Sandal", "Sneaker", "Ankle boot")
GARMENTS: dict[str, dict[str, float]] = {
    "T-shirt/top": {SHORT_SLEEVE: 0.9, LONG_SLEEVE: 0.1, BODY: 1, "0,-6 5,-6 5,0 0,0": 0.3},
    "Trouser": {"0,-13 5,-13 6,-4 5,13 2,13 0,-5": 1, "0,-13 5,-13 5,-11 0,-11": 1},
    "Pullover": {LONG_SLEEVE: 1, BODY: 1, OPENING: 0.1, "0,11 8,11 8,13 0,13": 1},
    "Dress": {SHORT_SLEEVE: 0.3, LONG_SLEEVE: 0.2, "0,-10 2,-13 5,-12 5,-6 4,-2 6,13 0,13": 1,
              "0,-2 4,-2 9,13 0,13": 0.5},
    "Coat": {LONG_SLEEVE: 1, BODY: 1, OPENING: 0.9, "0,-10 2,-13 5,-12 1,0": 0.7},
    "Sandal": {"-13,7 -5,7 4,3 12,-1 13,1 4,6 -5,9 -13,9": 1, "-5,9 4,4 13,0 12,9": 0.4,
               "10,1 13,0 12,9 10,9": 0.8, "-12,8 -8,1 -5,1 -8,8": 0.9, "-6,8 -3,0 -1,0 -3,8": 0.5,
               "12,0 11,-7 2,-4 -3,5 -1,6 3,-2 10,-5 10,1": 0.7},
    "Shirt": {SHORT_SLEEVE: 1, LONG_SLEEVE: 0.6, BODY: 1, OPENING: 0.7, "0,-9 2,-13 6,-12 3,-7": 1},
    "Sneaker": {"0,-2 2,-9 10,-9 11,-2": 0.2, "-13,5 -12,1 -6,-1 1,-6 4,-5 6,-3 11,-5 12,0 13,5": 1,
                "-5,0 -2,0 1,5 -2,5": 0.6, "-13,4 13,4 13,7 -13,7": 1},
    "Bag": {"0,-11 5,-10 7,-2 5,-2 4,-8 0,-9": 0.8, "0,-3 11,-3 12,10 0,10": 1,
            "0,1 11,1 11,3 0,3": 0.5, "0,1 2,1 2,4 0,4": 0.8},
    "Ankle boot": {"-13,10 -12,5 -6,3 -2,0 -1,-7 10,-7 10,0 11,8 3,8 -2,10": 1,
                   "0,-12 9,-12 10,-6 -1,-6": 0.6, "3,7 11,7 11,11 6,11": 1,
                   "-13,9 -2,9 4,7 4,9 -2,11 -13,11": 1},
}  # fmt: skip


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
            raise DataError(f"Cannot balance {size} images: ask for a multiple of {classes}.")
    drawn = np.stack([draw(label, (train + test) // classes, seed) for label in range(classes)])
    rng = np.random.default_rng([seed, classes])
    arrays = []
    for split in np.split(drawn, [train // classes], axis=1):
        order = rng.permutation(classes * split.shape[1])
        arrays += [split.reshape(-1, SIZE, SIZE)[order], (order // split.shape[1]).astype(np.uint8)]
    train_images, train_labels, test_images, test_labels = arrays
    return FashionMNIST(train_images, train_labels, test_images, test_labels, "synthetic")


def draw(label: int, n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw garments of one class.

    Parameters
    ----------
    label, n : int
        Index into `fmnist_utils.data.fashion_mnist.CLASS_NAMES`, and how many.
    seed : int
        The same label, number and seed give the same images.

    Returns
    -------
    uint8 array, shape (n, 28, 28)
        Bright garments on background 0.
    """
    name, rng = CLASS_NAMES[label], np.random.default_rng([seed, label])
    # Each garment is stretched, turned and sheared, then shifted.
    pose = rng.uniform([[0.75, -0.12], [-0.12, 0.8]], [[1.0, 0.12], [0.12, 1.0]], (n, 2, 2))
    centre = SIZE / 2 + rng.uniform(-1, 1, (n, 1, 2))
    canvases = [Image.new("L", (SIZE * OVERSAMPLING, SIZE * OVERSAMPLING)) for _ in range(n)]
    pens = [ImageDraw.Draw(canvas) for canvas in canvases]
    for outline, share in GARMENTS[name].items():
        corners = np.array(outline.replace(",", " ").split(), float).reshape(-1, 2)
        corners = corners * rng.uniform(0.9, 1.1, (n, *corners.shape))  # Garments differ in cut,
        tones = rng.integers(90, 230, n).tolist()  # and their parts in tone.
        shown = np.flatnonzero(rng.random(n) < share)
        for side in (1,) if name in SHOES else (1, -1):
            placed = OVERSAMPLING * ((corners * [side, 1]) @ pose + centre)
            polygons = placed.reshape(n, -1).tolist()  # Pillow reads arrays several times slower.
            for i in shown:
                pens[i].polygon(polygons[i], fill=tones[i])
    painted = np.stack([np.asarray(canvas.reduce(OVERSAMPLING), np.uint8) for canvas in canvases])
    return (painted * _cloth(rng, n)).clip(0, 255).astype(np.uint8)


def _cloth(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Brightness, light from a side, stripes (on every third) and grain; shape (n, 28, 28)."""

    def between(low: float, high: float) -> NDArray[np.float32]:
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    y, x = np.mgrid[-1:1:28j, -1:1:28j].astype(np.float32)
    light = 1 + between(-0.2, 0.2) * x + between(-0.2, 0.2) * y
    waves = np.sin(between(-15, 15) * x + between(0, 30) * y + between(0, 6))
    stripes = 1 - np.maximum(between(-1.2, 0.6), 0) * (waves > 0)
    grain = 1 + between(0.01, 0.12) * rng.standard_normal((n, SIZE, SIZE), np.float32)
    cloth: NDArray[np.float32] = between(0.15, 1.5) ** 0.5 * light * stripes * grain
    return cloth
