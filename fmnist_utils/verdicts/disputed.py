"""Test images whose label may be wrong: our runs say another class, and agree which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import NUM_CLASSES, FashionMNIST, count
from fmnist_utils.runs.pairing import nested
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.verdicts.across_reports import Model, models


@dataclass(frozen=True)
class Disputed:
    """What the runs of all reports say of each test image.

    Attributes
    ----------
    experiments, networks, runs : int
        How many have a say; none where the images are not those that the runs were tested on.
    labels, said : array of int
        The given class, and the other class that most runs say.
    wrong, agreed : array of float
        Share of the runs that say another class than the given one, and that say `said`.
    """

    experiments: int
    networks: int
    runs: int
    labels: NDArray[np.uint8]
    said: NDArray[np.intp]
    wrong: NDArray[np.float64]
    agreed: NDArray[np.float64]

    def candidates(self, share: float = 1.0) -> NDArray[np.intp]:
        """Find the images of which at least this share of the runs say the same other class."""
        return np.flatnonzero(self.agreed >= share) if self.runs else np.array([], np.intp)


def disputed(data: FashionMNIST, store: RunStore = STORE) -> Disputed:
    """Count what the runs of all reports say of each test image, at their last epoch.

    A training that is the beginning of another one has no say of its own, and neither have our
    variants, so that no network is counted again for each study of it.

    Parameters
    ----------
    data : FashionMNIST
        The real images: no run was tested on others.
    store : RunStore, optional
        Where the runs are; the shipped ones and ``./runs`` by default.

    Examples
    --------
    >>> fu.verdicts.disputed(data).runs  # these images are synthetic
    0
    """
    kept = _distinct(store) if tested_on(data) else []
    return _disputed(data, kept, [run.predictions for model in kept for run in model.runs])


def disputed_by(data: FashionMNIST, found: Sequence[Model]) -> Disputed:
    """Count what the runs of some models say of each test image, at their best epoch.

    Parameters
    ----------
    data : FashionMNIST
        The real images: no run was tested on others.
    found : sequence of Model
        Such as those of `one_protocol`, which keep what they predict at that epoch.

    Examples
    --------
    >>> fu.verdicts.disputed_by(data, fu.verdicts.one_protocol()).runs  # synthetic images
    0
    """
    kept = found if tested_on(data) else []
    return _disputed(data, kept, [run.at_best()[0] for model in kept for run in model.runs])


def tested_on(data: FashionMNIST) -> bool:
    """Say whether these are the images that runs were tested on."""
    return data.source == "real" and len(data.test_labels) == count("test_images")


def _disputed(
    data: FashionMNIST, kept: Sequence[Model], predicted: Sequence[NDArray[np.uint8]]
) -> Disputed:
    images = np.arange(len(data.test_labels))
    votes = np.array(predicted)
    counts = np.array([(votes == label).sum(axis=0) for label in range(NUM_CLASSES)])
    shares = np.broadcast_to(counts.T / max(len(votes), 1), (len(images), NUM_CLASSES)).copy()
    wrong = 1 - shares[images, data.test_labels]
    shares[images, data.test_labels] = 0
    return Disputed(
        len(kept), len({repr(model.experiment.model) for model in kept}), len(votes),
        data.test_labels, shares.argmax(axis=1), wrong, shares.max(axis=1),
    )  # fmt: skip


def _distinct(store: RunStore) -> list[Model]:
    """Leave out models whose trainings are the beginning of another model's, or the same."""
    kept: list[Model] = []
    for model in sorted(models(store), key=lambda item: -max(run.epochs for run in item.runs)):
        if not any(nested(model.runs, known.runs) for known in kept):
            kept.append(model)
    return kept
