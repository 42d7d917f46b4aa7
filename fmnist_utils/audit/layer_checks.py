"""Layer tables: can they be built, do they agree with the prose, and what they leave out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.models.architectures import architectures_with, common_width
from fmnist_utils.models.build import parameter_totals
from fmnist_utils.models.layer_rules import kernel_size, layer_misfit, pool_windows
from fmnist_utils.models.spec import CNN
from fmnist_utils.reports.claim import Assumption
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed import LayerTable, PrintedLayer
from fmnist_utils.reports.report import Finding, Report
from fmnist_utils.reports.values import same_value
from fmnist_utils.rounding import Shape, times
from fmnist_utils.text import (
    counted,
    joined,
    listed,
    slug,
    stated_value,
    subject_text,
    variants_text,
)


def impossible_layers(report: Report) -> Iterator[Finding]:
    """Find rows of a layer table that cannot follow from the row before."""
    for experiment, table in _tables(report):
        for i, (layer, before) in enumerate(_with_inputs(table, experiment), 1):
            problem = layer_misfit(layer.type, before, layer.shape, layer.params)
            if problem:
                yield Finding(
                    id=f"layer-{experiment.id}-{i}",
                    severity="high",
                    where=f"{table.where}, row {i}",
                    claimed=f"{layer.type} {layer.name}: output {times(layer.shape)}, "
                    f"{layer.params:,} parameters",
                    because=problem,
                    consequence="The model cannot be built as printed; what we build instead is "
                    "listed with the assumptions.",
                )


def wrong_totals(report: Report) -> Iterator[Finding]:
    """Find totals of a layer table that are not the sums of its rows."""
    for experiment, table in _tables(report):
        layers = table.layers
        frozen = sum(n.params // 2 for n in layers if n.type == "BatchNormalization")
        summed = sum(layer.params for layer in layers)
        for name, printed, computed in (
            ("total", table.total, summed),
            ("trainable", table.trainable, summed - frozen),
            ("non-trainable", table.non_trainable, frozen),
        ):
            if printed != computed:
                yield Finding(
                    id=f"{name}-{experiment.id}",
                    severity="medium",
                    where=f"{table.where}, totals",
                    claimed=f"{printed:,} {name} parameters",
                    because=f"the rows of the table give {computed:,}",
                    consequence="We build the rows; the printed total differs from the model's.",
                )


def prose_against_table(report: Report) -> Iterator[Finding]:
    """Find prose on an architecture that its layer table contradicts."""
    for experiment, table in _tables(report):
        shown = read_architecture(table)
        for claim in experiment.stated:
            values = shown.get(claim.setting or "")
            if values and not any(same_value(claim.value, value) for value in values):
                yield Finding(
                    id=f"prose-{experiment.id}-{claim.id}",
                    severity="medium",
                    where=f"{claim.place}; {table.where}",
                    claimed=f"{subject_text(claim)} is {stated_value(claim)}",
                    because=f"the layer table shows {' or '.join(map(str, sorted(values)))}",
                    consequence="Prose and table describe different models; we build the table.",
                )


def unexplained_counts(report: Report) -> Iterator[Finding]:
    """Find parameter counts, stated without a layer table, that the model does not have."""
    for experiment in report.experiments.values():
        counts = ("total_params", "trainable_params")
        claims = [claim for claim in experiment.stated if claim.quantity in counts]
        if not claims or experiment.table:
            continue
        totals = parameter_totals(experiment.build())
        for claim in claims:
            stated, built = int(claim.number), totals[claim.quantity]
            if stated != built:
                yield Finding(
                    id=f"count-{experiment.id}-{claim.id}",
                    severity="high",
                    where=claim.place,
                    claimed=f"{experiment.title}: {stated:,} parameters",
                    because=f"as described it has {built:,}; {_search(stated)}",
                    consequence="The count belongs to another model than the one described.",
                )


def _search(parameters: int) -> str:
    """Describe which usual architectures have so many parameters."""
    if found := architectures_with(parameters):
        return f"{len(found)} plain CNNs of usual widths have {parameters:,}, e.g. {found[0]}"
    step = 2 * common_width(parameters)
    return f"no plain CNN of usual widths has it, and none whose widths are all multiples of {step}"


def unstated_model_settings(report: Report) -> Iterator[Finding]:
    """Find settings of the model that the report does not state."""
    missing: dict[str, list[tuple[Experiment, Assumption]]] = defaultdict(list)
    for experiment in report.experiments.values():
        for item in experiment.assumed:
            if item.setting.startswith("model."):
                name = _SETTINGS.get(item.setting.rpartition(".")[2], item.setting)
                missing[name].append((experiment, item))
    for name, gaps in missing.items():
        titles = dict.fromkeys(experiment.title for experiment, _ in gaps)
        yield Finding(
            id=f"unstated-{slug(name)}",
            severity="medium",
            where=joined(e.table.where if e.table else e.where for e, _ in gaps),
            claimed=f"no {name} is given for {_layers(gaps)}{listed(titles)}",
            because="; ".join(dict.fromkeys(item.because for _, item in gaps)),
            consequence="Each value is an assumption of ours"
            + variants_text(report, [(experiment.id, item.setting) for experiment, item in gaps]),
        )


def _layers(gaps: Sequence[tuple[Experiment, Assumption]]) -> str:
    """Count the layers that settings belong to; a setting of the whole model has none."""
    layers = sum(any(part.isdigit() for part in item.setting.split(".")) for _, item in gaps)
    return f"{counted(layers, 'layer')} of " if layers else ""


_SETTINGS = {
    "dropout": "dropout rate",
    "pool": "pooling window",
    "kernel": "kernel size",
    "padding": "padding",
    "activation": "activation",
    "resize": "way to the size of image that it takes",
}


def unshown_attempts(report: Report) -> Iterator[Finding]:
    """Find layer names whose numbers show that Keras made more layers than are printed."""
    named: dict[str, dict[int, str]] = defaultdict(dict)
    for _, table in _tables(report):
        for layer in table.layers:
            base = _snake_case(layer.type)
            if match := re.fullmatch(rf"{re.escape(base)}(?:_(\d+))?", layer.name):
                named[base][int(match[1] or 0)] = table.where
    gaps = {base: max(places) - len(places) for base, places in named.items()}
    telling = [base for base, gap in gaps.items() if gap > 0]
    if telling:
        yield Finding(
            id="unshown-attempts",
            severity="low",
            where=joined(where for base in telling for where in named[base].values()),
            claimed="the layers that are shown: "
            + listed(f"{len(named[base])} named {base}" for base in telling),
            because="Keras counts the layers of a session: "
            + listed(
                f"{base}_{max(named[base])} means at least {gaps[base]} more" for base in telling
            ),
            consequence="Models were built, or built again, that the report does not show; a "
            "result chosen among several lies above that of a typical seed.",
        )


def _snake_case(name: str) -> str:
    """Write a class name as Keras does when it names layers: ``MaxPooling2D``, max_pooling2d."""
    return re.sub(r"([a-z0-9])([A-Z])(?=[a-z])", r"\1_\2", name).lower()


def _tables(report: Report) -> Iterator[tuple[Experiment, LayerTable]]:
    for experiment in report.experiments.values():
        if experiment.table:
            yield experiment, experiment.table


def _with_inputs(
    table: LayerTable, experiment: Experiment | None = None
) -> Iterator[tuple[PrintedLayer, Shape]]:
    """Yield every row with its input shape; the first gets images in the form it takes."""
    size = (count("image_height"), count("image_width"))
    forms: dict[str, Shape] = {"Conv2D": (*size, 1), "Dense": (count("pixels"),)}
    first = forms.get(table.layers[0].type, size)
    if experiment and isinstance(experiment.model, CNN) and experiment.model.resize:
        first = experiment.model.input_shape
    return zip(table.layers, [first, *(layer.shape for layer in table.layers[:-1])], strict=True)


def read_architecture(table: LayerTable) -> dict[str, set[int]]:
    """Read settings of a model off its layer table, by their path in the experiment.

    Only what the table fixes is there; a pooling window may have several possible values.
    """
    found: dict[str, set[int]] = {}
    convolutions, dense = -1, -1
    parts = "dense" if any(layer.type == "Conv2D" for layer in table.layers) else "hidden"
    for layer, before in _with_inputs(table):
        if layer.type == "Conv2D":
            convolutions += 1
            kernel = kernel_size(layer.params, before[-1], layer.shape[-1])
            found[f"model.conv.{convolutions}.filters"] = {layer.shape[-1]}
            found[f"model.conv.{convolutions}.kernel"] = {kernel} if kernel else set()
        elif layer.type == "MaxPooling2D" and convolutions >= 0:
            windows = pool_windows(before, layer.shape)
            found[f"model.conv.{convolutions}.pool"] = windows
        elif layer.type == "Dense":
            dense += 1
            found[f"model.{parts}.{dense}.units"] = {layer.shape[-1]}
    found.pop(f"model.{parts}.{dense}.units", None)
    found[f"model.{parts}.count"] = {dense}
    if convolutions >= 0:
        found["model.conv.count"] = {convolutions + 1}
    return found
