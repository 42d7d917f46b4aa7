import dataclasses
import io
import math
from collections.abc import Callable
from itertools import combinations, pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from factories import make_run, predict
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist_utils import plots
from fmnist_utils.data import CLASS_NAMES, FashionMNIST, load_data
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports import READINGS, load_report
from fmnist_utils.runs import Run
from fmnist_utils.synthetic import load_synthetic
from fmnist_utils.verdicts import Verdict, Word, judge, judge_claims, judge_experiment, readings

mpl.use("agg")

REPORT = load_report("baltzi")
CNN = REPORT["cnn-1-conv"]
SYNTHETIC = load_synthetic(train=200, test=100)
# Stands for the real images where only their source matters.
REAL = dataclasses.replace(SYNTHETIC, source="real")


def seeds(n: int, accuracy: float = 0.9, epochs: int = 5) -> list[Run]:
    return [
        make_run(CNN, seed, epochs + seed % 3, accuracy + seed / 1000) for seed in range(1, n + 1)
    ]


def all_verdicts(n: int = 5) -> list[Verdict]:
    runs = {
        name: [make_run(e, seed, 40 + seed, 0.9 + seed / 1000) for seed in range(n)]
        for name, e in REPORT.experiments.items()
    }
    verdicts = judge_claims(REPORT, runs)
    for name, experiment in REPORT.experiments.items():
        verdicts += judge_experiment(experiment, runs[name])
    return verdicts


def readings_of(claim_id: str, n: int = 5) -> dict[str, Verdict]:
    claim = CNN[claim_id]
    return {reading: judge(CNN, claim, seeds(n), reading) for reading in readings(claim)}


OF_DATA: dict[str, Callable[[FashionMNIST], Figure]] = {
    "samples": plots.samples,
    "samples, three per class": lambda data: plots.samples(data, per_class=3),
    "random_samples": plots.random_samples,
    "class_counts": plots.class_counts,
    "mean_images": plots.mean_images,
    "pixel_histogram": plots.pixel_histogram,
    "misclassified": lambda data: plots.misclassified(
        data, make_run(CNN, accuracy=0.6, labels=data.test_labels)
    ),
}
OF_RUNS: dict[str, Callable[[], Figure]] = {
    "learning_curves": lambda: plots.learning_curves(seeds(5), CNN),
    "learning_curves, one run": lambda: plots.learning_curves(seeds(1), CNN),
    "learning_curves, smoke": lambda: plots.learning_curves([make_run(CNN, epochs=1)]),
    "learning_curves, no run": lambda: plots.learning_curves([]),
    "forest": lambda: plots.forest(all_verdicts()),
    "forest, nothing to draw": lambda: plots.forest([]),
    "readings": lambda: plots.readings(readings_of("train")),
    "readings, none": lambda: plots.readings({}),
    "seed_strip": lambda: plots.seed_strip({"a": seeds(4), "b": []}, {"a": 90.08}),
    "seed_strip, no run": lambda: plots.seed_strip({"a": []}),
    "confusion_matrix": lambda: plots.confusion_matrix(seeds(3)),
    "confusion_matrix, no run": lambda: plots.confusion_matrix([]),
}
EVERY = {
    **OF_RUNS,
    **{name: (lambda draw=draw: draw(REAL)) for name, draw in OF_DATA.items()},
    **{f"{name}, synthetic": (lambda draw=draw: draw(SYNTHETIC)) for name, draw in OF_DATA.items()},
}


def words(fig: Figure) -> list[str]:
    return [text.get_text() for text in fig.findobj(Text) if text.get_text()]


def lines(ax: Axes, style: str, width: float) -> list[mpl.lines.Line2D]:
    return [
        line for line in ax.lines if line.get_linestyle() == style and line.get_linewidth() == width
    ]


# --- every figure --------------------------------------------------------------------------------


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
    with pytest.raises(ValueError):
        plots.confusion_matrix(np.eye(3), class_names=["one"])
    assert plt.get_fignums() == []


