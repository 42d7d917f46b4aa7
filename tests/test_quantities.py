"""The registry of quantities: complete, and all that a new quantity needs."""

import ast
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from factories import make_run
from pydantic import ValidationError
from sklearn.metrics import precision_recall_fscore_support

import fmnist_utils
from fmnist_utils import plots, tables
from fmnist_utils.audit import CHECKS
from fmnist_utils.audit.number_checks import losses_too_low
from fmnist_utils.plots.forest import stated
from fmnist_utils.reports.claim import SPLIT_WORDS, Claim
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.quantities import QUANTITIES, SEVERAL, TOPICS
from fmnist_utils.stats import SCORES
from fmnist_utils.verdicts.judge import JUDGES, judge
from fmnist_utils.verdicts.measure import MEASURES, measure, readings
from fmnist_utils.verdicts.outcome import Outcome


def test_every_row_has_its_judge_and_every_judge_a_row() -> None:
    assert {row.judge for row in QUANTITIES.values()} == set(JUDGES)


def test_every_measured_row_has_its_measure_and_every_measure_a_row() -> None:
    measured = {name for name, row in QUANTITIES.items() if row.kind in ("measured", "comparison")}
    assert {name for name, row in QUANTITIES.items() if row.measure} == measured
    assert {QUANTITIES[name].measure for name in measured} == set(MEASURES)
    for row in QUANTITIES.values():
        assert row.metric in SCORES or row.measure != "class_score"
        assert row.metric in QUANTITIES or row.measure != "metric"


KEYS: dict[str, Any] = {
    "value": "1", "split": "test", "layer": 1, "setting": "a.b", "fact": "classes",
    "of": "x", "than": "y", "relation": "at_most", "label": 1, "predicted": 2,
    "labels": [3, 4], "than_labels": [5], "than_split": "train",
}  # fmt: skip


def needing(name: str, **more: Any) -> Claim:
    """Return a claim of a quantity with all that it needs."""
    given = {key: KEYS[key] for key in QUANTITIES[name].needs} | more
    return Claim.model_validate({"id": "i", "quantity": name, "where": "p. 1", **given})


def test_a_claim_can_fill_in_the_name_and_the_unit_of_every_row() -> None:
    for name, row in QUANTITIES.items():
        claim = needing(name)
        assert claim.kind == row.kind and claim.about is row
        assert tables.claim_text(claim) and tables.reported_text(claim) and stated(claim)


@pytest.mark.parametrize("name", QUANTITIES)
def test_only_a_number_that_trainings_give_can_be_the_mean_of_several(name: str) -> None:
    """Of an ordering or a bound it was read, and changed nothing."""
    if QUANTITIES[name].judge in ("values", "difference", "match"):
        assert needing(name, mean_of=5).mean_of == 5
    else:
        with pytest.raises(ValidationError, match=f"quantity {name} does not take mean_of"):
            needing(name, mean_of=5)


def test_every_row_has_a_topic_and_every_topic_a_row() -> None:
    topics = {
        row.topic.format(part=part) for row in QUANTITIES.values() for part in SPLIT_WORDS.values()
    }
    assert topics | {SEVERAL} == set(TOPICS)


def test_no_other_module_knows_the_name_of_a_quantity() -> None:
    """Only `Claim.about` asks for it, to find its row, which says what is special about it."""

    def asks(node: ast.AST) -> bool:
        match node:
            case ast.Subscript(slice=asked) | ast.Match(subject=asked):
                parts = ast.walk(asked)
            case ast.Compare() | ast.Call(func=ast.Attribute(attr="get" | "startswith")):
                parts = ast.walk(node)
            case _:
                return False
        return any(isinstance(part, ast.Attribute) and part.attr == "quantity" for part in parts)

    package = Path(fmnist_utils.__file__).parent
    found = [
        f"{path.name}: {ast.unparse(node)}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if asks(node)
    ]
    assert found == ["claim.py: QUANTITIES[self.quantity]"]


def test_an_unknown_quantity_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="no quantity fame; there is accuracy, "):
        Claim.model_validate({"id": "i", "quantity": "fame", "where": "p. 1", "value": "1"})
    unchecked = Claim.model_construct(id="i", quantity="fame", role="result")
    with pytest.raises(KeyError, match="fame"):
        judge(load_report("baltzi")["mlp-baseline"], unchecked, [])


