"""What has happened in a training so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.protocol import Training


class TrainingError(FmnistError):
    """A training that was asked for and cannot be done."""


class Progress(NamedTuple):
    """One finished epoch, counted from 1, with the metrics that Keras would print."""

    epoch: int
    epochs: int
    metrics: dict[str, float]
    seconds: float


Arrays = list[NDArray[Any]]


@dataclass
class TrainingState:
    """What has happened in a training so far.

    Attributes
    ----------
    history : dict
        Per epoch, as Keras names them.
    seconds : list of float
        Per epoch.
    best_epoch : int
        Counted from 1.
    best_weights : list of numpy.ndarray
        The model's weights after that epoch.
    uncommitted : str
        Revision of the code of no commit that trained a part of it; empty where there is none.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: Arrays = field(default_factory=list)
    uncommitted: str = ""

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        return len(self.seconds)

    def add(
        self,
        metrics: Mapping[str, float],
        seconds: float,
        spec: Training,
        weights: Callable[[], Arrays],
    ) -> None:
        """Note one more epoch; one that is the best so far by the protocol keeps its weights.

        Parameters
        ----------
        metrics : mapping of str to float
            Loss and accuracy by Keras' names of them.
        seconds : float
            How long the epoch took.
        spec : Training
            The protocol, which says what is best.
        weights : function
            Returns the weights of the model as arrays; only called for the best epoch so far.
        """
        self.seconds.append(seconds)
        for key, value in metrics.items():
            self.history.setdefault(key, []).append(value)
        if spec.best_epoch(self.history) == self.epochs:
            self.best_epoch, self.best_weights = self.epochs, weights()
