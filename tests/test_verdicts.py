"""Verdicts on runs: the word, the numbers and the note for every kind of claim."""

import itertools
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from factories import diverged_run, make_run
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import special, stats

from fmnist_utils.errors import FmnistError
from fmnist_utils.models.spec import MLP, DenseBlock
from fmnist_utils.reports.claim import Assumption, Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.protocol import Validation
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.pairing import nested
from fmnist_utils.runs.record import Evaluation, Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import clopper_pearson_interval
from fmnist_utils.text import ours_text
from fmnist_utils.verdicts.judge import judge, judge_comparison
from fmnist_utils.verdicts.measure import measure, readings
from fmnist_utils.verdicts.multiplicity import survives
from fmnist_utils.verdicts.outcome import Outcome, count_words
from fmnist_utils.verdicts.report_verdicts import (
    judge_claims,
    judge_layers,
    judge_report,
    reported_accuracies,
)

Floats = NDArray[np.float64]


def claim(quantity: str = "accuracy", **keys: Any) -> Claim:
    where = {"accuracy": "test", "loss": "test", "ordering": "test", "difference": "test"}
    keys = {"split": where[quantity]} | keys if quantity in where else keys
    if quantity in ("accuracy", "bound"):
        keys = {"unit": "percent"} | keys
    return Claim.model_validate({"id": "x", "quantity": quantity, "where": "p. 1"} | keys)


def runs_at(experiment: Experiment, *accuracies: float) -> list[Run]:
    return [make_run(experiment, seed, accuracy=a) for seed, a in enumerate(accuracies, start=1)]


@pytest.fixture(scope="module")
def report() -> Report:
    return load_report("baltzi")


@pytest.fixture(scope="module")
def experiment(report: Report) -> Experiment:
    return report["mlp-baseline"]


# --- words ---------------------------------------------------------------------------------------

TIGHT = (0.8450, 0.8460, 0.8470)
WIDE = (0.8260, 0.8460, 0.8660)


@pytest.mark.parametrize(
    ("printed", "accuracies", "word", "note"),
    [
        ("84.60", TIGHT, Outcome.REPRODUCED, ""),
        ("85.00", TIGHT, Outcome.REPRODUCED, ""),
        ("84.60", WIDE, Outcome.UNSETTLED, "cannot be settled by seeds: single runs vary too much"),
        ("90.00", WIDE, Outcome.IMPRECISE, "about 2 more seeds would settle it"),
        (
            "84.60",
            (0.8420, 0.8460, 0.8500),
            Outcome.IMPRECISE,
            "about 2 more seeds would settle it",
        ),
        ("85.20", TIGHT, Outcome.CLOSE, "we got lower"),
        ("84.00", TIGHT, Outcome.CLOSE, "we got higher"),
        ("86.00", TIGHT, Outcome.NOT_REPRODUCED, "we got lower"),
        ("83.00", TIGHT, Outcome.NOT_REPRODUCED, "we got higher"),
        # Rounding explains what is left of the distance.
        ("83", (0.8345, 0.8346, 0.8347), Outcome.REPRODUCED, ""),
        ("83.0", (0.8345, 0.8346, 0.8347), Outcome.CLOSE, "we got higher"),
        # It explains it, and leaves open whether the number was 82.5.
        (
            "83",
            (0.8349, 0.8350, 0.8351),
            Outcome.UNSETTLED,
            "cannot be settled by seeds: it is printed too coarsely",
        ),
    ],
)
def test_each_corner_of_the_table_has_its_word(
    experiment: Experiment, printed: str, accuracies: tuple[float, ...], word: Outcome, note: str
) -> None:
    verdict = judge(experiment, claim(value=printed), runs_at(experiment, *accuracies))
    assert (verdict.word, verdict.note, verdict.runs) == (word, note, 3)


def test_verdict_states_mean_deviation_and_interval_in_the_claims_unit(
    experiment: Experiment,
) -> None:
    runs = runs_at(experiment, *TIGHT, 0.8480)
    verdict = judge(experiment, claim(value="84.60"), runs)
    plain = judge(experiment, claim(value="0.8460", unit="plain"), runs)
    assert verdict.mean == pytest.approx(84.65)
    assert verdict.sd == pytest.approx(math.sqrt(5 / 3) / 10)
    logits = special.logit((*TIGHT, 0.8480))
    reach = stats.t.ppf(0.975, 3) * logits.std(ddof=1) * math.sqrt(1 + 1 / 4)
    ends = 100 * special.expit(logits.mean() + np.array([-reach, reach]))
    assert (verdict.low, verdict.high) == pytest.approx(tuple(ends))
    assert (plain.word, plain.mean) == (verdict.word, pytest.approx(0.8465))
    assert verdict.experiment == experiment.id


def test_accuracy_margin_is_one_point_in_either_unit(experiment: Experiment) -> None:
    runs = runs_at(experiment, 0.8000, 0.8001, 0.8002)
    for value, word in [("80.90", Outcome.CLOSE), ("81.10", Outcome.NOT_REPRODUCED)]:
        fraction = str(Decimal(value) / 100)
        assert judge(experiment, claim(value=value), runs).word == word
        assert judge(experiment, claim(value=fraction, unit="plain"), runs).word == word


def test_loss_margin_is_a_tenth_of_the_claimed_value(experiment: Experiment) -> None:
    runs = [_with_test_loss(make_run(experiment, seed), 0.500 + seed / 1e4) for seed in (1, 2, 3)]
    assert judge(experiment, claim("loss", value="0.5400"), runs).word == Outcome.CLOSE
    assert judge(experiment, claim("loss", value="0.6000"), runs).word == Outcome.NOT_REPRODUCED
    assert judge(experiment, claim("loss", value="0.5002"), runs).word == Outcome.REPRODUCED


