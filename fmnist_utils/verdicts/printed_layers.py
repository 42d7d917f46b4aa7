"""Hold a printed layer table against the model that was built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fmnist_utils.models.build import Layer, layer_table, parameter_totals
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed import PrintedLayer
from fmnist_utils.verdicts.judge import _judge_exact
from fmnist_utils.verdicts.outcome import Verdict


def judge_layers(experiment: Experiment, model: Any | None = None) -> list[Verdict]:
    """Hold the printed layer table against the built model, cell by cell.

    Parameters
    ----------
    experiment : Experiment
        The experiment; without a printed table the list is empty.
    model : keras.Model, optional
        Its built model, when there is one already.
    """
    if experiment.table is None:
        return []
    model = model or experiment.build()
    built = aligned_layers(experiment, layer_table(model))
    totals = parameter_totals(model)
    return [
        _judge_exact(
            experiment.id,
            claim,
            totals[claim.quantity]
            if claim.layer is None
            else _built_cell(claim, experiment.table.layers, built),
        )
        for claim in experiment.table.claims()
    ]


def _built_cell(claim: Claim, printed: Sequence[PrintedLayer], built: Sequence[Layer]) -> Any:
    """Return what stands in our table where the claim's cell is; words where nothing can."""
    i = claim.layer or 0
    if i >= len(built):
        return "no such layer"
    if i == len(printed) - 1 and len(built) > len(printed):
        return f"{len(built) - len(printed)} more layers follow"
    if built[i].type != printed[i].type:
        return built[i].type
    return built[i].shape if claim.quantity == "layer_shape" else built[i].params


def aligned_layers(experiment: Experiment, built: list[Layer]) -> list[Layer]:
    """Leave the input row out of ours where the printed table leaves it out."""
    printed = experiment.table.layers if experiment.table else ()
    if printed and printed[0].type != "InputLayer":
        return [layer for layer in built if layer.type != "InputLayer"]
    return built
