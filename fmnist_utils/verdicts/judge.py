"""Hold each claim against the runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from fmnist_utils import stats
from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.quantities import EPOCHS, POINTS
from fmnist_utils.runs.pairing import nested, paired, unstable
from fmnist_utils.runs.record import Run
from fmnist_utils.stats import SampleSummary, Scale
from fmnist_utils.verdicts.exact import EXACT
from fmnist_utils.verdicts.measure import Evidence, measure, off_ends, readings, scale_of, summarise
from fmnist_utils.verdicts.outcome import Outcome, Verdict
from fmnist_utils.verdicts.rule import judge_number, judge_share, number_word

MIN_RUNS = 3

#: How the note begins where nested experiments are compared.
PAIRED = "paired by seed"


def judge(
    experiment: Experiment, claim: Claim, runs: Sequence[Run], reading: str | None = None
) -> Verdict:
    """Give the verdict on a claim about one experiment.

    Parameters
    ----------
    experiment : Experiment
        The experiment that the claim belongs to.
    claim : Claim
        A measured claim, or an exact one about the model, the protocol or the data.
    runs : sequence of Run
        The experiment's runs; fewer than three give ``pending``, and so does one that diverged
        or ended before the epoch that the claim is about.
    reading : str, optional
        Judge the claim under another reading than its own.

    Raises
    ------
    FmnistError
        When the claim cannot be read that way; see `readings`.
    """
    if reading and reading not in (ways := readings(claim, experiment)):
        raise FmnistError(
            f"claim {claim.id} of {experiment.id} cannot be read as {reading}; "
            f"it can as {', '.join(ways)}"
        )
    return hold_against(claim, Evidence(experiment, {experiment.id: runs}, reading))


def judge_comparison(claim: Claim, runs: Mapping[str, Sequence[Run]]) -> Verdict:
    """Give the verdict on a claim of the whole report, such as one that compares experiments.

    Parameters
    ----------
    claim : Claim
        Of quantity ``difference``, ``ordering`` or ``bound``, or one that needs no runs.
    runs : mapping
        Experiment id to its runs.
    """
    return hold_against(claim, Evidence(runs=runs))


def hold_against(claim: Claim, evidence: Evidence) -> Verdict:
    """Give the verdict on any claim, by the judge that its quantity names.

    Parameters
    ----------
    claim : Claim
        Of any quantity.
    evidence : Evidence
        What is there to hold it against, runs above all.
    """
    found = JUDGES[claim.about.judge](claim, evidence)
    tested = claim.kind in ("measured", "comparison") and found.word is not Outcome.PENDING
    if tested and (note := unstable(evidence.runs_behind(claim))):
        found = Verdict(None, claim, Outcome.UNSTABLE, runs=found.runs, note=note)
    owner = evidence.subject.id if isinstance(evidence.subject, Experiment) else None
    pooled_word = _pooled_word(found, evidence)
    return replace(found, claim=claim, experiment=owner, pooled_word=pooled_word)


def _pooled_word(verdict: Verdict, evidence: Evidence) -> Outcome | None:
    """Judge a number by the pooled standard deviation; None where there is none."""
    test = verdict.test
    if test is None or evidence.prior is None or verdict.note.startswith(PAIRED):
        return None
    prior = evidence.prior(verdict.claim)
    if not prior:
        return None
    return number_word(replace(test, summaries=tuple(map(prior.moderate, test.summaries))))


# --- one number ----------------------------------------------------------------------------------


def judge_values(
    claim: Claim, values: stats.Floats, image_variance: Callable[[float], float] = lambda _: 0.0
) -> Verdict:
    """Give the verdict on a number, from what each run gave for it.

    Parameters
    ----------
    claim : Claim
        About one number.
    values : ndarray of float, shape (runs,)
        In the claim's unit; fewer than three give ``pending``.
    image_variance : function, optional
        Gives, from the mean, the variance between the report's images and ours; see the rule.
    """
    if pending := _pending(claim, values):
        mean = float(values.mean()) if len(values) and not pending.note else None
        return replace(pending, mean=mean)
    mean, scale = float(values.mean()), scale_of(claim)
    at = float(off_ends(claim, mean))
    known = image_variance(at) * float(scale.derivative(at)) ** 2
    test = _test(claim, (summarise(claim, values),), scale, known)
    return judge_number(claim, test, mean, float(values.std(ddof=1)), len(values))


def _values(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge a number by the runs of its experiment."""
    values = measure(claim, evidence.own_runs, evidence.reading)
    found = judge_values(claim, values, lambda mean: _image_variance(claim, evidence, mean))
    if found.word is Outcome.PENDING:
        return found
    if claim.about.unit == EPOCHS:
        last = float(evidence.experiment.training.epochs)
        found = replace(found, low=max(found.low or 1.0, 1.0), high=min(found.high or last, last))
    return _read_by_column(found, evidence)


