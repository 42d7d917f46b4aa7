from collections.abc import Callable

import numpy as np
import pytest
from factories import diverged_run, make_run
from figures import CNN, TABLED, lines, seeds, words
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fmnist_utils import plots
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.judge import judge


@given(st.lists(st.integers(1, 12), min_size=2, max_size=8))
@settings(max_examples=8)
def test_mean_goes_on_while_half_of_the_seeds_train(epochs: list[int]) -> None:
    runs = [make_run(CNN, i, n, 0.8 + i / 100) for i, n in enumerate(epochs)]
    _, right = plots.learning_curves(runs).axes
    for style, name in (("-", "accuracy"), ("--", "val_accuracy")):
        (mean,) = lines(right, style, 2)
        x, y = mean.get_data()
        for epoch in range(1, max(epochs) + 1):
            values = [100 * run.history[name][epoch - 1] for run in runs if run.epochs >= epoch]
            if 2 * len(values) >= len(runs):
                assert y[list(x).index(epoch)] == pytest.approx(np.mean(values))
            else:
                assert epoch not in x


def test_every_seed_is_drawn_training_solid_and_validation_dashed() -> None:
    runs = seeds(4)
    left, right = plots.learning_curves(runs).axes
    for ax, metric, scale in ((left, "loss", 1), (right, "accuracy", 100)):
        for style, prefix in (("-", ""), ("--", "val_")):
            drawn = [list(line.get_ydata()) for line in lines(ax, style, 0.7)]
            assert drawn == [
                pytest.approx([scale * value for value in run.history[prefix + metric]])
                for run in runs
            ]
    stops = [line.get_xdata()[0] for line in right.lines if line.get_linestyle() == "None"]
    assert sorted(stops) == sorted(2 * [run.epochs for run in runs])


def test_band_is_mean_plus_minus_sd() -> None:
    runs = seeds(4, epochs=4)
    _, right = plots.learning_curves(runs).axes
    first = [100 * run.history["accuracy"][0] for run in runs]
    corners = right.collections[0].get_paths()[0].vertices
    at_first = corners[corners[:, 0] == 1, 1]
    sd = np.std(first, ddof=1)
    assert at_first.min() == pytest.approx(np.mean(first) - sd)
    assert at_first.max() == pytest.approx(np.mean(first) + sd)


def test_one_run_is_drawn_as_it_is() -> None:
    (run,) = seeds(1)
    _, right = plots.learning_curves([run]).axes
    (line,) = lines(right, "-", 2)
    assert list(line.get_ydata()) == pytest.approx([100 * a for a in run.history["accuracy"]])
    assert not right.collections


@pytest.mark.parametrize(
    "draw", [plots.learning_curves, lambda runs: plots.compare_curves({"a": runs})]
)
def test_a_run_of_one_epoch_is_visible(draw: Callable[[list[Run]], Figure]) -> None:
    for ax in draw([make_run(CNN, epochs=1, accuracy=0.5)]).axes:
        marks = [line for line in ax.lines if line.get_marker() in ("o", "s")]
        assert len(marks) == 2
        for mark in marks:
            (x,), (y,) = mark.get_data()
            assert ax.get_xlim()[0] < x < ax.get_xlim()[1]
            assert ax.get_ylim()[0] < y < ax.get_ylim()[1]


# --- several models ------------------------------------------------------------------------------


def with_history(*accuracies: float) -> Run:
    """Return a run with these training accuracies; validation has 0.1 less."""
    run = make_run(CNN, epochs=len(accuracies))
    below = tuple(value - 0.1 for value in accuracies)
    history = {**run.history, "accuracy": accuracies, "val_accuracy": below}
    return run.model_copy(update={"history": history})


