"""The reports' hyperparameter searches: drawn by KerasTuner or Optuna, trained as jobs.

What its trials have found follows from the draw and from their run records; it is published as one
table, which is read without the tools.
"""

from fmnist_utils.tuning.local import LOCAL_SEARCHES, LocalSearch, load_trials, search_status
from fmnist_utils.tuning.publishing import publish_new, publish_trials
from fmnist_utils.tuning.trials import (
    Execution,
    Trial,
    Trials,
    TuningError,
    check_trials,
    get_search,
    get_searches,
    published_path,
    read_trials,
    search_fingerprint,
    write_trials,
)