def _with_test_loss(run: Run, loss: float) -> Run:
    test = Evaluation(loss=loss, accuracy=run.final.test.accuracy)
    return run.model_copy(update={"final": run.final.model_copy(update={"test": test})})


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("quantity", ["accuracy", "epochs_trained"])
def test_fewer_than_three_runs_are_pending(
    experiment: Experiment, quantity: str, count: int
) -> None:
    verdict = judge(experiment, claim(quantity, value="84"), runs_at(experiment, *TIGHT[:count]))
    assert (verdict.word, verdict.runs) == (Outcome.PENDING, count)
    assert (verdict.mean is None) == (count == 0)


@pytest.mark.parametrize("lost", [math.nan, math.inf])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_run_that_diverged_leaves_a_claim_pending(
    experiment: Experiment, count: int, lost: float
) -> None:
    runs = [_with_test_loss(make_run(experiment, seed), 0.5) for seed in range(1, count)]
    runs.append(_with_test_loss(make_run(experiment, count), lost))
    verdict = judge(experiment, claim("loss", value="0.5"), runs)
    assert (verdict.word, verdict.mean, verdict.runs) == (Outcome.PENDING, None, count)
    assert verdict.note == f"1 of {count} runs diverged"


@pytest.mark.parametrize(
    ("quantity", "more"),
    [
        ("accuracy", {}),
        ("loss", {}),
        ("loss", {"split": "train", "epoch": 2}),
        ("accuracy", {"split": "train", "epoch": 2}),
        ("epochs_trained", {}),
        ("lowest_val_loss_epoch", {}),
        ("highest_val_accuracy_epoch", {}),
        ("precision", {"label": 3, "split": "test", "value": "0.5"}),
        ("macro_f1", {"split": "test", "value": "0.5"}),
        ("gap", {"split": "train", "than_split": "test", "value": "0.5"}),
        ("difference", {"of": "mlp-1-hidden", "than": "mlp-1-hidden", "unit": "points"}),
        ("ordering", {"of": "mlp-1-hidden", "than": "mlp-1-hidden", "value": None}),
        ("bound", {"of": "mlp-1-hidden", "relation": "at_least", "split": "test"}),
    ],
    ids=str,
)
def test_every_number_of_a_run_that_diverged_is_pending(
    experiment: Experiment, quantity: str, more: dict[str, Any]
) -> None:
    runs = [make_run(experiment, 1), make_run(experiment, 2), diverged_run(experiment, 3)]
    stated = claim(quantity, **{"value": "50"} | more)
    if "of" in more:
        verdict = judge_comparison(stated, {"mlp-1-hidden": runs})
    else:
        verdict = judge(experiment, stated, runs)
    assert (verdict.word, verdict.mean, verdict.runs) == (Outcome.PENDING, None, 3)
    assert verdict.note.startswith("1 of 3 runs diverged")


def test_an_epoch_that_some_run_did_not_reach_leaves_a_claim_pending(
    experiment: Experiment,
) -> None:
    runs = [make_run(experiment, seed, epochs=2 + seed) for seed in (1, 2, 3)]
    stated = claim(split="train", value="90", epoch=4)
    verdict = judge(experiment, stated, runs)
    assert (verdict.word, verdict.mean) == (Outcome.PENDING, None)
    assert verdict.note == "1 of 3 runs diverged or ended before epoch 4"
    assert judge(experiment, stated, runs[1:] * 2).word != Outcome.PENDING


@pytest.mark.parametrize(
    ("epochs", "word"),
    [
        ((43, 44, 45), Outcome.CONSISTENT),
        ((20, 44, 70), Outcome.CONSISTENT),
        ((50, 51, 52), Outcome.NOT_REPRODUCED),
        ((44, 44, 44), Outcome.CONSISTENT),
    ],
)
def test_epochs_are_judged_by_the_interval_alone(
    experiment: Experiment, epochs: tuple[int, ...], word: Outcome
) -> None:
    runs = [make_run(experiment, seed, epochs=n) for seed, n in enumerate(epochs, start=1)]
    assert judge(experiment, claim("epochs_trained", value="44"), runs).word == word


def test_an_unknown_split_widens_intervals_by_what_drawing_images_does(
    experiment: Experiment,
) -> None:
    runs, p = runs_at(experiment, *TIGHT), 0.846
    stated = [item for item in experiment.assumed if item.setting != "training.validation.take"]
    known = experiment.model_copy(update={"assumed": tuple(stated)})
    training = experiment.training.model_copy(update={"validation": Validation(take="test")})
    on_test = experiment.model_copy(update={"training": training})
    held_out = Validation(fraction=0.2, take="random")
    training = experiment.training.model_copy(update={"validation": held_out})
    drawn = experiment.model_copy(update={"training": training})

    def added(experiment: Experiment, split: str, **keys: Any) -> float:
        stated = claim(**{"split": split, "value": "84.60", "unit": "percent"} | keys)
        verdict = judge(experiment, stated, runs)
        assert verdict.test is not None
        return float(verdict.test.known)

    # 2 p (1 - p) / n and the share of the 60,000 that is left out, on the logit scale.
    assert added(experiment, "validation") == pytest.approx(2 * 0.8 / (12_000 * p * (1 - p)))
    running = added(experiment, "train", reading="final")
    p = 0.846 + 0.03
    assert running == pytest.approx(2 * 0.2 / (48_000 * p * (1 - p)), rel=1e-3)
    assert added(experiment, "train", reading="final-all") == added(experiment, "test") == 0
    assert added(known, "validation") == added(on_test, "validation") == 0
    assert added(drawn, "validation") == added(drawn, "train", reading="final") == 0
    # The spread of our runs has the splits; halving it for a mean of two takes half of them away.
    p = 0.846
    assert added(drawn, "validation", mean_of=2) == pytest.approx(0.8 / (2 * 12_000 * p * (1 - p)))
    # A random split that a report states is as unknown as one that it does not, but for its seed.
    stated_random = drawn.model_copy(update={"assumed": tuple(stated)})
    assert added(stated_random, "validation") == 0
    assert added(stated_random, "validation", mean_of=2) == added(drawn, "validation", mean_of=2)
    held_out = Validation(fraction=0.2, take="random", seed=0)
    training = experiment.training.model_copy(update={"validation": held_out})
    seeded = known.model_copy(update={"training": training})
    assert added(seeded, "validation") == 0
    ours = Assumption(setting="training.validation.seed", chosen=0, because="not stated")
    seeded = seeded.model_copy(update={"assumed": (*stated, ours)})
    assert added(seeded, "validation") == added(experiment, "validation")
    loss = judge(experiment, claim("loss", split="validation", value="0.5"), runs)
    assert loss.test is not None and loss.mean is not None
    per_image = min(2 * loss.mean, 0.6)
    expected = 2 * 0.8 * per_image**2 / (12_000 * loss.mean**2)
    assert float(loss.test.known) == pytest.approx(expected)
    # Some reports print a loss times 100.
    assert added(experiment, "validation", quantity="loss", value="50") == pytest.approx(expected)


