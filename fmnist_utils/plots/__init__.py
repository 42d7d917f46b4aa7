"""What a chapter draws: images, networks, learning curves, claims beside runs.

Every function returns a closed matplotlib figure, which a notebook shows once when it is the last
expression of a cell; `panels` takes one apart, so that its panels wrap on a phone. Figures are
opaque black on white, so that inverting a chart gives its dark form; colours come from seaborn's
colour-blind palette and never carry a meaning alone.

Examples
--------
>>> one, two = {"baseline": runs}, {("none", "MLP"): runs, ("one", "MLP"): runs}
>>> judged = fu.verdicts.judge_accuracies(report, {experiment.id: runs})
>>> equal = fu.equivalence.compare(fu.equivalence.BFLOAT16)
>>> trials = fu.search(fu.load_report("anastasopoulos-mpofu-smith"), "as-listed", data)
>>> figures = [
...     fu.plots.samples(data), fu.plots.mean_images(data), fu.plots.confusion_matrix(runs),
...     fu.plots.compare_curves(one), fu.plots.epochs(experiment, runs), fu.plots.seed_strip(one),
...     fu.plots.interaction(two, x="hidden layers", line="model"),
...     fu.plots.ranking(one, baseline="baseline"), fu.plots.equivalence(equal),
...     fu.plots.forest(judged), fu.plots.class_scores(experiment, runs), fu.plots.deviations(),
...     fu.plots.trial_scores(trials), fu.plots.pareto(fu.verdicts.one_protocol()),
...     fu.plots.reliability(fu.verdicts.one_protocol(), data), fu.plots.fast_trainings(),
... ]
>>> fu.plots.panels(fu.plots.learning_curves(runs), alt=["falling loss", "rising accuracy"])
Panels(alt=('', 'falling loss', 'rising accuracy'))
"""

from fmnist_utils.plots.comparisons import deviations, equivalence, interaction, ranking, seed_strip
from fmnist_utils.plots.curves import compare_curves, epochs, learning_curves
from fmnist_utils.plots.forest import class_scores, forest
from fmnist_utils.plots.images import confusion_matrix, disputed, mean_images, samples
from fmnist_utils.plots.networks import on_front, pareto, reliability
from fmnist_utils.plots.panels import panels
from fmnist_utils.plots.search_plots import trial_scores
from fmnist_utils.plots.speed import fast_trainings
