"""The audit: consistent reports raise nothing, and every planted error is found."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from factories import make_run
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fmnist_utils import audit, cli, tables
from fmnist_utils.audit.layer_checks import read_architecture
from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.printed import LayerTable
from fmnist_utils.reports.report import SEVERITIES, Report
from fmnist_utils.reports.yaml_file import ReportError, read_report
from fmnist_utils.runs.store import RunStore

Content = dict[str, Any]


# --- reports made up for the tests ---------------------------------------------------------------


def claim(name: str, quantity: str, value: Any = None, **keys: Any) -> Content:
    stated = {} if value is None else {"value": value}
    return {"id": name, "quantity": quantity, "where": f"p. of {name}", **stated, **keys}


def accuracy(name: str, split: str, value: str, **keys: Any) -> Content:
    unit = "percent" if Decimal(value) > 1 else "plain"
    return claim(name, "accuracy", value, split=split, **{"unit": unit, **keys})


def experiment(name: str, *claims: Content, epochs: int = 100, **parts: Any) -> Content:
    """Return an experiment that stops early, all of its protocol stated."""
    training = {
        "validation": {"fraction": 0.2, "take": "last"},
        "batch_size": 128,
        "epochs": epochs,
        "optimizer": {"name": "adam", "learning_rate": 0.001},
        "loss": "categorical_crossentropy",
        "early_stopping": {"monitor": "val_accuracy", "patience": 10},
    }
    stated = {c.get("setting") for c in claims}
    settings = [
        claim(re.sub("[._]", "-", path), "setting", str(value), setting=path)
        for path, value in leaves(training, "training")
        if path not in stated
    ]
    return {
        "id": name,
        "report": "tiny",
        "title": f"Model {name}",
        "where": f"Section {name}",
        "model": {"builder": "mlp", "hidden": [{"units": 64}]},
        "training": training,
        "claims": [*claims, *settings],
        **parts,
    }


def leaves(settings: Content, prefix: str) -> list[tuple[str, Any]]:
    return [
        pair
        for key, value in settings.items()
        for pair in (
            leaves(value, f"{prefix}.{key}")
            if isinstance(value, dict)
            else [(f"{prefix}.{key}", value)]
        )
    ]


def layers(*rows: tuple[str, tuple[int, ...], int], where: str = "Figure 1") -> Content:
    total = sum(parameters for _, _, parameters in rows)
    frozen = sum(parameters // 2 for kind, _, parameters in rows if kind == "BatchNormalization")
    return {
        "where": where,
        "layers": [
            {"name": f"row {i}", "type": kind, "shape": shape, "params": parameters}
            for i, (kind, shape, parameters) in enumerate(rows)
        ],
        "total": total,
        "trainable": total - frozen,
        "non_trainable": frozen,
    }


def scores(recalls: Sequence[str], **changes: Any) -> Content:
    rows = [
        {"label": name, "precision": recall, "recall": recall, "f1": recall, "support": 1000}
        for name, recall in zip(CLASS_NAMES, recalls, strict=True)
    ]
    return {"where": "Table 2", "split": "test", "rows": rows, **changes}


CNN = layers(
    ("Conv2D", (26, 26, 32), 320),
    ("BatchNormalization", (26, 26, 32), 128),
    ("MaxPooling2D", (13, 13, 32), 0),
    ("Dropout", (13, 13, 32), 0),
    ("Flatten", (5408,), 0),
    ("Dense", (128,), 692352),
    ("Dense", (10,), 1290),
)


def tiny() -> Content:
    """Return a consistent report of two models, for an error to be planted in."""
    small = experiment(
        "small",
        accuracy("small-val", "validation", "88.75"),
        accuracy("small-test", "test", "88.40"),
        accuracy("small-again", "test", "0.884"),
        claim("small-epochs", "epochs_trained", "44"),
    )
    large = experiment(
        "large",
        accuracy("large-val", "validation", "91.9"),
        accuracy("large-test", "test", "91.13"),
        claim("filters", "setting", "32", setting="model.conv.0.filters"),
        claim("layers", "setting", "1", setting="model.conv.count"),
        claim("units", "setting", "128", setting="model.dense.0.units"),
        model={
            "builder": "cnn",
            "conv": [{"filters": 32, "kernel": 3, "padding": "valid", "pool": 2, "dropout": 0.25}],
            "dense": [{"units": 128}],
        },
        table=copy.deepcopy(CNN),
        scores=scores([f"0.{n}" for n in (85, 98, 86, 92, 87, 98, 75, 97, 98, 96)]),
    )  # fmt: skip
    return {
        "id": "tiny",
        "title": "A tiny report",
        "authors": [],
        "claims": [
            claim("better", "ordering", split="test", of="large", than="small"),
            claim("gain", "difference", "2.7", split="test", of="large", than="small",
                  unit="points"),
            claim("over", "bound", "91", split="test", of="large", relation="at_least",
                  unit="percent"),
            claim("under", "bound", "88", split="test", of="small", relation="at_most",
                  unit="percent"),
            claim("images", "data", "60000", fact="train_images"),
        ],
        "experiments": {"small": small, "large": large},
        "derivations": [
            derived("all", "sum", "70000", "images", "10000"),
            derived("share", "ratio", "14", "10000", "70000", unit="percent"),
            derived("times", "ratio", "3", "3384234", "1221546"),
            derived("average", "mean", "89.77", "small/small-test", "large/large-test",
                    unit="percent"),
            derived("fell", "difference", "2.73", "91.13", "88.40"),
            derived("copied", "same", "88.4", "small/small-test", unit="percent"),
            derived("shirts", "proportion", "74.2", "1000", unit="percent"),
            derived("cited", "not_before", "2019", "2017"),
        ],
    }  # fmt: skip


def derived(name: str, rule: str, stated: str, *given: str, unit: str = "plain") -> Content:
    return {
        "id": name, "rule": rule, "where": f"p. of {name}", "stated": stated, "given": given,
        "unit": unit, "consequence": "It is judged as printed.",
    }  # fmt: skip


def audited(content: Content) -> list[str]:
    return [finding.id for finding in audit.audit(Report.model_validate(content))]


# --- no false alarms -----------------------------------------------------------------------------


def test_a_consistent_report_raises_nothing() -> None:
    assert audited(tiny()) == []


def rounded(draw: Callable[..., Any], value: Fraction, percent: bool) -> str:
    """Print a fraction as reports do: rounded either way at ties, or as Keras prints a float32."""
    style = draw(st.sampled_from(["even", "up", "float32"]))
    if style == "float32":
        text = f"{100 * float(np.float32(float(value))):.4f}" if percent else ""
        return text or f"{float(np.float32(float(value))):.10f}"
    places = draw(st.integers(0 if percent else 2, 4))
    scaled = (100 if percent else 1) * value * 10**places
    whole = round(scaled) if style == "even" else (scaled + Fraction(1, 2)).__floor__()
    return str(Decimal(whole).scaleb(-places)) if places else f"{whole}"


@st.composite
def consistent_reports(draw: Callable[..., Any]) -> Content:
    """State true counts of right answers, and what follows from them, each rounded at random."""
    right = {
        name: {
            "test": Fraction(draw(st.integers(5_000, 9_990)), 10_000),
            "validation": Fraction(draw(st.integers(6_000, 11_990)), 12_000),
            "train": Fraction(draw(st.integers(24_000, 47_990)), 48_000),
        }
        for name in ("a", "b")
    }

    def stated(name: str, split: str, value: Fraction) -> Content:
        percent = draw(st.booleans())
        unit = "percent" if percent else "plain"
        text = rounded(draw, value, percent)
        return claim(name, "accuracy", text, split=split, unit=unit)

    experiments = {
        name: experiment(
            name,
            *(
                stated(f"{split}-{i}", split, value)
                for split, value in values.items()
                for i in range(draw(st.integers(1, 3)))
            ),
            claim("ended", "epochs_trained", str(draw(st.integers(11, 100)))),
            table=draw(printed_tables()),
        )
        for name, values in right.items()
    }
    best, other = sorted(right, key=lambda name: right[name]["test"], reverse=True)
    gain = right[best]["test"] - right[other]["test"]
    pair = {"split": "test", "of": best, "than": other}
    bounds = [
        claim(f"bound-{name}-{relation[3:]}", "bound", rounded(draw, right[name]["test"], True),
              split="test", of=name, relation=relation, unit="percent")
        for name in right
        for relation in ("at_least", "at_most")
    ]  # fmt: skip
    comparisons = [
        claim("gain", "difference", rounded(draw, gain, True), unit="points", **pair),
        claim("gain-plain", "difference", rounded(draw, gain, False), unit="plain", **pair),
    ]
    if gain:
        comparisons.append(claim("better", "ordering", **pair))
    return {
        **tiny(),
        "claims": [*comparisons, *bounds],
        "experiments": experiments,
        "derivations": draw(derivations()),
    }


@st.composite
def derivations(draw: Callable[..., Any]) -> list[Content]:
    parts = draw(st.lists(st.integers(1, 1_000), min_size=2, max_size=4))
    shares = [Fraction(part, sum(parts)) for part in parts]
    printed = [rounded(draw, share, True) for share in shares]
    return [
        derived("sum", "sum", str(sum(parts)), *map(str, parts)),
        derived("share", "ratio", printed[0], str(parts[0]), str(sum(parts)), unit="percent"),
        derived("hundred", "sum", "100.0", *printed, unit="percent"),
        derived("mean", "mean", rounded(draw, sum(shares, Fraction()) / len(shares), True),
                *printed, unit="percent"),
        derived("images", "proportion", printed[0], str(sum(parts)), unit="percent"),
        derived("others", "proportion", printed[1], str(sum(parts)), unit="percent"),
    ]  # fmt: skip


@st.composite
def printed_tables(draw: Callable[..., Any]) -> Content:
    """Print the layer table of a random CNN, counting positions and weights one by one."""
    rows: list[tuple[str, tuple[int, ...], int]] = []
    size, channels = 28, 1
    if draw(st.booleans()):
        rows.append(("InputLayer", (28, 28, 1), 0))
    for _ in range(draw(st.integers(0, 3))):
        kernel, filters = draw(st.sampled_from([1, 2, 3, 5, 7])), draw(st.integers(1, 64))
        if size < kernel:
            break
        if draw(st.booleans()):
            size = len(range(0, size - kernel + 1))
        weights = np.empty((kernel, kernel, channels, filters), np.uint8).size
        rows.append(("Conv2D", (size, size, filters), weights + filters * draw(st.booleans())))
        channels = filters
        if draw(st.booleans()):
            rows.append(("BatchNormalization", (size, size, channels), 4 * channels))
        if size > 1 and draw(st.booleans()):
            window = draw(st.integers(2, min(4, size)))
            size = len(range(0, size - window + 1 if draw(st.booleans()) else size, window))
            rows.append(("MaxPooling2D", (size, size, channels), 0))
        rows.append(("Dropout", (size, size, channels), 0))
    width = size * size * channels
    if not rows or len(rows[-1][1]) > 1:
        rows.append(("Flatten", (width,), 0))
    for units in [*draw(st.lists(st.integers(1, 300), max_size=3)), 10]:
        rows.append(("Dense", (units,), np.empty((width + 1, units), np.uint8).size))
        width = units
    return layers(*rows)


@given(consistent_reports())
def test_honest_rounding_is_never_a_finding(content: Content) -> None:
    assert audited(content) == []


@st.composite
def printed_scores(draw: Callable[..., Any]) -> tuple[str, Content]:
    """Return the accuracy and the classification report of random predictions, rounded."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    chances = generator.dirichlet(np.full(10, generator.uniform(0.05, 2)), 10) + 3 * np.eye(10)
    confusion = np.array([generator.multinomial(1_000, p / p.sum()) for p in chances])
    percent = draw(st.booleans())
    rows = []
    for i, name in enumerate(CLASS_NAMES):
        hits, predicted = int(confusion[i, i]), int(confusion[:, i].sum())
        values = {
            "precision": Fraction(hits, predicted),
            "recall": Fraction(hits, 1_000),
            "f1": Fraction(2 * hits, predicted + 1_000),
        }
        texts = {key: rounded(draw, value, percent) for key, value in values.items()}
        rows.append({"label": name, "support": 1_000, **texts})
    table = scores(["0.5"] * 10, rows=rows, unit="percent" if percent else "plain")
    return rounded(draw, Fraction(int(np.trace(confusion)), 10_000), True), table


