"""Whether probabilities are as often right as they say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Reliability(NamedTuple):
    """Predictions in bins of equal width by how sure the model was of them.

    Attributes
    ----------
    counts : int array, shape (bins,)
        Predictions in each bin.
    confidence, accuracy : float arrays, shape (bins,)
        Mean probability of the predicted class, and share of them that is right; NaN in an empty
        bin.
    """

    counts: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of the two, weighted by the counts."""
        apart = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(self.counts * apart) / self.counts.sum())


def reliability(confidences: ArrayLike, right: ArrayLike, bins: int = 10) -> Reliability:
    """Compare how sure a model is with how often it is right (Guo et al. 2017, ICML).

    Parameters
    ----------
    confidences : array_like, shape (n,)
        Probability of the predicted class, from 0 to 1.
    right : array_like of bool, shape (n,)
        Whether the prediction is right.
    bins : int
        A bin holds its upper end, the first one 0 as well.

    Examples
    --------
    >>> from fmnist_utils.stats import reliability
    >>> found = reliability([0.95, 0.95, 0.95, 0.95], [True, True, True, False])
    >>> round(found.error, 2)
    0.2
    """
    sure, right = np.asarray(confidences, float), np.asarray(right, bool)
    # Rounded, as 0.7 * 10 is a little more than 7.
    place = np.clip(np.ceil(np.round(sure * bins, 9)).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, values, minlength=bins) for values in (sure, right))
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (values / counts for values in sums)
    return Reliability(counts, confidence, accuracy)
