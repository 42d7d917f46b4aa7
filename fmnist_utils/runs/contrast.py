"""Whether runs of one's own differ from others: in how far, how surely, and at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.claim import SPLIT_WORDS
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.runs.devices import device_text
from fmnist_utils.runs.pairing import difference, paired
from fmnist_utils.runs.record import Method, Run, accuracies, finished, lost_text
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import prediction_half_width, runs_for_power


class ContrastError(FmnistError):
    """Runs that cannot be compared."""


@dataclass(frozen=True, repr=False)
class Contrast:
    """Accuracies of two sets of runs, in percent, and what their difference is worth.

    Attributes
    ----------
    names : tuple of str
        Of the two experiments.
    split : str
        Where the accuracies were measured.
    means, runs : tuples of two numbers
        Of mine and of the others.
    difference : float
        Mine minus the others, in percentage points.
    low, high : float or None
        Its 95 % interval by Welch's t test; for one run of mine, by the prediction interval of one
        more run of the others. None where fewer than two runs show no spread.
    seeds : int or None
        How many runs of each show a difference of one point in four of five tries; None in pairs.
    notes : tuple of str
        In what else the runs differ.
    """

    names: tuple[str, str]
    split: str
    means: tuple[float, float]
    runs: tuple[int, int]
    low: float | None = None
    high: float | None = None
    seeds: int | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def difference(self) -> float:
        """Mine minus the others, in percentage points."""
        return self.means[0] - self.means[1]

    def __str__(self) -> str:
        """Say all in short lines, which fit a notebook."""
        sides = [
            f"  {mean:.2f} %, {count} run{'s' * (count != 1)} of {name}"
            for name, mean, count in zip(self.names, self.means, self.runs, strict=True)
        ]
        apart = f"Difference: {self.difference:+.2f} points"
        if self.low is None or self.high is None:
            meaning = "One run shows no spread, so train more seeds."
        else:
            apart += f", 95 % interval {self.low:+.2f} to {self.high:+.2f}"
            inside = self.low <= 0 <= self.high
            meaning = f"Seeds alone {'can' if inside else 'do not'} explain it."
        if self.seeds is not None:
            meaning += f"\n{self.seeds} runs of each find one point of difference in 4 of 5 tries."
        where = f"Accuracy on {SPLIT_WORDS[self.split]} images"
        return "\n".join([where, *sides, apart, meaning, *self.notes])

    def __repr__(self) -> str:  # noqa: D105 - what a notebook shows
        return str(self)


def compare(
    mine: Sequence[Run],
    others: Sequence[Run],
    split: Literal["train", "validation", "test"] = "test",
    at: Literal["final", "best"] = "final",
) -> Contrast:
    """Say how far the accuracies of two sets of runs differ, and how surely.

    Parameters
    ----------
    mine, others : sequences of Run
        As `reproduce` returns them: of an experiment of your own, and of the report's. Those that
        diverged are left out.
    split : {"test", "train", "validation"}
        Where the accuracies were measured.
    at : {"final", "best"}
        After the last epoch, or after the one of best validation.

    Returns
    -------
    Contrast
        It prints as a few lines.

    Raises
    ------
    ContrastError
        When one side has no runs, all of them diverged, or they are of other images; also for an
        unknown split or end.

    Examples
    --------
    >>> found = fu.compare(runs[:3], runs[3:])
    >>> found.low < found.difference < found.high
    True
    """
    if not mine or not others:
        which = "mine" if not mine else "others"
        raise ContrastError(
            f'There are no runs in {which}: train some with fu.reproduce(..., mode="full").'
        )
    for name, given, known in (
        ("split", split, ("train", "validation", "test")), ("at", at, ("final", "best")),
    ):  # fmt: skip
        if given not in known:
            raise ContrastError(f"{name} is one of {', '.join(known)}, not {given!r}.")
    images = sorted({run.images[split] for run in (*mine, *others)})
    if split == "test" and len(images) > 1:
        sizes = " and ".join(f"{n:,}" for n in images)
        raise ContrastError(f"Runs tested on {sizes} images cannot be compared.")
    names = _named(mine), _named(others)
    mine, others = finished(mine), finished(others)
    if not mine or not others:
        which = "mine" if not mine else "others"
        raise ContrastError(f"Every run in {which} diverged: there is nothing to compare.")
    notes = _notes(mine, others)
    found = difference(mine, others, split, at)
    if found and found.in_pairs:
        mine, others = zip(*paired(mine, others), strict=True)
        notes.append("They begin as the same trainings, so each seed is compared with itself.")
    a, b = (accuracies(runs, split, at) for runs in (mine, others))
    seeds, low, high = None, None, None
    if found:
        low, high = found.low, found.high
        if not found.in_pairs:  # whose spread is another
            seeds = runs_for_power(float(a.std(ddof=1)), float(b.std(ddof=1)), 1.0)
    else:
        low, high = _predicted(a, b)
    return Contrast(
        names=names,
        split=split,
        means=(float(a.mean()), float(b.mean())),
        runs=(a.size, b.size),
        low=low,
        high=high,
        seeds=seeds,
        notes=tuple(notes),
    )


def own_and_theirs(
    store: RunStore,
    own: Iterable[Experiment],
    theirs: Iterable[Experiment],
    method: Callable[[Experiment], Method],
) -> Iterator[Contrast]:
    """Compare experiments of one's own with the report's, pair by pair, where both have runs.

    Parameters
    ----------
    store : RunStore
        Has the runs of both.
    own, theirs : iterable of Experiment
        What is compared with what.
    method : callable
        Says how the runs of an experiment were trained.
    """
    for pair in zip(own, theirs, strict=True):
        mine, others = (store.runs(experiment, method(experiment)) for experiment in pair)
        if mine and others:
            yield compare(mine, others)


def _predicted(a: np.ndarray, b: np.ndarray) -> tuple[float | None, float | None]:
    """Return the interval of the difference of one run and the mean of several."""
    several = a if a.size > 1 else b
    if several.size < 2:
        return None, None
    half_width = float(prediction_half_width(several.std(ddof=1), several.size))
    difference = float(a.mean() - b.mean())
    return difference - half_width, difference + half_width


def _named(runs: Sequence[Run]) -> str:
    names = dict.fromkeys(f"{run.report}/{run.experiment}" for run in runs)
    return ", ".join(names) + lost_text(runs)


def _notes(mine: Sequence[Run], others: Sequence[Run]) -> list[str]:
    """Say in what else than their experiment two sets of runs differ."""
    notes = []
    for what, of in (("on", device_text), ("in", lambda run: run.provenance.precision)):
        sides = [sorted(set(map(of, runs))) for runs in (mine, others)]
        if sides[0] != sides[1]:
            here, there = (", ".join(side) for side in sides)
            notes.append(f"Mine were trained {what} {here}, the others {what} {there}.")
    return notes
