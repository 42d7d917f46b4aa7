"""A hyperparameter search as data: what is varied, between which bounds, how often."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from fmnist_utils.records import Slug, Strict, refuse_duplicates
from fmnist_utils.reports.claim import Assumption, Claim, one_or_more
from fmnist_utils.reports.experiment import Experiment, Variant
from fmnist_utils.reports.protocol import Epochs, Seed
from fmnist_utils.reports.settings import account_for, look_up


def _plain(value: Any) -> Any:
    """Read the text of a YAML scalar, or of a list of them: a truth value, a number or a word."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value


Scalar = bool | int | float | str
#: One value for all paths of a parameter, or one value for each.
Setting = Scalar | tuple[Scalar, ...]
#: Far above any setting, and within what a seed or an array takes.
_LARGEST = 1e9

#: Each value of an interval is tried alone when the file is read.
_MAX_VALUES = 1_000

Choice = Annotated[Setting, BeforeValidator(_plain)]
Bound = Annotated[int | float, BeforeValidator(_plain), Field(gt=-_LARGEST, lt=_LARGEST)]

#: What says how good a trial is.
Objective = Literal["val_accuracy", "val_loss"]

#: Settings whose value 0 or False leaves a layer out.
_OPTIONAL_LAYERS = ("batch_norm", "pool", "dropout")


class Parameter(Strict):
    """One thing that a search varies: a list of choices, or an interval.

    Attributes
    ----------
    sets : tuple of str
        Dotted paths of the experiment that take the value.
    choices : tuple
        Values; or lists with one value for each path.
    low, high : int or float
        Bounds, both included; whole numbers, with a whole `step`, give whole numbers.
    step : int or float
        Distance between the values of the interval; without it they are continuous.
    log : bool
        Draw uniformly in the logarithm.
    default : int, float or str
        What the report states as the default; a random search never uses it.
    """

    sets: Annotated[tuple[str, ...], BeforeValidator(one_or_more), Field(min_length=1)]
    choices: Annotated[tuple[Choice, ...], Field(min_length=1)] | None = None
    low: Bound | None = None
    high: Bound | None = None
    step: Bound | None = None
    log: bool = False
    default: Choice | None = None

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Parameter:
        bounds = (self.low, self.high)
        if self.choices is not None:
            if self.log or (*bounds, self.step) != (None, None, None):
                raise ValueError("a parameter has choices or bounds, not both")
            for choice in self.choices:
                if isinstance(choice, tuple) and len(choice) != len(self.sets):
                    raise ValueError(f"{choice} needs one value for each of {len(self.sets)} paths")
            return self
        if self.low is None or self.high is None:
            raise ValueError("a parameter needs choices, or low and high")
        if not self.low < self.high or (self.step is not None and not self.step > 0):
            raise ValueError("low must be less than high, and a step positive")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError("a logarithmic parameter takes no step, and a low above 0")
        if self.step is not None and (self.high - self.low) / self.step > _MAX_VALUES:
            raise ValueError(f"an interval has at most {_MAX_VALUES:,} steps")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether an interval holds whole numbers only."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step))

    @property
    def tokens(self) -> tuple[Scalar, ...]:
        """What a tool draws from: scalar choices themselves, lists by their position from 0."""
        choices = self.choices or ()
        scalars = tuple(choice for choice in choices if not isinstance(choice, tuple))
        return scalars if len(scalars) == len(choices) else tuple(range(len(choices)))

    def value(self, token: Scalar) -> Setting:
        """Return the setting that a drawn token stands for."""
        if self.choices is not None:
            return self.choices[self.tokens.index(token)]
        # A multiple of a step such as 0.05 is not quite what its decimals say.
        return token if isinstance(token, int | str) else float(f"{token:.12g}")

    @property
    def values(self) -> tuple[Setting, ...]:
        """Every value that can be drawn; of a continuous interval its bounds."""
        if self.choices is not None:
            return self.choices
        low, high = self.low or 0, self.high or 0
        if self.step is None:
            return (low, high)
        n = int((high - low) / self.step + 1e-9)  # 0.5 / 0.05 may fall just short of 10
        return tuple(self.value(low + i * self.step) for i in range(n + 1))

    def settings(self, value: Setting) -> dict[str, Scalar | None]:
        """Return what a value sets, by path; None leaves a layer out."""
        each = value if isinstance(value, tuple) else (value,) * len(self.sets)
        return {path: _or_none(path, item) for path, item in zip(self.sets, each, strict=True)}


