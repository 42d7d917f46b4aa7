"""Pictures of training images as models see them."""

from typing import Any

import numpy as np
import pytest
import test_plots
from figures import REAL, SYNTHETIC, words
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmnist_utils import plots
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.protocol import Augmentation
from fmnist_utils.training.augment import Augmenter

REPORT = load_report("fashion-mnist-report")
PLAIN = REPORT["one-conv-fold"]
AUGMENTED = REPORT["one-conv-full-augmented"]
LENET = REPORT["lenet-5"]
WAYS = {"padded": LENET, "stretched": REPORT["lenet-5-bilinear"]}
LONG = {"as they are": PLAIN, "stretched, as many other libraries do it": WAYS["stretched"]}
TRAINED = REAL.train_images.astype(np.float32) / 255
EVERY = Augmentation(
    rotation_degrees=12.5, zoom=0.07, shift=0.1, shear_degrees=15, horizontal_flip=True,
    vertical_flip=True,
)  # fmt: skip


def with_augmentation(experiment: Experiment, **amounts: Any) -> Experiment:
    spec = Augmentation(**amounts)
    training = experiment.training.model_copy(update={"augmentation": spec})
    return experiment.model_copy(update={"training": training})


CASES = {
    "augmented": lambda data: plots.augmented(data, AUGMENTED),
    "augmented, every transform": lambda data: plots.augmented(
        data, with_augmentation(PLAIN, **EVERY.model_dump())
    ),
}


@pytest.mark.parametrize("data", [REAL, SYNTHETIC], ids=["real", "synthetic"])
@pytest.mark.parametrize("case", CASES)
def test_every_picture_is_legible(case: str, data: Any) -> None:
    fig = CASES[case](data)
    fig.draw_without_rendering()
    test_plots.test_is_opaque_white_and_not_too_wide(fig)
    test_plots.test_no_text_covers_another_or_leaves_the_figure(fig)
    assert ("synthetic preview" in words(fig)) == (data is SYNTHETIC)


def labels(fig: Figure) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in fig.axes[0].get_yticklabels()]


def rows(fig: Figure) -> dict[str, NDArray[np.float64]]:
    """Return the images of every row, shape (n, height, width)."""
    (ax,) = fig.axes
    shown: list[list[Any]] = [[] for _ in labels(fig)]
    for image in ax.images:
        left, right, bottom, top = image.get_extent()
        assert right - left == pytest.approx(bottom - top), "an image is not square"
        shown[round((top + bottom) / 2)].append(image.get_array())
    return {name: np.stack(row) for name, row in zip(labels(fig), shown, strict=True)}


# --- augmented -----------------------------------------------------------------------------------


def test_rows_are_named_with_their_amounts() -> None:
    assert labels(plots.augmented(REAL, AUGMENTED)) == [
        "as they are", "rotation ±8°", "zoom ±8 %", "shift ±8 %", "shear ±0.3°", "all together",
    ]  # fmt: skip
    every = with_augmentation(PLAIN, **EVERY.model_dump())
    assert labels(plots.augmented(REAL, every))[1:] == [
        "rotation ±12.5°", "zoom ±7 %", "shift ±10 %", "shear ±15°", "horizontal flip",
        "vertical flip", "all together",
    ]  # fmt: skip


def test_one_transform_alone_is_not_repeated_and_one_that_is_off_is_left_out() -> None:
    amounts = {"horizontal_flip": True, "vertical_flip": False, "rotation_degrees": 0}
    shown = rows(plots.augmented(REAL, with_augmentation(PLAIN, **amounts)))
    assert list(shown) == ["as they are", "horizontal flip"]
    before, after = shown.values()
    mirrored = (after == before[:, :, ::-1]).all(axis=(1, 2))
    assert (mirrored | (after == before).all(axis=(1, 2))).all()
    assert mirrored.any()


def test_the_first_row_has_training_images_and_the_last_what_the_augmenter_makes_of_them() -> None:
    shown = rows(plots.augmented(REAL, AUGMENTED))
    images = shown["as they are"]
    for image in images:
        assert (image == TRAINED).all(axis=(1, 2)).any()
    assert AUGMENTED.training.augmentation is not None
    moved = Augmenter(AUGMENTED.training.augmentation, 0)(images)
    assert np.allclose(shown["all together"], moved, atol=1e-6)
    assert abs(shown["rotation ±8°"] - images).max() > 0.1
    assert 0 < abs(shown["shear ±0.3°"] - images).max() < 0.1


def test_the_picture_is_the_same_every_time() -> None:
    one, again = (rows(plots.augmented(REAL, AUGMENTED)) for _ in range(2))
    assert all(np.array_equal(one[name], again[name]) for name in one)


def test_images_have_the_size_at_which_they_are_augmented_in_training() -> None:
    shown = rows(plots.augmented(REAL, with_augmentation(LENET, shift=0.2)))
    assert {row.shape for row in shown.values()} == {(8, 32, 32)}


def test_an_experiment_without_augmentation_is_refused() -> None:
    with pytest.raises(FmnistError, match="1 Layer CNN, 1 fold is trained on images as they are"):
        plots.augmented(REAL, PLAIN)


# --- resized -------------------------------------------------------------------------------------
