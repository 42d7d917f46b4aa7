"""Scores of single classes, and the best of several scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.stats.prediction import Floats

#: Columns of `class_scores`.
SCORES = ("precision", "recall", "f1")


def class_scores(confusion: NDArray[np.int64]) -> Floats:
    """Return precision, recall and F1 of every class.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
        Counts, true class by predicted class.

    Returns
    -------
    ndarray of float64, shape (classes, 3), columns `SCORES`
        Fractions; a class that is never predicted gets 0, as in scikit-learn.

    Examples
    --------
    >>> class_scores(np.array([[8, 2], [0, 10]])).round(3).tolist()
    [[1.0, 0.8, 0.889], [0.833, 1.0, 0.909]]
    """
    hits = np.diag(confusion)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    zeros = np.zeros(len(hits))
    precision = np.divide(hits, predicted, out=zeros.copy(), where=predicted > 0)
    recall = np.divide(hits, true, out=zeros.copy(), where=true > 0)
    f1 = np.divide(2 * hits, predicted + true, out=zeros.copy(), where=hits > 0)
    return np.stack([precision, recall, f1], axis=1)
