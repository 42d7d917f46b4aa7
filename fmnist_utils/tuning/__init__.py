"""The reports' hyperparameter searches: drawn by KerasTuner or Optuna, kept as a table of trials.

The tool draws all combinations first; their trainings are jobs of a campaign, with run records of
their own. The table is written anew after every trial: reading it needs neither tool.
"""

from fmnist_utils.runs.trials import (
    LOCAL_SEARCHES,
    TABLE,
    Execution,
    Trial,
    Trials,
    TuningError,
    find_trials,
    get_search,
    load_trials,
    published_path,
    read_trials,
    search_fingerprint,
    search_status,
    table_path,
    write_trials,
)
from fmnist_utils.tuning.publishing import check_trials, publish_table, publish_trials
from fmnist_utils.tuning.run import run_search
