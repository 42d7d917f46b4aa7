"""Reports as data: every shipped file, the errors of the reader, and baltzi against its source."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Variant
from fmnist_utils.reports.load import list_reports, load_report, reports_folder
from fmnist_utils.reports.printed_tables import EpochTable, ScoreTable
from fmnist_utils.reports.protocol import Validation
from fmnist_utils.reports.quantities import COUNTED, READINGS
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.yaml_file import ReportError, read_report
from fmnist_utils.verdicts.ledger import printed

SOURCES = Path(__file__).resolve().parents[2] / "shared/reports"
EACH_REPORT = pytest.mark.parametrize("report_id", list_reports())


def claims_of(report: Report) -> list[Claim]:
    return [claim for _, claim in report.all_claims()]


# --- what ships ----------------------------------------------------------------------------------


@EACH_REPORT
def test_report_loads_under_the_name_of_its_folder(report_id: str) -> None:
    assert load_report(report_id).id == report_id


@EACH_REPORT
def test_every_claim_has_its_own_id_and_says_where_it_stands(report_id: str) -> None:
    report = load_report(report_id)
    ids = [(experiment and experiment.id, claim.id) for experiment, claim in report.all_claims()]
    assert len(ids) == len(set(ids))
    assert all(place.strip() for claim in claims_of(report) for place in claim.where)
    assert all(experiment.where.strip() for experiment in report.experiments.values())


def texts(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for value in content.values():
            yield from texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from texts(value)
    else:
        yield str(content)


@EACH_REPORT
def test_report_holds_facts_not_sentences_or_addresses(report_id: str) -> None:
    text = (reports_folder() / report_id / "report.yaml").read_text(encoding="utf-8")
    assert "@" not in text
    content = yaml.safe_load(text)
    for place in places(content):
        assert len(place) <= 100 and not place.rstrip().endswith((".", "!")), place
    source = SOURCES / f"{report_id}.txt"
    if source.exists():
        ours = {run for text in texts(content) for run in runs_of_words(text)}
        ours -= runs_of_words(content["title"])  # a title may be as long as a sentence
        assert not ours & runs_of_words(source.read_text(encoding="utf-8"))


def places(content: Any) -> Iterator[str]:
    """Yield every title and every place."""
    if isinstance(content, dict):
        for value in (content[key] for key in ("where", "title") if key in content):
            yield from value if isinstance(value, list) else [value]
        content = list(content.values())
    if isinstance(content, list):
        for value in content:
            yield from places(value)


def runs_of_words(text: str, length: int = 10) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_baltzi_states_its_five_models_and_all_its_numbers() -> None:
    report = load_report("baltzi")
    tables = {name: experiment.table for name, experiment in report.experiments.items()}
    assert {name: table and table.total for name, table in tables.items()} == {
        "mlp-baseline": 7_850,
        "mlp-1-hidden": 203_530,
        "mlp-3-hidden-dropout": 247_766,
        "cnn-1-conv": 850_038,
        "cnn-2-conv": 409_034,
    }
    kinds = Counter(claim.kind for claim in claims_of(report))
    assert kinds == {"exact": 174, "measured": 16, "comparison": 12}
    assert sum(claim.numbers for claim in claims_of(report)) == 196


@pytest.mark.parametrize(
    ("printed", "number", "half_width"),
    [
        ("84.60", 84.6, 0.005),
        ("84.6", 84.6, 0.05),
        ("44", 44, 0.5),
        ("60", 60, 0.5),
        ("0.0010", 0.001, 0.00005),
        ("1e-3", 0.001, 0.0005),
    ],
)
def test_claim_keeps_the_decimals_it_was_printed_with(
    tmp_path: Path, printed: str, number: float, half_width: float
) -> None:
    tiny = TINY if number > 1 else TINY.replace("        unit: percent\n", "        unit: plain\n")
    for value in (printed, f'"{printed}"'):
        report = read(tmp_path, tiny.replace("84.60", value))
        claim = report["only"]["test"]
        assert claim.number == number
        assert claim.half_width == pytest.approx(half_width)
        assert str(claim.value).lower() == printed.replace("1e-3", "0.001")


# --- the errors of the reader --------------------------------------------------------------------

TINY = """\
id: tiny
title: A tiny report
authors: [A. Author]
claims:
  - id: images
    quantity: data
    fact: train_images
    value: 60000
    where: p. 1
  - {id: gain, quantity: difference, of: only, than: other, split: test, value: 2,
     unit: points, where: p. 2}
