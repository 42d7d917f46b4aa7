"""One source report as data, with what is wrong inside it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from fmnist_utils.models.layer_rules import misbuilt
from fmnist_utils.records import LocatedError, Slug, Strict, refuse_duplicates
from fmnist_utils.reports import settings
from fmnist_utils.reports.claim import Claim, Places, one_or_more
from fmnist_utils.reports.experiment import Experiment, Variant
from fmnist_utils.reports.search import Search
from fmnist_utils.reports.values import SCALES, PrintedOrClaim
from fmnist_utils.rounding import Interval, fill, holds

#: How much a finding matters, most first, and what each word means.
SEVERITIES = {
    "high": "a conclusion or a headline number does not hold as it is stated, or cannot be checked",
    "medium": "another result does not hold, or a result cannot be taken at face value",
    "low": "a slip or an open question that changes no result",
}


Severity = Literal["high", "medium", "low"]


class Finding(Strict):
    """One place where a report contradicts itself, cannot be right, or cannot be followed.

    Attributes
    ----------
    title : str
        The fault in a few words.
    claimed : str
        What the report states, or leaves out; in our words.
    because : str
        The arithmetic or the reason why that cannot stand.
    consequence : str
        One sentence: what follows for the reproduction.
    """

    id: Slug
    title: str
    severity: Severity
    where: str
    claimed: str
    because: str
    consequence: str


class WrittenFinding(Finding):
    """A finding in the report's file: what no arithmetic over the claims can find.

    Its numbers are formulas over claims, filled in when the report is audited: ``{cnn/test}``,
    ``{cnn/test - mlp/test}``, ``{a / b:.2f}``.

    Attributes
    ----------
    when : tuple of str
        Relations of formulas that must hold for the finding to be one: ``cnn/test < mlp/test``.
        What is stated in words is compared by ``=`` with a word: ``cnn/activation = relu``.
    tells : tuple of str
        Ids of findings of the checks in whose place this one stands; without any it is none.
    """

    when: tuple[str, ...] = ()
    tells: tuple[Slug, ...] = ()

    @property
    def texts(self) -> dict[str, str]:
        """What may hold formulas, by key."""
        return {key: getattr(self, key) for key in ("title", "claimed", "because", "consequence")}


class Environment(Strict):
    """With what a report computed, and where it says so; None for what it leaves out."""

    versions: str | None = None
    hardware: str | None = None
    seed: str | None = None


class Derivation(Strict):
    """A stated number that must follow from others, and how.

    Attributes
    ----------
    title : str
        The fault, should it not follow, in a few words.
    subject : str
        What the number is.
    rule : str
        ``sum``, ``mean``, ``difference`` or ``ratio`` (first by second) of the given numbers;
        ``same`` as each of them; ``not_before``, a year no earlier than the given one.
    stated, given : number or str
        The number, and what it follows from: claims as ``experiment/claim`` or ``claim``. What is
        no claim is written as printed, in `unit`; the counts of ``ratio`` are plain.
    """

    id: Slug
    title: str
    subject: str
    rule: Literal["sum", "mean", "difference", "ratio", "same", "not_before"]
    where: str
    stated: PrintedOrClaim
    unit: Literal["percent", "plain"] = "plain"
    given: Annotated[tuple[PrintedOrClaim, ...], Field(min_length=1)]
    severity: Severity = "low"
    consequence: str

    @model_validator(mode="after")
    def _given_are_as_many(self) -> Derivation:
        wanted = {"difference": 2, "ratio": 2, "not_before": 1}.get(self.rule)
        if wanted and len(self.given) != wanted:
            problem = f"rule {self.rule} takes {wanted} given, not {len(self.given)}"
            raise LocatedError(problem, "given")
        return self


#: How the ids of variants begin that train the networks of all reports by one protocol.
ONE_PROTOCOL = "one-protocol-"

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
    authors: tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], ...]
    year: int | None = None
    claims: tuple[Claim, ...] = ()
    experiments: dict[Slug, Experiment]
    variants: dict[Slug, Variant] = Field(default_factory=dict)
    searches: dict[Slug, Search] = Field(default_factory=dict)
    ignored: tuple[Ignored, ...] = ()
    means: Environment = Environment()
    derivations: tuple[Derivation, ...] = ()
    findings: tuple[WrittenFinding, ...] = ()

    @property
    def short_name(self) -> str:
        """The authors' last names, or the title of a report without authors."""
        return ", ".join(name.split()[-1] for name in self.authors) or self.title

    @property
    def trainable(self) -> dict[str, Experiment]:
        """All that is trained: the report's experiments, then our variants of them."""
        varied = {n: self.experiments[v.of].varied(n, v) for n, v in self.variants.items()}
        return {**self.experiments, **varied}

    @property
    def other_choices(self) -> dict[str, Variant]:
        """The variants but those of the one protocol, which choose everything anew at once."""
        return {n: v for n, v in self.variants.items() if not n.startswith(ONE_PROTOCOL)}

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
            problem = f"report {self.id} has no experiment {experiment_id}; it has {known}"
            raise KeyError(problem) from None

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
        owner, _, name = path.rpartition("/")
        found: Iterable[Claim] = ()
        if owner in self.experiments:
            found = self.experiments[owner].claims
        elif not owner:
            found = (claim for experiment, claim in self.all_claims() if experiment is None)
        for claim in found:
            if claim.id == name:
                return claim
        raise KeyError(f"report {self.id} has no claim {path}")

    def number(self, path: str) -> Decimal:
        """Return the number that a claim states, by the path of the claim.

        Raises
        ------
        KeyError
            When there is no such claim, or it has no single number.
        """
        value = self.claim(path).value
        if not isinstance(value, Decimal):
            raise KeyError(f"claim {path} has no single number")
        return value

    def holds(self, condition: str) -> bool:
        """Say whether a relation of formulas over claims holds; see `WrittenFinding`."""
        path, _, word = condition.partition(" = ")
        in_words = word and " " not in path and not path[:1].isdigit()
        if in_words and isinstance(stated := self.claim(path).value, str):
            return stated == word
        return holds(condition, self.number)

    def filled(self, item: WrittenFinding) -> Finding:
        """Return a written finding with its formulas worked out."""
        texts = {key: fill(text, self.number) for key, text in item.texts.items()}
        return Finding(id=item.id, severity=item.severity, where=item.where, **texts)

    def given(self, item: Derivation, value: Decimal | str) -> Interval:
        """Return what a number that a derivation starts from may stand for.

        Parameters
        ----------
        item : Derivation
            Which says in what unit it is.
        value : Decimal or str
            The number as printed, or the path of a claim.
        """
        if isinstance(value, str):
            return self.claim(value).interval
        plain = item.unit == "plain" or item.rule == "ratio"
        if plain and value.as_tuple().exponent == 0:
            return Interval.exactly(value)
        return Interval.printed(value, SCALES["plain" if plain else item.unit])

    @model_validator(mode="after")
    def _audit_fits(self) -> Report:
        ids = [d.id for d in self.derivations] + [f.id for f in self.findings]
        refuse_duplicates("finding id", ids)
        for i, item in enumerate(self.derivations):
            named = (("stated", item.stated), *(("given", given) for given in item.given))
            for key, value in named:
                if isinstance(value, str):
                    with settings.named_errors(f"derivation {item.id}", "derivations", i, key):
                        self.number(value)
            divisor = self.given(item, item.given[-1])
            if item.rule == "ratio" and divisor.low <= 0:
                problem = f"derivation {item.id}: a ratio is one of numbers above 0"
                raise LocatedError(problem, "derivations", i, "given", 1)
        for i, finding in enumerate(self.findings):
            with settings.named_errors(f"finding {finding.id}", "findings", i):
                try:
                    self.filled(finding)
                    list(map(self.holds, finding.when))
                except ValueError as error:
                    raise LocatedError(f"finding {finding.id}: {error}", "findings", i) from error
        return self

    @model_validator(mode="after")
    def _layers_are_shared(self) -> Report:
        for name, experiment in self.experiments.items():
            if experiment.layers_as is None:
                continue
            other = self.experiments.get(experiment.layers_as)
            if other is None or other.layers_as is not None:
                problem = f"{experiment.layers_as} is no experiment with layers of its own"
                raise LocatedError(f"{experiment.id}: {problem}", "experiments", name, "layers_as")
            if found := experiment.layers_otherwise(other):
                problem = f"{', '.join(found)} differ from {other.id}, and are not accounted for"
                raise LocatedError(f"{experiment.id}: {problem}", "experiments", name, "layers_as")
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
        found = self.statements().items()
        headlines = [at for at, parts in found if any(c.role == "headline" for _, c in parts)]
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
            with settings.named_errors(f"variant {name}", "variants", name):
                self.experiments[variant.of].varied(name, variant)
        trainable = self.trainable
        for i, claim in enumerate(self.claims):
            at = ("claims", i)
            if claim.about.place == "experiment":
                belongs = f"{claim.quantity} belongs under an experiment"
                raise LocatedError(f"claim {claim.id}: {belongs}", *at)
            for key, model in (("of", claim.of), ("than", claim.than)):
                if model is not None and model not in trainable:
                    problem = f"claim {claim.id}: there is no experiment {model}"
                    raise LocatedError(problem, *at, key)
                if model is not None:
                    settings.check_reading(trainable[model], claim, *at)
                    name = trainable[model].variant_of or model
                    settings.check_compared(self.experiments[name], claim, *at)
        return self

    def _check_of(self, kind: str, name: str, of: str, taken: Container[str]) -> None:
        if of not in self.experiments:
            problem = f"there is no experiment {of} to vary"
            raise LocatedError(f"{_ONE[kind]} {name}: {problem}", kind, name, "of")
        if name in taken:
            problem = "an experiment has that name already"
            raise LocatedError(f"{_ONE[kind]} {name}: {problem}", kind, name)

    @model_validator(mode="after")
    def _models_can_be_built(self) -> Report:
        """Say so before Keras does; a search may draw what cannot be built, and tells."""
        for name, variant in self.trainable.items():
            if problem := misbuilt(variant.model):
                raise LocatedError(f"{variant.id}: {problem}", "variants", name, "model")
        return self

    @model_validator(mode="after")
    def _searches_can_run(self) -> Report:
        for name, search in self.searches.items():
            at = ("searches", name)
            self._check_of(*at, search.of, self.trainable)
            for i, claim in enumerate(search.stated):
                if claim.setting is None:
                    problem = f"claim {claim.id} must be of quantity setting"
                    raise LocatedError(f"search {name}: {problem}", *at, "claims", i)
                settings._check_setting(search, claim, *at, "claims", i)
            for item in search.assumed:
                settings._check_assumption(search, item.setting, item.chosen)
            for values in ({}, *search.each_alone()):
                with settings.named_errors(f"search {name}", *at):
                    varied = search.vary(self.experiments[search.of], values)
                if varied.training.validation.drawn_by_run:
                    problem = "its trials share one split: give training.validation.seed"
                    raise LocatedError(f"search {name}: {problem}", *at, "reduced")
        return self