@given(printed_scores())
def test_a_rounded_classification_report_is_never_a_finding(printed: tuple[str, Content]) -> None:
    stated, table = printed
    content = tiny()
    content["experiments"]["large"]["scores"] = table
    content["experiments"]["large"]["claims"][1]["value"] = stated
    content["claims"] = content["derivations"] = []
    assert audited(content) == []


# --- planted errors ------------------------------------------------------------------------------

Path_ = tuple[str | int, ...]
LARGE: Path_ = ("experiments", "large")
SMALL: Path_ = ("experiments", "small")


def planted(path: Path_, value: Any) -> Content:
    content = tiny()
    target: Any = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ((*LARGE, "table", "layers", 2, "shape"), (14, 14, 32), ["layer-large-3", "layer-large-4"]),
        ((*LARGE, "table", "total"), 693_962, ["total-large"]),
        ((*LARGE, "table", "trainable"), 694_090, ["trainable-large"]),
        ((*LARGE, "table", "non_trainable"), 0, ["non-trainable-large"]),
        ((*LARGE, "claims", 2, "value"), "64", ["prose-large-filters"]),
        ((*LARGE, "claims", 3, "value"), "2", ["prose-large-layers"]),
        ((*LARGE, "claims", 4, "value"), "256", ["prose-large-units"]),
        ((*SMALL, "claims", 2, "value"), "0.885", ["disagreement-small-small-again"]),
        ((*LARGE, "claims", 1, "value"), "90.6", ["gain", "recall", "average"]),
        (("claims", 1, "value"), "2.6", ["difference-gain"]),
        (("claims", 2, "value"), "92", ["bound-over"]),
        (("claims", 3, "value"), "87", ["bound-under"]),
        (("derivations", 0, "stated"), "70001", ["all"]),
        (("derivations", 1, "stated"), "14.26", ["share"]),
        (("derivations", 2, "stated"), "3.0", ["times"]),
        (("derivations", 3, "stated"), "89.78", ["average"]),
        (("derivations", 4, "stated"), "2.75", ["fell"]),
        (("derivations", 5, "stated"), "88.5", ["copied"]),
        (("derivations", 6, "stated"), "74.02", ["shirts"]),
        (("derivations", 7, "stated"), "2013", ["cited"]),
        ((*SMALL, "claims", 0, "value"), "88.754", ["grim-small-small-val"]),
        ((*LARGE, "scores", "rows", 7, "f1"), "0.99", ["f1-large-sneaker"]),
        ((*LARGE, "scores", "rows", 7, "support"), 900, ["support-large"]),
        ((*LARGE, "scores", "rows", 6, "recall"), "0.45", ["f1-large-shirt", "recall"]),
        ((*SMALL, "claims", 3, "value"), "9", ["epochs-small-small-epochs"]),
        ((*SMALL, "claims", 3, "value"), "101", ["epochs-small-small-epochs"]),
    ],
)
def test_a_planted_error_is_found_and_no_other(path: Path_, value: Any, found: list[str]) -> None:
    ids = audited(planted(path, value))
    assert len(ids) == len(found)
    assert all(any(part in id_ for id_ in ids) for part in found), ids