experiments:
  only:
    title: The only one
    where: Section 1
    model:
      builder: mlp
      hidden:
        - units: 8
          activation: relu
        - {units: 4, dropout: 0.5}
    training: &protocol
      validation:
        fraction: 0.2
        take: last
      batch_size: 128
      epochs: 3
      optimizer: {name: adam, learning_rate: 0.001}
      loss: categorical_crossentropy
    assumed: &assumed
      - {setting: training.validation.fraction, chosen: 0.2, because: not stated}
      - {setting: training.validation.take, chosen: last, because: not stated}
      - {setting: training.epochs, chosen: 3, because: not stated}
      - setting: training.optimizer.learning_rate
        chosen: 0.001
        because: the Keras default
      - {setting: training.loss, chosen: categorical_crossentropy, because: not stated}
      - {setting: training.optimizer.name, chosen: adam, because: not stated}
      - {setting: model.*.activation, chosen: relu, because: not stated}
      - {setting: model.*.dropout, chosen: 0.5, because: not stated}
      - [{setting: model.conv*.count, chosen: 1, because: not stated},
         {setting: model.*.filters, chosen: 2, because: not stated},
         {setting: model.*.kernel, chosen: 3, because: not stated},
         {setting: model.*.padding, chosen: same, because: not stated}]
      - {setting: reading.pixel scaling, chosen: divided by 255, because: not stated}
      - {setting: reading.initialiser, chosen: "Glorot uniform, zero biases", because: not stated}
      - {setting: reading.defaults, chosen: those of Keras, because: not stated}
      - {setting: reading.weights, chosen: last epoch, because: not stated}
      - {setting: reading.best epoch, chosen: of highest accuracy, because: not stated}
      - {setting: reading.training accuracy, chosen: at the end, because: not stated}
      - {setting: reading.layers, chosen: those of the other, because: not stated again}
    table:
      where: Figure 1
      layers:
        - {name: Input, type: InputLayer, shape: [28, 28], params: 0}
        - name: Output
          type: Dense
          shape: [10]
          params: 50
      total: 50
      trainable: 50
      non_trainable: 0
    claims: &claims
      - {id: batch-size, quantity: setting, setting: training.batch_size, value: 128, where: p. 1}
      - id: test
        quantity: accuracy
        split: test
        value: 84.60
        unit: percent
        where: Table 1
  other:
    title: The other one
    where: Section 2
    model: {builder: cnn, conv: [{filters: 2, kernel: 3}]}
    training: *protocol
    assumed: *assumed
    claims: *claims
