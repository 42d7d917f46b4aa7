"""The typed Report, Experiment, Claim and Assumption.

A report file holds facts, never a report's sentences. Every scalar reaches these classes as the
text that stands in the file, so that ``84.60`` keeps the rounding the report printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from fmnist_utils import data, models
from fmnist_utils.augmentation import Augmentation
from fmnist_utils.models import ModelSpec
from fmnist_utils.reports.paths import look_up
from fmnist_utils.reports.search import Search
from fmnist_utils.strict import Strict

if TYPE_CHECKING:
    import keras


def _as_printed(value: Any) -> Any:
    """Turn printed text into a Decimal that keeps its trailing zeros; leave words as they are."""
    if isinstance(value, list | tuple):
        return tuple(_as_printed(item) for item in value)
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


#: A class of Fashion-MNIST by its number.
Class = Annotated[int, Field(ge=0, lt=models.NUM_CLASSES)]

Printed = Annotated[Decimal | str | tuple[Decimal, ...], BeforeValidator(_as_printed)]
PrintedOrClaim = Annotated[Decimal | str, BeforeValidator(_as_printed)]

Split = Literal["train", "validation", "test"]

#: float32, or matrix products in bfloat16 with variables and everything else in float32.
Precision = Literal["float32", "mixed_bfloat16"]
Measured = Literal[
    "accuracy", "loss", "epochs_trained", "lowest_val_loss_epoch",
    "precision", "recall", "f1", "confused", "class_ordering",
]  # fmt: skip
Comparison = Literal["difference", "ordering", "bound"]
Exact = Literal[
    "layer_shape", "layer_params", "total_params", "trainable_params", "non_trainable_params",
    "setting", "images", "data",
]  # fmt: skip
Untested = Literal["cited", "minutes"]

#: The ways in which "the accuracy after training" can be read, and what each one means.
READINGS = {
    "final": "evaluated with the weights of the last epoch",
    "best": "evaluated with the weights of the best validation epoch",
    "final-running": "as Keras prints it during the last epoch: weights still changing, dropout on",
    "best-running": "as Keras prints it during the best validation epoch",
    "final-all": "last epoch, evaluated on all training images, validation part included",
    "best-all": "best validation epoch, evaluated on all training images, validation part included",
}
Reading = Literal["final", "best", "final-running", "best-running", "final-all", "best-all"]

#: How much a finding matters, most first, and what each word means.
SEVERITIES = {
    "high": "a conclusion or a headline number does not hold as it is stated",
    "medium": "a result cannot be checked, or not be taken at face value",
    "low": "a slip or an open question that changes no result",
}
Severity = Literal["high", "medium", "low"]


class Claim(Strict):
    """One number or one ordering that a report states.

    Which of the optional keys a claim needs follows from its quantity; a missing or superfluous
    one is an error. ``confused`` is the share of a class that is taken for another one;
    ``images`` is how many images a split has, or one class of the test set, or the shape of the
    split's array; ``cited`` is a number from other work and ``minutes`` a training time, which we
    show beside ours and do not judge.

    Attributes
    ----------
    value : Decimal, str or tuple of Decimal
        As printed, rounding included. For ``ordering`` there is none.
    unit : str
        ``percent`` (of images, or of a setting), ``points`` (percentage points) or ``plain``.
    where : str
        Where the report states it.
    of, than : str
        Ids of the experiments that a comparison sets against each other: `of` minus `than`
        for a difference, `of` above `than` for an ordering, `of` against `value` for a bound.
    reading : str
        Which of `READINGS` gives the verdict.
    epoch : int
        For ``accuracy`` and ``loss``: the value is that of one epoch, counted from 1, as Keras
        prints it.
    label, predicted, than_label : int
        The true class, 0 to 9; the one that is predicted in its place; the one that a
        ``class_ordering`` says has a lower recall.
    mean_of : int
        The value is the mean of so many trainings.
    """

    id: str
    quantity: Measured | Comparison | Exact | Untested
    where: str
    value: Printed | None = None
    unit: Literal["percent", "points", "plain"] = "plain"
    split: Split | None = None
    reading: Reading = "final"
    layer: int | None = None
    setting: str | None = None
    fact: str | None = None
    of: str | None = None
    than: str | None = None
    relation: Literal["at_least", "at_most"] | None = None
    epoch: PositiveInt | None = None
    label: Class | None = None
    predicted: Class | None = None
    than_label: Class | None = None
    mean_of: PositiveInt | None = None

    @model_validator(mode="after")
    def _keys_fit_quantity(self) -> Claim:
        needed = _NEEDED.get(self.quantity, {"value"})
        given = {key for key in _OPTIONAL if getattr(self, key) is not None}
        given -= _ALSO.get(self.quantity, set())
        if given != needed:
            wrong = ", ".join(sorted(needed ^ given))
            verb = "needs" if needed - given else "does not take"
            raise ValueError(f"claim {self.id}: a claim of quantity {self.quantity} {verb} {wrong}")
        about = f"a claim of quantity {self.quantity} about"
        if self.label is not None and self.split != "test":
            raise ValueError(f"claim {self.id}: {about} a class needs split test")
        if self.epoch is not None and self.split == "test":
            raise ValueError(f"claim {self.id}: {about} an epoch does not take split test")
        if "-" in self.reading and self.split != "train":
            raise ValueError(f"claim {self.id}: reading {self.reading} is of training images only")
        if self.quantity == "data" and self.fact not in data.FACTS:
            raise ValueError(f"claim {self.id}: unknown fact {self.fact}; see data.FACTS")
        return self

    @property
    def kind(self) -> Literal["measured", "comparison", "exact", "untested"]:
        """Whether the claim is held against runs, several experiments' runs, exactly, or not."""
        if self.quantity in get_args(Measured):
            return "measured"
        if self.quantity in get_args(Untested):
            return "untested"
        return "comparison" if self.quantity in get_args(Comparison) else "exact"

    @property
    def numbers(self) -> int:
        """How many stated numbers the claim holds: a shape has several, a word none."""
        if isinstance(self.value, tuple):
            return len(self.value)
        return int(isinstance(self.value, Decimal))

    @property
    def number(self) -> float:
        """The value as a float, in the claim's unit."""
        if not isinstance(self.value, Decimal):
            raise TypeError(f"claim {self.id} has no single number")
        return float(self.value)

    @property
    def whole(self) -> float:
        """What a fraction of 1 is in the claim's unit: 100 in percent or points, else 1."""
        return 1.0 if self.unit == "plain" else 100.0

    @property
    def percent(self) -> float:
        """The value of an accuracy, or of another share, in percent."""
        return 100.0 * self.number / self.whole

    @property
    def half_width(self) -> float:
        """Half of the last printed digit, in the claim's unit: what rounding may have hidden."""
        if not isinstance(self.value, Decimal):
            raise TypeError(f"claim {self.id} has no single number")
        return 0.5 * 10.0 ** int(self.value.as_tuple().exponent)


