"""Printed tables: layers, scores of classes, epochs; each cell is a claim."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, NUM_CLASSES
from fmnist_utils.records import Strict
from fmnist_utils.reports.claim import Claim, Class
from fmnist_utils.reports.settings import named_errors
from fmnist_utils.reports.values import MAX_DIGITS, Count, Number, as_printed

#: How many values a layer has along one axis.
Extent = Annotated[int, Field(ge=1, le=10**7)]


class _Printed(Strict):
    """A printed table whose cells are claims; one that is no value at all is refused.

    The table is one statement of the report, and each cell a part of it.
    """

    where: str

    def claims(self) -> Iterator[Claim]:
        """Yield one claim per cell."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _cells_are_values(self) -> Self:
        with named_errors(self.where):
            tuple(self.claims())
        return self


class PrintedLayer(Strict):
    """One row of a layer table as the report prints it, the batch axis left out."""

    name: str
    type: str
    shape: Annotated[tuple[Extent, ...], Field(min_length=1)]
    params: Count

    @model_validator(mode="after")
    def _maps_are_small(self) -> PrintedLayer:
        if max(self.shape[:-1], default=0) > 1024:
            raise ValueError(f"shape {list(self.shape)}: no map of these images has such sides")
        return self


class LayerTable(_Printed):
    """A printed layer table with its totals."""

    layers: Annotated[tuple[PrintedLayer, ...], Field(min_length=1)]
    total: Count
    trainable: Count
    non_trainable: Count

    def claims(self) -> Iterator[Claim]:
        """Yield one claim per cell of the table and one per total."""
        for i, layer in enumerate(self.layers):
            row = f"{self.where}, row {i + 1}"
            yield Claim(
                id=f"layer-{i + 1}-shape", quantity="layer_shape", layer=i,
                value=as_printed(layer.shape), where=(row,), statement="layers",
            )  # fmt: skip
            yield Claim(
                id=f"layer-{i + 1}-params", quantity="layer_params", layer=i,
                value=as_printed(layer.params), where=(row,), statement="layers",
            )  # fmt: skip
        for name in ("total", "trainable", "non_trainable"):
            yield Claim(
                id=f"{name.replace('_', '-')}-params",
                quantity=f"{name}_params",
                value=getattr(self, name),
                where=(f"{self.where}, totals",),
                statement="layers",
            )


class ClassScores(Strict):
    """One row of a classification report, as printed; `support` counts the images of the class."""

    label: Class
    precision: Number
    recall: Number
    f1: Number
    support: Annotated[Count, Field(gt=0)]


class ScoreTable(_Printed):
    """A printed classification report; its scores are fractions, or percentages."""

    split: Literal["test"]
    unit: Literal["percent", "plain"] = "plain"
    rows: Annotated[tuple[ClassScores, ...], Field(min_length=NUM_CLASSES, max_length=NUM_CLASSES)]

    @field_validator("rows")
    @classmethod
    def _one_of_each_class(cls, rows: tuple[ClassScores, ...]) -> tuple[ClassScores, ...]:
        """Put the rows in the order of the classes, by which they are counted."""
        if {row.label for row in rows} != set(range(NUM_CLASSES)):
            raise ValueError("each of the ten classes needs a row of its own")
        return tuple(sorted(rows, key=lambda row: row.label))

    def claims(self) -> Iterator[Claim]:
        """Yield one claim per cell; the supports are exact."""
        for i, row in enumerate(self.rows):
            where = (f"{self.where}, {CLASS_NAMES[row.label]}",)
            for quantity in ("precision", "recall", "f1"):
                yield Claim(
                    id=f"{quantity}-{i}",
                    quantity=quantity,
                    label=i,
                    split=self.split,
                    unit=self.unit,
                    value=getattr(row, quantity),
                    where=where,
                    statement="scores",
                )
            yield Claim(
                id=f"support-{i}", quantity="images", split=self.split, label=i,
                value=as_printed(row.support), where=where, statement="scores",
            )  # fmt: skip


class EpochTable(_Printed):
    """Loss and accuracy of every epoch on one split, as printed; one value per epoch.

    `decimals` is how many digits all values were rounded to, where a table drops trailing zeros.
    """

    split: Literal["train", "validation"]
    unit: Literal["percent", "plain"] = "plain"
    decimals: Annotated[int, Field(gt=0, le=MAX_DIGITS)] | None = None
    loss: tuple[Number, ...]
    accuracy: tuple[Number, ...]

    @model_validator(mode="after")
    def _zeros_alone_are_dropped(self) -> Self:
        for value in (*self.loss, *self.accuracy):
            if self.decimals and -int(value.as_tuple().exponent) > self.decimals:
                raise ValueError(f"{self.where}: {value} has more than {self.decimals} decimals")
        return self

    @model_validator(mode="after")
    def _every_epoch_has_both(self) -> Self:
        epochs = len(self.loss), len(self.accuracy)
        if epochs[0] != epochs[1] or not self.loss:
            both = "an epoch table has a loss and an accuracy of each epoch"
            raise ValueError(f"{both}, not {epochs[0]} and {epochs[1]}")
        return self

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
                    where=(f"{self.where}, epoch {epoch}",),
                    statement=f"{self.split}-epochs",
                )
