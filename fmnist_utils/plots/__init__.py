"""What a chapter draws: images, networks, learning curves, claims beside runs.

Every function returns a closed matplotlib figure, which a notebook shows once when it is the last
expression of a cell. Figures are opaque black on white, so that inverting a chart gives its dark
form; colours come from seaborn's colour-blind palette and never carry a meaning alone.
"""

from fmnist_utils.plots.augmented_images import augmented, resized
from fmnist_utils.plots.comparisons import equivalence, interaction, ranking, seed_strip
from fmnist_utils.plots.curves import compare_curves, epochs, learning_curves
from fmnist_utils.plots.deviations import deviations, size_and_accuracy
from fmnist_utils.plots.forest import class_scores, forest
from fmnist_utils.plots.images import (
    class_counts,
    mean_images,
    pixel_histogram,
    random_samples,
    samples,
)
from fmnist_utils.plots.networks import activation_functions, network
from fmnist_utils.plots.predictions import confusion_matrix, mistaken, predictions
from fmnist_utils.plots.search_plots import (
    expected_best,
    importance,
    parallel_coordinates,
    trial_scores,
)
