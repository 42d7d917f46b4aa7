"""Where runs were trained: a reader's own on another machine stand beside those that ship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fmnist_utils.runs.record import Run

_NAMES = {"keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX"}


def device_text(run: Run) -> str:
    """Name the device of a run, and what it was trained with.

    Examples
    --------
    >>> device_text(runs[0])
    'AMD EPYC (Keras ..., TensorFlow ...)'
    """
    made = run.provenance
    named = [
        f"{_NAMES[k]} {made.versions[k]}" for k in ("keras", made.backend) if k in made.versions
    ]
    return f"{made.device} ({', '.join(named)})" if named else made.device


def mixed_runs(runs: Iterable[Run]) -> str:
    """Return the end of a caption: how many runs each device made; nothing where one made all.

    Examples
    --------
    >>> mixed_runs(runs)
    ''
    """
    devices = Counter(map(device_text, runs))
    counts = ", ".join(f"{n} on {where}" for where, n in devices.items())
    return f" (runs: {counts})" * (len(devices) > 1)
