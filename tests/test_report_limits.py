"""What no report.yaml may do: run away, leave its store, or end in more than one sentence."""

from pathlib import Path

import pytest
from test_reports import TINY, error, planted, read

from fmnist_utils.reports import yaml_file
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
        ("#" * (yaml_file.MAX_BYTES + 1), "larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_runs_away_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in error(tmp_path, text)


def test_what_an_error_quotes_of_the_file_stays_in_its_line(tmp_path: Path) -> None:
    assert r"line 1: a b [31mc: unknown key" in error(tmp_path, f'"a\\nb\\e[31mc": 1\n{TINY}')


def test_an_experiment_may_be_an_alias_of_another(tmp_path: Path) -> None:
    text, _ = planted("  only:", "  only: &only")
    report = read(tmp_path, f"{text}  third: *only\n")
    assert [report[name].id for name in ("only", "third")] == ["only", "third"]


def test_an_unknown_quantity_is_told_all_names(tmp_path: Path) -> None:
    text, _ = planted("        quantity: accuracy", "        quantity: fame")
    assert f"there is no quantity fame; there is {', '.join(QUANTITIES)} " in error(tmp_path, text)
