"""Hold each claim against the runs.

The rule was fixed before any run was looked at. A claim v, printed with rounding half-width rho,
meets S runs with mean m and standard deviation s; D = max(0, abs(v - m) - rho) is the distance that
rounding cannot explain, and q = s * sqrt(1 + 1/S) the standard error of one more run:

* compatible: D <= t(.975, S-1) * q, a prediction interval (Spence & Stanley 2016);
* equivalent: D + t(.95, S-1) * q <= Delta, two one-sided tests (Lakens 2017).

A claim that is the mean of k trainings has q = s * sqrt(1/k + 1/S).

Both sides use the same 10,000 test images, so the sampling error of the test set cancels and no
binomial term is added, except where the claim was measured on images that are not ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fmnist_utils import data, models
from fmnist_utils.errors import FmnistError
from fmnist_utils.models import Layer
from fmnist_utils.reports import READINGS, Claim, Experiment, Report
from fmnist_utils.reports.schema import PrintedLayer, same_value
from fmnist_utils.reports.search import Search
from fmnist_utils.runs import Run, RunStore, Snapshot
from fmnist_utils.training import split_sizes

Floats = NDArray[np.float64]

MIN_RUNS = 3

#: Equivalence margins: percentage points for accuracy, a share of the claimed value for losses.
ACCURACY_MARGIN = 1.0
LOSS_MARGIN = 0.10
#: Of precision, recall and F1 of one class, percentage points: a class has 1,000 test images.
CLASS_MARGIN = 3.0

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
    NOT_TESTED = "not tested"
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
        one more run, for an ordering the bootstrap interval of the share of pairs won, and for a
        bound the exact interval of the share of runs that keep it.
    runs : int
        How many runs the verdict rests on; where two experiments are compared, those of either.
    ours : object
        What an exact claim was compared with.
    note : str
        What the numbers leave open, e.g. ``we got lower`` or ``1 of 5 runs diverged``.
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


def prediction_error(
    sd: ArrayLike, runs: ArrayLike, sampling_variance: ArrayLike = 0.0, mean_of: int = 1
) -> Floats:
    """Return q, the standard error of one new run about the mean of the runs we have.

    Parameters
    ----------
    sd, runs : array_like
        Standard deviation and number of runs.
    sampling_variance : array_like
        Added variance where the claim was measured on images other than ours.
    mean_of : int
        How many new runs are averaged.
    """
    spread, runs = np.asarray(sd, float), np.asarray(runs, float)
    variance: Floats = spread**2 * (1 / mean_of + 1 / runs) + np.asarray(sampling_variance, float)
    return np.sqrt(variance)


def compare(
    value: ArrayLike,
    half_width: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    runs: ArrayLike,
    margin: ArrayLike,
    sampling_variance: ArrayLike = 0.0,
    mean_of: int = 1,
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
    sampling_variance, mean_of
        See `prediction_error`.

    Returns
    -------
    compatible, equivalent : ndarray of bool
    """
    distance = np.maximum(0.0, np.abs(np.subtract(value, mean)) - half_width)
    q = prediction_error(sd, runs, sampling_variance, mean_of)
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


def readings(claim: Claim, experiment: Experiment) -> list[str]:
    """List the ways in which a measured claim can be read, the claim's own one first.

    Where the test images serve for validation, no training images are held out, and none of the
    readings counts those in.
    """
    if claim.quantity not in ("accuracy", "loss") or claim.epoch:
        return [claim.reading]
    every = list(READINGS) if claim.split == "train" else ["final", "best"]
    if experiment.training.validation.take == "test":
        every = [reading for reading in every if not reading.endswith("-all")]
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
        NaN for a run that diverged, or ended before the epoch that the claim is about.
    """
    reading = reading or claim.reading
    return np.array([_measure_one(claim, run, reading) for run in runs])


def _measure_one(claim: Claim, run: Run, reading: str) -> float:
    if claim.quantity == "epochs_trained":
        return run.epochs
    if claim.quantity == "lowest_val_loss_epoch":
        losses = run.history["val_loss"]
        return int(np.argmin(losses)) + 1 if np.isfinite(losses).all() else np.nan
    name = "loss" if claim.quantity == "loss" else "accuracy"
    if claim.epoch is not None:
        history = run.history[f"val_{name}" if claim.split == "validation" else name]
        return claim.whole * history[claim.epoch - 1] if claim.epoch <= len(history) else np.nan
    moment, _, part = reading.partition("-")
    snapshot = run.best if moment == "best" else run.final
    if claim.label is not None:
        return claim.whole * _class_score(claim, np.array(snapshot.test_confusion))
    return claim.whole * _evaluated(run, snapshot, name, claim.split or "test", part)


def _class_score(claim: Claim, confusion: NDArray[np.int64]) -> float:
    """Return one class's score; one that is never predicted has precision and F1 zero."""
    i = claim.label
    if claim.quantity == "confused":
        return float(confusion[i, claim.predicted] / confusion[i].sum())
    column = {"precision": 0, "f1": 2}.get(claim.quantity, 1)
    return float(class_scores(confusion)[i, column])


