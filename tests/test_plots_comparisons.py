import itertools
from typing import Literal

import numpy as np
import pytest
from factories import make_run
from figures import CNN, comparisons, seeds, study, words
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fmnist_utils import plots
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.claim import Split
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.equivalence import BFLOAT16, MARGIN, PLAIN_FIT, Comparison


def test_seed_strip_shows_every_run_its_mean_and_the_reported_value() -> None:
    runs = {"a": seeds(4), "b": seeds(1, accuracy=0.8), "c": []}
    (ax,) = plots.seed_strip(runs, {"a": 90.08}).axes
    for row, of_model in enumerate(runs.values()):
        dots = next(
            line for line in ax.lines if line.get_marker() == "o" and row_of(line) in (row, None)
        )
        ax.lines[ax.lines.index(dots)].remove()
        assert sorted(dots.get_xdata()) == pytest.approx(
            sorted(100 * run.final.test.accuracy for run in of_model)
        )
    assert [text.get_text() for text in ax.texts] == ["4 seeds", "1 seed", "0 seeds"]
    diamonds = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"]
    assert diamonds == [90.08]
    of_others = plots.seed_strip(runs, {"d": 90.08})
    assert "reported" in words(ax.figure) and "reported" not in words(of_others)


@pytest.mark.parametrize(("at", "accuracy", "word"), [("final", 90, "last"), ("best", 95, "best")])
@pytest.mark.parametrize(("split", "part"), [("test", "test"), ("validation", "validation")])
def test_seed_strip_shows_the_epoch_it_is_asked_for(
    at: Literal["final", "best"], accuracy: float, word: str, split: Split, part: str
) -> None:
    run = make_run(CNN, epochs=4, best_epoch=2, accuracy=0.9, best_accuracy=0.95)
    (ax,) = plots.seed_strip({"a": [run]}, split=split, at=at).axes
    assert ax.lines[0].get_xdata() == pytest.approx([accuracy])
    assert ax.get_xlabel() == f"{part} accuracy at the {word} epoch (%)"


def row_of(line: Line2D) -> int | None:
    return round(float(np.mean(line.get_ydata()))) if len(line.get_ydata()) else None


# --- ranked ---------------------------------------------------------------------------------------


def ranked() -> dict[str, list[Run]]:
    """Return a baseline of 90.2, 90.4 and 90.6 %, and models below, above and without runs."""

    def trained(*accuracies: float) -> list[Run]:
        return [make_run(CNN, i, accuracy=a, gap=0.05) for i, a in enumerate(accuracies, start=1)]

    return {
        "none": [],
        "below": trained(0.901, 0.902, 0.903),
        "single": trained(0.8),
        "base": trained(0.902, 0.904, 0.906),
        "above": trained(0.92, 0.91),
    }


def test_ranking_has_the_best_on_top_and_models_without_runs_below() -> None:
    fig = plots.ranking(ranked(), "base")
    left, right = fig.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["above", "base", "below", "single", "none"]
    assert [text.get_text() for text in right.texts] == [
        "2 seeds", "3 seeds", "3 seeds", "1 seed", "0 seeds",
    ]  # fmt: skip
    for ax in (left, right):
        (shade,) = ax.patches
        low, high = sorted(shade.get_extents().transformed(ax.transData.inverted()).intervaly)
        assert low < 1 < high, "the baseline is marked"
        assert high - low < 1
    assert "baseline" in words(fig)


def test_ranking_shows_differences_from_the_baseline_with_welchs_interval() -> None:
    left, _ = plots.ranking(ranked(), "base").axes
    dots = [list(line.get_xdata()) for line in of_marker(left, "o")]
    # The mean of the baseline is 90.4 %.
    expected = [[0.6, 1.6], [-0.2, 0, 0.2], [-0.3, -0.2, -0.1], [-10.4], []]
    assert dots == [pytest.approx(values, abs=1e-9) for values in expected]
    means = [line.get_xdata()[0] for line in of_marker(left, "D")]
    assert means == pytest.approx([1.1, 0, -0.2, -10.4], abs=1e-9)
    bars = {row_of(line): line.get_xdata() for line in left.lines if line.get_linewidth() == 4}
    assert set(bars) == {0, 2}, "neither the baseline nor a single run has one"
    # Standard error √(0.1² / 3 + 0.2² / 3) = 0.1291, Welch's degrees of freedom 50 / 17, for which
    # t is 3.22: 0.416 on both sides.
    assert bars[2] == pytest.approx([-0.616, 0.216], abs=1e-3)


def test_ranking_shows_the_gap_to_the_training_images() -> None:
    _, right = plots.ranking(ranked(), "base").axes
    for line, runs in zip(of_marker(right, "o"), (2, 3, 3, 1, 0), strict=True):
        assert list(line.get_xdata()) == pytest.approx([5] * runs)
    assert [line.get_xdata()[0] for line in of_marker(right, "D")] == pytest.approx([5] * 4)
    assert not [line for line in right.lines if line.get_linewidth() == 4]


