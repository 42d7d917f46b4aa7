"""All reports side by side: counted, listed and drawn."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from factories import diverged_run, make_run
from figures import words

from fmnist_utils import plots, tables
from fmnist_utils.book.chapter_setup import Chapter
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.quantities import COUNTED, QUANTITIES
from fmnist_utils.runs.record import Method, accuracies
from fmnist_utils.runs.store import RunStore
from fmnist_utils.tables import across_tables, report_tables
from fmnist_utils.text import spelled
from fmnist_utils.verdicts import across_reports
from fmnist_utils.verdicts.across_reports import SPLITS, choices, every_report, every_statement
from fmnist_utils.verdicts.outcome import Outcome
from fmnist_utils.verdicts.report_verdicts import judge_accuracies, reported_accuracies

ROOT = Path(__file__).parents[1]
BALTZI = load_report("baltzi")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs", tmp_path / "published")


def add(store: RunStore, experiment: Experiment, values: Sequence[float], gap: float = 0) -> None:
    for seed, accuracy in enumerate(values, start=1):
        method = Method.of(experiment)
        store.add(make_run(experiment, seed, accuracy=accuracy, gap=gap, method=method))


def around(accuracy: float) -> list[float]:
    return [accuracy - 0.001, accuracy, accuracy + 0.001]


def cells(table: tables.Table, column: str) -> list[str]:
    return [str(row[table.headers.index(column)]) for row in table.rows]


def test_every_counted_quantity_is_of_some_kind() -> None:
    counted = [row for row in QUANTITIES.values() if row.role in COUNTED]
    assert [row.name for row in counted if row.topic == "anything else"] == []


def test_every_statement_is_of_one_kind(store: RunStore) -> None:
    table = tables.kinds(store)
    rows = [list(map(int, row[1:])) for row in table.rows]
    assert all(row[0] == sum(row[1:]) for row in rows)
    assert sum(row[0] for row in rows) == len(every_statement(store))
    assert "anything else" not in cells(table, "statements about")


def test_directions_count_every_accuracy_once(store: RunStore) -> None:
    """One that is held against two readings of its report is still one."""
    stated = {
        (report.id, split, v.claim.statement_under(v.experiment), v.claim.value)
        for report in every_report()
        for split in SPLITS
        for v in judge_accuracies(report, {}, split)
    }
    table = tables.directions(store)
    assert sum(map(int, cells(table, "numbers"))) == len(stated)
    assert cells(table, "pending") == cells(table, "numbers")
    reported = reported_accuracies(BALTZI)
    add(store, BALTZI["mlp-baseline"], around(reported["mlp-baseline"] / 100))
    add(store, BALTZI["mlp-1-hidden"], around(reported["mlp-1-hidden"] / 100 + 0.03))
    add(store, BALTZI["cnn-2-conv"], around(reported["cnn-2-conv"] / 100 - 0.03))
    test = dict(zip(table.headers, tables.directions(store).rows[-1], strict=True))
    assert [test[f"outside, ours {side}"] for side in ("higher", "lower")] == ["1", "1"]
    assert test["inside"] == "1" and test["mean of ours lower"] == "1"
    assert test["mean of ours higher"] in ("1", "2"), "the one inside may lie on either side"
    assert int(test["pending"]) == int(test["numbers"]) - 3


def test_a_number_that_no_seeds_can_settle_is_inside_all_the_same(store: RunStore) -> None:
    add(store, BALTZI["mlp-baseline"], [0.80, 0.85, 0.89])
    (verdict,) = judge_accuracies(BALTZI, {"mlp-baseline": store.runs(BALTZI["mlp-baseline"])})[:1]
    assert verdict.word == Outcome.UNSETTLED
    assert cells(tables.directions(store), "inside")[-1] == "1"


def test_two_readings_of_one_number_count_once(store: RunStore) -> None:
    report = load_report("mendez")
    for name in ("listing", "prose"):
        add(store, report[name], around(0.95))
    test = dict(
        zip(tables.directions(store).headers, tables.directions(store).rows[-1], strict=True)
    )
    assert test["outside, ours higher"] == "1"


def test_a_number_between_two_readings_is_neither_higher_nor_lower(store: RunStore) -> None:
    """Of 21 numbers one is, and a sign test that took it for either would count a tie."""
    report = load_report("mendez")
    add(store, report["listing"], around(0.93))
    add(store, report["prose"], around(0.89))
    for side in ("higher", "lower"):
        assert cells(tables.directions(store), f"mean of ours {side}")[-1] == "0"


KERNELS = "kernels, padding, pooling"


def test_omissions_are_the_assumptions_of_the_reports() -> None:
    table = tables.omissions()
    column = dict(zip(cells(table, "setting"), cells(table, "Baltzi"), strict=True))
    assert column["learning rate"] == "missing" and column["batch size"] == "stated"
    assert column["amounts of augmentation"] == "–", "no model of this report augments"
    dropping = [e for e in BALTZI.experiments.values() if "dropout" in e.model_dump_json()]
    missing = [e for e in dropping if any(a.setting.endswith("dropout") for a in e.assumed)]
    assert column["dropout rates"].startswith(f"missing for {len(missing)} of")
    noisy = BALTZI["mlp-1-hidden"].vary({"model.input_dropout": 0.2})
    pattern, applies = across_tables._SETTINGS["dropout rates"]
    assert applies(noisy) and re.fullmatch(pattern, "model.input_dropout")
    nameless = dict(zip(cells(table, "setting"), cells(table, "Fashion MNIST Report"), strict=True))
    assert nameless["amounts of augmentation"] == "missing"
    assert nameless["batch size"] == "missing for 1 of 6"
    assert nameless["how many images validate"] == "stated", "in prose, as a number of images"
    kernels = dict(
        zip(table.headers, table.rows[cells(table, "setting").index(KERNELS)], strict=True)
    )
    # By layer tables; the listing of one leaves a window to Keras, a number of parameters several.
    assert kernels["Baltzi"] == kernels["Fashion MNIST Report"] == "derivable"
    assert kernels["Anastasopoulos, Mpofu, Smith"] == kernels["Méndez"] == "missing"


def test_seed_noise_is_the_spread_of_test_accuracy(store: RunStore) -> None:
    assert tables.seed_noise(store).rows == ()
    add(store, BALTZI["mlp-baseline"], [0.84, 0.85, 0.86])
    add(store, BALTZI["mlp-1-hidden"], [0.88, 0.883, 0.886])
    add(store, BALTZI["cnn-1-conv"], [0.9, 0.91])  # too few
    (row,) = tables.seed_noise(store).rows
    mean, most = 1.128 * 0.65, 1.96 * np.hypot(0.65, 0.65)
    assert row == ("Baltzi", "2", "0.30", "0.65", "1.00", f"{mean:.2f}", f"{most:.2f}")


def test_a_model_of_which_a_run_diverged_waits_as_its_verdicts_do(store: RunStore) -> None:
    for name in ("cnn-1-conv", "cnn-1-conv-dropout-20", "one-protocol-cnn-1-conv"):
        add(store, BALTZI[name], around(0.85))
        store.add(diverged_run(BALTZI[name], 4))
    assert tables.seed_noise(store).rows == tables.assumption_effects(store).rows == ()
    assert across_reports.one_protocol(store) == []


def test_an_effect_is_that_of_a_choice_which_the_report_leaves_open(store: RunStore) -> None:
    """A study of ours, or a choice without enough runs, is none."""
    base = BALTZI["cnn-1-conv"]
    add(store, base, around(0.9))
    names = [name for name, item in BALTZI.variants.items() if item.of == "cnn-1-conv"]
    opened = [item.setting for item in base.assumed]
    open_ones = [n for n in names if set(BALTZI.variants[n].settings) <= set(opened)]
    small, large, few = open_ones[:3]
    add(store, BALTZI[small], around(0.901))
    add(store, BALTZI[large], around(0.88))
    add(store, BALTZI[few], [0.5, 0.5])
    for study in set(names) - set(open_ones):
        add(store, BALTZI[study], around(0.6))
    table = tables.assumption_effects(store)
    titles = [BALTZI.variants[name].title for name in (large, small)]
    assert cells(table, "choice") == [f"{title} [Baltzi]" for title in titles]
    changes = cells(table, "difference (points), 95 % interval")
    assert [change.split()[0] for change in changes] == ["-2.00", "+0.10"]
    # 90.08 % is reported, and 88 is too low.
    words = cells(table, "verdict on the stated accuracy")
    assert words == ["reproduced → not reproduced", "reproduced"]
    assert table.caption.endswith("the choice changes the verdict's word in 1")


def test_more_runs_of_the_model_as_it_is_are_no_effect_of_a_choice(store: RunStore) -> None:
    base = BALTZI["cnn-1-conv"]
    variant = BALTZI["cnn-1-conv-dropout-20"]
    # Three runs hold 90.08 % and ten alike do not: their interval is narrower.
    scores = [0.892, 0.896, 0.900] + [0.896] * 7
    add(store, base, scores)
    add(store, variant, scores[:3])
    (word,) = cells(tables.assumption_effects(store), "verdict on the stated accuracy")
    assert word == "consistent, unsettled"


def test_the_largest_shown_effect_stands_first() -> None:
    """One in pairs, too, whose runs are not all that its base has."""
    shown = cells(tables.assumption_effects(), "difference (points), 95 % interval")
    sizes = [abs(float(change.split()[0])) for change in shown]
    assert any(change.endswith("in pairs") for change in shown)
    assert sizes == sorted(sizes, reverse=True)


def test_the_front_page_shows_the_same_part_of_a_statement_as_its_chapter() -> None:
    boxes = [Chapter(report.id).in_short() for report in every_report()]
    shown = [cell.href.removeprefix("../") for box in boxes for _, cell in box.rows]
    assert sorted(row[0].href for row in tables.answers().rows) == sorted(shown)


def test_shipped_choices_are_all_of_assumptions() -> None:
    found = list(choices(RunStore()))
    assert found
    for choice in found:
        opened = [item.setting for item in choice.base.experiment.assumed]
        for path in choice.variant.settings:
            assert any(path.startswith(known) or known.startswith(path) for known in opened)


def test_deviations_are_in_points_whatever_the_unit(store: RunStore) -> None:
    report = load_report("chalkiopoulos-tsoukalelis")
    name, reported = next(iter(reported_accuracies(report).items()))
    add(store, report[name], around(reported / 100 + 0.02))
    (ax,) = plots.deviations(store).axes
    (mark,) = [line for line in ax.lines if line.get_marker() not in ("None", "", None)]
    runs = store.runs(report[name])
    claim = next(item for item in report[name].stated if item.split == "test")
    read = accuracies(runs, "test", "best" if claim.reading.startswith("best") else "final")
    assert mark.get_xdata() == pytest.approx([read.mean() - reported])
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{report.short_name}\ntest"]


def test_reports_of_the_same_authors_are_told_apart(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = {
        name: load_report(name).model_copy(update={"authors": ("A. Smith",)})
        for name in ("baltzi", "mendez")
    }
    monkeypatch.setattr(across_reports, "list_reports", lambda: list(reports))
    monkeypatch.setattr(across_reports, "load_report", reports.__getitem__)
    monkeypatch.setattr(report_tables, "every_ledger", lambda _: dict.fromkeys(reports, ()))
    for name, model in (("baltzi", "mlp-baseline"), ("mendez", "listing")):
        add(store, reports[name][model], around(0.9))
    assert [row[0] for row in tables.shares().rows] == ["Smith", "Smith", "all reports"]
    assert [row[:2] for row in tables.seed_noise(store).rows] == [("Smith", "1"), ("Smith", "1")]
    (ax,) = plots.deviations(store).axes
    names = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    assert names == [
        "Smith training", "Smith test", "Smith training", "Smith validation", "Smith test",
    ]  # fmt: skip


def test_without_runs_a_figure_says_so(store: RunStore) -> None:
    assert any("three runs" in word for word in words(plots.deviations(store)))


@pytest.mark.parametrize("page", ["README.md", "CITATION.cff", "_config.yml"])
def test_what_describes_the_book_counts_right(page: str) -> None:
    text = " ".join((ROOT / page).read_text().replace("*", "").split())
    stated = {
        (report.id, claim.statement_under(experiment.id if experiment else None))
        for report in every_report()
        for experiment, claim in report.all_claims()
        if claim.role in COUNTED
    }
    assert f"{len(stated)} statements" in text
    assert f"{spelled(len(every_report()))} student reports" in text.lower()
