"""What the record lists besides claims: findings, assumptions, trainings and runs, one row each.

The text after each attribute is also what the data dictionary and the JSON schemas say of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmnist_utils import audit
from fmnist_utils.reports.claim import Assumption
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Search
from fmnist_utils.runs.reading import valid_runs
from fmnist_utils.runs.record import Provenance, Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.text import value_text
from fmnist_utils.tuning import load_trials


@dataclass(frozen=True)
class FindingRow:
    """A place where a report contradicts itself, cannot be right, or cannot be followed.

    Attributes
    ----------
    address : str
        Report and finding: the row's address on the page of findings.
    report : str
        Id of the report.
    title : str
        The fault in a few words.
    severity : str
        How much it matters: high, medium or low.
    where : str
        Where in the report.
    claimed : str
        What the report states, or leaves out.
    because : str
        The arithmetic or the reason why that cannot stand.
    consequence : str
        What follows for the reproduction.
    """

    address: str
    report: str
    title: str
    severity: str
    where: str
    claimed: str
    because: str
    consequence: str


@dataclass(frozen=True)
class AssumptionRow:
    """A setting that a report leaves out.

    Attributes
    ----------
    address : str
        Report, first experiment and setting: the row's address on the page of assumptions.
    report : str
        Id of the report.
    experiments : list of str
        Ids of the experiments and searches that use it.
    setting : str
        Which setting: a path into the experiment, or a choice of how a number is read.
    chosen : str
        What the book uses.
    because : str
        Why.
    variants : list of str
        Ids of our variants that choose otherwise, to show what the choice changes.
    """

    address: str
    report: str
    experiments: list[str]
    setting: str
    chosen: str
    because: str
    variants: list[str]


@dataclass(frozen=True)
class RunRow:
    """One training of one experiment with one seed. Accuracies and loss are of the last epoch.

    Attributes
    ----------
    report, experiment : str
        Ids of the report, and of the experiment or of our variant of one.
    seed : int
        What its random numbers start from.
    used : bool
        Whether verdicts rest on it. Other runs compare precisions or trainers.
    epochs, best_epoch : int
        Number of epochs trained, and the epoch with the best validation metric.
    seconds : float
        Wall-clock time of all epochs, validation included.
    train_accuracy, validation_accuracy, test_accuracy : float
        Percent of the images of each part.
    test_loss : float or None
        Nats per image; empty where the training diverged.
    device : str
        Processor or GPU, as the machine names it.
    threads : int or None
        How many processor threads computed; empty where the record does not say.
    backend, precision : str
        What Keras ran on, and what layers computed in.
    method : str
        How it was trained: our trainer, or Keras' own fit.
    versions : dict
        Version of every library that matters.
    date, revision : str
        When it was trained, and by which commit of the code.
    file : str
        Name of its record.
    """

    report: str
    experiment: str
    seed: int
    used: bool
    epochs: int
    best_epoch: int
    seconds: float
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    test_loss: float | None
    device: str
    threads: int | None
    backend: str
    precision: str
    method: str
    versions: dict[str, str]
    date: str
    revision: str
    file: str


@dataclass(frozen=True)
class TrainingRow:
    """What the runs of one experiment, variant or search cost, and where they were trained.

    Attributes
    ----------
    address : str
        Report and experiment: the row's address on the page of runs.
    report : str
        Id of the report.
    title : str
        What the book calls it.
    kind : str
        Experiment of the report, variant of ours, or search.
    seeds : list of int
        Seeds of the runs that verdicts rest on; of a search, the numbers of its trials.
    epochs, seconds : float or None
        Mean of a run, and of a trial for seconds; empty before there is one.
    seconds_sd : float or None
        Standard deviation of the seconds; empty for fewer than two.
    devices : list of str
        Processors or GPUs.
    threads : list of int
        How many processor threads computed, where records say so.
    precisions, versions : list of str
        What layers computed in, and the versions of the libraries.
    dates, revisions : list of str
        When they were trained, and by which commits.
    files : list of str
        Names of the records.
    """

    address: str
    report: str
    title: str
    kind: str
    seeds: list[int]
    epochs: float | None
    seconds: float | None
    seconds_sd: float | None
    devices: list[str]
    threads: list[int]
    precisions: list[str]
    versions: list[str]
    dates: list[str]
    revisions: list[str]
    files: list[str]


def finding_rows(report: Report, store: RunStore) -> list[FindingRow]:
    """List the findings of the audit, the most severe first.

    Parameters
    ----------
    report : Report
        What is audited.
    store : RunStore
        The runs by which checks tell noise from difference.
    """
    return [
        FindingRow(
            address=f"{report.id}/{item.id}", report=report.id, title=getattr(item, "title", ""),
            **item.model_dump(include={"severity", "where", "claimed", "because", "consequence"}),
        )
        for item in audit.audit_report(report, store)
    ]  # fmt: skip


def assumption_rows(report: Report) -> list[AssumptionRow]:
    """List what a report leaves out; experiments that make the same choice share a row."""
    owners: dict[Assumption, list[str]] = {}
    subjects: list[Experiment | Search] = [*report.experiments.values(), *report.searches.values()]
    for subject in subjects:
        for item in subject.assumed:
            owners.setdefault(item, []).append(subject.id)
    return [
        AssumptionRow(
            address=f"{report.id}/{names[0]}/{item.setting}".replace(" ", "-"),
            report=report.id,
            experiments=names,
            setting=item.setting,
            chosen=value_text(item.chosen),
            because=item.because,
            variants=[
                name
                for name, variant in report.other_choices.items()
                if variant.of in names and item.setting in variant.settings
            ],
        )
        for item, names in owners.items()
    ]


def run_rows(report: Report, store: RunStore) -> list[RunRow]:
    """List every run of a report's experiments and variants, also those that no verdict uses.

    Parameters
    ----------
    report : Report
        Whose experiments.
    store : RunStore
        Where the runs are.
    """
    rows = []
    for experiment in report.trainable.values():
        records = store.all_runs(experiment)
        used = {run.filename for run in valid_runs(records, experiment)}
        rows += [_run_row(run, run.filename in used) for run in records]
    return rows


def _run_row(run: Run, used: bool) -> RunRow:
    made, last = run.provenance, run.final
    shares = (part.accuracy for part in last.parts)
    train, validation, test = (round(100 * share, 4) for share in shares)
    return RunRow(
        report=run.report, experiment=run.experiment, seed=run.seed, used=used,
        epochs=run.epochs, best_epoch=run.best.epoch,
        seconds=round(math.fsum(run.seconds_per_epoch), 3),
        train_accuracy=train, validation_accuracy=validation, test_accuracy=test,
        test_loss=last.test.loss if math.isfinite(last.test.loss) else None,
        device=made.device, threads=made.threads, backend=made.backend, precision=made.precision,
        method=_method(made), versions=made.versions, date=made.date, revision=made.revision,
        file=run.filename,
    )  # fmt: skip


def _method(made: Provenance) -> str:
    if not made.plain_fit:
        return "trainer"
    return "keras-fit-unseeded" if made.unseeded else "keras-fit"


def training_rows(report: Report, runs: Iterable[RunRow]) -> list[TrainingRow]:
    """Summarise the runs that verdicts rest on, by experiment, variant and search.

    Parameters
    ----------
    report : Report
    runs : iterable of RunRow
        Those of the report.
    """
    grouped: dict[str, list[RunRow]] = {name: [] for name in report.trainable}
    for run in runs:
        if run.used:
            grouped[run.experiment].append(run)
    rows = [
        _training_row(
            report[name],
            kind="variant" if report[name].variant_of else "experiment",
            made=found,
            report=report.id,
            seeds=[run.seed for run in found],
            epochs=round(float(np.mean([run.epochs for run in found])), 1) if found else None,
            files=[run.file for run in found],
            each=[run.seconds for run in found],
        )
        for name, found in grouped.items()
    ]
    return rows + [_search_row(report, search) for search in report.searches.values()]


def _search_row(report: Report, search: Search) -> TrainingRow:
    """Summarise a search: a trial takes the place of a run."""
    table = load_trials(report, search.id)
    trials = [trial for trial in table.trials if trial.executions] if table else []
    return _training_row(
        search,
        kind="search",
        made=[trial.provenance for trial in trials if trial.provenance],
        report=report.id,
        seeds=[trial.number for trial in trials],
        epochs=None,
        files=[f"{search.id}.json"] if trials else [],
        each=[math.fsum(item.seconds for item in trial.executions) for trial in trials],
    )


def _training_row(
    subject: Experiment | Search,
    made: Sequence[RunRow | Provenance],
    each: Sequence[float],
    **known: Any,
) -> TrainingRow:
    versions = (", ".join(f"{k} {v}" for k, v in item.versions.items()) for item in made)
    return TrainingRow(
        address=f"{known['report']}/{subject.id}",
        title=subject.title,
        seconds=round(float(np.mean(each)), 1) if each else None,
        seconds_sd=round(float(np.std(each, ddof=1)), 1) if len(each) > 1 else None,
        devices=_different(item.device for item in made),
        threads=sorted({item.threads for item in made if item.threads}),
        precisions=_different(item.precision for item in made),
        versions=_different(versions),
        dates=_different(item.date for item in made),
        revisions=_different(item.revision for item in made),
        **known,
    )


def _different(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
