"""One source report as data, with what is wrong inside it."""

from __future__ import annotations

from collections.abc import Container, Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from fmnist_utils.models.layer_rules import misbuilt
from fmnist_utils.records import Slug, Strict, WrongAt, refuse_duplicates
from fmnist_utils.reports.claim import Claim, Places, one_or_more
from fmnist_utils.reports.experiment import Experiment, Variant, _check_reading
from fmnist_utils.reports.search import Search
from fmnist_utils.reports.settings import _check_assumption, _check_setting, named_errors
from fmnist_utils.reports.values import SCALES, Number, PrintedOrClaim
from fmnist_utils.rounding import Interval

#: How much a finding matters, most first, and what each word means.
SEVERITIES = {
    "high": "a conclusion or a headline number does not hold as it is stated",
    "medium": "a result cannot be checked, or not be taken at face value",
    "low": "a slip or an open question that changes no result",
}


Severity = Literal["high", "medium", "low"]


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

    id: Slug
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

    id: Slug
    rule: Literal["sum", "mean", "difference", "ratio", "same", "proportion", "not_before"]
    where: str
    stated: Number
    unit: Literal["percent", "plain"] = "plain"
    given: Annotated[tuple[PrintedOrClaim, ...], Field(min_length=1)]
    severity: Severity = "low"
    consequence: str

    @model_validator(mode="after")
    def _given_are_as_many(self) -> Derivation:
        wanted = {"difference": 2, "ratio": 2, "proportion": 1, "not_before": 1}.get(self.rule)
        if wanted and len(self.given) != wanted:
            raise WrongAt(f"rule {self.rule} takes {wanted} given, not {len(self.given)}", "given")
        return self


#: On how many statements the conclusion of a report may rest.
MAX_HEADLINES = 3


class Ignored(Strict):
    """A number in a report that is no claim: a page, a name, a reference."""

    number: Annotated[tuple[str, ...], BeforeValidator(one_or_more), Field(min_length=1)]
    where: Places
    because: Annotated[str, Field(min_length=1)]


_ONE = {"variants": "variant", "searches": "search"}