"""


def read(folder: Path, text: str) -> Report:
    path = folder / "report.yaml"
    path.write_text(text, encoding="utf-8")
    return read_report(path)


def error(folder: Path, text: str) -> str:
    with pytest.raises(ReportError) as caught:
        read(folder, text)
    message = str(caught.value)
    assert "\n" not in message, "an error is one sentence"
    return message


def planted(old: str, new: str) -> tuple[str, int]:
    """Replace a line of the tiny report, and return its number where the new text begins."""
    assert TINY.count(f"{old}\n") == 1, old
    at = TINY.index(f"{old}\n")
    return TINY.replace(f"{old}\n", f"{new}\n"), TINY[:at].count("\n") + 1


def test_the_tiny_report_is_in_order(tmp_path: Path) -> None:
    report = read(tmp_path, TINY)
    assert list(report.experiments) == ["only", "other"]
    assert report["only"].report == "tiny"
    assert [claim.id for claim in report["only"].claims][:2] == ["batch-size", "test"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("title: A tiny report", "colour"),
        ("    where: Section 1", "experiments.only.colour"),
        ("    where: p. 1", "claims.0.colour"),
        ("      builder: mlp", "experiments.only.model.colour"),
        ("          activation: relu", "experiments.only.model.hidden.0.colour"),
        ("      batch_size: 128", "experiments.only.training.colour"),
        ("        take: last", "experiments.only.training.validation.colour"),
        ("        chosen: 0.001", "experiments.only.assumed.3.colour"),
        ("      total: 50", "experiments.only.table.colour"),
        ("          params: 50", "experiments.only.table.layers.1.colour"),
        ("        where: Table 1", "experiments.only.claims.1.colour"),
    ],
)
def test_unknown_key_is_named_with_file_and_line(tmp_path: Path, line: str, key: str) -> None:
    indent = line[: len(line) - len(line.lstrip())]
    text, above = planted(line, f"{line}\n{indent}colour: red")
    # Protocol, assumptions and claims are shared: the same line is wrong for both experiments.
    assert re.fullmatch(
        rf"{re.escape(str(tmp_path))}/report\.yaml, line {above + 1}: {re.escape(key)}: "
        r"unknown key( \(and 1 more\))?",
        error(tmp_path, text),
    )


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (
            "        - {units: 4, dropout: 0.5}",
            "        - {units: 4, drop: 0.5}",
            "experiments.only.model.hidden.1.drop",
        ),
        (
            "    model: {builder: cnn, conv: [{filters: 2, kernel: 3}]}",
            "    model: {builder: cnn, conv: [{filters: 2, kernel: 3, stride: 2}]}",
            "experiments.other.model.conv.0.stride",
        ),
    ],
)
def test_unknown_key_inside_a_flow_mapping_of_a_model(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    text, line = planted(old, new)
    assert f"line {line}: {key}: unknown key" in error(tmp_path, text)


@pytest.mark.parametrize("name", ["mlp", "cnn", "decimal", "model"])
def test_experiment_may_be_called_like_a_builder(tmp_path: Path, name: str) -> None:
    text, line = planted("    where: Section 1", "    where: Section 1\n    colour: red")
    text = text.replace("  only:\n", f"  {name}:\n").replace("of: only", f"of: {name}")
    assert f"line {line + 1}: experiments.{name}.colour: unknown key" in error(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    title: The only one", "    titel: The only one"),
        ("        split: test", "        splitt: test"),
        ("        fraction: 0.2", "        fractoin: 0.2"),
        ("      epochs: 3", "      epoch: 3"),
    ],
)
def test_misspelt_key_is_what_the_error_names(tmp_path: Path, old: str, new: str) -> None:
    text, line = planted(old, new)
    message = error(tmp_path, text)
    assert f"line {line}: " in message
    assert f"{new.split(':')[0].strip()}: unknown key" in message


@pytest.mark.parametrize(
    ("line", "missing", "parent"),
    [
        ("title: A tiny report", "title", "id: tiny"),
        ("    where: Section 1", "experiments.only.where", "  only:"),
        ("      builder: mlp", "experiments.only.model", "    model:"),
        (
            "      batch_size: 128",
            "experiments.only.training.batch_size",
            "    training: &protocol",
        ),
        ("        take: last", "experiments.only.training.validation.take", "      validation:"),
        ("          type: Dense", "experiments.only.table.layers.1.type", "        - name: Output"),
        ("        where: Table 1", "experiments.only.claims.1.where", "      - id: test"),
    ],
)
def test_missing_key_is_named_at_the_line_of_its_mapping(
    tmp_path: Path, line: str, missing: str, parent: str
) -> None:
    text = TINY.replace(f"{line}\n", "", 1)
    at = text.split("\n").index(parent) + 1
    message = error(tmp_path, text)
    assert f"report.yaml, line {at}: {missing}: " in message
    assert "required" in message or "builder" in message


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("title: A tiny report", "title"),
        ("    where: Section 1", "where"),
        ("          activation: relu", "activation"),
        ("        take: last", "take"),
        ("        value: 84.60", "value"),
    ],
)
def test_key_that_stands_twice_is_refused(tmp_path: Path, line: str, key: str) -> None:
    text, first = planted(line, f"{line}\n{line}")
    assert f"line {first + 1}: key {key} stands twice" in error(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("        - units: 8", "        - units: many", "experiments.only.model.hidden.0.units"),
        ("        - units: 8", "        - units: -8", "experiments.only.model.hidden.0.units"),
        ("          activation: relu", "          activation: sinus",
         "experiments.only.model.hidden.0.activation"),
        ("      builder: mlp", "      builder: rnn", "experiments.only.model"),
        ("          shape: [10]", "          shape: ten",
         "experiments.only.table.layers.1.shape"),
        ("        split: test", "        split: exam", "experiments.only.claims.1.split"),
        ("        quantity: accuracy", "        quantity: fame",
         "experiments.only.claims.1.quantity"),
        ("authors: [A. Author]", "authors: A. Author", "authors"),
        ("        value: 84.60", "        value: {}", "experiments.only.claims.1.value"),
        ("        value: 84.60", "        value: [1, two]", "experiments.only.claims.1.value"),
    ],
)  # fmt: skip
def test_value_of_the_wrong_type_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    text, line = planted(old, new)
    found = re.search(r"report\.yaml, line (\d+): ([\w.-]+): ", error(tmp_path, text))
    assert found is not None
    # A wrong builder is a fault of the whole model, whose line stands above.
    assert int(found[1]) == line - new.lstrip().startswith("builder")
    assert found[2] == key


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "      - {setting: training.epochs, chosen: 3, because: not stated}",
            "",
            "training.epochs is neither claimed nor assumed",
        ),
        (
            "      optimizer: {name: adam, learning_rate: 0.001}",
            "      optimizer: {name: adam, learning_rate: 0.001, momentum: 0.9}",
            "adam takes no momentum: sgd and rmsprop do",
        ),
        (
            "      loss: categorical_crossentropy",
            "      loss: sparse_categorical_crossentropy\n      label_smoothing: 0.1",
            "label_smoothing needs one-hot labels: loss: categorical_crossentropy",
        ),
        (
            "      loss: categorical_crossentropy",
            "      loss: categorical_crossentropy\n      folds: 5",
            "folds: not supported: there is one split, by validation",
        ),
        (
            "      optimizer: {name: adam, learning_rate: 0.001}",
            "      optimizer: {name: lion, learning_rate: 0.001}",
            "lion is not supported: it takes 'adam', 'adamw', 'adagrad', 'nadam', 'rmsprop'",
        ),
        (
            "      - {setting: training.epochs, chosen: 3, because: not stated}",
            "      - {setting: training.epochs, chosen: 4, because: not stated}",
            "training.epochs is 3, assumed 4",
        ),
        (
            "      - {setting: training.epochs, chosen: 3, because: not stated}",
            "      - {setting: training.epoch, chosen: 3, because: not stated}",
            "tiny/only has no setting training.epoch",
        ),
        (
            "      - {setting: training.epochs, chosen: 3, because: not stated}",
            "      - {setting: training.batch_size, chosen: 128, because: not stated}",
            "training.batch_size is both claimed and assumed",
        ),
        ("      - id: test", "      - id: batch-size", "claim id batch-size stands twice"),
        ("        split: test", "", "claim test: a claim of quantity accuracy needs split"),
        (
            "        split: test",
            "        split: test\n        of: other",
            "claim test: a claim of quantity accuracy does not take of",
        ),
        (
            "        split: test",
            "        split: test\n        epoch: 2",
            "claim test: a claim of quantity accuracy about an epoch does not take split test",
        ),
        (
            "        split: test",
            "        split: validation\n        epoch: 4",
            "claim test: training ends by epoch 3, before epoch 4",
        ),
        (
            "      - id: test",
            "      - {id: k, quantity: setting, setting: model.hidden.0.unit, value: 8, where: x}\n"
            "      - id: test",
            "claim k: tiny/only has no setting model.hidden.0.unit",
        ),
        (
            "    title: The only one",
            "    title: The only one\n    epoch_tables: [{where: Figure 2, split: train,"
            " loss: [4, 3, 2, 1], accuracy: [0.1, 0.2, 0.3, 0.4]}]",
            "claim train-loss-epoch-4: training ends by epoch 3, before epoch 4",
        ),
        *(
            (
                "    title: The only one",
                "    title: The only one\n    epoch_tables: [{where: Figure 2, split: train,"
                f" loss: {loss}, accuracy: {accuracy}}}]",
                f"an epoch table has a loss and an accuracy of each epoch, not {told}",
            )
            for loss, accuracy, told in (
                ("[0.4, 0.3]", "[]", "2 and 0"),
                ("[0.4, 0.3]", "[0.8]", "2 and 1"),
                ("[]", "[0.8]", "0 and 1"),
                ("[]", "[]", "0 and 0"),
            )
        ),
    ],
)
def test_experiment_that_does_not_add_up_is_refused(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    text, _ = planted(old, new)
    message = error(tmp_path, text)
    assert sentence in message
    place = r"report\.yaml, line \d+: experiments\.only"
    assert re.search(place, message)


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(
    "keys",
    [
        {"quantity": "precision", "value": "0.9", "label": 1},
        {"quantity": "recall", "value": "0.9", "label": 1},
        {"quantity": "f1", "value": "0.9", "label": 1},
        {"quantity": "confused", "value": "0.1", "label": 1, "predicted": 2},
        {"quantity": "class_ordering", "labels": [1], "than_labels": [2]},
        {"quantity": "images", "value": "1000", "label": 1},
    ],
)
def test_a_claim_about_a_class_is_one_on_test_images(keys: dict[str, Any], split: str) -> None:
    content = {"id": "shirts", "where": "p. 1", **keys}
    assert Claim.model_validate({**content, "split": "test"}).split == "test"
    with pytest.raises(ValidationError, match=r"claim shirts: .* about .*class.* needs split test"):
        Claim.model_validate({**content, "split": split})


@pytest.mark.parametrize("reading", sorted(set(READINGS) - {"final", "best"}))
def test_a_reading_of_training_images_takes_no_other_split(reading: str) -> None:
    content = {"id": "a", "where": "p. 1", "quantity": "loss", "value": "0.3", "reading": reading}
    assert Claim.model_validate({**content, "split": "train"}).reading == reading
    for split in ("validation", "test"):
        with pytest.raises(ValidationError, match=f"claim a: reading {reading} is of training"):
            Claim.model_validate({**content, "split": split})


def test_a_printed_classification_report_is_one_of_test_images(tmp_path: Path) -> None:
    row = "{label: a, precision: 1, recall: 1, f1: 1, support: 9}"
    scores = f"    scores: {{where: Table 2, split: validation, rows: [{', '.join([row] * 10)}]}}"
    text, line = planted("    title: The only one", f"    title: The only one\n{scores}")
    message = error(tmp_path, text)
    assert f"line {line + 1}: experiments.only.scores.split: " in message


@pytest.mark.parametrize("names", [sorted(CLASS_NAMES), CLASS_NAMES[::-1], [*"9876543210"]])
def test_rows_of_a_classification_report_are_told_apart_by_name(names: list[str]) -> None:
    """They were counted: in alphabetical order ankle boots stood for T-shirts."""
    row = {"precision": "0.9", "recall": "0.9", "f1": "0.9", "support": 1000}
    rows = [row | {"label": name} for name in names]
    table = {"where": "Table 2", "split": "test", "rows": rows}
    for claim in ScoreTable.model_validate(table).claims():
        assert claim.where == (f"Table 2, {CLASS_NAMES[claim.label or 0]}",)
        assert claim.id.endswith(f"-{claim.label}")
    for wrong, sentence in ((names[1], "ten classes"), ("Skirt", "there is no class Skirt")):
        again = {**table, "rows": [row | {"label": wrong}, *rows[1:]]}
        with pytest.raises(ValidationError, match=sentence):
            ScoreTable.model_validate(again)


@pytest.mark.parametrize("cell", ["0.345", "0.3450", "0.340"])
def test_a_cell_with_more_decimals_than_its_table_is_refused(cell: str) -> None:
    """It was rounded, so that another number was judged than the one printed."""
    table = {"where": "Table 1", "split": "train", "decimals": 2, "accuracy": ["0.9", "0.91"]}
    losses = [str(claim.value) for claim in EpochTable(**table, loss=["0.4", "0.34"]).claims()]
    assert losses == ["0.40", "0.34", "0.90", "0.91"]
    with pytest.raises(ValidationError, match=f"Table 1: {cell} has more than 2 decimals"):
        EpochTable(**table, loss=["0.4", cell])


RESTORING = TINY.replace(
    "      epochs: 3\n",
    "      epochs: 3\n"
    "      early_stopping: {monitor: val_loss, patience: 2, restore_best_weights: true}\n",
).replace(
    "    assumed: &assumed\n",
    "    assumed: &assumed\n"
    "      - {setting: training.early_stopping.monitor, chosen: val_loss, because: b}\n"
    "      - {setting: training.early_stopping.patience, chosen: 2, because: b}\n"
    "      - {setting: training.early_stopping.restore_best_weights, chosen: true, because: b}\n",
)


@pytest.mark.parametrize(
    "keys",
    [
        "quantity: ordering, than: other",
        "quantity: match, than: other",
        "quantity: difference, than: other, value: 2, unit: points",
        "quantity: bound, relation: above, value: 90, unit: percent",
    ],
)
def test_a_comparison_of_restored_weights_says_which_it_reads(tmp_path: Path, keys: str) -> None:
    """It was read at the last epoch, the accuracies that it compares at the best one."""
    start = RESTORING.index("  - {id: gain")
    end = RESTORING.index("experiments:")

    def comparing(reading: str) -> str:
        line = f"  - {{id: gain, {keys}, of: only, split: test, where: p. 2{reading}}}\n"
        return RESTORING[:start] + line + RESTORING[end:]

    message = error(tmp_path, comparing(""))
    assert "claim gain: only restores the best weights: give it reading: best" in message
    for reading in ("best", "final"):
        report = read(tmp_path, comparing(f", reading: {reading}"))
        assert report.claim("gain").reading == reading


TESTED = (
    TINY.replace("        fraction: 0.2\n        take: last", "        take: test")
    .replace(
        "      - {setting: training.validation.fraction, chosen: 0.2, because: not stated}\n", ""
    )
    .replace("validation.take, chosen: last", "validation.take, chosen: test")
)


@pytest.mark.parametrize("reading", ["final-all", "best-all"])
@pytest.mark.parametrize(
    ("old", "sentence"),
    [
        ("        split: test", "claim test: only holds no training images out"),
        ("than: other, split: test", "claim gain: only holds no training images out"),
    ],
)
def test_validation_on_test_images_leaves_no_reading_of_all_training_images(
    tmp_path: Path, old: str, sentence: str, reading: str
) -> None:
    comma = ", " if "," in old else "\n        "
    new = old.replace("split: test", f"split: train{comma}reading: {reading}")
    assert read(tmp_path, TINY.replace(old, new))
    assert read(tmp_path, TESTED)
    assert f"{sentence}, which reading {reading} " in error(tmp_path, TESTED.replace(old, new))


@pytest.mark.parametrize("name", ["of: only", "than: other"])
def test_comparison_with_an_unknown_experiment_is_refused(tmp_path: Path, name: str) -> None:
    text = TINY.replace(name, f"{name}s")
    assert f"claim gain: there is no experiment {name.split()[1]}s" in error(tmp_path, text)


def test_unknown_fact_is_refused(tmp_path: Path) -> None:
    text, line = planted("    fact: train_images", "    fact: trained_images")
    message = error(tmp_path, text)
    assert "claim images: unknown fact trained_images" in message
    assert f"line {line - 2}: claims.0" in message


def test_claim_on_one_experiment_belongs_under_it(tmp_path: Path) -> None:
    stray = "  - {id: stray, quantity: accuracy, split: test, value: 0.9, where: p. 3}\n"
    text = TINY.replace("experiments:\n", f"{stray}experiments:\n")
    assert "claim stray: accuracy belongs under an experiment" in error(tmp_path, text)


@pytest.mark.parametrize(
    "variant",
    [
        "{of: nobody, title: V, settings: {training.epochs: 4}}",
        "{of: only, title: V, settings: {training.epoch: 4}}",
        "{of: only, title: V, settings: {training.epochs: -4}}",
        "{of: only, title: V, settings: {model.hidden.7.units: 4}}",
        "{of: only, title: V, settings: {model.hidden.0.units: few}}",
        "{of: only, settings: {training.epochs: 4}}",
    ],
)
def test_variant_that_cannot_be_trained_is_refused(tmp_path: Path, variant: str) -> None:
    assert "varied" in error(tmp_path, f"{TINY}variants:\n  varied: {variant}\n")


def test_variant_changes_the_settings_it_names_and_nothing_else(tmp_path: Path) -> None:
    settings = "{training.epochs: 4, model.hidden.1.dropout: 0.25}"
    text = f"{TINY}variants:\n  varied: {{of: only, title: V, settings: {settings}}}\n"
    report = read(tmp_path, text)
    base, varied = report["only"], report["varied"]
    assert (varied.training.epochs, varied.setting("model.hidden.1.dropout")) == (4, 0.25)
    assert varied.training.model_copy(update={"epochs": 3}) == base.training
    assert varied.claims == () and varied.variant_of == "only"
    assert "varied" not in report.experiments and "varied" in report.trainable


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id: tiny\n  title: oops\n", 2),
        ("id: tiny\nauthors: [A\ntitle: x\n", 3),
        ("id: tiny\ntitle: 'never closed\n", 3),
        ("id: *nowhere\n", 1),
        ("id: tiny\n\ttitle: tabs\n", 2),
        ("id: tiny\n---\nid: other\n", 2),
        ('id: tiny\ntitle: "\\UFFFFFFFF"\n', 2),
        ('id: tiny\ntitle: "\\U00110000"\n', 2),
        ("%YAML 1." + "9" * 5_000 + "\n---\nid: tiny\n", None),
        ("id: tiny\ntitle: a\x07b\n", None),
    ],
)
def test_text_that_is_not_yaml_is_an_error_with_its_line(
    tmp_path: Path, text: str, line: int | None
) -> None:
    message = error(tmp_path, text)
    assert "report.yaml" in message
    assert line is None or f"line {line}: " in message


@pytest.mark.parametrize("text", ["", "# nothing\n", "just words\n", "- a\n- list\n", "~\n"])
def test_text_that_is_not_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "line 1: a report is a mapping" in error(tmp_path, text)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"absent\.yaml: cannot be read"):
        read_report(tmp_path / "absent.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("id: caf\xe9\n".encode("latin-1"))
    with pytest.raises(ReportError, match=r"latin\.yaml: cannot be read"):
        read_report(path)


@pytest.mark.parametrize("report_id", ["nobody", "../baltzi", "", "baltzi/report.yaml"])
def test_unknown_report_is_an_error_that_lists_the_known_ones(report_id: str) -> None:
    with pytest.raises(ReportError, match=r"There is no report .*; the book has .*baltzi"):
        load_report(report_id)


def test_unknown_experiment_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"report baltzi has no experiment mlp; it has mlp-baseline"):
        load_report("baltzi")["mlp"]


# --- baltzi against its source -------------------------------------------------------------------

SECTIONS = {
    "### Baseline": "mlp-baseline",
    "### Baseline + 1 Hidden Layer": "mlp-1-hidden",
    "### Baseline + 3 Hidden Layers + Dropout": "mlp-3-hidden-dropout",
    "### 1 CNN Layer + Best MLP": "cnn-1-conv",
    "## 2 CNN Layers + 1 Hidden Layer": "cnn-2-conv",
}
RESULT = re.compile(
    r"terminates after (\d+) epochs giving ([\d.]+)% accuracy on the training set "
    r"and ([\d.]+)% accuracy on the test set"
)
PROTOCOL = re.compile(
    r"in batches of (\d+) for (\d+) epochs, monitoring validation accuracy in a split equal to "
    r"(\d+)% .* for (\d+) consecutive epochs"
)


@pytest.fixture(scope="module")
def sections() -> dict[str, str]:
    """Return the report's text by heading, white space made single."""
    source = SOURCES / "baltzi.txt"
    if not source.exists():
        pytest.skip("needs the report's text in ../shared/reports/baltzi.txt")
    parts = re.split(r"^(#+ .+)$", source.read_text(encoding="utf-8"), flags=re.M)
    bodies = [re.sub(r"[^\S\n]+", " ", body) for body in parts[2::2]]
    return dict(zip(map(str.strip, parts[1::2]), bodies, strict=True))


