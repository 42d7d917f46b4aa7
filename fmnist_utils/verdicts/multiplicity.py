"""What many experiments and verdicts say together: spread and chance."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fmnist_utils import stats
from fmnist_utils.reports.claim import Claim
from fmnist_utils.runs.pairing import at_chance, distinct
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.judge import MIN_RUNS
from fmnist_utils.verdicts.measure import measure, summarise
from fmnist_utils.verdicts.outcome import OUTSIDE, Outcome, Verdict, count_words

#: Simulated reports; the error of an expected count is then far below one claim.
DRAWS = 4_000


class Chance(NamedTuple):
    """Numbers held against runs: the words they got, and those expected if all were true.

    In `expected`, *consistent, imprecise* includes *consistent, unsettled*. `outside` and
    `expected_outside` count those outside their 95 % interval; `surviving` are the ones among them
    that the procedure of Benjamini and Hochberg keeps at 5 %.
    """

    numbers: int
    words: dict[Outcome, int]
    expected: dict[Outcome, float]
    outside: int
    expected_outside: float
    surviving: int


def chance(verdicts: Iterable[Verdict]) -> Chance:
    """Say what would come out if every number were one more run of ours, rounded as printed.

    Parameters
    ----------
    verdicts : iterable of Verdict
        Two models said to be as good differ by the number 0; those without a number, or pending,
        are passed over.

    Examples
    --------
    >>> verdicts = fu.verdicts.judge_accuracies(report, {experiment.id: runs})
    >>> found = fu.verdicts.chance(verdicts)
    >>> found.numbers, found.outside, round(found.expected_outside, 1)
    (1, 0, 0.1)
    """
    tested = [verdict for verdict in verdicts if verdict.test is not None]
    expected = dict.fromkeys(Outcome, 0.0)
    for verdict in tested:
        for word, share in words_if_true(verdict).items():
            expected[word] += share
    words = count_words(tested)
    return Chance(
        len(tested),
        words,
        expected,
        sum(words[word] for word in OUTSIDE),
        sum(expected[word] for word in OUTSIDE),
        sum(survives(tested)),
    )


def survives(verdicts: Sequence[Verdict]) -> list[bool]:
    """Say for each number whether it lies outside even where all are tested together.

    At 5 % after Benjamini and Hochberg; the words of verdicts do not follow it.
    """
    return [bool(x) for x in stats.benjamini_hochberg([verdict.p or 0.0 for verdict in verdicts])]


def words_if_true(verdict: Verdict, draws: int = DRAWS) -> dict[Outcome, float]:
    """Simulate a claim that is true, by runs as ours are: how often it gets which word.

    See `stats.drawn_true`.

    Parameters
    ----------
    verdict : Verdict
        One on a number, with its test.
    draws : int
        How many times.
    """
    test = verdict.test
    assert test is not None
    seed = zlib.crc32(f"{verdict.experiment}/{verdict.claim.id}".encode())
    true = stats.drawn_true(test, seed, draws)
    inside, near = true.compatible, true.equivalent
    if np.isnan(test.margin):
        cases = {Outcome.CONSISTENT: inside, Outcome.NOT_REPRODUCED: ~inside}
    else:
        cases = {
            Outcome.REPRODUCED: inside & near, Outcome.IMPRECISE: inside & ~near,
            Outcome.CLOSE: ~inside & near, Outcome.NOT_REPRODUCED: ~inside & ~near,
        }  # fmt: skip
    return {word: float(case.mean()) for word, case in cases.items()}


# --- pooled deviations ---------------------------------------------------------------------------


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
        self._priors: dict[Any, stats.Prior | None] = {}

    @classmethod
    def of(cls, store: RunStore) -> Pool:
        """Read the runs of every experiment and variant of every report."""
        return cls(
            store.runs(experiment)
            for report in every_report()
            for experiment in report.trainable.values()
        )

    def prior(self, claim: Claim) -> stats.Prior | None:
        """Fit the prior for what a claim is about, whoever states it; see `stats.fit_prior`.

        None where fewer than ten experiments have runs that differ.
        """
        about = (
            claim.quantity, claim.split, claim.reading, claim.epoch, claim.label, claim.predicted,
            claim.unit, claim.than_split,
        )  # fmt: skip
        if about not in self._priors:
            self._priors[about] = self._fit(claim)
        return self._priors[about]

    def _fit(self, claim: Claim) -> stats.Prior | None:
        samples = [values for runs in self.groups if _all_finite(values := measure(claim, runs))]
        summaries = [summarise(claim, values) for values in samples]
        return stats.fit_prior(
            [float(np.square(summary.sd)) for summary in summaries], [len(x) for x in samples]
        )


def _all_finite(values: Any) -> bool:
    return bool(np.isfinite(values).all())
