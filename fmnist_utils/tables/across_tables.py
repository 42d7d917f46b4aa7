"""All reports side by side: which way numbers differ, what is left out, and what that changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np

from fmnist_utils.models.spec import CNN
from fmnist_utils.reports.claim import SPLIT_WORDS, Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.quantities import SEVERAL, TOPICS
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.pairing import difference
from fmnist_utils.runs.record import accuracies
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.stats import chance_difference, mean_difference
from fmnist_utils.tables.table import Stacked, Table
from fmnist_utils.text import difference_text
from fmnist_utils.verdicts.across_reports import (
    SPLITS,
    Choice,
    accuracy_verdicts,
    choices,
    every_report,
    every_statement,
    models,
)
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.outcome import COLUMNS, INSIDE, Verdict


def kinds(store: RunStore = STORE) -> Table:
    """Count the statements of all reports by what they are about, and by what became of them.

    Parameters
    ----------
    store : RunStore, optional
        Where the runs are; the shipped ones and ``./runs`` by default.

    Examples
    --------
    >>> fu.tables.kinds().headers[:3]
    ('statements about', 'all', 'reproduced')
    """
    found: dict[str, list[str]] = {name: [] for name in TOPICS}
    for _, statement in every_statement(store):
        about = {_topic(part.claim) for part in statement.parts}
        found[about.pop() if len(about) == 1 else SEVERAL].append(statement.column)
    rows = tuple(
        (name, str(len(columns)), *(str(columns.count(column)) for column in COLUMNS))
        for name, columns in found.items()
        if columns
    )
    caption = f"{sum(map(len, found.values()))} statements of all reports, by what they are about"
    return Table(("statements about", "all", *map(str, COLUMNS)), rows, caption)


def _topic(claim: Claim) -> str:
    return claim.about.topic.format(part=SPLIT_WORDS[claim.split or "test"])


def directions(store: RunStore = STORE) -> Table:
    """Count on which side of the reported accuracies our runs lie, by split.

    One accuracy counts for each model and split, the first that a report states; an accuracy that
    is held against two readings of the report counts once, as inside when it is inside for one.
    *Inside* is the prediction interval of one more run. The last columns also count means that lie
    inside; a mean that is higher for one reading and lower for the other is in neither.

    Examples
    --------
    >>> [row[0] for row in fu.tables.directions().rows]
    ['training', 'validation', 'test']
    """
    rows, every = [], accuracy_verdicts(store)
    for split in SPLITS:
        found = _once(every, split)
        sides = [_side(verdicts) for verdicts in found]
        apart = [[_distance(verdict) for verdict in verdicts] for verdicts in found]
        higher = sum(all(distance > 0 for distance in distances) for distances in apart)
        lower = sum(all(distance < 0 for distance in distances) for distances in apart)
        name = "training" if split == "train" else split
        counted = (str(sides.count(side)) for side in _SIDES)
        rows.append((name, str(len(sides)), *counted, str(higher), str(lower)))
    headers = ("accuracy", "numbers", *_SIDES, "mean of ours higher", "mean of ours lower")
    return Table(headers, tuple(rows), "Accuracies of models, all reports together")


_SIDES = ("inside", "outside, ours higher", "outside, ours lower", "pending")


def _once(found: Iterable[tuple[Report, Verdict]], split: str) -> list[list[Verdict]]:
    """Group the verdicts on one split by the number that the report prints."""
    groups: dict[tuple[object, ...], list[Verdict]] = {}
    for report, verdict in found:
        if verdict.claim.split == split:
            statement = verdict.claim.statement_under(verdict.experiment)
            groups.setdefault((report.id, statement, verdict.claim.value), []).append(verdict)
    return list(groups.values())


def _side(verdicts: Iterable[Verdict]) -> str:
    sides = {_side_of(verdict) for verdict in verdicts}
    return min(sides, key=_SIDES.index)


def _side_of(verdict: Verdict) -> str:
    if verdict.mean is None or verdict.word.column == "pending":
        return "pending"
    if verdict.word in INSIDE:
        return "inside"
    return f"outside, ours {'higher' if _distance(verdict) > 0 else 'lower'}"


def _distance(verdict: Verdict) -> float:
    """Return our mean minus the reported value; zero where there is no mean."""
    return 0.0 if verdict.mean is None else verdict.mean - verdict.claim.number


def omissions() -> Table:
    """Show which settings each report states, and which we had to assume.

    A setting counts for the models that have it: only some drop values or augment images. It is
    derivable where no sentence states it, and a layer table or a count leaves one choice.

    Examples
    --------
    >>> fu.tables.omissions().rows[0][:3]
    ('optimizer', 'missing for 1 of 7', 'stated')
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
    counts = claim.about.counts_images and claim.split == "validation"
    return "training.validation.count" if counts else ""