@given(st.data())
def test_any_wrong_cell_of_a_layer_table_is_found(data: st.DataObject) -> None:
    table = data.draw(printed_tables())
    *above, last = table["layers"]
    if above and data.draw(st.booleans()):
        row = data.draw(st.sampled_from(above))
        axis = data.draw(st.integers(0, len(row["shape"]) - 1))
        wrong = data.draw(st.integers(1, 60).filter(lambda n: n != row["shape"][axis]))
        row["shape"] = (*row["shape"][:axis], wrong, *row["shape"][axis + 1 :])
    else:
        row = data.draw(st.sampled_from([*above, last]))
        row["params"] += data.draw(st.integers(max(-1_000, -row["params"]), 1_000).filter(bool))
    content = tiny()
    content["experiments"] = {"small": experiment("small", table=table)}
    content["claims"] = content["derivations"] = []
    assert [i for i in audited(content) if i.startswith(("layer-", "total-", "trainable-"))]


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
    ordering, difference = audit.audit(Report.model_validate(swapped()))
    assert ordering.id == "ordering-better" and "88.40 %" in ordering.because
    assert difference.id == "false-best-over-best"
    assert "89.5 % − 91.13 % = −1.63" in difference.because


@pytest.mark.parametrize("order", list(itertools.permutations(["88", "88.3", "87.8"])))
def test_statements_are_held_against_each_other_in_any_order(order: tuple[str, ...]) -> None:
    content = tiny()
    content["claims"] = content["derivations"] = []
    stated = [accuracy(f"again-{i}", "test", value) for i, value in enumerate(order)]
    content["experiments"] = {"small": experiment("small", *stated)}
    assert [name.split("-")[0] for name in audited(content)].count("disagreement") == 1


