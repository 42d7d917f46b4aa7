"""A training between two epochs, on disk: what was stopped goes on where it stopped."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_utils.errors import FmnistError
from fmnist_utils.records import write_atomically
from fmnist_utils.training.state import TrainingState


class CheckpointError(FmnistError):
    """A checkpoint that cannot be written."""


class PauseError(Exception):
    """The training may pause: its checkpoint has just been written."""


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    path : pathlib.Path
        An ``.npz`` file; its folder is made when missing.
    seconds : float, optional
        How much work a stopped training may lose, besides the epoch it is in. One that takes less
        never writes.
    pause : float, optional
        End the training with the first epoch after so many seconds.
    """

    def __init__(self, path: Path, seconds: float = 60.0, pause: float = math.inf) -> None:
        self.path, self._seconds = path, seconds
        self._written = time.monotonic()
        self._end = self._written + pause

    def save(
        self, training_id: dict[str, Any], state: TrainingState, variables: Sequence[Any]
    ) -> None:
        """Write the file anew, unless that was done a short while ago.

        Parameters
        ----------
        training_id : dict
            What names the training; JSON can hold it.
        state : TrainingState
            Its state so far.
        variables : sequence of keras.Variable
            Whatever the next epoch depends on: weights, optimizer, streams of random numbers.

        Raises
        ------
        CheckpointError
            When the folder cannot be written, or the disk is full.
        PauseError
            When it is time to pause, and the file is written.
        """
        now = time.monotonic()
        if now < self._end and now - self._written < self._seconds:
            return
        notes = asdict(state) | {"best_weights": len(state.best_weights), "whose": training_id}
        arrays = [*state.best_weights, *map(np.asarray, variables)]
        content = io.BytesIO()
        numbered: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
        np.savez(content, notes=np.array(json.dumps(notes)), **numbered)
        try:
            write_atomically(self.path, content.getvalue())
        except OSError as error:
            raise CheckpointError(
                f"Checkpoint {self.path.name} cannot be written to {self.path.parent}: "
                f"{error.strerror or error}."
            ) from error
        self._written = time.monotonic()
        if now >= self._end:
            raise PauseError

    def load(self, training_id: dict[str, Any], variables: Sequence[Any]) -> TrainingState | None:
        """Set the variables as they were, and return the state.

        None, and nothing set, when there is no file, when it is not whole, or when it belongs to
        another training: then training starts anew.

        Parameters
        ----------
        training_id : dict
            What identifies the training; as `save` was given it.
        variables : sequence of keras.Variable
            Weights, optimizer and random numbers, in the order of `save`.
        """
        if not self.path.is_file():  # a pipe would be waited for
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                notes = json.loads(str(file["notes"]))
                arrays = [file[str(i)] for i in range(len(file.files) - 1)]
            if notes.pop("whose") != training_id:
                return None
            weights = notes["best_weights"]
            state = TrainingState(**notes | {"best_weights": arrays[:weights]})
            kept = arrays[weights:]
            fits = [
                np.shape(array) == tuple(variable.shape)
                for variable, array in zip(variables, kept, strict=True)
            ]
        except Exception:  # damage has many faces: zip, zlib, JSON, missing and foreign fields
            return None
        if not all(fits):
            return None
        for variable, array in zip(variables, kept, strict=True):
            variable.assign(array)
        return state


def finished_epochs(checkpoint: Path | bytes) -> int:
    """Return how many epochs a checkpoint holds, by its path or content; 0 when it is not whole."""
    try:
        return len(_notes(checkpoint)["seconds"])
    except Exception:  # as in `Checkpoint.load`
        return 0


def checkpoint_threads(path: Path) -> int | None:
    """Return how many threads a training had when its checkpoint was written, if there is one."""
    try:
        return int(_notes(path)["whose"]["by"]["threads"])
    except Exception:  # as in `Checkpoint.load`
        return None


def _notes(checkpoint: Path | bytes) -> dict[str, Any]:
    """Read what a checkpoint says of itself, without its weights."""
    if isinstance(checkpoint, Path) and not checkpoint.is_file():
        raise FileNotFoundError(checkpoint)
    source = io.BytesIO(checkpoint) if isinstance(checkpoint, bytes) else checkpoint
    with np.load(source, allow_pickle=False) as file:
        notes: dict[str, Any] = json.loads(str(file["notes"]))
    return notes