# --- images --------------------------------------------------------------------------------------


def test_watermark_is_written_once() -> None:
    fig = plots.samples(SYNTHETIC)
    assert plots.watermark(fig) is fig
    assert words(fig).count("synthetic preview") == 1


def test_samples_shows_one_image_per_class_under_its_name() -> None:
    fig = plots.samples(REAL)
    assert [ax.get_title() for ax in fig.axes] == list(CLASS_NAMES)
    for label, ax in enumerate(fig.axes):
        image = np.asarray(ax.images[0].get_array())
        same = (REAL.train_images == image).all(axis=(1, 2))
        assert label in REAL.train_labels[same]


def test_several_samples_per_class_stand_in_rows() -> None:
    (ax,) = plots.samples(REAL, per_class=4).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == list(CLASS_NAMES)
    sheet = np.asarray(ax.images[0].get_array())
    assert sheet.shape == (10 * 29 - 1, 4 * 29 - 1)
    third_bag = sheet[8 * 29 : 8 * 29 + 28, 2 * 29 : 2 * 29 + 28]
    assert (REAL.train_images[REAL.train_labels == 8] == third_bag).all(axis=(1, 2)).any()


def test_random_samples_follow_the_seed() -> None:
    def shown(seed: int) -> list[np.ndarray]:
        axes = plots.random_samples(REAL, 7, seed).axes
        return [np.asarray(ax.images[0].get_array()) for ax in axes if ax.images]

    assert len(shown(1)) == 7
    assert np.array_equal(shown(1), shown(1))
    assert not np.array_equal(shown(1), shown(2))


@pytest.mark.parametrize("count", [0, 201])
def test_asking_for_too_many_or_no_images_is_an_error(count: int) -> None:
    with pytest.raises(FmnistError, match=f"Cannot draw {count} of 200 images: ask for 1 to 200"):
        plots.random_samples(REAL, count)


def test_class_counts_and_pixel_histogram_count_the_data() -> None:
    bars = [bar.get_width() for bar in plots.class_counts(REAL).axes[0].patches]
    assert bars == [20] * 10 + [10] * 10
    fig = plots.pixel_histogram(REAL)
    (stairs,) = fig.axes[0].patches
    counts = np.bincount(REAL.train_images.ravel(), minlength=256)
    assert np.array_equal(stairs.get_data().values, counts)
    assert fig.axes[0].get_yscale() == "log"
    share = 100 * (REAL.train_images == 0).mean()
    assert f"{share:.1f} % of all pixels are 0" in words(fig)


def test_mean_images_are_means() -> None:
    axes = plots.mean_images(REAL).axes
    shirts = REAL.train_images[REAL.train_labels == 6].mean(axis=0)
    assert np.allclose(axes[6].images[0].get_array(), shirts)


def test_real_images(real_data_dir: object) -> None:
    data = load_data()
    assert "50.2 % of all pixels are 0" in words(plots.pixel_histogram(data))
    assert {"6,000", "1,000"} <= set(words(plots.class_counts(data)))
    assert "synthetic preview" not in words(plots.samples(data))


# --- learning curves -----------------------------------------------------------------------------


@given(st.lists(st.integers(1, 12), min_size=2, max_size=8))
@settings(max_examples=8, deadline=None)
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


def test_a_run_of_one_epoch_is_visible() -> None:
    fig = plots.learning_curves([make_run(CNN, epochs=1, accuracy=0.5)])
    for ax in fig.axes:
        marks = [line for line in ax.lines if line.get_marker() in ("o", "s")]
        assert len(marks) == 2
        for mark in marks:
            (x,), (y,) = mark.get_data()
            assert ax.get_xlim()[0] < x < ax.get_xlim()[1]
            assert ax.get_ylim()[0] < y < ax.get_ylim()[1]


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


# --- claims beside runs --------------------------------------------------------------------------