def test_training_cannot_end_before_its_patience() -> None:
    content = tiny()
    content["claims"] = content["derivations"] = []
    content["experiments"] = {"small": experiment("small", claim("end", "epochs_trained", "10"))}
    because = {item.id: item.because for item in audit.audit(Report.model_validate(content))}
    assert (
        because["epochs-small-end"]
        == "with a patience of 10 training ends after epoch 11 at the earliest"
    )


def test_the_opposite_statement_is_quoted_against_a_false_ordering() -> None:
    content = swapped()
    content["claims"].append(claim("opposite", "ordering", split="test", of="large", than="small"))
    assert "p. of opposite" in audit.audit(Report.model_validate(content))[0].because


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
    (finding,) = audit.audit(
        Report.model_validate(with_stated("training.validation.fraction", "0.1"))
    )
    assert finding.id == "protocol-validation-fraction"
    assert "54,000 training images" in finding.because and "48,000" in finding.because
    assert "Model small" in finding.because and "Model large" in finding.because


def test_a_percentage_and_the_fraction_it_stands_for_are_one_protocol() -> None:
    content = tiny()
    for item in content["experiments"]["small"]["claims"]:
        if item.get("setting") == "training.validation.fraction":
            item |= {"value": "20", "unit": "percent"}
    assert audited(content) == []