def test_no_interval_leaves_the_range_of_its_quantity(experiment: Experiment) -> None:
    last = experiment.training.epochs
    accuracies = (0.9995, 1.0, 0.98)
    runs = [
        make_run(experiment, seed, epochs, accuracy, gap=0)
        for seed, (epochs, accuracy) in enumerate(zip((last, 2, 1), accuracies, strict=True), 1)
    ]
    for stated, low, high in [
        (claim(value="99"), 0, 100),
        (claim("recall", split="test", label=0, value="1.00"), 0, 1),
        (claim("loss", value="0.1"), 0, math.inf),
        (claim("epochs_trained", value="44"), 1, last),
    ]:
        verdict = judge(experiment, stated, runs)
        assert verdict.low is not None and verdict.high is not None
        assert low <= verdict.low < verdict.high <= high, stated.quantity


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"value": "100.00"}, Outcome.REPRODUCED),
        ({"value": "100.000"}, Outcome.REPRODUCED),
        ({"value": "90"}, Outcome.NOT_REPRODUCED),
        ({"value": "100.00", "split": "validation"}, Outcome.REPRODUCED),
        ({"value": "90", "split": "validation"}, Outcome.NOT_REPRODUCED),
        ({"value": "0.0", "quantity": "confused", "predicted": 5}, Outcome.REPRODUCED),
        ({"value": "0.00", "quantity": "confused", "predicted": 5}, Outcome.REPRODUCED),
        ({"value": "1.0000", "quantity": "recall", "unit": "plain"}, Outcome.REPRODUCED),
        ({"value": "0.90", "quantity": "recall", "unit": "plain"}, Outcome.NOT_REPRODUCED),
    ],
    ids=str,
)
def test_a_share_of_none_or_all_in_every_run_is_judged(
    experiment: Experiment, keys: dict[str, Any], word: Outcome
) -> None:
    """There a logit has no slope: 0 times infinity was no number, and the word was unsettled."""
    of_class = {"split": "test", "label": 0} if "quantity" in keys else {}
    stated = claim(**of_class | {"unit": "percent"} | keys)
    verdict = judge(experiment, stated, runs_at(experiment, *[1.0] * 5))
    assert verdict.word == word
    assert np.isfinite([verdict.low, verdict.high, verdict.p]).all()
    assert survives([verdict]) == [word is Outcome.NOT_REPRODUCED]


# --- runs at chance level ------------------------------------------------------------------------


@pytest.mark.parametrize("stuck", [1, 2])
def test_a_run_at_chance_level_is_named_and_makes_its_experiment_unstable(
    report: Report, experiment: Experiment, stuck: int
) -> None:
    """Claims five points too high were *consistent*, the more surely the more runs there were."""
    runs = runs_at(experiment, *[0.1] * stuck, *[0.845] * (10 - stuck))
    verdict = judge(experiment, claim(value="89.60"), runs)
    assert (verdict.word, verdict.runs) == (Outcome.UNSTABLE, 10)
    assert verdict.note == ["run of seed 1", "runs of seeds 1, 2"][stuck - 1] + (
        " stayed at chance level"
    )
    other = {"mlp-1-hidden": runs_at(report["mlp-1-hidden"], *TIGHT), experiment.id: runs}
    for quantity, keys in (("ordering", {}), ("difference", {"value": "1"})):
        for of, than in itertools.permutations(other):
            stated = claim(quantity, of=of, than=than, **keys)
            assert judge_comparison(stated, other).word == Outcome.UNSTABLE


def test_an_experiment_whose_runs_all_stay_at_chance_level_is_not_unstable(
    experiment: Experiment,
) -> None:
    runs = runs_at(experiment, 0.1, 0.1, 0.1, 0.1001)
    assert judge(experiment, claim(value="10.00"), runs).word == Outcome.REPRODUCED
    assert judge(experiment, claim(value="89.60"), runs).word == Outcome.NOT_REPRODUCED


# --- readings ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(experiment: Experiment) -> Run:
    """Return a run in which every reading has its own value."""
    made = make_run(experiment, epochs=4, best_epoch=2)

    def snapshot(epoch: int, tenth: float) -> Any:
        values = {
            name: Evaluation(loss=tenth + 0.02 + i / 100, accuracy=tenth + i / 100)
            for i, name in enumerate(("train", "validation", "test"))
        }
        return made.final.model_copy(update={"epoch": epoch, **values})

    history = {
        "loss": (0.9, 0.8, 0.7, 0.6),
        "accuracy": (0.21, 0.22, 0.23, 0.24),
        "val_loss": (0.5, 0.3, 0.2, 0.4),
        "val_accuracy": (0.1, 0.7, 0.3, 0.6),
    }
    update = {"history": history, "final": snapshot(4, 0.6), "best": snapshot(2, 0.8)}
    return made.model_copy(update=update)


