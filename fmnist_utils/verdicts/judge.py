"""Hold each claim against the runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np

from fmnist_utils import stats
from fmnist_utils.data.fashion_mnist import FACTS, NUM_CLASSES, count
from fmnist_utils.errors import FmnistError
from fmnist_utils.models.build import layer_table, parameter_totals
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.quantities import POINTS
from fmnist_utils.reports.search import Search
from fmnist_utils.reports.values import same_value
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.measure import measure, readings
from fmnist_utils.verdicts.outcome import Verdict, Word
from fmnist_utils.verdicts.printed_layers import built_cell

MIN_RUNS = 3

#: An ordering is meaningful when a random run of A beats one of B this often (Bouthillier 2021).
ORDERING_THRESHOLD = 0.75


@dataclass(frozen=True)
class Evidence:
    """What a claim is held against.

    Attributes
    ----------
    subject : Experiment, Search or None
        Whose claim it is; None for one of the whole report.
    runs : mapping
        Experiment id to its runs.
    reading : str, optional
        Another reading than the claim's own.
    trials : int
        How many trials of the search, whose claim it is, were trained.
    model : keras.Model, optional
        The experiment's built model, when there is one already.
    """

    subject: Experiment | Search | None = None
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    reading: str | None = None
    trials: int = 0
    model: Any | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment, where the claim must have one."""
        assert isinstance(self.subject, Experiment)
        return self.subject

    @property
    def own_runs(self) -> Sequence[Run]:
        """The runs of the experiment."""
        return self.runs_of(self.subject.id if self.subject else None)

    @property
    def built(self) -> Any:
        """The built model."""
        return self.model or self.experiment.build()

    def runs_of(self, experiment_id: str | None) -> Sequence[Run]:
        """Return the runs of an experiment; none when there are none."""
        return self.runs.get(experiment_id or "", ())


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
    """Give the verdict on any claim, by the judge that its quantity names."""
    found = JUDGES[claim.about.judge](claim, evidence)
    owner = evidence.subject.id if isinstance(evidence.subject, Experiment) else None
    return replace(found, experiment=owner)


# --- one number ----------------------------------------------------------------------------------


