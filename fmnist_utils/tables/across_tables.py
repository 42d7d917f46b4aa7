"""All reports side by side: which way numbers differ, what is left out, and what that changes."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from fmnist_utils.models.spec import CNN
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import accuracies
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.stats import chance_difference
from fmnist_utils.tables.table import Stacked, Table
from fmnist_utils.text import apart_text, spread_text
from fmnist_utils.verdicts.across_reports import (
    SPLITS,
    accuracy_verdicts,
    choices,
    every_report,
    models,
)
from fmnist_utils.verdicts.outcome import Verdict, Word


def directions(store: RunStore = STORE) -> Table:
    """Count on which side of the reported accuracies our runs lie, by split.

    One accuracy counts for each model and split, the first that a report states. *Compatible* is
    inside the prediction interval of one more run; the others are outside.
    """
    found = [verdict for _, verdict in accuracy_verdicts(store)]
    rows = []
    for split in SPLITS:
        of_split = [verdict for verdict in found if verdict.claim.split == split]
        sides = [_side(verdict) for verdict in of_split]
        name = "training" if split == "train" else split
        rows.append((name, str(len(sides)), *(str(sides.count(side)) for side in _SIDES)))
    headers = ("accuracy", "numbers", *_SIDES)
    return Table(headers, tuple(rows), "Accuracies of models, all reports together")


_SIDES = ("compatible", "ours higher", "ours lower", "pending")


def _side(verdict: Verdict) -> str:
    if verdict.word == Word.PENDING or verdict.mean is None:
        return "pending"
    if verdict.word in (Word.REPRODUCED, Word.IMPRECISE):
        return "compatible"
    return "ours higher" if verdict.mean > verdict.claim.number else "ours lower"


def omissions() -> Table:
    """Show which settings each report states, and which we had to assume.

    A setting counts for the models that have it: only some drop values or augment images. It is
    derivable where no sentence states it, and a layer table or a count leaves one choice.
    """
    reports = every_report()
    rows = tuple(
        (name, *(_stated(report, pattern, applies) for report in reports))
        for name, (pattern, applies) in _SETTINGS.items()
    )
    headers = ("setting", *(report.short_name for report in reports))
    return Table(headers, rows, "What the reports state of their trainings, and what is missing")


def _stated(report: Report, pattern: str, applies: Callable[[Experiment], bool]) -> str:
    """Describe for how many of the models that have a setting it is missing."""
    having = (experiment for experiment in report.experiments.values() if applies(experiment))
    states = [state for item in having if (state := _state(report, item, pattern))]
    if not states:
        return "–"
    if len(set(states)) == 1:
        return states[0]
    worst = "missing" if "missing" in states else "derivable"
    return f"{worst} for {states.count(worst)} of {len(states)}"


def _state(report: Report, experiment: Experiment, pattern: str) -> str:
    """Say how a model comes by the settings that fit a pattern; nothing when it has none."""
    assumed = [item for item in experiment.assumed if re.fullmatch(pattern, item.setting)]
    if assumed:
        return "derivable" if all(item.derived for item in assumed) else "missing"
    owners = [experiment.id, *filter(None, [experiment.layers_as])]
    claims = [claim for name in owners for claim in report.experiments[name].stated]
    paths = {claim.setting or _counted(claim) for claim in claims}
    stated = {path for path in paths if re.fullmatch(pattern, path)}
    if {path for path in experiment.settings if re.fullmatch(pattern, path)} <= stated:
        return "stated" if stated else ""
    return "derivable"


def _counted(claim: Claim) -> str:
    """Return the setting that a number of images is about: how many validate."""
    counts = claim.quantity == "images" and claim.split == "validation"
    return "training.validation.count" if counts else ""


def _always(_: Experiment) -> bool:
    return True


def _drops(experiment: Experiment) -> bool:
    return '"dropout"' in experiment.model.model_dump_json(exclude_none=True)


def _has_training_accuracy(experiment: Experiment) -> bool:
    return experiment.accuracy("train") is not None


#: Name of a setting, pattern of its paths, and which experiments have it.
_SETTINGS: dict[str, tuple[str, Callable[[Experiment], bool]]] = {
    "optimizer": (r"training\.optimizer\.name", _always),
    "learning rate": (r"training\.optimizer\.learning_rate", _always),
    "batch size": (r"training\.batch_size", _always),
    "epochs": (r"training\.epochs", _always),
    "how many images validate": (r"training\.validation\.(fraction|count)", _always),
    "which images validate": (r"training\.validation\.take", _always),
    "activations": (r"model\..*\.activation", _always),
    "dropout rates": (r"model\..*\.dropout", _drops),
    "kernels, padding, pooling": (
        r"model\..*\.(kernel|padding|pool|pool_padding)",
        lambda experiment: isinstance(experiment.model, CNN),
    ),
    "amounts of augmentation": (
        r"training\.augmentation\..*",
        lambda experiment: experiment.training.augmentation is not None,
    ),
    "which epoch the numbers are of": (r"reading\.weights", _always),
    "how training accuracy is measured": (r"reading\.training accuracy.*", _has_training_accuracy),
}


def seed_noise(store: RunStore = STORE) -> Table:
    """Show how far apart the seeds of one model lie, in test accuracy after the last epoch.

    The last column is the difference that two single trainings of the median model exceed by
    chance in one of twenty cases.
    """
    spreads: dict[str, list[float]] = {}
    for model in models(store):
        sd = float(accuracies(model.runs, "test").std(ddof=1))
        spreads.setdefault(model.report.short_name, []).append(sd)
    rows = []
    for name, found in spreads.items():
        middle = float(np.median(found))
        values = (min(found), middle, max(found), chance_difference(middle, middle))
        rows.append((name, str(len(found)), *(f"{value:.2f}" for value in values)))
    headers = ("report", "models", "lowest sd", "median sd", "highest sd", "by chance (points)")
    return Table(headers, tuple(rows), "Standard deviation of test accuracy over seeds, in points")


def assumption_effects(store: RunStore = STORE) -> Table:
    """Show what each assumption made otherwise changes in test accuracy, the largest change first.

    Only variants that change what a report leaves open; accuracy is that after the last epoch, the
    interval Welch's, or in pairs where one training is the beginning of the other.
    """
    found = []
    for choice in choices(store):
        ours, other = (accuracies(runs, "test") for runs in (choice.base.runs, choice.runs))
        change = apart_text(choice.runs, choice.base.runs)
        what = Stacked(choice.variant.title, choice.base.report.short_name)
        row = (what, spread_text(ours), spread_text(other), change)
        found.append((abs(float(other.mean() - ours.mean())), row))
    rows = tuple(row for _, row in sorted(found, key=lambda item: -item[0]))
    headers = (
        "choice", "as assumed (%)", "chosen so (%)", "difference (points), 95 % interval",
    )  # fmt: skip
    return Table(headers, rows, f"{len(rows)} assumptions made otherwise: test accuracy")