_OPTIONAL = (
    "value", "split", "layer", "setting", "fact", "of", "than", "relation", "epoch", "label",
    "predicted", "than_label",
)  # fmt: skip
#: What a claim may have besides.
_ALSO = {"accuracy": {"epoch"}, "loss": {"epoch"}, "images": {"label"}}
_NEEDED: dict[str, set[str]] = {
    "accuracy": {"value", "split"},
    "loss": {"value", "split"},
    "precision": {"value", "split", "label"},
    "recall": {"value", "split", "label"},
    "f1": {"value", "split", "label"},
    "confused": {"value", "split", "label", "predicted"},
    "class_ordering": {"split", "label", "than_label"},
    "images": {"value", "split"},
    "difference": {"value", "split", "of", "than"},
    "ordering": {"split", "of", "than"},
    "bound": {"value", "split", "of", "relation"},
    "layer_shape": {"value", "layer"},
    "layer_params": {"value", "layer"},
    "setting": {"value", "setting"},
    "data": {"value", "fact"},
}


class Assumption(Strict):
    """One setting that the report does not state, what we chose, and why.

    `setting` is a dotted path into the experiment (``training.optimizer.learning_rate``) or a
    choice of reading (``reading.weights``).
    """

    setting: str
    chosen: Printed
    because: str