@pytest.mark.parametrize(("heading", "name"), SECTIONS.items())
def test_baltzi_layer_table_is_the_printed_one(
    sections: dict[str, str], heading: str, name: str
) -> None:
    row = re.compile(r"^\| (\w+) \((\w+)\) \| \[?\(None, ([\d, ]+)\)\]? \| (\d+) \|$", re.M)
    printed = [
        (layer, kind, tuple(map(int, shape.split(", "))), int(params))
        for layer, kind, shape, params in row.findall(sections[heading])
    ]
    totals = re.findall(r"(\S+) params: ([\d,]+)", sections[heading])
    table = load_report("baltzi")[name].table
    assert table is not None
    assert [(row.name, row.type, row.shape, row.params) for row in table.layers] == printed
    assert {kind: int(count.replace(",", "")) for kind, count in totals} == {
        "Total": table.total,
        "Trainable": table.trainable,
        "Non-trainable": table.non_trainable,
    }


@pytest.mark.parametrize(("heading", "name"), SECTIONS.items())
def test_baltzi_results_and_protocol_are_the_stated_ones(
    sections: dict[str, str], heading: str, name: str
) -> None:
    text = " ".join(sections[heading].split())
    experiment = load_report("baltzi")[name]
    result, protocol = RESULT.search(text), PROTOCOL.search(text)
    assert result is not None and protocol is not None
    ids = ("epochs", "train", "test")
    assert tuple(str(experiment[i].value) for i in ids) == result.groups()
    ids = ("batch-size", "max-epochs", "validation-share", "patience")
    assert tuple(str(experiment[i].value) for i in ids) == protocol.groups()