@pytest.mark.parametrize(
    ("split", "reading", "accuracy"),
    [
        ("test", "final", 62),
        ("test", "best", 82),
        ("validation", "final", 61),
        ("validation", "best", 81),
        ("train", "final", 60),
        ("train", "best", 80),
        ("train", "final-running", 24),
        ("train", "best-running", 22),
        ("train", "final-all", 60 + 1 * 12 / 60),
        ("train", "best-all", 80 + 1 * 12 / 60),
    ],
)
def test_each_reading_measures_what_it_says(
    experiment: Experiment, run: Run, split: str, reading: str, accuracy: float
) -> None:
    stated = claim(value="50", split=split)
    assert measure(stated, [run, run], reading) == pytest.approx([accuracy] * 2)
    assert measure(stated.model_copy(update={"reading": reading}), [run])[0] == pytest.approx(
        accuracy
    )
    assert reading in readings(stated, experiment)


def test_images_held_out_are_training_images_whatever_their_accuracy(run: Run) -> None:
    final = run.final.model_copy(update={"validation": run.final.test})
    alike = run.model_copy(update={"final": final})
    stated = claim(value="50", split="train")
    assert measure(stated, [alike], "final-all") == pytest.approx([60 + 2 * 12 / 60])


def test_no_reading_takes_test_images_for_training_images(experiment: Experiment) -> None:
    training = experiment.training.model_copy(update={"validation": Validation(take="test")})
    validated_on_test = experiment.model_copy(update={"training": training})
    stated = claim(value="50", split="train")
    ways = readings(stated, validated_on_test)
    assert ways == ["final", "best", "final-running", "best-running"]
    with pytest.raises(FmnistError, match="claim x of mlp-baseline cannot be read as final-all"):
        judge(validated_on_test, stated, runs_at(experiment, *TIGHT), "final-all")


def test_losses_epochs_and_the_lowest_validation_loss_are_read_off_a_run(run: Run) -> None:
    assert measure(claim("loss", value="0.5"), [run]) == pytest.approx([0.64])
    assert measure(claim("loss", value="0.5", split="train"), [run], "best-running") == [0.8]
    assert measure(claim("epochs_trained", value="4"), [run]) == [4]
    assert measure(claim("lowest_val_loss_epoch", value="3"), [run]) == [3]


def test_a_run_that_diverged_has_no_epoch_of_the_lowest_loss(
    experiment: Experiment, run: Run
) -> None:
    stated = claim("lowest_val_loss_epoch", value="3")
    losses = (*run.history["val_loss"][:-1], math.nan)
    diverged = run.model_copy(update={"history": run.history | {"val_loss": losses}})
    assert np.isnan(measure(stated, [diverged])).all()
    verdict = judge(experiment, stated, [run, run, diverged])
    assert (verdict.word, verdict.note) == (Outcome.PENDING, "1 of 3 runs diverged")


def test_reported_accuracies_are_in_percent_whatever_the_report_prints() -> None:
    fractions = load_report("chalkiopoulos-tsoukalelis")
    printed = reported_accuracies(fractions)
    assert printed and all(50 < accuracy < 100 for accuracy in printed.values())


def test_a_claim_is_read_its_own_way_first(experiment: Experiment) -> None:
    ours = readings(claim(value="50", split="train", reading="final-all"), experiment)
    assert ours[0] == "final-all" and len(ours) == len(set(ours)) == 6
    assert readings(claim(value="50", reading="best"), experiment) == ["best", "final"]
    assert readings(claim("epochs_trained", value="4"), experiment) == ["final"]


def test_judging_another_reading_leaves_the_claim_as_it_is(experiment: Experiment) -> None:
    runs = [
        make_run(experiment, seed, accuracy=0.80 + seed / 1e4, best_epoch=1, best_accuracy=0.85)
        for seed in (1, 2, 3)
    ]
    stated = claim(value="80.02")
    assert judge(experiment, stated, runs).word == Outcome.REPRODUCED
    assert judge(experiment, stated, runs, "best").word == Outcome.NOT_REPRODUCED


# --- comparisons ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("above", "below", "word"),
    [
        ((0.90, 0.91, 0.92, 0.93, 0.94), (0.85, 0.86, 0.87, 0.88, 0.89), Outcome.REPRODUCED),
        ((0.85, 0.86, 0.87, 0.88, 0.89), (0.90, 0.91, 0.92, 0.93, 0.94), Outcome.NOT_REPRODUCED),
        # One in ten of all orders of equal runs parts three and three: no evidence at 5 %.
        ((0.90, 0.91, 0.92), (0.85, 0.86, 0.87), Outcome.IMPRECISE),
        # Eight of nine pairs, but three seeds cannot bound it away from a coin.
        ((0.90, 0.92, 0.94), (0.85, 0.86, 0.93), Outcome.IMPRECISE),
    ],
)
def test_ordering_needs_separation_and_enough_seeds(
    report: Report, above: tuple[float, ...], below: tuple[float, ...], word: Outcome
) -> None:
    stated = claim("ordering", of="cnn-1-conv", than="mlp-1-hidden")
    runs = {
        "cnn-1-conv": runs_at(report["cnn-1-conv"], *above),
        "mlp-1-hidden": runs_at(report["mlp-1-hidden"], *below),
    }
    assert judge_comparison(stated, runs).word == word


def test_ordering_of_equals_is_not_reproduced_once_there_are_seeds(report: Report) -> None:
    spread = [0.9 + i / 1000 for i in range(20)]
    runs = {
        "cnn-1-conv": runs_at(report["cnn-1-conv"], *spread),
        "mlp-1-hidden": runs_at(report["mlp-1-hidden"], *reversed(spread)),
    }
    verdict = judge_comparison(claim("ordering", of="cnn-1-conv", than="mlp-1-hidden"), runs)
    assert (verdict.word, verdict.mean, verdict.runs) == (Outcome.NOT_REPRODUCED, 0.5, 20)
    assert (ours_text(verdict), verdict.note) == ("50 % of pairs of runs", "")


