import io
import math
from collections.abc import Callable
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from factories import make_run, predict
from figures import (
    CNN,
    LONG,
    REAL,
    SCORED,
    SYNTHETIC,
    TABLED,
    all_verdicts,
    comparisons,
    models,
    seeds,
    study,
    words,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from fmnist_utils import plots
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.plots import style

OF_DATA: dict[str, Callable[[FashionMNIST], Figure]] = {
    "samples": plots.samples,
    "samples, three per class": lambda data: plots.samples(data, per_class=3),
    "mean_images": plots.mean_images,
}
OF_RUNS: dict[str, Callable[[], Figure]] = {
    "learning_curves": lambda: plots.learning_curves(seeds(5), CNN),
    "learning_curves, one run": lambda: plots.learning_curves(seeds(1), CNN),
    "learning_curves, smoke": lambda: plots.learning_curves([make_run(CNN, epochs=1)]),
    "learning_curves, no run": lambda: plots.learning_curves([]),
    "forest": lambda: plots.forest(all_verdicts()),
    "forest, nothing to draw": lambda: plots.forest([]),
    "seed_strip": lambda: plots.seed_strip({"a": seeds(4), "b": []}, {"a": 90.08}),
    "seed_strip, no run": lambda: plots.seed_strip({"a": []}),
    "compare_curves": lambda: plots.compare_curves(models()),
    "compare_curves, one run": lambda: plots.compare_curves({"a": seeds(1)}),
    "compare_curves, no run": lambda: plots.compare_curves({"a": []}),
    "ranking": lambda: plots.ranking(models(), LONG),
    "ranking, no run": lambda: plots.ranking({"a": []}, "a"),
    "epochs": lambda: plots.epochs(TABLED, seeds(5)),
    "epochs, no run": lambda: plots.epochs(TABLED, []),
    "epochs, none printed": lambda: plots.epochs(CNN, seeds(5)),
    "class_scores": lambda: plots.class_scores(SCORED, seeds(5)),
    "class_scores, no run": lambda: plots.class_scores(SCORED, []),
    "class_scores, none printed": lambda: plots.class_scores(CNN, seeds(5)),
    "equivalence": lambda: plots.equivalence(comparisons()),
    "equivalence, nothing to compare": lambda: plots.equivalence([]),
    "interaction": lambda: plots.interaction(study(), "kernels", "dropout"),
    "interaction, no run": lambda: plots.interaction({("16", "none"): []}, "kernels", "dropout"),
    "confusion_matrix": lambda: plots.confusion_matrix(seeds(3)),
    "confusion_matrix, no run": lambda: plots.confusion_matrix([]),
}
EVERY = {
    **OF_RUNS,
    **{name: (lambda draw=draw: draw(REAL)) for name, draw in OF_DATA.items()},
    **{f"{name}, synthetic": (lambda draw=draw: draw(SYNTHETIC)) for name, draw in OF_DATA.items()},
}


@pytest.fixture(params=EVERY, scope="module")
def drawn(request: pytest.FixtureRequest) -> tuple[str, Figure]:
    before = dict(mpl.rcParams)
    fig = EVERY[request.param]()
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
    fig.draw_without_rendering()
    return request.param, fig


@pytest.fixture
def figure(drawn: tuple[str, Figure]) -> Figure:
    return drawn[1]


def test_watermark_stands_on_pictures_of_synthetic_images_only(drawn: tuple[str, Figure]) -> None:
    name, fig = drawn
    assert ("synthetic preview" in words(fig)) == name.endswith("synthetic")


def test_is_opaque_white_and_not_too_wide(figure: Figure) -> None:
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert figure.get_size_inches()[0] <= 9
    # IPython shows no figure without axes.
    assert figure.axes


def test_no_text_covers_another_or_leaves_the_figure(figure: Figure) -> None:
    shown = [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip()
        and text.get_visible()
        and text.get_gid() != "watermark"
        # The box of a slanted text says nothing about overlap.
        and text.get_rotation() in (0, 90)
    ]
    boxes = {text: text.get_window_extent().padded(-1) for text in in_view(figure, shown)}
    for (a, box_a), (b, box_b) in combinations(boxes.items(), 2):
        assert not box_a.overlaps(box_b), f"{a.get_text()!r} covers {b.get_text()!r}"
    for text, box in boxes.items():
        assert figure.bbox.padded(1).contains(box.x0, box.y0), text
        assert figure.bbox.padded(1).contains(box.x1, box.y1), text


def pictures(fig: Figure) -> list[float]:
    """Return how wide the pictures of a figure are on a page, in pixels."""
    if len(fig.axes) == 1:
        return [96 * fig.get_size_inches()[0]]
    taken = plots.panels(fig, ["x"] * sum(ax.get_visible() for ax in fig.axes))
    return [Image.open(io.BytesIO(picture)).width * 96 / 144 for picture in taken.pictures]


@pytest.mark.slow
def test_letters_can_be_read_on_a_phone(figure: Figure) -> None:
    """A phone of 360 pixels leaves 312 for an article, to which a wider picture shrinks."""
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()]
    for width in pictures(figure):
        assert min(sizes) * 96 / 72 * min(1, 312 / width) >= 9


