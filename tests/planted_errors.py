"""Errors of each kind, planted in real reports, with what the audit must say of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from fmnist_utils.audit.protocol_checks import trials_of
from fmnist_utils.audit.statement_checks import claims_compared
from fmnist_utils.reports.claim import Assumption, Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import EarlyStopping
from fmnist_utils.reports.report import Report

#: A changed report, and with what the id of the finding may begin.
Planted = tuple[Report, tuple[str, ...]]

#: Kinds that contradict something: one wrong number must raise one of them.
CONTRADICTIONS = (
    *("layers", "totals", "count", "setting", "images", "fact", "disagreement", "miscounted"),
    *("ordering", "difference", "bound", "class-order", "grim", "class-shares", "scores", "loss"),
    *("last-epoch", "epochs", "outside", "above-training", "protocol"),
)


# --- changed reports -----------------------------------------------------------------------------


def with_experiment(report: Report, changed: Experiment) -> Report:
    return report.model_copy(update={"experiments": {**report.experiments, changed.id: changed}})


def with_claim(report: Report, owner: Experiment | None, claim: Claim, **changes: object) -> Report:
    """Return a report in which one claim states something else."""
    holder = owner or report
    claims = owner.stated if owner else report.claims
    stated = tuple(c.model_copy(update=changes) if c is claim else c for c in claims)
    changed = holder.model_copy(update={"stated" if owner else "claims": stated})
    return with_experiment(report, changed) if isinstance(changed, Experiment) else changed


def claims_of(report: Report) -> Iterator[tuple[Experiment | None, Claim]]:
    """Yield what is printed; a claim that also stands under another experiment once."""
    yield from ((None, claim) for claim in report.claims)
    for owner in report.experiments.values():
        yield from ((owner, claim) for claim in owner.stated if "/" not in claim.statement)


def numbers(report: Report, *quantities: str) -> list[tuple[Experiment | None, Claim]]:
    return [
        (owner, claim)
        for owner, claim in claims_of(report)
        if claim.quantity in quantities and isinstance(claim.value, Decimal)
    ]


# --- one kind of error each ----------------------------------------------------------------------


def layer_cells(report: Report) -> Iterator[Planted]:
    for owner in report.experiments.values():
        for i, row in enumerate(owner.table.layers if owner.table else ()):
            assert owner.table
            wrong = row.model_copy(update={"params": row.params + 7})
            rows = (*owner.table.layers[:i], wrong, *owner.table.layers[i + 1 :])
            table = owner.table.model_copy(update={"layers": rows})
            changed = owner.model_copy(update={"table": table})
            yield with_experiment(report, changed), (f"layers-{owner.id}",)


def totals(report: Report) -> Iterator[Planted]:
    for owner in report.experiments.values():
        for name in ("total", "trainable", "non_trainable") if owner.table else ():
            assert owner.table
            table = owner.table.model_copy(update={name: getattr(owner.table, name) + 9})
            changed = owner.model_copy(update={"table": table})
            yield with_experiment(report, changed), ("totals", "miscounted")


def facts(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "data"):
        assert isinstance(claim.value, Decimal)
        found = ("fact", "disagreement", "images")
        yield with_claim(report, owner, claim, value=claim.value + 2), found


def image_counts(report: Report) -> Iterator[Planted]:
    for owner, claim in claims_of(report):
        if claim.quantity == "images" and claim.label is None:
            first = claim.value[0] if isinstance(claim.value, tuple) else claim.value
            assert isinstance(first, Decimal)
            wrong = first + (10 if claim.unit == "percent" else -1_000)
            value = (wrong, *claim.value[1:]) if isinstance(claim.value, tuple) else wrong
            yield with_claim(report, owner, claim, value=value), ("images", "disagreement")


def settings_of_models(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "setting"):
        assert isinstance(claim.value, Decimal)
        found = ("setting", "disagreement", "outside")
        yield with_claim(report, owner, claim, value=3 * claim.value + 1), found


def bounds(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "bound"):
        upper = claim.relation in ("at_most", "below")
        value = Decimal(50 if upper else 99)
        yield with_claim(report, owner, claim, value=value), ("bound", "ceiling")


def differences(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "difference"):
        assert isinstance(claim.value, Decimal)
        yield with_claim(report, owner, claim, value=claim.value + 2), ("difference", "ordering")


def accuracies_compared(report: Report) -> Iterator[Planted]:
    """Take five points off a number that sentences build on."""
    names = {claim.of for claim in report.claims if claim.quantity == "difference"}
    for owner, claim in numbers(report, "accuracy"):
        assert isinstance(claim.value, Decimal)
        if owner and owner.id in names and claim is owner.accuracy("test"):
            wrong = claim.value - (5 if claim.unit == "percent" else Decimal("0.05"))
            yield with_claim(report, owner, claim, value=wrong), CONTRADICTIONS


def compared_unlike(report: Report) -> Iterator[Planted]:
    """Take one of two accuracies that are compared at another epoch, or as a mean."""
    report = report.model_copy(update={"findings": ()})
    for comparison in report.claims:
        both = claims_compared(report, comparison)
        if all(both) and len({(side.reading, side.mean_of) for side in both if side}) == 1:
            for side, name in zip(both, (comparison.of, comparison.than), strict=True):
                owner = report.experiments[name or ""]
                assert side
                other = "final" if side.reading == "best" else "best"
                for change in ({"reading": other}, {"mean_of": 3}):
                    yield with_claim(report, owner, side, **change), ("unlike",)


def one_image_too_fine(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "accuracy"):
        # A third of an image of ten thousand.
        if claim.unit == "percent" and claim.split == "test":
            value = Decimal("91.3233")
            yield with_claim(report, owner, claim, value=value), ("grim", "scores", "disagreement")


def epochs(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "epochs_trained"):
        yield with_claim(report, owner, claim, value=Decimal(155)), ("epochs", "disagreement")


def class_ranks(report: Report) -> Iterator[Planted]:
    for owner in report.experiments.values():
        recalls = {c.label: c.interval for c in owner.results if c.quantity == "recall"}
        for claim in owner.stated:
            pair = (claim.labels or (), claim.than_labels or ())
            if claim.quantity == "class_ordering" and {*pair[0], *pair[1]} <= recalls.keys():
                changes = {"labels": pair[1], "than_labels": pair[0]}
                yield with_claim(report, owner, claim, **changes), ("class-order", "class-shares")


def scores(report: Report) -> Iterator[Planted]:
    for owner in report.experiments.values():
        for i, row in enumerate(owner.scores.rows if owner.scores else ()):
            assert owner.scores
            for key in ("precision", "recall", "f1"):
                wrong = row.model_copy(update={key: getattr(row, key) - Decimal("0.30")})
                rows = (*owner.scores.rows[:i], wrong, *owner.scores.rows[i + 1 :])
                table = owner.scores.model_copy(update={"rows": rows})
                changed = owner.model_copy(update={"scores": table})
                yield with_experiment(report, changed), ("scores",)


def epoch_cells(report: Report) -> Iterator[Planted]:
    for owner in report.experiments.values():
        for i, table in enumerate(owner.epoch_tables):
            # Where the loss is high, so few right answers are possible.
            for j in (j for j, loss in enumerate(table.loss) if loss < Decimal("0.5")):
                cells = (*table.accuracy[:j], Decimal("0.19"), *table.accuracy[j + 1 :])
                wrong = table.model_copy(update={"accuracy": cells})
                tables = (*owner.epoch_tables[:i], wrong, *owner.epoch_tables[i + 1 :])
                changed = owner.model_copy(update={"epoch_tables": tables})
                yield with_experiment(report, changed), ("loss", "last-epoch", "disagreement")


def trials(report: Report) -> Iterator[Planted]:
    for search in report.searches.values():
        for trial in trials_of(report, search):
            for claim in trial.stated:
                if claim.setting == "model.dense.0.units" and trial.id != search.of:
                    assert isinstance(claim.value, Decimal)
                    for wrong in (claim.value + 2, Decimal(256)):
                        planted = with_claim(report, trial, claim, value=wrong)
                        yield planted, ("outside", "setting")


def said_twice(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "accuracy", "epochs_trained"):
        assert owner and isinstance(claim.value, Decimal)
        other = claim.model_copy(update={"id": f"{claim.id}-again", "value": claim.value * 9 / 10})
        changed = owner.model_copy(update={"stated": (*owner.stated, other)})
        yield with_experiment(report, changed), CONTRADICTIONS


def counts(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "total_params", "trainable_params"):
        assert isinstance(claim.value, Decimal)
        found = ("count", "miscounted", "disagreement", "what-is-counted")
        yield with_claim(report, owner, claim, value=claim.value + 8), found


def shares_of_classes(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "recall", "confused"):
        yield with_claim(report, owner, claim, value=Decimal("74.03")), ("class-shares",)


def derivations(report: Report) -> Iterator[Planted]:
    for i, item in enumerate(report.derivations):
        if isinstance(item.stated, Decimal):
            year = item.rule == "not_before"
            wrong = item.model_copy(update={"stated": Decimal(1999) if year else 3 * item.stated})
            changed = (*report.derivations[:i], wrong, *report.derivations[i + 1 :])
            yield report.model_copy(update={"derivations": changed}), (item.id,)


def numbered_layers(report: Report) -> Iterator[Planted]:
    for owner in report.experiments.values():
        for i, row in enumerate(owner.table.layers if owner.table else ()):
            if row.type in ("Dense", "Conv2D", "Dropout", "Flatten"):
                assert owner.table
                named = row.model_copy(update={"name": f"{row.type.lower()}_99"})
                rows = (*owner.table.layers[:i], named, *owner.table.layers[i + 1 :])
                table = owner.table.model_copy(update={"layers": rows})
                changed = owner.model_copy(update={"table": table})
                yield with_experiment(report, changed), ("attempts",)


def other_protocols(report: Report) -> Iterator[Planted]:
    beside = [
        e for e in report.experiments.values() if e.accuracy("validation") or e.accuracy("test")
    ]
    for owner in beside if len(beside) > 1 else ():
        for claim in owner.stated:
            if claim.setting == "training.epochs":
                training = owner.training.model_copy(update={"epochs": 150})
                held = owner.model_copy(update={"training": training})
                changed = with_claim(report, held, claim, value=Decimal(150))
                if not any("protocol" in item.tells for item in report.findings):
                    yield changed, ("protocol",)


def stopped(report: Report) -> Iterator[Planted]:
    """End a training by a metric that is stated nowhere, or is one of the test images."""
    for owner in report.experiments.values():
        stopping = EarlyStopping(monitor="val_loss", patience=3)
        path = "training.early_stopping.monitor"
        said = Claim(
            id="ended", quantity="setting", setting=path, value="val_loss", where=("p. 1",)
        )
        training = owner.training.model_copy(update={"early_stopping": stopping})
        changes = {"training": training, "stated": (*owner.stated, said)}
        stated = {(claim.quantity, claim.split) for claim in owner.results}
        if owner.training.validation.take == "test":
            yield with_experiment(report, owner.model_copy(update=changes)), ("stopped-on-test",)
        elif owner.training.early_stopping is None and ("loss", "validation") not in stated:
            yield with_experiment(report, owner.model_copy(update=changes)), ("criterion",)


def unsaid(report: Report) -> Iterator[Planted]:
    """Leave a setting out."""
    report = report.model_copy(update={"findings": ()})  # they may quote it
    for owner in report.experiments.values():
        known = {item.setting for item in owner.assumed}
        for claim in owner.stated:
            path = claim.setting or ""
            part, key = path.partition(".")[0], path.rpartition(".")[2]
            told = path in known or searched(report, owner, path) or key in ("count", "2")
            if part in ("model", "training") and not told and "/" not in claim.statement:
                gap = Assumption(setting=path, chosen="ours", because="not stated")
                changes = {
                    "stated": tuple(c for c in owner.stated if c.setting != path),
                    "assumed": (*owner.assumed, gap),
                }
                changed = with_experiment(report, owner.model_copy(update=changes))
                yield changed, (f"unstated-{part}",)


def searched(report: Report, owner: Experiment, path: str) -> bool:
    """Say whether a setting may be told by the space of a search."""
    return any(
        search.of == owner.id and any(path in item.sets for item in search.space.values())
        for search in report.searches.values()
    )


def without_a_test(report: Report) -> Iterator[Planted]:
    report = report.model_copy(update={"findings": ()})
    stated = [claim for _, claim in claims_of(report) if claim.quantity == "accuracy"]
    if {claim.split for claim in stated} > {"test"}:
        kept = {
            name: owner.model_copy(update={"stated": tuple(
                c for c in owner.stated if (c.quantity, c.split) != ("accuracy", "test"))})
            for name, owner in report.experiments.items()
        }  # fmt: skip
        yield report.model_copy(update={"experiments": kept}), ("no-test-accuracy",)


def above_training(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "accuracy"):
        assert owner and isinstance(claim.value, Decimal)
        if owner.accuracy("train") and claim in (
            owner.accuracy("test"),
            owner.accuracy("validation"),
        ):
            better = Decimal("99.87") if claim.unit == "percent" else Decimal("0.9987")
            yield with_claim(report, owner, claim, value=better), ("above-training",)


def losses(report: Report) -> Iterator[Planted]:
    for owner, claim in numbers(report, "loss"):
        if claim.unit == "plain":
            found = ("percent-losses", "disagreement")
            yield with_claim(report, owner, claim, unit="percent"), found


def lost_zeros(report: Report) -> Iterator[Planted]:
    for owner in report.experiments.values():
        for i, table in enumerate(owner.epoch_tables):
            for j, cell in enumerate(table.loss):
                cells = (*table.loss[:j], Decimal(f"{cell:.1f}"), *table.loss[j + 1 :])
                if table.decimals and cells != table.loss:
                    wrong = table.model_copy(update={"loss": cells})
                    tables = (*owner.epoch_tables[:i], wrong, *owner.epoch_tables[i + 1 :])
                    changed = owner.model_copy(update={"epoch_tables": tables})
                    yield with_experiment(report, changed), ("dropped-zeros",)


def untold_trials(report: Report) -> Iterator[Planted]:
    report = report.model_copy(update={"findings": ()})
    for name, search in report.searches.items():
        kept = tuple(claim for claim in search.stated if claim.setting != "trials")
        if len(kept) < len(search.stated):
            silent = search.model_copy(update={"stated": kept})
            searches = {**report.searches, name: silent}
            yield report.model_copy(update={"searches": searches}), ("search",)


def gaps(report: Report) -> Iterator[Planted]:
    if report.means.hardware:
        means = report.means.model_copy(update={"hardware": None})
        yield report.model_copy(update={"means": means}), ("unstated-means",)


ERRORS: tuple[Callable[[Report], Iterator[Planted]], ...] = (
    layer_cells, totals, facts, image_counts, settings_of_models, bounds, differences,
    accuracies_compared, compared_unlike, one_image_too_fine, epochs, class_ranks, scores,
    epoch_cells, trials, gaps, said_twice, counts, shares_of_classes, derivations,
    numbered_layers, other_protocols, stopped, unsaid, without_a_test, above_training, losses,
    lost_zeros, untold_trials,
)  # fmt: skip
