"""What chapters print."""

import io
import itertools
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from factories import make_run
from rich.console import Console

from fmnist_utils import tables
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.quantities import READINGS
from fmnist_utils.runs.store import RunStore
from fmnist_utils.tables import Badge, Stacked, Table, front_page
from fmnist_utils.text import difference_text, percent_text
from fmnist_utils.verdicts.judge import judge, judge_comparison
from fmnist_utils.verdicts.outcome import (
    COLUMNS,
    DECIDED,
    INSIDE,
    OTHER_COLUMNS,
    OUTSIDE,
    Column,
    Outcome,
    Position,
    Verdict,
    by_statement,
    tally,
)
from fmnist_utils.verdicts.report_verdicts import accuracy_claims


@pytest.fixture(scope="module")
def report():
    return load_report("baltzi")


@pytest.fixture(scope="module")
def runs(report):
    accuracies = {"mlp-baseline": 0.846, "cnn-2-conv": 0.90}
    return {
        name: [make_run(report[name], seed, 40 + seed, value + seed / 1000) for seed in range(1, 6)]
        for name, value in accuracies.items()
    }


def cells(table: Table, column: str) -> list[str]:
    index = table.headers.index(column)
    return [str(row[index]) for row in table.rows]


def test_html_escapes_what_a_report_may_hold():
    html = Table(("a<b",), (("x & y",), ("<script>",)), "5 > 4")._repr_html_()
    assert "a&lt;b" in html and "x &amp; y" in html and "5 &gt; 4" in html
    assert "<script>" not in html


def test_numbers_are_flush_right_and_words_are_not():
    table = Table(("name", "count"), (("a", "1,000"), ("long name", "7")))
    assert repr(table).splitlines()[2:] == ["a          1,000", "long name      7"]
    assert table._repr_html_().count("text-align:right") == 3


def test_rows_and_columns_have_headers_and_a_verdict_can_stay_in_sight() -> None:
    html = Table(
        ("claim", "verdict"), (("test", Badge(Outcome.CLOSE)), ("", "none yet"))
    )._repr_html_()
    assert (html.count('<th scope="col"'), html.count('<th scope="row"')) == (2, 2)
    assert html.count('<td class="verdict-cell"') == 2


def test_a_row_is_named_by_what_is_judged_not_by_the_verdict() -> None:
    close = Badge(Outcome.CLOSE)
    html = Table(("verdict", "claim"), ((close, "the test"),))._repr_html_()
    assert re.findall('<th scope="row"[^>]*>([^<]*)</th>', html) == ["the test"]
    html = Table(("verdict", "numbers"), ((close, "46"),))._repr_html_()
    assert re.findall('<th scope="row"[^>]*>(.*?)</th>', html) == [close.html()]


def test_the_second_line_of_a_cell_is_escaped_and_smaller():
    cell = Stacked(Badge(Outcome.CLOSE), "p. 3 & 4")
    assert str(cell) == "close [p. 3 & 4]"
    assert '<small class="below">p. 3 &amp; 4</small>' in cell.html()
    assert Stacked("a", "").html() == "a"


def test_an_empty_table_still_shows_its_headers():
    table = Table(("name", "count"), ())
    assert repr(table).startswith("name  count")
    assert "<th" in table._repr_html_()


def test_every_word_has_a_badge_and_a_meaning():
    for word in Outcome:
        assert f"</span>&nbsp;{word}<" in Badge(word).html()
        assert word.meaning


def test_every_word_has_looks_of_its_own():
    looks = [word.look for word in Outcome]
    for own in ("mark", "shade", "color"):
        assert len({getattr(look, own) for look in looks}) == len(Outcome), own
    assert len({(look.marker, look.filled) for look in looks}) == len(Outcome)
    assert len({word.badge for word in Outcome}) == len(Outcome)
    assert min(contrast(look.color, "#ffffff") for look in looks) > 4.5


