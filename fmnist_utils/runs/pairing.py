"""Which runs are the same training under two names, or one the beginning of the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fmnist_utils.data.fashion_mnist import NUM_CLASSES
from fmnist_utils.runs.record import Run, accuracies, finished
from fmnist_utils.stats import welch_interval


def nested(a: Sequence[Run], b: Sequence[Run]) -> bool:
    """Say whether runs of the same seeds are the same training, as far as the shorter one goes.

    Then the two samples are not independent, and are compared in pairs. What is looked at are
    losses and accuracies on the training images: validation may be on others.

    Where each run draws its split, runs of one seed share it, nested or not. Samples that are not
    nested count as independent all the same, which makes an interval too wide, never too narrow.

    Parameters
    ----------
    a, b : sequence of Run
        The runs of two experiments.

    Examples
    --------
    >>> fu.nested(runs, runs)
    True
    """
    pairs = paired(a, b)
    return bool(pairs) and all(map(_same_beginning, *zip(*pairs, strict=True)))


def paired(a: Sequence[Run], b: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Return the pairs of runs with the same seed.

    Parameters
    ----------
    a, b : sequence of Run
        Those of `a` set the order; a seed that `b` lacks is left out.
    """
    others = {run.seed: run for run in b}
    return [(run, others[run.seed]) for run in a if run.seed in others]


class AccuracyDifference(NamedTuple):
    """By how many points one model is more accurate, with a 95 % interval."""

    mean: float
    low: float
    high: float
    in_pairs: bool


def difference(
    ones: Sequence[Run], others: Sequence[Run], split: str = "test", at: str = "final"
) -> AccuracyDifference | None:
    """Compare the accuracies of two models: as independent samples, or in pairs where nested.

    Parameters
    ----------
    ones, others : sequence of Run
        Their runs, of which those that diverged are left out; None is returned where there are not
        two of each. One pair shows no spread.
    split : {"test", "train", "validation"}
        Of which images.
    at : {"final", "best"}
        After which epoch: the last, or the best one on the validation images.

    Examples
    --------
    >>> fu.difference(runs, book.runs(report["cnn-2-conv"])).high < 0
    True
    """
    ones, others = finished(ones), finished(others)
    pairs = paired(ones, others)
    if in_pairs := len(pairs) > 1 and nested(ones, others):
        ones, others = zip(*pairs, strict=True)
    a, b = (accuracies(runs, split, at) for runs in (ones, others))
    found = welch_interval((1, a - b)) if in_pairs else welch_interval((1, a), (-1, b))
    return AccuracyDifference(*found, in_pairs) if found else None


def distinct(groups: Iterable[Sequence[Run]]) -> list[Sequence[Run]]:
    """Leave out each group of runs that holds the same trainings as an earlier one."""
    kept: list[Sequence[Run]] = []
    for runs in groups:
        if not any(_same(runs, known) for known in kept):
            kept.append(runs)
    return kept


def _same(a: Sequence[Run], b: Sequence[Run]) -> bool:
    """Say whether most of the shared seeds ended with the same predictions."""
    pairs = paired(a, b)
    same = [one.test_predictions == other.test_predictions for one, other in pairs]
    return 2 * sum(same) > len(pairs)


def _same_beginning(a: Run, b: Run) -> bool:
    n = min(a.epochs, b.epochs)
    return all(a.history[name][:n] == b.history[name][:n] for name in ("loss", "accuracy"))


def at_chance(runs: Iterable[Run]) -> list[int]:
    """Name the seeds of runs that ended near chance level, below twice the share of a class.

    Empty where all did: then that is what the experiment gives.
    """
    ended = [(run.seed, run.final.test.accuracy < 2 / NUM_CLASSES) for run in runs]
    stuck = [seed for seed, low in ended if low]
    return stuck if len(stuck) < len(ended) else []


def unstable(groups: Iterable[Sequence[Run]]) -> str:
    """Name the runs of some experiments that stayed at chance level; empty when none did."""
    seeds = list(itertools.chain.from_iterable(map(at_chance, groups)))
    if not seeds:
        return ""
    runs = f"run{'s' * (len(seeds) != 1)} of seed{'s' * (len(seeds) != 1)}"
    return f"{runs} {', '.join(map(str, seeds))} stayed at chance level"
