"""Printed tables: layers, scores of classes, epochs; each cell is a claim."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from fmnist_utils.data.fashion_mnist import NUM_CLASSES
from fmnist_utils.records import Strict
from fmnist_utils.reports.claim import Claim, _as_printed


class PrintedLayer(Strict):
    """One row of a layer table as the report prints it, the batch axis left out."""

    name: str
    type: str
    shape: tuple[int, ...]
    params: int


class LayerTable(Strict):
    """A printed layer table with its totals."""

    where: str
    layers: tuple[PrintedLayer, ...]
    total: int
    trainable: int
    non_trainable: int

    def claims(self) -> Iterator[Claim]:
        """Yield one claim per cell of the table and one per total."""
        for i, layer in enumerate(self.layers):
            row = f"{self.where}, row {i + 1}"
            yield Claim(
                id=f"layer-{i + 1}-shape", quantity="layer_shape", layer=i,
                value=_as_printed(layer.shape), where=row,
            )  # fmt: skip
            yield Claim(
                id=f"layer-{i + 1}-params", quantity="layer_params", layer=i,
                value=_as_printed(layer.params), where=row,
            )  # fmt: skip
        for name in ("total", "trainable", "non_trainable"):
            yield Claim(
                id=f"{name.replace('_', '-')}-params",
                quantity=f"{name}_params",
                value=getattr(self, name),
                where=f"{self.where}, totals",
            )


class ClassScores(Strict):
    """One row of a classification report, as printed; `support` counts the images of the class."""

    label: str
    precision: Decimal
    recall: Decimal
    f1: Decimal
    support: PositiveInt


class ScoreTable(Strict):
    """A printed classification report; its scores are fractions, or percentages."""

    where: str
    split: Literal["test"]
    unit: Literal["percent", "plain"] = "plain"
    rows: Annotated[tuple[ClassScores, ...], Field(min_length=NUM_CLASSES, max_length=NUM_CLASSES)]

    def claims(self) -> Iterator[Claim]:
        """Yield one claim per cell; the supports are exact."""
        for i, row in enumerate(self.rows):
            where = f"{self.where}, {row.label}"
            for quantity in ("precision", "recall", "f1"):
                yield Claim(
                    id=f"{quantity}-{i}",
                    quantity=quantity,
                    label=i,
                    split=self.split,
                    unit=self.unit,
                    value=getattr(row, quantity),
                    where=where,
                )
            yield Claim(
                id=f"support-{i}", quantity="images", split=self.split, label=i,
                value=_as_printed(row.support), where=where,
            )  # fmt: skip


class EpochTable(Strict):
    """Loss and accuracy of every epoch on one split, as printed; one value per epoch.

    `decimals` is how many digits all values were rounded to, where a table drops trailing zeros.
    """

    where: str
    split: Literal["train", "validation"]
    unit: Literal["percent", "plain"] = "plain"
    decimals: PositiveInt | None = None
    loss: tuple[Decimal, ...]
    accuracy: tuple[Decimal, ...]

    def claims(self) -> Iterator[Claim]:
        """Yield one claim per cell."""
        for quantity, values in (("loss", self.loss), ("accuracy", self.accuracy)):
            for epoch, printed in enumerate(values, start=1):
                value = printed if self.decimals is None else round(printed, self.decimals)
                yield Claim(
                    id=f"{self.split}-{quantity}-epoch-{epoch}",
                    quantity=quantity,
                    split=self.split,
                    epoch=epoch,
                    unit=self.unit if quantity == "accuracy" else "plain",
                    value=value,
                    where=f"{self.where}, epoch {epoch}",
                )