def test_what_a_report_tunes_is_no_different_protocol() -> None:
    assert audited(with_stated("training.optimizer.learning_rate", "0.002")) == []


def test_a_mean_of_several_trainings_has_a_finer_denominator() -> None:
    printed = {"value": "0.91629168", "unit": "plain"}
    content = tiny()
    content["experiments"]["large"]["claims"][0] |= printed
    assert audited(content) == ["grim-large-large-val"]
    content["experiments"]["large"]["claims"][0]["mean_of"] = 2
    assert audited(content) == []


def test_a_stopping_criterion_without_a_number_is_found() -> None:
    content = tiny()
    del content["experiments"]["small"]["claims"][0]
    assert audited(content) == ["unreported-validation-accuracy"]


def test_a_setting_that_only_we_chose_is_found_with_its_variant() -> None:
    content = tiny()
    chosen = {"setting": "model.conv.0.dropout", "chosen": "0.25", "because": "no rate is printed"}
    content["experiments"]["large"]["assumed"] = [chosen]
    content["variants"] = {
        "more": {"of": "large", "title": "Half", "settings": {"model.conv.0.dropout": "0.5"}}
    }
    (finding,) = audit.audit(Report.model_validate(content))
    assert finding.id == "unstated-dropout-rate" and finding.because == "no rate is printed"
    assert "Half" in finding.consequence