@pytest.mark.parametrize("missing", ["cnn-1-conv", "mlp-1-hidden"])
@pytest.mark.parametrize("quantity", ["ordering", "difference"])
def test_comparison_is_pending_until_both_sides_have_three_runs(
    report: Report, quantity: str, missing: str
) -> None:
    keys = {"of": "cnn-1-conv", "than": "mlp-1-hidden"}
    stated = claim(quantity, **keys, **({} if quantity == "ordering" else {"value": "1"}))
    runs = {name: runs_at(report[name], *TIGHT) for name in keys.values()}
    assert judge_comparison(stated, runs).word != Outcome.PENDING
    runs[missing] = runs[missing][:2]
    assert judge_comparison(stated, runs).word == Outcome.PENDING
    del runs[missing]
    assert judge_comparison(stated, runs).word == Outcome.PENDING


@pytest.mark.parametrize(
    ("relation", "value", "accuracies", "share"),
    [
        ("at_least", "92", (0.9200, 0.9300, 0.9400), 1.0),
        # 91.50 is printed as 92; 91.40 is not.
        ("at_least", "92", (0.9150, 0.9170, 0.9180), 1.0),
        ("at_least", "92", (0.9140, 0.9130, 0.9120), 0.0),
        ("at_least", "92.0", (0.9160, 0.9170, 0.9180), 0.0),
        ("at_most", "89", (0.8950, 0.8930, 0.8920), 1.0),
        ("at_most", "89", (0.8960, 0.8970, 0.8980), 0.0),
        ("at_most", "89", (0.8940, 0.8960, 0.8970), 1 / 3),
        # "Over 92" and "below 89" leave nothing to rounding.
        ("above", "92", (0.9200, 0.9199, 0.9150), 0.0),
        ("above", "92", (0.9201, 0.9202, 0.9203), 1.0),
        ("below", "89", (0.8900, 0.8901, 0.8940), 0.0),
        ("below", "89", (0.8899, 0.8898, 0.8897), 1.0),
        # Nor to floating point: 100 times 0.921 is more than 92.1, and 0.8035 less than 80.35.
        ("above", "92.1", (0.921, 0.921, 0.9211), 1 / 3),
        ("below", "88.04", (0.8804, 0.8804, 0.8803), 1 / 3),
        ("at_least", "80.4", (0.8035, 0.8035, 0.8034), 2 / 3),
        ("at_most", "80.6", (0.8065, 0.8066, 0.8066), 1 / 3),
    ],
)
def test_bound_is_kept_by_a_value_that_rounds_to_it(
    report: Report, relation: str, value: str, accuracies: tuple[float, ...], share: float
) -> None:
    stated = claim("bound", split="test", of="cnn-2-conv", relation=relation, value=value)
    verdict = judge_comparison(stated, {"cnn-2-conv": runs_at(report["cnn-2-conv"], *accuracies)})
    assert verdict.mean == pytest.approx(share)
    assert ours_text(verdict) == f"{100 * share:.0f} % of 3 runs"


@pytest.mark.parametrize(
    ("kept", "broken", "word"),
    [
        # The exact interval of three of three begins at 29 %, that of six of six at 54 %.
        (3, 0, Outcome.IMPRECISE),
        (5, 0, Outcome.IMPRECISE),
        (6, 0, Outcome.REPRODUCED),
        (9, 1, Outcome.REPRODUCED),
        (0, 3, Outcome.NOT_REPRODUCED),
        (1, 2, Outcome.IMPRECISE),
    ],
)
def test_bound_needs_enough_runs_that_keep_it(
    report: Report, kept: int, broken: int, word: Outcome
) -> None:
    stated = claim("bound", split="test", of="cnn-2-conv", relation="at_least", value="92")
    ours = runs_at(report["cnn-2-conv"], *([0.93] * kept), *([0.91] * broken))
    verdict = judge_comparison(stated, {"cnn-2-conv": ours})
    assert verdict.word == word
    exact = stats.beta.ppf([0.025, 0.975], [kept, kept + 1], [broken + 1, broken])
    low, high = np.nan_to_num(exact, nan=1.0) if kept else (0.0, exact[1])
    assert (verdict.low, verdict.high) == (pytest.approx(low), pytest.approx(high))


def test_a_bound_that_counts_rounding_in_says_how_many_runs_keep_it_exactly(report: Report) -> None:
    """The cell said 100 % of 10 runs, and 2 of them were above."""
    keys = {"split": "test", "of": "mlp-1-hidden", "value": "89", "unit": "percent"}
    ours = runs_at(report["mlp-1-hidden"], *([0.885] * 8), 0.8949, 0.8901)
    found = [
        judge_comparison(claim("bound", relation=relation, **keys), {"mlp-1-hidden": runs})
        for relation, runs in (("at_most", ours), ("at_most", ours[:8]), ("below", ours))
    ]
    assert [(verdict.mean, verdict.note) for verdict in found] == [
        (1, "8 of 10 runs without rounding"), (1, ""), (0.8, "about 4 more seeds would settle it"),
    ]  # fmt: skip


def test_bound_rests_on_all_runs(report: Report) -> None:
    stated = claim("bound", split="test", of="cnn-2-conv", relation="at_least", value="92")
    ours = runs_at(report["cnn-2-conv"], *([0.93] * 7))
    assert judge_comparison(stated, {"cnn-2-conv": ours}).runs == 7
    assert judge_comparison(stated, {"cnn-2-conv": ours[:2]}).word == Outcome.PENDING
    assert judge_comparison(stated, {}).word == Outcome.PENDING


