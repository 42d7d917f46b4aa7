"""A report against our runs: what seeds alone do, and what another protocol gives."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fmnist_utils.audit.fault import Fault, place
from fmnist_utils.audit.protocol_checks import trials_of
from fmnist_utils.audit.statement_checks import claims_compared
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import Run
from fmnist_utils.stats import chance_factor
from fmnist_utils.text import counted, experiment_title, joined, listed, stated_value, subject_text
from fmnist_utils.verdicts.judge import MIN_RUNS, hold_against
from fmnist_utils.verdicts.measure import Evidence, measure

Runs = Mapping[str, Sequence[Run]]


# --- what seeds alone do -------------------------------------------------------------------------


def within_seed_noise(report: Report, runs: Runs) -> Iterator[Fault]:
    """Find single runs that are ranked, and differ by no more than seeds do.

    Parameters
    ----------
    report : Report
        Whose orderings are looked at.
    runs : mapping of str to sequence of Run
        Id of an experiment to its runs; a pair that lacks some is passed over.
    """
    pairs: dict[Any, list[Claim]] = defaultdict(list)
    for claim in report.claims:
        sides = claims_compared(report, claim)
        # A number that also stands under another model is compared there; as good is no rank.
        shared = any(side and "/" in side.statement for side in sides)
        if not shared and claim.about.judge != "match":
            pairs[frozenset((claim.of, claim.than)), claim.split].append(claim)
    found = [(claims, text) for claims in pairs.values() if (text := _noise(report, claims, runs))]
    if found:
        trials = {e.id for search in report.searches.values() for e in trials_of(report, search)}
        ranked = all({c.of, c.than} <= trials for claims, _ in found for c in claims)
        yield Fault(
            kind="noise",
            where=place(*(claim for claims, _ in found for claim in claims)),
            claimed=joined(_ranked(report, claims[0]) for claims, _ in found),
            because=joined(text for _, text in found),
            # No sentence of a report rests on the ranks of a table of trials.
            severity="low" if ranked else None,
        )


def _ranked(report: Report, claim: Claim) -> str:
    one, other = claims_compared(report, claim)
    assert one and other
    trained = [side.mean_of or 1 for side in (one, other)]
    each = "one run each" if trained == [1, 1] else f"{trained[0]} and {trained[1]} runs"
    return (
        f"{experiment_title(report, claim.of)} ({stated_value(one)}) and "
        f"{experiment_title(report, claim.than)} ({stated_value(other)}) are told apart by {each}"
    )


def _noise(report: Report, claims: Sequence[Claim], runs: Runs) -> str:
    """Say that two models differ by no more than seeds do; nothing when they do, or are equal."""
    one, other = claims_compared(report, claims[0])
    if not one or not other:
        return ""
    samples = [runs.get(name or "", ()) for name in (claims[0].of, claims[0].than)]
    gap = 100 * abs(float(one.interval.middle - other.interval.middle))
    if min(map(len, samples)) < MIN_RUNS or not gap:
        return ""
    spreads = [_spread(side, sample) for side, sample in zip((one, other), samples, strict=True)]
    factor = chance_factor(spreads, [len(sample) for sample in samples])
    reach = factor * math.hypot(*spreads)
    if not gap < reach:  # nor when a run diverged
        return ""
    terms = " + ".join(f"{sd:.3f}²" for sd in spreads)
    return (
        f"{gap:.2f} points is less than the {factor:.2f} × √({terms}) = {reach:.2f} points by "
        "which two seeds lie apart in 95 % of cases"
    )


def _spread(claim: Claim, runs: Sequence[Run]) -> float:
    """Return the standard deviation, in points, of what is claimed."""
    sd = float(np.std(measure(claim, runs), ddof=1) * 100 / claim.whole)
    return sd / math.sqrt(claim.mean_of or 1)


# --- what another protocol gives -----------------------------------------------------------------


class _Fit(NamedTuple):
    """How well the numbers of a report fit runs: the share that does, and how far off all are."""

    share: float
    distance: float
    texts: list[str]


#: The named protocol fails and another one fits when at most half, and at least two thirds, of the
#: numbers fit. All need not: in one report, accuracies on images that were not trained on lie about
#: a point off where the other numbers fit.
_FAILS, _FITS = 0.5, 0.65


def fitting_another_protocol(report: Report, runs: Runs) -> Iterator[Fault]:
    """Find numbers that our runs miss, and the same network trained otherwise hits.

    Parameters
    ----------
    report : Report
        Whose losses and accuracies are looked at.
    runs : mapping of str to sequence of Run
        Id of an experiment or variant to its runs, the trainings to choose from.
    """
    for experiment in report.experiments.values():
        metrics = {
            (claim.quantity, claim.split): claim
            for claim in reversed(experiment.stated)  # of several statements the first
            if claim.about.is_metric and claim.epoch is None and claim.mean_of is None
            if "/" not in claim.statement
        }
        claims = list(reversed(metrics.values()))
        own = _fit(experiment, claims, runs.get(experiment.id, ()))
        # An epoch table shows how long a network was trained.
        told = len(claims) < 2 or experiment.epoch_tables
        if told or own is None or own.share > _FAILS:
            continue
        others = [
            (fit, other)
            for other in report.trainable.values()
            if other.id != experiment.id and other.model == experiment.model
            if (fit := _fit(experiment, claims, runs.get(other.id, ())))
        ]
        if not others:
            continue
        best, other = max(others, key=lambda found: (found[0].share, -found[0].distance))
        if best.share >= _FITS:
            yield Fault(
                kind="other-protocol",
                about=experiment.id,
                where=place(*claims),
                claimed=joined(f"{subject_text(c)} {stated_value(c)}" for c in claims),
                because=f"trained as named it gives {listed(own.texts)}; {other.title} gives "
                f"{listed(best.texts)}, which is nearest of "
                f"{counted(len(others), 'other training')} of this network that we ran, some of "
                f"them with these numbers in view{_how_many(best)}",
                words={"of": experiment.title},
            )


def _how_many(fit: _Fit) -> str:
    """Say how many numbers fit, where not all do."""
    of = len(fit.texts)
    return "" if fit.share == 1 else f"; {round(fit.share * of)} of {of} numbers fit"


def _fit(experiment: Experiment, claims: Sequence[Claim], runs: Sequence[Run]) -> _Fit | None:
    """Compare claims with runs; one fits inside their interval and no farther than the margin."""
    distances, inside, texts = [], [], []
    for claim in claims:
        verdict = hold_against(claim, Evidence(experiment, {experiment.id: runs}))
        if verdict.mean is None or verdict.low is None or verdict.high is None:
            return None
        margin = (claim.about.margin or 0) * (
            abs(claim.number) if claim.about.relative else claim.whole / 100
        )
        # No nearer than rounding leaves open: a share of a loss of 0.00 is nothing.
        distance = abs(claim.number - verdict.mean) / max(margin, claim.half_width)
        distances.append(distance)
        low, high = verdict.low - claim.half_width, verdict.high + claim.half_width
        inside.append(distance <= 1 and low <= claim.number <= high)
        texts.append(f"{verdict.mean:.{3 if claim.whole == 1 else 2}f}")
    return _Fit(float(np.mean(inside)), float(np.sum(distances)), texts) if claims else None
