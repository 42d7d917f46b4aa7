"""Every piece of statistics in the package: pure functions, arrays in, numbers out.

A sample holds one value per run, that is per seed. Nothing else in the package computes a
quantile, an interval or a test.
"""

from fmnist_utils.stats.calibration import Reliability, reliability
from fmnist_utils.stats.components import Components, variance_components
from fmnist_utils.stats.contrasts import (
    LEVEL,
    Difference,
    chance_difference,
    chance_factor,
    cluster_interval,
    mean_difference,
    mean_half_width,
    percentile_interval,
    welch_interval,
    welch_tost,
)
from fmnist_utils.stats.pooling import Prior, benjamini_hochberg, fit_prior
from fmnist_utils.stats.power import runs_for_power
from fmnist_utils.stats.prediction import (
    LOG,
    PLAIN,
    ClaimTest,
    Floats,
    SampleSummary,
    Scale,
    drawn_true,
    logit_scale,
    loss_sampling_variance,
    prediction_half_width,
    runs_for_precision,
    sampling_variance,
)
from fmnist_utils.stats.proportions import (
    at_least,
    clopper_pearson_interval,
    pairs_interval,
    pairs_won,
)
from fmnist_utils.stats.scores import SCORES, class_scores