def in_view(fig: Figure, texts: list[Text]) -> list[Text]:
    """Leave out the labels of ticks beyond an axis' ends, which matplotlib does not draw."""
    hidden = set()
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = {
                label for tick in axis.get_major_ticks() for label in (tick.label1, tick.label2)
            }
            labels |= {
                label for tick in axis.get_minor_ticks() for label in (tick.label1, tick.label2)
            }
            drawn = set()
            for tick in axis._update_ticks():
                drawn |= {tick.label1, tick.label2}
            hidden |= labels if not ax.axison else labels - drawn
    return [text for text in texts if text not in hidden]


def test_a_users_own_style_changes_nothing_and_survives() -> None:
    plain = png(plots.seed_strip({"a": seeds(3)}))
    with plt.style.context("dark_background"), mpl.rc_context({"grid.linewidth": 9}):
        styled = png(plots.seed_strip({"a": seeds(3)}))
        assert mpl.rcParams["grid.linewidth"] == 9
    assert plain == styled


def png(fig: Figure) -> bytes:
    file = io.BytesIO()
    fig.savefig(file, format="png")
    return file.getvalue()


def test_a_failing_drawing_leaves_no_open_figure() -> None:
    with pytest.raises(TypeError):
        plots.seed_strip({"a": seeds(3)}, {"a": lambda: "no number"})
    assert plt.get_fignums() == []


def test_panels_are_pictures_of_their_own_with_a_text_each() -> None:
    figure = plots.learning_curves(seeds(3), CNN)
    taken = plots.panels([figure, figure], ["a", "<b>", "c", "d"])
    assert [text for text in taken.alt if text] == ["a", "<b>", "c", "d"]  # the others are legends
    widths = [Image.open(io.BytesIO(picture)).width for picture in taken.pictures]
    assert all(width < 0.7 * 1080 for width in widths)
    html = taken._repr_html_()
    assert html.count("<img ") == len(taken.alt) and 'alt="&lt;b&gt;"' in html
    assert "flex-wrap" in html and "base64" not in repr(taken)


def test_a_panel_at_the_edge_of_its_figure_has_a_white_edge() -> None:
    """Pictures in a grid reach to the edge, and what was cut beyond it was black."""
    for picture in plots.panels(plots.mean_images(REAL), list("abcdefghij"), "photo").pictures:
        pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert edge.mean() > 250


def test_no_panel_shows_a_piece_of_another() -> None:
    """A long label of an axis reaches below the next one."""
    with style.figure(1, 2, height=2) as (fig, (left, right)):
        left.set_xlabel("a label that is longer than its axes are wide, by far")
        right.set_facecolor("red")
    for picture, has_red in zip(plots.panels(fig, ["a", "b"]).pictures, (False, True), strict=True):
        red, green, _ = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).T.astype(int)
        assert (red - green > 99).any() == has_red
    assert all(ax.get_visible() for ax in fig.axes)


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "b", "c"]])
def test_each_panel_needs_its_text(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=rf"2 panels, and {len(texts)} alternative"):
        plots.panels(plots.learning_curves(seeds(3), CNN), texts)


@pytest.mark.parametrize("texts", [["a", ""], ["", ""], [" ", "b"]])
def test_no_text_of_a_panel_is_empty(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="is empty"):
        plots.panels(plots.learning_curves(seeds(3), CNN), texts)


def test_a_sentence_instead_of_panels_is_its_own_text() -> None:
    nothing, some = plots.learning_curves([]), plots.learning_curves(seeds(3))
    sentence = "There is no run of this experiment yet."
    assert plots.panels(nothing, ["a", "b"]).alt == (sentence,)
    assert plots.panels([nothing, some], ["a", "b", "c", "d"]).alt == (sentence, "", "c", "d")
    with pytest.raises(ValueError, match="2 panels, and 1 alternative"):
        plots.panels([nothing, some], ["c"])


@pytest.mark.parametrize("name", ["From $5 net to $6 net", r"$\foo$", "a_b^c"])
def test_a_name_is_drawn_as_it_is_written(name: str) -> None:
    runs = seeds(3)
    for fig in (
        plots.seed_strip({name: runs}, {name: 90.0}),
        plots.compare_curves({name: runs}),
        plots.ranking({name: runs}, name),
        plots.interaction({(name, name): runs}, name, name),
    ):
        fig.draw_without_rendering()
        named = [text for text in fig.findobj(Text) if "$" in text.get_text()]
        assert named or "$" not in name
        assert not any(text.get_parse_math() for text in named)


@given(
    st.integers(1, 20),
    st.floats(0.15, 1.0),
    st.integers(0, 9),
)
@settings(max_examples=20)
def test_made_runs_are_consistent(epochs: int, accuracy: float, seed: int) -> None:
    labels = REAL.test_labels
    best = math.ceil(epochs / 2)
    run = make_run(CNN, seed, epochs, accuracy, best_epoch=best, labels=labels)
    assert run.is_intact
    assert run.epochs == run.final.epoch == epochs
    assert np.array_equal(run.predictions, predict(labels, accuracy, seed))
    assert run.final.test.accuracy == pytest.approx((run.predictions == labels).mean())
    assert np.argmax(run.history["val_accuracy"]) + 1 in (best, epochs)
    for snapshot in (run.final, run.best):
        held_out = run.history["val_accuracy"][snapshot.epoch - 1]
        assert held_out == pytest.approx(snapshot.validation.accuracy)
