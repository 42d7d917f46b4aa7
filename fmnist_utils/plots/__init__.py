"""What a chapter draws: images, networks, learning curves, claims beside runs.

Every function returns a closed matplotlib figure, which a notebook shows once when it is the last
expression of a cell; `panels` takes one apart, so that its panels wrap on a phone. Figures are
opaque black on white, so that inverting a chart gives its dark form; colours come from seaborn's
colour-blind palette and never carry a meaning alone.
"""

from fmnist_utils.plots.comparisons import deviations, equivalence, interaction, ranking, seed_strip
from fmnist_utils.plots.curves import compare_curves, epochs, learning_curves
from fmnist_utils.plots.forest import class_scores, forest
from fmnist_utils.plots.images import confusion_matrix, disputed, mean_images, samples
from fmnist_utils.plots.networks import on_front, pareto, reliability
from fmnist_utils.plots.panels import panels
from fmnist_utils.plots.search_plots import trial_scores
from fmnist_utils.plots.speed import fast_trainings