def test_of_many_variants_those_that_change_least_are_named() -> None:
    content = tiny()
    chosen = {"setting": "model.conv.0.dropout", "chosen": "0.25", "because": "no rate is printed"}
    content["experiments"]["large"]["assumed"] = [chosen]
    settings = {"model.conv.0.dropout": "0.5"}
    content["variants"] = {
        "both": {"of": "large", "title": "Both", "settings": settings | {"training.epochs": 3}}
    } | {name: {"of": "large", "title": name, "settings": settings} for name in "abcd"}
    (finding,) = audit.audit(Report.model_validate(content))
    assert finding.consequence.endswith("what it changes: a; b; c; and 2 more.")


def test_layer_numbers_tell_of_layers_that_are_not_shown() -> None:
    content = tiny()
    names = ["conv2d", "batch_normalization_1", "max_pooling2d", "own", "flatten", "dense_1",
             "dense_5"]  # fmt: skip
    for row, name in zip(content["experiments"]["large"]["table"]["layers"], names, strict=True):
        row["name"] = name
    (finding,) = audit.audit(Report.model_validate(content))
    assert finding.id == "unshown-attempts"
    assert finding.because.endswith("dense_5 means at least 3 more")


def test_shares_of_one_group_have_a_common_denominator() -> None:
    content = tiny()
    content["derivations"] = [
        derived("a", "proportion", "33.33", "1000", unit="percent"),
        derived("b", "proportion", "20.00", "1000", unit="percent"),
    ]
    (finding,) = audit.audit(Report.model_validate(content))
    assert finding.claimed == "33.33 % of 1,000 images"
    assert "all 2 shares is one of 1,005" in finding.because


def test_a_count_without_a_layer_table_is_searched_for() -> None:
    content = tiny()
    stated = claim("count", "total_params", "406270")
    right = claim("right", "trainable_params", "50890")
    content["experiments"]["small"]["claims"] += [stated, right]
    (finding,) = audit.audit(Report.model_validate(content))
    assert finding.id == "count-small-count" and "it has 50,890" in finding.because
    assert "conv 32, pool, conv 64, pool, dense 120, dense 84" in finding.because


def test_settings_are_read_off_a_layer_table() -> None:
    assert read_architecture(LayerTable.model_validate(CNN)) == {
        "model.conv.0.filters": {32},
        "model.conv.0.kernel": {3},
        "model.conv.0.pool": {2},
        "model.conv.count": {1},
        "model.dense.0.units": {128},
        "model.dense.count": {1},
    }


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
    return content


def test_early_stopping_on_test_images_is_found() -> None:
    agreeing = (accuracy("val", "validation", "88.75"), accuracy("test", "test", "0.8875"))
    assert audited(on_test_images(*agreeing)) == ["stopped-on-test"]


def test_two_accuracies_of_the_same_test_images_are_found() -> None:
    content = on_test_images(accuracy("val", "validation", "88.75"), accuracy("t", "test", "88.4"))
    assert audited(content) == ["stopped-on-test", "unequal-small-val-t"]


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
    assert audited(content) == ["disagreement-small-on-b"]


# --- single runs and seeds -----------------------------------------------------------------------


@pytest.mark.parametrize(("spread", "told_apart"), [(0.001, True), (0.02, False)])
def test_two_models_are_told_apart_by_more_than_seed_noise(spread: float, told_apart: bool) -> None:
    report = Report.model_validate(tiny())
    runs = {
        name: [make_run(report[name], seed, accuracy=0.8 + spread * seed) for seed in (1, 2, 3)]
        for name in report.experiments
    }
    findings = audit.audit(report, runs)
    assert [finding.id for finding in findings] == ["noise-large-small-test"] * (not told_apart)
    if findings:
        assert "√(2.000² + 2.000²) = 5.54 points" in findings[0].because
        assert findings[0].claimed.endswith("are told apart by one run each")


def test_a_mean_of_several_runs_has_less_seed_noise() -> None:
    report = Report.model_validate(tiny())
    runs = {
        name: [make_run(report[name], seed, accuracy=0.8 + 0.02 * seed) for seed in (1, 2, 3)]
        for name in report.experiments
    }
    averaged = {
        name: experiment.model_copy(
            update={"stated": tuple(c.model_copy(update={"mean_of": 4}) for c in experiment.stated)}
        )
        for name, experiment in report.experiments.items()
    }
    (found,) = audit.audit(report.model_copy(update={"experiments": averaged}), runs)
    assert "√(1.000² + 1.000²) = 2.77 points" in found.because
    assert found.claimed.endswith("are told apart by 4 and 4 runs")


