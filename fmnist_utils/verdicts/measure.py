"""Read off a run what a claim is about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.quantities import READINGS
from fmnist_utils.runs.record import Run, Snapshot
from fmnist_utils.stats import Floats, class_scores


def readings(claim: Claim, experiment: Experiment) -> list[str]:
    """List the ways in which a measured claim can be read, the claim's own one first.

    Where the test images serve for validation, no training images are held out, and none of the
    readings counts those in.
    """
    if claim.quantity not in ("accuracy", "loss") or claim.epoch:
        return [claim.reading]
    every = list(READINGS) if claim.split == "train" else ["final", "best"]
    if experiment.training.validation.take == "test":
        every = [reading for reading in every if not reading.endswith("-all")]
    return [claim.reading, *(reading for reading in every if reading != claim.reading)]


def measure(claim: Claim, runs: Sequence[Run], reading: str | None = None) -> Floats:
    """Read what a claim is about off the runs, in the claim's unit.

    Parameters
    ----------
    claim : Claim
        Its quantity and split say what to look at; for comparisons too.
    runs : sequence of Run
        Runs of one experiment.
    reading : str, optional
        One of `READINGS`; the claim's own by default.

    Returns
    -------
    ndarray of float64, shape ``(len(runs),)``
        NaN for a run that diverged, or ended before the epoch that the claim is about.
    """
    reading = reading or claim.reading
    return np.array([_measure_one(claim, run, reading) for run in runs])


def _measure_one(claim: Claim, run: Run, reading: str) -> float:
    if claim.quantity == "epochs_trained":
        return run.epochs
    if claim.quantity == "lowest_val_loss_epoch":
        losses = run.history["val_loss"]
        return int(np.argmin(losses)) + 1 if np.isfinite(losses).all() else np.nan
    name = "loss" if claim.quantity == "loss" else "accuracy"
    if claim.epoch is not None:
        history = run.history[f"val_{name}" if claim.split == "validation" else name]
        return claim.whole * history[claim.epoch - 1] if claim.epoch <= len(history) else np.nan
    moment, _, part = reading.partition("-")
    snapshot = run.best if moment == "best" else run.final
    if claim.label is not None:
        return claim.whole * _class_score(claim, np.array(snapshot.test_confusion))
    return claim.whole * _evaluated(run, snapshot, name, claim.split or "test", part)


def _class_score(claim: Claim, confusion: NDArray[np.int64]) -> float:
    """Return one class's score; one that is never predicted has precision and F1 zero."""
    i = claim.label
    if claim.quantity == "confused":
        return float(confusion[i, claim.predicted] / confusion[i].sum())
    column = {"precision": 0, "f1": 2}.get(claim.quantity, 1)
    return float(class_scores(confusion)[i, column])


def _evaluated(run: Run, snapshot: Snapshot, name: str, split: str, part: str) -> float:
    if part == "running":
        return run.history[name][snapshot.epoch - 1]
    if part == "all":
        weights = [run.images["train"], run.images["validation"]]
        values = [getattr(snapshot.train, name), getattr(snapshot.validation, name)]
        return float(np.average(values, weights=weights))
    return float(getattr(getattr(snapshot, split), name))
