"""What a report leaves out: settings of models and trainings, versions, seeds."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

from fmnist_utils.audit.fault import Fault
from fmnist_utils.audit.protocol_checks import trials_of
from fmnist_utils.reports.claim import Assumption, Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import split_sizes
from fmnist_utils.reports.report import Report
from fmnist_utils.text import counted, joined, listed, setting_name, stated_value, variants_text

Gap = tuple[Experiment, Assumption]

#: Without these a training cannot be repeated at all.
_ESSENTIAL = {"training.epochs", "training.optimizer.name", "training.optimizer.learning_rate"}


def unstated_settings(report: Report) -> Iterator[Fault]:
    """Find what one would need to build the networks, and to train them, and is not told.

    A setting that is given by reference to another model, "not stated again", is told. So are one
    that the space of a stated search leaves no choice of, and a number of layers that are listed.
    """
    found: dict[str, list[Gap]] = defaultdict(list)
    for experiment in report.experiments.values():
        for item in experiment.assumed:
            told = item.because.startswith("not stated again") or item.setting.endswith(".count")
            if not told and not _only_choice(report, experiment, item.setting):
                found[item.setting.partition(".")[0]].append((experiment, item))
    for part, describe in (("model", _layers), ("training", _trainings)):
        gaps = found[part]
        if gaps:
            all_open = {item.setting for _, item in gaps} >= _ESSENTIAL
            yield Fault(
                kind=f"unstated-{part}",
                where=joined(e.table.where if e.table else e.where for e, _ in gaps),
                claimed="nothing is said of " + listed(describe(report, gaps)),
                because="whoever repeats it must infer or choose them, as we did",
                severity="medium" if all_open else None,
                words={"tried": variants_text(report, [(e.id, i.setting) for e, i in gaps])},
            )


def _layers(report: Report, gaps: list[Gap]) -> Iterator[str]:
    """Count the layers without a setting; what several models share is counted once."""
    layers: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for experiment, item in gaps:
        layers[setting_name(item.setting)].add((_network(report, experiment), item.setting))
    for name, where in layers.items():
        whole = not any(part.isdigit() for _, path in where for part in path.split("."))
        yield f"the {name}" if whole else f"the {name} of {counted(len(where), 'layer')}"


def _network(report: Report, experiment: Experiment) -> str:
    """Return the same text for models that differ in dropout, or in what is searched, alone."""
    for search in report.searches.values():
        if search.claims and experiment in trials_of(report, search):
            return search.of
    model = experiment.model.model_dump()
    for block in (*model.get("conv", ()), *model.get("dense", ()), *model.get("hidden", ())):
        block.pop("dropout")
    return str(model)


def _trainings(report: Report, gaps: list[Gap]) -> Iterator[str]:
    models: dict[str, set[str]] = defaultdict(set)
    for experiment, item in gaps:
        models[setting_name(item.setting)].add(experiment.id)
    for name, ids in models.items():
        every = len(ids) == len(report.experiments)
        of = "" if every else f" ({len(ids)} of {counted(len(report.experiments), 'model')})"
        asked = name.startswith(("wh",))
        yield f"{name if asked else f'the {name}'}{of}"


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


def unstated_means(report: Report) -> Iterator[Fault]:
    """Find that versions of libraries, or the machine, are not told."""
    told = report.means
    missing = [
        name
        for name, value in (("versions of libraries", told.versions), ("hardware", told.hardware))
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
        if claim.quantity == "accuracy" and claim.epoch is None and claim.mean_of is None
        if "/" not in claim.statement
    ]
    if not stated or report.means.seed is not None:
        return
    closest = min(_gaps(stated), default=None, key=lambda pair: pair[0])
    because = "no second training, no spread and no seed is given"
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
        if a.id != b.id and split == other.split != "train" and images[0] == images[1] and gap:
            yield gap, one, other, images[0]
