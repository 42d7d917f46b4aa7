"""What no report.yaml may do: run away, leave its store, or end in more than one sentence."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from test_reports import TINY, error, planted, read

from fmnist_utils.models.build import ModelError, build
from fmnist_utils.models.spec import CNN, ConvBlock
from fmnist_utils.reports import yaml_file
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.quantities import QUANTITIES

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BOMB, "line 5: more than 50,000 values, aliases written out"),
        (f"id: {'[' * 5_000}{']' * 5_000}\n", "line 1: nested more than 20 deep"),
        ("id: &a [*a]\n", "line 1: alias a stands inside of itself"),
        ("? [a, b]\n: c\n", "line 1: a key must be a word, not a list or a mapping"),
        ("id: a\nb: {<<: {c: d}}\n", "line 2: merge keys (<<) are not read: write the keys out"),
        ('id: "\\e[2J"\n', "line 1: a text holds the character U+001B"),
        ('id: a\n"\\ud800": b\n', "line 2: a text holds the character U+D800"),
        ('id: "\\0"\n', "line 1: a text holds the character U+0000"),
        ("#" * (yaml_file.MAX_BYTES + 1), "larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_runs_away_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in error(tmp_path, text)


def test_what_an_error_quotes_of_the_file_stays_in_its_line(tmp_path: Path) -> None:
    assert "line 1: a b c: unknown key" in error(tmp_path, f'"a\\nb\\Lc": 1\n{TINY}')


def test_an_experiment_may_be_an_alias_of_another(tmp_path: Path) -> None:
    text, _ = planted("  only:", "  only: &only")
    report = read(tmp_path, f"{text}  third: *only\n")
    assert [report[name].id for name in ("only", "third")] == ["only", "third"]


def test_an_unknown_quantity_is_told_all_names(tmp_path: Path) -> None:
    text, _ = planted("        quantity: accuracy", "        quantity: fame")
    assert f"there is no quantity fame; there is {', '.join(QUANTITIES)} " in error(tmp_path, text)


CNN_LINE = "    model: {builder: cnn, conv: [{filters: 2, kernel: 3}]}"


# --- values --------------------------------------------------------------------------------------


def stated(**keys: Any) -> Claim:
    return Claim.model_validate({"id": "c", "where": "p. 1", **keys})


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"value": "~92"}, "~92 is not a number: write 92 alone, or as a claim of quantity bound"),
        ({"value": "92.3%"}, "write 92.3 and unit: percent"),
        ({"value": "over 90"}, "write 90 alone, or as a claim of quantity bound"),
        ({"value": "0.91-0.92"}, "write one number, as printed: a range is two claims"),
        ({"value": "0,8838"}, "write 0.8838"),
        ({"value": "about 84"}, "write 84 alone"),
        ({"value": "good"}, "good is not a number: write digits with a point, such as 0.8838"),
        ({"value": "88.13"}, "88.13 is more than 1: write 0.8813, or add unit: percent"),
        ({"value": "188", "unit": "percent"}, "188 is more than 100"),
        ({"value": "-3", "unit": "percent"}, "-3 is less than 0"),
        ({"value": ["0.9", "0.91"]}, "it takes one number, not a list"),
        ({"value": "90", "unit": "points"}, "the unit is percent or plain, not points"),
        ({"value": "nan"}, "nan is not a number"),
        ({"quantity": "recall", "label": 1, "value": "1.2"}, "write 0.012, or add unit: percent"),
        ({"quantity": "total_params", "value": "101,770"}, "write 101770"),
        ({"quantity": "total_params", "value": "101 770"}, "write 101770"),
        ({"quantity": "total_params", "value": "101.770"}, "write one, such as 101770"),
        ({"quantity": "epochs_trained", "value": "16.5"}, "write one, such as 16"),
        ({"quantity": "images", "value": "60000"}, "60000 images are more than the 10,000"),
        ({"quantity": "images", "value": ["60000", "28", "28"]}, "60000 images are more than"),
        ({"quantity": "images", "label": 1, "value": "10", "unit": "percent"}, "one whole number"),
        ({"quantity": "images", "label": 1, "value": ["1000", "28", "28"]}, "one whole number"),
        ({"value": "0.8838", "unit": "percent"}, "0.8838 is a fraction: leave out unit"),
        ({"quantity": "setting", "setting": "training.epochs", "value": "~20"}, "write 20 alone"),
        ({"quantity": "loss", "value": "1e1000000000"}, "is out of range: at most 15 digits"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_right_spelling(
    keys: dict[str, Any], right: str
) -> None:
    split = {"split": "test"} if keys.get("quantity", "loss") in PER_SPLIT else {}
    with pytest.raises(ValidationError, match=re.escape(right)):
        stated(**{"quantity": "accuracy", **split, **keys})


PER_SPLIT = {"accuracy", "loss", "recall", "images"}


def test_a_value_in_a_table_is_held_to_the_same_rules(tmp_path: Path) -> None:
    table = "{where: Figure 2, split: train, loss: [0.4, 0.3], accuracy: [0.8, VALUE]}"
    text, line = planted(
        "    title: The only one", f"    title: The only one\n    epoch_tables: [{table}]"
    )
    for value, sentence in (("'0,9'", "0,9 is not a number: write 0.9"), ("88", "more than 1")):
        message = error(tmp_path, text.replace("VALUE", value))
        assert f"line {line + 1}: experiments.only.epoch_tables.0" in message
        assert sentence in message


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("        - units: 8", "        - units: 1000000000000", "model.hidden.0.units"),
        ("      batch_size: 128", "      batch_size: 70000", "training.batch_size"),
        ("      epochs: 3", "      epochs: 1000000000", "training.epochs"),
        ("          params: 50", "          params: 1000000000000", "table.layers.1.params"),
        ("          shape: [10]", "          shape: [9999, 9999, 1]", "table.layers.1"),
    ],
)
def test_a_number_that_no_machine_can_follow_is_refused(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    text, line = planted(old, new)
    message = error(tmp_path, text)
    assert f"experiments.only.{key}: " in message
    assert int(message.split("line ")[1].split(":")[0]) in (line, line - 2)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("      epochs: 3", "      epochs: 16.5", "not a whole number: write one, such as 16"),
        ("      batch_size: 128", "      batch_size: 1 28", "1 28 is not a number: write"),
        ("      batch_size: 128", "      batch_size: about 128", "write 128 alone"),
        ("        fraction: 0.2", "        fraction: 0,2", "0,2 is not a number: write 0.2"),
        ("      epochs: 3", "      epochs:", "nothing stands here: fill it in, or delete the key"),
        ("      loss: categorical_crossentropy", "      loss: hinge", "hinge is not supported"),
        (CNN_LINE, "    model: residual", "residual is not supported (layers follow one another"),
        (CNN_LINE, "    model: {builder: residual}", "write {builder: mlp} or {builder: cnn}"),
        (CNN_LINE, "    model: {builder: svm}", "(networks alone are trained"),
        (CNN_LINE, "    model: {builder: inception}", "inception is not supported: write {builder"),
        (CNN_LINE, "    model: {conv: []}", "builder is missing: mlp or cnn"),
    ],
)  # fmt: skip
def test_a_setting_that_is_none_is_told_what_to_write(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    text, line = planted(old, new)
    message = error(tmp_path, text)
    assert sentence in message and f"line {line}: " in message


def test_half_an_epoch_is_no_setting_that_a_report_states(tmp_path: Path) -> None:
    stated = "{id: e, quantity: setting, setting: training.epochs, value: 16.5, where: p. 1}"
    text = TINY.replace("    claims: &claims\n", f"    claims: &claims\n      - {stated}\n")
    message = error(tmp_path, text)
    assert f"line {text[: text.index('16.5')].count(chr(10)) + 1}: " in message
    assert "claim e: 16.5 is not a whole number: write one, such as 16" in message


# --- ids, references, models ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id: tiny", "id: ../../evil"),
        ("  only:", "  On/ly:"),
        ("      - id: test", "      - id: Test 1"),
        ("  - id: images", "  - id: ../images"),
    ],
)
def test_an_id_is_a_slug(tmp_path: Path, old: str, new: str) -> None:
    text, line = planted(old, new)
    message = error(tmp_path, text)
    assert f"line {line}: " in message
    assert "is no id: small letters, digits and hyphens" in message


DERIVATION = """\
derivations:
  - {id: d, title: A, subject: a, rule: sum, where: p. 1, stated: 2, consequence: C., given: [1, 1]}
  - {id: e, title: A, subject: a, rule: RULE, where: p. 1, stated: 2, consequence: C., given: GIVEN}
