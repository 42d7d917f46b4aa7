"""What a check finds, and the one way to make a finding of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import SEVERITIES, Finding, Report, Severity
from fmnist_utils.text import joined


class Kind(NamedTuple):
    """What all findings of one kind have in common; braces are filled with a fault's words."""

    title: str
    severity: Severity
    consequence: str


#: Every kind of fault that a check can find. Its name begins the id of the finding.
KINDS = {
    # Layer tables, and models told twice.
    "layers": Kind("{of}: a layer table that cannot be built", "high",
        "We build what the rest of the report describes, and list it with the assumptions."),
    "totals": Kind("{of}: totals that are not the sums of the rows", "medium",
        "We build the rows; the printed total differs from the model's."),
    "count": Kind("{of}: a count of parameters that belongs to another model", "high",
        "Which model gave the results is open; we build the one that is described."),
    "attempts": Kind("Layers are numbered past those shown", "low",
        "Models were built, or built again, that the report does not show; a result chosen among "
        "several lies above that of a typical seed."),
    "setting": Kind("{of}: {subject} is told in two ways", "medium",
        "One of the two is wrong; we follow the second."),
    "images": Kind("{of}: images that do not add up", "medium",
        "We train and test on the images that add up."),
    "fact": Kind("A number that the data set does not have: {subject}", "low",
        "We use the official data set, so no run depends on it."),
    "outside": Kind("Trials outside the space that was searched: {subject}", "medium",
        "The search that is described is not the one that was run; we train the trials as listed."),
    # Numbers and sentences against each other.
    "disagreement": Kind("{of}: {subject} has several values", "medium",
        "Each statement gets its own verdict."),
    "miscounted": Kind("{of}: a count that its own layer table corrects", "low",
        "We build the table, so no run depends on the slip."),
    "ordering": Kind("{of} is called better than {than}, and is not", "high",
        "Runs may confirm the sentence or the numbers, not both."),
    "difference": Kind("A difference that its two numbers do not have", "medium",
        "The difference is judged as printed."),
    "unlike": Kind("Accuracies are compared that were taken in different ways", "medium",
        "Each number is measured by its own rule; orderings compare both in the same way."),
    "bound": Kind("{of} breaks a bound that is set for it", "low",
        "The bound fails by the report's own number; ours cannot rescue it."),
    "class-order": Kind("{of}: classes ranked against their own scores", "medium",
        "The sentence is judged by our runs, not by the scores."),
    "derivation": Kind("{of}", "low", "{consequence}"),
    "grim": Kind("{of}: an accuracy that no number of images gives", "medium",
        "The number was not measured on the images that the report names."),
    "class-shares": Kind("{of}: shares of a class that no number of images gives", "high",
        "They are no shares of the official test images of a class, as which they are worded and "
        "judged; they may be precisions, or come from other images."),
    "scores": Kind("{of}: scores of classes that cannot stand together", "medium",
        "Some of them are misprinted or of another evaluation; each gets its own verdict."),
    "loss": Kind("{of}: a loss too low for its accuracy", "medium",
        "One of the two is misprinted; each gets its own verdict."),
    "percent-losses": Kind("Losses are given in percent", "low",
        "They are read as hundredths."),
    "above-training": Kind("More accurate on images that were not trained on", "low",
        "How much a model overfits cannot be read off the two; our runs also evaluate the final "
        "weights on the training images."),
    "dropped-zeros": Kind("Cells of epoch tables have lost their last zero", "low",
        "We read every cell of a table with as many decimals."),
    "last-epoch": Kind("{of}: a final number that the epoch table does not end with", "medium",
        "Table and text get verdicts of their own."),
    # Protocols.
    "epochs": Kind("{of}: epochs that its protocol does not allow", "medium",
        "The run reported did not follow the protocol stated."),
    "protocol": Kind("Models are compared that were not trained alike", "medium",
        "Part of what separates the models may be the protocol, so each is run by its own{tried}"),
    "criterion": Kind("What ended the training is not reported", "low",
        "That training ended where its own rule ends it can be checked by the number of epochs "
        "alone."),
    "stopped-on-test": Kind("The test images decide when training ends", "high",
        "The epoch is chosen by the images it is then judged on, so the accuracy lies above what "
        "new images would give."),
    # Gaps.
    "unstated-model": Kind("The networks cannot be rebuilt from the text alone", "medium",
        "Each value is an assumption of ours, listed with its reason{tried}"),
    "unstated-training": Kind("Settings of the training are left out", "low",
        "Each value is an assumption of ours, listed with its reason{tried}"),
    "unstated-reading": Kind("How accuracies were measured is left out", "low",
        "Each value is an assumption of ours, listed with its reason; where we evaluate both, both "
        "are shown."),
    "unstated-means": Kind("With what it was computed is left out", "low",
        "Another version or another machine may give other numbers; every run of ours records "
        "both."),
    "single-runs": Kind("Results come from one training each", "medium",
        "We train each model from several seeds, and hold the printed number against all of them."),
    "no-test-accuracy": Kind("No test accuracy is given", "medium",
        "What a model reaches on new images is open; our runs also give its test accuracy."),
    "search": Kind("{of}: {subject}", "low",
        "The best settings are those of the trials that were made; nothing says that they are the "
        "best there are."),
    # With our runs.
    "noise": Kind("Models are ranked by differences that the seed alone makes", "medium",
        "So few runs cannot say which is better; we judge over pairs of seeds, and the draw of "
        "test images would add to the noise."),
    "other-protocol": Kind("{of}: numbers that fit another training than the one named", "medium",
        "It was likely trained the other way, which fitting numbers suggest and do not prove; the "
        "verdict stays that on the protocol named."),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that a check found.

    Attributes
    ----------
    kind, about : str
        A key of `KINDS`, and which of that kind: together the id of the finding.
    where, claimed, because : str
        As in a `Finding`.
    rests_on : frozenset of str
        Addresses of the numbers that contradict each other; faults that share one are told as one,
        for a single wrong number explains them all. Empty for what is no contradiction.
    values : tuple of str
        What contradicts each other, as printed. A written finding tells of the fault if it has all.
    severity : str, optional
        Where it is not that of the kind.
    words : mapping
        What title and consequence are filled with.
    """

    kind: str
    about: str = ""
    where: str
    claimed: str
    because: str
    rests_on: frozenset[str] = frozenset()
    values: tuple[str, ...] = ()
    severity: Severity | None = None
    words: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def id(self) -> str:
        """The id of the finding."""
        of_file = self.kind == "derivation"
        return self.about if of_file else "-".join(filter(None, (self.kind, self.about)))

    @property
    def weight(self) -> Severity:
        """How much it matters."""
        return self.severity or KINDS[self.kind].severity

    def finding(self, others: Sequence[Fault] = ()) -> Finding:
        """Make a finding of this fault, together with those that rest on the same numbers."""
        kind, every = KINDS[self.kind], (self, *others)
        return Finding(
            id=self.id,
            title=kind.title.format(**self.words),
            severity=self.weight,
            where=joined(part for fault in every for part in fault.where.split("; ")),
            claimed=joined(fault.claimed for fault in every),
            because=joined(fault.because for fault in every),
            consequence=kind.consequence.format(**self.words),
        )


def fault_of(kind: str, experiment: Experiment, claims: Sequence[Claim], **told: Any) -> Fault:
    """Return the fault of numbers of an experiment: named by the first, it rests on all of them.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    experiment : Experiment
        Whose numbers.
    claims : sequence of Claim
        The numbers, which contradict each other.
    **told
        What else a `Fault` takes, or takes otherwise.
    """
    usual: dict[str, Any] = {
        "about": f"{experiment.id}-{claims[0].id}",
        "where": place(*claims),
        "rests_on": frozenset(address(experiment, claim) for claim in claims),
        "words": {"of": experiment.title},
    }
    return Fault(kind=kind, **usual | told)


def merged_findings(faults: Iterable[Fault]) -> list[Finding]:
    """Make findings of faults: those that rest on one number become one, headed by the gravest.

    The number that most of them rest on comes first, for it explains most, and what it explains is
    not asked again. No two faults become one by way of a third: each may have a number of its own.
    """
    left = sorted(faults, key=_rank)
    order = {id(fault): place for place, fault in enumerate(left)}
    groups: list[list[Fault]] = []
    while left:
        resting: dict[str, list[Fault]] = defaultdict(list)
        for fault in left:
            for number in sorted(fault.rests_on):
                resting[number].append(fault)
        # Of several numbers that explain as many faults the one that explains the graver ones.
        most = max(resting.values(), key=lambda g: (len(g), -sum(map(_rank, g))), default=[])
        group = most if len(most) > 1 else left[:1]
        groups.append(group)
        left = [fault for fault in left if not any(fault is other for other in group)]
    groups.sort(key=lambda group: order[id(group[0])])
    return [first.finding(others) for first, *others in groups]


def _rank(fault: Fault) -> int:
    return list(SEVERITIES).index(fault.weight)


def severity_of(*claims: Claim) -> Severity | None:
    """Return high where a headline number is among those that contradict each other; else None."""
    return "high" if any(claim.role == "headline" for claim in claims) else None


def place(*claims: Claim) -> str:
    """Return every place where claims are stated."""
    return joined(where for claim in claims for where in claim.where)


def address(experiment: Experiment | None, claim: Claim) -> str:
    """Return what identifies a number: all cells of a layer table are one, and all of a class.

    A number that also stands under another experiment is that one's.

    Parameters
    ----------
    experiment : Experiment or None
        Whose claim it is; None for one of the whole report.
    claim : Claim
        The number.
    """
    part = claim.id
    if "/" in claim.statement:
        return claim.statement
    if experiment and experiment.table and claim in experiment.table.claims():
        part = "layers"
    elif experiment and experiment.scores and claim in experiment.scores.claims():
        part = f"scores-{claim.label}"
    return f"{experiment.id}/{part}" if experiment else part


def address_at(report: Report, path: str) -> str:
    """Return what identifies the number of a claim.

    Parameters
    ----------
    report : Report
        Which states the claim.
    path : str
        ``experiment/claim``, or ``claim`` for one of the whole report.
    """
    return address(report.experiments.get(path.rpartition("/")[0]), report.claim(path))