@given(st.permutations(range(1, 11)))
@settings(max_examples=10, deadline=None)
def test_which_seeds_a_difference_came_from_does_not_matter(seeds: list[int]) -> None:
    """In pairs of seeds the word hung on their labels: 31 of 100 other pairings changed it."""
    report = load_report("baltzi")
    a, b = report["cnn-2-conv"], report["cnn-1-conv"]
    accuracies = [0.920 + 0.0007 * i for i in range(10)]
    ours = [make_run(a, seed, accuracy=x + 0.026) for seed, x in enumerate(accuracies, 1)]
    theirs = [make_run(b, seed, accuracy=x) for seed, x in zip(seeds, accuracies, strict=True)]
    stated = claim("difference", of=a.id, than=b.id, value="2.6", unit="points")
    verdict = judge_comparison(stated, {a.id: ours, b.id: theirs})
    sd = 100 * np.std(accuracies, ddof=1) * math.sqrt(2)
    reach = stats.t.ppf(0.975, 18) * sd * math.sqrt(1 + 1 / 10)
    assert (verdict.mean, verdict.sd) == (pytest.approx(2.6), pytest.approx(sd))
    assert (verdict.low, verdict.high) == pytest.approx((2.6 - reach, 2.6 + reach), abs=1e-6)


def test_nested_trainings_are_compared_in_pairs_and_that_is_said(report: Report) -> None:
    a, b = report["cnn-2-conv"], report["cnn-1-conv"]
    short = [make_run(b, seed, 3, 0.9 + 0.01 * seed) for seed in range(1, 7)]
    longer = [
        _continued(make_run(a, run.seed, 5, run.final.test.accuracy + 0.005), run) for run in short
    ]
    assert nested(short, longer) and nested(longer, short)
    runs = {a.id: longer, b.id: short}
    keys = {"of": a.id, "than": b.id}
    verdict = judge_comparison(claim("difference", **keys, value="0.50", unit="points"), runs)
    assert (verdict.word, verdict.note) == (Outcome.REPRODUCED, "paired by seed")
    assert verdict.sd == pytest.approx(0, abs=1e-6)
    verdict = judge_comparison(claim("ordering", **keys), runs)
    assert (verdict.word, verdict.mean, verdict.note) == (Outcome.REPRODUCED, 1, "paired by seed")
    # As two samples they overlap.
    shuffled = runs | {b.id: [make_run(b, run.seed, 2, 1.835 - run.final.test.accuracy)
                              for run in short]}  # fmt: skip
    assert judge_comparison(claim("ordering", **keys), shuffled).note != "paired by seed"


def _continued(longer: Run, shorter: Run) -> Run:
    history = {
        name: (*shorter.history[name], *values[shorter.epochs :])
        for name, values in longer.history.items()
    }
    return longer.model_copy(update={"history": history})


# --- exact claims --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "unit", "word"),
    [
        ("training.batch_size", "128", "plain", Outcome.FOLLOWED),
        ("training.batch_size", "129", "plain", Outcome.DIFFERS),
        ("training.validation.fraction", "20", "percent", Outcome.FOLLOWED),
        ("training.validation.fraction", "0.20", "plain", Outcome.FOLLOWED),
        ("training.validation.fraction", "10", "percent", Outcome.DIFFERS),
        ("training.optimizer.name", "Adam", "plain", Outcome.FOLLOWED),
        ("training.optimizer.name", "sgd", "plain", Outcome.DIFFERS),
        ("training.optimizer.learning_rate", "1e-3", "plain", Outcome.FOLLOWED),
    ],
)
def test_setting_is_followed_by_runs_or_differs(
    experiment: Experiment, setting: str, value: str, unit: str, word: Outcome
) -> None:
    stated = claim("setting", setting=setting, value=value, unit=unit)
    verdict = judge(experiment, stated, [make_run(experiment)])
    assert verdict.word == word
    if unit == "percent":
        assert (verdict.ours, ours_text(verdict)) == (20, "20 %")
    without = judge(experiment, stated, [])
    assert without.word == (word if word == Outcome.DIFFERS else Outcome.NOT_TESTED)


@pytest.mark.parametrize(
    ("fact", "value", "word"),
    [
        ("train_images", "60000", Outcome.EQUAL),
        ("train_images", "50000", Outcome.DIFFERS),
        ("image_shape", [28, 28], Outcome.EQUAL),
        ("image_shape", [28, 27], Outcome.DIFFERS),
        ("image_shape", [28, 28, 1], Outcome.DIFFERS),
    ],
)
def test_fact_of_the_data_is_equal_or_differs(
    report: Report, experiment: Experiment, fact: str, value: Any, word: Outcome
) -> None:
    stated = claim("data", fact=fact, value=value)
    assert judge(experiment, stated, []).word == word
    only = report.model_copy(update={"claims": (stated,)})
    assert [verdict.word for verdict in judge_claims(only, {})] == [word]


def test_layer_table_is_checked_cell_by_cell(report: Report) -> None:
    experiment = report["mlp-1-hidden"]
    verdicts = judge_layers(experiment)
    assert len(verdicts) == 2 * 4 + 3
    assert {verdict.word for verdict in verdicts} == {Outcome.EQUAL}

    assert experiment.table is not None
    rows = list(experiment.table.layers)
    for i, change, wrong in [
        (2, {"params": 200_961}, {"layer-3-params"}),
        (2, {"shape": (255,)}, {"layer-3-shape"}),
        (3, {"type": "Dropout"}, {"layer-4-shape", "layer-4-params"}),
    ]:
        planted = rows.copy()
        planted[i] = rows[i].model_copy(update=change)
        table = experiment.table.model_copy(update={"layers": tuple(planted)})
        verdicts = judge_layers(experiment.model_copy(update={"table": table}))
        assert {v.claim.id for v in verdicts if v.word == Outcome.DIFFERS} == wrong
    table = experiment.table.model_copy(update={"total": 203_531, "layers": (*rows, rows[-1])})
    verdicts = judge_layers(experiment.model_copy(update={"table": table}))
    assert {v.claim.id for v in verdicts if v.word == Outcome.DIFFERS} == {
        "layer-5-shape", "layer-5-params", "total-params",
    }  # fmt: skip


