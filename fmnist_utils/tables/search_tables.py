"""Hyperparameter searches: the trials that a report prints, and those that we drew."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from fmnist_utils.models.layer_rules import windows
from fmnist_utils.models.spec import CNN, MLP
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Parameter, Search, Setting
from fmnist_utils.runs.record import Run, accuracies
from fmnist_utils.tables.table import Stacked, Table
from fmnist_utils.text import key_text, reported_text, spread_text, value_text
from fmnist_utils.tuning import Trials, TuningError, get_search, unbuildable
from fmnist_utils.verdicts.measure import measure


def space(report: Report, search_id: str) -> Table:
    """Show what a search varies: every parameter with its values, and defaults where stated.

    Parameters
    ----------
    report : Report
        Whose search.
    search_id : str
        Which one.

    Raises
    ------
    TuningError
        When there is no such search.
    """
    search = get_search(report, search_id)
    rows = []
    for name, item in search.space.items():
        default = "" if item.default is None else value_text(item.default)
        rows.append((key_text(name), _values_text(item), default))
    headers = ("parameter", "values", "default")
    width = 3 if any(default for _, _, default in rows) else 2
    trained = "one training" if search.executions == 1 else f"{search.executions} trainings"
    size = f"{search.trials} trials of {trained} with {search.epochs} epochs"
    caption = f"{search.title}: {size}, scored by {_OBJECTIVES[search.objective]}"
    return Table(headers[:width], tuple(row[:width] for row in rows), caption)


def _values_text(parameter: Parameter) -> str:
    if parameter.choices is not None:
        return " or ".join(map(value_text, parameter.choices))
    ends = f"{value_text(parameter.low)} to {value_text(parameter.high)}"
    if parameter.step is not None:
        return f"{ends} in steps of {value_text(parameter.step)}"
    return f"{ends}, uniform in the logarithm" if parameter.log else ends


def sides(report: Report, search_id: str) -> Table:
    """Show the side of the maps after each block, for every list of poolings.

    Parameters
    ----------
    report : Report
        Whose search.
    search_id : str
        Which one. Kernels are those of the experiment that it varies; a list is said to be
        impossible when it cannot be built under any other setting of the search.

    Raises
    ------
    TuningError
        When there is no such search, or it varies no pooling.
    """
    search = get_search(report, search_id)
    space = search.space.items()
    name = next((key for key, item in space if all(p.endswith(".pool") for p in item.sets)), None)
    if name is None:
        raise TuningError(f"Search {search.id} varies no pooling: there are no sides to follow.")
    experiment, parameter = report.experiments[search.of], search.space[name]
    impossible = unbuildable(report, search, name)
    rows = []
    for value in parameter.values:
        chosen = parameter.settings(value)
        own = all(experiment.setting(path) == setting for path, setting in chosen.items())
        model = search.vary(experiment, {name: value}).model
        texts = (_sides_text(model), _sides_text(_padded(model)))
        built = "no" if value in impossible else "yes"
        rows.append((Stacked(value_text(value), experiment.title if own else ""), *texts, built))
    headers = (key_text(name), "sides", "sides if pooling pads", "can be built")
    caption = f"{search.title}: side of the maps, first of the image, then after each block"
    lost = _lost_text(search, len(impossible), len(parameter.values))
    return Table(headers, tuple(rows), f"{caption}; {lost}")


def _sides_text(model: MLP | CNN) -> str:
    """Write the sides of square maps, that of the image first, then after each block."""
    sides = {0: model.input_shape[0]} | {item.layer: item.after[0] for item in windows(model)}
    return " → ".join(map(str, sides.values()))


def _padded(model: MLP | CNN) -> MLP | CNN:
    """Return the model with pooling that pads, which rounds sizes up."""
    if isinstance(model, MLP):
        return model
    blocks = (block.model_copy(update={"pool_padding": "same"}) for block in model.conv)
    return model.model_copy(update={"conv": tuple(blocks)})


def _lost_text(search: Search, impossible: int, lists: int) -> str:
    """Describe how many lists, and combinations if they can be counted, cannot be built."""
    lost = f"{impossible} of {lists} lists cannot be built"
    if any(item.choices is None and item.step is None for item in search.space.values()):
        return lost
    size = math.prod(len(item.values) for item in search.space.values())
    return f"{lost}, and with them {size * impossible // lists:,} of {size:,} combinations"


def reported_trials(report: Report, search_id: str, runs: Mapping[str, Sequence[Run]]) -> Table:
    """Show the trials that a report prints side by side: settings, reported score, and ours.

    Parameters
    ----------
    report : Report
        Whose search and experiments.
    search_id : str
        The search whose parameters are the rows.
    runs : mapping
        Experiment id to its runs; its order is that of the columns. The reported score is an
        experiment's claim ``score``, and ours is measured as that claim is read; without one it is
        the validation accuracy at the best epoch.

    Raises
    ------
    TuningError
        When there is no such search.
    KeyError
        When there is no such experiment.
    """
    search = get_search(report, search_id)
    experiments = {name: report[name] for name in runs}
    claims = {
        name: next((claim for claim in experiment.stated if claim.id == "score"), None)
        for name, experiment in experiments.items()
    }
    rows = (
        *_parameter_rows(search, [_used(search, item) for item in experiments.values()]),
        ("score, reported (%)", *(_stated(claim) for claim in claims.values())),
        ("score, ours (%)", *(_measured(claim, runs[name]) for name, claim in claims.items())),
        (
            "test accuracy after the last epoch, ours (%)",
            *(spread_text(accuracies(found, "test")) or "no runs yet" for found in runs.values()),
        ),
    )
    headers = ("setting", *(experiment.title for experiment in experiments.values()))
    numbers = sorted({len(found) for found in runs.values()})
    n = " or ".join(map(str, numbers)) or "no"
    caption = f"Trials as reported, and ours: mean ± standard deviation over {n} runs"
    return Table(headers, rows, caption)


def top_trials(report: Report, search_id: str, trials: Trials | None) -> Table:
    """Show the five best trials that we drew, best first: settings, score and test accuracy.

    Parameters
    ----------
    report : Report
        Whose search.
    search_id : str
        The search whose parameters are the rows.
    trials : Trials or None
        Its trials; without a trained one the table says how to run the search.

    Raises
    ------
    TuningError
        When there is no such search, or the trials are of another one.
    """
    search = get_search(report, search_id)
    if trials is None or not trials.ranked:
        drawn = len(trials.trials) if trials else 0
        row = (search.title, str(drawn), f"fmnist search {report.id} {search.id}")
        headers = ("search", "trials drawn", "command")
        return Table(headers, (row,), f"{search.title}: no trial was trained yet")
    if trials.search != search.id:
        raise TuningError(f"These are trials of search {trials.search}, not of {search.id}.")
    best, loss = trials.ranked[:5], search.objective == "val_loss"
    scores = [trial.score or 0.0 for trial in best]
    tests = [fmean(item.test_accuracy for item in trial.executions) for trial in best]
    rows = (
        *_parameter_rows(search, [trial.settings for trial in best]),
        (
            f"score: {_OBJECTIVES[search.objective]}",
            *(f"{score:.4f}" if loss else f"{100 * score:.2f}" for score in scores),
        ),
        ("test accuracy (%)", *(f"{100 * accuracy:.2f}" for accuracy in tests)),
    )
    means = f", means over {search.executions} trainings" if search.executions > 1 else ""
    caption = f"{search.title}: the best {len(best)} of {len(trials.trials)} trials{means}"
    return Table(("setting", *(f"trial {trial.number}" for trial in best)), rows, caption)


_OBJECTIVES = {"val_accuracy": "validation accuracy (%)", "val_loss": "validation loss"}


def _parameter_rows(
    search: Search, columns: Sequence[Mapping[str, Setting]]
) -> Iterable[tuple[str, ...]]:
    """Yield one row per parameter, its name in words and its value in every column."""
    for name, parameter in search.space.items():
        yield key_text(name), *(_setting_text(parameter, column[name]) for column in columns)


def _setting_text(parameter: Parameter, value: Setting) -> str:
    continuous = parameter.choices is None and parameter.step is None
    return f"{value:.3g}" if continuous and isinstance(value, float) else value_text(value)


def _used(search: Search, experiment: Experiment) -> dict[str, Any]:
    """Return what an experiment has for every parameter, as a trial would write it."""
    used: dict[str, Any] = {}
    for name, parameter in search.space.items():
        first = parameter.values[0]
        # A layer that is left out has None, for which a search writes 0 or False.
        nothing = type(first[0] if isinstance(first, tuple) else first)()
        settings = (experiment.setting(path) for path in parameter.sets)
        values = tuple(nothing if value is None else value for value in settings)
        listed = isinstance(first, tuple) or len(set(values)) > 1
        used[name] = values if listed else values[0]
    return used


def _stated(claim: Claim | None) -> str:
    if claim is None:
        return "not stated"
    return f"{claim.percent:.2f}" if claim.unit == "plain" else reported_text(claim)


def _measured(claim: Claim | None, runs: Sequence[Run]) -> Any:
    """Measure a score in percent as it is claimed, and name the epoch."""
    if not runs:
        return "no runs yet"
    if claim is None:
        return Stacked(spread_text(accuracies(runs, "validation", "best")), "best epoch")
    when = "best epoch" if claim.reading.startswith("best") else "last epoch"
    return Stacked(spread_text(100 / claim.whole * measure(claim, runs)), when)
