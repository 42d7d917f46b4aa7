from collections import Counter

import numpy as np
import pytest
from figures import CNN, DEEP, REAL, REPORT, words
from matplotlib.patches import Rectangle

from fmnist_utils import plots
from fmnist_utils.models.build import layer_table
from fmnist_utils.reports.experiment import Experiment

NAMES = ("relu", "sigmoid", "tanh")


@pytest.mark.parametrize("name", NAMES)
def test_activation_functions_are_those_of_keras(name: str) -> None:
    import keras

    fig = plots.activation_functions()
    (curve,) = [line for line in fig.axes[0].lines if line.get_label() == name]
    x, y = curve.get_data()
    assert (x[0], x[-1]) == (-4, 4)
    assert y == pytest.approx(np.array(keras.activations.get(name)(x)), abs=1e-6)


def test_activation_functions_differ_in_more_than_colour() -> None:
    (ax,) = plots.activation_functions().axes
    curves = [line for line in ax.lines if line.get_label() in NAMES]
    assert len({line.get_linestyle() for line in curves}) == len(NAMES)


@pytest.mark.parametrize("experiment", [*REPORT.experiments.values(), DEEP], ids=lambda e: e.id)
def test_network_labels_every_layer_with_type_shape_and_parameters(experiment: Experiment) -> None:
    model = experiment.build()
    drawn = Counter(line for text in words(plots.network(experiment)) for line in text.splitlines())
    expected: Counter[str] = Counter()
    for layer in layer_table(model):
        if layer.type == "Dropout":
            expected[f"dropout {100 * model.get_layer(layer.name).rate:g} %"] += 1
        elif layer.type == "BatchNormalization":
            expected[f"batch norm: {layer.params:,}"] += 1
        else:
            expected[layer.type.removesuffix("Layer")] += 1
            expected[" × ".join(f"{n:,}" for n in layer.shape)] += 1
            if layer.params:
                expected[f"{layer.params:,} params"] += 1
    assert drawn == expected


def test_network_draws_maps_to_scale_and_more_squares_for_more_maps() -> None:
    (ax,) = plots.network(CNN).axes
    squares = Counter(
        round(patch.get_width(), 6)
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_width() == patch.get_height()
    )
    full = max(squares)
    # The input has one map of 28 by 28, then there are 16 of 28 by 28, then 16 of 14 by 14.
    assert squares == {full: 1 + 5, round(full / 2, 6): 5}


def test_network_shows_an_image_as_its_input() -> None:
    assert not plots.network(CNN).axes[0].images
    (image,) = plots.network(CNN, REAL).axes[0].images
    assert np.array_equal(image.get_array(), REAL.train_images[0])