def test_two_runs_are_too_few_to_know_the_noise() -> None:
    report = Report.model_validate(tiny())
    runs = {name: [make_run(report[name], 1, accuracy=a) for a in (0.8, 0.9)]
            for name in report.experiments}  # fmt: skip
    assert audit.audit(report, runs) == []


# --- the reports of the book ---------------------------------------------------------------------

#: Layer tables printed by the other reports, as the audit must read them.
PRINTED = {
    "padded 4-layer CNN": (
        layers(
            ("Conv2D", (28, 28, 32), 320),
            ("BatchNormalization", (28, 28, 32), 128),
            ("Conv2D", (28, 28, 32), 9248),
            ("BatchNormalization", (28, 28, 32), 128),
            ("MaxPooling2D", (14, 14, 32), 0),
            ("Dropout", (14, 14, 32), 0),
            ("Conv2D", (14, 14, 64), 18496),
            ("BatchNormalization", (14, 14, 64), 256),
            ("Dropout", (14, 14, 64), 0),
            ("Conv2D", (14, 14, 128), 73856),
            ("BatchNormalization", (14, 14, 128), 512),
            ("MaxPooling2D", (7, 7, 128), 0),
            ("Dropout", (7, 7, 128), 0),
            ("Flatten", (6272,), 0),
            ("Dense", (512,), 3211776),
            ("BatchNormalization", (512,), 2048),
            ("Dropout", (512,), 0),
            ("Dense", (128,), 65664),
            ("BatchNormalization", (128,), 512),
            ("Dropout", (128,), 0),
            ("Dense", (10,), 1290),
        )
        | {"total": 3_384_234, "trainable": 3_382_442, "non_trainable": 1_792},
        [],
    ),
    "swept CNN": (
        layers(
            ("InputLayer", (28, 28, 1), 0),
            ("Conv2D", (28, 28, 512), 13312),
            ("MaxPooling2D", (14, 14, 512), 0),
            ("Conv2D", (14, 14, 512), 2359808),
            ("Conv2D", (14, 14, 128), 3211392),
            ("BatchNormalization", (14, 14, 128), 512),
            ("MaxPooling2D", (7, 7, 128), 0),
            ("Conv2D", (7, 7, 64), 204864),
            ("Dropout", (7, 7, 64), 0),
            ("Flatten", (3136,), 0),
            ("Dense", (10,), 31370),
        )
        | {"total": 5_821_258, "trainable": 5_821_002, "non_trainable": 256},
        [],
    ),
    "LeNet-5 on images of another size": (
        layers(
            ("Conv2D", (32, 32, 6), 156),
            ("MaxPooling2D", (16, 16, 6), 0),
            ("Conv2D", (16, 16, 16), 2416),
            ("MaxPooling2D", (8, 8, 16), 0),
            ("Flatten", (1024,), 0),
            ("Dense", (120,), 123000),
            ("Dense", (84,), 10164),
            ("Dense", (10,), 850),
        )
        | {"total": 136_586, "trainable": 136_586, "non_trainable": 0},
        ["layer-small-1"],
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_layer_tables_of_the_other_reports(name: str) -> None:
    table, found = PRINTED[name]
    content = tiny()
    content["experiments"]["small"]["table"] = table
    assert audited(content) == found


@pytest.fixture(scope="module")
def baltzi() -> Report:
    return load_report("baltzi")


def test_baltzi_is_found_out(baltzi: Report) -> None:
    findings = {finding.id: finding for finding in audit.audit(baltzi)}
    computed = set(findings) - {finding.id for finding in baltzi.findings}
    assert computed == {
        "ordering-best-mlp",
        "false-best-cnn-2-over-mlp",
        "unstated-dropout-rate",
        "unshown-attempts",
        "protocol-validation-fraction",
        "unreported-validation-accuracy",
    }
    assert "92.72 % − 89.18 % = 3.54" in findings["false-best-cnn-2-over-mlp"].because
    assert {"prose-omits-dropout", "figure-9-twice", "chosen-on-test"} <= set(findings)


def test_baltzi_compares_single_runs_within_seed_noise(baltzi: Report) -> None:
    accuracies = {"mlp-1-hidden": 0.891, "mlp-3-hidden-dropout": 0.889}
    runs = {
        name: [make_run(baltzi[name], seed, 40, value + seed / 1000) for seed in range(1, 6)]
        for name, value in accuracies.items()
    }
    noise = [f for f in audit.audit(baltzi, runs) if f.id.startswith("noise-")]
    assert [f.id for f in noise] == ["noise-mlp-1-hidden-mlp-3-hidden-dropout-test"]
    assert "differ by 0.19 points" in noise[0].because


@pytest.mark.parametrize("report_id", list_reports())
def test_findings_of_the_book_are_told_alike(report_id: str) -> None:
    findings = audit.audit_report(load_report(report_id), RunStore())
    assert len({finding.id for finding in findings}) == len(findings)
    ranks = [list(SEVERITIES).index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)
    for finding in findings:
        assert finding.consequence[:1].isupper() and finding.consequence.endswith(".")
        assert not re.search(r"[.!?] [A-Z]", finding.consequence), "one sentence"
        assert not finding.because.endswith(".") and not finding.claimed.endswith(".")


# --- the file, the tables, the command -----------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"derivations": [derived("d", "sum", "3", "nowhere/c")]}, "no claim nowhere/c"),
        ({"derivations": [derived("d", "sum", "3", "1")] * 2}, "d stands twice"),
        ({"derivations": [derived("d", "guess", "3", "1")]}, "derivations"),
        ({"findings": [{"id": "f", "severity": "grave"}]}, "findings.0.severity"),
    ],
)
def test_a_mistake_in_what_the_file_declares_is_named(
    tmp_path: Path, change: Content, words: str
) -> None:
    content = yaml.safe_load((Path(cli.__file__).parent / "reports/baltzi/report.yaml").read_text())
    path = tmp_path / "report.yaml"
    path.write_text(yaml.safe_dump(content | yaml.safe_load(yaml.safe_dump(plain(change)))))
    with pytest.raises(ReportError, match=words):
        read_report(path)


