"""Augmentation: geometry and units against scipy.ndimage, draws against their stated ranges.

An image that is a ramp stays one under bilinear interpolation, so its slope and its level tell how
the image was moved. Augmented once as a ramp in x and, by the same seed, once as a ramp in y, an
image gives away its whole transform.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import ndimage, stats

from fmnist_utils.data.synthetic import draw
from fmnist_utils.reports.protocol import Augmentation
from fmnist_utils.training.augment import Augmenter

Floats = NDArray[np.floating[Any]]

SIZE = 28
CENTRE = (SIZE - 1) / 2
#: Coordinates are float32: they are off by up to 1e-5 pixels, and a pixel by as much.
TOLERANCE = 1e-4
ALL = Augmentation(rotation_degrees=25, zoom=0.2, shift=0.15, shear_degrees=20)
GEOMETRY = {
    "rotation": Augmentation(rotation_degrees=30),
    "zoom": Augmentation(zoom=0.2),
    "shift": Augmentation(shift=0.2),
    "shear": Augmentation(shear_degrees=25),
    "all": ALL,
}


@pytest.fixture(scope="module")
def garments() -> Floats:
    """Eight garments of each class, float32 in [0, 1]."""
    return np.concatenate([draw(label, 8) for label in range(10)]).astype(np.float32) / 255


class Moved(NamedTuple):
    """Where the output pixel (x, y), counted from the centre, is read: linear @ (x, y) + offset."""

    linear: Floats  # (n, 2, 2)
    offset: Floats  # (n, 2), pixels


def moved(
    spec: Augmentation, n: int, seed: int = 0, height: int = SIZE, width: int = SIZE
) -> Moved:
    """Recover the transforms of the first batch of n images."""
    y, x = (axis - axis.mean() for axis in np.indices((height, width), dtype=float))
    middle = (abs(x) < 2) & (abs(y) < 2)
    design = np.stack([x[middle], y[middle], np.ones(middle.sum())], axis=1)
    rows = []
    for ramp, length in ((x, width), (y, SIZE)):
        images = np.broadcast_to(ramp / length + 0.5, (n, SIZE, width))
        values = (np.asarray(Augmenter(spec, 0)(images))[:, middle] - 0.5) * length
        solution, residuals, _, _ = np.linalg.lstsq(design, values.T.astype(float))
        assert residuals.max() < 1e-8  # still a ramp: no edge has come so far in
        rows.append(solution.T)
    affine = np.stack(rows, axis=1)
    return Moved(affine[:, :, :2], affine[:, :, 2])


def amounts(name: str, n: int) -> dict[str, Floats]:
    """Return what was drawn for one kind of transform, scaled to [-1, 1]."""
    spec = GEOMETRY[name]
    linear, offset = moved(spec, n)
    match name:
        case "rotation":
            angle = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
            return {"angle": angle / spec.rotation_degrees}
        case "zoom":
            steps = {"x": linear[:, 0, 0], "y": linear[:, 1, 1]}
            return {axis: (step - 1) / spec.zoom for axis, step in steps.items()}
        case "shift":
            return {axis: offset[:, i] / SIZE / spec.shift for i, axis in enumerate("xy")}
        case _:
            return {"lean": linear[:, 0, 1] / np.tan(np.radians(spec.shear_degrees))}


def images_of(spec: Augmentation, images: Floats, seed: int = 0) -> Floats:
    return np.asarray(Augmenter(spec, seed)(images))


# --- geometry ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("width", [SIZE, 22])
def test_images_are_resampled_as_scipy_does(name: str, width: int, garments: Floats) -> None:
    images = garments[:, :, :width]
    linear, offset = moved(GEOMETRY[name], len(images), width=width)
    centre = np.array([CENTRE, (width - 1) / 2])
    for image, matrix, shift, ours in zip(
        images, linear, offset, images_of(GEOMETRY[name], images), strict=True
    ):
        rows_first = matrix[::-1, ::-1]
        expected = ndimage.affine_transform(
            image, rows_first, centre + shift[::-1] - rows_first @ centre, order=1, mode="nearest"
        )
        np.testing.assert_allclose(ours, expected, atol=TOLERANCE)


def test_rotation_turns_about_the_centre_by_degrees(garments: Floats) -> None:
    spec = GEOMETRY["rotation"]
    linear, offset = moved(spec, len(garments))
    angles = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert np.abs(offset).max() < 1e-4
    for image, angle, ours in zip(garments, angles, images_of(spec, garments), strict=True):
        expected = ndimage.rotate(image, angle, reshape=False, order=1, mode="nearest")
        np.testing.assert_allclose(ours, expected, atol=TOLERANCE)


def test_shift_is_a_fraction_of_the_size(garments: Floats) -> None:
    spec = GEOMETRY["shift"]
    linear, offset = moved(spec, len(garments))
    np.testing.assert_allclose(linear, np.broadcast_to(np.eye(2), linear.shape), atol=1e-5)
    for image, (x, y), ours in zip(garments, offset, images_of(spec, garments), strict=True):
        expected = ndimage.shift(image, (-y, -x), order=1, mode="nearest")
        np.testing.assert_allclose(ours, expected, atol=TOLERANCE)


def test_zoom_above_one_shrinks_about_the_centre() -> None:
    y, x = np.indices((SIZE, SIZE)) - CENTRE
    disc = np.exp(-(((x**2 + y**2) / 32) ** 2)).astype(np.float32)
    linear, offset = moved(GEOMETRY["zoom"], 50)
    assert np.abs(offset).max() < 1e-4
    assert np.abs(linear[:, 0, 1]).max() < 1e-5 > np.abs(linear[:, 1, 0]).max()
    areas = images_of(GEOMETRY["zoom"], np.stack([disc] * 50)).sum(axis=(1, 2))
    steps = linear[:, 0, 0] * linear[:, 1, 1]
    np.testing.assert_allclose(areas, disc.sum() / steps, rtol=0.01)


def test_shear_slides_rows_past_the_middle_one(garments: Floats) -> None:
    spec = GEOMETRY["shear"]
    linear, offset = moved(spec, len(garments))
    assert np.abs(offset).max() < 1e-4
    for image, matrix, ours in zip(garments, linear, images_of(spec, garments), strict=True):
        assert matrix == pytest.approx(np.array([[1, matrix[0, 1]], [0, 1]]), abs=1e-5)
        for row, (line, expected) in enumerate(zip(image, ours, strict=True)):
            slid = ndimage.shift(line, -matrix[0, 1] * (row - CENTRE), order=1, mode="nearest")
            np.testing.assert_allclose(expected, slid, atol=TOLERANCE)


def test_transforms_combine_in_the_order_of_image_data_generator() -> None:
    # Each has the draws that it has alone.
    rotation, shift, shear, zoom = (
        moved(Augmentation(**{name: getattr(ALL, name)}), 50)
        for name in ("rotation_degrees", "shift", "shear_degrees", "zoom")
    )
    linear, offset = moved(ALL, 50)
    np.testing.assert_allclose(linear, rotation.linear @ shear.linear @ zoom.linear, atol=1e-4)
    turned = (rotation.linear @ shift.offset[..., np.newaxis])[..., 0]
    np.testing.assert_allclose(offset, turned, atol=1e-4)


@pytest.mark.parametrize(("mode", "axis"), [("horizontal", 2), ("vertical", 1)])
def test_flips_mirror_half_of_the_images(mode: str, axis: int, garments: Floats) -> None:
    images = np.tile(garments, (25, 1, 1))
    ours = images_of(Augmentation(**{f"{mode}_flip": True}), images)
    flipped = (ours == np.flip(images, axis)).all(axis=(1, 2))
    same = (ours == images).all(axis=(1, 2))
    assert (flipped | same).all()
    assert stats.binomtest(int(flipped.sum()), len(images)).pvalue > 0.001


def test_the_two_flips_are_drawn_apart(garments: Floats) -> None:
    images = np.tile(garments[:1], (400, 1, 1))
    ours = images_of(Augmentation(horizontal_flip=True, vertical_flip=True), images)
    kinds = [images[0][::v, ::h] for v in (1, -1) for h in (1, -1)]
    counts = [sum(np.array_equal(image, kind) for image in ours) for kind in kinds]
    assert sum(counts) == 400 and stats.chisquare(counts).pvalue > 0.001


# --- draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rotation", "zoom", "shift", "shear"])
def test_draws_are_uniform_in_the_stated_range(name: str) -> None:
    for axis, drawn in amounts(name, 1000).items():
        assert -1.0001 < drawn.min() < -0.97 and 0.97 < drawn.max() < 1.0001, axis
        assert stats.kstest(drawn, stats.uniform(-1, 2).cdf).pvalue > 0.001, axis


def test_draws_of_all_transforms_are_unrelated() -> None:
    every = [
        drawn
        for name in ("rotation", "zoom", "shift", "shear")
        for drawn in amounts(name, 1000).values()
    ]
    correlation = np.corrcoef(every)
    assert np.abs(correlation - np.eye(len(every))).max() < 4 / np.sqrt(1000)


def test_same_seed_repeats_whatever_the_global_seed_and_another_does_not(garments: Floats) -> None:
    keras.utils.set_random_seed(1)
    first = images_of(ALL, garments, seed=5)
    keras.utils.set_random_seed(2)
    np.testing.assert_array_equal(images_of(ALL, garments, seed=5), first)
    assert not np.array_equal(images_of(ALL, garments, seed=6), first)


def test_augmenter_leaves_the_global_draws_alone(garments: Floats) -> None:
    keras.utils.set_random_seed(1)
    expected = keras.random.uniform((3,)).numpy()
    keras.utils.set_random_seed(1)
    images_of(ALL, garments)
    np.testing.assert_array_equal(keras.random.uniform((3,)).numpy(), expected)


@pytest.mark.parametrize("name", ["rotation", "zoom", "shift", "shear"])
def test_every_image_and_every_step_has_its_own_draw(name: str, garments: Floats) -> None:
    augment = Augmenter(GEOMETRY[name], 0)
    same = np.stack([garments[0]] * 20)
    steps = np.concatenate([augment(same), augment(same)])
    assert len(np.unique(steps, axis=0)) == 40


# --- as part of a training -----------------------------------------------------------------------


def test_compiled_once_and_drawn_anew_in_every_step(garments: Floats) -> None:
    spec = ALL.model_copy(update={"horizontal_flip": True})
    augment, eager = Augmenter(spec, 0), Augmenter(spec, 0)
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE])])
    def steps(batch: Any) -> Any:
        traces.append(1)
        outputs = tf.TensorArray(tf.float32, 3)
        for i in tf.range(3):
            outputs = outputs.write(i, augment(batch))
        return outputs.stack()

    for size in (32, 1):  # the last batch of an epoch is smaller
        ours = steps(garments[:size])
        np.testing.assert_allclose(ours, [eager(garments[:size]) for _ in range(3)], atol=TOLERANCE)
        assert len(np.unique(ours, axis=0)) == 3
    assert len(traces) == 1


@pytest.fixture
def bfloat16_policy() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("bfloat16_policy")
def test_images_stay_exact_under_a_mixed_precision_policy(garments: Floats) -> None:
    spec = ALL.model_copy(update={"vertical_flip": True})
    low = images_of(spec, garments)
    keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(low, images_of(spec, garments))


@settings(max_examples=10)
@given(
    rotation_degrees=st.none() | st.floats(0, 180),
    zoom=st.none() | st.floats(0, 0.9),
    shift=st.none() | st.floats(0, 1),
    shear_degrees=st.none() | st.floats(0, 45),
    horizontal_flip=st.booleans(),
    n=st.integers(1, 5),
    channel=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**64),
)
def test_shape_and_range_are_kept(
    n: int, channel: bool, dtype: type[np.floating[Any]], seed: int, **spec: Any
) -> None:
    images = np.random.default_rng(n).random((n, SIZE, SIZE) + (1,) * channel).astype(dtype)
    ours = Augmenter(Augmentation(**spec), seed)(images)
    assert ours.shape == images.shape and ours.dtype == tf.float32
    assert np.min(ours) >= images.min() - 1e-6 and np.max(ours) <= images.max() + 1e-6


def test_channel_axis_changes_nothing(garments: Floats) -> None:
    np.testing.assert_array_equal(
        images_of(ALL, garments[..., np.newaxis])[..., 0], images_of(ALL, garments)
    )


@pytest.mark.parametrize("name", ["rotation_degrees", "zoom", "shift", "shear_degrees"])
def test_amplitude_0_changes_nothing(name: str, garments: Floats) -> None:
    np.testing.assert_array_equal(images_of(Augmentation(**{name: 0}), garments), garments)


def test_moderate_augmentation_keeps_the_brightness(garments: Floats) -> None:
    spec = Augmentation(rotation_degrees=10, zoom=0.1, shift=0.05, shear_degrees=5)
    ours = images_of(spec, np.tile(garments, (5, 1, 1)))
    assert ours.mean() == pytest.approx(garments.mean(), rel=0.05)


# --- the specification ---------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"validation": True}])
def test_augmentation_without_a_transform_is_an_error(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="at least one of rotation_degrees, zoom, shift"):
        Augmentation(**settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation_degrees", -1),
        ("rotation_degrees", 181),
        ("zoom", 1),
        ("shift", 1.1),
        ("shear_degrees", 46),
        ("shear_degrees", float("nan")),
        ("shear", 5),
    ],
)
def test_amount_out_of_range_or_unknown_is_an_error(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Augmentation(**{name: value})


def test_extremes_of_the_ranges_can_be_built(garments: Floats) -> None:
    spec = Augmentation(rotation_degrees=180, zoom=0.99, shift=1, shear_degrees=45)
    assert np.isfinite(images_of(spec, garments)).all()
