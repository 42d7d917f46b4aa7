"""Scores of single classes, and the best of several scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def expected_best(scores: Sequence[float], n: int) -> float:
    """Return the expected maximum of n scores drawn from these without replacement.

    What a search of n trials would have found on average, as Dodge et al. (2019, "Show Your Work",
    EMNLP) ask for; in the unbiased form of Tang et al. (2020, "Showing Your Work Doesn't Always
    Work", ACL). Of N scores in ascending order, the i-th is the largest of n with probability
    C(i - 1, n - 1) / C(N, n).

    Parameters
    ----------
    scores : sequence of float, of length trials
        One per trial; for a loss, negated.
    n : int
        From 1, which gives the mean, to ``len(scores)``, which gives the maximum.

    Raises
    ------
    ValueError
        When there are fewer than n scores, or n is less than 1.

    Examples
    --------
    >>> round(expected_best([88.0, 89.0, 90.0], 2), 4)
    89.6667
    """
    if not 1 <= n <= len(scores):
        raise ValueError(f"the best of {n} cannot be expected from {len(scores)} scores")
    total = math.comb(len(scores), n)
    return math.fsum(
        value * (math.comb(i, n - 1) / total) for i, value in enumerate(sorted(scores))
    )