def test_ranking_hides_no_run_behind_another() -> None:
    left, _ = plots.ranking({"a": seeds(9)}, "a").axes
    x, y = of_marker(left, "o")[0].get_data()
    assert list(x) == sorted(x)
    assert all(a != b for a, b in itertools.pairwise(y))


def test_ranking_needs_a_baseline() -> None:
    with pytest.raises(
        FmnistError, match="There is no model 'base' to compare with: name one of a"
    ):
        plots.ranking({"a": seeds(3)}, "base")
    nothing = plots.ranking({**ranked(), "base": []}, "base")
    assert "There is no run of the model to compare with yet." in words(nothing)


# --- another way of training ---------------------------------------------------------------------


def of_marker(ax: Axes, marker: str) -> list[Line2D]:
    return [line for line in ax.lines if line.get_marker() == marker]


def test_equivalence_shows_every_run_as_difference_from_our_mean() -> None:
    items = comparisons()
    (ax,) = plots.equivalence(items).axes
    for marker, samples in (
        ("o", [item.ours for item in items]),
        ("s", [item.other for item in items]),
    ):
        for y, (line, values) in enumerate(zip(of_marker(ax, marker), samples, strict=True)):
            assert row_of(line) == y
            middle = np.mean(items[y].ours)
            assert line.get_xdata() == pytest.approx(np.array(values) - middle)
    titles = [label.get_text() for label in ax.get_yticklabels()]
    assert titles == [item.experiment.title for item in items]


def test_equivalence_shows_the_interval_the_margin_and_the_answer() -> None:
    items = comparisons()
    (ax,) = plots.equivalence(items).axes
    texts = [text.get_text().replace("\n", " ") for text in ax.texts]
    assert texts == ["equivalent", "not equivalent", "3 of 10 seeds"]
    found = [item.difference for item in items[:2]]
    bars = [list(line.get_xdata()) for line in ax.lines if line.get_linewidth() == 4]
    assert bars == [pytest.approx([one.low, one.high]) for one in found]
    means = [line.get_xdata()[0] for line in of_marker(ax, "D")]
    assert means == pytest.approx([one.mean for one in found])
    (shade,) = ax.patches
    assert shade.get_extents().transformed(ax.transData.inverted()).intervalx == pytest.approx(
        (-MARGIN, MARGIN)
    )


def test_equivalence_names_the_other_method() -> None:
    (fit, *_), accuracies = comparisons(), (90.0,) * 3
    other = Comparison(CNN, BFLOAT16, accuracies, accuracies)
    for items, name in (([fit], "Keras' own fit"), ([other], "bfloat16"), ([fit, other], "other")):
        assert any(name in text for text in words(plots.equivalence(items)))


def test_equivalence_keeps_the_row_of_an_experiment_without_runs() -> None:
    nothing = Comparison(CNN, PLAIN_FIT, (90.0,), ())
    (ax,) = plots.equivalence([nothing, *comparisons()]).axes
    assert ax.texts[0].get_text() == "0 of 10\nseeds"
    assert len(ax.get_yticklabels()) == 4
    assert "There is no run of the models to compare yet." in words(plots.equivalence([nothing]))


# --- a study with two factors --------------------------------------------------------------------


def test_interaction_has_a_line_per_value_over_the_values_of_the_other_factor() -> None:
    fig = plots.interaction(study(), "kernels", "dropout")
    (ax,) = fig.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["16", "32"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("kernels", "test accuracy (%)")
    assert fig.legends[0].get_title().get_text() == "dropout"
    assert [bar.get_label() for bar in ax.containers] == ["none", "20 %"]
    for bar in ax.containers:
        x, y = bar.lines[0].get_data()
        assert [round(place) for place in x] == [0, 1]
        means = [
            np.mean([100 * run.final.test.accuracy for run in study()[place, bar.get_label()]])
            for place in ("16", "32")
        ]
        assert y == pytest.approx(means)


def test_interaction_shows_students_interval_of_the_mean() -> None:
    runs = [make_run(CNN, seed, accuracy=a) for seed, a in enumerate((0.89, 0.9, 0.91))]
    (ax,) = plots.interaction({("a", "b"): runs}, "x", "line").axes
    (low, high) = ax.containers[0].lines[2][0].get_segments()[0][:, 1]
    # t(.975, 2) = 4.3027 and the standard error is 1 / sqrt(3).
    assert (high - low) / 2 == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert (high + low) / 2 == pytest.approx(90)


def test_interaction_shows_every_run_and_a_single_one_without_interval() -> None:
    (ax,) = plots.interaction(study(), "kernels", "dropout").axes
    dots = [y for line in ax.lines if line.get_alpha() == 0.3 for y in line.get_ydata()]
    accuracies = [100 * run.final.test.accuracy for runs in study().values() for run in runs]
    assert sorted(dots) == pytest.approx(sorted(accuracies))
    bars = ax.containers[1].lines[2][0].get_segments()
    assert [len(bar) for bar in bars] == [2, 0]
