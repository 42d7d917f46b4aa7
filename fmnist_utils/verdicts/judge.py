"""Hold each claim against the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from fmnist_utils.data.fashion_mnist import FACTS, count
from fmnist_utils.errors import FmnistError
from fmnist_utils.models.build import _TOTALS, parameter_totals
from fmnist_utils.reports.claim import Claim, same_value
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.runs.record import Run
from fmnist_utils.stats import (
    Floats,
    claim_tests,
    exact_share_interval,
    pairs_won,
    prediction_reach,
    sampling_variance,
)
from fmnist_utils.verdicts.measure import measure, readings
from fmnist_utils.verdicts.outcome import Verdict, Word

MIN_RUNS = 3


#: Equivalence margins: percentage points for accuracy, a share of the claimed value for losses.
ACCURACY_MARGIN = 1.0

LOSS_MARGIN = 0.10

#: Of precision, recall and F1 of one class, percentage points: a class has 1,000 test images.
CLASS_MARGIN = 3.0


#: An ordering is meaningful when a random run of A beats one of B this often (Bouthillier 2021).
ORDERING_THRESHOLD = 0.75


def judge(
    experiment: Experiment,
    claim: Claim,
    runs: Sequence[Run],
    reading: str | None = None,
) -> Verdict:
    """Give the verdict on a claim about one experiment.

    Parameters
    ----------
    experiment : Experiment
        The experiment that the claim belongs to.
    claim : Claim
        A measured claim, or an exact one about the protocol or the data. Claims about the layer
        table need the built model: see `judge_layers`.
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
    if claim.quantity == "setting":
        return _judge_setting(experiment.setting(claim.setting or ""), claim, experiment.id)
    if claim.quantity == "data":
        return _judge_fact(experiment.id, claim)
    if claim.quantity == "images":
        return _judge_exact(experiment.id, claim, _images(experiment, claim))
    if claim.quantity in _TOTALS:
        totals = parameter_totals(experiment.build())
        return _judge_exact(experiment.id, claim, totals[claim.quantity])
    if claim.kind == "untested":
        return _not_tested(experiment.id, claim, runs)
    values = measure(claim, runs, reading)
    if claim.quantity == "class_ordering":
        lower = claim.model_copy(update={"label": claim.than_label})
        return _judge_ordering(claim, values, measure(lower, runs, reading), experiment.id)
    return _judge_values(experiment.id, claim, values, _sampling_variance(experiment, claim, runs))


def _judge_values(
    experiment_id: str | None, claim: Claim, values: Floats, added: float = 0.0
) -> Verdict:
    n = len(values)
    if lost := n - np.count_nonzero(np.isfinite(values)):
        ended = f" or ended before epoch {claim.epoch}" if claim.epoch else ""
        note = f"{lost} of {n} runs diverged{ended}"
        return Verdict(experiment_id, claim, Word.PENDING, runs=n, note=note)
    if n < MIN_RUNS:
        mean = float(values.mean()) if n else None
        return Verdict(experiment_id, claim, Word.PENDING, mean=mean, runs=n)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    of = claim.mean_of or 1
    reach = prediction_reach(sd, n, added, of)
    margin = _margin(claim)
    compatible, equivalent = claim_tests(
        claim.number, claim.half_width, mean, sd, n, margin or 0.0, added, of
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
        experiment_id, claim, word, mean, sd, float(mean - reach), float(mean + reach), n, note=note
    )


def _margin(claim: Claim) -> float | None:
    """Return Delta in the claim's unit; None where the interval alone decides."""
    if claim.quantity in ("accuracy", "difference"):
        return ACCURACY_MARGIN * claim.whole / 100
    if claim.label is not None:
        return CLASS_MARGIN * claim.whole / 100
    return LOSS_MARGIN * abs(claim.number) if claim.quantity == "loss" else None


def _sampling_variance(experiment: Experiment, claim: Claim, runs: Sequence[Run]) -> float:
    """Return the variance between their validation images and ours, when both are random draws."""
    drawn = experiment.training.validation.take == "random"
    if claim.split != "validation" or claim.quantity != "accuracy" or not (drawn and runs):
        return 0.0
    return sampling_variance(claim.number, runs[0].images["validation"], claim.whole)


