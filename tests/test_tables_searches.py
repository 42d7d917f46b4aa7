"""What chapters print of searches, and of prose that leaves a network open."""

import re

import pytest
from factories import make_run
from test_tables import cells

from fmnist_utils import tables
from fmnist_utils.reports.load import load_report
from fmnist_utils.tables import Table
from fmnist_utils.tuning import Execution, Trial, Trials, TuningError

TRIALS = [f"trial-{i}" for i in range(1, 6)]


@pytest.fixture(scope="module")
def report():
    return load_report("anastasopoulos-mpofu-smith")


@pytest.fixture(scope="module")
def sweep():
    return load_report("chalkiopoulos-tsoukalelis")


def row(table: Table, start: str) -> list[str]:
    (found,) = [line for line in table.rows if line[0].startswith(start)]
    return [str(cell) for cell in found[1:]]


def drawn(search, *scores, objective="val_accuracy", failed=()) -> Trials:
    """Return trials of a search with the first value of every parameter, one for each score."""
    first = {name: parameter.values[0] for name, parameter in search.space.items()}
    trained = [
        Trial(
            number=number,
            settings=first,
            executions=[
                Execution(seed=i, score=score + step, epoch=3, test_accuracy=0.8, seconds=1)
                for i, step in enumerate((-0.01, 0.01))
            ],
        )
        for number, score in enumerate(scores, start=1)
    ]
    unbuilt = [Trial(number=number, settings=first, failure="too small") for number in failed]
    return Trials(
        report="r", search=search.id, objective=objective, fingerprint="f",
        trials=(*trained, *unbuilt),
    ).sealed()  # fmt: skip


# --- trials that a report prints -----------------------------------------------------------------


def test_reported_trials_stand_side_by_side_as_printed(report):
    table = tables.reported_trials(report, "as-in-figure-9", {n: [] for n in ("baseline", *TRIALS)})
    assert table.headers == ("setting", "Baseline", *(f"Trial {i}" for i in range(1, 6)))
    assert row(table, "filters 1") == ["16", "64", "64", "32", "64", "64"]
    assert row(table, "activation 2") == ["relu"] * 3 + ["sigmoid"] * 3
    assert row(table, "dropout 2") == ["0.3", "0.25", "0.4", "0.3", "0.45", "0.25"]
    assert row(table, "learning rate") == [
        "0.001", "0.00231", "0.000739", "0.000975", "0.000363", "0.000972",
    ]  # fmt: skip
    assert row(table, "score, reported (%)")[:2] == ["89.94", "91.63"]
    assert len(table.rows) == len(report.searches["as-in-figure-9"].space) + 3


def test_our_score_is_read_as_the_reports_is(report):
    def trained(name):
        return [
            make_run(report[name], seed, 10, 0.9, best_epoch=4, best_accuracy=0.91 + seed / 1000)
            for seed in (1, 2, 3)
        ]

    runs = {"baseline": trained("baseline"), "trial-1": trained("trial-1"), "trial-2": []}
    table = tables.reported_trials(report, "as-listed", runs)
    assert row(table, "score, ours") == [
        "90.00 ± 0.00 [last epoch]", "91.20 ± 0.10 [best epoch]", "no runs yet",
    ]  # fmt: skip
    assert row(table, "test accuracy") == ["90.00 ± 0.00", "90.00 ± 0.00", "no runs yet"]
    assert "0 or 3 runs" in table.caption
    assert "activation 2" not in cells(table, "setting"), "the list does not vary it"


def test_an_experiment_without_a_score_or_with_lists_of_settings_fits_too(sweep):
    table = tables.reported_trials(sweep, "cnn", {"cnn-optimised": []})
    assert row(table, "score, reported (%)") == ["not stated"]
    assert row(table, "dropout") == [
        "(0.0,\N{NO-BREAK SPACE}0.0,\N{NO-BREAK SPACE}0.0,\N{NO-BREAK SPACE}0.6)"
    ]
    assert "None" not in repr(table), "a search writes 0 or False for a layer that is left out"
    assert len(tables.reported_trials(sweep, "cnn", {}).headers) == 1


# --- poolings ------------------------------------------------------------------------------------