def test_forest_draws_each_number_once_with_its_verdict_in_words() -> None:
    verdicts = all_verdicts()
    fig = plots.forest(verdicts)
    rows = [label.get_text() for ax in fig.axes for label in ax.get_yticklabels()]
    # Two accuracies and the epochs of five models, three differences, one lowest loss.
    assert len(rows) == len(set(rows)) == 5 * 3 + 3 + 1
    assert "cnn-1-conv\ntest accuracy 90.08 %" in rows
    assert "cnn-2-conv − cnn-1-conv\ntest accuracy +2.6 points" in rows
    ends = [text.get_text().replace("\n", " ") for ax in fig.axes for text in ax.texts]
    assert len(ends) == len(rows)
    assert set(ends) <= set(Word)


def test_forest_puts_zero_at_the_reported_value() -> None:
    verdict = judge(CNN, CNN["test"], seeds(5))
    (ax,) = plots.forest([verdict]).axes
    drawn = [list(map(float, line.get_xdata())) for line in ax.lines]
    low, high = verdict.low - 90.08, verdict.high - 90.08
    assert pytest.approx([low, high]) in drawn
    assert pytest.approx([verdict.mean - 90.08]) in drawn
    assert [-0.005, 0.005] in [pytest.approx(x) for x in drawn]
    assert ax.get_xlabel() == "ours − reported (percentage points)"


def test_forest_leaves_out_what_is_pending_or_not_measured() -> None:
    verdicts = [judge(CNN, CNN["test"], seeds(2)), judge(CNN, CNN["batch-size"], [])]
    fig = plots.forest(verdicts)
    assert any("at least three runs" in text for text in words(fig))
    fig = plots.forest([*verdicts, judge(CNN, CNN["epochs"], seeds(3))], ["a", "b", "c"])
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["c"]
    assert not any("percentage point" in text for text in words(fig))


def test_forest_needs_a_label_per_verdict() -> None:
    with pytest.raises(FmnistError, match="1 labels do not fit 0 verdicts"):
        plots.forest([], ["one too many"])


@given(st.lists(st.text("abc -", max_size=120), min_size=1, max_size=6))
@settings(max_examples=5, deadline=None)
def test_rows_have_room_for_any_label(labels: list[str]) -> None:
    verdict = judge(CNN, CNN["test"], seeds(3))
    fig = plots.forest([verdict] * len(labels), labels)
    fig.draw_without_rendering()
    boxes = [label.get_window_extent() for label in fig.axes[0].get_yticklabels()]
    for above, below in pairwise(boxes):
        assert above.y0 >= below.y1 - 1


def test_words_differ_in_more_than_colour() -> None:
    mean = judge(CNN, CNN["test"], seeds(3))
    looks = set()
    for word in (Word.REPRODUCED, Word.CLOSE, Word.IMPRECISE, Word.NOT_REPRODUCED):
        (ax,) = plots.forest([dataclasses.replace(mean, word=word)]).axes
        dot = ax.lines[-1]
        looks.add((dot.get_marker(), dot.get_markerfacecolor() == "white"))
        assert ax.texts[0].get_text().replace("\n", " ") == word
    assert len(looks) == 4


def test_readings_stand_in_their_own_words_beside_the_reported_value() -> None:
    by_reading = readings_of("train")
    (ax,) = plots.readings(by_reading).axes
    rows = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    assert rows == [READINGS[reading] for reading in by_reading]
    assert ax.get_xlabel() == "training accuracy (%)"
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() in ("o", "s", "X")]
    assert dots == pytest.approx([verdict.mean for verdict in by_reading.values()])
    assert 93.11 in [line.get_xdata()[0] for line in ax.lines]


def test_readings_show_a_pending_mean_without_an_interval() -> None:
    (ax,) = plots.readings(readings_of("test", n=2)).axes
    assert [text.get_text() for text in ax.texts] == ["pending", "pending"]


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


def row_of(line: mpl.lines.Line2D) -> int | None:
    return round(float(np.mean(line.get_ydata()))) if len(line.get_ydata()) else None


# --- predictions ---------------------------------------------------------------------------------


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