def test_table_without_an_input_row_is_held_against_the_layers_after_it(report: Report) -> None:
    experiment = report["mlp-1-hidden"]
    assert experiment.table is not None
    table = experiment.table.model_copy(update={"layers": experiment.table.layers[1:]})
    verdicts = judge_layers(experiment.model_copy(update={"table": table}))
    assert {verdict.word for verdict in verdicts} == {Outcome.EQUAL}
    assert judge_layers(experiment.model_copy(update={"table": None})) == []


def test_report_without_runs_has_a_verdict_on_every_claim(report: Report, tmp_path: Any) -> None:
    store = RunStore(tmp_path / "runs", published=tmp_path / "published")
    verdicts = judge_report(report, store)
    stated = [claim for _, claim in report.all_claims()]
    assert len(verdicts) == len(stated)
    words = count_words(verdicts)
    assert list(words) == list(Outcome)
    assert sum(words.values()) == len(stated)
    measured = [claim for claim in stated if claim.kind != "exact"]
    assert words[Outcome.PENDING] == len(measured)
    assert words[Outcome.DIFFERS] == 0


def test_every_word_is_counted_even_when_no_verdict_has_it() -> None:
    assert count_words([]) == dict.fromkeys(Outcome, 0)


def test_a_layer_that_is_built_but_not_printed_differs() -> None:
    """A dropout layer has no parameters: no total gives it away."""
    experiment = load_report("baltzi")["mlp-1-hidden"]
    dropped = MLP(builder="mlp", hidden=(DenseBlock(units=256),))
    with_dropout = MLP(builder="mlp", hidden=(DenseBlock(units=256, dropout=0.4),))
    for spec, wrong in ((dropped, 0), (with_dropout, 2)):
        found = judge_layers(experiment.model_copy(update={"model": spec}))
        assert sum(verdict.word is Outcome.DIFFERS for verdict in found) == wrong


# --- class scores, epochs, and what is not tested ------------------------------------------------


@pytest.fixture(scope="module")
def ten(experiment: Experiment) -> list[Run]:
    return [make_run(experiment, seed, accuracy=0.9 + 0.001 * seed) for seed in range(1, 11)]


@pytest.mark.parametrize("quantity", ["precision", "recall", "f1"])
@pytest.mark.parametrize("unit", ["plain", "percent"])
def test_class_scores_are_those_of_scikit_learn(ten: list[Run], quantity: str, unit: str) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    labels = np.tile(np.arange(10), 1_000)
    row = ("precision", "recall", "f1").index(quantity)
    expected = [precision_recall_fscore_support(labels, run.predictions)[row][6] for run in ten]
    stated = claim(quantity, split="test", label=6, value="0.90", unit=unit)
    scale = 100 if unit == "percent" else 1
    np.testing.assert_allclose(measure(stated, ten), scale * np.array(expected))


def test_share_of_a_class_that_is_taken_for_another(ten: list[Run]) -> None:
    stated = claim("confused", split="test", label=4, predicted=5, value="5.06", unit="percent")
    shares = [100 * run.final.test_confusion[4][5] / 1_000 for run in ten]
    np.testing.assert_allclose(measure(stated, ten), shares)


@pytest.mark.parametrize(
    ("quantity", "more"), [("recall", {}), ("confused", {"predicted": 2})], ids=["right", "taken"]
)
def test_a_share_of_who_knows_which_images_is_judged_in_both_ways(
    experiment: Experiment, quantity: str, more: dict[str, int]
) -> None:
    """Of the images of a class, or of those that are taken for it: only the first was judged."""
    found = [900, *[500] * 9]
    runs = [_finding(make_run(experiment, seed), found, more=3) for seed in range(1, 6)]
    label, predicted = 0, more.get("predicted", 0)
    counts = [np.array(run.final.test_confusion) for run in runs]
    columns = [100 * c[label, predicted] / c[:, predicted].sum() for c in counts]
    stated = claim(
        quantity, split="test", label=0, **more, value=f"{np.mean(columns):.2f}", unit="percent"
    )
    np.testing.assert_allclose(measure(stated, runs, "final-predicted"), columns)
    assert "taken for" not in judge(experiment, stated, runs).note
    left_open = Assumption(setting="reading.class percentages", chosen="of a class", because="x")
    unclear = experiment.model_copy(update={"assumed": (*experiment.assumed, left_open)})
    verdict = judge(unclear, stated, runs)
    assert verdict.word == judge(experiment, stated, runs).word == Outcome.CLOSE
    other = f"{Outcome.REPRODUCED} as a share of the images taken for the class"
    assert verdict.note.split("; ")[1:] == [other]


def test_margin_of_a_class_score_is_three_points(experiment: Experiment, ten: list[Run]) -> None:
    recall = float(measure(claim("recall", split="test", label=6, value="0.90"), ten).mean())
    words = []
    for off in (0.028, 0.045):
        stated = claim("recall", split="test", label=6, value=f"{recall - off:.4f}")
        words.append(judge(experiment, stated, [ten[0]] * 3).word)
    assert words == [Outcome.CLOSE, Outcome.NOT_REPRODUCED]


def test_value_of_an_epoch_comes_from_the_history(experiment: Experiment) -> None:
    run = make_run(experiment, epochs=5)
    for split, key in (("train", "accuracy"), ("validation", "val_accuracy")):
        stated = claim("accuracy", split=split, value="0.75", unit="plain", epoch=2)
        assert measure(stated, [run]) == [run.history[key][1]]
    loss = claim("loss", split="validation", value="0.75", epoch=3)
    assert measure(loss, [run]) == [run.history["val_loss"][2]]
    assert readings(loss, experiment) == ["final"]


