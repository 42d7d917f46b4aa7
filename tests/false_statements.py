"""False statements that can be added to any report with an accuracy, for the audit to find."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from planted_errors import Planted, with_experiment

from fmnist_utils.audit.number_checks import size_is_ours
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.printed_tables import EpochTable
from fmnist_utils.reports.report import Report

POINT = Decimal(1)


def said(name: str, quantity: str, value: Any = None, **keys: Any) -> Claim:
    """Return a claim that no report makes."""
    return Claim(id=f"said-{name}", quantity=quantity, value=value, where=("p. 1",), **keys)


def with_said(report: Report, owner: Experiment | None, *claims: Claim) -> Report:
    """Return a report that also states something of an experiment, or of several."""
    if owner is None:
        return report.model_copy(update={"claims": (*report.claims, *claims)})
    changed = owner.model_copy(update={"stated": (*owner.stated, *claims)})
    return with_experiment(report, changed)


def measured(report: Report) -> Iterator[tuple[Experiment, Claim, str]]:
    """Yield every experiment with an accuracy on images that it was not trained on."""
    for owner in report.experiments.values():
        for split in ("test", "validation"):
            if claim := owner.accuracy(split):
                yield owner, claim, split
                break


def percent(claim: Claim) -> Decimal:
    return Decimal(str(round(100 * float(claim.interval.middle), 2)))


def false_bounds(report: Report) -> Iterator[Planted]:
    for owner, _, split in measured(report):
        for relation, value in (("at_most", "50"), ("above", "99")):
            keys = {"of": owner.id, "split": split, "relation": relation, "unit": "percent"}
            yield with_said(report, None, said("bound", "bound", value, **keys)), ("bound",)


def false_comparisons(report: Report) -> Iterator[Planted]:
    """Call the worse of two models better, or the better one by two points more than it is."""
    for (a, one, split), (b, other, again) in itertools.combinations(measured(report), 2):
        gap = percent(one) - percent(other)
        if split == again and abs(gap) > POINT / 5:
            better, worse = (a, b) if gap > 0 else (b, a)
            pair = {"split": split, "of": worse.id, "than": better.id}
            yield with_said(report, None, said("rank", "ordering", **pair)), ("ordering",)
            if any({claim.of, claim.than} == {a.id, b.id} for _, claim in report.all_claims()):
                continue  # the report states that difference itself: then both disagree, too
            pair = {"split": split, "of": better.id, "than": worse.id}
            wrong = said("gain", "difference", abs(gap) + 2 * POINT, unit="points", **pair)
            yield with_said(report, None, wrong), ("difference", "ordering")


def false_gaps(report: Report) -> Iterator[Planted]:
    for owner, claim, split in measured(report):
        train = owner.accuracy("train")
        own = train or said("train", "accuracy", "99.50", split="train", unit="percent")
        wrong = percent(own) - percent(claim) + 5 * POINT
        keys = {"split": "train", "than_split": split, "unit": "points"}
        stated = (said("gap", "gap", wrong, **keys), *(() if train else (own,)))
        yield with_said(report, owner, *stated), ("difference",)


def false_class_ranks(report: Report) -> Iterator[Planted]:
    for owner, _, _ in measured(report):
        if not any(claim.quantity in ("recall", "confused") for claim in owner.results):
            recalls = (
                said("trouser", "recall", "0.98", split="test", label=1),
                said("shirt", "recall", "0.75", split="test", label=6),
            )
            keys = {"split": "test", "labels": (6,), "than_labels": (1,)}
            yield (
                with_said(report, owner, *recalls, said("ranks", "class_ordering", **keys)),
                ("class-order",),
            )


def false_shares(report: Report) -> Iterator[Planted]:
    for owner, _, _ in measured(report):
        if not any(claim.quantity in ("recall", "confused") for claim in owner.results):
            share = said("share", "recall", "74.03", split="test", label=6, unit="percent")
            yield with_said(report, owner, share), ("class-shares",)


def false_ends(report: Report) -> Iterator[Planted]:
    """Print an epoch table that ends elsewhere than the accuracy, or the loss, that is stated."""
    for owner, claim, _ in measured(report):
        stated = {
            (c.quantity, c.split): c.interval.middle
            for c in owner.results
            if c.quantity in ("accuracy", "loss")
            if c.split != "train" or c.reading == "final-running"
        }
        if owner.epoch_tables or claim.mean_of:
            continue
        for split in ("validation", "train"):
            if ("accuracy", split) in stated:
                loss = stated.get(("loss", split), Fraction(9, 10))
                ended = owner.model_copy(update={"epoch_tables": (ending(split, "0.60", loss),)})
                yield with_experiment(report, ended), ("last-epoch", "disagreement")
        if ("loss", "train") not in stated:
            table = ending("train", stated.get(("accuracy", "train"), "0.75"), "0.9")
            ended = owner.model_copy(update={"epoch_tables": (table,)})
            loss_said = said("loss", "loss", "0.6", split="train", reading="final-running")
            yield with_said(report, ended, loss_said), ("last-epoch",)


def ending(split: Any, accuracy: Fraction | str, loss: Fraction | str) -> EpochTable:
    """Return a table of two epochs that ends at these numbers."""
    first, last = (Decimal(str(round(float(value), 4))) for value in (accuracy, loss))
    cells = {"accuracy": (Decimal("0.55"), first), "loss": (Decimal("1.2"), last)}
    return EpochTable(where="Table 9", split=split, **cells)  # type: ignore[arg-type]


def false_images(report: Report) -> Iterator[Planted]:
    for owner, _, _ in measured(report):
        if not any(claim.quantity == "images" for claim in owner.stated):
            wrong = said("images", "images", "31000", split="train")
            yield with_said(report, owner, wrong), ("images",)


def false_epochs(report: Report) -> Iterator[Planted]:
    for owner, _, _ in measured(report):
        if not any(claim.quantity == "epochs_trained" for claim in owner.stated):
            late = said("ended", "epochs_trained", str(owner.training.epochs + 7))
            yield with_said(report, owner, late), ("epochs",)


def false_losses(report: Report) -> Iterator[Planted]:
    """State a loss that the errors alone would exceed."""
    for owner, claim, split in measured(report):
        found = [c for c in owner.stated if (c.quantity, c.split) == ("loss", split)]
        tiny = Decimal("0.001")
        if found and "/" not in found[0].statement:
            stated = tuple(
                c.model_copy(update={"value": tiny, "unit": "plain"}) if c is found[0] else c
                for c in owner.stated
            )
            changed = owner.model_copy(update={"stated": stated})
            yield with_experiment(report, changed), ("loss", "disagreement")
        elif not found and not claim.mean_of and not owner.epoch_tables:
            keys = {"split": split, "reading": claim.reading, "machine": claim.machine}
            yield with_said(report, owner, said("loss", "loss", str(tiny), **keys)), ("loss",)


def false_counts(report: Report) -> Iterator[Planted]:
    for owner, _, _ in measured(report):
        wrong = said("count", "total_params", "1234567")
        found = ("count", "miscounted", "disagreement", "setting")
        yield with_said(report, owner, wrong), found


def false_macro_recalls(report: Report) -> Iterator[Planted]:
    for owner, claim, split in measured(report):
        if split == "test":
            wrong = said("macro", "macro_recall", "0.512", split="test", reading=claim.reading)
            yield with_said(report, owner, wrong), ("scores",)


def false_digits(report: Report) -> Iterator[Planted]:
    """State a third of an image, where the report says of how many."""
    for owner, claim, _ in measured(report):
        if size_is_ours(owner, claim):
            continue
        fine = claim.model_copy(update={"value": Decimal("0.9132333"), "unit": "plain"})
        stated = tuple(fine if c is claim else c for c in owner.stated)
        changed = owner.model_copy(update={"stated": stated})
        yield with_experiment(report, changed), ("grim",)


def false_facts(report: Report) -> Iterator[Planted]:
    if not any(claim.fact == "train_images" for claim in report.claims):
        wrong = said("train-images", "data", "60002", fact="train_images")
        yield with_said(report, None, wrong), ("fact",)


FALSE = (
    false_bounds, false_comparisons, false_gaps, false_class_ranks, false_shares, false_ends,
    false_images, false_epochs, false_losses, false_counts, false_macro_recalls, false_digits,
    false_facts,
)  # fmt: skip
