"""One model trained under one protocol, and variants of it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from fmnist_utils.models.build import build as build_model
from fmnist_utils.models.layer_rules import misbuilt
from fmnist_utils.models.spec import ModelSpec
from fmnist_utils.records import (
    LocatedError,
    Slug,
    Strict,
    all_problems,
    first_problem,
    refuse_duplicates,
    sha256,
)
from fmnist_utils.reports.claim import Assumption, Claim
from fmnist_utils.reports.printed_tables import EpochTable, LayerTable, ScoreTable
from fmnist_utils.reports.protocol import ALWAYS, Precision, Training
from fmnist_utils.reports.settings import (
    SettingError,
    _as_restored,
    _check_assumption,
    _check_setting,
    account_for,
    check_reading,
    find,
    key_words,
    look_up,
    open_readings,
)
from fmnist_utils.reports.values import Printed

if TYPE_CHECKING:
    import keras


def _flat(value: Any) -> Any:
    """Take lists within a list apart: assumptions that experiments share stand in one, by alias."""
    if not isinstance(value, list | tuple):
        return value
    nested = (item if isinstance(item, list | tuple) else (item,) for item in value)
    return [item for items in nested for item in items]


class Experiment(Strict):
    """One model trained under one protocol in one report.

    `precision` is what the book trains it in: our choice, no part of the protocol, and assumed
    where it is not float32. `layers_as` names the experiment whose layers are those of this one
    too, but for what is said here; that they are is assumed as ``reading.layers``.
    """

    id: Slug
    report: Slug
    title: str
    where: str
    model: ModelSpec
    training: Training
    precision: Precision = "float32"
    layers_as: Slug | None = None
    assumed: Annotated[tuple[Assumption, ...], BeforeValidator(_flat)] = ()
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
        scores = (_as_restored(self.training, claim) for claim in scores)
        epochs = (claim for table in self.epoch_tables for claim in table.claims())
        return (*self.stated, *scores, *epochs)

    def accuracy(self, split: str | None) -> Claim | None:
        """Return the first claim about the accuracy on a split; None where there is none.

        That of a single epoch is not the model's.
        """
        found = (c for c in self.stated if c.about.is_accuracy and c.split == split)
        return next((claim for claim in found if claim.epoch is None), None)

    def __getitem__(self, claim_id: str) -> Claim:
        """Return a claim by its id.

        Raises
        ------
        KeyError
            When the experiment states no such claim.
        """
        if found := [claim for claim in self.claims if claim.id == claim_id]:
            return found[0]
        raise KeyError(f"{self.report}/{self.id} has no claim {claim_id}")

    def setting(self, path: str) -> Any:
        """Look up a dotted path such as ``training.optimizer.learning_rate``.

        In a list a number is a position from 0 and ``count`` its length: ``model.hidden.count``.
        What all trainings have in common is a ``reading``; see `protocol.ALWAYS`.

        Raises
        ------
        KeyError
            When the experiment has no such setting.
        """
        if path in ALWAYS:
            return ALWAYS[path]
        return look_up(self, path, f"{self.report}/{self.id}")

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting of the model and the protocol that is used, by its dotted path."""
        paths = _paths(self.model, self.training)
        return {path: self.setting(path) for path in paths if not path.endswith(".count")}

    def build(self, *, plain: bool = False) -> keras.Model:
        """Build the experiment's Keras model, not compiled; see `models.build`."""
        return build_model(self.model, plain=plain)

    @property
    def is_own(self) -> bool:
        """Whether a reader made it with `vary`: its runs are no evidence on the report."""
        return OWN in self.id

    def vary(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> Experiment:
        """Return an experiment of your own: this one with some settings changed.

        Parameters
        ----------
        settings : mapping, optional
            Setting to value. A setting is a dotted path of `settings`, such as
            ``model.dense.0.dropout``; or its end, ``dropout``, which stands for every place where
            the experiment has one and which no path names.
        **more
            The same for ends that are words of their own: ``dropout=0.3, epochs=20``. None leaves
            a feature out; a mapping is a feature as a whole:
            ``early_stopping={"monitor": "val_loss", "patience": 5}``.

        Returns
        -------
        Experiment
            Without claims. Its runs stay in ``./runs`` and are never evidence.

        Raises
        ------
        SettingError
            When there is no such setting, or it does not take the value.

        Examples
        --------
        >>> mine = experiment.vary(epochs=20, learning_rate=0.01)
        >>> mine.training.epochs, mine.training.optimizer.learning_rate
        (20, 0.01)
        """
        whose = f"{self.report}/{self.id}"
        have = self.model_dump(include={"model", "training"})
        # What names one place counts more than what names several.
        chosen = dict(sorted({**(settings or {}), **more}.items(), key=lambda item: "." in item[0]))
        found = {path: value for name, value in chosen.items() for path in find(have, name, whose)}
        if not found:
            raise SettingError(f"Name a setting of {whose} to vary, such as epochs=20.")
        for path in found:
            if whole := next((other for other in found if path.startswith(f"{other}.")), None):
                raise SettingError(f"{path} is a part of {whole}: vary one of them.")
        words = [f"{key_words(name)} {_shown(value)}" for name, value in chosen.items()]
        end = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
        own = f"{self.id}{'-' if self.is_own else OWN}{end}"
        if len(own) > 100:
            own = f"{own[:88].rstrip('-')}-{sha256(own)[:8]}"
        title = f"{self.title}, {', '.join(words)}"
        variant = Variant.model_construct(of=self.id, title=title, settings=found)
        try:
            varied = self.varied(own, variant)
        except ValidationError as error:
            # Names of kinds of models stand in no path.
            problem = re.sub(r"^model\.(mlp|cnn)\.", "model.", first_problem(error))
            problem = problem.replace("Value error, ", "")
            raise SettingError(f"{whose} cannot be varied so: {problem}.") from error
        if fault := misbuilt(varied.model):
            raise SettingError(f"{whose} cannot be varied so: {fault}.")
        return varied

    def varied(self, variant_id: str, variant: Variant) -> Experiment:
        """Return this experiment with the settings of a variant, and no claims of its own.

        Parameters
        ----------
        variant_id : str
            The id that the new experiment gets.
        variant : Variant
            Its settings, title and precision; where it has none of the last, ours stays.
        """
        content = self.model_dump(mode="json", include=_VARIED)
        for path, value in variant.settings.items():
            self.setting(path)
            keys: list[Any] = [int(part) if part.isdigit() else part for part in path.split(".")]
            target: Any = content
            for key in keys[:-1]:
                target = target[key]
            target[keys[-1]] = _as_text(value)
        content |= {
            "id": variant_id,
            "title": variant.title,
            "variant_of": self.variant_of or self.id,
        }
        if variant.precision:
            content["precision"] = variant.precision
        return Experiment.model_validate(content)

    @field_validator("assumed")
    @classmethod
    def _stars_written_out(
        cls, items: tuple[Assumption, ...], info: ValidationInfo
    ) -> tuple[Assumption, ...]:
        if not {"model", "training"} <= info.data.keys():
            return items
        written_out = []
        for item in items:
            paths = fnmatch.filter(_paths(**info.data), item.setting)
            paths = paths if "*" in item.setting else [item.setting]
            written_out += [item.model_copy(update={"setting": path}) for path in paths]
        return tuple(written_out)

    @field_validator("stated")
    @classmethod
    def _readings_by_default(
        cls, claims: tuple[Claim, ...], info: ValidationInfo
    ) -> tuple[Claim, ...]:
        training = info.data.get("training")
        return tuple(_as_restored(training, claim) for claim in claims) if training else claims

    @model_validator(mode="after")
    def _holds_together(self) -> Experiment:
        all_problems(
            (
                self._check_model,
                *(partial(self._check_claim, i, claim) for i, claim in enumerate(self.results)),
                self._check_assumptions,
                self._check_all_settings,
            )
        )
        return self

    def _check_model(self) -> None:
        if self.variant_of is None and (problem := misbuilt(self.model)):
            raise LocatedError(f"{self.id}: {problem}", "model")

    def _check_claim(self, i: int, claim: Claim) -> None:
        """Every claim is about what the experiment, or a run of it, has."""
        # Those of the prose come first.
        at = ("claims", i) if i < len(self.stated) else ()
        if claim.about.place == "report":
            raise LocatedError(f"claim {claim.id}: {claim.quantity} belongs under the report", *at)
        if claim.setting is not None:
            _check_setting(self, claim, *at)
        last = self.training.epochs
        if claim.epoch is not None and claim.epoch > last:
            problem = f"training ends by epoch {last}, before epoch {claim.epoch}"
            raise LocatedError(f"claim {claim.id}: {problem}", *at)
        check_reading(self, claim, *at)

    def _check_assumptions(self) -> None:
        """Every assumption names a setting, with the value used."""
        if self.variant_of is None:
            all_problems(
                partial(_check_assumption, self, item.setting, item.chosen)
                for item in self.assumed
                if item.setting in ALWAYS or not item.setting.startswith("reading.")
            )

    def _check_all_settings(self) -> None:
        """Every setting, and every reading, is either stated or assumed."""
        if self.variant_of is not None:
            return
        refuse_duplicates(f"experiment {self.id}: claim id", (claim.id for claim in self.claims))
        assumed = {item.setting for item in self.assumed}
        stated = {claim.setting for claim in self.stated if claim.setting}
        paths = [path for path in _paths(self.model, self.training) if not self._implied(path)]
        account_for(f"experiment {self.id}", [*paths, *open_readings(self)], stated, assumed)

    def _implied(self, path: str) -> bool:
        """Say whether a setting is in the printed layer table, or that of another experiment."""
        if self.layers_as is None:
            return self.table is not None and path.rpartition(".")[2] in _PRINTED
        return path.startswith("model.")

    def layers_otherwise(self, other: Experiment) -> list[str]:
        """List the settings of layers that differ from another's, and are not accounted for."""
        known = {item.setting for item in self.assumed} | {claim.setting for claim in self.stated}
        theirs = {path: other.setting(path) for path in _paths(other.model, other.training)}
        return [
            path
            for path in _paths(self.model, self.training)
            if path.startswith("model.")
            and path not in known
            and theirs.get(path) != self.setting(path)
        ]


#: Stands in the id of an experiment that a reader made, before what it changes.
OWN = "-own-"


def _as_text(value: Any) -> Any:
    """Write values as they stand in a file: a whole feature, such as early stopping, key by key."""
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(item) for item in value]
    return None if value is None else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return "left out" if value is None else str(value)


