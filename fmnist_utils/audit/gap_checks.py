"""What a report leaves out: settings of models and trainings, versions, seeds."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator

from fmnist_utils.audit.fault import Fault
from fmnist_utils.audit.number_checks import size_is_ours
from fmnist_utils.audit.protocol_checks import trials_of
from fmnist_utils.reports.claim import Assumption, Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.report import Report
from fmnist_utils.text import (
    counted,
    joined,
    listed,
    setting_name,
    stated_value,
    variants_text,
)

Gap = tuple[Experiment, Assumption]

#: Where all of these are left out for one model, its training cannot be repeated at all.
_ESSENTIAL = {"training.epochs", "training.optimizer.name", "training.optimizer.learning_rate"}


def unstated_settings(report: Report) -> Iterator[Fault]:
    """Find what one would need to build the networks, and to train them, and is not told.

    A setting that is given by reference to another model, "not stated again", is told. So are one
    that the space of a stated search leaves no choice of, and a number of layers that are listed.
    Of our readings those are told that say what a stated accuracy is.
    """
    found: dict[str, list[Gap]] = defaultdict(list)
    for experiment in report.experiments.values():
        for item in experiment.assumed:
            stated = item.because.startswith("not stated again") or item.setting.endswith(".count")
            if not stated and not _only_choice(report, experiment, item.setting):
                part = item.setting.partition(".")[0]
                if part != "reading" or item.setting in _measured(experiment):
                    found[part].append((experiment, item))
    for part, describe in (("model", _layers), ("training", _trainings), ("reading", _trainings)):
        gaps = found[part]
        if gaps:
            missing: dict[str, set[str]] = defaultdict(set)
            for experiment, item in gaps:
                missing[experiment.id].add(item.setting)
            all_open = any(of_one >= _ESSENTIAL for of_one in missing.values())
            yield Fault(
                kind=f"unstated-{part}",
                where=joined(e.table.where if e.table else e.where for e, _ in gaps),
                claimed="nothing is said of " + listed(describe(report, gaps)),
                because="whoever repeats it must infer or choose them, as we did",
                severity="medium" if all_open else None,
                words={"tried": variants_text(report, [(e.id, i.setting) for e, i in gaps])},
            )


_READINGS = {
    "reading.weights": "whether the last or the best weights are evaluated",
    "reading.training accuracy": "how training accuracy is measured",
}


def _name(path: str) -> str:
    return _READINGS.get(path) or setting_name(path)


def _measured(experiment: Experiment) -> set[str]:
    """Return the readings without which it is open what a stated accuracy is."""
    stated = {claim.split for claim in experiment.stated if claim.about.is_accuracy}
    weights = {"reading.weights"} if stated else set()
    return weights | ({"reading.training accuracy"} if "train" in stated else set())


def _layers(report: Report, gaps: list[Gap]) -> Iterator[str]:
    """Count the layers without a setting; what several models share is counted once."""
    layers: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for experiment, item in gaps:
        layers[setting_name(item.setting)].add((_network(report, experiment), item.setting))
    for name, where in layers.items():
        whole = not any(part.isdigit() for _, path in where for part in path.split("."))
        yield f"the {name}" if whole else f"the {name} of {counted(len(where), 'layer')}"


def _network(report: Report, experiment: Experiment) -> str:
    """Return the same id for what shares its layers, and for what is searched of one network."""
    for search in report.searches.values():
        if search.claims and experiment in trials_of(report, search):
            return search.of
    return experiment.layers_as or experiment.id


def _trainings(report: Report, gaps: list[Gap]) -> Iterator[str]:
    """Count the models without a setting; those of one network trained alike are our copies."""

    def models(experiments: Iterable[Experiment]) -> str:
        return counted(len({(e.layers_as or e.id, e.training) for e in experiments}), "model")

    silent: dict[str, list[Experiment]] = defaultdict(list)
    for experiment, item in gaps:
        silent[_name(item.setting)].append(experiment)
    every = models(report.experiments.values())
    for name, experiments in silent.items():
        of = models(experiments)
        asked = name if name.startswith(("wh", "how")) else f"the {name}"
        yield asked if of == every else f"{asked} ({of.split()[0]} of {every})"


def _only_choice(report: Report, experiment: Experiment, path: str) -> bool:
    """Say whether a search of the experiment has one value alone that fits its layers."""
    for search in report.searches.values():
        for name, parameter in search.space.items():
            stated = any((c.setting or "").startswith(f"space.{name}.") for c in search.stated)
            if search.of == experiment.id and path in parameter.sets and stated:
                has = [bool(experiment.setting(one)) for one in parameter.sets]
                fitting = [c for c in parameter.choices or () if _switches(c) == has]
                return len(has) > 1 and len(fitting) == 1
    return False


def _switches(choice: object) -> list[bool]:
    return [bool(value) for value in choice] if isinstance(choice, tuple) else [bool(choice)]


def unstated_environment(report: Report) -> Iterator[Fault]:
    """Find that versions of libraries, or the machine, are not told."""
    means = report.means
    missing = [
        name
        for name, value in (("versions of libraries", means.versions), ("hardware", means.hardware))
        if value is None
    ]
    if missing:
        yield Fault(
            kind="unstated-means",
            where="the whole report",
            claimed=f"nothing is said of {listed(missing)}",
            because="defaults, initial weights and the order of sums differ between versions and "
            "machines",
        )


def single_runs(report: Report) -> Iterator[Fault]:
    """Find accuracies of one training each, without a seed."""
    stated = [
        (experiment, claim)
        for experiment in report.experiments.values()
        for claim in experiment.stated
        if claim.about.is_accuracy and claim.epoch is None and claim.mean_of is None
        if "/" not in claim.statement
    ]
    if not stated or report.means.seed is not None:
        return
    closest = min(_gaps(stated), default=None, key=lambda pair: pair[0])
    because = "no second training, no spread and no seed of them is given"
    if closest and closest[0] < 0.01:
        gap, one, other, images = closest
        because += (
            f"; {stated_value(one)} and {stated_value(other)} of {images:,} images are "
            f"{counted(round(gap * images), 'image')} apart"
        )
    yield Fault(
        kind="single-runs",
        where=joined(experiment.where for experiment, _ in stated),
        claimed=f"accuracies of {counted(len({e.id for e, _ in stated}), 'model')}",
        because=because,
    )


def _gaps(stated: list[tuple[Experiment, Claim]]) -> Iterator[tuple[float, Claim, Claim, int]]:
    """Yield how far apart the accuracies of two models are on equally many images of one split."""
    for (a, one), (b, other) in itertools.combinations(stated, 2):
        split = one.split or "test"
        images = split_sizes(a.training)[split], split_sizes(b.training)[split]
        gap = abs(float(one.interval.middle - other.interval.middle))
        ours = size_is_ours(a, one) or size_is_ours(b, other)
        alike = split == other.split != "train" and images[0] == images[1] and not ours
        if a.id != b.id and alike and gap:
            yield gap, one, other, images[0]


def untested(report: Report) -> Iterator[Fault]:
    """Find that accuracies are stated, and none on test images."""
    stated = [
        (experiment, claim)
        for experiment in report.experiments.values()
        for claim in experiment.stated
        if claim.about.is_accuracy and "/" not in claim.statement
    ]
    if stated and not any(claim.split == "test" for _, claim in stated):
        yield Fault(
            kind="no-test-accuracy",
            where=joined(experiment.where for experiment, _ in stated),
            claimed="accuracies on training and validation images of "
            + counted(len({experiment.id for experiment, _ in stated}), "model"),
            because="by validation images epochs, settings and models can be chosen, and no "
            "accuracy is on images that nothing was chosen by",
        )