def class_scores(confusion: NDArray[np.int64]) -> Floats:
    """Return precision, recall and F1 of every class.

    Parameters
    ----------
    confusion : ndarray of int, shape ``(classes, classes)``
        Counts, true class by predicted class.

    Returns
    -------
    ndarray of float64, shape ``(classes, 3)``
        Fractions; a class that is never predicted gets 0, as in scikit-learn.
    """
    hits = np.diag(confusion)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    zeros = np.zeros(len(hits))
    precision = np.divide(hits, predicted, out=zeros.copy(), where=predicted > 0)
    recall = np.divide(hits, true, out=zeros.copy(), where=true > 0)
    f1 = np.divide(2 * hits, predicted + true, out=zeros.copy(), where=hits > 0)
    return np.stack([precision, recall, f1], axis=1)


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
    experiment_id: str | None, claim: Claim, values: Floats, sampling_variance: float = 0.0
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
    reach = stats.t.ppf(0.975, n - 1) * prediction_error(sd, n, sampling_variance, of)
    margin = _margin(claim)
    compatible, equivalent = compare(
        claim.number, claim.half_width, mean, sd, n, margin or 0.0, sampling_variance, of
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
    p = claim.number / claim.whole
    return claim.whole**2 * 2 * p * (1 - p) / runs[0].images["validation"]


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
    interval = stats.binomtest(kept, n).proportion_ci()
    return _judge_share(claim, kept / n, float(interval.low), float(interval.high), n)


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
    fact = data.FACTS[claim.fact or ""]
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
        return data.count("test_images_per_class")
    n = split_sizes(experiment.training)[claim.split or "test"]
    if isinstance(claim.value, tuple):
        rest = {1: (), 2: (10,), 3: (28, 28), 4: (28, 28, 1)}
        return (n, *rest.get(len(claim.value), ()))
    return 100 * n / data.count("total_images") if claim.unit == "percent" else n


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
    totals = parameter_totals(model)
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


_TOTALS = ("total_params", "trainable_params", "non_trainable_params")


def parameter_totals(model: Any) -> dict[str, int]:
    """Count a Keras model's parameters: all, those that are trained, and the others."""
    total = int(model.count_params())
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return dict(zip(_TOTALS, (total, trainable, total - trainable), strict=True))


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
    return [judge(experiment, claim, runs) for claim in experiment.results]


def judge_search(search: Search) -> list[Verdict]:
    """Give the verdicts on what a report states about a search: whether ours follows it."""
    return [_judge_setting(search.setting(claim.setting or ""), claim) for claim in search.claims]


def judge_claims(report: Report, runs: Mapping[str, Sequence[Run]]) -> list[Verdict]:
    """Give the verdicts on a report's claims about the data and about several experiments."""
    return [_judge_claim(claim, runs) for claim in report.claims]


def _judge_claim(claim: Claim, runs: Mapping[str, Sequence[Run]]) -> Verdict:
    if claim.quantity == "data":
        return _judge_fact(None, claim)
    return _not_tested(None, claim) if claim.kind == "untested" else judge_comparison(claim, runs)


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
    return {name: claim.percent for name, claim in accuracy_claims(report, split).items()}


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
    runs = store.runs_of(report)
    verdicts = judge_claims(report, runs)
    for search in report.searches.values():
        verdicts += judge_search(search)
    for name, experiment in report.experiments.items():
        verdicts += judge_experiment(experiment, runs[name])
        verdicts += judge_layers(experiment)
    return verdicts


def count_words(verdicts: Iterable[Verdict]) -> dict[Word, int]:
    """Count verdicts by word; every word is present, in the order in which pages show them."""
    words = [verdict.word for verdict in verdicts]
    return {word: words.count(word) for word in Word}
