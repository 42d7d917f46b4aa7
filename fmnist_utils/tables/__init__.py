"""What a chapter prints: tables that read well on paper, on a phone and in a terminal.

Every function returns a `Table`, which a notebook shows when it is the last expression of a cell.
What stands in it is text; a verdict has its word besides its colour.
"""

from fmnist_utils.tables.book import audit_counts, counts, findings, scoreboard
from fmnist_utils.tables.cells import Badge, Scored, SeverityBadge, Stacked, Table
from fmnist_utils.tables.claims import (
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
from fmnist_utils.tables.data import class_balance, data_summary, facts
from fmnist_utils.tables.models import (
    architecture,
    architectures_with,
    assumptions,
    parameter_counts,
    protocol,
)
from fmnist_utils.tables.overview import (
    assumption_effects,
    directions,
    omissions,
    seed_noise,
)
from fmnist_utils.tables.runs import (
    campaign,
    classification_report,
    differences,
    equivalence,
    study,
    training_times,
    undone,
    variants,
)
from fmnist_utils.tables.searches import reported_trials, sides, space, top_trials
from fmnist_utils.tables.studies import at_epochs, effects, factorial
from fmnist_utils.tables.words import (
    claim_text,
    interval_text,
    ours_text,
    reported_text,
    value_text,
)

__all__ = [
    "Badge",
    "Scored",
    "SeverityBadge",
    "Stacked",
    "Table",
    "architecture",
    "architectures_with",
    "assumption_effects",
    "assumptions",
    "at_epochs",
    "audit_counts",
    "campaign",
    "cited",
    "claim_text",
    "class_balance",
    "class_scores",
    "classification_report",
    "closest_epochs",
    "comparisons",
    "counts",
    "data_summary",
    "differences",
    "directions",
    "effects",
    "epochs",
    "equivalence",
    "factorial",
    "facts",
    "findings",
    "held_against",
    "interval_text",
    "judged",
    "omissions",
    "ours_text",
    "parameter_counts",
    "protocol",
    "readings",
    "reported_text",
    "reported_trials",
    "results",
    "scoreboard",
    "seed_noise",
    "sides",
    "space",
    "study",
    "top_trials",
    "training_times",
    "undone",
    "value_text",
    "variants",
    "verdicts",
]
