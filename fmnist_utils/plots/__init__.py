"""What a chapter draws: images, networks, learning curves, claims beside runs.

Every function returns a closed matplotlib figure, which a notebook shows once when it is the last
expression of a cell. Figures are opaque black on white, so that inverting a chart gives its dark
form; colours come from seaborn's colour-blind palette and never carry a meaning alone.
"""

from fmnist_utils.plots.augmented_images import augmented, resized
from fmnist_utils.plots.comparisons import equivalence, interaction, ranking, seed_strip
from fmnist_utils.plots.curves import compare_curves, epochs, learning_curves
from fmnist_utils.plots.deviations import deviations, size_and_accuracy
from fmnist_utils.plots.forest import forest, readings
from fmnist_utils.plots.images import (
    class_counts,
    mean_images,
    pixel_histogram,
    random_samples,
    samples,
)
from fmnist_utils.plots.networks import activation_functions, network
from fmnist_utils.plots.predictions import confusion_matrix, mistaken, predictions
from fmnist_utils.plots.scores import class_scores
from fmnist_utils.plots.search_plots import (
    expected_best,
    importance,
    parallel_coordinates,
    trial_scores,
)
from fmnist_utils.plots.style import style, watermark

__all__ = [
    "activation_functions",
    "augmented",
    "class_counts",
    "class_scores",
    "compare_curves",
    "confusion_matrix",
    "deviations",
    "epochs",
    "equivalence",
    "expected_best",
    "forest",
    "importance",
    "interaction",
    "learning_curves",
    "mean_images",
    "mistaken",
    "network",
    "parallel_coordinates",
    "pixel_histogram",
    "predictions",
    "random_samples",
    "ranking",
    "readings",
    "resized",
    "samples",
    "seed_strip",
    "size_and_accuracy",
    "style",
    "trial_scores",
    "watermark",
]
