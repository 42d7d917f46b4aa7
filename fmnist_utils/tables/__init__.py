"""What a chapter prints: tables that read well on paper, on a phone and in a terminal.

Every function returns a `Table`, which a notebook shows when it is the last expression of a cell.
What stands in it is text; a verdict has its word besides its colour.
"""

from fmnist_utils.tables.across_tables import assumption_effects, directions, omissions, seed_noise
from fmnist_utils.tables.claim_tables import (
    cited,
    class_scores,
    closest_epochs,
    comparisons,
    epochs,
    held_against,
    judged,
    readings,
    results,
    verdicts,
)
from fmnist_utils.tables.data_tables import class_balance, data_summary, facts
from fmnist_utils.tables.model_tables import (
    architecture,
    architectures_with,
    assumptions,
    parameter_counts,
    protocol,
)
from fmnist_utils.tables.report_tables import audit_counts, counts, findings, scoreboard
from fmnist_utils.tables.run_tables import (
    campaign,
    classification_report,
    differences,
    equivalence,
    study,
    training_times,
    undone,
    variants,
)
from fmnist_utils.tables.search_tables import reported_trials, sides, space, top_trials
from fmnist_utils.tables.study_tables import at_epochs, effects, factorial
from fmnist_utils.tables.table import Badge, Scored, SeverityBadge, Stacked, Table
from fmnist_utils.text import claim_text, interval_text, ours_text, reported_text, value_text
