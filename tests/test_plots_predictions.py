import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import test_plots
from factories import make_run, predict
from figures import CNN, REAL, SYNTHETIC, words
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist_utils import plots
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.errors import FmnistError
from fmnist_utils.runs.packing import pack_confidences, pack_predictions
from fmnist_utils.runs.record import Run


@pytest.mark.parametrize("at", ["final", "best"])
def test_confusion_matrix_is_the_mean_in_percent_of_each_true_class(
    at: Literal["final", "best"],
) -> None:
    runs = [make_run(CNN, seed, 3, 0.7 + seed / 10, best_epoch=2) for seed in (1, 2)]
    ax = plots.confusion_matrix(runs, at=at).axes[0]
    drawn = np.asarray(ax.collections[0].get_array()).reshape(10, 10)
    expected = 100 * np.mean([getattr(run, at).test_confusion for run in runs], axis=0) / 1000
    assert np.allclose(drawn, expected)
    assert ax.texts[0].get_text() == f"{expected[0, 0]:.1f}"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [label.get_text() for label in labels] == list(CLASS_NAMES)


def run_with(accuracy: float, percent: int | None = 74) -> Run:
    run = make_run(CNN, accuracy=accuracy, labels=REAL.test_labels)
    if percent is None:
        return run
    shares = np.full(len(REAL.test_labels), percent / 100, np.float32)
    return run.model_copy(update={"test_confidences": pack_confidences(shares)}).sealed()


def test_predictions_name_the_true_class_then_the_predicted_one_and_its_probability() -> None:
    titles = [ax.get_title() for ax in plots.predictions(REAL, run_with(1.0)).axes]
    assert len(titles) == 15
    names = {title.split("\n")[0] for title in titles}
    assert names <= set(CLASS_NAMES) and len(names) > 3
    assert all(
        title == f"{name}\n✓ {name}, 74 %" for title in titles for name in [title.split("\n")[0]]
    )


def test_a_wrong_prediction_is_marked_by_more_than_colour() -> None:
    for ax in plots.predictions(REAL, run_with(0.5)).axes:
        true, mark, taken = re.fullmatch(r"(.+)\n([✓✗]) (.+), 74 %", ax.get_title()).groups()
        assert (mark == "✓") == (true == taken)
        assert (ax.title.get_color() == "black") == (true == taken)


def test_predictions_of_an_older_record_have_no_probability() -> None:
    for ax in plots.predictions(REAL, run_with(1.0, percent=None)).axes:
        assert re.fullmatch(r"(.+)\n✓ \1", ax.get_title())


def test_predictions_are_the_same_every_time() -> None:
    first, again = (
        [ax.get_title() for ax in plots.predictions(REAL, run_with(0.5)).axes] for _ in range(2)
    )
    assert first == again


def test_the_longest_titles_stand_clear_of_each_other() -> None:
    labels = np.zeros_like(REAL.test_labels)  # "T-shirt/top" has the widest name
    data = dataclasses.replace(REAL, test_labels=labels)
    run = run_with(0.5, percent=100).model_copy(
        update={"test_predictions": pack_predictions(labels)}
    )
    fig = plots.predictions(data, run)
    fig.draw_without_rendering()
    test_plots.test_no_text_covers_another_or_leaves_the_figure(fig)


def test_predictions_of_real_images(real_data_dir: Path) -> None:
    data = load_data(folder=real_data_dir)
    run = make_run(CNN, accuracy=0.9, labels=data.test_labels)
    fig = plots.predictions(data, run)
    shown = [np.asarray(ax.images[0].get_array()) for ax in fig.axes if ax.images]
    for image, ax in zip(shown, fig.axes, strict=False):
        at = np.flatnonzero((data.test_images == image).all(axis=(1, 2)))
        assert ax.get_title().split("\n")[0] in {data.class_names[data.test_labels[i]] for i in at}


# --- mistakes ------------------------------------------------------------------------------------

# In made-up runs a wrong image is always taken for the class that follows its own.
NEXT = [(8, 9), (4, 5), (6, 7), (9, 0)]


def columns_of(fig: Figure, pairs: Sequence[tuple[int, int]]) -> list[tuple[Axes, Axes]]:
    n = len(pairs)
    assert len(fig.axes) == 2 * n
    return list(zip(fig.axes[:n], fig.axes[n:], strict=True))