class Validation(Strict):
    """Which training images are held out for validation: a fraction or a count of them.

    With ``take: test`` none is: the test images are looked at during training, as some do.
    """

    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    count: PositiveInt | None = None
    take: Literal["first", "last", "random", "test"]
    seed: int | None = None

    @model_validator(mode="after")
    def _can_be_taken(self) -> Validation:
        given = (self.fraction is not None) + (self.count is not None)
        if given != (self.take != "test"):
            raise ValueError("a validation split needs either a fraction or a count, or take: test")
        if (self.take == "random") != (self.seed is not None):
            raise ValueError("a random validation split needs a seed, and no other takes one")
        return self


class Optimizer(Strict):
    """A Keras optimizer; what is not named here stays at the Keras default."""

    name: Literal["adam", "rmsprop", "sgd"]
    learning_rate: PositiveFloat


class EarlyStopping(Strict):
    """Stop when the monitored validation metric has not improved for `patience` epochs."""

    monitor: Literal["val_accuracy", "val_loss"]
    patience: PositiveInt


class Training(Strict):
    """The protocol of one training.

    `images` limits it to so many training images, the first ones that are not held out.

    A feature that a report does not use is None, and None is left out of the fingerprint: new
    optional features leave existing runs valid.
    """

    validation: Validation
    batch_size: PositiveInt
    epochs: PositiveInt
    optimizer: Optimizer
    loss: Literal["categorical_crossentropy", "sparse_categorical_crossentropy"]
    early_stopping: EarlyStopping | None = None
    images: PositiveInt | None = None
    augmentation: Augmentation | None = None


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
                quantity=f"{name}_params",  # type: ignore[arg-type]
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
    rows: Annotated[
        tuple[ClassScores, ...],
        Field(min_length=models.NUM_CLASSES, max_length=models.NUM_CLASSES),
    ]

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
                    quantity=quantity,  # type: ignore[arg-type]
                    split=self.split,
                    epoch=epoch,
                    unit=self.unit if quantity == "accuracy" else "plain",
                    value=value,
                    where=f"{self.where}, epoch {epoch}",
                )


class Experiment(Strict):
    """One model trained under one protocol in one report.

    `precision` is what the book trains it in: our choice, no part of the protocol.
    """

    id: str
    report: str
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

    def build(self, *, plain: bool = False) -> keras.Model:
        """Build the experiment's Keras model, not compiled; see `models.build`."""
        return models.build(self.model, plain=plain)

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
        for claim in self.results:
            if claim.setting is not None:
                _check_setting(self, claim)
            if claim.epoch is not None and claim.epoch > last:
                raise ValueError(
                    f"claim {claim.id}: training ends by epoch {last}, before epoch {claim.epoch}"
                )
            _check_reading(self, claim)
        return self

    @model_validator(mode="after")
    def _settings_accounted_for(self) -> Experiment:
        """Every protocol setting is either stated or assumed, with the value that is used."""
        if self.variant_of is not None:
            return self
        place = f"experiment {self.id}"
        ids = [claim.id for claim in self.claims]
        if duplicates := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"{place}: claim id {min(duplicates)} stands twice")
        assumed = {item.setting: item.chosen for item in self.assumed}
        for path, chosen in assumed.items():
            if not path.startswith("reading."):
                _check_assumption(self, path, chosen)
        stated = {claim.setting for claim in self.stated if claim.setting}
        for path in _leaves(self.training.model_dump(exclude_none=True), "training"):
            if path not in stated and path not in assumed:
                raise ValueError(f"{place}: {path} is neither claimed nor assumed")
            if path in stated and path in assumed:
                raise ValueError(f"{place}: {path} is both claimed and assumed")
        return self