def test_a_new_metric_is_a_row_where_runs_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other two files are `runs.record`, where runs get the field, and the trainer."""
    row = replace(
        QUANTITIES["accuracy"], name="{split} top-2 accuracy", metric="top2", margin=0.5,
        short="{part} top-2 accuracy {reported}",
    )  # fmt: skip
    monkeypatch.setitem(QUANTITIES, "top2_accuracy", row)
    claim = Claim.model_validate(
        {"id": "t", "quantity": "top2_accuracy", "where": "p. 1", "value": "97.10",
         "unit": "percent", "split": "test"}
    )  # fmt: skip
    experiment = load_report("baltzi")["mlp-baseline"]
    runs: Any = [
        SimpleNamespace(
            seed=seed,
            diverged=False,
            final=SimpleNamespace(test=SimpleNamespace(top2=share, accuracy=0.9)),
        )
        for seed, share in enumerate((0.977, 0.978, 0.979), start=1)
    ]
    verdict = judge(experiment, claim, runs)
    assert (verdict.word, verdict.note) == (Outcome.NOT_REPRODUCED, "we got higher")
    assert readings(claim, experiment) == ["final", "best"]
    (name, reported, ours, _), *_ = tables.judged([verdict]).rows
    assert str(name) == "test top-2 accuracy [p. 1]" and reported == "97.10 %"
    assert str(ours) == "97.80 ± 0.10 [97.25 to 98.25]"
    (ax,) = plots.forest([verdict]).axes
    assert ax.get_xlabel() == "ours − reported (percentage points)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["test top-2 accuracy 97.10 %"]


def test_a_new_metric_is_drawn_and_looked_up_by_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(QUANTITIES["accuracy"], metric="top2", short="{part} top-2 {reported}")
    monkeypatch.setitem(QUANTITIES, "top2_accuracy", row)
    keys = {"unit": "percent", "split": "validation"}
    stated = (stated_as("accuracy", "88.0", **keys), stated_as("top2_accuracy", "97.0", **keys))
    experiment = load_report("baltzi")["mlp-1-hidden"].model_copy(update={"stated": stated})
    _, accuracy = plots.learning_curves([RUN], experiment).axes
    assert "reported: validation top-2 97.0 %" in [line.get_label() for line in accuracy.lines]
    top2 = (0.95, 0.96, 0.97, 0.98, 0.99)
    run = RUN.model_copy(update={"history": {**RUN.history, "val_top2": top2}})
    assert tables.closest_epochs(experiment, [run]).rows[0][2] == "3"
    report: Any = SimpleNamespace(experiments={experiment.id: experiment})
    assert list(losses_too_low(report)) == []


def test_a_new_count_is_a_row_and_a_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(
        QUANTITIES["epochs_trained"], name="wrongly classified images", measure="errors",
        unit="images", short="{reported} errors", topic="anything else", low=0,
    )  # fmt: skip
    monkeypatch.setitem(QUANTITIES, "errors", row)
    monkeypatch.setitem(
        MEASURES, "errors", lambda claim, run, reading: 10_000 * (1 - run.final.test.accuracy)
    )
    claim = stated_as("errors", "1170")
    assert claim.interval.low == claim.interval.high == 1170
    report = load_report("baltzi")
    experiment = report["mlp-1-hidden"].model_copy(update={"stated": (claim,)})
    runs = [make_run(experiment, seed, 5, 0.88 + seed / 1000) for seed in range(1, 6)]
    verdict = judge(experiment, claim, runs)
    assert (verdict.word, verdict.mean) == (Outcome.CONSISTENT, pytest.approx(1170))
    assert verdict.low is not None and verdict.high is not None
    assert verdict.low * verdict.high == pytest.approx(1170**2, rel=1e-3), "even in logarithms"
    (ax,) = plots.forest([verdict]).axes
    assert ax.get_xlabel() == "ours − reported (images)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1,170 errors"]
    assert plots.learning_curves(runs, experiment).axes
    changed = report.model_copy(update={"experiments": {experiment.id: experiment}, "claims": ()})
    told = [fault for check in CHECKS for fault in check(changed)]
    assert not [fault for fault in told if fault.about.endswith(f"-{claim.id}")]


def test_a_comparison_under_one_experiment_is_refused() -> None:
    experiment = load_report("baltzi")["mlp-baseline"]
    claim = {"id": "d", "quantity": "difference", "where": "p. 1", "value": "1", "split": "test",
             "of": "a", "than": "b"}  # fmt: skip
    content = experiment.model_dump(mode="json", by_alias=True)
    content["claims"] = [*content["claims"], claim]
    with pytest.raises(ValidationError, match="claim d: difference belongs under the report"):
        type(experiment).model_validate(content)


# --- what student reports state besides ----------------------------------------------------------


def stated_as(quantity: str, value: str = "0.9", **keys: Any) -> Claim:
    given = {"id": "i", "quantity": quantity, "where": "p. 1", "value": value, **keys}
    return Claim.model_validate(given)


RUN = make_run(load_report("baltzi")["mlp-1-hidden"], 1, 5, 0.88, best_epoch=3)


@pytest.mark.parametrize("metric", SCORES)
def test_a_macro_score_is_the_mean_over_classes_that_scikit_learn_gives(metric: str) -> None:
    predicted = RUN.predictions
    labels = np.tile(np.arange(10), 1_000)
    scores = precision_recall_fscore_support(labels, predicted, average="macro")
    wanted = scores[SCORES.index(metric)]
    name = f"macro_{metric}"
    assert measure(stated_as(name, split="test"), [RUN])[0] == pytest.approx(wanted)
    percent = stated_as(name, "90", split="test", unit="percent")
    assert measure(percent, [RUN])[0] == pytest.approx(100 * wanted)
    with pytest.raises(ValidationError, match="needs split test"):
        stated_as(name, split="validation")


@pytest.mark.parametrize(
    ("split", "than", "reading", "wanted"),
    [
        ("train", "test", "final", lambda r: r.final.train.accuracy - r.final.test.accuracy),
        ("test", "train", "best", lambda r: r.best.test.accuracy - r.best.train.accuracy),
        ("train", "validation", "final-running",
         lambda r: r.history["accuracy"][-1] - r.final.validation.accuracy),
    ],
)  # fmt: skip
def test_a_gap_is_the_difference_of_two_splits(
    split: str, than: str, reading: str, wanted: Any
) -> None:
    keys = {"split": split, "than_split": than, "reading": reading, "unit": "points"}
    claim = stated_as("gap", "3.1", **keys)
    assert measure(claim, [RUN])[0] == pytest.approx(100 * wanted(RUN))
    said = f"{split} accuracy over {than} accuracy".replace("train ", "training ")
    assert tables.claim_text(claim) == said


def test_a_gap_is_judged_like_any_number_and_may_be_below_zero() -> None:
    experiment = load_report("baltzi")["mlp-1-hidden"]
    runs = [make_run(experiment, seed, 5, 0.88 + seed / 1000) for seed in range(1, 6)]
    right = stated_as("gap", "3.0", split="train", than_split="test", unit="points")
    wrong = stated_as("gap", "-3.0", split="train", than_split="test", unit="points")
    assert judge(experiment, right, runs).word == Outcome.REPRODUCED
    found = judge(experiment, wrong, runs)
    assert (found.word, found.note) == (Outcome.NOT_REPRODUCED, "we got higher")
    with pytest.raises(ValidationError, match="test accuracy is compared with itself"):
        stated_as("gap", "3.0", split="test", than_split="test", unit="points")


def test_the_epoch_of_the_highest_accuracy_is_the_first_of_several() -> None:
    history = {**RUN.history, "val_accuracy": (0.5, 0.7, 0.6, 0.7, 0.2)}
    run = RUN.model_copy(update={"history": history})
    assert measure(stated_as("highest_val_accuracy_epoch", "2"), [run]).tolist() == [2]


def test_times_and_sizes_are_shown_beside_ours_and_not_judged() -> None:
    experiment = load_report("baltzi")["mlp-1-hidden"]
    run = RUN.model_copy(update={"seconds_per_epoch": (30.0, 60.0, 60.0, 60.0, 90.0)})
    params = experiment.build().count_params()
    for quantity, ours in (
        ("minutes", 5.0), ("seconds", 300.0), ("seconds_per_epoch", 60.0),
        ("megabytes", 4 * params / 1e6),
    ):  # fmt: skip
        verdict = judge(experiment, stated_as(quantity, "1.25"), [run])
        assert (verdict.word, verdict.mean) == (Outcome.NOT_TESTED, pytest.approx(ours))
        assert tables.ours_text(verdict) == f"{ours:.2f}"


def test_a_class_may_be_given_by_its_name() -> None:
    assert stated_as("recall", split="test", label="Coat").label == 4
    assert stated_as("recall", split="test", label="ankle BOOT").label == 9
    assert stated_as("confused", "0.1", split="test", label="6", predicted="coat").predicted == 4
    with pytest.raises(ValidationError, match="there is no class Skirt; there is T-shirt/top, "):
        stated_as("recall", split="test", label="Skirt")


@pytest.mark.parametrize(
    "quantity", ["top_5_accuracy", "top3", "auc", "roc_auc", "fold_mean", "sd", "weighted_f1"]
)
def test_what_no_run_holds_says_so_in_a_sentence(quantity: str) -> None:
    with pytest.raises(ValidationError, match=f"{quantity} is not supported: [a-z]"):
        stated_as(quantity)