def _always(_: Experiment) -> bool:
    return True


def _drops(experiment: Experiment) -> bool:
    return 'dropout"' in experiment.model.model_dump_json(exclude_none=True)


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
    "dropout rates": (r"model\.(.*\.|input_)dropout", _drops),
    "kernels, padding, pooling": (
        r"model\..*\.(kernel|padding|strides|pool\w*)",
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

    The last columns are about two single trainings of the median model: by how much they differ on
    average, and by more than what in one of twenty cases.

    Examples
    --------
    >>> fu.tables.seed_noise().headers[:5]
    ('report', 'models', 'lowest sd', 'median sd', 'highest sd')
    """
    spreads: dict[tuple[str, str], list[float]] = {}
    for model in models(store):
        sd = float(accuracies(model.runs, "test").std(ddof=1))
        spreads.setdefault((model.report.id, model.report.short_name), []).append(sd)
    rows = []
    for (_, name), found in spreads.items():
        middle = float(np.median(found))
        apart = (mean_difference(middle), chance_difference(middle, middle))
        values = (min(found), middle, max(found), *apart)
        rows.append((name, str(len(found)), *(f"{value:.2f}" for value in values)))
    headers = ("report", "models", "lowest sd", "median sd", "highest sd",
               "two trainings differ by", "in one of twenty cases by over")  # fmt: skip
    return Table(headers, tuple(rows), "Standard deviation of test accuracy over seeds, in points")


def assumption_effects(store: RunStore = STORE) -> Table:
    """Show what each assumption made otherwise changes in test accuracy, the largest change first.

    Only variants that change what a report leaves open; accuracy is that after the last epoch, the
    interval Welch's, or in pairs where one training is the beginning of the other. The last column
    has the verdicts on the model's test accuracy, or on its validation accuracy where the report
    states no other, and says whether the choice changes the word. Both words are by the same seeds:
    fewer runs give a wider interval, which may change the word by itself.

    Examples
    --------
    >>> fu.tables.assumption_effects().headers
    ('choice', 'difference (points), 95 % interval', 'verdict on the stated accuracy')
    """
    found = []
    for choice in choices(store):
        sides = (choice.runs, choice.base.runs)
        change = difference(*sides)
        what = Stacked(choice.variant.title, choice.base.report.short_name)
        row = (what, difference_text(*sides), _word_change(choice))
        found.append((abs(change.mean) if change else 0.0, row))
    rows = tuple(row for _, row in sorted(found, key=lambda item: -item[0]))
    changed = sum("→" in row[-1] for row in rows)
    judged = sum(row[-1] != _NOTHING for row in rows)
    headers = ("choice", "difference (points), 95 % interval", "verdict on the stated accuracy")
    caption = (
        f"{len(rows)} assumptions made otherwise: test accuracy after the last epoch. In {judged} "
        "cases the report states an accuracy, be it of other images or epochs: judged by the same "
        f"seeds, the choice changes the verdict's word in {changed}"
    )
    return Table(headers, rows, caption)


_NOTHING = "none stated"


def _word_change(choice: Choice) -> str:
    """Write which word the stated accuracy gets, and which under the other choice."""
    experiment = choice.base.experiment
    claim = experiment.accuracy("test") or experiment.accuracy("validation")
    if claim is None:
        return _NOTHING
    both = (choice.base.runs, choice.runs)
    seeds = set.intersection(*({run.seed for run in runs} for runs in both))
    alike = ([run for run in runs if run.seed in seeds] for runs in both)
    words = [str(judge(experiment, claim, runs).word) for runs in alike]
    return " → ".join(dict.fromkeys(words))