#: What a variant takes over from its experiment.
_VARIED = {"report", "where", "model", "training", "precision"}


def _check_assumption(subject: Experiment | Search, path: str, chosen: Any) -> None:
    try:
        used = subject.setting(path)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from error
    if not same_value(chosen, used):
        kind = type(subject).__name__.lower()
        raise ValueError(f"{kind} {subject.id}: {path} is {used}, assumed {chosen}")


def _check_setting(subject: Experiment | Search, claim: Claim) -> None:
    try:
        subject.setting(claim.setting or "")
    except KeyError as error:
        raise ValueError(f"claim {claim.id}: {error.args[0]}") from error


def _check_reading(experiment: Experiment, claim: Claim) -> None:
    if claim.reading.endswith("-all") and experiment.training.validation.take == "test":
        raise ValueError(
            f"claim {claim.id}: {experiment.id} validates on the test images, "
            f"which reading {claim.reading} would count as training images"
        )


def _leaves(settings: dict[str, Any], prefix: str) -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}"


def same_value(printed: Any, used: Any) -> bool:
    """Say whether a printed value equals a setting in use; words match in any case.

    A list of words is printed as one text, with commas.
    """
    if isinstance(used, tuple) and isinstance(printed, str):
        used = ", ".join(map(str, used))
    if isinstance(used, bool) or isinstance(printed, str):
        return str(printed).lower() == str(used).lower()
    return bool(_as_printed(used) == printed)


class Variant(Strict):
    """An experiment under another choice than the assumed one, to see how much the choice matters.

    `settings` maps dotted paths of the experiment `of` to the values that differ; a feature that
    it does not use is given as a whole: ``training.early_stopping: {monitor: ..., patience: ...}``.
    None, which no file can hold, leaves a feature out.
    """

    of: str
    title: str
    settings: dict[str, Printed | dict[str, Printed] | None]


class Finding(Strict):
    """One place where a report contradicts itself, cannot be right, or cannot be followed.

    Attributes
    ----------
    claimed : str
        What the report states, or leaves out; in our words.
    because : str
        The arithmetic or the reason why that cannot stand.
    consequence : str
        One sentence: what follows for the reproduction.
    """

    id: str
    severity: Severity
    where: str
    claimed: str
    because: str
    consequence: str


class Derivation(Strict):
    """A stated number that must follow from others, and how.

    Attributes
    ----------
    rule : str
        ``sum``, ``mean``, ``difference`` or ``ratio`` (first by second) of the given numbers;
        ``same`` as each of them; ``proportion``, a whole number out of as many images as given;
        ``not_before``, a year no earlier than the given one.
    stated : Decimal
        The number as printed, in `unit`.
    given : tuple
        What it follows from: numbers as printed, or claims as ``experiment/claim`` or ``claim``.
        Numbers are in `unit`, but the counts of ``ratio`` and ``proportion`` are plain.
    """

    id: str
    rule: Literal["sum", "mean", "difference", "ratio", "same", "proportion", "not_before"]
    where: str
    stated: Decimal
    unit: Literal["percent", "plain"] = "plain"
    given: Annotated[tuple[PrintedOrClaim, ...], Field(min_length=1)]
    severity: Severity = "low"
    consequence: str


Search.model_rebuild()  # it names Claim and Assumption, which stand in this file