class Report(Strict):
    """One source report as data.

    `ignored` are its numbers that no claim is about. `derivations` and `findings` serve the audit:
    what must follow from what, and what is wrong that no arithmetic can find.
    """

    id: Slug
    title: str
    authors: tuple[str, ...]
    year: int | None = None
    claims: tuple[Claim, ...] = ()
    experiments: dict[Slug, Experiment]
    variants: dict[Slug, Variant] = Field(default_factory=dict)
    searches: dict[Slug, Search] = Field(default_factory=dict)
    ignored: tuple[Ignored, ...] = ()
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
            name: self.experiments[variant.of].varied(name, variant)
            for name, variant in self.variants.items()
        }
        return {**self.experiments, **varied}

    @property
    def compared(self) -> tuple[str, ...]:
        """The variants that a claim is held against."""
        named = {name for claim in self.claims for name in (claim.of, claim.than)}
        return tuple(name for name in self.variants if name in named)

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

    def _ipython_key_completions_(self) -> list[str]:
        """Complete ``report["cnn`` in a notebook."""
        return list(self.trainable)

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

    def statements(self) -> dict[str, list[tuple[Experiment | None, Claim]]]:
        """Group the claims by the statement that they are parts of, by its address."""
        found: dict[str, list[tuple[Experiment | None, Claim]]] = {}
        for experiment, claim in self.all_claims():
            address = claim.statement_under(experiment.id if experiment else None)
            found.setdefault(address, []).append((experiment, claim))
        return found

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

    def given(self, item: Derivation, value: Decimal | str) -> Interval:
        """Return what a number that a derivation starts from may stand for."""
        if isinstance(value, str):
            return self.claim(value).interval
        plain = item.unit == "plain" or item.rule in ("ratio", "proportion")
        if plain and value.as_tuple().exponent == 0:
            return Interval.exactly(value)
        return Interval.printed(value, SCALES["plain" if plain else item.unit])

    @model_validator(mode="after")
    def _audit_fits(self) -> Report:
        ids = [d.id for d in self.derivations] + [f.id for f in self.findings]
        refuse_duplicates("finding id", ids)
        for i, item in enumerate(self.derivations):
            for j, given in enumerate(item.given):
                if isinstance(given, str):
                    with named_errors(f"derivation {item.id}", "derivations", i, "given", j):
                        claim = self.claim(given)
                    if claim.numbers != 1 or isinstance(claim.value, tuple):
                        problem = f"derivation {item.id}: claim {given} has no single number"
                        raise WrongAt(problem, "derivations", i, "given", j)
            divisor = self.given(item, item.given[-1])
            if item.rule == "ratio" and divisor.low <= 0:
                problem = f"derivation {item.id}: a ratio is one of numbers above 0"
                raise WrongAt(problem, "derivations", i, "given", 1)
        return self

    @model_validator(mode="after")
    def _layers_are_shared(self) -> Report:
        for name, experiment in self.experiments.items():
            if experiment.layers_as is None:
                continue
            other = self.experiments.get(experiment.layers_as)
            if other is None or other.layers_as is not None:
                problem = f"{experiment.layers_as} is no experiment with layers of its own"
                raise WrongAt(f"{experiment.id}: {problem}", "experiments", name, "layers_as")
            if found := experiment.layers_otherwise(other):
                problem = f"{', '.join(found)} differ from {other.id}, and are not accounted for"
                raise WrongAt(f"{experiment.id}: {problem}", "experiments", name, "layers_as")
        return self

    @model_validator(mode="after")
    def _shared_statements_exist(self) -> Report:
        known = {f"{e.id}/{c.id}" if e else c.id for e, c in self.all_claims()}
        for experiment, claim in self.all_claims():
            if "/" in claim.statement and claim.statement not in known:
                owner = f"{experiment.id}/" if experiment else ""
                raise ValueError(f"claim {owner}{claim.id}: there is no claim {claim.statement}")
        return self

    @model_validator(mode="after")
    def _headlines_are_few(self) -> Report:
        headlines = [
            address
            for address, parts in self.statements().items()
            if any(claim.role == "headline" for _, claim in parts)
        ]
        if len(headlines) > MAX_HEADLINES:
            problem = f"at most {MAX_HEADLINES} statements are headlines"
            raise ValueError(f"{problem}, not {len(headlines)}: {', '.join(headlines)}")
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> Report:
        ids = [claim.id for experiment, claim in self.all_claims() if experiment is None]
        refuse_duplicates("claim id", ids)
        for name, variant in self.variants.items():
            self._check_of("variants", name, variant.of, self.experiments)
            with named_errors(f"variant {name}", "variants", name):
                self.experiments[variant.of].varied(name, variant)
        trainable = self.trainable
        for i, claim in enumerate(self.claims):
            at = ("claims", i)
            if claim.about.place == "experiment":
                belongs = f"{claim.quantity} belongs under an experiment"
                raise WrongAt(f"claim {claim.id}: {belongs}", *at)
            for key, model in (("of", claim.of), ("than", claim.than)):
                if model is not None and model not in trainable:
                    raise WrongAt(f"claim {claim.id}: there is no experiment {model}", *at, key)
                if model is not None:
                    _check_reading(trainable[model], claim, *at)
        return self

    def _check_of(self, kind: str, name: str, of: str, taken: Container[str]) -> None:
        if of not in self.experiments:
            problem = f"there is no experiment {of} to vary"
            raise WrongAt(f"{_ONE[kind]} {name}: {problem}", kind, name, "of")
        if name in taken:
            problem = "an experiment has that name already"
            raise WrongAt(f"{_ONE[kind]} {name}: {problem}", kind, name)

    @model_validator(mode="after")
    def _models_can_be_built(self) -> Report:
        """Say so before Keras does; a search may draw what cannot be built, and tells."""
        for name, variant in self.trainable.items():
            if problem := misbuilt(variant.model):
                raise WrongAt(f"{variant.id}: {problem}", "variants", name, "model")
        return self

    @model_validator(mode="after")
    def _searches_can_run(self) -> Report:
        for name, search in self.searches.items():
            at = ("searches", name)
            self._check_of(*at, search.of, self.trainable)
            for i, claim in enumerate(search.stated):
                if claim.quantity != "setting":
                    problem = f"claim {claim.id} must be of quantity setting"
                    raise WrongAt(f"search {name}: {problem}", *at, "claims", i)
                _check_setting(search, claim, *at, "claims", i)
            for item in search.assumed:
                _check_assumption(search, item.setting, item.chosen)
            for values in ({}, *search.each_alone()):
                with named_errors(f"search {name}", *at):
                    search.vary(self.experiments[search.of], values)
        return self
