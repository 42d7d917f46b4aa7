import numpy as np
import pytest
from factories import make_run
from figures import CNN, REAL, SYNTHETIC, words

from fmnist_utils import plots
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.errors import FmnistError
from fmnist_utils.plots.style import watermark


def test_watermark_is_written_once() -> None:
    fig = plots.samples(SYNTHETIC)
    assert watermark(fig) is fig
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


@pytest.mark.parametrize("count", [0, 10_000])
def test_asking_for_too_many_or_no_images_is_an_error(count: int) -> None:
    with pytest.raises(FmnistError, match=rf"Cannot draw {count} of (\d+) images: ask for 1 to \1"):
        plots.samples(REAL, per_class=count)


def test_mean_images_are_means() -> None:
    axes = plots.mean_images(REAL).axes
    shirts = REAL.train_images[REAL.train_labels == 6].mean(axis=0)
    assert np.allclose(axes[6].images[0].get_array(), shirts)


def test_real_images(real_data_dir: object) -> None:
    data = load_data()
    assert "synthetic preview" not in words(plots.samples(data))


def test_confusion_matrix_is_the_mean_in_percent_of_each_true_class() -> None:
    runs = [make_run(CNN, seed, 3, 0.7 + seed / 10, best_epoch=2) for seed in (1, 2)]
    ax = plots.confusion_matrix(runs).axes[0]
    drawn = np.asarray(ax.collections[0].get_array()).reshape(10, 10)
    expected = 100 * np.mean([run.final.test_confusion for run in runs], axis=0) / 1000
    assert np.allclose(drawn, expected)
    assert ax.texts[0].get_text() == f"{expected[0, 0]:.1f}"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "predicted class",
        "true class (a row sums to 100 %)",
    )
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [label.get_text() for label in labels] == list(CLASS_NAMES)
