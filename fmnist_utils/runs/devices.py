"""Where runs were trained: a reader's own on another machine stand beside those that ship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fmnist_utils.runs.record import Run

_NAMES = {"keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX"}


def place(run: Run) -> str:
    """Name the device of a run, and what it was trained with.

    Examples
    --------
    >>> place(runs[0])
    'AMD EPYC (Keras ..., TensorFlow ...)'
    """
    made = run.provenance
    named = [
        f"{_NAMES[k]} {made.versions[k]}" for k in ("keras", made.backend) if k in made.versions
    ]
    return f"{made.device} ({', '.join(named)})" if named else made.device


def mixed_runs(runs: Iterable[Run]) -> str:
    """Return the end of a caption: how many runs are of each place; nothing where all are of one.

    Examples
    --------
    >>> mixed_runs(runs)
    ''
    """
    places = Counter(map(place, runs))
    counts = ", ".join(f"{n} on {where}" for where, n in places.items())
    return f" (runs: {counts})" * (len(places) > 1)