def _values(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge a number by the runs of its experiment."""
    values = measure(claim, evidence.own_runs, evidence.reading)
    return _judge_values(claim, values, _image_variance(claim, evidence))


def _difference(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge a difference of two experiments by pairs of runs with the same seed.

    The runs are independent, so any pairing serves, and the rule for single numbers applies.
    """
    theirs = {run.seed: run for run in evidence.runs_of(claim.than)}
    paired = [run for run in evidence.runs_of(claim.of) if run.seed in theirs]
    values = measure(claim, paired) - measure(claim, [theirs[run.seed] for run in paired])
    return _judge_values(claim, values)


def _match(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge two models said to be equally good as a difference of nothing, without rounding."""
    nothing = claim.model_copy(update={"value": Decimal("0.00"), "unit": "points"})
    return replace(_difference(nothing, evidence), claim=claim)


def _judge_values(claim: Claim, values: stats.Floats, added_variance: float = 0.0) -> Verdict:
    n = len(values)
    if pending := _pending(claim, values):
        mean = float(values.mean()) if n and not pending.note else None
        return replace(pending, mean=mean)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    of = claim.mean_of or 1
    reach = stats.prediction_reach(sd, n, added_variance, of)
    margin = _margin(claim)
    compatible, equivalent = stats.claim_tests(
        claim.number, claim.half_width, mean, sd, n, margin or 0.0, added_variance, of
    )
    direction = "higher" if mean > claim.number else "lower"
    if margin is None:
        word = Word.CONSISTENT if compatible else Word.NOT_REPRODUCED
    elif compatible:
        word = Word.REPRODUCED if equivalent else Word.IMPRECISE
    else:
        word = Word.CLOSE if equivalent else Word.NOT_REPRODUCED
    note = "" if compatible else f"we got {direction}"
    return Verdict(
        None, claim, word, mean, sd, float(mean - reach), float(mean + reach), n, note=note
    )


def _pending(claim: Claim, *samples: stats.Floats) -> Verdict | None:
    """Return the verdict where a run diverged or there are too few; None when all can be judged."""
    n = min(map(len, samples))
    for values in samples:
        if lost := len(values) - np.count_nonzero(np.isfinite(values)):
            ended = f" or ended before epoch {claim.epoch}" if claim.epoch else ""
            note = f"{lost} of {len(values)} runs diverged{ended}"
            return Verdict(None, claim, Word.PENDING, runs=n, note=note)
    return Verdict(None, claim, Word.PENDING, runs=n) if n < MIN_RUNS else None


def _margin(claim: Claim) -> float | None:
    """Return Delta in the claim's unit; None where the interval alone decides."""
    margin = claim.about.margin
    if margin is None:
        return None
    return margin * abs(claim.number) if claim.about.relative else margin * claim.whole / 100


def _image_variance(claim: Claim, evidence: Evidence) -> float:
    """Return the variance between their validation images and ours, when both are random draws."""
    runs, drawn = evidence.own_runs, evidence.experiment.training.validation.take == "random"
    if not (drawn and runs and claim.split == "validation" and claim.about.unit == POINTS):
        return 0.0
    return stats.sampling_variance(claim.number, runs[0].images["validation"], claim.whole)


# --- shares of runs ------------------------------------------------------------------------------


def _bound(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge by the share of runs that keep a bound, with its interval of Clopper and Pearson.

    A value that rounds to the bound keeps it. The bootstrap would not do: where all runs keep a
    bound, every resample does, so that its interval would be a point.
    """
    values = measure(claim, evidence.runs_of(claim.of))
    n = len(values)
    if pending := _pending(claim, values):
        return pending
    beyond = values - claim.number if claim.relation == "at_least" else claim.number - values
    kept = int(np.count_nonzero(beyond >= -claim.half_width))
    return _judge_share(claim, kept / n, *stats.exact_share_interval(kept, n), n)


def _ordering(claim: Claim, evidence: Evidence) -> Verdict:
    above, below = (measure(claim, evidence.runs_of(name)) for name in (claim.of, claim.than))
    return _judge_pairs(claim, above, below)


def _class_ordering(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge every pair of classes and return the worst verdict, for all of them must hold.

    No correction for their number: where each part of a claim must pass its own test, all of them
    together pass wrongly no more often than one (intersection-union test, Berger 1982).
    """

    def recalls(label: int) -> stats.Floats:
        of_class = claim.model_copy(update={"label": label})
        return measure(of_class, evidence.own_runs, evidence.reading)

    above, below = (map(recalls, labels or ()) for labels in (claim.labels, claim.than_labels))
    found = [_judge_pairs(claim, *pair) for pair in itertools.product(above, below)]
    return min(found, key=lambda verdict: (_FROM_WORST.index(verdict.word), verdict.mean or 0.0))


#: How a claim of several comparisons fares: as the worst of them.
_FROM_WORST = (Word.PENDING, Word.NOT_REPRODUCED, Word.IMPRECISE, Word.REPRODUCED)


def _judge_pairs(claim: Claim, above: stats.Floats, below: stats.Floats) -> Verdict:
    if pending := _pending(claim, above, below):
        return pending
    return _judge_share(claim, *stats.pairs_won(above, below), min(len(above), len(below)))


def _judge_share(claim: Claim, share: float, low: float, high: float, n: int) -> Verdict:
    if share >= ORDERING_THRESHOLD and low > 0.5:
        word = Word.REPRODUCED
    elif high < ORDERING_THRESHOLD:
        word = Word.NOT_REPRODUCED
    else:
        word = Word.IMPRECISE
    return Verdict(None, claim, word, mean=share, low=low, high=high, runs=n)


# --- exact, and not tested -----------------------------------------------------------------------


def _setting(claim: Claim, evidence: Evidence) -> Verdict:
    assert evidence.subject
    used, stated = evidence.subject.setting(claim.setting or ""), claim.value
    if claim.unit == "percent" and isinstance(stated, Decimal):
        stated = stated / 100
    return _judge_used(claim, evidence, used, same_value(stated, used))


def _judge_used(claim: Claim, evidence: Evidence, used: Any, same: bool) -> Verdict:
    """Judge what was set as stated, so that it could not differ: only a training follows it."""
    if not same:
        return Verdict(None, claim, Word.DIFFERS, ours=used)
    unused = ""
    if isinstance(evidence.subject, Search):
        if not evidence.trials:
            unused = "no trials of this search"
        elif (claim.setting or "").endswith(".default"):
            unused = "a random search uses no default"
    elif not evidence.own_runs:
        unused = "no runs yet"
    word = Word.NOT_TESTED if unused else Word.FOLLOWED
    return Verdict(None, claim, word, ours=used, note=unused)


def _fact(claim: Claim, evidence: Evidence) -> Verdict:
    fact = FACTS[claim.fact or ""]
    if isinstance(fact, float) and claim.unit == "percent":
        fact = 100 * fact
    return _judge_exact(claim, fact)


def _images(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge how many images a split has, or, as the claim does, the shape of its array.

    The parts of the training images are those that we set ourselves, by what the report states.
    """
    n = split_sizes(evidence.experiment.training)[claim.split or "test"]
    ours: Any = n
    if claim.label is not None:
        ours = count("test_images_per_class")
    elif isinstance(claim.value, tuple):
        rest = {1: (), 2: (NUM_CLASSES,), 3: (28, 28), 4: (28, 28, 1)}
        ours = (n, *rest.get(len(claim.value), ()))
    elif claim.unit == "percent":
        ours = 100 * n / count("total_images")
    exact = _judge_exact(claim, ours)
    if claim.split == "test":
        return exact
    return _judge_used(claim, evidence, ours, exact.word == Word.EQUAL)


def _total(claim: Claim, evidence: Evidence) -> Verdict:
    return _judge_exact(claim, parameter_totals(evidence.built)[claim.quantity])


def _layer(claim: Claim, evidence: Evidence) -> Verdict:
    ours = built_cell(claim, evidence.experiment, layer_table(evidence.built))
    return _judge_exact(claim, ours)


def _judge_exact(claim: Claim, ours: Any) -> Verdict:
    if isinstance(ours, float):  # a share, which the report rounds
        equal = abs(claim.number - ours) <= claim.half_width
    else:
        equal = same_value(claim.value, ours)
    return Verdict(None, claim, Word.EQUAL if equal else Word.DIFFERS, ours=ours)


def _cited(claim: Claim, evidence: Evidence) -> Verdict:
    return Verdict(None, claim, Word.NOT_TESTED, note="from other work")


def _minutes(claim: Claim, evidence: Evidence) -> Verdict:
    """Show our training time beside theirs."""
    minutes = [sum(run.seconds_per_epoch) / 60 for run in evidence.own_runs]
    mean = float(np.mean(minutes)) if minutes else None
    return Verdict(None, claim, Word.NOT_TESTED, mean, runs=len(minutes), note="other hardware")


#: How each `judge` of the registry reaches its verdict.
JUDGES: dict[str, Callable[[Claim, Evidence], Verdict]] = {
    "values": _values,
    "difference": _difference,
    "match": _match,
    "ordering": _ordering,
    "class_ordering": _class_ordering,
    "bound": _bound,
    "setting": _setting,
    "fact": _fact,
    "images": _images,
    "total": _total,
    "layer": _layer,
    "cited": _cited,
    "minutes": _minutes,
}
