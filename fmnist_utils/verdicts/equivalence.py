"""Whether the trainer is equivalent to plain fit, and bfloat16 to float32."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.record import Method, Run, accuracies
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.stats import Difference, welch_tost

#: Percentage points of test accuracy; less than a third of the margin of a verdict.
MARGIN = 0.3

#: Seeds of each method; the question is decided only when all are there.
SEEDS = 10

#: From a dense layer alone to a convolution with dropout; 3 seconds to 3 minutes a run.
EXPERIMENTS = (
    ("baltzi", "mlp-baseline"),
    ("baltzi", "mlp-1-hidden"),
    ("baltzi", "cnn-1-conv"),
)

#: As the reports call it: no seed, so that Keras shuffles anew in every epoch.
PLAIN_FIT = Method(plain_fit=True, unseeded=True)

#: After ``keras.utils.set_random_seed``, which freezes the order of the images.
SEEDED_FIT = Method(plain_fit=True)

BFLOAT16 = Method("mixed_bfloat16")


class Comparison(NamedTuple):
    """One experiment trained by another method and as the book does; accuracies in percent."""

    experiment: Experiment
    method: Method
    other: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def difference(self) -> Difference | None:
        """Other minus ours; None until both have all seeds."""
        if min(len(self.other), len(self.ours)) < SEEDS:
            return None
        return welch_tost(self.other, self.ours, MARGIN)


def compare(method: Method, store: RunStore = STORE) -> list[Comparison]:
    """Set the first ten seeds of a method beside ours in float32, for each chosen experiment.

    Parameters
    ----------
    method : Method
        Such as `PLAIN_FIT`, `SEEDED_FIT` or `BFLOAT16`.
    store : RunStore
        Where the runs are.

    Examples
    --------
    >>> comparisons = fu.equivalence.compare(fu.equivalence.BFLOAT16)
    >>> [comparison.experiment.id for comparison in comparisons]
    ['mlp-baseline', 'mlp-1-hidden', 'cnn-1-conv']
    """
    comparisons = []
    for report_id, name in EXPERIMENTS:
        experiment = load_report(report_id)[name]
        found = (store.runs(experiment, chosen) for chosen in (method, Method()))
        comparisons.append(Comparison(experiment, method, *map(_test_accuracies, found)))
    return comparisons


def _test_accuracies(runs: Iterable[Run]) -> tuple[float, ...]:
    return tuple(accuracies([run for run in runs if run.seed <= SEEDS], "test").tolist())