def test_models_are_compared_by_mean_and_sd_per_epoch() -> None:
    runs = {
        "one": [with_history(0.5, 0.7, 0.8), with_history(0.7, 0.9, 0.8)],
        "other": [with_history(0.4)],
    }
    _, right = plots.compare_curves(runs).axes
    drawn = {
        style: [list(line.get_ydata()) for line in lines(right, style, 2)] for style in ("-", "--")
    }
    assert drawn["-"] == [pytest.approx([60, 80, 80]), pytest.approx([40])]
    assert drawn["--"] == [pytest.approx([50, 70, 70]), pytest.approx([30])]
    training, validation = right.collections
    for band, mean in ((training, (60, 80, 80)), (validation, (50, 70, 70))):
        corners = band.get_paths()[0].vertices
        for epoch, sd in ((1, 200**0.5), (2, 200**0.5), (3, 0)):
            # Two values 20 points apart have a standard deviation of √200 points.
            at = corners[corners[:, 0] == epoch, 1]
            assert (at.min(), at.max()) == pytest.approx(
                (mean[epoch - 1] - sd, mean[epoch - 1] + sd)
            )


def test_a_model_has_its_colour_and_marker_and_its_name_even_without_runs() -> None:
    runs = {"one": seeds(2), "none": [], "other": seeds(1)}
    fig = plots.compare_curves(runs)
    handles = {text: line for text, line in legend_of(fig)}
    one, none, other, training, validation = (
        handles[name]
        for name in (
            "one (2 seeds)",
            "none (no runs yet)",
            "other (1 seed)",
            "training",
            "validation",
        )
    )
    looks = [(line.get_color(), line.get_marker()) for line in (one, none, other)]
    assert len({color for color, _ in looks}) == len({marker for _, marker in looks}) == 3
    for ax in fig.axes:
        drawn = [(line.get_color(), line.get_marker()) for line in ax.lines]
        assert drawn == [looks[0]] * 2 + [looks[2]] * 2
        for line in ax.lines:
            like = training if line.get_linestyle() == "-" else validation
            assert (line.get_markerfacecolor() == "white") == (like is validation)
            assert like.get_linestyle() == line.get_linestyle()
    assert "mean ± sd over the seeds" in words(fig)


def legend_of(fig: Figure) -> list[tuple[str, Line2D]]:
    return [
        (text.get_text().replace("\N{NO-BREAK SPACE}", " "), handle)
        for legend in fig.legends
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    ]


def test_every_model_has_a_marker_at_its_last_epoch() -> None:
    for n in (1, 5, 6, 7, 50):
        left, _ = plots.compare_curves({"a": [make_run(CNN, epochs=n)]}).axes
        start, step = left.lines[0].get_markevery()
        marked = range(start, n, step)
        assert marked[-1] == n - 1
        assert len(marked) <= 6


def test_models_without_any_run_have_no_curves() -> None:
    assert "There is no run of these models yet." in words(plots.compare_curves({"a": []}))
    assert "There is no run of these models yet." in words(plots.compare_curves({}))


# --- runs that diverged --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [
        plots.learning_curves,
        plots.confusion_matrix,
        lambda runs: plots.compare_curves({"a": runs}),
        lambda runs: plots.seed_strip({"a": runs}),
        lambda runs: plots.ranking({"a": runs}, "a"),
        lambda runs: plots.interaction({("a", "b"): runs}, "x", "line"),
    ],
)
def test_where_every_run_diverged_a_figure_says_so(draw: Callable[[list[Run]], Figure]) -> None:
    fig = draw([diverged_run(CNN, seed) for seed in (1, 2)])
    assert any("Every run diverged" in text for text in words(fig))


def test_a_run_that_diverged_enters_no_mean_and_is_counted_apart() -> None:
    kept, lost = seeds(2), diverged_run(CNN, 9)
    for draw, name in (
        (plots.learning_curves, "training, mean of 2 seeds, 1 more diverged"),
        (lambda runs: plots.compare_curves({"a": runs}), "a (2 seeds, 1 more diverged)"),
        (lambda runs: plots.seed_strip({"a": runs}), "2 seeds, 1 more diverged"),
        (lambda runs: plots.epochs(TABLED, runs), "ours: training, mean of 2 seeds, 1 more diver"),
    ):
        whole, without = draw([*kept, lost]), draw(kept)
        assert any(name in " ".join(text.split()) for text in words(whole))
        for ax, other in zip(whole.axes, without.axes, strict=True):
            for one, same in zip(ax.lines, other.lines, strict=True):
                assert np.array_equal(one.get_xydata(), same.get_xydata(), equal_nan=True)
    alone = words(plots.learning_curves([kept[0], lost]))
    assert "training, 1 more diverged" in alone


