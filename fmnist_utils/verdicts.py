"""Hold each claim against the runs.

The rule was fixed before any run was looked at. A claim v, printed with rounding half-width rho,
meets S runs with mean m and standard deviation s; D = max(0, abs(v - m) - rho) is the distance that
rounding cannot explain, and q = s * sqrt(1 + 1/S) the standard error of one more run:

* compatible: D <= t(.975, S-1) * q, a prediction interval (Spence & Stanley 2016);
* equivalent: D + t(.95, S-1) * q <= Delta, two one-sided tests (Lakens 2017).

Both sides use the same 10,000 test images, so the sampling error of the test set cancels and no
binomial term is added, except where the claim was measured on images that are not ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fmnist_utils import data, models
from fmnist_utils.models import Layer
from fmnist_utils.reports import READINGS, Claim, Experiment, Report
from fmnist_utils.reports.schema import PrintedLayer, same_value
from fmnist_utils.runs import Run, RunStore, Snapshot

Floats = NDArray[np.float64]

MIN_RUNS = 3

#: Equivalence margins: percentage points for accuracy, a share of the claimed value for losses.
ACCURACY_MARGIN = 1.0
LOSS_MARGIN = 0.10

#: An ordering is meaningful when a random run of A beats one of B this often (Bouthillier 2021).
ORDERING_THRESHOLD = 0.75
_RESAMPLES = 10_000


class Word(StrEnum):
    """What a verdict says, in the words that every page uses."""

    REPRODUCED = "reproduced"
    CLOSE = "close"
    IMPRECISE = "consistent, imprecise"
    CONSISTENT = "consistent"
    NOT_REPRODUCED = "not reproduced"
    PENDING = "pending"
    EQUAL = "equal"
    FOLLOWED = "followed"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Verdict:
    """One claim held against the runs, or against the data, the model or the protocol in use.

    Attributes
    ----------
    experiment : str or None
        Id of the experiment the claim belongs to; None for claims about the data or several.
    mean, sd, low, high : float or None
        Of our runs, in the claim's unit; `low` and `high` bound the 95 % prediction interval of
        one more run, or for an ordering the bootstrap interval of the share of pairs won.
    runs : int
        How many runs, or pairs of runs, the verdict rests on.
    ours : object
        What an exact claim was compared with.
    note : str
        What the word leaves open, e.g. ``we got lower``.
    """

    experiment: str | None
    claim: Claim
    word: Word
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0
    ours: Any = None
    note: str = ""


def prediction_error(sd: ArrayLike, runs: ArrayLike, sampling_variance: ArrayLike = 0.0) -> Floats:
    """Return q, the standard error of one new run about the mean of the runs we have.

    Parameters
    ----------
    sd, runs : array_like
        Standard deviation and number of runs.
    sampling_variance : array_like
        Added variance where the claim was measured on images other than ours.
    """
    spread, runs = np.asarray(sd, float), np.asarray(runs, float)
    variance: Floats = spread**2 * (1 + 1 / runs) + np.asarray(sampling_variance, float)
    return np.sqrt(variance)


def compare(
    value: ArrayLike,
    half_width: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    runs: ArrayLike,
    margin: ArrayLike,
    sampling_variance: ArrayLike = 0.0,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Apply the two tests of the rule; all arguments broadcast.

    Parameters
    ----------
    value, half_width : array_like
        The claim and half of its last printed digit.
    mean, sd, runs : array_like
        Our runs; at least two.
    margin : array_like
        The equivalence margin Delta, in the unit of `value`.
    sampling_variance : array_like
        See `prediction_error`.

    Returns
    -------
    compatible, equivalent : ndarray of bool
    """
    distance = np.maximum(0.0, np.abs(np.subtract(value, mean)) - half_width)
    q = prediction_error(sd, runs, sampling_variance)
    freedom = np.asarray(runs) - 1
    compatible = distance <= stats.t.ppf(0.975, freedom) * q
    equivalent = distance + stats.t.ppf(0.95, freedom) * q <= margin
    return compatible, equivalent


def pairs_won(a: ArrayLike, b: ArrayLike) -> tuple[float, float, float]:
    """Estimate P(A > B) over all pairs of runs, ties counting half.

    Parameters
    ----------
    a, b : array_like
        One value per run, shapes ``(n,)`` and ``(m,)``.

    Returns
    -------
    share, low, high : float
        The share of pairs won and its 95 % percentile bootstrap interval (10,000 resamples of
        both sides, always the same ones).
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    won = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    draw = np.random.default_rng(0)
    rows = draw.integers(len(a), size=(_RESAMPLES, len(a), 1))
    columns = draw.integers(len(b), size=(_RESAMPLES, 1, len(b)))
    low, high = np.percentile(won[rows, columns].mean(axis=(1, 2)), [2.5, 97.5])
    return float(won.mean()), float(low), float(high)


# --- what a run says about a claim ---------------------------------------------------------------


def readings(claim: Claim) -> list[str]:
    """List the ways in which a measured claim can be read, the claim's own one first."""
    if claim.quantity not in ("accuracy", "loss"):
        return [claim.reading]
    every = list(READINGS) if claim.split == "train" else ["final", "best"]
    return [claim.reading, *(reading for reading in every if reading != claim.reading)]


