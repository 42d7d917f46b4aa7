"""How faults become findings: which are told as one, how severe they are, how they are printed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from factories import make_run
from made_up_reports import (
    Content,
    accuracy,
    alone,
    audited,
    claim,
    derived,
    found_in,
    planted,
    tiny,
)
from rich.console import Console

from fmnist_utils import audit
from fmnist_utils.audit.fault import Fault, merged_findings
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.report import Finding, Report
from fmnist_utils.tables.report_tables import found_table

LARGE = ("experiments", "large")
SMALL = ("experiments", "small")

# --- which faults are one finding ----------------------------------------------------------------


def bound(about: str, *rests_on: str, **keys: Any) -> Fault:
    return Fault(
        kind="bound", about=about, where="p. 1", claimed=f"{about} is stated", because="it is not",
        rests_on=frozenset(rests_on), words={"of": about}, **keys,
    )  # fmt: skip


def test_faults_are_not_united_by_way_of_a_third() -> None:
    chain = [bound("a", "x", "y"), bound("b", "y", "z"), bound("c", "z", "w")]
    assert [finding.id for finding in merged_findings(chain)] == ["bound-a", "bound-c"]


def test_the_number_that_explains_most_comes_first() -> None:
    star = [bound("a", "x", "y"), *(bound(name, "y", name) for name in "bcd"), bound("e", "x")]
    assert [finding.id for finding in merged_findings(star)] == ["bound-a", "bound-e"]


def test_of_two_numbers_the_one_with_graver_faults_comes_first() -> None:
    faults = [bound("a", "x", "y"), bound("b", "x"), bound("c", "y", severity="high")]
    found = merged_findings(faults)
    assert [(item.id, item.severity) for item in found] == [("bound-c", "high"), ("bound-b", "low")]
    assert found[0].claimed == "c is stated; a is stated"


def test_what_is_no_contradiction_stands_alone() -> None:
    assert [item.id for item in merged_findings([bound("a"), bound("b")])] == ["bound-a", "bound-b"]


def test_a_class_is_one_number_and_not_the_whole_table() -> None:
    content = planted((*LARGE, "scores", "rows", 7, "f1"), "0.99")
    ranks = claim("ranks", "class_ordering", split="test", labels=[6], than_labels=[1])
    content["experiments"]["large"]["claims"].append(ranks)
    assert audited(content) == ["class-order-large-ranks", "scores-large"]
    ranks["than_labels"] = [7]
    assert audited(content) == ["class-order-large-ranks"]


def test_all_pairs_of_one_ranking_are_one_finding() -> None:
    content = tiny()
    ranks = claim("ranks", "class_ordering", split="test", labels=[6, 4], than_labels=[1, 5])
    content["experiments"]["large"]["claims"].append(ranks)
    assert audited(content) == ["class-order-large-ranks"]


def test_a_wrong_total_and_what_follows_from_it_are_one_finding() -> None:
    content = planted((*LARGE, "table", "total"), 693_962)
    terms = ("320", "128", "692352", "1290")
    content["derivations"] = [derived("parts", "sum", "large/total-params", *terms)]
    assert audited(content) == ["totals-large"]


def test_an_accuracy_above_training_that_cannot_be_is_one_finding() -> None:
    content = planted((*SMALL, "claims", 0, "value"), "88.754")
    content["experiments"]["small"]["claims"].append(accuracy("train", "train", "88.39"))
    (finding,) = found_in(content)
    assert finding.id == "grim-small-small-val" and "88.754 % − 88.39 %" in finding.because


def test_a_wrong_setting_of_the_protocol_is_one_finding() -> None:
    content = tiny()
    for item in content["experiments"]["small"]["claims"]:
        if item.get("setting") == "training.epochs":
            item["value"] = "150"
    (finding,) = found_in(content)
    assert "150 for Model small" in finding.because


@pytest.mark.parametrize(
    ("third", "told_by_hand"), [("88.75", True), ("80.10", False), ("8.75", False), ("88", False)]
)
def test_a_written_finding_tells_only_of_values_that_it_has(third: str, told_by_hand: bool) -> None:
    content = alone(
        accuracy("test", "test", "88.40"),
        accuracy("again", "test", "88.75"),
        accuracy("third", "test", third),
    )
    texts = {key: "A" for key in ("title", "where", "because", "consequence")}
    content["findings"] = [{
        "id": "written", "severity": "low", "claimed": "it is {small/test} and {small/again} %",
        "tells": ["disagreement-small-test"], **texts,
    }]  # fmt: skip
    assert audited(content) == ["written" if told_by_hand else "disagreement-small-test"]


def test_a_written_finding_may_write_a_minus_where_the_report_has_a_hyphen() -> None:
    content = alone(accuracy("test", "test", "88.40"))
    texts = {key: "A" for key in ("title", "where", "because", "consequence")}
    content["findings"] = [{
        "id": "written", "severity": "low", "claimed": "a change of \N{MINUS SIGN}1.6 points",
        "tells": ["bound-change"], **texts,
    }]  # fmt: skip
    found = audit.findings_of(Report.model_validate(content), [bound("change", values=("-1.6",))])
    assert [finding.id for finding in found] == ["written"]


# --- severities ----------------------------------------------------------------------------------


def headline(content: Content, path: tuple[str | int, ...]) -> Content:
    target: Any = content
    for key in path:
        target = target[key]
    target["role"] = "headline"
    return content


@pytest.mark.parametrize(
    ("path", "value", "claim_path", "found"),
    [
        (("claims", 2, "value"), "92", ("claims", 2), "bound-over"),
        (("claims", 2, "value"), "92", (*LARGE, "claims", 1), "bound-over"),
        (("claims", 1, "value"), "2.6", (*LARGE, "claims", 1), "difference-gain"),
        (("claims", 1, "value"), "2.6", ("claims", 1), "difference-gain"),
        ((*SMALL, "claims", 2, "value"), "0.885", (*SMALL, "claims", 1),
         "disagreement-small-small-test"),
        ((*SMALL, "claims", 0, "value"), "88.754", (*SMALL, "claims", 0), "grim-small-small-val"),
    ],
)  # fmt: skip
def test_a_contradicted_headline_is_of_high_severity(
    path: Any, value: Any, claim_path: Any, found: str
) -> None:
    (plain,) = found_in(planted(path, value))
    (grave,) = found_in(headline(planted(path, value), claim_path))
    assert plain.id == grave.id == found
    assert plain.severity != "high" and grave.severity == "high"


def without(content: Content, name: str, *paths: str) -> Content:
    item = content["experiments"][name]
    for path in paths:
        gap = {"setting": path, "chosen": "ours", "because": "not stated"}
        chosen: Any = item["training"]
        for key in path.split(".")[1:]:
            chosen = chosen[key]
        item["assumed"].append({**gap, "chosen": chosen})
        item["claims"] = [c for c in item["claims"] if c.get("setting") != path]
    return content


EPOCHS, OPTIMIZER = (
    "training.epochs",
    ("training.optimizer.name", "training.optimizer.learning_rate"),
)


def test_only_a_model_without_any_essential_setting_cannot_be_trained_again() -> None:
    (split,) = found_in(without(without(tiny(), "small", EPOCHS), "large", *OPTIMIZER))
    assert (split.id, split.severity) == ("unstated-training", "low")
    (one,) = found_in(without(tiny(), "small", EPOCHS, *OPTIMIZER))
    assert (one.id, one.severity) == ("unstated-training", "medium")


def test_a_choice_by_test_images_is_graver_when_it_is_certain() -> None:
    severity = {
        (name, item.id): item.severity
        for name in list_reports()
        for item in load_report(name).findings
    }
    assert severity["baltzi", "chosen-on-test"] == "high"
    assert severity["chalkiopoulos-tsoukalelis", "selection-metric"] == "medium"


# --- ends of trainings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "reading", "found"),
    [
        ("0.31", "final", False),
        ("0.25", "final", True),
        ("0.28", "best", False),  # of the epoch with the highest accuracy
        ("0.25", "best", False),  # the lowest
        ("0.31", "best", True),
    ],
)
def test_a_loss_is_that_of_its_epoch_table(loss: str, reading: str, found: bool) -> None:
    table = {
        "where": "Table 3", "split": "validation",
        "loss": ["0.25", "0.28", "0.31"], "accuracy": ["0.90", "0.94", "0.92"],
    }  # fmt: skip
    stated = claim("l", "loss", loss, split="validation", reading=reading)
    value = accuracy("v", "validation", "0.92")
    assert audited(alone(stated, value, epoch_tables=[table])) == ["last-epoch-small-l"] * found


@pytest.mark.parametrize(("epoch", "found"), [("44", False), ("45", True)])
def test_no_epoch_lies_after_the_end_that_is_stated(epoch: str, found: bool) -> None:
    content = tiny()
    later = claim("best-epoch", "lowest_val_loss_epoch", epoch)
    content["experiments"]["small"]["claims"].append(later)
    assert audited(content) == ["epochs-small-best-epoch"] * found
    assert not found or found_in(content)[0].because == "training ended after epoch 44"


def fitting_longer(content: Content, centre: float) -> list[Finding]:
    """Return what is found where runs of 100 epochs are bad, and those of 200 at a centre."""
    content["variants"] = {
        "longer": {"of": "small", "title": "Longer", "settings": {"training.epochs": 200}}
    }
    report = Report.model_validate(content)
    runs = {
        name: [make_run(report[name], seed, accuracy=centre + seed / 1000) for seed in (1, 2, 3)]
        for name, centre in (("small", 0.5), ("longer", centre))
    }
    return [f for f in audit.audit(report, runs) if f.id == "other-protocol-small"]


@pytest.mark.parametrize(("fitting", "found"), [(2, True), (1, False)])
def test_two_of_three_numbers_may_fit_another_training(fitting: int, found: bool) -> None:
    values = {"test": "88.60", "validation": "88.60" if fitting == 2 else "70", "train": "70"}
    content = alone(*(accuracy(split, split, value) for split, value in values.items()))
    findings = fitting_longer(content, 0.884)
    assert bool(findings) == found
    assert not findings or findings[0].because.endswith("; 2 of 3 numbers fit")


@pytest.mark.parametrize(("loss", "fits"), [("0.0", True), ("0.00", False)])
def test_a_loss_of_nothing_fits_what_rounds_to_it(loss: str, fits: bool) -> None:
    stated = (accuracy(split, split, "99.9") for split in ("test", "validation"))
    content = alone(claim("loss", "loss", loss, split="test"), *stated)
    (found,) = fitting_longer(content, 0.997)
    assert "Longer gives 0.013, 99.90 and 99.90" in found.because
    assert found.because.endswith("; 2 of 3 numbers fit") != fits


# --- in a terminal -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list_reports())
def test_every_id_is_printed_whole_in_a_narrow_terminal(name: str) -> None:
    report, out = load_report(name), io.StringIO()
    found = audit.audit(report)
    Console(width=80, file=out).print(found_table(found, report.title))
    lines = out.getvalue().splitlines()
    start = next(line.index("finding") for line in lines if "severity" in line)
    end = next(line.index("what is") for line in lines if "what is" in line)
    column = "".join(line[start:end].strip() for line in lines)
    assert [f"[{item.id}]" for item in found if f"[{item.id}]" not in column] == []
