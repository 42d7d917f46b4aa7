"""Claims that no runs decide: settings, facts, sizes, layers, and numbers that are not tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from fmnist_utils.data.fashion_mnist import FACTS, NUM_CLASSES, count
from fmnist_utils.models.build import Layer
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed_tables import PrintedLayer
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.search import Search
from fmnist_utils.reports.values import same_value
from fmnist_utils.verdicts.measure import Evidence
from fmnist_utils.verdicts.outcome import Outcome, Verdict


def _setting(claim: Claim, evidence: Evidence) -> Verdict:
    assert evidence.subject
    used, stated = evidence.subject.setting(claim.setting or ""), claim.value
    if claim.unit == "percent" and isinstance(used, int | float):
        used = round(100 * used, 10)
    return _judge_used(claim, evidence, used, same_value(stated, used))


def _judge_used(claim: Claim, evidence: Evidence, used: Any, same: bool) -> Verdict:
    """Judge what was set as stated, so that it could not differ: only a training follows it."""
    if not same:
        return Verdict(None, claim, Outcome.DIFFERS, ours=used)
    unused = ""
    if isinstance(evidence.subject, Search):
        if not evidence.trials:
            unused = "no trials of this search"
        elif (claim.setting or "").endswith(".default"):
            unused = "a random search uses no default"
    elif not evidence.own_runs:
        unused = "no runs yet"
    word = Outcome.NOT_TESTED if unused else Outcome.FOLLOWED
    return Verdict(None, claim, word, ours=used, note=unused)


def _fact(claim: Claim, evidence: Evidence) -> Verdict:
    fact = FACTS[claim.fact or ""]
    if isinstance(fact, float) and claim.unit == "percent":
        fact = 100 * fact
    return _judge_exact(claim, fact)


def _images(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge how many images a split has, or, as the claim does, the shape of its array.

    The parts of the training images are those that we set ourselves, by what the report states.
    """
    n = split_sizes(evidence.experiment.training)[claim.split or "test"]
    ours: Any = n
    if claim.label is not None:
        ours = count("test_images_per_class")
    elif isinstance(claim.value, tuple):
        flat = 28 * 28 if 28 * 28 in claim.value[1:] else NUM_CLASSES  # images, or their targets
        rest = {1: (), 2: (flat,), 3: (28, 28), 4: (28, 28, 1)}
        ours = (n, *rest.get(len(claim.value), ()))
    elif claim.unit == "percent":
        ours = 100 * n / count("total_images")
    exact = _judge_exact(claim, ours)
    if claim.split == "test":
        return exact
    return _judge_used(claim, evidence, ours, exact.word == Outcome.EQUAL)


def _total(claim: Claim, evidence: Evidence) -> Verdict:
    return _judge_exact(claim, evidence.built.parameters[claim.about.metric])


def _layer(claim: Claim, evidence: Evidence) -> Verdict:
    ours = _built_cell(claim, evidence.experiment, evidence.built.layers)
    return _judge_exact(claim, ours)


def _judge_exact(claim: Claim, ours: Any) -> Verdict:
    if isinstance(ours, float):  # a share, which the report rounds
        equal = abs(claim.number - ours) <= claim.half_width
    else:
        equal = same_value(claim.value, ours)
    return Verdict(None, claim, Outcome.EQUAL if equal else Outcome.DIFFERS, ours=ours)


def _cited(claim: Claim, evidence: Evidence) -> Verdict:
    return Verdict(None, claim, Outcome.NOT_TESTED, note="from other work")


def _time(
    claim: Claim, evidence: Evidence, seconds: int = 1, *, per_epoch: bool = False
) -> Verdict:
    """Show our training time beside theirs, in units of so many seconds."""
    times = [
        sum(run.seconds_per_epoch) / (len(run.seconds_per_epoch) if per_epoch else 1)
        for run in evidence.own_runs
    ]
    mean = float(np.mean(times)) / seconds if times else None
    return Verdict(None, claim, Outcome.NOT_TESTED, mean, runs=len(times), note="other hardware")


def _size(claim: Claim, evidence: Evidence) -> Verdict:
    """Show how large our weights are beside their file, which may hold more."""
    size = evidence.built.parameters["total"] * 4 / 1e6
    return Verdict(None, claim, Outcome.NOT_TESTED, size, note="weights in float32 alone")


#: How each exact `judge` of the registry, and each that tests nothing, reaches its verdict.
EXACT: dict[str, Callable[[Claim, Evidence], Verdict]] = {
    "setting": _setting,
    "fact": _fact,
    "images": _images,
    "total": _total,
    "layer": _layer,
    "cited": _cited,
    "minutes": partial(_time, seconds=60),
    "seconds": _time,
    "seconds_per_epoch": partial(_time, per_epoch=True),
    "megabytes": _size,
}


# --- printed layers ------------------------------------------------------------------------------


def _built_cell(claim: Claim, experiment: Experiment, built: Sequence[Layer]) -> Any:
    """Return what stands in our table where the claim's cell is; words where nothing can."""
    printed, built = _printed(experiment), aligned_layers(experiment, built)
    i = claim.layer or 0
    if i >= len(built):
        return "no such layer"
    if i == len(printed) - 1 and len(built) > len(printed):
        return f"{len(built) - len(printed)} more layers follow"
    if i < len(printed) and built[i].type != printed[i].type:
        return built[i].type
    return getattr(built[i], claim.about.metric)


def aligned_layers(experiment: Experiment, built: Sequence[Layer]) -> list[Layer]:
    """Leave the input row out of ours where the printed table leaves it out.

    Parameters
    ----------
    experiment : Experiment
        Whose printed table.
    built : sequence of Layer
        Our table, from the built model.
    """
    printed = _printed(experiment)
    left_out = bool(printed) and printed[0].type != "InputLayer"
    return [layer for layer in built if not (left_out and layer.type == "InputLayer")]


def _printed(experiment: Experiment) -> Sequence[PrintedLayer]:
    return experiment.table.layers if experiment.table else ()
