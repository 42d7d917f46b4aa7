"""How much runs of any experiment spread: what three seeds alone cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fmnist_utils.reports.claim import Claim
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import Prior, fit_prior
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.judge import MIN_RUNS
from fmnist_utils.verdicts.measure import measure, side_of
from fmnist_utils.verdicts.trainings import at_chance, distinct


class Pool:
    """The runs of many experiments, from which priors of variances are fitted.

    Parameters
    ----------
    groups : iterable of sequence of Run
        The runs of each experiment. A training under two names counts once; left out are
        experiments with fewer than three runs, and those with a run that diverged or stayed at
        chance level.
    """

    def __init__(self, groups: Iterable[Sequence[Run]]) -> None:
        self.groups = distinct(
            runs
            for runs in groups
            if len(runs) >= MIN_RUNS
            and not at_chance(runs)
            and not any(run.diverged for run in runs)
        )
        self._priors: dict[Any, Prior | None] = {}

    @classmethod
    def of(cls, store: RunStore) -> Pool:
        """Read the runs of every experiment and variant of every report."""
        return cls(
            store.runs(experiment)
            for report in every_report()
            for experiment in report.trainable.values()
        )

    def prior(self, claim: Claim) -> Prior | None:
        """Fit the prior for what a claim is about, whoever states it; see `stats.fit_prior`.

        None where fewer than ten experiments have runs that differ.
        """
        about = (
            claim.quantity, claim.split, claim.reading, claim.epoch, claim.label, claim.predicted,
            claim.unit,
        )  # fmt: skip
        if about not in self._priors:
            self._priors[about] = self._fit(claim)
        return self._priors[about]

    def _fit(self, claim: Claim) -> Prior | None:
        samples = [values for runs in self.groups if _all_finite(values := measure(claim, runs))]
        sides = [side_of(claim, values) for values in samples]
        return fit_prior([float(np.square(side.sd)) for side in sides], [len(x) for x in samples])


def _all_finite(values: Any) -> bool:
    return bool(np.isfinite(values).all())