def measure(claim: Claim, runs: Sequence[Run], reading: str | None = None) -> Floats:
    """Read what a claim is about off the runs, in the claim's unit.

    Parameters
    ----------
    claim : Claim
        Its quantity and split say what to look at; for comparisons too.
    runs : sequence of Run
        Runs of one experiment.
    reading : str, optional
        One of `READINGS`; the claim's own by default.

    Returns
    -------
    ndarray of float64, shape ``(len(runs),)``
    """
    reading = reading or claim.reading
    return np.array([_measure_one(claim, run, reading) for run in runs])


def _measure_one(claim: Claim, run: Run, reading: str) -> float:
    if claim.quantity == "epochs_trained":
        return run.epochs
    if claim.quantity == "lowest_val_loss_epoch":
        return int(np.argmin(run.history["val_loss"])) + 1
    name = "loss" if claim.quantity == "loss" else "accuracy"
    moment, _, part = reading.partition("-")
    snapshot = run.best if moment == "best" else run.final
    scale = 1.0 if claim.unit == "plain" else 100.0
    return scale * _evaluated(run, snapshot, name, claim.split or "test", part)


def _evaluated(run: Run, snapshot: Snapshot, name: str, split: str, part: str) -> float:
    if part == "running":
        return run.history[name][snapshot.epoch - 1]
    if part == "all":
        weights = [run.images["train"], run.images["validation"]]
        values = [getattr(snapshot.train, name), getattr(snapshot.validation, name)]
        return float(np.average(values, weights=weights))
    return float(getattr(getattr(snapshot, split), name))


# --- verdicts ------------------------------------------------------------------------------------


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
        The experiment's runs; fewer than three give ``pending``.
    reading : str, optional
        Judge the claim under another reading than its own.
    """
    if claim.quantity == "setting":
        return _judge_setting(experiment, claim)
    if claim.quantity == "data":
        return _judge_fact(experiment.id, claim)
    values = measure(claim, runs, reading)
    return _judge_values(experiment.id, claim, values, _sampling_variance(experiment, claim, runs))


def _judge_values(
    experiment_id: str | None, claim: Claim, values: Floats, sampling_variance: float = 0.0
) -> Verdict:
    if len(values) < MIN_RUNS:
        mean = float(values.mean()) if len(values) else None
        return Verdict(experiment_id, claim, Word.PENDING, mean=mean, runs=len(values))
    mean, sd, n = float(values.mean()), float(values.std(ddof=1)), len(values)
    reach = stats.t.ppf(0.975, n - 1) * prediction_error(sd, n, sampling_variance)
    margin = _margin(claim)
    compatible, equivalent = compare(
        claim.number, claim.half_width, mean, sd, n, margin or 0.0, sampling_variance
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
        return ACCURACY_MARGIN / (100.0 if claim.unit == "plain" else 1.0)
    return LOSS_MARGIN * abs(claim.number) if claim.quantity == "loss" else None


def _sampling_variance(experiment: Experiment, claim: Claim, runs: Sequence[Run]) -> float:
    """Return the variance between their validation images and ours, when both are random draws."""
    drawn = experiment.training.validation.take == "random"
    if claim.split != "validation" or claim.quantity != "accuracy" or not (drawn and runs):
        return 0.0
    scale = 1.0 if claim.unit == "plain" else 100.0
    p = claim.number / scale
    return scale**2 * 2 * p * (1 - p) / runs[0].images["validation"]


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
        return _judge_ordering(claim, *_against_bound(claim, measure(claim, ours)))
    others = list(runs.get(claim.than or "", ()))
    return _judge_ordering(claim, measure(claim, ours), measure(claim, others))


def _against_bound(claim: Claim, values: Floats) -> tuple[Floats, Floats]:
    """Turn a bound into an ordering against a constant; a value that rounds to it keeps it."""
    slack = claim.half_width if claim.relation == "at_least" else -claim.half_width
    limit = np.full_like(values, claim.number - slack)
    return (values, limit) if claim.relation == "at_least" else (limit, values)


def _judge_ordering(claim: Claim, above: Floats, below: Floats) -> Verdict:
    n = min(len(above), len(below))
    if n < MIN_RUNS:
        return Verdict(None, claim, Word.PENDING, runs=n)
    share, low, high = pairs_won(above, below)
    if share >= ORDERING_THRESHOLD and low > 0.5:
        word = Word.REPRODUCED
    elif high < ORDERING_THRESHOLD:
        word = Word.NOT_REPRODUCED
    else:
        word = Word.IMPRECISE
    note = f"holds in {100 * share:.0f} % of pairs of runs"
    if claim.quantity == "bound":
        note = f"holds in {100 * share:.0f} % of runs"
    return Verdict(None, claim, word, share, None, low, high, n, note=note)


def _judge_setting(experiment: Experiment, claim: Claim) -> Verdict:
    used = experiment.setting(claim.setting or "")
    stated = claim.value
    if claim.unit == "percent" and isinstance(stated, Decimal):
        stated = stated / 100
    word = Word.FOLLOWED if same_value(stated, used) else Word.DIFFERS
    return Verdict(experiment.id, claim, word, ours=used)


def _judge_fact(experiment_id: str | None, claim: Claim) -> Verdict:
    fact = data.FACTS[claim.fact or ""]
    return _judge_exact(experiment_id, claim, fact)


def _judge_exact(experiment_id: str | None, claim: Claim, ours: Any) -> Verdict:
    word = Word.EQUAL if same_value(claim.value, ours) else Word.DIFFERS
    return Verdict(experiment_id, claim, word, ours=ours)


def judge_layers(experiment: Experiment, model: Any | None = None) -> list[Verdict]:
    """Hold the printed layer table against the built model, cell by cell.

    Parameters
    ----------
    experiment : Experiment
        The experiment; without a printed table the list is empty.
    model : keras.Model, optional
        Its built model, when there is one already.
    """
    if experiment.table is None:
        return []
    model = model or experiment.build()
    built = aligned_layers(experiment, models.layer_table(model))
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    totals = {
        "total_params": int(model.count_params()),
        "trainable_params": trainable,
        "non_trainable_params": int(model.count_params()) - trainable,
    }
    return [
        _judge_exact(
            experiment.id,
            claim,
            totals[claim.quantity]
            if claim.layer is None
            else _built_cell(claim, experiment.table.layers, built),
        )
        for claim in experiment.table.claims()
    ]


def _built_cell(claim: Claim, printed: Sequence[PrintedLayer], built: Sequence[Layer]) -> Any:
    """Return what stands in our table where the claim's cell is; words where nothing can."""
    i = claim.layer or 0
    if i >= len(built):
        return "no such layer"
    if i == len(printed) - 1 and len(built) > len(printed):
        return f"{len(built) - len(printed)} more layers follow"
    if built[i].type != printed[i].type:
        return built[i].type
    return built[i].shape if claim.quantity == "layer_shape" else built[i].params