def test_baltzi_summary_is_table_1(sections: dict[str, str]) -> None:
    row = re.compile(r"^\| (?:MLPs|CNNs)? ?\| (.+?) \| ([\d.]+) % \|$", re.M)
    printed = row.findall(sections["## Discussion"])
    report = load_report("baltzi")
    assert [title for title, _ in printed] == [e.title for e in report.experiments.values()]
    for experiment, (_, accuracy) in zip(report.experiments.values(), printed, strict=True):
        assert str(experiment["test"].value) == accuracy
        assert any(place.startswith("Table 1, row") for place in experiment["test"].where)


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        ({"take": "last"}, "either a fraction or a count"),
        ({"take": "last", "fraction": 0.2, "count": 5}, "either a fraction or a count"),
        ({"take": "last", "fraction": 0.2, "seed": 1}, "only a random validation split takes"),
        ({"take": "test", "seed": 1}, "only a random validation split takes"),
    ],
)
def test_a_split_that_cannot_be_taken_is_refused_when_read(
    split: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Validation.model_validate(split)


def test_an_unknown_claim_is_named() -> None:
    with pytest.raises(KeyError, match="baltzi/mlp-baseline has no claim tset"):
        load_report("baltzi")["mlp-baseline"]["tset"]


def test_a_variant_may_add_a_feature_as_a_whole() -> None:
    base = load_report("chalkiopoulos-tsoukalelis")["mlp-512-256"]
    stopping = {"monitor": "val_loss", "patience": "5"}
    variant = Variant.model_validate(
        {"of": base.id, "title": "x", "settings": {"training.early_stopping": stopping}}
    )
    varied = base.varied("x", variant)
    assert base.training.early_stopping is None
    assert varied.training.early_stopping is not None
    assert varied.training.early_stopping.patience == 5


def test_a_table_of_epochs_may_drop_trailing_zeros() -> None:
    columns = {"loss": ["0.45", "0.4"], "accuracy": ["0.89", "0.9"]}
    table = {"where": "Figure 5", "split": "train", **columns}
    widths = [
        [claim.half_width for claim in EpochTable.model_validate(table | more).claims()]
        for more in ({}, {"decimals": "2"})
    ]
    assert widths == [[0.005, 0.05, 0.005, 0.05], [0.005] * 4]


def test_a_claim_stands_in_one_place_or_in_several() -> None:
    content = {"id": "c", "quantity": "epochs_trained", "value": "44"}
    one = Claim.model_validate({**content, "where": "p. 3"})
    two = Claim.model_validate({**content, "where": ["p. 3", "Table 1"]})
    assert (one.where, one.place) == (("p. 3",), "p. 3")
    assert (two.where, two.place) == (("p. 3", "Table 1"), "p. 3; Table 1")
    for nowhere in ([], "", ["p. 3", ""]):
        with pytest.raises(ValidationError, match="where"):
            Claim.model_validate({**content, "where": nowhere})


@pytest.mark.parametrize(
    ("keys", "role"),
    [
        ({"quantity": "accuracy", "split": "test", "value": "0.9"}, "result"),
        ({"quantity": "total_params", "value": "7850"}, "architecture"),
        ({"quantity": "setting", "setting": "model.hidden.count", "value": "1"}, "architecture"),
        ({"quantity": "setting", "setting": "training.epochs", "value": "1"}, "setting"),
        ({"quantity": "data", "fact": "classes", "value": "10"}, "data"),
        ({"quantity": "cited", "value": "0.9"}, "cited"),
    ],
)
def test_what_a_claim_is_for_follows_from_its_quantity(keys: dict[str, Any], role: str) -> None:
    content = {"id": "c", "where": "p. 1", **keys}
    claim = Claim.model_validate(content)
    assert (claim.role, claim.statement) == (role, "c")
    another = "headline" if role in ("result", "cited") else "cited"
    other = Claim.model_validate({**content, "role": another, "statement": "both"})
    assert (other.role, other.statement) == (another, "both")


@pytest.mark.parametrize(
    ("quantity", "keys", "role", "why"),
    [
        ("total_params", {"value": "7850"}, "headline", "is exact"),
        ("setting", {"setting": "model.hidden.count", "value": "1"}, "result", "is exact"),
        ("images", {"split": "test", "value": "10000"}, "headline", "is exact"),
        ("accuracy", {"split": "test", "value": "0.9"}, "cited", "is held against runs"),
        ("ordering", {"split": "test", "of": "a", "than": "b"}, "setting", "is held against runs"),
    ],
)
def test_no_role_hides_a_claim_from_the_columns_of_the_scoreboard(
    quantity: str, keys: dict[str, Any], role: str, why: str
) -> None:
    content = {"id": "c", "quantity": quantity, "where": "p. 1", **keys, "role": role}
    with pytest.raises(ValidationError, match=f"claim c: {quantity} {why}, .* not {role}"):
        Claim.model_validate(content)


@pytest.mark.parametrize("name", ["''", "' '"])
def test_an_author_has_a_name(tmp_path: Path, name: str) -> None:
    text, line = planted("authors: [A. Author]", f"authors: [{name}]")
    assert f"line {line}: authors.0: " in error(tmp_path, text)


def test_the_cells_of_a_table_are_parts_of_one_statement() -> None:
    experiment = load_report("anastasopoulos-mpofu-smith")["baseline"]
    parts = Counter(claim.statement for claim in experiment.results if claim.epoch)
    assert parts == {"train-epochs": 40, "validation-epochs": 40}
    cells = load_report("baltzi")["mlp-baseline"].table
    assert cells and {claim.statement for claim in cells.claims()} == {"layers"}


def test_a_report_rests_on_three_statements_at_most() -> None:
    report = load_report("baltzi")
    content = report.model_dump(mode="json", by_alias=True)
    claims = [claim for claim in content["claims"] if claim["role"] in COUNTED]
    for claim in claims:
        claim.update(role="headline", statement="one" if claim["id"] != "best-mlp" else "two")
    for experiment in content["experiments"].values():
        for claim in experiment["claims"]:
            if claim["role"] == "headline":
                claim["role"] = "result"
    assert Report.model_validate(content)
    for i, claim in enumerate(claims[:4]):
        claim["statement"] = f"s-{i}"
    with pytest.raises(ValidationError, match="at most 3 statements are headlines, not 5: s-0, "):
        Report.model_validate(content)


@pytest.mark.parametrize(
    ("line", "left_open"),
    [
        ("{setting: model.*.activation, chosen: relu", "model.hidden.0.activation, model.hidden.1"),
        ("{setting: model.*.dropout, chosen: 0.5", "model.hidden.1.dropout is neither"),
        ("{setting: reading.pixel scaling", "reading.pixel scaling is neither claimed nor assumed"),
        ("{setting: reading.initialiser", "reading.initialiser is neither claimed nor assumed"),
        ("{setting: reading.defaults", "reading.defaults is neither claimed nor assumed"),
        ("{setting: reading.weights", "reading.weights is neither claimed nor assumed"),
    ],
)
def test_what_a_model_and_a_reading_leave_open_is_named(
    tmp_path: Path, line: str, left_open: str
) -> None:
    (there,) = [item for item in TINY.split("\n") if line in item]
    assert left_open in error(tmp_path, TINY.replace(f"{there}\n", ""))


def test_stars_and_lists_write_assumptions_out(tmp_path: Path) -> None:
    report = read(tmp_path, TINY)
    settings = [item.setting for item in report["only"].assumed]
    assert "model.hidden.0.activation" in settings and "model.hidden.1.activation" in settings
    assert not [setting for setting in settings if "*" in setting or "filters" in setting]
    assert "model.conv.0.filters" in [item.setting for item in report["other"].assumed]


def test_what_all_trainings_do_is_assumed_as_it_is(tmp_path: Path) -> None:
    message = error(tmp_path, TINY.replace("chosen: divided by 255", "chosen: standardised"))
    assert "reading.pixel scaling is divided by 255, assumed standardised" in message


OTHER = "    model: {builder: cnn, conv: [{filters: 2, kernel: 3}]}\n"
SAME = """\
    layers_as: only
    model: {builder: mlp, hidden: [{units: 8}, {units: 4, dropout: 0.5}]}
"""


def test_layers_may_be_those_of_another_experiment(tmp_path: Path) -> None:
    assert OTHER in TINY
    assert read(tmp_path, TINY.replace(OTHER, SAME))["other"].layers_as == "only"
    wider = TINY.replace(OTHER, SAME.replace("units: 8", "units: 9"))
    assert "model.hidden.0.units differ from only" in error(tmp_path, wider)
    nobody = TINY.replace(OTHER, SAME.replace("layers_as: only", "layers_as: nobody"))
    assert "nobody is no experiment with layers of its own" in error(tmp_path, nobody)
    itself = TINY.replace(OTHER, SAME.replace("layers_as: only", "layers_as: other"))
    assert "other is no experiment with layers of its own" in error(tmp_path, itself)
    untold = TINY.replace(OTHER, SAME).replace("reading.layers", "reading.order of layers")
    assert "other: reading.layers is neither claimed nor assumed" in error(tmp_path, untold)


def test_another_precision_than_that_of_keras_is_assumed(tmp_path: Path) -> None:
    mixed = TINY.replace("    training: ", "    precision: mixed_bfloat16\n    training: ")
    assert "experiment only: precision is neither claimed nor assumed" in error(tmp_path, mixed)
    last = "      - {setting: reading.layers"
    told = "      - {setting: precision, chosen: mixed_bfloat16, because: to save time}\n"
    whole = mixed.replace(last, told + last)
    assert read(tmp_path, whole)["only"].precision == "mixed_bfloat16"
    wrong = whole.replace("chosen: mixed_bfloat16", "chosen: float32")
    assert "precision is mixed_bfloat16, assumed float32" in error(tmp_path, wrong)


@pytest.mark.parametrize("side", ["of: only, than: other", "of: other, than: only"])
@pytest.mark.parametrize(
    ("reading", "asked"), [("final", "reading.weights"), ("best", "reading.best epoch")]
)
def test_what_a_comparison_reads_is_assumed_on_both_sides(
    tmp_path: Path, side: str, reading: str, asked: str
) -> None:
    """Also where an experiment states no number of its own, which would ask for it."""
    text = TINY.replace("of: only, than: other", f"{side}, reading: {reading}")
    end = text.index("    assumed: *assumed\n")
    shared = text[text.index("      - {setting: training.validation.fr") : text.index("    table:")]
    own = "".join(f"{line}\n" for line in shared.splitlines() if f"setting: {asked}," not in line)
    silent = f"{text[:end]}    assumed:\n{own}    claims: [{BATCH}]\n"
    assert f"claim gain: {asked} of other is neither claimed" in error(tmp_path, silent)
    loud = f"{text[:end]}    assumed:\n{shared}    claims: [{BATCH}]\n"
    assert read(tmp_path, loud)["other"].accuracy("test") is None


BATCH = "{id: b, quantity: setting, setting: training.batch_size, value: 128, where: p. 1}"


def test_a_training_time_may_be_a_bound(tmp_path: Path) -> None:
    time = "id: time, quantity: minutes, value: 15, where: p. 1"
    text = TINY.replace("    claims: &claims\n", f"    claims: &claims\n      - {{{time}}}\n")
    assert printed(read(tmp_path, text)["only"]["time"]) == "15 min"
    bound = text.replace(time, f"{time}, relation: at_most")
    assert printed(read(tmp_path, bound)["only"]["time"]) == "≤ 15 min"


def test_a_statement_may_be_about_two_experiments(tmp_path: Path) -> None:
    one = "value: 84.60\n        statement: only/batch-size"
    report = read(tmp_path, TINY.replace("value: 84.60", one))
    parts = report.statements()["only/batch-size"]
    assert [claim.id for _, claim in parts] == ["batch-size", "test", "test"]
    for statement in ("only/nothing", "nobody/test"):
        text = TINY.replace("value: 84.60", f"value: 84.60\n        statement: {statement}")
        assert f"there is no claim {statement}" in error(tmp_path, text)
    for statement in ("only/", "/test", "Only/test", "a/b/c"):
        text = TINY.replace("value: 84.60", f"value: 84.60\n        statement: {statement}")
        assert "statement: " in error(tmp_path, text) and "is no id" in error(tmp_path, text)
