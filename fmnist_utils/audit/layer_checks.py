"""Layer tables: whether they can be built, and what their names tell."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from fmnist_utils.audit.fault import Fault
from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.models.layer_rules import frozen_parameters, layer_misfit
from fmnist_utils.models.spec import CNN
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed_tables import LayerTable, PrintedLayer
from fmnist_utils.reports.report import Report
from fmnist_utils.rounding import Shape, times
from fmnist_utils.text import joined, listed


def impossible_tables(report: Report) -> Iterator[Fault]:
    """Find layer tables with a row that cannot follow from the one before, or a wrong total."""
    for experiment, table in _tables(report):
        rows, problems = [], []
        for i, (layer, before) in enumerate(_with_inputs(table, experiment), 1):
            if problem := layer_misfit(layer.type, before, layer.shape, layer.params):
                printed = f"output {times(layer.shape)}, {layer.params:,} parameters"
                rows.append(f"row {i}, {layer.type} {layer.name}: {printed}")
                problems.append(f"row {i}: {problem}")
        wrong = list(_wrong_totals(table))
        if problems or wrong:
            yield Fault(
                kind="layers" if problems else "totals",
                about=experiment.id,
                where=table.where,
                claimed=joined([*rows, *(f"{printed:,} {name}" for name, printed, _ in wrong)]),
                because=joined([*problems, *(
                    f"the rows give {computed:,} {name}" for name, _, computed in wrong
                )]),
                rests_on=frozenset({f"{experiment.id}/layers"}),
                words={"of": experiment.title},
            )  # fmt: skip


def _wrong_totals(table: LayerTable) -> Iterator[tuple[str, int, int]]:
    """Yield name, printed and computed value of totals that are not the sums of the rows."""
    frozen = sum(frozen_parameters(row.type, row.shape, row.params) for row in table.layers)
    summed = sum(row.params for row in table.layers)
    for name, printed, computed in (
        ("total parameters", table.total, summed),
        ("trainable parameters", table.trainable, summed - frozen),
        ("non-trainable parameters", table.non_trainable, frozen),
    ):
        if printed != computed:
            yield name, printed, computed


def unshown_attempts(report: Report) -> Iterator[Fault]:
    """Find layer names whose numbers show that Keras made more layers than are printed."""
    named: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for _, table in _tables(report):
        for layer in table.layers:
            base = _snake_case(layer.type)
            if match := re.fullmatch(rf"{re.escape(base)}(?:_(\d+))?", layer.name):
                named[base].append((int(match[1] or 0), table.where))
    shown = {base: {number for number, _ in found} for base, found in named.items()}
    gaps = {base: max(numbers) - len(numbers) for base, numbers in shown.items()}
    telling = [base for base, gap in gaps.items() if gap > 0]
    twice = [
        f"{base}_{number}"
        for base, found in named.items()
        for number, times_named in Counter(number for number, _ in found).items()
        if times_named > 1 and number
    ]
    if telling:
        sessions = [f"{', '.join(twice)} in two tables mean two sessions at least"] if twice else []
        yield Fault(
            kind="attempts",
            where=joined(where for base in telling for _, where in named[base]),
            claimed="shown are "
            + listed(f"{len(named[base])} layers named {base}" for base in telling),
            because=joined([
                "Keras counts the layers of a session: "
                + listed(f"{base}_{max(shown[base])} means at least {gaps[base]} more"
                         for base in telling),
                *sessions,
            ]),
        )  # fmt: skip


def _snake_case(name: str) -> str:
    """Write a class name as Keras does when it names layers: ``MaxPooling2D``, max_pooling2d."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _tables(report: Report) -> Iterator[tuple[Experiment, LayerTable]]:
    for experiment in report.experiments.values():
        if experiment.table:
            yield experiment, experiment.table


def _with_inputs(table: LayerTable, experiment: Experiment) -> Iterator[tuple[PrintedLayer, Shape]]:
    """Yield every row with its input shape; the first gets images in the form it takes."""
    size = (count("image_height"), count("image_width"))
    forms: dict[str, Shape] = {"Conv2D": (*size, 1), "Dense": (count("pixels"),)}
    first = forms.get(table.layers[0].type, size)
    if isinstance(experiment.model, CNN) and experiment.model.resize:
        first = experiment.model.input_shape
    return zip(table.layers, [first, *(layer.shape for layer in table.layers[:-1])], strict=True)