#: What a variant takes over from its experiment.
_VARIED = {"report", "where", "model", "training", "precision"}


#: What a printed layer table shows of a model.
_PRINTED = {
    "count", "units", "filters", "kernel", "padding", "strides", "pool", "pool_kind", "batch_norm",
    "input_shape", "global_pool",
}  # fmt: skip


def _paths(model: ModelSpec, training: Training, **_: Any) -> list[str]:
    """List the settings of a model and of its training that are in use, by path."""
    layers = model.model_dump(exclude={"builder"}, exclude_none=True)
    if layers["input_shape"] == type(model).model_fields["input_shape"].default:
        del layers["input_shape"]  # a fact of the data set
    return [*_leaves(layers, "model"), *_leaves(training.model_dump(exclude_none=True), "training")]


def _leaves(settings: dict[str, Any], prefix: str) -> Iterator[str]:
    for key, value in settings.items():
        path = f"{prefix}.{key}"
        if isinstance(value, dict):
            yield from _leaves(value, path)
        elif isinstance(value, tuple) and all(isinstance(item, dict) for item in value):
            if value:
                yield f"{path}.count"
            for i, item in enumerate(value):
                yield from _leaves(item, f"{path}.{i}")
        else:
            yield path


class Variant(Strict):
    """An experiment under another choice than the assumed one, to see how much the choice matters.

    `settings` maps dotted paths of the experiment `of` to the values that differ; a feature that
    it does not use is given as a whole: ``training.early_stopping: {monitor: ..., patience: ...}``.
    None, which no file can hold, leaves a feature out.
    """

    of: str
    title: str
    precision: Precision | None = None
    settings: dict[str, Printed | dict[str, Printed] | None]