def test_every_word_has_a_column_and_the_colours_that_the_stylesheet_gives_it() -> None:
    css = (Path(__file__).parents[1] / "_static/book.css").read_text()
    assert {word.column for word in Outcome} == {*COLUMNS, *OTHER_COLUMNS} - {Column.IN_PART}
    light, dark = (
        dict(re.findall(rf"^{start}\.verdict\.([\w-]+) {{ --verdict: (#\w{{6}}); }}", css, re.M))
        for start in ("", r'html\[data-theme="dark"\] ')
    )
    assert light == {word.badge: word.look.shade for word in Outcome}
    assert dark.keys() == light.keys() and len(set(dark.values())) == len(Outcome)
    (text,) = re.findall(r"--verdict-text: (#\w{6})", css)
    assert min(contrast(shade, text) for shade in dark.values()) > 4.5


def test_the_registry_has_all_that_pages_and_judges_need_of_words_and_columns(monkeypatch) -> None:
    assert {*COLUMNS, *OTHER_COLUMNS} == {*Column}
    assert not {*INSIDE} & {*OUTSIDE} and {*INSIDE, *OUTSIDE} <= {*DECIDED}
    for word in Outcome:
        assert isinstance(word.column, Column) and isinstance(word.position, Position)
        assert word.rank in range(len(Outcome))
    # Of columns, the ranks of their words do not overlap.
    ranked = [word.column for word in sorted(Outcome, key=lambda word: word.rank) if word.rank < 7]
    assert len(list(itertools.groupby(ranked))) == len(set(ranked))
    found = [(None, SimpleNamespace(column=column)) for column in Column]
    monkeypatch.setattr(front_page, "every_statement", lambda store: found)
    _, told = str(front_page.result()).split("state, ")
    said = re.split(r", | and ", told.rstrip("."))
    assert said == [f"1 {column.says[0]}" for column in Column]


def test_a_terminal_shows_the_table_of_the_page_and_reads_no_markup() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="truecolor")
    stated = Stacked("[red]100[/red] [link=x]", "p. 3 [/b]")
    console.print(
        Table(("[bold]claim", "verdict"), ((stated, Badge(Outcome.CLOSE, "[i]")),), "[u]")
    )
    printed = console.file.getvalue()
    plain = re.sub(r"\x1b\[[\d;]*m", "", printed)
    for text in ("[red]100[/red] [link=x] [p. 3 [/b]]", "[bold]claim", "close ([i])", "[u]"):
        assert text in plain
    red, green, blue = (int(Outcome.CLOSE.look.shade[i : i + 2], 16) for i in (1, 3, 5))
    assert f"48;2;{red};{green};{blue}" in printed


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2."""

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05

    darker, lighter = sorted((luminance(one), luminance(other)))
    return lighter / darker


def test_badges_are_legible_without_the_stylesheet():
    """Contrast of the badge's text on its background is at least 7:1 (WCAG AAA)."""
    for word in Outcome:
        colour = re.search(r"background:(#\w{6})", Badge(word).html())
        assert colour and contrast(colour[1], "#111111") > 7


def test_verdicts_show_the_number_as_printed(report, runs):
    table = tables.verdicts(report["mlp-baseline"], runs["mlp-baseline"])
    assert cells(table, "reported") == ["44", "87.07 %", "84.60 %"]
    assert cells(table, "ours, 95 % interval")[2] == "84.90 ± 0.16 [84.41 to 85.38]"
    assert cells(table, "claim")[2] == "test accuracy [p. 3, paragraph 4; Table 1, row 1]"
    assert cells(table, "verdict")[2] == "reproduced"
    assert "5 runs" in table.caption


def test_a_failed_claim_says_in_which_direction(report, runs):
    table = tables.verdicts(report["cnn-2-conv"], runs["cnn-2-conv"])
    assert cells(table, "verdict")[2] == "not reproduced (we got lower)"


def test_without_runs_everything_measured_is_pending(report):
    table = tables.verdicts(report["mlp-baseline"], [])
    assert set(cells(table, "verdict")) == {"pending"}
    assert set(cells(table, "ours, 95 % interval")) == {"no runs yet"}


def test_runs_without_the_number_are_not_called_no_runs(report, runs):
    claim = report["mlp-baseline"]["train"].model_copy(update={"epoch": 60})
    verdict = judge(report["mlp-baseline"], claim, runs["mlp-baseline"])
    table = tables.judged([verdict])
    assert cells(table, "ours, 95 % interval") == [""]
    (word,) = cells(table, "verdict")
    assert word == "pending (5 of 5 runs diverged or ended before epoch 60)"


