"""The reports' hyperparameter searches: run by KerasTuner or Optuna, kept as one table of trials.

The tool draws the combinations and keeps the books, so that a search that was cut short goes on;
each combination is trained by `training.train`. What a trial found is stored with the tool's own
record of it, and the table is written anew after every trial: reading it needs neither tool.
"""

from fmnist_utils.stats import expected_best
from fmnist_utils.tuning.analysis import importance, too_small, unbuildable
from fmnist_utils.tuning.evidence import check_trials, publish_table, publish_trials
from fmnist_utils.tuning.searching import run_search
from fmnist_utils.tuning.trials import (
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