# --- what a report states ------------------------------------------------------------------------


def test_reported_values_are_marked_once_each() -> None:
    fig = plots.learning_curves(seeds(3), CNN)
    labels = [text for text in words(fig) if text.startswith("reported")]
    assert sorted(labels) == [
        "reported: 44 epochs",
        "reported: test accuracy 90.08 %",
        "reported: training accuracy 93.11 %",
    ]
    left, right = fig.axes
    marks = {
        line.get_label(): (line.get_xdata()[0], line.get_ydata()[0])
        for line in right.lines
        if line.get_label().startswith("reported")
    }
    assert marks["reported: test accuracy 90.08 %"] == (44, 90.08)
    assert marks["reported: training accuracy 93.11 %"] == (44, 93.11)
    assert left.get_xlim()[1] > 44
    assert not [text for text in words(plots.learning_curves(seeds(3))) if "reported" in text]


# --- printed tables of epochs --------------------------------------------------------------------


def test_printed_epochs_stand_in_the_units_of_the_axes_with_their_rounding() -> None:
    left, right = plots.epochs(TABLED, seeds(4)).axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("loss (nats)", "accuracy (%)")
    for ax, values, rounding in (
        (left, [0.6, 0.5, 0.45, 0.4], [0.005, 0.005, 0.005, 0.05]),
        (right, [80, 85, 87, 88], [0.5, 0.5, 0.5, 0.05]),
    ):
        printed = [bar for bar in ax.containers if bar.lines[0].get_marker() == "D"]
        assert [bar.lines[0].get_xdata()[0] for bar in printed] == [1, 2, 3, 4]
        assert [bar.lines[0].get_ydata()[0] for bar in printed] == pytest.approx(values)
        reach = [np.ptp(bar.lines[2][0].get_segments()[0][:, 1]) / 2 for bar in printed]
        assert reach == pytest.approx(rounding)


def band(runs: list[Run]) -> dict[int, tuple[float, float]]:
    """Read the band of the training accuracy, epoch by epoch."""
    right = plots.epochs(TABLED, runs).axes[1]
    corners = np.concatenate([c.get_paths()[0].vertices for c in right.collections[:1]])
    return {
        int(x): (corners[corners[:, 0] == x, 1].min(), corners[corners[:, 0] == x, 1].max())
        for x in np.unique(corners[:, 0])
    }


def test_band_is_the_interval_that_the_verdict_uses() -> None:
    runs = seeds(6, epochs=4)
    drawn = band(runs)
    for epoch in (1, 4):
        verdict = judge(TABLED, TABLED[f"train-accuracy-epoch-{epoch}"], runs)
        assert drawn[epoch] == pytest.approx((100 * verdict.low, 100 * verdict.high))


def test_band_ends_where_fewer_than_three_runs_train_or_half_of_them() -> None:
    assert max(band([make_run(CNN, i, n) for i, n in enumerate((2, 3, 3, 5))])) == 3
    assert max(band([make_run(CNN, i, n, 0.9 + i / 99) for i, n in enumerate((4, 4, 4, 9))])) == 4


def test_too_few_runs_have_a_mean_and_no_band() -> None:
    fig = plots.epochs(TABLED, seeds(2))
    assert not [c for c in fig.axes[0].collections if hasattr(c, "get_facecolor") and c.get_alpha()]
    assert "ours: training, mean of 2 seeds" in words(fig)
    assert "95 % prediction interval" not in words(fig)
    assert not any(text.startswith("ours") for text in words(plots.epochs(TABLED, [])))


def test_without_a_printed_table_the_figure_says_so() -> None:
    assert any("no table of epochs" in text for text in words(plots.epochs(CNN, seeds(3))))
