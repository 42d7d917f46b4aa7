"""Find what stands in our layer table where a printed one has a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fmnist_utils.models.build import Layer
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed import PrintedLayer


def built_cell(claim: Claim, experiment: Experiment, built: Sequence[Layer]) -> Any:
    """Return what stands in our table where the claim's cell is; words where nothing can."""
    printed, built = _printed(experiment), aligned_layers(experiment, built)
    i = claim.layer or 0
    if i >= len(built):
        return "no such layer"
    if i == len(printed) - 1 and len(built) > len(printed):
        return f"{len(built) - len(printed)} more layers follow"
    if i < len(printed) and built[i].type != printed[i].type:
        return built[i].type
    return built[i].shape if claim.quantity == "layer_shape" else built[i].params


def aligned_layers(experiment: Experiment, built: Sequence[Layer]) -> list[Layer]:
    """Leave the input row out of ours where the printed table leaves it out."""
    printed = _printed(experiment)
    left_out = bool(printed) and printed[0].type != "InputLayer"
    return [layer for layer in built if not (left_out and layer.type == "InputLayer")]


def _printed(experiment: Experiment) -> Sequence[PrintedLayer]:
    return experiment.table.layers if experiment.table else ()