def plain(value: Any) -> Any:
    """Turn tuples into lists, which are all that YAML has."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def test_findings_are_shown_with_place_reason_and_consequence(
    baltzi: Report, tmp_path: Path
) -> None:
    table = tables.findings(baltzi, RunStore(tmp_path, tmp_path))
    assert len(table.rows) == len(audit.audit(baltzi))
    html = table._repr_html_().replace("<wbr>", "")
    for finding in audit.audit(baltzi):
        assert finding.severity in html
        for text in (finding.claimed[1:], finding.where, finding.because[1:], finding.consequence):
            assert text.replace("'", "&#x27;").replace(">", "&gt;") in html


def test_audit_counts_add_up(tmp_path: Path) -> None:
    table = tables.audit_counts(RunStore(tmp_path, tmp_path))
    assert len(table.rows) == len(list_reports())
    for _, *counts, total in table.rows:
        assert sum(map(int, counts)) == int(total)


def test_the_command_prints_one_report_or_all() -> None:
    one = CliRunner().invoke(cli.app, ["audit", "baltzi"])
    assert one.exit_code == 0
    assert "3.54 points" in one.output
    assert re.search(r"^baltzi: \d+ high, \d+ medium, \d+ low$", one.output, re.MULTILINE)
    everything = CliRunner().invoke(cli.app, ["audit"])
    assert everything.exit_code == 0
    assert all(f"\n{name}: " in everything.output for name in list_reports())


def test_the_command_refuses_an_unknown_report() -> None:
    result = CliRunner().invoke(cli.app, ["audit", "nothing"])
    assert result.exit_code == 2 and "There is no report 'nothing'" in result.output
