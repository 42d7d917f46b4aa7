import pytest
from figures import CNN, SCORED, seeds, words
from matplotlib.axes import Axes

from fmnist_utils import plots
from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.outcome import Outcome


def marks(ax: Axes, markers: str) -> list[tuple[float, float]]:
    return [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() in tuple(markers)
    ]


def test_every_score_stands_in_percent_in_the_row_of_its_class() -> None:
    axes = plots.class_scores(SCORED, seeds(5)).axes
    assert [ax.get_xlabel() for ax in axes] == ["precision (%)", "recall (%)", "F1 (%)"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(CLASS_NAMES)
    for ax, quantity in zip(axes, ("precision", "recall", "f1"), strict=True):
        reported, ours = marks(ax, "D"), marks(ax, "os^XPh")
        for points in (reported, ours):
            assert [round(y) for _, y in points] == list(range(10))
        for i in range(10):
            verdict = judge(SCORED, SCORED[f"{quantity}-{i}"], seeds(5))
            assert reported[i][0] == pytest.approx(100 * verdict.claim.number)
            assert ours[i][0] == pytest.approx(100 * verdict.mean)
    shirt = CLASS_NAMES.index("Shirt")
    assert marks(axes[1], "D")[shirt][0] == pytest.approx(80)


def test_printed_rounding_is_drawn() -> None:
    precision, recall, _ = plots.class_scores(SCORED, []).axes
    widths = [
        max(line.get_xdata()) - min(line.get_xdata())
        for ax in (precision, recall)
        for line in ax.lines
        if len(line.get_xdata()) == 2
    ]
    assert widths[0] == pytest.approx(1)
    assert widths[10] == pytest.approx(0.1)


def test_legend_names_the_verdicts_that_occur_and_no_other() -> None:
    runs = seeds(5)
    found = {
        judge(SCORED, claim, runs).word
        for claim in SCORED.scores.claims()
        if claim.kind == "measured"
    }
    assert Outcome.NOT_REPRODUCED in found and len(found) > 1
    named = {text for text in words(plots.class_scores(SCORED, runs)) if text.startswith("ours")}
    assert named == {f"ours: {word}" for word in found}


def test_what_is_printed_is_drawn_without_runs() -> None:
    fig = plots.class_scores(SCORED, [])
    assert [len(marks(ax, "D")) for ax in fig.axes] == [10, 10, 10]
    assert not any(text.startswith("ours") for text in words(fig))
    assert any("prints no scores" in text for text in words(plots.class_scores(CNN, [])))
