"""What a chapter prints: tables that read well on paper, on a phone and in a terminal.

Every function returns a `Table`, which a notebook shows when it is the last expression of a cell.
What stands in it is text; a verdict has its word besides its colour.

Examples
--------
>>> by_id, two = {experiment.id: runs}, {("none", "MLP"): runs, ("one", "MLP"): runs}
>>> four = {(layers, rate): runs for layers in ("none", "one") for rate in ("0", "0.5")}
>>> tables = [
...     fu.tables.data_summary(data),
...     fu.tables.study(by_id), fu.tables.directions(), fu.tables.seed_noise(),
...     fu.tables.readings(experiment, "test", runs),
...     fu.tables.held_against(experiment, runs, "the same again"),
...     fu.tables.closest_epochs(experiment, runs),
...     fu.tables.variants(report, by_id), fu.tables.results(report, by_id),
...     fu.tables.effects(two, against="none", x="hidden layers", line="model"),
...     fu.tables.factorial(four, x="hidden layers", line="dropout"),
...     fu.tables.equivalence(fu.equivalence.compare(fu.equivalence.BFLOAT16)),
... ]
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
from fmnist_utils.tables.front import answers, result
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
    factorial,
    study,
    variants,
)
from fmnist_utils.tables.table import Badge, Stacked, Table, severity_badge
from fmnist_utils.text import claim_text, interval_text, ours_text, reported_text, value_text
