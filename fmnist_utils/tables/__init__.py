"""What a chapter prints: tables that read well on paper, on a phone and in a terminal.

Every function returns a `Table`, which a notebook shows when it is the last expression of a cell.
What stands in it is text; a verdict has its word besides its colour.
"""

from fmnist_utils.tables.across_tables import (
    assumption_effects,
    directions,
    kinds,
    omissions,
    seed_noise,
)
from fmnist_utils.tables.baseline_tables import (
    classifiers,
    fast_trainings,
    in_minutes,
    published,
    tricks,
)
from fmnist_utils.tables.claim_tables import (
    closest_epochs,
    held_against,
    judged,
    readings,
    results,
    verdicts,
)
from fmnist_utils.tables.front_page import answers, result
from fmnist_utils.tables.headlines import headlines
from fmnist_utils.tables.model_tables import data_summary, disputed
from fmnist_utils.tables.network_tables import (
    calibration,
    network_orders,
    networks,
    settings_worth,
)
from fmnist_utils.tables.report_tables import (
    audit_counts,
    by_chance,
    chance_alone,
    rule_history,
    scoreboard,
    shares,
)
from fmnist_utils.tables.run_tables import (
    effects,
    equivalence,
    study,
    variants,
)
from fmnist_utils.tables.table import Badge, Stacked, Table, severity_badge
from fmnist_utils.text import claim_text, interval_text, ours_text, reported_text, value_text
