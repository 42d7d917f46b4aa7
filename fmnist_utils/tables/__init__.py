"""What a chapter prints: tables that read well on paper, on a phone and in a terminal.

Every function returns a `Table`, which a notebook shows when it is the last expression of a cell.
What stands in it is text; a verdict has its word besides its colour.

Examples
--------
>>> by_id, two = {experiment.id: runs}, {("none", "MLP"): runs, ("one", "MLP"): runs}
>>> four = {(layers, rate): runs for layers in ("none", "one") for rate in ("0", "0.5")}
>>> searched = fu.load_report("anastasopoulos-mpofu-smith")
>>> trials = fu.search(searched, "as-listed", data)
>>> tables = [
...     fu.tables.data_summary(data), fu.tables.class_balance(data, fraction=0.2),
...     fu.tables.facts(report), fu.tables.cited(report), fu.tables.architectures_with(44_426),
...     fu.tables.study(by_id), fu.tables.at_epochs(by_id, [1, 5]), fu.tables.directions(),
...     fu.tables.readings(experiment, "test", runs), fu.tables.seed_noise(),
...     fu.tables.architecture(experiment), fu.tables.assumptions(report),
...     fu.tables.parameter_counts({"as described": experiment}, stated=7850),
...     fu.tables.held_against(experiment, runs, "the same again"),
...     fu.tables.closest_epochs(experiment, runs), fu.tables.classification_report(runs),
...     fu.tables.epochs(experiment, runs), fu.tables.class_scores(experiment, runs),
...     fu.tables.differences(experiment, runs, experiment, runs),
...     fu.tables.variants(report, by_id), fu.tables.results(report, by_id),
...     fu.tables.comparisons(report, by_id), fu.tables.training_times(report, by_id),
...     fu.tables.campaign(by_id), fu.tables.undone(report), fu.tables.findings(report),
...     fu.tables.effects(two, against="none", x="hidden layers", line="model"),
...     fu.tables.factorial(four, x="hidden layers", line="dropout"),
...     fu.tables.equivalence(fu.equivalence.compare(fu.equivalence.BFLOAT16)),
...     fu.tables.space(searched, "as-listed"), fu.tables.top_trials(searched, "as-listed", trials),
...     fu.tables.reported_trials(searched, "as-listed", {}),
... ]
"""

from fmnist_utils.tables.across_tables import (
    assumption_effects,
    directions,
    kinds,
    omissions,
    seed_noise,
)
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
from fmnist_utils.tables.data_tables import class_balance, data_summary, disputed, facts
from fmnist_utils.tables.front import answers, result
from fmnist_utils.tables.headlines import headlines
from fmnist_utils.tables.model_tables import (
    architecture,
    architectures_with,
    assumptions,
    parameter_counts,
    protocol,
)
from fmnist_utils.tables.report_tables import audit_counts, counts, findings, scoreboard
from fmnist_utils.tables.rule_tables import by_chance, chance_alone, rule_history, shares
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