def test_sides_of_every_pooling_list_are_followed_from_block_to_block(sweep):
    table = tables.sides(sweep, "cnn")
    found = {str(row[0]).replace("\N{NO-BREAK SPACE}", " "): row[1:] for row in table.rows}
    assert len(found) == 10
    # 7 / 2 = 3.5, then 3 / 4 = 0.75 or 4 / 4 = 1.
    assert found["(0, 4, 2, 4)"] == ("28 → 28 → 7 → 3 → 0", "28 → 28 → 7 → 4 → 1", "no")
    assert found["(2, 4, 0, 4)"] == ("28 → 14 → 3 → 3 → 0", "28 → 14 → 4 → 4 → 1", "no")
    assert found["(4, 0, 4, 0)"] == ("28 → 7 → 7 → 1 → 1", "28 → 7 → 7 → 2 → 2", "yes")
    winner = "28 → 14 → 14 → 7 → 7"
    assert found["(2, 0, 2, 0) [Optimised CNN]"] == (winner, winner, "yes")
    assert sum("[" in name for name in found) == 1
    assert cells(table, "can be built").count("yes") == 8
    assert "2 of 10 lists cannot be built" in table.caption
    assert "120,000 of 600,000 combinations" in table.caption


def test_kernels_without_padding_shrink_the_maps_too(sweep):
    optimised = sweep["cnn-optimised"]
    blocks = [block.model_copy(update={"padding": "valid"}) for block in optimised.model.conv]
    valid = optimised.model_copy(
        update={"model": optimised.model.model_copy(update={"conv": tuple(blocks)})}
    )
    varied = sweep.model_copy(update={"experiments": {**sweep.experiments, valid.id: valid}})
    table = tables.sides(varied, "cnn")
    # Kernels of 5, 3, 7 and 5: 28 - 4 = 24 → 12 - 2 = 10 - 6 = 4 → 2, which no kernel of 5 fits.
    assert table.rows[-1][1] == "28 → 12 → 10 → 2 → 0"


def test_combinations_with_a_continuous_setting_are_not_counted(sweep):
    search = sweep.searches["cnn"]
    rate = search.space["learning_rate"].model_copy(
        update={"choices": None, "low": 0.0001, "high": 0.01}
    )
    searches = {"cnn": search.model_copy(update={"space": {**search.space, "learning_rate": rate}})}
    caption = tables.sides(sweep.model_copy(update={"searches": searches}), "cnn").caption
    assert caption.endswith("2 of 10 lists cannot be built")


def test_a_search_without_poolings_has_no_sides(report, sweep):
    for owner, name in ((report, "as-listed"), (sweep, "mlp")):
        with pytest.raises(TuningError, match=f"{name} varies no pooling"):
            tables.sides(owner, name)
    with pytest.raises(TuningError, match="no search 'all'"):
        tables.sides(sweep, "all")


# --- trials that we drew -------------------------------------------------------------------------


def test_the_best_trials_come_first_under_their_numbers(report):
    search = report.searches["as-listed"]
    table = tables.top_trials(
        report, search.id, drawn(search, 0.88, 0.915, 0.9, 0.87, 0.86, 0.85, failed=(7,))
    )
    assert table.headers == ("setting", *(f"trial {number}" for number in (2, 3, 1, 4, 5)))
    assert row(table, "score: validation accuracy (%)") == [
        "91.50",
        "90.00",
        "88.00",
        "87.00",
        "86.00",
    ]
    assert row(table, "test accuracy") == ["80.00"] * 5
    assert row(table, "filters 1") == ["16"] * 5
    assert row(table, "learning rate") == ["0.0001"] * 5
    assert "best 5 of 7 trials, means over 2 trainings" in table.caption


def test_a_score_that_is_a_loss_is_no_percentage(report):
    search = report.searches["as-listed"].model_copy(update={"objective": "val_loss"})
    varied = report.model_copy(update={"searches": {search.id: search}})
    table = tables.top_trials(varied, search.id, drawn(search, 0.31, 0.29, objective="val_loss"))
    assert table.headers == ("setting", "trial 2", "trial 1")
    assert row(table, "score: validation loss") == ["0.2900", "0.3100"]


def test_both_tables_name_parameters_alike(report, sweep):
    for owner in (report, sweep):
        for search in owner.searches.values():
            reported = tables.reported_trials(owner, search.id, {search.of: []})
            best = tables.top_trials(owner, search.id, drawn(search, 0.9))
            n = len(search.space)
            assert cells(reported, "setting")[:n] == cells(best, "setting")[:n]


@pytest.mark.parametrize("failed", [None, (), (1, 2)])
def test_a_search_that_was_not_run_comes_with_its_command(report, failed):
    search = report.searches["as-listed"]
    trials = None if failed is None else drawn(search, failed=failed)
    table = tables.top_trials(report, search.id, trials)
    assert cells(table, "command") == ["fmnist search anastasopoulos-mpofu-smith as-listed"]
    assert cells(table, "trials drawn") == [str(len(failed or ()))]
    assert "no trial was trained yet" in table.caption