def _read_by_column(verdict: Verdict, evidence: Evidence) -> Verdict:
    """Add the word for the other way to read a share of which nobody knows of what images it is."""
    claim, open_reading = verdict.claim, "reading.class percentages"
    left_open = any(item.setting == open_reading for item in evidence.experiment.assumed)
    if not left_open or evidence.reading or not claim.about.of_class:
        return verdict
    other = _values(claim, replace(evidence, reading=f"{claim.reading}-predicted"))
    return _noted(verdict, f"{other.word} as a share of the images taken for the class")


def _difference(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge a difference of two experiments: of independent runs, or of pairs where nested."""
    ours, theirs = map(evidence.runs_of, (claim.of, claim.than))
    in_pairs = nested(ours, theirs)
    if in_pairs:
        ours, theirs = map(list, zip(*paired(ours, theirs), strict=True))
    a, b = measure(claim, ours), measure(claim, theirs)
    if pending := _pending(claim, a, b):
        return pending
    samples = (a - b,) if in_pairs else (a, b)
    summaries = tuple(summarise(claim, values) for values in samples)
    sd = float(np.sqrt(sum(np.square(summary.sd) for summary in summaries)))
    test = _test(claim, summaries, scale_of(claim))
    found = judge_number(claim, test, float(a.mean() - b.mean()), sd, min(len(a), len(b)))
    return _said(found, in_pairs)


def _match(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge two models said to be equally good as a difference of 0.00 points, claim included."""
    nothing = {"quantity": "difference", "value": Decimal("0.00"), "unit": "points"}
    return _difference(claim.model_copy(update=nothing), evidence)


def _test(
    claim: Claim, summaries: tuple[SampleSummary, ...], scale: Scale, known: float = 0.0
) -> stats.ClaimTest:
    value, mean_of = float(off_ends(claim, claim.number)), claim.mean_of or 1
    return stats.ClaimTest(
        value, claim.half_width, _margin(claim), summaries, known, mean_of, scale
    )


def _said(verdict: Verdict, in_pairs: bool) -> Verdict:
    """Say where the same trainings were compared seed by seed."""
    if not in_pairs or verdict.word is Outcome.PENDING:
        return verdict
    return _noted(replace(verdict, note=PAIRED), verdict.note)


def _noted(verdict: Verdict, more: str) -> Verdict:
    return replace(verdict, note="; ".join(filter(None, (verdict.note, more))))


def _pending(claim: Claim, *samples: stats.Floats) -> Verdict | None:
    """Return the verdict where a run diverged or there are too few; None when all can be judged."""
    n = min(map(len, samples))
    for values in samples:
        if lost := len(values) - np.count_nonzero(np.isfinite(values)):
            ended = f" or ended before epoch {claim.epoch}" if claim.epoch else ""
            note = f"{lost} of {len(values)} runs diverged{ended}"
            return Verdict(None, claim, Outcome.PENDING, runs=n, note=note)
    return Verdict(None, claim, Outcome.PENDING, runs=n) if n < MIN_RUNS else None


def _margin(claim: Claim) -> float:
    """Return Delta in the claim's unit; NaN where the interval alone decides."""
    margin = claim.about.margin
    if margin is None:
        return math.nan
    return margin * abs(claim.number) if claim.about.relative else margin * claim.whole / 100


def _image_variance(claim: Claim, evidence: Evidence, mean: float) -> float:
    """Return the variance between their images and ours, where nobody knows which theirs were.

    So wherever the report does not say how the training images were split, or by which seed: then
    both splits count as random draws from the training images, whichever one we chose. Where each
    of our runs draws a split of its own, their deviation has it already; but the trainings whose
    mean a report gives share one split, so that their mean does not vary less by it, as it does by
    the seeds.
    """
    experiment, held_out = evidence.experiment, evidence.experiment.training.validation
    open_split = {"training.validation.take", "training.validation.seed"}
    unknown = held_out.drawn_by_run or any(x.setting in open_split for x in experiment.assumed)
    from_pool = held_out.holds_out and claim.split != "test"
    reading = evidence.reading or claim.reading
    if not (unknown and from_pool and claim.about.is_metric) or reading.endswith("-all"):
        return 0.0
    drawn = evidence.own_runs[0].images[claim.split or ""], count("train_images")
    if claim.about.unit == POINTS:
        both = stats.sampling_variance(mean, *drawn, claim.whole)
    else:
        both = claim.whole**2 * stats.loss_sampling_variance(mean / claim.whole, *drawn)
    if not held_out.drawn_by_run:
        return both
    return both / 2 * (1 - 1 / (claim.mean_of or 1))


# --- shares of runs ------------------------------------------------------------------------------


def _bound(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge by the share of runs that keep a bound, with its interval of Clopper and Pearson.

    A bound that includes its value is kept by what rounds to it; ``above`` and ``below`` are not.
    """
    values = measure(claim, evidence.runs_of(claim.of))
    n = len(values)
    if pending := _pending(claim, values):
        return pending
    upwards = claim.relation in ("at_least", "above")
    # In floating point 100 times 0.921 is more than 92.1.
    beyond = np.round(values - claim.number if upwards else claim.number - values, 9)
    with_value = claim.relation in ("at_least", "at_most")
    kept = np.count_nonzero(beyond >= -claim.half_width if with_value else beyond > 0)
    exactly = np.count_nonzero(beyond >= 0)
    told = f"{exactly} of {n} runs without rounding" if with_value and exactly < kept else ""
    return _noted(_judge_kept(claim, float(kept), n), told)


def _ordering(claim: Claim, evidence: Evidence) -> Verdict:
    ours, theirs = map(evidence.runs_of, (claim.of, claim.than))
    if in_pairs := nested(ours, theirs):
        ours, theirs = map(list, zip(*paired(ours, theirs), strict=True))
    above, below = measure(claim, ours), measure(claim, theirs)
    judge_sides = _judge_within_runs if in_pairs else _judge_pairs
    return _said(judge_sides(claim, above, below), in_pairs)


def _class_ordering(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge every pair of classes and return the worst verdict, for all of them must hold.

    Two classes are compared within each run: a run that takes more shirts for coats finds more
    coats, so that what it gives of both is not independent.

    No correction for their number: where each part of a claim must pass its own test, all of them
    together pass wrongly no more often than one (intersection-union test, Berger 1982).
    """

    def recalls(label: int) -> stats.Floats:
        of_class = claim.model_copy(update={"label": label})
        return measure(of_class, evidence.own_runs, evidence.reading)

    above, below = (map(recalls, labels or ()) for labels in (claim.labels, claim.than_labels))
    found = [_judge_within_runs(claim, *pair) for pair in itertools.product(above, below)]
    # One that is pending leaves the claim open, however bad another is.
    return min(found, key=lambda v: (v.word is not Outcome.PENDING, v.word.rank, v.mean or 0.0))


def _judge_pairs(claim: Claim, above: stats.Floats, below: stats.Floats) -> Verdict:
    if pending := _pending(claim, above, below):
        return pending
    share, *_ = stats.pairs_won(above, below)
    a, b = len(above), len(below)
    return judge_share(
        claim, share, lambda more: stats.pairs_interval(share, a + more, b + more), min(a, b)
    )


def _judge_within_runs(claim: Claim, above: stats.Floats, below: stats.Floats) -> Verdict:
    """Judge by the share of runs, or of pairs of nested ones, in which one is above the other."""
    if pending := _pending(claim, above, below):
        return pending
    won = np.count_nonzero(above > below) + 0.5 * np.count_nonzero(above == below)
    return _judge_kept(claim, won, len(above))


def _judge_kept(claim: Claim, kept: float, n: int) -> Verdict:
    """Judge a share of runs, ties counting half."""

    def interval(more: NDArray[np.int64]) -> tuple[stats.Floats, stats.Floats]:
        return stats.clopper_pearson_interval(kept / n * (n + more), n + more)

    return judge_share(claim, kept / n, interval, n)


#: How each `judge` of the registry reaches its verdict.
JUDGES: dict[str, Callable[[Claim, Evidence], Verdict]] = {
    "values": _values,
    "difference": _difference,
    "match": _match,
    "ordering": _ordering,
    "class_ordering": _class_ordering,
    "bound": _bound,
    **EXACT,
}