def test_a_mean_of_several_trainings_varies_less(experiment: Experiment, ten: list[Run]) -> None:
    single, mean = (
        judge(experiment, claim(value="90.5", **keys), ten) for keys in ({}, {"mean_of": 2})
    )
    assert single.mean == mean.mean
    ratio = float(mean.test.error / single.test.error)
    assert ratio == pytest.approx(math.sqrt((1 / 2 + 1 / 10) / (1 + 1 / 10)))


@pytest.mark.parametrize(
    ("split", "value", "unit", "word"),
    [
        ("train", "48000", "plain", Outcome.FOLLOWED),
        ("validation", "12000", "plain", Outcome.FOLLOWED),
        ("test", "10000", "plain", Outcome.EQUAL),
        ("train", ["48000", "28", "28"], "plain", Outcome.FOLLOWED),
        ("train", ["48000"], "plain", Outcome.FOLLOWED),
        ("validation", ["12000", "28", "28", "1"], "plain", Outcome.FOLLOWED),
        ("train", ["48000", "28", "29"], "plain", Outcome.DIFFERS),
        ("train", ["48000", "784"], "plain", Outcome.FOLLOWED),
        ("test", ["10000", "784"], "plain", Outcome.EQUAL),
        ("test", ["10000", "10"], "plain", Outcome.EQUAL),
        ("test", ["10000", "28"], "plain", Outcome.DIFFERS),
        ("train", "69", "percent", Outcome.FOLLOWED),
        ("validation", "17", "percent", Outcome.FOLLOWED),
        ("test", "14.26", "percent", Outcome.DIFFERS),
        ("test", "14.29", "percent", Outcome.EQUAL),
    ],
)
def test_size_of_a_split_is_exact_up_to_rounding(
    experiment: Experiment, split: str, value: Any, unit: str, word: Outcome
) -> None:
    """The parts of the training images are set by what a report states, so they are followed."""
    stated = claim("images", split=split, value=value, unit=unit)
    assert judge(experiment, stated, [make_run(experiment)]).word == word
    without = judge(experiment, stated, [])
    assert without.word == (Outcome.NOT_TESTED if word == Outcome.FOLLOWED else word)


@pytest.mark.parametrize(("stated", "word"), [(7850, Outcome.EQUAL), (7840, Outcome.DIFFERS)])
def test_parameter_count_in_prose_is_held_against_the_built_model(
    experiment: Experiment, stated: int, word: Outcome
) -> None:
    assert judge(experiment, claim("trainable_params", value=stated), []).word == word


def test_numbers_of_others_are_not_tested(experiment: Experiment, report: Report) -> None:
    quoted = claim("cited", value="94.6", unit="percent")
    changed = report.model_copy(update={"claims": (quoted,)})
    assert [v.word for v in judge_claims(changed, {})] == [Outcome.NOT_TESTED]
    minutes = judge(experiment, claim("minutes", value="15"), [make_run(experiment, epochs=30)])
    assert minutes.word == Outcome.NOT_TESTED and minutes.mean == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("labels", "than", "word"),
    [
        ([0], [1], Outcome.REPRODUCED),
        ([1], [0], Outcome.NOT_REPRODUCED),
        ([2], [3], Outcome.IMPRECISE),
        ([0, 1], [4, 5, 6], Outcome.REPRODUCED),
        ([0, 2], [1, 3], Outcome.NOT_REPRODUCED),
        ([0, 2], [3, 4], Outcome.IMPRECISE),
        ([0, 1], [0], None),
    ],
)
def test_every_class_named_is_recognised_better_than_each_of_the_others(
    experiment: Experiment, labels: list[int], than: list[int], word: Outcome | None
) -> None:
    runs = []
    for seed in range(1, 7):
        found = [800 - 10 * i for i in range(10)]
        found[2] = found[3] = found[2] + seed  # the same recall: a coin toss
        runs.append(_finding(make_run(experiment, seed), found))
    if word is None:
        with pytest.raises(ValidationError, match="class 0 is compared with itself"):
            claim("class_ordering", split="test", labels=labels, than_labels=than)
        return
    stated = claim("class_ordering", split="test", labels=labels, than_labels=than)
    verdict = judge(experiment, stated, runs)
    assert verdict.word == word and verdict.experiment == experiment.id


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n", [5, 6])
def test_classes_are_compared_within_each_run(experiment: Experiment, n: int, sign: int) -> None:
    """One class leads in every run, though the two overlap over all runs."""
    runs = [
        _finding(make_run(experiment, seed), [700 + 9 * seed + 1, 700 + 9 * seed, *[700] * 8])
        for seed in range(1, n + 1)
    ]
    stated = claim("class_ordering", split="test", labels=[0], than_labels=[1])
    if sign < 0:
        stated = claim("class_ordering", split="test", labels=[1], than_labels=[0])
    verdict = judge(experiment, stated, runs)
    assert verdict.mean == (sign > 0)
    assert (verdict.low, verdict.high) == clopper_pearson_interval(n * (sign > 0), n)
    # One in sixteen coins shows the same side five times.
    open_or = {5: Outcome.IMPRECISE, 6: Outcome.REPRODUCED}[n]
    assert verdict.word == (open_or if sign > 0 else Outcome.NOT_REPRODUCED)
    assert ours_text(verdict) == f"{100 * (sign > 0)} % of runs"


def _finding(run: Run, found: list[int], more: int = 0) -> Run:
    """Return the run with so many images of each class recognised, and more taken for the first."""
    counts = np.full((10, 10), 20) + np.diag(np.array(found) - 20)
    counts[1:, 0] += more
    final = run.final.model_copy(update={"test_confusion": tuple(map(tuple, counts.tolist()))})
    return run.model_copy(update={"final": final})