class Report(Strict):
    """One source report as data.

    `derivations` and `findings` serve the audit: what must follow from what, and what is wrong
    that no arithmetic can find.
    """

    id: str
    title: str
    authors: tuple[str, ...]
    year: int | None = None
    claims: tuple[Claim, ...] = ()
    experiments: dict[str, Experiment]
    variants: dict[str, Variant] = Field(default_factory=dict)
    searches: dict[str, Search] = Field(default_factory=dict)
    derivations: tuple[Derivation, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def short_name(self) -> str:
        """The authors' last names, or the title of a report without authors."""
        return ", ".join(name.split()[-1] for name in self.authors) or self.title

    @property
    def trainable(self) -> dict[str, Experiment]:
        """All that is trained: the report's experiments, then our variants of them."""
        varied = {
            name: self.experiments[variant.of].vary(name, variant)
            for name, variant in self.variants.items()
        }
        return {**self.experiments, **varied}

    def __getitem__(self, experiment_id: str) -> Experiment:
        """Return an experiment or variant by its id.

        Raises
        ------
        KeyError
            With the known ids, when there is no such experiment.
        """
        try:
            return self.trainable[experiment_id]
        except KeyError:
            known = ", ".join(self.trainable)
            raise KeyError(
                f"report {self.id} has no experiment {experiment_id}; it has {known}"
            ) from None

    def all_claims(self) -> Iterator[tuple[Experiment | None, Claim]]:
        """Yield every claim with its experiment; None for the data, for several, for a search."""
        for claim in self.claims:
            yield None, claim
        for search in self.searches.values():
            for claim in search.claims:
                yield None, claim
        for experiment in self.experiments.values():
            for claim in experiment.claims:
                yield experiment, claim

    def claim(self, path: str) -> Claim:
        """Return a claim by ``experiment/claim``, or by ``claim`` alone when it is the report's.

        Raises
        ------
        KeyError
            When there is no such claim.
        """
        for experiment, claim in self.all_claims():
            if path == (f"{experiment.id}/{claim.id}" if experiment else claim.id):
                return claim
        raise KeyError(f"report {self.id} has no claim {path}")

    @model_validator(mode="after")
    def _audit_fits(self) -> Report:
        ids = [d.id for d in self.derivations] + [f.id for f in self.findings]
        if duplicates := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"finding id {min(duplicates)} stands twice")
        for item in self.derivations:
            for given in item.given:
                if isinstance(given, str):
                    try:
                        self.claim(given)
                    except KeyError as error:
                        raise ValueError(f"derivation {item.id}: {error.args[0]}") from error
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> Report:
        ids = [claim.id for experiment, claim in self.all_claims() if experiment is None]
        if duplicates := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"claim id {min(duplicates)} stands twice")
        for claim in self.claims:
            if claim.quantity not in (*get_args(Comparison), "data", "cited"):
                raise ValueError(f"claim {claim.id}: {claim.quantity} belongs under an experiment")
            for name in (claim.of, claim.than):
                if name is not None and name not in self.experiments:
                    raise ValueError(f"claim {claim.id}: there is no experiment {name}")
                if name is not None:
                    _check_reading(self.experiments[name], claim)
        for name, variant in self.variants.items():
            if variant.of not in self.experiments or name in self.experiments:
                raise ValueError(f"variant {name}: there is no experiment {variant.of} to vary")
            try:
                self.experiments[variant.of].vary(name, variant)
            except KeyError as error:
                raise ValueError(f"variant {name}: {error.args[0]}") from error
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                path = ".".join(map(str, first["loc"]))
                raise ValueError(f"variant {name}: {path}: {first['msg']}") from error
        return self

    @model_validator(mode="after")
    def _searches_can_run(self) -> Report:
        for name, search in self.searches.items():
            if search.of not in self.experiments or name in self.trainable:
                raise ValueError(f"search {name}: there is no experiment {search.of} to vary")
            for claim in search.stated:
                if claim.quantity != "setting":
                    raise ValueError(f"search {name}: claim {claim.id} must be of quantity setting")
                _check_setting(search, claim)
            for item in search.assumed:
                _check_assumption(search, item.setting, item.chosen)
            for values in ({}, *search.each_alone()):
                try:
                    search.vary(self.experiments[search.of], values)
                except KeyError as error:
                    raise ValueError(f"search {name}: {error.args[0]}") from error
                except ValidationError as error:
                    first = error.errors(include_url=False)[0]
                    path = ".".join(map(str, first["loc"]))
                    raise ValueError(f"search {name}: {path}: {first['msg']}") from error
        return self