def test_readings_start_with_the_one_that_counts(report, runs):
    table = tables.readings(report["mlp-baseline"], "train", runs["mlp-baseline"])
    assert len(table.rows) == 6
    assert "all training images" in cells(table, "reading")[0]


def test_no_reading_counts_images_that_a_protocol_may_limit():
    assert not any(re.search(r"\d", words) for words in READINGS.values())


def test_scoreboard_counts_every_statement_about_results_and_every_other_claim_once(
    report, tmp_path
):
    table = tables.scoreboard(RunStore(tmp_path))
    row = dict(zip(table.headers, next(r for r in table.rows if r[0] == "Baltzi"), strict=False))
    assert set(table.headers) >= {*COLUMNS, *OTHER_COLUMNS}
    claims = [claim for _, claim in report.all_claims()]
    results = [
        (experiment and experiment.id, claim)
        for experiment, claim in report.all_claims()
        if claim.role in ("headline", "result")
    ]
    assert int(row["statements"]) == len({c.statement_under(name) for name, c in results})
    assert int(row["other claims"]) == len(claims) - len(results)
    assert sum(map(int, table.rows[1][-3:])) == len(claims) - len(results)
    href = "record/claims.html?report=baltzi&statement=not+reproduced"
    assert row["not reproduced"].href == href
    assert row["report"].html() == '<a href="chapters/baltzi.html">Baltzi</a>'
    *reports, total = table.rows
    sums = [sum(map(int, column)) for column in zip(*(r[1:] for r in reports), strict=True)]
    assert list(map(int, total[1:])) == sums and "href" in table._repr_html_()


def test_headlines_stand_on_an_axis_of_margins(report, runs):
    def drawn(name: str) -> tuple[float, float, float]:
        place = front_page._on_axis(judge(report[name], report[name]["test"], runs[name]))
        assert place is not None
        return place

    low, mean, high = drawn("mlp-baseline")
    assert low < mean < high and mean == pytest.approx((84.9 - 84.6) / 3, abs=1e-6)
    *_, high = drawn("cnn-2-conv")
    assert high < -1 / 3  # the whole interval is more than a point below 92.72 %
    assert "<circle" in front_page._distance(0, 0.1, 0.2)
    assert "<circle" not in front_page._distance(3, 4, 5)  # beyond the axis there is an arrow


def test_a_claim_that_two_models_are_as_good_is_drawn_from_no_difference(report, runs):
    keys = {"quantity": "match", "split": "test", "of": "cnn-2-conv", "than": "mlp-baseline"}
    claim = Claim.model_validate({"id": "m", "where": "p. 1", **keys})
    found = judge_comparison(claim, runs)
    _, mean, _ = front_page._on_axis(found)
    assert mean == pytest.approx(5.4 / 3, abs=0.01), "points, in three margins of one"
    ((_, cell),) = tables.headlines(report, [[found]]).rows
    assert "<small>0</small><svg" in cell.html()


def test_runs_that_all_give_the_reported_number_are_drawn(report):
    experiment = report["mlp-baseline"]
    claim = Claim.model_validate(
        {"id": "e", "quantity": "epochs_trained", "value": "10", "where": "p. 1"}
    )
    found = judge(experiment, claim, [make_run(experiment, seed, 10) for seed in (1, 2, 3)])
    ((_, cell),) = tables.headlines(report, [[found]]).rows
    assert "<small>9</small><svg" in cell.html() and "<small>11</small>" in cell.html()


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"quantity": "accuracy", "split": "test", "value": "0.93610"}, "93.61 %"),
        ({"quantity": "bound", "split": "test", "of": "a", "relation": "at_least",
          "value": "0.92"}, "≥ 92 %"),
        ({"quantity": "gap", "split": "train", "than_split": "test", "value": "0.02"}, "2 points"),
        ({"quantity": "difference", "split": "test", "of": "a", "than": "b", "value": "0.01"},
         "1 point"),
        ({"quantity": "accuracy", "split": "test", "value": "93", "unit": "percent"}, ""),
        ({"quantity": "loss", "split": "test", "value": "0.3"}, ""),
    ],
)  # fmt: skip
def test_a_fraction_is_also_written_in_percent_or_points(keys, text):
    assert percent_text(Claim.model_validate({"id": "c", "where": "p. 1", **keys})) == text