def test_trials_of_another_search_and_unknown_searches_are_refused(report):
    other = drawn(report.searches["as-listed"], 0.9)
    with pytest.raises(TuningError, match="as-listed, not of as-in-figure-9"):
        tables.top_trials(report, "as-in-figure-9", other)
    with pytest.raises(TuningError, match="no search 'all'; it has as-listed"):
        tables.reported_trials(report, "all", {})


# --- readings of prose ---------------------------------------------------------------------------


def test_each_reading_of_the_prose_is_counted(report):
    readings = {"no padding": report["baseline"], "same": report["baseline-padding-same"]}
    table = tables.parameter_counts(readings, 83_322)
    assert cells(table, "reading of the prose") == list(readings)
    assert cells(table, "trainable parameters") == ["83,322", "218,490"]
    assert cells(table, "verdict") == ["equal", "differs"]
    assert re.search(r">differs<", table._repr_html_())
    assert "83,322" in table.caption


# --- tables of epochs, and models set against each other -----------------------------------------


def test_every_printed_epoch_has_its_cells_and_verdicts(report):
    baseline = report["baseline"]
    found = [make_run(baseline, seed, 20, 0.9) for seed in (1, 2, 3)]
    table = tables.epochs(baseline, found)
    splits = ("train", "validation")
    assert table.headers == ("epoch", *(f"{s} {m}" for s in splits for m in ("loss", "accuracy")))
    assert cells(table, "epoch") == [str(i) for i in range(1, 21)]
    assert row(table, "17")[1].startswith("0.90 [")
    counted = sum(int(part.split()[0]) for part in table.caption.partition(": ")[2].split("; "))
    assert counted == 80
    pending = tables.epochs(baseline, [])
    assert "80 pending" in pending.caption
    assert tables.epochs(report["tuned"], []).rows == ()


def test_a_difference_has_its_interval(report):
    one, other = report["tuned"], report["baseline"]
    ones = [make_run(one, i, accuracy=0.90 + i / 1000) for i in (1, 2, 3)]
    others = [make_run(other, i, accuracy=0.90 + i / 500) for i in (1, 2, 3)]
    table = tables.differences(one, ones, other, others)
    assert f"{one.title} and {other.title}" in table.caption
    (last,) = [r for r in table.rows if r[0] == "test, last epoch"]
    # Standard error √(0.1² / 3 + 0.2² / 3) = 0.129, Welch's degrees of freedom 50 / 17 = 2.94.
    assert last[1:] == ("90.20 ± 0.10", "90.40 ± 0.20", "-0.20 [-0.62, +0.22]")
    almost = [*ones[:2], make_run(one, 4, accuracy=0.9031)]  # 0.003 points more on average
    (last,) = [r for r in tables.differences(one, ones, one, almost).rows if "test, last" in r[0]]
    assert last[3].startswith("+0.00 ["), "a rounded zero has no minus"
    assert [r[3] for r in tables.differences(one, ones[:1], other, others).rows] == [""] * 4


def test_a_space_shows_lists_intervals_and_defaults(report, sweep):
    table = tables.space(report, "as-listed")
    assert row(table, "filters 1") == ["16 or 32 or 64", ""]
    assert row(table, "dropout 1") == ["0 to 0.5 in steps of 0.05", "0.25"]
    assert row(table, "learning rate") == ["0.0001 to 0.01, uniform in the logarithm", "0.001"]
    assert "20 trials of 2 trainings with 10 epochs" in table.caption
    assert len(tables.space(sweep, "cnn").rows) == len(sweep.searches["cnn"].space)


def test_a_space_without_defaults_has_no_column_for_them(sweep):
    table = tables.space(sweep, "cnn")
    assert table.headers == ("parameter", "values")
    assert {len(row) for row in table.rows} == {2}
    assert "40 trials of one training with 10 epochs" in table.caption


def test_a_search_that_is_not_finished_is_left_to_do(report, monkeypatch):
    search = report.searches["as-listed"]
    tables_of_trials = {"as-listed": drawn(search, 0.9, 0.91), "as-in-figure-9": None}
    monkeypatch.setattr(
        "fmnist_utils.tables.run_tables.load_trials", lambda _, name: tables_of_trials[name]
    )
    todo = {r[0]: r[1:] for r in tables.undone(report).rows}
    command = "fmnist search anastasopoulos-mpofu-smith"
    assert todo[search.title] == ("2 of 20 trials", f"{command} as-listed")
    assert todo["Random search as in Figure 9"] == ("0 of 20 trials", f"{command} as-in-figure-9")
