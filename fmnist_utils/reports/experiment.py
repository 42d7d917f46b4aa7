"""One model trained under one protocol, and variants of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from fmnist_utils.models.build import build as build_model
from fmnist_utils.models.spec import ModelSpec
from fmnist_utils.records import Slug, Strict, WrongAt, refuse_duplicates
from fmnist_utils.reports.claim import Assumption, Claim
from fmnist_utils.reports.printed import EpochTable, LayerTable, ScoreTable
from fmnist_utils.reports.protocol import Precision, Training
from fmnist_utils.reports.settings import _check_assumption, _check_setting, account_for, look_up
from fmnist_utils.reports.values import Printed

if TYPE_CHECKING:
    import keras


class Experiment(Strict):
    """One model trained under one protocol in one report.

    `precision` is what the book trains it in: our choice, no part of the protocol.
    """

    id: Slug
    report: Slug
    title: str
    where: str
    model: ModelSpec
    training: Training
    precision: Precision = "float32"
    assumed: tuple[Assumption, ...] = ()
    table: LayerTable | None = None
    scores: ScoreTable | None = None
    epoch_tables: tuple[EpochTable, ...] = ()
    stated: tuple[Claim, ...] = Field(default=(), alias="claims")
    variant_of: str | None = Field(default=None, exclude=True)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every claim of the experiment: those of the prose, then the cells of its tables."""
        return (*self.results, *(self.table.claims() if self.table else ()))

    @property
    def results(self) -> tuple[Claim, ...]:
        """Every claim but the cells of the layer table."""
        scores = self.scores.claims() if self.scores else ()
        epochs = (claim for table in self.epoch_tables for claim in table.claims())
        return (*self.stated, *scores, *epochs)

    def accuracy(self, split: str | None) -> Claim | None:
        """Return the first claim about the accuracy on a split; None where none is stated."""
        found = (c for c in self.stated if c.quantity == "accuracy" and c.split == split)
        return next(found, None)

    def __getitem__(self, claim_id: str) -> Claim:
        """Return a claim by its id.

        Raises
        ------
        KeyError
            When the experiment states no such claim.
        """
        for claim in self.claims:
            if claim.id == claim_id:
                return claim
        raise KeyError(f"{self.report}/{self.id} has no claim {claim_id}")

    def setting(self, path: str) -> Any:
        """Look up a dotted path such as ``training.optimizer.learning_rate``.

        In a list a number is a position from 0 and ``count`` its length: ``model.hidden.count``.

        Raises
        ------
        KeyError
            When the experiment has no such setting.
        """
        return look_up(self, path, f"{self.report}/{self.id}")

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting of the model and the protocol that is used, by its dotted path."""
        used = self.model_dump(include={"model", "training"}, exclude_none=True)
        return {path.lstrip("."): value for path, value in _leaves(used)}

    def build(self, *, plain: bool = False) -> keras.Model:
        """Build the experiment's Keras model, not compiled; see `models.build`."""
        return build_model(self.model, plain=plain)

    def vary(self, variant_id: str, variant: Variant) -> Experiment:
        """Return this experiment with some settings changed, and no claims of its own."""
        content = self.model_dump(mode="json", include=_VARIED)
        for path, value in variant.settings.items():
            self.setting(path)
            *parents, last = path.split(".")
            target: Any = content
            for part in parents:
                target = target[int(part) if isinstance(target, list) else part]
            if isinstance(value, dict):  # a whole feature, such as early stopping
                target[last] = {key: str(item) for key, item in value.items()}
            elif value is None:
                target[last] = None
            else:
                target[last] = str(value)
        return Experiment.model_validate(
            {**content, "id": variant_id, "title": variant.title, "variant_of": self.id}
        )

    @model_validator(mode="after")
    def _claims_can_be_judged(self) -> Experiment:
        """Every claim is about what the experiment, or a run of it, has."""
        last = self.training.epochs
        for i, claim in enumerate(self.results):
            # Those of the prose come first.
            at = ("claims", i) if i < len(self.stated) else ()
            if claim.about.place == "report":
                raise WrongAt(f"claim {claim.id}: {claim.quantity} belongs under the report", *at)
            if claim.setting is not None:
                _check_setting(self, claim, *at)
            if claim.epoch is not None and claim.epoch > last:
                raise WrongAt(
                    f"claim {claim.id}: training ends by epoch {last}, before epoch {claim.epoch}",
                    *at,
                )
            _check_reading(self, claim, *at)
        return self

    @model_validator(mode="after")
    def _settings_accounted_for(self) -> Experiment:
        """Every protocol setting is either stated or assumed, with the value that is used."""
        if self.variant_of is not None:
            return self
        place = f"experiment {self.id}"
        refuse_duplicates(f"{place}: claim id", (claim.id for claim in self.claims))
        assumed = {item.setting: item.chosen for item in self.assumed}
        for path, chosen in assumed.items():
            if not path.startswith("reading."):
                _check_assumption(self, path, chosen)
        stated = {claim.setting for claim in self.stated if claim.setting}
        paths = [path for path in self.settings if path.startswith("training.")]
        account_for(place, paths, stated, assumed)
        return self


#: What a variant takes over from its experiment.
_VARIED = {"report", "where", "model", "training", "precision"}


def _check_reading(experiment: Experiment, claim: Claim, *at: int | str) -> None:
    if claim.reading.endswith("-all") and experiment.training.validation.take == "test":
        raise WrongAt(
            f"claim {claim.id}: {experiment.id} validates on the test images, "
            f"which reading {claim.reading} would count as training images",
            *at,
        )


def _leaves(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    nested = isinstance(settings, tuple) and settings and isinstance(settings[0], dict)
    if not nested and not isinstance(settings, dict):
        yield prefix, settings
        return
    for key, value in enumerate(settings) if nested else settings.items():
        yield from _leaves(value, f"{prefix}.{key}")


class Variant(Strict):
    """An experiment under another choice than the assumed one, to see how much the choice matters.

    `settings` maps dotted paths of the experiment `of` to the values that differ; a feature that
    it does not use is given as a whole: ``training.early_stopping: {monitor: ..., patience: ...}``.
    None, which no file can hold, leaves a feature out.
    """

    of: str
    title: str
    settings: dict[str, Printed | dict[str, Printed] | None]