def test_a_table_is_one_statement_with_a_share(report):
    claims = [
        Claim.model_validate(
            {"id": f"c-{i}", "quantity": "accuracy", "split": "test", "value": "0.9",
             "where": "Table 1", "statement": "table"}
        )
        for i in range(4)
    ]  # fmt: skip
    words = [Outcome.REPRODUCED, Outcome.REPRODUCED, Outcome.IMPRECISE, Outcome.NOT_REPRODUCED]
    verdicts = [Verdict("m", c, word) for c, word in zip(claims, words, strict=True)]
    whole, part = (tally(found) for found in (verdicts[:2], verdicts))
    assert (whole.statements["reproduced"], whole.shares) == (1, [])
    assert (part.statements[Column.IN_PART], part.shares) == (1, ["3 of 4 inside"])
    assert sum(part.statements.values()) == 1 and not any(part.others.values())
    elsewhere = replace(verdicts[3], experiment="n")
    assert len(by_statement([*verdicts[:3], elsewhere])) == 2
    shared = claims[3].model_copy(update={"statement": "m/table"})
    assert len(by_statement([*verdicts[:3], replace(elsewhere, claim=shared)])) == 1


def test_a_comparison_of_several_parts_holds_when_all_of_them_do():
    keys = {
        "quantity": "ordering",
        "split": "test",
        "of": "a",
        "where": "p. 1",
        "statement": "best",
    }
    claims = [Claim.model_validate({**keys, "id": f"o-{i}", "than": f"b-{i}"}) for i in range(3)]
    words = [Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.IMPRECISE]
    found = tally(Verdict(None, c, word) for c, word in zip(claims, words, strict=True))
    assert found.shares == ["1 of 3 hold"]
    assert str(found) == "statements about results: 1 in part (1 of 3 hold); other claims: none"


def test_accuracy_claims_are_one_per_experiment(report):
    assert list(accuracy_claims(report)) == list(report.experiments)
    assert [float(claim.value) for claim in accuracy_claims(report).values()] == [
        84.60, 89.18, 88.99, 90.08, 92.72,
    ]  # fmt: skip


def test_results_and_variants_have_a_row_per_model(report, runs):
    assert len(tables.results(report, runs).rows) == len(report.experiments)
    bases = {variant.of for variant in report.variants.values()}
    every = {**runs, **{name: [] for name in report.variants}}
    assert len(tables.variants(report, every).rows) == len(bases) + len(report.variants)


def test_one_point_is_singular_and_still_a_number(report):
    gain = next(item for item in report.claims if item.id == "cnn-gains-one")
    assert tables.reported_text(gain) == "1 point"
    table = Table(("claim", "reported"), (("a", "1 point"), ("b", "3.7 points")))
    assert table._repr_html_().count("text-align:right") == 3


def test_numbers_stand_in_the_unit_of_their_report():
    fractions = load_report("chalkiopoulos-tsoukalelis")
    name = next(iter(accuracy_claims(fractions)))
    found = {name: [make_run(fractions[name], seed, accuracy=0.9) for seed in (1, 2, 3)]}
    table = tables.results(fractions, found)
    assert cells(table, "ours, 95 % interval")[0].startswith("0.9")
    assert not any("%)" in header for header in table.headers)


SCORED = {
    "where": "Table 9",
    "split": "test",
    "rows": [
        {"label": f"class {i}", "precision": "0.90", "recall": "0.40", "f1": "0.9", "support": 1000}
        for i in range(10)
    ],
}


def test_study_shows_accuracy_and_gap(report):
    experiment = report["mlp-baseline"]
    found = [make_run(experiment, seed, accuracy=0.9, gap=0.05) for seed in (1, 2, 3)]
    table = tables.study({"as stated": found, "not yet": []}, "learning rate")
    assert table.headers[0] == "learning rate"
    assert cells(table, "seeds") == ["3", "0"]
    assert cells(table, "gap (points)") == ["5.00 ± 0.00", ""]


def test_equivalence_says_what_was_decided(report):
    from fmnist_utils.verdicts.equivalence import BFLOAT16, Comparison

    ours = tuple(90 + 0.1 * (i % 3) for i in range(10))
    off = tuple(value + 1 for value in ours)
    experiment = report["mlp-baseline"]
    rows = [Comparison(experiment, BFLOAT16, other, ours) for other in (ours, off, ours[:9])]
    assert cells(tables.equivalence(rows), "verdict") == [
        "equivalent", "not equivalent", "undecided, 9 of 10 seeds",
    ]  # fmt: skip