def aligned_layers(experiment: Experiment, built: list[Layer]) -> list[Layer]:
    """Leave the input row out of ours where the printed table leaves it out."""
    printed = experiment.table.layers if experiment.table else ()
    if printed and printed[0].type != "InputLayer":
        return [layer for layer in built if layer.type != "InputLayer"]
    return built


def judge_experiment(experiment: Experiment, runs: Sequence[Run]) -> list[Verdict]:
    """Give the verdicts on all claims an experiment states outside its layer table."""
    return [judge(experiment, claim, runs) for claim in experiment.stated]


def judge_claims(report: Report, runs: Mapping[str, Sequence[Run]]) -> list[Verdict]:
    """Give the verdicts on a report's claims about the data and about several experiments."""
    return [
        _judge_fact(None, claim) if claim.quantity == "data" else judge_comparison(claim, runs)
        for claim in report.claims
    ]


def accuracy_claims(report: Report, split: str = "test") -> dict[str, Claim]:
    """Return each experiment's first claim about its accuracy on a split, by experiment id."""
    found: dict[str, Claim] = {}
    for experiment in report.experiments.values():
        for claim in experiment.stated:
            if claim.quantity == "accuracy" and claim.split == split:
                found.setdefault(experiment.id, claim)
    return found


def reported_accuracies(report: Report, split: str = "test") -> dict[str, float]:
    """Return what each experiment reports as its accuracy on a split, in percent."""
    return {name: claim.number for name, claim in accuracy_claims(report, split).items()}


def judge_accuracies(
    report: Report, runs: Mapping[str, Sequence[Run]], split: str = "test"
) -> list[Verdict]:
    """Give one verdict per experiment, on its accuracy on a split."""
    return [
        judge(report[name], claim, runs.get(name, ()))
        for name, claim in accuracy_claims(report, split).items()
    ]


def judge_report(report: Report, store: RunStore) -> list[Verdict]:
    """Give the verdict on every number and ordering that a report states.

    Builds every model to check the layer tables, so it needs Keras and a few seconds.
    """
    runs = {name: store.runs(experiment) for name, experiment in report.experiments.items()}
    verdicts = judge_claims(report, runs)
    for name, experiment in report.experiments.items():
        verdicts += judge_experiment(experiment, runs[name])
        verdicts += judge_layers(experiment)
    return verdicts


def count_words(verdicts: Iterable[Verdict]) -> dict[Word, int]:
    """Count verdicts by word; every word is present, in the order in which pages show them."""
    words = [verdict.word for verdict in verdicts]
    return {word: words.count(word) for word in Word}
