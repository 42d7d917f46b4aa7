"""How many seeds an experiment needs until its accuracy is known well enough.

Seeds are added by the spread of the runs alone, never by the number that the report states: whoever
looks at that number, and stops when the verdict pleases, decides the verdict. See Maxwell, Kelley
and Rausch (2008) on planning for precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fmnist_utils.campaign.jobs import Job, missing_jobs
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.runs.record import Method
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import runs_for_precision
from fmnist_utils.verdicts.judge import MIN_RUNS
from fmnist_utils.verdicts.measure import measure

#: With more seeds than this the interval hardly becomes narrower: by 2 % from 30 to 60.
MOST_SEEDS = 30


def jobs_for_precision(
    store: RunStore,
    experiments: Iterable[Experiment],
    method: Callable[[Experiment], Method] = Method.of,
) -> list[Job]:
    """List the runs that experiments lack until each one's interval is narrow enough.

    The interval is that of the experiment's headline claim: the first accuracy that it states of
    test images, else of others. One without such a claim needs no more seeds, and neither does one
    whose runs spread so much that even `MOST_SEEDS` would not do.

    Parameters
    ----------
    store : RunStore
        Where the runs are.
    experiments : iterable of Experiment
        Those with fewer than three runs are left alone: they have no spread yet.
    method : callable
        By which method an experiment is trained.
    """
    jobs = []
    for experiment in experiments:
        wanted = _seeds_wanted(experiment, store, method(experiment))
        jobs += missing_jobs(store, [experiment], range(1, wanted + 1), method)
    return jobs


def _seeds_wanted(experiment: Experiment, store: RunStore, method: Method) -> int:
    runs = store.runs(experiment, method)
    claims = [c for c in experiment.stated if c.about.is_accuracy and c.epoch is None]
    claims.sort(key=lambda claim: claim.split != "test")
    if len(runs) < MIN_RUNS or not claims:
        return 0
    points = 100 * float(measure(claims[0], runs).std(ddof=1)) / claims[0].whole
    return runs_for_precision(points, claims[0].about.margin or 0.0, MOST_SEEDS) or 0
