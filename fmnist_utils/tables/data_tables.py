"""The data set, and what a report says of it."""

from __future__ import annotations

import numpy as np

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FashionMNIST
from fmnist_utils.tables.table import Table
from fmnist_utils.text import value_text
from fmnist_utils.verdicts.disputed import Disputed


def data_summary(data: FashionMNIST) -> Table:
    """Describe the images: how many, of what shape and type, and how bright (of full scale)."""
    rows = []
    for name, images, labels in (
        ("training", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        per_class = np.bincount(labels, minlength=len(CLASS_NAMES))
        rows.append(
            (
                name,
                f"{len(images):,}",
                value_text(images.shape[1:]),
                str(images.dtype),
                f"{per_class.min():,} to {per_class.max():,}",
                f"{images.mean() / 255:.4f}",
                f"{images.std() / 255:.4f}",
                f"{100 * (images == 0).mean():.1f}",
            )
        )
    headers = ("set", "images", "shape", "type", "per class", "mean", "sd", "zero pixels (%)")
    return Table(headers, tuple(rows), f"The {data.source} images")


def disputed(found: Disputed) -> Table:
    """Count the test images that runs get wrong, and of which they say the same other class.

    Parameters
    ----------
    found : Disputed
        What the runs say; see `verdicts.disputed`.

    Examples
    --------
    >>> fu.tables.disputed(fu.verdicts.disputed(data)).rows  # no run has seen synthetic images
    ()
    """
    rows = tuple(
        (
            f"{percent} %" if percent < 100 else "all",
            str(int((100 * found.wrong >= percent).sum())),
            str(len(found.candidates(percent / 100))),
        )
        for percent in _SHARES
        if found.runs
    )
    headers = ("at least so many of the runs", "give another class", "and give the same one")
    caption = (
        f"Test images that are disputed by {found.runs} runs of {found.experiments} experiments "
        f"with {found.networks} networks"
    )
    return Table(headers, rows, caption)


_SHARES = (100, 99, 95, 90, 50)
