"""The registry of quantities: complete, and all that a new quantity needs."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from fmnist_utils import plots, tables
from fmnist_utils.plots.forest import stated
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.quantities import QUANTITIES
from fmnist_utils.stats import SCORES
from fmnist_utils.verdicts.judge import JUDGES, judge
from fmnist_utils.verdicts.measure import MEASURES, readings
from fmnist_utils.verdicts.outcome import Word


def test_every_row_has_its_judge_and_every_judge_a_row() -> None:
    assert {row.judge for row in QUANTITIES.values()} == set(JUDGES)


def test_every_measured_row_has_its_measure_and_every_measure_a_row() -> None:
    measured = {name for name, row in QUANTITIES.items() if row.kind in ("measured", "comparison")}
    assert {name for name, row in QUANTITIES.items() if row.measure} == measured
    assert {QUANTITIES[name].measure for name in measured} == set(MEASURES)
    for row in QUANTITIES.values():
        assert row.metric in SCORES or row.measure != "class_score"
        assert row.metric in QUANTITIES or row.measure != "metric"


def test_a_claim_can_fill_in_the_name_and_the_unit_of_every_row() -> None:
    keys: dict[str, Any] = {
        "value": "1", "split": "test", "layer": 1, "setting": "a.b", "fact": "classes",
        "of": "x", "than": "y", "relation": "at_most", "label": 1, "predicted": 2,
        "labels": [3, 4], "than_labels": [5],
    }  # fmt: skip
    for name, row in QUANTITIES.items():
        given = {key: keys[key] for key in row.needs}
        claim = Claim.model_validate({"id": "i", "quantity": name, "where": "p. 1", **given})
        assert claim.kind == row.kind and claim.about is row
        assert tables.claim_text(claim) and tables.reported_text(claim) and stated(claim)


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
    assert (verdict.word, verdict.note) == (Word.NOT_REPRODUCED, "we got higher")
    assert readings(claim, experiment) == ["final", "best"]
    (name, reported, ours, _), *_ = tables.judged([verdict]).rows
    assert str(name) == "test top-2 accuracy [p. 1]" and reported == "97.10 %"
    assert str(ours) == "97.80 ± 0.10 [97.25 to 98.25]"
    (ax,) = plots.forest([verdict]).axes
    assert ax.get_xlabel() == "ours − reported (percentage points)"
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "mlp-baseline\ntest top-2 accuracy 97.10 %"
    ]


def test_a_comparison_under_one_experiment_is_refused() -> None:
    experiment = load_report("baltzi")["mlp-baseline"]
    claim = {"id": "d", "quantity": "difference", "where": "p. 1", "value": "1", "split": "test",
             "of": "a", "than": "b"}  # fmt: skip
    content = experiment.model_dump(mode="json", by_alias=True)
    content["claims"] = [*content["claims"], claim]
    with pytest.raises(ValidationError, match="claim d: difference belongs under the report"):
        type(experiment).model_validate(content)
