"""Protocols: what training they allow, whether models were trained alike, what was searched."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from fmnist_utils.audit.fault import Fault, address, fault_of, place
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.quantities import EPOCHS
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Parameter, Search
from fmnist_utils.reports.settings import key_words
from fmnist_utils.reports.values import SCALES, same_value
from fmnist_utils.text import (
    counted,
    joined,
    key_text,
    listed,
    slug,
    stated_value,
    subject_text,
    variants_text,
)


def impossible_epochs(report: Report) -> Iterator[Fault]:
    """Find trainings that end neither at their limit nor as early stopping would.

    No epoch of a training can be stated that lies after its stated end.
    """
    for experiment in report.experiments.values():
        trained = [c for c in experiment.stated if c.about.is_length]
        end = max(trained, default=None, key=lambda claim: claim.number)
        for claim in experiment.stated:
            if claim.about.unit != EPOCHS:
                continue
            problem, numbers = _no_end(experiment, claim), [claim]
            if not problem and end and claim.interval.low > end.interval.high:
                problem = f"training ended after epoch {stated_value(end)}"
                numbers.append(end)
            if problem:
                told = f"{subject_text(claim)} of {experiment.title}: {stated_value(claim)}"
                yield fault_of("epochs", experiment, numbers, claimed=told, because=problem)


def _no_end(experiment: Experiment, claim: Claim) -> str:
    """Say why a training cannot have ended, or been, at an epoch, by its settings."""
    limit, stopping = experiment.training.epochs, experiment.training.early_stopping
    if claim.number > limit:
        return f"training is limited to {limit} epochs"
    if not claim.about.is_length or claim.number == limit:
        return ""
    if stopping is None:
        return f"nothing ends training before {limit} epochs"
    if claim.number > stopping.patience:
        return ""
    first = stopping.patience + 1
    return (
        f"with a patience of {stopping.patience} training ends after epoch {first} at the earliest"
    )


#: What decides how many images a model sees, for how long, and which epoch counts. What a report
#: tunes on purpose (optimizer, batch size) may differ.
_PROTOCOL = ("training.validation", "training.epochs", "training.early_stopping", "training.images")


def unequal_protocols(report: Report) -> Iterator[Fault]:
    """Find models whose accuracies stand side by side, trained under different protocols."""
    beside = [
        e for e in report.experiments.values() if e.accuracy("test") or e.accuracy("validation")
    ]
    stated: dict[str, dict[str, list[tuple[Experiment, Claim]]]] = defaultdict(dict)
    for experiment in beside:
        for claim in experiment.stated:
            if (claim.setting or "").startswith(_PROTOCOL):
                stated[claim.setting or ""].setdefault(_setting_text(claim), []).append(
                    (experiment, claim)
                )
    unequal = {path: values for path, values in stated.items() if len(values) > 1}
    if not unequal:
        return
    sizes = {e.id: split_sizes(e.training)["train"] for e in beside}
    reasons = [
        _split_up(key_text(path), {text: [e.title for e, _ in claims]
                                   for text, claims in values.items()}, len(beside))
        for path, values in unequal.items()
    ]  # fmt: skip
    images: dict[str, list[str]] = defaultdict(list)
    for experiment in beside:
        images[f"{sizes[experiment.id]:,}"].append(experiment.title)
    if len(images) > 1:
        reasons.append(_split_up("training images", images, len(beside)))
    yield Fault(
        kind="protocol",
        where=place(*(found[0][1] for values in unequal.values() for found in values.values())),
        claimed=f"the accuracies of {counted(len(beside), 'model')} are set side by side",
        because=joined(reasons),
        rests_on=frozenset(
            address(*one)
            for values in unequal.values()
            for found in values.values()
            for one in found
        ),
        severity="high" if _compared_apart(report, sizes) else None,
        words={"tried": variants_text(report, [(e.id, path) for e in beside for path in unequal])},
    )


def _compared_apart(report: Report, sizes: dict[str, int]) -> bool:
    """Say whether a sentence compares models that were trained on different numbers of images."""
    return any(
        sizes[claim.of or ""] != sizes[claim.than or ""]
        for claim in report.claims
        if {claim.of, claim.than} <= sizes.keys()
    )


def _split_up(name: str, values: Mapping[str, Sequence[str]], models: int) -> str:
    """Say which models have which value; the most frequent one last, for all others if it is so."""
    ranked = sorted(values.items(), key=lambda item: len(set(item[1])))
    told = [f"{text} for {listed(dict.fromkeys(titles))}" for text, titles in ranked]
    if sum(len(set(titles)) for titles in values.values()) == models:
        told[-1] = f"{ranked[-1][0]} for the others"
    return f"{name}: {listed(told)}"


def _setting_text(claim: Claim) -> str:
    """Write the value of a setting so that 20 % and 0.2 are the same."""
    if isinstance(claim.value, Decimal):
        return f"{float(claim.interval.middle):g}"
    return str(claim.value).lower()


def unreported_criterion(report: Report) -> Iterator[Fault]:
    """Find metrics that end a training and are stated nowhere."""
    silent: dict[str, list[Claim]] = defaultdict(list)
    for experiment in report.experiments.values():
        stopping = experiment.training.early_stopping
        monitors = [c for c in experiment.stated if c.setting == "training.early_stopping.monitor"]
        if stopping and monitors:
            metric = stopping.monitor.removeprefix("val_")
            split = "validation" if stopping.monitor.startswith("val_") else "train"
            metrics = (claim for claim in experiment.results if claim.about.is_metric)
            stated = {(claim.about.metric, claim.split) for claim in metrics}
            if (metric, split) not in stated:
                silent[stopping.monitor].append(monitors[0])
    for monitor, claims in silent.items():
        metric = monitor.removeprefix("val_")
        subject = f"{'validation' if monitor.startswith('val_') else 'training'} {metric}"
        yield Fault(
            kind="criterion",
            about=metric if monitor.startswith("val_") else f"train-{metric}",
            where=place(*claims),
            claimed=f"{subject} ends the training of {counted(len(claims), 'model')}",
            because=f"no {subject} is stated for any of them",
        )


def chosen_on_test(report: Report) -> Iterator[Fault]:
    """Find trainings that the test images end, for they validate on them."""
    found = [
        experiment
        for experiment in report.experiments.values()
        if experiment.training.validation.take == "test"
        and experiment.training.early_stopping
        and experiment.training.monitor.startswith("val_")
    ]
    if found:
        yield Fault(
            kind="stopped-on-test",
            where=joined(experiment.where for experiment in found),
            claimed="accuracies on test images of models that early stopping ends: "
            + listed(experiment.title for experiment in found),
            because="the metric that ends training is measured on the test images themselves",
        )


# --- searches ------------------------------------------------------------------------------------


def trials_of(report: Report, search: Search) -> list[Experiment]:
    """Return the experiments that a search can have drawn: of the network that it varies.

    Parameters
    ----------
    report : Report
        Whose experiments are searched through.
    search : Search
        One of its searches.
    """
    of = report.experiments[search.of]
    shape = _structure(of)
    return [e for e in report.experiments.values() if _structure(e) == shape]


def _structure(experiment: Experiment) -> tuple[object, ...]:
    model = experiment.model
    conv, dense = (getattr(model, part, ()) for part in ("conv", "dense"))
    return model.builder, model.input_shape, len(conv), len(dense or getattr(model, "hidden", ()))


def covered_little(report: Report) -> Iterator[Fault]:
    """Find searches that tried few of their combinations, or do not say how many."""
    for search in report.searches.values():
        stated = {claim.setting or "": claim for claim in search.stated}
        values = [
            len(parameter.values)
            for name, parameter in search.space.items()
            if any(path.startswith(f"space.{name}.") for path in stated)
            if parameter.choices is not None or parameter.step is not None
        ]
        trials, factors = stated.get("trials"), " × ".join(map(str, values))
        if math.prod(values) > 10 * search.trials:
            yield Fault(
                kind="search",
                about=search.id,
                where=search.where,
                claimed=f"{len(values)} settings are searched",
                because=f"{factors} = {math.prod(values):,} combinations can be drawn, and "
                + (
                    f"{stated_value(trials)} were tried"
                    if trials
                    else "how many were tried is not said"
                ),
                severity=None if trials else "medium",
                words={
                    "of": search.title,
                    "subject": "few of its combinations were tried"
                    if trials
                    else "how much was tried is not said",
                },
            )


def outside_the_space(report: Report) -> Iterator[Fault]:
    """Find trials with a value that the search, as the report states it, cannot draw.

    A parameter of the search that the report does not state is ours, and proves nothing.
    """
    for search in report.searches.values():
        spaces = {
            path: parameter
            for name, parameter in search.space.items()
            if any((c.setting or "").startswith(f"space.{name}.") for c in search.stated)
            for path in parameter.sets
        }
        fixed = {path for parameter in search.space.values() for path in parameter.sets}
        found = [
            (trial, claim, _cannot(report, search, spaces, fixed, claim))
            for trial in trials_of(report, search)
            for claim in trial.stated
        ]
        wrong: dict[str, list[tuple[Experiment, Claim, str]]] = defaultdict(list)
        for trial, claim, why in found:
            if why:
                wrong[claim.setting or ""].append((trial, claim, why))
        for path, values in wrong.items():
            yield Fault(
                kind="outside",
                about=f"{search.id}-{slug(key_words(path))}",
                where=joined((search.where, place(*(claim for _, claim, _ in values)))),
                claimed=joined(
                    f"{subject_text(claim)} {stated_value(claim)} in {trial.title}"
                    for trial, claim, _ in values
                ),
                because=joined(why for _, _, why in values),
                rests_on=frozenset(address(trial, claim) for trial, claim, _ in values),
                words={"subject": key_text(path)},
            )


def _cannot(
    report: Report, search: Search, spaces: dict[str, Parameter], fixed: set[str], claim: Claim
) -> str:
    """Say why a search cannot draw what is stated of a trial; nothing when it can."""
    path = claim.setting or ""
    if path in spaces and not _drawable(spaces[path], claim):
        parameter = spaces[path]
        if parameter.choices is not None:
            allowed = listed(map(str, parameter.choices))
        else:
            step = f" in steps of {parameter.step:g}" if parameter.step else ""
            allowed = f"{parameter.low:g} to {parameter.high:g}{step}"
        return f"{key_text(path)} is searched among {allowed}"
    if path.startswith("model.") and len(search.stated) > 1 and path not in fixed:
        before = report.experiments[search.of].setting(path)
        if not same_value(_used(claim), before):
            return f"{key_text(path)} is not searched, and stays {before}"
    return ""


def _used(claim: Claim) -> Any:
    """Return the value of a setting as a training takes it: 20 % as 0.2."""
    value, one = claim.value, SCALES[claim.unit].denominator
    return value / one if isinstance(value, Decimal) else value


def _drawable(parameter: Parameter, claim: Claim) -> bool:
    used = _used(claim)
    if len(parameter.sets) > 1 or not isinstance(used, Decimal):
        values = [v[parameter.sets.index(claim.setting or "")] if isinstance(v, tuple) else v
                  for v in parameter.values]  # fmt: skip
        return any(same_value(used, value) for value in values)
    if parameter.choices is not None or parameter.step is not None:
        return any(abs(float(used) - float(v)) < 1e-9 for v in parameter.values)  # type: ignore[arg-type]
    return (parameter.low or 0) <= float(used) <= (parameter.high or 0)
