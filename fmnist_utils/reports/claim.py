"""Claims and assumptions: what a report states, and what it leaves open."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, model_validator

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FACTS, NUM_CLASSES, count
from fmnist_utils.records import LocatedError, Slug, Strict, check_slug
from fmnist_utils.reports.quantities import (
    COUNTED,
    NOT_MEASURED,
    QUANTITIES,
    Kind,
    Quantity,
    Reading,
    Role,
)
from fmnist_utils.reports.values import SCALES, Printed, misfit
from fmnist_utils.rounding import Interval


def _known(quantity: str) -> str:
    if quantity not in QUANTITIES:
        if why := next((NOT_MEASURED[x] for x in NOT_MEASURED if quantity.startswith(x)), ""):
            raise ValueError(f"{quantity} is not supported: {why}")
        known = ", ".join(QUANTITIES)
        raise ValueError(f"there is no quantity {quantity}; there is {known}")
    return quantity


#: Every key that belongs to some quantities only.
_KEYS = frozenset[str]().union(*(row.needs | row.takes for row in QUANTITIES.values()))


def _class_number(value: Any) -> Any:
    """Return the number of a class that is given by its name, in any case."""
    names = [name.lower() for name in CLASS_NAMES]
    if not isinstance(value, str) or value.lstrip("+-").isdigit():
        return value
    if value.lower() not in names:
        known = ", ".join(CLASS_NAMES)
        raise ValueError(f"there is no class {value}; there is {known}")
    return names.index(value.lower())


#: A class of Fashion-MNIST by its number, or in a file by its name.
Class = Annotated[int, BeforeValidator(_class_number), Field(ge=0, lt=NUM_CLASSES)]


#: Several classes, at least one.
Classes = Annotated[tuple[Class, ...], Field(min_length=1)]

Split = Literal["train", "validation", "test"]
#: How a reader meets them.
SPLIT_WORDS = {"train": "training", "validation": "validation", "test": "test"}


def one_or_more(value: Any) -> Any:
    """Read a text that stands alone as a list of one."""
    return (value,) if isinstance(value, str) else value


#: Where a report prints something: one place, or a list of them.
Places = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(one_or_more),
    Field(min_length=1),
]


def _address(text: str) -> str:
    """Check the parts of an address: of an id, or of ``experiment/id``."""
    for part in text.split("/", maxsplit=1):
        check_slug(part)
    return text


def _role(quantity: str, setting: str | None, **_: Any) -> Role:
    of_model = (setting or "").startswith("model.")
    return "architecture" if of_model else QUANTITIES[quantity].role


class Claim(Strict):
    """One number or one ordering that a report states, once or in several places.

    Which of the optional keys a claim needs follows from its quantity; a missing or superfluous
    one is an error. ``confused`` is the share of a class that is taken for another one;
    ``images`` is how many images a split has, or one class of the test set, or the shape of the
    split's array; ``cited`` is a number from other work, which is not judged, nor are training
    times, such as ``minutes``, and ``megabytes``, which are shown beside ours.

    Attributes
    ----------
    value : Decimal, str or tuple of Decimal
        As printed, rounding included. For ``ordering`` there is none.
    unit : str
        ``percent`` (of images, or of a setting), ``points`` (percentage points) or ``plain``.
    where : tuple of str
        Every place where the report states it.
    role : str
        One of `ROLES`; by default that of the quantity, for a setting of a model ``architecture``.
    statement : str
        Id of the statement that the claim is a part of, such as a table; by default its own id.
        ``experiment/id`` names one under another experiment, where a sentence is about both.
    of, than : str
        Ids of the experiments that a comparison sets against each other: `of` minus `than`
        for a difference, `of` above `than` for an ordering, `of` against `value` for a bound.
    reading : str
        Which of `READINGS` gives the verdict.
    epoch : int
        For ``accuracy`` and ``loss``: the value is that of one epoch, counted from 1, as Keras
        prints it.
    than_split : str
        Of a ``gap``: the split whose accuracy is taken off that of `split`.
    relation : str
        Of a ``bound``, and of ``minutes`` that are one: ``at_least`` and ``at_most`` include the
        value, ``above`` and ``below`` do not.
    label, predicted : int
        The true class, 0 to 9; the one that is predicted in its place.
    labels, than_labels : tuple of int
        Of a ``class_ordering``: each of the first has a higher recall than each of the others.
    mean_of : int
        The value is the mean of so many trainings.
    machine : str
        On which it was measured, where a report states the same of several machines.
    """

    id: Slug
    quantity: Annotated[str, AfterValidator(_known)]
    where: Places
    value: Printed | None = None
    unit: Literal["percent", "points", "plain"] = "plain"
    split: Split | None = None
    reading: Reading = "final"
    layer: Annotated[int, Field(ge=0)] | None = None
    setting: str | None = None
    fact: str | None = None
    of: str | None = None
    than: str | None = None
    than_split: Split | None = None
    relation: Literal["at_least", "at_most", "above", "below"] | None = None
    epoch: PositiveInt | None = None
    label: Class | None = None
    predicted: Class | None = None
    labels: Classes | None = None
    than_labels: Classes | None = None
    mean_of: Annotated[PositiveInt, Field(le=10_000)] | None = None
    machine: str | None = None
    role: Role = Field(default_factory=lambda given: _role(**given))
    statement: Annotated[str, AfterValidator(_address)] = Field(
        default_factory=lambda given: given["id"]
    )

    @model_validator(mode="after")
    def _keys_fit_quantity(self) -> Claim:
        needed = self.about.needs
        given = {key for key in _KEYS if getattr(self, key) is not None} - self.about.takes
        if given != needed:
            wrong = ", ".join(sorted(needed ^ given))
            verb = "needs" if needed - given else "does not take"
            raise ValueError(f"claim {self.id}: a claim of quantity {self.quantity} {verb} {wrong}")
        about = f"a claim of quantity {self.quantity} about"
        if twice := set(self.labels or ()) & set(self.than_labels or ()):
            raise ValueError(f"claim {self.id}: class {min(twice)} is compared with itself")
        if self.labels is not None and self.split != "test":
            raise ValueError(f"claim {self.id}: {about} classes needs split test")
        by_class = self.label is not None or self.about.measure == "macro_score"
        if by_class and self.split != "test":
            raise ValueError(f"claim {self.id}: {about} a class needs split test")
        if self.than_split is not None and self.than_split == self.split:
            raise ValueError(f"claim {self.id}: {self.split} accuracy is compared with itself")
        if self.epoch is not None and self.split == "test":
            raise ValueError(f"claim {self.id}: {about} an epoch does not take split test")
        if "-" in self.reading and self.split != "train":
            raise ValueError(f"claim {self.id}: reading {self.reading} is of training images only")
        if self.fact is not None and self.fact not in FACTS:
            raise ValueError(
                f"claim {self.id}: unknown fact {self.fact}; see FACTS in data/fashion_mnist.py"
            )
        if self.kind != "untested" and (self.kind == "exact") == (self.role in COUNTED):
            what = "exact, no result" if self.kind == "exact" else "held against runs, as results"
            problem = f"{self.quantity} is {what}: its role is not {self.role}"
            raise LocatedError(f"claim {self.id}: {problem}", "role")
        if problem := self._wrong_value():
            raise LocatedError(f"claim {self.id}: {problem}", "value")
        return self

    def _wrong_value(self) -> str:
        """Say why no report can state such a value, and how to write it."""
        if self.value is None:
            return ""
        if problem := misfit(self.about, self.value, self.unit, bool(self.mean_of)):
            return problem
        of_class = self.about.counts_images and self.label is not None
        if of_class and (self.unit != "plain" or isinstance(self.value, tuple)):
            return "the images of a class are one whole number, neither a share nor a shape"
        if self.about.counts_images and self.unit == "plain":
            stated = self.value[0] if isinstance(self.value, tuple) and self.value else self.value
            there = count("test_images" if self.split == "test" else "train_images")
            if isinstance(stated, Decimal) and stated > there:
                return f"{stated} images are more than the {there:,} that split {self.split} has"
        return ""

    @property
    def about(self) -> Quantity:
        """The registry's row of the quantity."""
        return QUANTITIES[self.quantity]

    @property
    def kind(self) -> Kind:
        """Whether the claim is held against runs, several experiments' runs, exactly, or not."""
        return self.about.kind

    @property
    def place(self) -> str:
        """Every place where the report states it, in one text."""
        return "; ".join(self.where)

    @property
    def comparison(self) -> str:
        """What a comparison without a number says of its first side."""
        return self.about.says

    @property
    def sign(self) -> str:
        """The sign of the relation, with a space, to stand before the value of a bound."""
        signs = {"at_least": "≥ ", "at_most": "≤ ", "above": "> ", "below": "< "}
        return signs.get(self.relation or "", "")

    @property
    def suffix(self) -> str:
        """The unit, with a space, to stand after the value."""
        points = " point" if self.value == 1 else " points"
        return {"percent": " %", "points": points, "plain": self.about.suffix}[self.unit]

    def statement_under(self, experiment_id: str | None) -> str:
        """Return the statement's address in the report, for a claim of that experiment or none."""
        alone = experiment_id is None or "/" in self.statement
        return self.statement if alone else f"{experiment_id}/{self.statement}"

    @property
    def numbers(self) -> int:
        """How many stated numbers the claim holds: a shape has several, a word none."""
        if isinstance(self.value, tuple):
            return len(self.value)
        return int(isinstance(self.value, Decimal))

    @property
    def number(self) -> float:
        """The value as a float, in the claim's unit."""
        return float(self._single)

    @property
    def _single(self) -> Decimal:
        if not isinstance(self.value, Decimal):
            raise TypeError(f"claim {self.id} has no single number")
        return self.value

    @property
    def whole(self) -> float:
        """What a fraction of 1 is in the claim's unit: 100 in percent or points, else 1."""
        return float(1 / SCALES[self.unit])

    @property
    def percent(self) -> float:
        """The value of an accuracy, or of another share, in percent."""
        return 100.0 * self.number / self.whole

    @property
    def interval(self) -> Interval:
        """What the value may stand for: counts and settings are exact, the rest is rounded."""
        counted = self.about.whole or isinstance(FACTS.get(self.fact or ""), int)
        if self.unit == "plain" and (counted or self.setting):
            return Interval.exactly(self._single)
        return Interval.printed(self._single, SCALES[self.unit])

    @property
    def half_width(self) -> float:
        """Half of the last printed digit, in the claim's unit: what rounding may have hidden."""
        return 0.5 * 10.0 ** int(self._single.as_tuple().exponent)


class Assumption(Strict):
    """One setting that the report does not state, what we chose, and why.

    `setting` is a dotted path into the experiment (``training.optimizer.learning_rate``) or a
    choice of reading (``reading.weights``). In a file a star stands for several paths:
    ``model.conv.*.kernel``. It is `derived` where what the report states leaves no other choice.
    """

    setting: str
    chosen: Printed
    because: str
    derived: bool = False