def places(images: np.ndarray, ax: Axes) -> np.ndarray:
    shown = np.asarray(ax.images[0].get_array())
    return np.flatnonzero((images == shown).all(axis=(1, 2)))


def test_mistakes_stand_above_true_examples_of_the_class_that_they_are_taken_for() -> None:
    runs = [run_with(1.0), run_with(0.2)]
    fig = plots.mistaken(REAL, runs, NEXT)
    for (true, taken), (above, below) in zip(NEXT, columns_of(fig, NEXT), strict=True):
        assert above.get_title() == f"{CLASS_NAMES[true]},\ntaken for {CLASS_NAMES[taken]}"
        assert below.get_title() == CLASS_NAMES[taken]
        at = places(REAL.test_images, above)
        assert ((REAL.test_labels[at] == true) & (runs[-1].predictions[at] == taken)).any()
        assert taken in REAL.train_labels[places(REAL.train_images, below)]
        assert not above.texts


def test_a_repeated_pair_shows_other_images_until_there_is_none_left() -> None:
    pairs = [(6, 7)] * 4
    run = run_with(0.6)
    right = (REAL.test_labels == 6) & (run.predictions == 7)
    wrong = np.flatnonzero(right)
    assert len(wrong) >= 4, "enough mistakes to show four"
    columns = columns_of(plots.mistaken(REAL, [run], pairs), pairs)
    for row, images in ((0, REAL.test_images), (1, REAL.train_images)):
        assert len({tuple(places(images, axes[row])) for axes in columns}) == 4
    # The same run with the first two of its mistakes only.
    classes = np.where(right, REAL.test_labels, run.predictions)
    classes[wrong[:2]] = 7
    few = run.model_copy(update={"test_predictions": pack_predictions(classes)})
    columns = columns_of(plots.mistaken(REAL, [few], pairs), pairs)
    shown = [[text.get_text() for text in above.texts] for above, _ in columns]
    assert shown == [[], [], *[["no other\nsuch mistake"]] * 2]
    assert all(below.images for _, below in columns), "examples stand there all the same"


def test_a_pair_that_never_happened_says_so_in_its_column() -> None:
    pairs = [(6, 7), (6, 0), (6, 0)]
    columns = columns_of(plots.mistaken(REAL, [run_with(0.5)], pairs), pairs)
    shown = [[text.get_text() for text in above.texts] for above, _ in columns]
    assert shown == [[], *[["no such\nmistake"]] * 2]
    for above, _ in columns[1:]:
        assert (np.asarray(above.images[0].get_array()) == 255).all()


def test_the_mistakes_are_the_same_every_time() -> None:
    def shown() -> list[np.ndarray]:
        fig = plots.mistaken(REAL, [run_with(0.2)], NEXT)
        return [np.asarray(ax.images[0].get_array()) for ax in fig.axes]

    assert np.array_equal(shown(), shown())


@pytest.mark.parametrize("count", [0, 5])
def test_no_pair_or_more_than_fit_are_an_error(count: int) -> None:
    with pytest.raises(FmnistError, match=f"{count} pairs do not fit side by side"):
        plots.mistaken(REAL, [run_with(0.5)], [(6, 7)] * count)


def test_pictures_of_predictions_say_so_when_there_is_nothing_to_show() -> None:
    assert "There is no run of this experiment yet." in words(plots.mistaken(REAL, [], NEXT))
    elsewhere = make_run(CNN, accuracy=0.5)
    for data in (REAL, SYNTHETIC):
        for fig in (
            plots.predictions(data, elsewhere),
            plots.mistaken(data, [elsewhere], NEXT),
        ):
            note = " ".join(words(fig)).replace("\n", " ")
            assert "needs the real data set" in note
            assert ("synthetic preview" in note) == (data is SYNTHETIC)


def test_mistakes_on_real_images(real_data_dir: Path) -> None:
    data = load_data(folder=real_data_dir)
    run = make_run(CNN, accuracy=0.9, labels=data.test_labels)
    for (true, taken), (above, below) in zip(
        NEXT, columns_of(plots.mistaken(data, [run], NEXT), NEXT), strict=True
    ):
        at = places(data.test_images, above)
        assert ((data.test_labels[at] == true) & (run.predictions[at] == taken)).any()
        assert taken in data.train_labels[places(data.train_images, below)]


# --- the run records these tests are built on ----------------------------------------------------


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
