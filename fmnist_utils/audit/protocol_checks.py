"""Protocols: what training they allow, whether models were trained alike, and seed noise."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from fmnist_utils.audit.statement_checks import claims_compared
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.quantities import EPOCHS
from fmnist_utils.reports.report import Finding, Report
from fmnist_utils.runs.record import Run
from fmnist_utils.stats import chance_difference
from fmnist_utils.text import (
    experiment_title,
    joined,
    key_text,
    listed,
    slug,
    stated_value,
    subject_text,
    variants_text,
)
from fmnist_utils.verdicts.judge import MIN_RUNS
from fmnist_utils.verdicts.measure import measure


def impossible_epochs(report: Report) -> Iterator[Finding]:
    """Find trainings that end neither at their limit nor as early stopping would."""
    for experiment in report.experiments.values():
        limit, stopping = experiment.training.epochs, experiment.training.early_stopping
        for claim in experiment.stated:
            if claim.about.unit != EPOCHS:
                continue
            epochs, problem = int(claim.number), ""
            if epochs > limit:
                problem = f"training is limited to {limit} epochs"
            elif claim.quantity == "epochs_trained" and epochs < limit:
                if stopping is None:
                    problem = f"nothing ends training before {limit} epochs"
                elif epochs <= stopping.patience:
                    problem = (
                        f"with a patience of {stopping.patience} training ends "
                        f"after epoch {stopping.patience + 1} at the earliest"
                    )
            if problem:
                yield Finding(
                    id=f"epochs-{experiment.id}-{claim.id}",
                    severity="medium",
                    where=claim.place,
                    claimed=f"{subject_text(claim)} of {experiment.title}: {epochs}",
                    because=problem,
                    consequence="The run reported did not follow the protocol stated.",
                )


#: What decides how many images a model sees, for how long, and which epoch counts. What a report
#: tunes on purpose (optimizer, batch size) may differ.
_PROTOCOL = ("training.validation", "training.epochs", "training.early_stopping")


def unequal_protocols(report: Report) -> Iterator[Finding]:
    """Find models that are compared but were trained under different protocols."""
    compared = {name for claim in report.claims for name in (claim.of, claim.than)}
    stated: dict[str, dict[str, list[tuple[Experiment, Claim]]]] = defaultdict(dict)
    for experiment, claim in report.all_claims():
        path = claim.setting or ""
        if experiment and experiment.id in compared and path.startswith(_PROTOCOL):
            stated[path].setdefault(_setting_text(claim), []).append((experiment, claim))
    for path, values in stated.items():
        if len(values) > 1:
            yield Finding(
                id=f"protocol-{slug(path.removeprefix('training.'))}",
                severity="medium",
                where=joined(claims[0][1].place for claims in values.values()),
                claimed="models that are compared were not trained alike",
                because="; ".join(
                    f"{key_text(path)} {value} for {listed(e.title for e, _ in claims)}, "
                    f"{split_sizes(claims[0][0].training)['train']:,} training images"
                    for value, claims in values.items()
                ),
                consequence="Part of what separates the models may be the protocol, so each is "
                "run by its own"
                + variants_text(report, [(name, path) for name in compared if name]),
            )


def _setting_text(claim: Claim) -> str:
    """Write the value of a setting so that 20 % and 0.2 are the same."""
    if isinstance(claim.value, Decimal):
        return f"{float(claim.interval.middle):g}"
    return str(claim.value).lower()


def unreported_criterion(report: Report) -> Iterator[Finding]:
    """Find metrics that end a training and are stated nowhere."""
    silent: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in report.experiments.values():
        if stopping := experiment.training.early_stopping:
            quantity = stopping.monitor.removeprefix("val_")
            stated = {(claim.quantity, claim.split) for claim in experiment.stated}
            monitored = any(
                c.setting == "training.early_stopping.monitor" for c in experiment.stated
            )
            if monitored and (quantity, "validation") not in stated:
                silent[quantity].append(experiment)
    for quantity, experiments in silent.items():
        yield Finding(
            id=f"unreported-validation-{quantity}",
            severity="medium",
            where=joined(
                claim.place
                for experiment in experiments
                for claim in experiment.stated
                if claim.setting == "training.early_stopping.monitor"
            ),
            claimed=f"validation {quantity} ends the training of {len(experiments)} models",
            because=f"no validation {quantity} is stated for any of them",
            consequence="That training ended where its own rule ends it can be checked by the "
            "number of epochs alone.",
        )


def chosen_on_test(report: Report) -> Iterator[Finding]:
    """Find trainings that the test images end, for they validate on them."""
    found = [
        experiment
        for experiment in report.experiments.values()
        if experiment.training.validation.take == "test" and experiment.training.early_stopping
    ]
    if found:
        yield Finding(
            id="stopped-on-test",
            severity="high",
            where=joined(experiment.where for experiment in found),
            claimed="accuracies on test images of models that early stopping ends: "
            + listed(experiment.title for experiment in found),
            because="the metric that ends training is measured on the test images themselves",
            consequence="The epoch is chosen by the images it is then judged on, so the accuracy "
            "lies above what new images would give.",
        )


def unequal_on_test(report: Report) -> Iterator[Finding]:
    """Find test and validation accuracies that differ though the images are the same."""
    for experiment in report.experiments.values():
        if experiment.training.validation.take != "test":
            continue
        ends = [c for c in experiment.stated if c.quantity == "accuracy" and c.epoch is None]
        for held_out, test in itertools.product(ends, ends):
            if (
                (held_out.split, test.split) == ("validation", "test")
                and (held_out.reading, held_out.machine) == (test.reading, test.machine)
                and not held_out.interval.meets(test.interval)
            ):
                yield Finding(
                    id=f"unequal-{experiment.id}-{held_out.id}-{test.id}",
                    severity="medium",
                    where=joined((held_out.place, test.place)),
                    claimed=f"{experiment.title}: validation accuracy {stated_value(held_out)}, "
                    f"test accuracy {stated_value(test)}",
                    because="the report validates on the test images, so these are one number",
                    consequence="They are of different epochs or trainings, or one is misprinted; "
                    "each gets its own verdict.",
                )


def within_seed_noise(report: Report, runs: Mapping[str, Sequence[Run]]) -> Iterator[Finding]:
    """Find single runs that are compared, and differ by no more than seeds do."""
    pairs: dict[Any, list[Claim]] = defaultdict(list)
    for claim in report.claims:
        pairs[frozenset((claim.of, claim.than)), claim.split].append(claim)
    for claims in pairs.values():
        one, other = claims_compared(report, claims[0])
        if one and other:
            spreads = [
                _spread(side, runs.get(name or "", ()))
                for side, name in ((one, claims[0].of), (other, claims[0].than))
            ]
            gap = 100 * abs(float(one.interval.middle - other.interval.middle))
            reach = chance_difference(*spreads)
            if gap < reach:  # never so when a spread is unknown
                yield _noise(report, claims, gap, reach, spreads)


def _spread(claim: Claim, runs: Sequence[Run]) -> float:
    """Return the standard deviation, in points, of what is claimed; nan for too few runs."""
    if len(runs) < MIN_RUNS:
        return math.nan
    sd = float(np.std(measure(claim, runs), ddof=1) * 100 / claim.whole)
    return sd / math.sqrt(claim.mean_of or 1)


def _noise(
    report: Report, claims: Sequence[Claim], gap: float, reach: float, spreads: Sequence[float]
) -> Finding:
    claim = claims[0]
    one, other = claims_compared(report, claim)
    assert one and other
    trained = [side.mean_of or 1 for side in (one, other)]
    each = "one run each" if trained == [1, 1] else f"{trained[0]} and {trained[1]} runs"
    terms = " + ".join(f"{sd:.3f}²" for sd in spreads)
    return Finding(
        id=f"noise-{claim.of}-{claim.than}-{claim.split}",
        severity="medium",
        where=joined(claim.place for claim in claims),
        claimed=f"{experiment_title(report, claim.of)} ({stated_value(one)}) and "
        f"{experiment_title(report, claim.than)} ({stated_value(other)}) are told apart by {each}",
        because=f"they differ by {gap:.2f} points; the seed alone sets them apart by up to "
        f"1.96 × √({terms}) = {reach:.2f} points in 95 % of cases",
        consequence="So few cannot say which is better; we judge over pairs of seeds.",
    )