def test_variants_show_only_what_is_asked_for_and_need_no_claim(report, runs):
    bases = {variant.of for variant in report.variants.values()}
    name, variant = next(iter(report.variants.items()))
    found = [make_run(report[name], seed) for seed in (1, 2, 3)]
    some = {variant.of: found, name: found}
    assert len(tables.variants(report, some).rows) == 2
    silent = report.model_copy(
        update={
            "experiments": {
                key: experiment.model_copy(update={"stated": ()}) if key in bases else experiment
                for key, experiment in report.experiments.items()
            }
        }
    )
    table = tables.variants(silent, some)
    assert set(cells(table, "reported")) == {"not stated"}
    assert all(cell.endswith(" %") for cell in cells(table, "ours, 95 % interval"))


def test_closest_epochs_are_read_off_the_histories():
    report = load_report("mendez")
    listing = report["listing"]
    runs = []
    for seed, best in ((1, 4), (2, 2)):
        run = make_run(listing, seed, epochs=6)
        history = {
            **run.history,
            "accuracy": tuple(0.9503 + 0.01 * (i - best) for i in range(1, 7)),
        }
        runs.append(run.model_copy(update={"history": history}))
    table = tables.closest_epochs(listing, runs)
    row = next(row for row in table.rows if str(row[0]).startswith("training accuracy"))
    assert row[1:3] == ("95.03 %", "2, 4")
    assert len(table.rows) == 4, "training and validation, accuracy and loss"


def test_equal_numbers_of_two_splits_have_a_row_each():
    baseline = load_report("anastasopoulos-mpofu-smith")["baseline"]
    table = tables.closest_epochs(baseline, [make_run(baseline, seed) for seed in (1, 2)])
    claims = [str(row[0]).split(" [")[0] for row in table.rows if row[1] == "89.5 %"]
    assert sorted(claims) == ["training accuracy", "validation accuracy"]


def test_the_value_of_one_epoch_hides_no_equal_one():
    baseline = load_report("anastasopoulos-mpofu-smith")["baseline"]
    early = baseline["train"].model_copy(update={"id": "early", "epoch": 2})
    stated = (early, *baseline.stated, baseline["train"])
    twice = baseline.model_copy(update={"stated": stated})
    rows = [tables.closest_epochs(which, []).rows for which in (baseline, twice)]
    assert sorted(map(str, rows[0])) == sorted(map(str, rows[1]))


def test_other_runs_may_explain_the_numbers_of_an_experiment(report, runs):
    experiment = report["mlp-baseline"]
    table = tables.held_against(experiment, runs["cnn-2-conv"], "two convolutions")
    assert cells(table, "reported") == ["87.07 %", "84.60 %"], "no number of epochs"
    assert set(cells(table, "verdict")) == {"not reproduced (we got higher)"}
    assert "two convolutions, 5 runs" in table.caption


def test_a_setting_that_is_repeated_has_one_row():
    listing = load_report("mendez")["listing"]
    stated = [judge(listing, claim, []) for claim in listing.stated if claim.kind == "exact"]
    settings = cells(tables.judged(stated), "claim")
    (rate,) = [text for text in settings if text.startswith("learning rate")]
    assert rate == "learning rate [Section 6, list; Section 8, paragraph 1]"


def test_a_difference_has_its_interval():
    report = load_report("anastasopoulos-mpofu-smith")
    one, other = report["tuned"], report["baseline"]
    ones = [make_run(one, i, accuracy=0.90 + i / 1000) for i in (1, 2, 3)]
    others = [make_run(other, i, accuracy=0.90 + i / 500) for i in (1, 2, 3)]
    # Standard error √(0.1² / 3 + 0.2² / 3) = 0.129, Welch's degrees of freedom 50 / 17 = 2.94.
    assert difference_text(ones, others) == "-0.20 [-0.62, +0.22]"
    almost = [*ones[:2], make_run(one, 4, accuracy=0.9031)]  # 0.003 points more on average
    assert difference_text(ones, almost).startswith("+0.00 ["), "a rounded zero has no minus"
    assert difference_text(ones[:1], others) == ""
