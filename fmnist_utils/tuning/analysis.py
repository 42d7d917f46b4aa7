"""What a table of trials says: which parameter matters, what cannot be built."""

from __future__ import annotations

import itertools
import math

import numpy as np

from fmnist_utils.models.layer_rules import too_small
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Parameter, Search, Setting
from fmnist_utils.runs.trials import Trials, TuningError

_SIZES = ("kernel", "padding", "pool", "pool_padding", "resize")


def unbuildable(report: Report, search: Search, parameter: str) -> tuple[Setting, ...]:
    """List the values of one parameter that cannot be built, whatever the other parameters are.

    Parameters
    ----------
    report, search
        The search and its report.
    parameter : str
        A name in ``search.space``.
    """
    others = {
        name: item.values
        for name, item in search.space.items()
        if name != parameter and any(path.rpartition(".")[2] in _SIZES for path in item.sets)
    }
    experiment = report.experiments[search.of]

    def can_be_built(value: Setting) -> bool:
        for rest in itertools.product(*others.values()):
            values = {**dict(zip(others, rest, strict=True)), parameter: value}
            if too_small(search.vary(experiment, values).model) is None:
                return True
        return False

    return tuple(value for value in search.space[parameter].values if not can_be_built(value))


def importance(
    search: Search, trials: Trials, seed: int = 0, *, divisions: int = 20, trees: int = 30
) -> dict[str, tuple[float, float]]:
    """Estimate how much each parameter says about the score of a trial.

    Permutation importance (Breiman 2001, "Random Forests"): a random forest learns from the
    settings of two thirds of the trials at which place they come when all are ranked by score,
    and predicts the places of the others. Importance is by how much the mean absolute error of
    these predictions rises when one parameter is shuffled among them. Places, not scores: one
    network that learned nothing would outweigh all others.

    From a few dozen trials this is a hint, not a measurement: a parameter with a small effect
    drowns in noise, and may come out negative.

    Parameters
    ----------
    search : Search
        Says how settings are encoded: numbers as they are, or as their logarithm where they are
        drawn in it; words and lists by their position among the choices.
    trials : Trials
        Those that could not be built or diverged (NaN) are left out.
    seed : int
        Of the divisions, the forests and the shuffling.
    divisions : int
        Into trials to learn from and trials to predict.
    trees : int
        In each forest.

    Returns
    -------
    dict
        Parameter to mean and standard deviation over the random divisions of the trials, in places.
        The deviation says how much hangs on which trials happen to be predicted.

    Raises
    ------
    TuningError
        When fewer than five trials were trained.
    """
    trained = [trial for trial in trials.ranked if math.isfinite(trial.score or 0.0)]
    if len(trained) < 5:
        raise TuningError(
            f"The importance of parameters needs at least 5 trained trials; search {search.id} "
            f"has {len(trained)}: run more of it."
        )
    from scipy.stats import rankdata
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import ShuffleSplit

    settings = [trial.settings for trial in trained]
    space = search.space.items()
    x = np.array([[_encoded(item, values[name]) for name, item in space] for values in settings])
    y = rankdata([trial.score for trial in trained])
    rises = []
    for known, held_out in ShuffleSplit(divisions, test_size=1 / 3, random_state=seed).split(x):
        forest = RandomForestRegressor(n_estimators=trees, random_state=seed)
        forest.fit(x[known], y[known])
        found = permutation_importance(
            forest, x[held_out], y[held_out],
            scoring="neg_mean_absolute_error", n_repeats=5, random_state=seed,
        )  # fmt: skip
        rises.append(found.importances_mean)
    means, sds = np.mean(rises, axis=0).tolist(), np.std(rises, axis=0, ddof=1).tolist()
    return dict(zip(search.space, zip(means, sds, strict=True), strict=True))


def _encoded(item: Parameter, value: Setting) -> float:
    """Return a value as a number that a decision tree can split."""
    if isinstance(value, str | tuple):
        return float((item.choices or ()).index(value))
    return math.log(value) if item.log else float(value)