"""


@pytest.mark.parametrize(
    ("rule", "given", "sentence"),
    [
        ("sum", "[only/tset]", "derivation e: report tiny has no claim only/tset"),
        ("sum", "[shape, 1]", "derivation e: claim shape has no single number"),
        ("ratio", "[1, 0]", "derivation e: a ratio is one of numbers above 0"),
        ("ratio", "[1]", "rule ratio takes 2 given, not 1"),
    ],
)
def test_a_wrong_derivation_names_its_own_line(
    tmp_path: Path, rule: str, given: str, sentence: str
) -> None:
    shape = "  - {id: shape, quantity: data, fact: classes, value: [1, 2], where: p. 1}\n"
    text = TINY.replace("experiments:\n", f"{shape}experiments:\n")
    text += DERIVATION.replace("RULE", rule).replace("GIVEN", given)
    message = error(tmp_path, text)
    assert f"line {text.count(chr(10))}: derivations.1" in message and sentence in message


@pytest.mark.parametrize("name", ["of: only", "than: other"])
def test_a_wrong_comparison_names_its_own_line(tmp_path: Path, name: str) -> None:
    text = TINY.replace(name, f"{name}s")
    line = text[: text.index(f"{name}s")].count("\n") + 1
    assert f"line {line}: claims.1.{name.split(':')[0]}: " in error(tmp_path, text)


def test_all_settings_that_are_left_open_are_named_at_once(tmp_path: Path) -> None:
    text = re.sub(r" +- {setting: training\.(loss|optimizer\.name),.*\n", "", TINY)
    both = "training.optimizer.name, training.loss are neither claimed nor assumed"
    assert both in error(tmp_path, text)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("conv: [{filters: 2, kernel: 3, pool: 40}]", "layer 1: a pooling of 40 does not fit"),
        ("conv: [{filters: 2, kernel: 3, pool: 14}, {filters: 2, kernel: 3, padding: valid}]",
         "layer 2: a kernel of 3 does not fit 2 × 2 pixels"),
        ("input_shape: [28, 28], conv: []", "a cnn takes [28, 28, 1], as the images are grey"),
        ("input_shape: [28, 28, 3], conv: []", "a cnn takes [28, 28, 1], as the images are grey"),
        ("input_shape: [32, 32, 1], conv: []", "images have 28, 28 pixels, or resize"),
        ("input_shape: [14, 56, 1], conv: []", "images have 28, 28 pixels, or resize"),
        ("input_shape: [20, 20, 1], resize: pad, conv: []", "pad makes none smaller"),
        ("input_shape: [32, 20, 1], resize: pad, conv: []", "pad makes none smaller"),
        ("conv: [{filters: 4096, kernel: 28}, {filters: 4096, kernel: 28}]", "are not built"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_built_is_refused_with_its_layer(
    tmp_path: Path, model: str, sentence: str
) -> None:
    text, line = planted(CNN_LINE, f"    model: {{builder: cnn, {model}}}")
    message = error(tmp_path, text)
    assert f"line {line}: experiments.other.model: other: " in message and sentence in message
    variants = "variants: {v: {of: other, title: V, settings: {model.conv.0.pool: 40}}}\n"
    assert "v: layer 1: a pooling of 40 does not fit" in error(tmp_path, f"{TINY}{variants}")


def test_keras_is_not_asked_to_build_what_shrinks_to_nothing() -> None:
    model = CNN(builder="cnn", conv=(ConvBlock(filters=2, kernel=3, pool=40),))
    with pytest.raises(ModelError, match="cannot be built: layer 1: a pooling of 40"):
        build(model)
