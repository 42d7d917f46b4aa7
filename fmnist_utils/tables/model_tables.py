"""The images, and those that runs dispute."""

from __future__ import annotations

import numpy as np

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FashionMNIST
from fmnist_utils.tables.table import Table
from fmnist_utils.text import value_text
from fmnist_utils.verdicts.disputed import Disputed


def data_summary(data: FashionMNIST) -> Table:
    """Describe the images: how many, of what shape and type, and how bright (of full scale).

    Examples
    --------
    >>> [row[0] for row in fu.tables.data_summary(data).rows]
    ['training', 'test']
    """
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
                " to ".join(f"{count:,}" for count in sorted({per_class.min(), per_class.max()})),
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
    # Of few runs two shares may be as many. Half a run less: the shares found are rounded floats.
    needed = {-(-percent * found.runs // 100): percent for percent in reversed(_SHARES)}
    rows = tuple(
        (
            f"{runs:,} ({percent} %)" if runs < found.runs else f"all {runs:,}",
            str(int((found.runs * found.wrong >= runs - 0.5).sum())),
            str(len(found.candidates((runs - 0.5) / found.runs))),
        )
        for runs, percent in sorted(needed.items(), reverse=True)
        if runs
    )
    headers = ("at least so many of the runs", "give another class", "and give the same one")
    caption = (
        f"Test images that are disputed by {found.runs} runs of {found.experiments} experiments "
        f"with {found.networks} networks"
    )
    return Table(headers, rows, caption)


_SHARES = (100, 99, 95, 90, 50)
