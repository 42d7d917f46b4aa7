import math

import numpy as np
import pytest
from factories import make_run, predict
from figures import CNN, REAL, SYNTHETIC, words
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist_utils import plots
from fmnist_utils.data import CLASS_NAMES


def test_confusion_matrix_is_the_mean_in_percent_of_each_true_class() -> None:
    runs = [make_run(CNN, accuracy=0.9, seed=1), make_run(CNN, accuracy=0.8, seed=2)]
    ax = plots.confusion_matrix(runs).axes[0]
    drawn = np.asarray(ax.collections[0].get_array()).reshape(10, 10)
    expected = 100 * np.mean([run.final.test_confusion for run in runs], axis=0) / 1000
    assert np.allclose(drawn, expected)
    assert ax.texts[0].get_text() == f"{expected[0, 0]:.1f}"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [label.get_text() for label in labels] == list(CLASS_NAMES)


def test_confusion_matrix_of_counts_with_an_empty_class() -> None:
    ax = plots.confusion_matrix([[8, 2], [0, 0]], class_names=["bag", "coat"]).axes[0]
    assert [text.get_text() for text in ax.texts] == ["80.0", "20.0", "0", "0"]


def test_misclassified_shows_only_wrong_images_of_the_asked_classes() -> None:
    run = make_run(CNN, accuracy=0.5, labels=REAL.test_labels)
    wrong = {
        (CLASS_NAMES[true], CLASS_NAMES[taken])
        for true, taken in zip(REAL.test_labels, run.predictions, strict=True)
        if true != taken
    }
    titles = [ax.get_title() for ax in plots.misclassified(REAL, run).axes]
    assert len(titles) == 8
    assert {tuple(title.split(",\ntaken for ")) for title in titles} <= wrong
    # In these runs a wrong image is always taken for the class that follows its own.
    for asked in ({"true": 4}, {"predicted": 5}, {"true": 4, "predicted": 5}):
        coats = plots.misclassified(REAL, run, **asked, count=3)
        assert [ax.get_title() for ax in coats.axes] == ["Coat,\ntaken for Sandal"] * 3


def test_misclassified_says_so_when_there_is_nothing_to_show() -> None:
    perfect = make_run(CNN, accuracy=1.0, labels=REAL.test_labels)
    assert "The run gets none of these images wrong." in words(plots.misclassified(REAL, perfect))
    elsewhere = make_run(CNN, accuracy=0.5)
    for data in (REAL, SYNTHETIC):
        note = " ".join(words(plots.misclassified(data, elsewhere))).replace("\n", " ")
        assert "needs the real data set" in note


# --- the run records these tests are built on ----------------------------------------------------


@given(
    st.integers(1, 20),
    st.floats(0.15, 1.0),
    st.integers(0, 9),
)
@settings(max_examples=20, deadline=None)
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
