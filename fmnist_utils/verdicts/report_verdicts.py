"""The verdicts of an experiment, of a search, of a whole report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Search
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.tuning import load_trials
from fmnist_utils.verdicts.judge import hold_against, judge
from fmnist_utils.verdicts.measure import Evidence, PriorOf
from fmnist_utils.verdicts.outcome import Verdict


def judge_experiment(
    experiment: Experiment, runs: Sequence[Run], prior: PriorOf | None = None
) -> list[Verdict]:
    """Give the verdicts on all claims an experiment states outside its layer table.

    Parameters
    ----------
    experiment : Experiment
        Whose claims.
    runs : sequence of Run
        Its own.
    prior : function, optional
        Gives the prior of variances for a claim; see `Evidence`.
    """
    evidence = Evidence(experiment, {experiment.id: runs}, prior=prior)
    return [hold_against(claim, evidence) for claim in experiment.results]


def judge_layers(experiment: Experiment) -> list[Verdict]:
    """Hold the printed layer table, if there is one, against the built model, cell by cell."""
    if experiment.table is None:
        return []
    evidence = Evidence(experiment)
    return [hold_against(claim, evidence) for claim in experiment.table.claims()]


def judge_search(report: Report, search: Search) -> list[Verdict]:
    """Give the verdicts on what a report states about a search: whether our trials follow it.

    Parameters
    ----------
    report : Report
        Whose search.
    search : Search
        Its table of trials is read.
    """
    table = load_trials(report, search.id)
    evidence = Evidence(search, trials=len(table.scores) if table else 0)
    return [hold_against(claim, evidence) for claim in search.claims]


def judge_claims(
    report: Report, runs: Mapping[str, Sequence[Run]], prior: PriorOf | None = None
) -> list[Verdict]:
    """Give the verdicts on a report's claims about the data and about several experiments.

    Parameters
    ----------
    report : Report
        Whose claims.
    runs : mapping of str to sequence of Run
        Those of every model that a claim names, variants included; see `RunStore.runs_of`.
    prior : function, optional
        Gives the prior of variances for a claim; see `Evidence`.
    """
    evidence = Evidence(runs=runs, prior=prior)
    return [hold_against(claim, evidence) for claim in report.claims]


def judge_tested(report: Report, runs: Mapping[str, Sequence[Run]]) -> list[Verdict]:
    """Give the verdicts on all claims that runs decide; no model is built.

    Parameters
    ----------
    report : Report
        Whose claims.
    runs : mapping of str to sequence of Run
        Those of every model; see `RunStore.runs_of`.
    """
    verdicts = []
    for experiment, claim in report.all_claims():
        if claim.kind in ("measured", "comparison"):
            own = {experiment.id: runs[experiment.id]} if experiment else runs
            verdicts.append(hold_against(claim, Evidence(experiment, own)))
    return verdicts


def accuracy_claims(report: Report, split: str = "test") -> dict[str, Claim]:
    """Return each experiment's first claim about its accuracy on a split, by experiment id.

    Parameters
    ----------
    report : Report
        Whose experiments.
    split : {"train", "validation", "test"}
        Of which images; an experiment that states no such accuracy is left out.
    """
    stated = {name: item.accuracy(split) for name, item in report.experiments.items()}
    return {name: claim for name, claim in stated.items() if claim}


def reported_accuracies(report: Report, split: str = "test") -> dict[str, float]:
    """Return what each experiment reports as its accuracy on a split, in percent.

    Parameters
    ----------
    report : Report
        Whose experiments.
    split : {"train", "validation", "test"}
        Of which images; an experiment that states no such accuracy is left out.

    Examples
    --------
    >>> fu.verdicts.reported_accuracies(report)["mlp-baseline"]
    84.6
    """
    return {name: claim.percent for name, claim in accuracy_claims(report, split).items()}


def judge_accuracies(
    report: Report, runs: Mapping[str, Sequence[Run]], split: str = "test"
) -> list[Verdict]:
    """Judge the accuracy of each experiment on a split.

    Parameters
    ----------
    report : Report
        Whose experiments.
    runs : mapping
        Experiment id to its runs; fewer than three leave the verdict pending.
    split : {"train", "validation", "test"}
        Of which images.

    Examples
    --------
    >>> [str(v.word) for v in fu.verdicts.judge_accuracies(report, {"mlp-baseline": runs})][:2]
    ['reproduced', 'pending']
    """
    return [
        judge(report[name], claim, runs.get(name, ()))
        for name, claim in accuracy_claims(report, split).items()
    ]


def judge_report(report: Report, store: RunStore, prior: PriorOf | None = None) -> list[Verdict]:
    """Give the verdict on every number and ordering that a report states.

    Builds every model to check the layer tables, so it needs Keras and a few seconds.

    Parameters
    ----------
    report : Report
        Whose claims.
    store : RunStore
        Where the runs are.
    prior : function, optional
        Gives the prior of variances for a claim; see `Evidence`.
    """
    runs = store.runs_of(report)
    verdicts = judge_claims(report, runs, prior)
    for search in report.searches.values():
        verdicts += judge_search(report, search)
    for name, experiment in report.experiments.items():
        verdicts += judge_experiment(experiment, runs[name], prior)
        verdicts += judge_layers(experiment)
    return verdicts
