"""Every kind of fault, planted in a small report: the check finds it, and no other."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from drawn_reports import printed_tables
from hypothesis import given
from hypothesis import strategies as st
from made_up_reports import (
    TOLD,
    Content,
    accuracy,
    alone,
    audited,
    claim,
    derived,
    experiment,
    found_in,
    planted,
    tiny,
)

from fmnist_utils.reports.report import Report
from fmnist_utils.verdicts.report_verdicts import accuracy_claims

LARGE = ("experiments", "large")
SMALL = ("experiments", "small")


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ((*LARGE, "table", "layers", 2, "shape"), (14, 14, 32), "layers-large"),
        ((*LARGE, "table", "layers", 1, "params"), 182, "layers-large"),
        ((*LARGE, "table", "total"), 693_962, "totals-large"),
        ((*LARGE, "table", "trainable"), 694_090, "totals-large"),
        ((*LARGE, "table", "non_trainable"), 0, "totals-large"),
        ((*LARGE, "claims", 2, "value"), "64", "setting-large-filters"),
        ((*LARGE, "claims", 3, "value"), "2", "setting-large-layers"),
        ((*LARGE, "claims", 4, "value"), "256", "setting-large-units"),
        ((*SMALL, "claims", 2, "value"), "0.885", "disagreement-small-small-test"),
        ((*LARGE, "claims", 1, "value"), "90.6", "difference-gain"),
        ((*LARGE, "claims", 1, "value"), "81.13", "ordering-better"),
        (("claims", 1, "value"), "2.6", "difference-gain"),
        (("claims", 2, "value"), "92", "bound-over"),
        (("claims", 3, "value"), "87", "bound-under"),
        (("claims", 4, "value"), "70000", "fact-images"),
        (("derivations", 0, "stated"), "70001", "all"),
        (("derivations", 1, "stated"), "14.26", "share"),
        (("derivations", 2, "stated"), "3.0", "times"),
        (("derivations", 3, "stated"), "89.78", "average"),
        (("derivations", 4, "stated"), "2.75", "fell"),
        (("derivations", 6, "stated"), "2013", "cited"),
        ((*SMALL, "claims", 0, "value"), "88.754", "grim-small-small-val"),
        ((*LARGE, "scores", "rows", 7, "f1"), "0.99", "scores-large"),
        ((*LARGE, "scores", "rows", 7, "precision"), "0.79", "scores-large"),
        ((*LARGE, "scores", "rows", 7, "support"), 900, "images-large-support-7"),
        ((*LARGE, "scores", "rows", 6, "recall"), "0.45", "scores-large"),
        ((*SMALL, "claims", 3, "value"), "9", "epochs-small-small-epochs"),
        ((*SMALL, "claims", 3, "value"), "101", "epochs-small-small-epochs"),
        (("means", "versions"), None, "unstated-means"),
        (("means", "seed"), None, "single-runs"),
    ],
)
def test_a_planted_error_is_found_as_one(path: Any, value: Any, found: str) -> None:
    assert audited(planted(path, value)) == [found]


@given(st.data())
def test_any_wrong_cell_of_a_layer_table_is_found(data: st.DataObject) -> None:
    table = data.draw(printed_tables())
    rows = table["layers"]
    # A side of a map can be another one, unless the next layer must keep it.
    keeping = ("Dropout", "BatchNormalization", "Flatten", "Dense")
    cells = [
        (row, axis)
        for row, after in itertools.pairwise(rows)
        for axis in range(len(row["shape"]))
        if after["type"] in keeping
    ]
    if cells and data.draw(st.booleans()):
        row, axis = data.draw(st.sampled_from(cells))
        wrong = data.draw(st.integers(1, 60).filter(lambda n: n != row["shape"][axis]))
        row["shape"] = (*row["shape"][:axis], wrong, *row["shape"][axis + 1 :])
    else:
        row = data.draw(st.sampled_from(rows))
        row["params"] += data.draw(st.integers(max(-1_000, -row["params"]), 1_000).filter(bool))
    (found,) = audited(alone(table=table))
    assert found in ("layers-small", "totals-small")


# --- said twice, ranked, bounded -----------------------------------------------------------------


def swapped() -> Content:
    """Return the report with its better model called the worse."""
    content = tiny()
    content["claims"][0] |= {"of": "small", "than": "large"}
    content["claims"] = [content["claims"][0], claim(
        "over-best", "difference", "1.1", split="test", of="huge", than="small", unit="points",
    )]  # fmt: skip
    huge = experiment("huge", accuracy("t", "test", "89.5"), accuracy("v", "validation", "89"))
    content["experiments"]["huge"] = huge
    content["derivations"] = []
    return content


def test_a_false_best_is_found_with_the_differences_that_build_on_it() -> None:
    (ordering,) = found_in(swapped())
    assert ordering.id == "ordering-better" and "88.40 %" in ordering.because
    assert "89.5 % − 91.13 % = −1.63 points ahead, not 1.1 points" in ordering.because


def test_a_difference_that_does_not_build_on_a_false_best_is_not_told_with_it() -> None:
    content = swapped()
    content["claims"][1]["value"] = "-1.6"
    (ordering,) = found_in(content)
    assert "ahead" not in ordering.because


def test_a_derivation_is_worked_out_from_the_numbers_as_printed() -> None:
    content = tiny()
    content["derivations"] = [derived("times", "ratio", "9", "1.0", "0.3")]
    assert found_in(content)[0].because == "1.0 / 0.3 = 3.33"


def test_the_opposite_statement_is_quoted_against_a_false_ordering() -> None:
    content = swapped()
    content["claims"].append(claim("opposite", "ordering", split="test", of="large", than="small"))
    assert "p. of opposite" in found_in(content)[0].because


def test_an_accuracy_of_one_epoch_is_not_that_of_the_model() -> None:
    content = tiny()
    early = accuracy("early", "validation", "80.1", epoch=1)
    content["experiments"]["large"]["claims"].insert(0, early)
    pair = {"split": "validation", "of": "large", "than": "small"}
    content["claims"] += [
        claim("better-val", "ordering", **pair),
        claim("gain-val", "difference", "3.2", unit="points", **pair),
    ]
    assert audited(content) == []
    assert accuracy_claims(Report.model_validate(content), "validation")["large"].number == 91.9


@pytest.mark.parametrize(("again", "found"), [("0.86", False), ("0.861", True)])
def test_a_share_of_the_data_is_rounded(again: str, found: bool) -> None:
    content = tiny()
    content["claims"] += [
        claim("share", "data", "0.857", fact="train_share"),
        claim("again", "data", again, fact="train_share"),
    ]
    content["derivations"] += [derived("sixth", "ratio", "share", "60000", "70000")]
    assert audited(content) == ["disagreement-share"] * found


@pytest.mark.parametrize("order", list(itertools.permutations(["88", "88.3", "87.8"])))
def test_statements_are_held_against_each_other_in_any_order(order: tuple[str, ...]) -> None:
    stated = [accuracy(f"again-{i}", "test", value) for i, value in enumerate(order)]
    assert audited(alone(*stated)) == ["disagreement-small-again-0"]


def test_a_count_of_a_layer_table_is_corrected_by_its_rows() -> None:
    content = tiny()
    content["experiments"]["large"]["claims"].append(claim("count", "total_params", "694091"))
    (finding,) = found_in(content)
    assert finding.id == "miscounted-large-count" and finding.severity == "low"
    assert "320 + 128 + 692,352 + 1,290" in finding.because


@pytest.mark.parametrize(
    ("relation", "bound", "broken"),
    [
        ("at_least", "92", True),
        ("at_least", "91.13", False),
        ("at_least", "91.2", True),
        ("at_most", "91", False),
        ("at_most", "90", True),
        ("above", "91", False),
        ("above", "91.13", False),
        ("above", "91.2", True),
        ("below", "91", True),
        ("below", "92", False),
    ],
)
def test_a_bound_is_exact_unless_it_includes_its_value(
    relation: str, bound: str, broken: bool
) -> None:
    content = tiny()
    content["claims"] = [
        claim("b", "bound", bound, split="test", of="large", relation=relation, unit="percent")
    ]
    content["derivations"] = []
    assert audited(content) == ["bound-b"] * broken


def test_a_network_stated_on_two_machines_is_no_contradiction() -> None:
    content = tiny()
    both = [
        accuracy(f"on-{n}", "train", value, machine=n)
        for n, value in (("a", "90.1"), ("b", "91.1"))
    ]
    content["experiments"]["small"]["claims"] += both
    content["experiments"]["small"]["claims"] += [
        claim(f"minutes-{n}", "minutes", value, machine=n) for n, value in (("a", "3"), ("b", "60"))
    ]
    assert audited(content) == []
    for item in both:
        del item["machine"]
    assert audited(content) == ["disagreement-small-on-a"]


def test_classes_ranked_against_their_scores_are_found() -> None:
    content = tiny()
    said = claim("ranks", "class_ordering", split="test", labels=[1], than_labels=[6])
    content["experiments"]["large"]["claims"].append(said)
    assert audited(content) == []
    said |= {"labels": [6, 4], "than_labels": [1]}
    (finding,) = found_in(content)
    assert finding.id == "class-order-large-ranks"
    assert "0.75 of Shirt" in finding.because and "0.87 of Coat" in finding.because


def on_test_images(*accuracies: Content) -> Content:
    content = tiny()
    small = content["experiments"]["small"]
    small["training"]["validation"] = {"take": "test"}
    small["claims"] = [
        {**item, "value": "test"} if item.get("setting") == "training.validation.take" else item
        for item in small["claims"]
        if item.get("setting") != "training.validation.fraction" and item["quantity"] != "accuracy"
    ] + list(accuracies)
    content["claims"] = content["derivations"] = []
    del content["experiments"]["large"]
    return content


def test_early_stopping_on_test_images_is_found() -> None:
    agreeing = (accuracy("val", "validation", "88.75"), accuracy("test", "test", "0.8875"))
    assert audited(on_test_images(*agreeing)) == ["stopped-on-test"]


def test_test_images_that_stop_nothing_are_no_fault() -> None:
    content = on_test_images(accuracy("test", "test", "0.8875"), accuracy("t", "train", "0.9"))
    small = content["experiments"]["small"]
    small["training"]["early_stopping"]["monitor"] = "accuracy"
    monitors = [c for c in small["claims"] if str(c.get("setting")).endswith("monitor")]
    monitors[0]["value"] = "accuracy"
    assert audited(content) == []
    small["claims"] = [c for c in small["claims"] if c["id"] != "t"]
    assert audited(content) == ["criterion-train-accuracy"]
    (found,) = found_in(content)
    assert found.claimed == "training accuracy ends the training of 1 model"


GAP = {"split": "train", "than_split": "test", "unit": "points"}


@pytest.mark.parametrize(
    ("gap", "macro", "found"),
    [
        ("3.6", "0.884", []),
        ("3.4", "0.884", ["difference-small-gap"]),
        ("-3.6", "0.88", ["difference-small-gap"]),
        ("3.6", "0.89", ["scores-small-macro"]),
    ],
)
def test_a_gap_and_a_macro_recall_must_fit_the_accuracies(
    gap: str, macro: str, found: list[str]
) -> None:
    content = alone(
        accuracy("train", "train", "92.00"),
        accuracy("test", "test", "88.40"),
        claim("gap", "gap", gap, **GAP),
        claim("macro", "macro_recall", macro, split="test"),
    )
    assert audited(content) == found


@pytest.mark.parametrize(
    ("keys", "found"),
    [({}, True), ({"mean_of": 5}, False), ({"reading": "best"}, False), ({"machine": "b"}, False)],
)
def test_scores_are_held_against_an_accuracy_of_the_same_training(
    keys: dict[str, Any], found: bool
) -> None:
    table = copy.deepcopy(tiny()["experiments"]["large"]["scores"])
    tabled = alone(accuracy("test", "test", "89.21", **keys), scores=table)
    assert audited(tabled) == ["scores-small"] * found
    macro = claim("macro", "macro_recall", "0.912", split="test")
    assert (
        audited(alone(accuracy("test", "test", "89.21", **keys), macro))
        == ["scores-small-macro"] * found
    )
    macro |= keys
    assert audited(alone(accuracy("test", "test", "89.21", **keys), macro)) == [
        "scores-small-macro"
    ]


def test_two_accuracies_of_the_same_test_images_are_found() -> None:
    content = on_test_images(accuracy("val", "validation", "88.75"), accuracy("t", "test", "88.4"))
    assert audited(content) == ["stopped-on-test", "disagreement-small-val"]


def test_an_accuracy_above_that_of_training_is_found() -> None:
    content = tiny()
    trained = accuracy("train", "train", "88.39")
    content["experiments"]["small"]["claims"].append(trained)
    (finding,) = found_in(content)
    assert finding.id == "above-training" and "88.75 % − 88.39 % = 0.36" in finding.because
    trained["value"] = "88.75"
    assert audited(content) == []


# --- numbers that cannot be ----------------------------------------------------------------------


def test_a_mean_of_several_trainings_has_a_finer_denominator() -> None:
    content = tiny()
    content["experiments"]["large"]["claims"][0] |= {"value": "0.91629168", "unit": "plain"}
    assert audited(content) == ["grim-large-large-val"]
    content["experiments"]["large"]["claims"][0]["mean_of"] = 2
    assert audited(content) == []


FRACTION = "training.validation.fraction"


def held_out_by_us(*stated: Content, derived: bool = False) -> Content:
    """Return the report of one model that does not say how many images are held out."""
    content = alone(*stated)
    small = content["experiments"]["small"]
    small["claims"] = [item for item in small["claims"] if item.get("setting") != FRACTION]
    small["assumed"].append(
        {"setting": FRACTION, "chosen": 0.2, "because": TOLD, "derived": derived}
    )
    return content


@pytest.mark.parametrize(
    ("told", "keys", "found"),
    [
        ([], {}, False),
        ([claim("images", "images", "12000", split="validation")], {}, True),
        ([], {"derived": True}, True),
    ],
)
def test_images_that_we_chose_to_hold_out_make_no_number_impossible(
    told: list[Content], keys: dict[str, bool], found: bool
) -> None:
    stated = accuracy("val", "validation", "0.87213")
    assert audited(held_out_by_us(stated, *told, **keys)) == ["grim-small-val"] * found


def test_images_that_we_chose_to_hold_out_are_not_counted_between_models() -> None:
    content = held_out_by_us(accuracy("val", "validation", "0.8722"))
    content["means"]["seed"] = None
    content["experiments"]["other"] = {**content["experiments"]["small"], "id": "other"}
    content["experiments"]["other"]["claims"] = [
        {**item, "value": "0.8725"} if item["id"] == "val" else item
        for item in content["experiments"]["small"]["claims"]
    ]
    (found,) = [item for item in found_in(content) if item.id == "single-runs"]
    assert "apart" not in found.because


def test_shares_of_a_class_are_whole_numbers_of_its_images() -> None:
    recalls = [
        claim(f"recall-{i}", "recall", value, label=i, split="test", unit="percent")
        for i, value in enumerate(["74.02", "89.1", "98.20"])
    ]
    (finding,) = found_in(alone(*recalls))
    assert finding.id == "class-shares-small" and finding.severity == "high"
    assert "740.20 images" in finding.because
    assert "10 % of all numbers are possible, so that 2 of 3 pass by chance" in finding.because


def test_two_shares_of_one_class_have_a_common_size() -> None:
    shares = [
        claim("recall", "recall", "74.02", label=6, split="test", unit="percent"),
        claim("taken", "confused", "7.61", label=6, predicted=4, split="test", unit="percent"),
    ]
    (finding,) = found_in(alone(*shares))
    assert "only 920 and 1,051 can have all 2 shares of Shirt" in finding.because


def recall_of_shirts(name: str, value: str, **keys: Any) -> Content:
    return claim(name, "recall", value, label=6, split="test", **keys)


@pytest.mark.parametrize(("runs", "found"), [(2, True), (5, False), (10, False)])
def test_a_mean_of_several_trainings_counts_the_images_of_all(runs: int, found: bool) -> None:
    content = alone(recall_of_shirts("recall", "0.8412", mean_of=runs))
    assert audited(content) == ["class-shares-small"] * found
    assert not found or "that is 2 × 841.20 images" in found_in(content)[0].because


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (recall_of_shirts("again", "0.712"), False),  # the same share with more digits
        (claim("again", "confused", "0.71", label=6, predicted=6, split="test"), False),
        (claim("again", "confused", "0.31", label=6, predicted=4, split="test"), True),
        (claim("a", "confused", "0.31", label=6, predicted=4, split="test", mean_of=5), False),
        (claim("a", "confused", "0.31", label=6, predicted=4, split="test", machine="b"), False),
    ],
)
def test_a_share_of_a_class_counts_once_with_those_of_its_training(
    other: Content, found: bool
) -> None:
    content = alone(recall_of_shirts("recall", "0.71"), other)
    assert audited(content) == ["class-shares-small-recall"] * found


@pytest.mark.parametrize(("taken", "found"), [("10.9", False), ("11.1", True)])
def test_no_more_than_a_class_is_recognised_or_taken_for_another(taken: str, found: bool) -> None:
    shares = [
        claim("recall", "recall", "89.1", label=6, split="test", unit="percent"),
        claim("taken", "confused", taken, label=6, predicted=4, split="test", unit="percent"),
    ]
    assert audited(alone(*shares)) == ["class-shares-small-recall"] * found


def test_no_class_is_recognised_more_than_always() -> None:
    content = tiny()
    row = content["experiments"]["large"]["scores"]["rows"][7]
    row |= {"precision": "0.82", "recall": "1.00", "f1": "0.91"}
    (finding,) = found_in(content)
    assert finding.id == "scores-large" and "at most 0.9041" in finding.because


def test_losses_in_percent_are_found_once() -> None:
    content = tiny()
    losses = [claim(f"loss-{i}", "loss", "35.1", split="test", unit="percent") for i in (1, 2)]
    content["experiments"]["small"]["claims"] += losses
    (finding,) = found_in(content)
    assert finding.id == "percent-losses" and finding.claimed == "losses of 35.1 %"
    assert "ln 10 = 2.303, which would be 230 %" in finding.because


@pytest.mark.parametrize(("loss", "found"), [("0.07", True), ("0.08", False)])
def test_each_error_costs_a_loss(loss: str, found: bool) -> None:
    content = tiny()
    content["experiments"]["small"]["claims"].append(claim("l", "loss", loss, split="validation"))
    assert audited(content) == ["loss-small-l"] * found


@pytest.mark.parametrize(
    ("value", "reading", "found"),
    [("0.90", "final", True), ("0.92", "best", True), ("0.94", "best", False)],
)
def test_an_accuracy_is_that_of_its_epoch_table(value: str, reading: str, found: bool) -> None:
    table = {
        "where": "Table 3", "split": "validation",
        "loss": ["0.3"] * 3, "accuracy": ["0.90", "0.94", "0.92"],
    }  # fmt: skip
    stated = accuracy("v", "validation", value, reading=reading)
    assert audited(alone(stated, epoch_tables=[table])) == ["last-epoch-small-v"] * found


@pytest.mark.parametrize(
    ("monitor", "value", "found"),
    [
        ("val_accuracy", "0.90", True),
        ("val_loss", "0.90", False),
        ("val_loss", "0.94", False),
        ("val_loss", "0.88", True),
    ],
)
def test_the_best_epoch_is_that_of_what_is_watched(monitor: str, value: str, found: bool) -> None:
    table = {
        "where": "Table 3", "split": "validation",
        "loss": ["0.41", "0.30", "0.35"], "accuracy": ["0.88", "0.90", "0.94"],
    }  # fmt: skip
    stated = accuracy("v", "validation", value, reading="best")
    content = alone(stated, epoch_tables=[table])
    small = content["experiments"]["small"]
    small["training"]["early_stopping"]["monitor"] = monitor
    (told,) = [c for c in small["claims"] if str(c.get("setting")).endswith("monitor")]
    told["value"] = monitor
    assert audited(content) == ["last-epoch-small-v"] * found


@pytest.mark.parametrize(
    ("reading", "found"),
    [("final-running", True), ("final", False), ("final-all", False), ("best-running", False)],
)
def test_an_epoch_table_of_training_images_has_running_numbers_alone(
    reading: str, found: bool
) -> None:
    table = {
        "where": "Table 3", "split": "train",
        "loss": ["0.4", "0.3"], "accuracy": ["0.87", "0.89"],
    }  # fmt: skip
    stated = accuracy("t", "train", "91.0", reading=reading)
    assert audited(alone(stated, epoch_tables=[table])) == ["last-epoch-small-t"] * found


def test_zeros_that_an_epoch_table_drops_are_counted() -> None:
    table = {
        "where": "Table 3", "split": "validation", "decimals": 2,
        "loss": ["0.3", "0.25"], "accuracy": ["0.9", "0.89"],
    }  # fmt: skip
    (finding,) = found_in(alone(accuracy("v", "validation", "0.89"), epoch_tables=[table]))
    assert finding.id == "dropped-zeros"
    assert finding.claimed == "2 of 4 cells have fewer decimals than the others"


def test_training_cannot_end_before_its_patience() -> None:
    because = {
        item.id: item.because for item in found_in(alone(claim("e", "epochs_trained", "10")))
    }
    assert (
        because["epochs-small-e"]
        == "with a patience of 10 training ends after epoch 11 at the earliest"
    )


# --- protocols, searches and gaps ----------------------------------------------------------------


def with_stated(path: str, text: str) -> Content:
    """Return the report with a setting of the small model stated, and used, otherwise."""
    content = tiny()
    small = content["experiments"]["small"]
    for item in small["claims"]:
        if item.get("setting") == path:
            item["value"] = text
    *parents, last = path.split(".")[1:]
    target = small["training"]
    for key in parents:
        target = target[key]
    target[last] = text
    return content


def test_models_that_were_trained_on_different_images_are_found() -> None:
    (finding,) = found_in(with_stated("training.validation.fraction", "0.1"))
    assert finding.id == "protocol" and finding.severity == "high"
    assert "54,000 for Model small" in finding.because and "48,000" in finding.because


def test_models_beside_each_other_need_no_sentence_that_compares_them() -> None:
    content = with_stated("training.validation.fraction", "0.1")
    content["claims"] = content["derivations"] = []
    (finding,) = found_in(content)
    assert finding.id == "protocol" and finding.severity == "medium"


def test_only_models_that_state_a_setting_are_said_to_have_it() -> None:
    content = with_stated("training.validation.fraction", "0.1")
    third = experiment("third", *(accuracy(s, s, "88.4") for s in ("validation", "test")))
    path = "training.validation.fraction"
    third["claims"] = [item for item in third["claims"] if item.get("setting") != path]
    third["assumed"].append({"setting": path, "chosen": 0.2, "because": TOLD})
    content["experiments"]["third"] = third
    (finding,) = found_in(content)
    assert "share held out: 0.1 for Model small and 0.2 for Model large" in finding.because
    assert "48,000 for the others" in finding.because


def test_a_percentage_and_the_fraction_it_stands_for_are_one_protocol() -> None:
    content = tiny()
    for item in content["experiments"]["small"]["claims"]:
        if item.get("setting") == "training.validation.fraction":
            item |= {"value": "20", "unit": "percent"}
    assert audited(content) == []


def test_what_a_report_tunes_is_no_different_protocol() -> None:
    assert audited(with_stated("training.optimizer.learning_rate", "0.002")) == []


def test_a_stopping_criterion_without_a_number_is_found() -> None:
    content = tiny()
    del content["experiments"]["small"]["claims"][0]
    assert audited(content) == ["criterion-accuracy"]


def test_an_epoch_table_states_what_ended_the_training() -> None:
    content = tiny()
    small = content["experiments"]["small"]
    small["training"]["early_stopping"]["monitor"] = "val_loss"
    (monitor,) = [c for c in small["claims"] if c.get("setting", "").endswith("monitor")]
    monitor["value"] = "val_loss"
    assert "criterion-loss" in audited(content)
    small["epoch_tables"] = [{"where": "Table 3", "split": "validation", "loss": ["0.3", "0.31"],
                              "accuracy": ["0.88", "0.8875"]}]  # fmt: skip
    assert "criterion-loss" not in audited(content)


def searched(**stated: Any) -> Content:
    """Return a report of a searched network of 64 units, and of a trial that has these settings."""
    content = alone()
    trial = {"builder": "mlp", "hidden": [{"units": 64, **stated}]}
    kept = (accuracy("kept", "validation", "88.75"), accuracy("tested", "test", "88.4"))
    content["experiments"] = {
        "base": experiment("base", *kept),
        "small": experiment("small", *kept, model=trial),
    }
    space = {"sets": "model.hidden.0.units", "low": 16, "high": 128, "step": 16}
    keys = ("tool", "objective", "trials", "executions", "epochs", "seed")
    values = ("optuna", "val_accuracy", 2, 1, 2, 7)
    content["searches"] = {"sweep": {
        "id": "sweep", "title": "A sweep", "where": "p. 4", "of": "base",
        **dict(zip(keys, values, strict=True)), "space": {"units": space},
        "claims": [
            claim("low", "setting", 16, setting="space.units.low"),
            *(claim(k, "setting", v, setting=k) for k, v in zip(keys, values, strict=True)),
        ],
    }}  # fmt: skip
    return content


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"units": 80}, ""),
        ({"units": 50}, "units of hidden layer 1 is searched among 16 to 128 in steps of 16"),
        ({"units": 144}, "units of hidden layer 1 is searched among 16 to 128 in steps of 16"),
        ({"activation": "tanh"}, "activation of hidden layer 1 is not searched, and stays relu"),
    ],
)
def test_a_trial_outside_the_space_is_found(stated: dict[str, Any], reason: str) -> None:
    findings = found_in(searched(**stated))
    assert [item.because for item in findings] == [reason] * bool(reason)


RATE = {"sets": "model.hidden.0.dropout", "low": 0, "high": 0.5, "step": 0.1}


@pytest.mark.parametrize(
    ("used", "percent", "space", "found"),
    [
        (0.2, "20", {}, False),
        (0.25, "25", {}, True),
        (0.2, "20", {"step": None}, False),
        (0.6, "60", {"step": None}, True),
        (0.2, "20", {"low": None, "high": None, "step": None, "choices": [0.2, 0.4]}, False),
        (0.2, "20", {"sets": ["model.hidden.0.dropout", "model.input_dropout"]}, False),
    ],
)
def test_a_trial_may_be_stated_in_percent(
    used: float, percent: str, space: dict[str, Any], found: bool
) -> None:
    content = searched(dropout=used)
    search, trial = content["searches"]["sweep"], content["experiments"]["small"]
    search["space"]["rate"] = {key: v for key, v in (RATE | space).items() if v is not None}
    search["claims"].append(claim("rate", "setting", 0, setting="space.rate.low"))
    (rate,) = [c for c in trial["claims"] if c.get("setting") == "model.hidden.0.dropout"]
    rate |= {"value": percent, "unit": "percent"}
    ids = ["outside-sweep-hidden-0-dropout"] * found
    assert [item for item in audited(content) if item.startswith("outside")] == ids


def test_what_is_not_searched_may_be_stated_in_percent() -> None:
    content = searched(dropout=0.2)
    base = content["experiments"]["base"]
    base["model"]["hidden"][0]["dropout"] = 0.2
    base["assumed"].append({"setting": RATE["sets"], "chosen": 0.2, "because": TOLD})
    for item in content["experiments"]["small"]["claims"]:
        if item.get("setting") == RATE["sets"]:
            item |= {"value": "20", "unit": "percent"}
    assert audited(content) == []


def test_a_space_that_the_report_does_not_state_proves_nothing() -> None:
    content = searched(units=50)
    search = content["searches"]["sweep"]
    search["claims"] = [c for c in search["claims"] if c["id"] != "low"]
    assert audited(content) == []


@pytest.mark.parametrize(
    ("stated", "severity", "because"),
    [(True, "low", "2 were tried"), (False, "medium", "how many were tried is not said")],
)
def test_a_search_of_few_combinations_is_found(stated: bool, severity: str, because: str) -> None:
    content = searched(units=80)
    search = content["searches"]["sweep"]
    search["space"]["layers"] = {"sets": "model.hidden.0.activation", "choices": ["relu", "tanh"]}
    search["space"]["rates"] = {
        "sets": "model.hidden.0.dropout",
        "low": 0,
        "high": 0.5,
        "step": 0.25,
    }
    kept = [item for item in search["claims"] if stated or item["id"] != "trials"]
    search["claims"] = [
        *kept,
        claim("a", "setting", "relu, tanh", setting="space.layers.choices"),
        claim("b", "setting", 0, setting="space.rates.low"),
    ]
    if not stated:
        search["assumed"] = [{"setting": "trials", "chosen": 2, "because": "not stated"}]
    (finding,) = found_in(content)
    assert (finding.id, finding.severity) == ("search-sweep", severity)
    assert "8 × 2 × 3 = 48 combinations" in finding.because and because in finding.because


def assumed(path: str, chosen: str, because: str = "no rate is printed") -> Content:
    content = tiny()
    large = content["experiments"]["large"]
    large["assumed"].append({"setting": path, "chosen": chosen, "because": because})
    large["claims"] = [c for c in large["claims"] if c.get("setting") != path]
    return content


def test_a_setting_that_only_we_chose_is_found_with_its_variant() -> None:
    content = assumed("model.conv.0.dropout", "0.25")
    content["variants"] = {
        "more": {"of": "large", "title": "Half", "settings": {"model.conv.0.dropout": "0.5"}}
    }
    (finding,) = found_in(content)
    assert finding.id == "unstated-model" and "dropout rate of 1 layer" in finding.claimed
    assert "Half" in finding.consequence


def test_a_setting_of_the_training_that_only_we_chose_is_found() -> None:
    (finding,) = found_in(assumed("training.optimizer.learning_rate", "0.001"))
    assert finding.id == "unstated-training"
    assert finding.claimed == "nothing is said of the learning rate (1 of 2 models)"


def test_how_an_accuracy_was_measured_is_asked_where_one_is_stated() -> None:
    content = tiny()
    for name, because in (("small", "not stated"), ("large", "not stated again; as the other")):
        readings = content["experiments"][name]["assumed"]
        (weights,) = [item for item in readings if item["setting"] == "reading.weights"]
        weights["because"] = because
    (finding,) = found_in(content)
    assert finding.id == "unstated-reading"
    assert "whether the last or the best weights are evaluated (1 of 2 models)" in finding.claimed


def test_copies_of_one_model_are_counted_as_one() -> None:
    content = assumed("training.optimizer.learning_rate", "0.001")
    large = content["experiments"]["large"]
    copy_of = {**large, "id": "again", "layers_as": "large", "claims": [
        c for c in large["claims"] if not (c.get("setting") or "").startswith("model.")
        and c["quantity"] != "accuracy"
    ]}  # fmt: skip
    del copy_of["table"], copy_of["scores"]
    content["experiments"]["again"] = copy_of
    (finding,) = [item for item in found_in(content) if item.id == "unstated-training"]
    assert finding.claimed == "nothing is said of the learning rate (1 of 2 models)"


def test_accuracies_without_one_on_test_images_are_found() -> None:
    content = alone()
    claims = content["experiments"]["small"]["claims"]
    content["experiments"]["small"]["claims"] = [c for c in claims if c["id"] != "kept-test"]
    (finding,) = found_in(content)
    assert finding.id == "no-test-accuracy" and finding.claimed.endswith("of 1 model")


def test_what_is_given_by_reference_is_stated() -> None:
    told = "not stated again; the network is said to keep the other, which has 0.25"
    assert audited(assumed("model.conv.0.dropout", "0.25", told)) == []


def test_of_many_variants_those_that_change_least_are_named() -> None:
    content = assumed("model.conv.0.dropout", "0.25")
    settings = {"model.conv.0.dropout": "0.5"}
    content["variants"] = {
        "both": {"of": "large", "title": "Both", "settings": settings | {"training.epochs": 3}}
    } | {name: {"of": "large", "title": name, "settings": settings} for name in "abcd"}
    (finding,) = found_in(content)
    assert finding.consequence.endswith("what it changes: a; b; c; and 2 more.")


def test_layer_numbers_tell_of_layers_that_are_not_shown() -> None:
    content = tiny()
    names = ["conv2d", "batch_normalization_1", "max_pooling2d", "own", "flatten", "dense_1",
             "dense_5"]  # fmt: skip
    for row, name in zip(content["experiments"]["large"]["table"]["layers"], names, strict=True):
        row["name"] = name
    (finding,) = found_in(content)
    assert finding.id == "attempts"
    assert finding.because.endswith("dense_5 means at least 3 more")


def test_a_count_without_a_layer_table_is_held_against_the_model() -> None:
    content = tiny()
    stated = claim("count", "total_params", "406270")
    right = claim("right", "trainable_params", "50890")
    content["experiments"]["small"]["claims"] += [stated, right]
    (finding,) = found_in(content)
    assert finding.id == "count-small-count" and "it has 50,890" in finding.because


# --- findings in the file ------------------------------------------------------------------------


def with_written(**keys: Any) -> Content:
    texts = {key: "A" for key in ("title", "where", "claimed", "because", "consequence")}
    item = {"id": "written", "severity": "low", **texts, **keys}
    return {**tiny(), "findings": [item]}


def test_numbers_of_written_findings_are_those_of_the_claims() -> None:
    text = "{large/large-test} − {small/small-test} = {large/large-test - small/small-test}"
    content = with_written(because=text + " of {images}, {small/small-test / 2:.1f}")
    (finding,) = found_in(content)
    assert finding.because == "91.13 − 88.40 = 2.73 of 60,000, 44.2"


def test_a_written_finding_falls_with_its_condition() -> None:
    content = with_written(when=["large/large-test - small/small-test > 2"])
    assert audited(content) == ["written"]
    assert audited(planted((*LARGE, "claims", 1, "value"), "90.0", content))[-1:] != ["written"]


def test_a_written_finding_stands_in_place_of_a_computed_one() -> None:
    content = with_written(tells=["bound-under"])
    assert audited(content) == []
    assert audited(planted(("claims", 3, "value"), "87", content)) == ["written"]