def judge_comparison(claim: Claim, runs: Mapping[str, Sequence[Run]]) -> Verdict:
    """Give the verdict on a claim that sets experiments against each other.

    Parameters
    ----------
    claim : Claim
        Of quantity ``difference``, ``ordering`` or ``bound``.
    runs : mapping
        Experiment id to its runs. A difference pairs runs by seed: the runs are independent, so
        any pairing serves, and the rule for single numbers applies unchanged.
    """
    ours = list(runs.get(claim.of or "", ()))
    if claim.quantity == "difference":
        theirs = {run.seed: run for run in runs.get(claim.than or "", ())}
        paired = [run for run in ours if run.seed in theirs]
        values = measure(claim, paired) - measure(claim, [theirs[run.seed] for run in paired])
        return _judge_values(None, claim, values)
    if claim.quantity == "bound":
        return _judge_bound(claim, measure(claim, ours))
    others = list(runs.get(claim.than or "", ()))
    return _judge_ordering(claim, measure(claim, ours), measure(claim, others))


def _judge_bound(claim: Claim, values: Floats) -> Verdict:
    """Judge by the share of runs that keep a bound, with its interval of Clopper and Pearson.

    A value that rounds to the bound keeps it. The bootstrap would not do: where all runs keep a
    bound, every resample does, so that its interval would be a point.
    """
    n = len(values)
    if n < MIN_RUNS:
        return Verdict(None, claim, Word.PENDING, runs=n)
    beyond = values - claim.number if claim.relation == "at_least" else claim.number - values
    kept = int(np.count_nonzero(beyond >= -claim.half_width))
    return _judge_share(claim, kept / n, *exact_share_interval(kept, n), n)


def _judge_ordering(
    claim: Claim, above: Floats, below: Floats, experiment_id: str | None = None
) -> Verdict:
    n = min(len(above), len(below))
    if n < MIN_RUNS:
        return Verdict(experiment_id, claim, Word.PENDING, runs=n)
    return _judge_share(claim, *pairs_won(above, below), n, experiment_id)


def _judge_share(
    claim: Claim, share: float, low: float, high: float, n: int, experiment_id: str | None = None
) -> Verdict:
    if share >= ORDERING_THRESHOLD and low > 0.5:
        word = Word.REPRODUCED
    elif high < ORDERING_THRESHOLD:
        word = Word.NOT_REPRODUCED
    else:
        word = Word.IMPRECISE
    return Verdict(experiment_id, claim, word, share, None, low, high, n)


def _judge_setting(used: Any, claim: Claim, experiment_id: str | None = None) -> Verdict:
    stated = claim.value
    if claim.unit == "percent" and isinstance(stated, Decimal):
        stated = stated / 100
    word = Word.FOLLOWED if same_value(stated, used) else Word.DIFFERS
    return Verdict(experiment_id, claim, word, ours=used)


def _judge_fact(experiment_id: str | None, claim: Claim) -> Verdict:
    fact = FACTS[claim.fact or ""]
    if isinstance(fact, float) and claim.unit == "percent":
        fact = 100 * fact
    return _judge_exact(experiment_id, claim, fact)


def _judge_exact(experiment_id: str | None, claim: Claim, ours: Any) -> Verdict:
    if isinstance(ours, float):  # a share, which the report rounds
        equal = abs(claim.number - ours) <= claim.half_width
    else:
        equal = same_value(claim.value, ours)
    word = Word.EQUAL if equal else Word.DIFFERS
    return Verdict(experiment_id, claim, word, ours=ours)


def _images(experiment: Experiment, claim: Claim) -> Any:
    """Return how many images a split has, or, as the claim does, the shape of its array."""
    if claim.label is not None:
        return count("test_images_per_class")
    n = split_sizes(experiment.training)[claim.split or "test"]
    if isinstance(claim.value, tuple):
        rest = {1: (), 2: (10,), 3: (28, 28), 4: (28, 28, 1)}
        return (n, *rest.get(len(claim.value), ()))
    return 100 * n / count("total_images") if claim.unit == "percent" else n


def _not_tested(experiment_id: str | None, claim: Claim, runs: Sequence[Run] = ()) -> Verdict:
    """Show our training time beside theirs; a number from other work stands alone."""
    if claim.quantity == "cited" or not runs:
        note = "from other work" if claim.quantity == "cited" else "other hardware"
        return Verdict(experiment_id, claim, Word.NOT_TESTED, note=note)
    minutes = np.array([sum(run.seconds_per_epoch) / 60 for run in runs])
    return Verdict(
        experiment_id, claim, Word.NOT_TESTED, mean=float(minutes.mean()), runs=len(runs),
        note="other hardware",
    )  # fmt: skip
