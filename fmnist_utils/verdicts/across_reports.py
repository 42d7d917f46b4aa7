"""All reports side by side: their accuracies, what they leave out, and what our runs say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.reports.experiment import Experiment, Variant
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.report import ONE_PROTOCOL, Report
from fmnist_utils.runs.record import Run, accuracies
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.verdicts.judge import MIN_RUNS
from fmnist_utils.verdicts.outcome import StatementVerdict, Verdict, by_statement
from fmnist_utils.verdicts.report_verdicts import judge_accuracies, judge_report, judge_tested

SPLITS = ("train", "validation", "test")


class Model(NamedTuple):
    """One model of a report with its runs: enough for a verdict."""

    report: Report
    experiment: Experiment
    runs: list[Run]


class Choice(NamedTuple):
    """One assumption made otherwise: the model as the book trains it, and under the other choice.

    Both have runs enough for a verdict.
    """

    base: Model
    variant: Variant
    runs: list[Run]


def every_report() -> list[Report]:
    """Load all reports of the book, in the order of their ids."""
    return [load_report(report_id) for report_id in list_reports()]


def accuracy_verdicts(store: RunStore) -> list[tuple[Report, Verdict]]:
    """Give the verdict on each accuracy that a report states of a model: one for each split.

    Verdicts of the same report and split stand together; splits are in the order of `SPLITS`.
    """
    found = []
    for report in every_report():
        runs = store.runs_of(report)
        for split in SPLITS:
            found += [(report, verdict) for verdict in judge_accuracies(report, runs, split)]
    return found


def every_statement(store: RunStore) -> list[tuple[Report, StatementVerdict]]:
    """Give the verdicts on all statements about results, of all reports."""
    return [
        (report, found)
        for report in every_report()
        for found in by_statement(judge_report(report, store))
    ]


def tested_verdicts(store: RunStore) -> list[Verdict]:
    """Give the verdicts on all claims that runs decide, of all reports; no model is built."""
    found = []
    for report in every_report():
        found += judge_tested(report, store.runs_of(report))
    return found


def _enough(runs: Sequence[Run]) -> bool:
    """Say whether verdicts by these runs would not be pending."""
    return len(runs) >= MIN_RUNS and not any(run.diverged for run in runs)


def models(store: RunStore) -> Iterator[Model]:
    """Yield every model of every report that has runs enough for a verdict."""
    for report in every_report():
        for name, runs in store.runs_of(report).items():
            if name in report.experiments and _enough(runs):
                yield Model(report, report.experiments[name], runs)


def one_protocol(store: RunStore = STORE) -> list[Model]:
    """List every network of the reports, trained by one protocol, the most accurate first.

    Accuracy is that on test images at the best validation epoch. Networks with fewer than three
    runs, or one that diverged, are left out.

    Parameters
    ----------
    store : RunStore, optional
        Where the runs are; the shipped ones and ``./runs`` by default.

    Examples
    --------
    >>> best = fu.verdicts.one_protocol()[0]
    >>> best.experiment.training.epochs
    30
    """
    found = []
    for report in every_report():
        for item in (report[name] for name in report.variants if name.startswith(ONE_PROTOCOL)):
            if _enough(runs := store.runs(item)):
                found.append(Model(report, item, runs))
    return sorted(found, key=lambda model: -accuracies(model.runs, "test", "best").mean())


def network_name(model: Model) -> str:
    """Return the title of one of `one_protocol`, without the protocol."""
    return model.experiment.title.removesuffix(", one protocol")


def answers_of(
    run: Run, labels: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how sure a run was of each test image at its best epoch, and whether it was right.

    Parameters
    ----------
    run : Run
        One that keeps its predictions.
    labels : array of uint8, shape (10000,)
        Of the test images.
    """
    classes, percents = run.at_best()
    return percents / 100, classes == labels


class Reported(NamedTuple):
    """An accuracy that a report states, in percent, and the images that it is of."""

    value: float
    split: str


def highest_reported(model: Model) -> Reported | None:
    """Return the highest accuracy that a report states of a network.

    On test images, or on validation images where none states one on test images; of every
    experiment of every report that trains the same network; None where none states any.

    Parameters
    ----------
    model : Model
        One of `one_protocol`.

    Examples
    --------
    >>> fu.verdicts.highest_reported(fu.verdicts.one_protocol()[0])
    Reported(value=92.51, split='validation')
    """
    for split in ("test", "validation"):
        found = [
            100 * claim.number / claim.whole
            for report in every_report()
            for experiment in report.experiments.values()
            for claim in experiment.stated
            if experiment.model == model.experiment.model
            and claim.about.is_accuracy
            and claim.split == split
        ]
        if found:
            return Reported(max(found), split)
    return None


def own_runs(model: Model, store: RunStore = STORE) -> list[Run]:
    """Return the runs of a network by the protocol of its report, the last where it has several.

    Parameters
    ----------
    model : Model
        One of `one_protocol`.
    store : RunStore, optional
        Where the runs are; the shipped ones and ``./runs`` by default.

    Examples
    --------
    >>> best = fu.verdicts.one_protocol()[0]
    >>> fu.verdicts.own_runs(best)[0].experiment
    'four-conv-padded'
    """
    *_, last = (
        experiment
        for experiment in model.report.experiments.values()
        if experiment.model == model.experiment.model
    )
    return store.runs(last)


def choices(store: RunStore) -> Iterator[Choice]:
    """Yield every variant that changes nothing but what a report leaves open, and has runs enough.

    A variant that changes what is stated is a study of ours, not another reading of the report.
    """
    for base in models(store):
        left_open = tuple(item.setting for item in base.experiment.assumed)
        for name, variant in base.report.other_choices.items():
            if variant.of != base.experiment.id or not _only(variant.settings, left_open):
                continue
            runs = store.runs(base.report[name])
            if _enough(runs):
                yield Choice(base, variant, runs)


def _only(changed: Iterable[str], left_open: Sequence[str]) -> bool:
    """Say whether each changed path is among those left open, or holds or lies in one of them."""

    def related(one: str, other: str) -> bool:
        return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")

    return all(any(related(path, known) for known in left_open) for path in changed)
