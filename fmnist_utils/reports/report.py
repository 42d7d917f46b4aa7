"""One source report as data."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, model_validator

from fmnist_utils.records import Strict, refuse_duplicates
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment, Variant, _check_reading
from fmnist_utils.reports.findings import Derivation, Finding
from fmnist_utils.reports.search import Search
from fmnist_utils.reports.settings import _check_assumption, _check_setting, named_errors


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
        refuse_duplicates("finding id", ids)
        for item in self.derivations:
            for given in item.given:
                if isinstance(given, str):
                    with named_errors(f"derivation {item.id}"):
                        self.claim(given)
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> Report:
        ids = [claim.id for experiment, claim in self.all_claims() if experiment is None]
        refuse_duplicates("claim id", ids)
        for claim in self.claims:
            if claim.about.place == "experiment":
                raise ValueError(f"claim {claim.id}: {claim.quantity} belongs under an experiment")
            for name in (claim.of, claim.than):
                if name is not None and name not in self.experiments:
                    raise ValueError(f"claim {claim.id}: there is no experiment {name}")
                if name is not None:
                    _check_reading(self.experiments[name], claim)
        for name, variant in self.variants.items():
            if variant.of not in self.experiments or name in self.experiments:
                raise ValueError(f"variant {name}: there is no experiment {variant.of} to vary")
            with named_errors(f"variant {name}"):
                self.experiments[variant.of].vary(name, variant)
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
                with named_errors(f"search {name}"):
                    search.vary(self.experiments[search.of], values)
        return self