def _or_none(path: str, value: Scalar) -> Scalar | None:
    return None if path.rpartition(".")[2] in _OPTIONAL_LAYERS and not value else value


class Search(Strict):
    """A random search for the best settings of one experiment.

    Attributes
    ----------
    of : str
        Id of the experiment that is varied.
    tool : str
        Which library draws the combinations.
    objective : str
        A trial's score: per training the best of any epoch, then the mean over its trainings.
    trials, executions, epochs : int
        Combinations drawn; trainings of each; epochs of each training.
    seed : int
        Ours, for the draws: none that we chose after looking.
    reduced : dict
        What all trials have otherwise than the experiment, by dotted path: to save time, or the
        seed of the one split that they share.
    space : dict
        What is varied, by name.
    """

    id: Slug
    title: str
    where: str
    of: str
    tool: Literal["keras-tuner", "optuna"]
    objective: Objective = "val_accuracy"
    trials: Annotated[PositiveInt, Field(le=10_000)]
    executions: Annotated[PositiveInt, Field(le=100)] = 1
    epochs: Epochs
    seed: Seed  # KerasTuner takes 0 for none
    reduced: dict[str, Choice] = Field(default_factory=dict)
    space: Annotated[dict[str, Parameter], Field(min_length=1)]
    assumed: tuple[Assumption, ...] = ()
    stated: tuple[Claim, ...] = Field(default=(), alias="claims")

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What the report states about the search, each `of` it."""
        return tuple(claim.model_copy(update={"of": self.id}) for claim in self.stated)

    def setting(self, path: str) -> Any:
        """Look up a dotted path of the search, such as ``space.dropout.high``.

        In a list a number is a position from 0 and ``count`` its length; a path that is reduced
        stands for itself: ``training.images``.

        Raises
        ------
        KeyError
            When the search has no such setting.
        """
        if path in self.reduced:
            return self.reduced[path]
        return look_up(self, path, f"search {self.id}")

    def vary(
        self, experiment: Experiment, values: Mapping[str, Setting], name: str | None = None
    ) -> Experiment:
        """Return the experiment of one trial.

        Parameters
        ----------
        experiment : Experiment
            The one that the search is `of`.
        values : mapping
            Parameter to value; a parameter that is left out stays as the experiment has it.
        name : str, optional
            Id of the trial; by default that of the search.
        """
        settings: dict[str, Scalar | None] = {"training.epochs": self.epochs, **self.reduced}  # type: ignore[dict-item]
        for key, value in values.items():
            settings |= self.space[key].settings(value)
        variant = Variant.model_construct(of=self.of, title=self.title, settings=settings)
        return experiment.varied(name or self.id, variant)

    def each_alone(self) -> Iterator[dict[str, Setting]]:
        """Yield every value of every parameter, one at a time."""
        for name, parameter in self.space.items():
            for value in parameter.values:
                yield {name: value}

    @model_validator(mode="after")
    def _settings_accounted_for(self) -> Search:
        paths = list(itertools.chain(*(parameter.sets for parameter in self.space.values())))
        paths += [*self.reduced, "training.epochs"]
        refuse_duplicates(f"search {self.id}:", paths, "is set twice")
        refuse_duplicates(f"search {self.id}: claim id", (claim.id for claim in self.stated))
        stated = {claim.setting for claim in self.stated}
        assumed = {item.setting for item in self.assumed}
        account_for(f"search {self.id}", (*_ACCOUNTED, *self.reduced), stated, assumed)
        return self


_ACCOUNTED = ("tool", "objective", "trials", "executions", "epochs", "seed")
