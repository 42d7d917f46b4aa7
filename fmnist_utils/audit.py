"""Hold each report against itself: can what it states be true, and does it agree with itself.

Each check is one idea: a function that reads a report and yields findings. A check whose numbers
a report does not state yields nothing. Printed numbers are compared through their rounding, so
that honest rounding is never a finding. What no arithmetic can find stands in the report's file
as a finding of its own, and is sorted in with the others.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from fmnist_utils import arithmetic
from fmnist_utils.arithmetic import Interval, Shape
from fmnist_utils.data import count
from fmnist_utils.models import CNN
from fmnist_utils.reports import Assumption, Claim, Experiment, LayerTable, Report
from fmnist_utils.reports.schema import (
    SEVERITIES,
    ClassScores,
    Derivation,
    Finding,
    PrintedLayer,
    same_value,
)
from fmnist_utils.runs import Run, RunStore
from fmnist_utils.training import split_sizes
from fmnist_utils.verdicts import MIN_RUNS, measure, parameter_totals

Check = Callable[[Report], Iterator[Finding]]


def audit(report: Report, runs: Mapping[str, Sequence[Run]] | None = None) -> list[Finding]:
    """List where a report contradicts itself, cannot be right, or cannot be followed.

    Parameters
    ----------
    report : Report
        The report as data.
    runs : mapping, optional
        Experiment id to its runs; with them the audit also says which differences between single
        runs are within the noise of the seeds.

    Returns
    -------
    list of Finding
        What the checks find and what the report's file declares, the most severe first.
    """
    found = [finding for check in CHECKS for finding in check(report)]
    found += within_seed_noise(report, runs or {})
    found += report.findings
    return sorted(found, key=lambda finding: list(SEVERITIES).index(finding.severity))


def audit_report(report: Report, store: RunStore) -> list[Finding]:
    """Audit a report together with the runs that a store has of its experiments."""
    runs = {name: store.runs(experiment) for name, experiment in report.experiments.items()}
    return audit(report, runs)


def count_severities(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by severity; every severity is present, the highest first."""
    severities: list[str] = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in SEVERITIES}


# --- layer tables --------------------------------------------------------------------------------


def impossible_layers(report: Report) -> Iterator[Finding]:
    """Find rows of a layer table that cannot follow from the row before."""
    for experiment, table in _tables(report):
        for i, (layer, before) in enumerate(_with_inputs(table, experiment), 1):
            problem = arithmetic.layer_misfit(layer.type, before, layer.shape, layer.params)
            if problem:
                yield Finding(
                    id=f"layer-{experiment.id}-{i}",
                    severity="high",
                    where=f"{table.where}, row {i}",
                    claimed=f"{layer.type} {layer.name}: output {arithmetic.times(layer.shape)}, "
                    f"{layer.params:,} parameters",
                    because=problem,
                    consequence="The model cannot be built as printed; what we build instead is "
                    "listed with the assumptions.",
                )


def wrong_totals(report: Report) -> Iterator[Finding]:
    """Find totals of a layer table that are not the sums of its rows."""
    for experiment, table in _tables(report):
        layers = table.layers
        frozen = sum(n.params // 2 for n in layers if n.type == "BatchNormalization")
        summed = sum(layer.params for layer in layers)
        for name, printed, computed in (
            ("total", table.total, summed),
            ("trainable", table.trainable, summed - frozen),
            ("non-trainable", table.non_trainable, frozen),
        ):
            if printed != computed:
                yield Finding(
                    id=f"{name}-{experiment.id}",
                    severity="medium",
                    where=f"{table.where}, totals",
                    claimed=f"{printed:,} {name} parameters",
                    because=f"the rows of the table give {computed:,}",
                    consequence="We build the rows; the printed total differs from the model's.",
                )


def prose_against_table(report: Report) -> Iterator[Finding]:
    """Find prose on an architecture that its layer table contradicts."""
    for experiment, table in _tables(report):
        shown = read_architecture(table)
        for claim in experiment.stated:
            values = shown.get(claim.setting or "")
            if values and not any(same_value(claim.value, value) for value in values):
                yield Finding(
                    id=f"prose-{experiment.id}-{claim.id}",
                    severity="medium",
                    where=f"{claim.where}; {table.where}",
                    claimed=f"{_name(claim)} is {_show(claim)}",
                    because=f"the layer table shows {' or '.join(map(str, sorted(values)))}",
                    consequence="Prose and table describe different models; we build the table.",
                )


def unexplained_counts(report: Report) -> Iterator[Finding]:
    """Find parameter counts, stated without a layer table, that the model does not have."""
    for experiment in report.experiments.values():
        counts = ("total_params", "trainable_params")
        claims = [claim for claim in experiment.stated if claim.quantity in counts]
        if not claims or experiment.table:
            continue
        totals = parameter_totals(experiment.build())
        for claim in claims:
            stated, built = int(claim.number), totals[claim.quantity]
            if stated != built:
                yield Finding(
                    id=f"count-{experiment.id}-{claim.id}",
                    severity="high",
                    where=claim.where,
                    claimed=f"{experiment.title}: {stated:,} parameters",
                    because=f"as described it has {built:,}; {_search(stated)}",
                    consequence="The count belongs to another model than the one described.",
                )


def _search(parameters: int) -> str:
    """Say which usual architectures have so many parameters."""
    if found := arithmetic.architectures_with(parameters):
        return f"{len(found)} plain CNNs of usual widths have {parameters:,}, e.g. {found[0]}"
    odd = 2 * arithmetic.common_width(parameters)
    return f"no plain CNN of usual widths has it, and none whose widths are all multiples of {odd}"


def unstated_model_settings(report: Report) -> Iterator[Finding]:
    """Find settings of the model that the report leaves open."""
    missing: dict[str, list[tuple[Experiment, Assumption]]] = defaultdict(list)
    for experiment in report.experiments.values():
        for item in experiment.assumed:
            if item.setting.startswith("model."):
                name = _SETTINGS.get(item.setting.rpartition(".")[2], item.setting)
                missing[name].append((experiment, item))
    for name, gaps in missing.items():
        titles = dict.fromkeys(experiment.title for experiment, _ in gaps)
        yield Finding(
            id=f"unstated-{_slug(name)}",
            severity="medium",
            where=_places(e.table.where if e.table else e.where for e, _ in gaps),
            claimed=f"no {name} is given for {_layers(gaps)}{_listed(titles)}",
            because="; ".join(dict.fromkeys(item.because for _, item in gaps)),
            consequence="Each value is an assumption of ours"
            + _variant(report, [(experiment.id, item.setting) for experiment, item in gaps]),
        )


def _layers(gaps: Sequence[tuple[Experiment, Assumption]]) -> str:
    """Count the layers that settings belong to; a setting of the whole model has none."""
    layers = sum(any(part.isdigit() for part in item.setting.split(".")) for _, item in gaps)
    return f"{_counted(layers, 'layer')} of " if layers else ""


_SETTINGS = {
    "dropout": "dropout rate",
    "pool": "pooling window",
    "kernel": "kernel size",
    "padding": "padding",
    "activation": "activation",
    "resize": "way to the size of image that it takes",
}


def _variant(report: Report, settings: Collection[tuple[str, str]]) -> str:
    """End a sentence with the variants that try another value of an experiment's setting.

    Those that change the least come first, and three are named: studies may have dozens.
    """
    varied = sorted(
        (
            variant
            for variant in report.variants.values()
            if any((variant.of, setting) in settings for setting in variant.settings)
        ),
        key=lambda variant: len(variant.settings),
    )
    if not varied:
        return "."
    named, more = [variant.title for variant in varied[:3]], len(varied) - 3
    rest = f"; and {more} more" if more > 0 else ""
    return f"; variants show what it changes: {'; '.join(named)}{rest}."


def unshown_attempts(report: Report) -> Iterator[Finding]:
    """Find layer names that tell of others: Keras numbers the layers that a session makes."""
    named: dict[str, dict[int, str]] = defaultdict(dict)
    for _, table in _tables(report):
        for layer in table.layers:
            base = _snake_case(layer.type)
            if match := re.fullmatch(rf"{base}(?:_(\d+))?", layer.name):
                named[base][int(match[1] or 0)] = table.where
    gaps = {base: max(places) - len(places) for base, places in named.items()}
    telling = [base for base, gap in gaps.items() if gap > 0]
    if telling:
        yield Finding(
            id="unshown-attempts",
            severity="low",
            where=_places(where for base in telling for where in named[base].values()),
            claimed="the layers that are shown: "
            + _listed(f"{len(named[base])} named {base}" for base in telling),
            because="Keras counts the layers of a session: "
            + _listed(
                f"{base}_{max(named[base])} means at least {gaps[base]} more" for base in telling
            ),
            consequence="Models were built, or built again, that the report does not show; a "
            "result chosen among several lies above that of a typical seed.",
        )


def _snake_case(name: str) -> str:
    """Write a class name as Keras does when it names layers: ``MaxPooling2D``, max_pooling2d."""
    return re.sub(r"([a-z0-9])([A-Z])(?=[a-z])", r"\1_\2", name).lower()


def _tables(report: Report) -> Iterator[tuple[Experiment, LayerTable]]:
    for experiment in report.experiments.values():
        if experiment.table:
            yield experiment, experiment.table


def _with_inputs(
    table: LayerTable, experiment: Experiment | None = None
) -> Iterator[tuple[PrintedLayer, Shape]]:
    """Yield every row with its input shape; the first gets images in the form it takes."""
    images = [experiment.model.input_shape] if experiment and _resized(experiment) else []
    return zip(table.layers, images + _inputs(table)[len(images) :], strict=True)


def _resized(experiment: Experiment) -> bool:
    return isinstance(experiment.model, CNN) and experiment.model.resize is not None


def _inputs(table: LayerTable) -> list[Shape]:
    size = (count("image_height"), count("image_width"))
    forms: dict[str, Shape] = {"Conv2D": (*size, 1), "Dense": (count("pixels"),)}
    first = forms.get(table.layers[0].type, size)
    return [first, *(layer.shape for layer in table.layers[:-1])]


def read_architecture(table: LayerTable) -> dict[str, set[int]]:
    """Read settings of a model off its layer table, by their path in the experiment.

    Only what the table fixes is there; a pooling window may have several possible values.
    """
    found: dict[str, set[int]] = {}
    convolutions, dense = -1, -1
    parts = "dense" if any(layer.type == "Conv2D" for layer in table.layers) else "hidden"
    for layer, before in _with_inputs(table):
        if layer.type == "Conv2D":
            convolutions += 1
            kernel = arithmetic.kernel_size(layer.params, before[-1], layer.shape[-1])
            found[f"model.conv.{convolutions}.filters"] = {layer.shape[-1]}
            found[f"model.conv.{convolutions}.kernel"] = {kernel} if kernel else set()
        elif layer.type == "MaxPooling2D" and convolutions >= 0:
            windows = arithmetic.pool_windows(before, layer.shape)
            found[f"model.conv.{convolutions}.pool"] = windows
        elif layer.type == "Dense":
            dense += 1
            found[f"model.{parts}.{dense}.units"] = {layer.shape[-1]}
    found.pop(f"model.{parts}.{dense}.units", None)
    found[f"model.{parts}.count"] = {dense}
    if convolutions >= 0:
        found["model.conv.count"] = {convolutions + 1}
    return found


# --- statements against each other ---------------------------------------------------------------


def disagreeing_statements(report: Report) -> Iterator[Finding]:
    """Find quantities that are stated several times, and not the same each time."""
    groups: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for experiment, claim in report.all_claims():
        if claim.kind != "untested" and claim.quantity not in ("ordering", "bound"):
            what = claim.model_dump_json(exclude={"id", "where", "value", "unit"})
            if claim.quantity == "images":  # a share, a count and a shape say different things
                what += f"{claim.unit} {claim.numbers}"
            groups[experiment.id if experiment else "", what].append(claim)
    for (experiment_id, _), claims in groups.items():
        odd = [other for one, other in itertools.combinations(claims, 2) if not _agree(one, other)]
        if odd:
            values = dict.fromkeys(_show(claim) for claim in claims)
            title = f" of {_title(report, experiment_id)}" if experiment_id else ""
            yield Finding(
                id="-".join(filter(None, ("disagreement", experiment_id, odd[0].id))),
                severity="medium",
                where=_places(claim.where for claim in claims),
                claimed=f"{_name(claims[0])}{title} is {_listed(values)}",
                because="these cannot all be rounded from one number"
                if odd[0].numbers == 1
                else "these are not the same",
                consequence="Each statement gets its own verdict, and at most one can be right.",
            )


def _agree(a: Claim, b: Claim) -> bool:
    if isinstance(a.value, Decimal) and isinstance(b.value, Decimal):
        return _interval(a).meets(_interval(b))
    return str(a.value).lower() == str(b.value).lower()


def false_orderings(report: Report) -> Iterator[Finding]:
    """Find what is said to be higher, and is lower in the report's own numbers."""
    for claim, above, below in _false_orderings(report):
        opposite = [
            other.where
            for other in report.claims
            if (other.of, other.than, other.split) == (claim.than, claim.of, claim.split)
            and other.quantity == "ordering"
        ]
        says_so = f"; the report itself says so at {_places(opposite)}" if opposite else ""
        yield Finding(
            id=f"ordering-{claim.id}",
            severity="high",
            where=claim.where,
            claimed=f"{_title(report, claim.of)} has a higher {claim.split} accuracy than "
            f"{_title(report, claim.than)}",
            because=f"{_show(above)} ({above.where}) is less than {_show(below)} ({below.where})"
            + says_so,
            consequence="No runs can bear out both the sentence and the numbers, and what is "
            f"measured against {_title(report, claim.of)} as the better has to be computed again.",
        )


def _false_orderings(report: Report) -> Iterator[tuple[Claim, Claim, Claim]]:
    for claim in report.claims:
        above, below = _compared(report, claim)
        if claim.quantity != "ordering" or above is None or below is None:
            continue
        if _interval(above).high < _interval(below).low:
            yield claim, above, below


def wrong_differences(report: Report) -> Iterator[Finding]:
    """Find stated differences that the two numbers do not have."""
    for claim in report.claims:
        ours, theirs = _compared(report, claim)
        if claim.quantity == "difference" and ours and theirs:
            difference = _interval(ours) - _interval(theirs)
            if not difference.meets(_interval(claim)):
                yield Finding(
                    id=f"difference-{claim.id}",
                    severity="medium",
                    where=claim.where,
                    claimed=_difference_claimed(report, claim),
                    because=_subtraction(ours, theirs),
                    consequence="The difference is judged as printed, and by the two numbers.",
                )


def differences_from_a_false_best(report: Report) -> Iterator[Finding]:
    """Find differences from a model wrongly called better, that another model would change."""
    for ordering, _, better in _false_orderings(report):
        for claim in report.claims:
            ours, _ = _compared(report, claim)
            if (
                claim.quantity == "difference"
                and (claim.than, claim.split) == (ordering.of, ordering.split)
                and ours
                and not (_interval(ours) - _interval(better)).meets(_interval(claim))
            ):
                yield Finding(
                    id=f"false-best-{claim.id}",
                    severity="high",
                    where=claim.where,
                    claimed=_difference_claimed(report, claim),
                    because=f"the better of the two is {_title(report, ordering.than)}: "
                    + _subtraction(ours, better),
                    consequence="We judge it between the two models that the report means; from "
                    f"the better one it would read {_rounded_like(claim, ours, better)}.",
                )


def broken_bounds(report: Report) -> Iterator[Finding]:
    """Find bounds that the report's own number breaks."""
    for claim in report.claims:
        value, _ = _compared(report, claim)
        if claim.quantity != "bound" or value is None:
            continue
        inside, bound = _interval(value), _interval(claim)
        too_high = claim.relation == "at_most" and inside.low > bound.high
        if too_high or (claim.relation == "at_least" and inside.high < bound.low):
            yield Finding(
                id=f"bound-{claim.id}",
                severity="medium",
                where=claim.where,
                claimed=f"{claim.split} accuracy of {_title(report, claim.of)} is "
                f"{(claim.relation or '').replace('_', ' ')} {_show(claim)}",
                because=f"{_show(value)} ({value.where})",
                consequence="The bound fails by the report's own number; ours cannot rescue it.",
            )


def _compared(report: Report, claim: Claim) -> tuple[Claim | None, Claim | None]:
    """Return the accuracies that a comparison sets against each other, where they are stated."""

    def stated(name: str | None) -> Claim | None:
        experiment = report.experiments.get(name or "")
        return _accuracy(experiment, claim.split) if experiment else None

    return stated(claim.of), stated(claim.than)


def _accuracy(experiment: Experiment, split: str | None) -> Claim | None:
    found = (c for c in experiment.stated if c.quantity == "accuracy" and c.split == split)
    return next(found, None)


def _difference_claimed(report: Report, claim: Claim) -> str:
    return (
        f"{_title(report, claim.of)} is {_show(claim)} above {_title(report, claim.than)} "
        f"in {claim.split} accuracy"
    )


def _rounded_like(claim: Claim, ours: Claim, theirs: Claim) -> str:
    """Write the difference of two accuracies with as many digits as a claim has."""
    assert isinstance(claim.value, Decimal)
    difference = (_interval(ours).middle - _interval(theirs).middle) / _SCALES[claim.unit]
    return f"{float(difference):.{max(0, -int(claim.value.as_tuple().exponent))}f}"


def _subtraction(ours: Claim, theirs: Claim) -> str:
    difference = 100 * (_interval(ours).middle - _interval(theirs).middle)
    points = f"{float(difference):.2f}".replace("-", "−")
    return f"{_show(ours)} − {_show(theirs)} = {points} points"


# --- sums, shares and scores ---------------------------------------------------------------------


def wrong_derivations(report: Report) -> Iterator[Finding]:
    """Find numbers that do not follow from others: sums, shares, ratios, means, years."""
    for item in report.derivations:
        given = [_given(report, item, value) for value in item.given]
        if item.rule != "proportion" and not _follows(item, _stated(item), given):
            sign = " %" if item.unit == "percent" else ""
            yield Finding(
                id=item.id,
                severity=item.severity,
                where=item.where,
                claimed=f"{item.stated}{sign}",
                because=_derivation(report, item, given),
                consequence=item.consequence,
            )


_RULES: dict[str, Callable[[list[Interval]], Interval]] = {
    "sum": arithmetic.total,
    "mean": arithmetic.mean,
    "difference": lambda given: given[0] - given[1],
    "ratio": lambda given: given[0] / given[1],
}


def _follows(item: Derivation, stated: Interval, given: list[Interval]) -> bool:
    if item.rule == "not_before":
        return stated.high >= given[0].low
    if item.rule == "same":
        return all(stated.meets(value) for value in given)
    return stated.meets(_RULES[item.rule](given))


def _stated(item: Derivation) -> Interval:
    return Interval.printed(item.stated, _SCALES[item.unit])


def _given(report: Report, item: Derivation, value: Decimal | str) -> Interval:
    if isinstance(value, str):
        return _interval(report.claim(value))
    plain = item.unit == "plain" or item.rule in ("ratio", "proportion")
    if plain and value.as_tuple().exponent == 0:
        return Interval.exactly(value)
    return Interval.printed(value, Fraction(1) if plain else _SCALES[item.unit])


def _derivation(report: Report, item: Derivation, given: list[Interval]) -> str:
    digits = "" if item.rule == "not_before" else ","  # a year has no thousands
    parts = [_show(report.claim(v)) if isinstance(v, str) else f"{v:{digits}}" for v in item.given]
    if item.rule in ("same", "not_before"):
        return f"it must be {item.rule.replace('_', ' ')} {' and '.join(parts)}"
    result = float(_RULES[item.rule](given).middle / _SCALES[item.unit])
    sign = {"sum": " + ", "difference": " − ", "ratio": " / ", "mean": ", "}[item.rule]
    return f"{'mean of ' * (item.rule == 'mean')}{sign.join(parts)} = {result:,.2f}"


def impossible_percentages(report: Report) -> Iterator[Finding]:
    """Find accuracies that no number of images gives (GRIM; Brown & Heathers 2017)."""
    for experiment, claim in report.all_claims():
        if experiment is None or claim.quantity != "accuracy":
            continue
        n = _images(experiment, claim) * (claim.mean_of or 1)
        if not arithmetic.possible_counts(_interval(claim), n):
            yield Finding(
                id=f"grim-{experiment.id}-{claim.id}",
                severity="medium",
                where=claim.where,
                claimed=f"{_name(claim)} of {experiment.title} is {_show(claim)}",
                because=f"of {n:,} images that is {float(n * _interval(claim).middle):.2f}",
                consequence="The number was not measured on the images that the report names.",
            )


def impossible_shares(report: Report) -> Iterator[Finding]:
    """Find shares of a group of images that no number of them gives (GRIM)."""
    groups: dict[int, list[Derivation]] = defaultdict(list)
    for item in report.derivations:
        if item.rule == "proportion":
            groups[int(_given(report, item, item.given[0]).middle)].append(item)
    for size, items in groups.items():
        odd = [i for i in items if not arithmetic.possible_counts(_stated(i), size)]
        if odd:
            counts = (f"{float(size * _stated(item).middle):,.2f}" for item in odd)
            yield Finding(
                id=odd[0].id,
                severity=odd[0].severity,
                where=_places(item.where for item in odd),
                claimed=f"{_listed(str(item.stated) for item in odd)}"
                f"{' %' * (odd[0].unit == 'percent')} of {size:,} images",
                because=f"that is {_listed(counts)} images; {_common_size(items, size)}",
                consequence=odd[0].consequence,
            )


def _common_size(items: Sequence[Derivation], size: int) -> str:
    """Say which group of images could have all these shares."""
    fitting = arithmetic.sizes_allowing(map(_stated, items), range(1, 2 * size + 1))
    if not fitting:
        return f"no group of up to {2 * size:,} has all {len(items)} shares"
    nearest = min(fitting, key=lambda n: abs(n - size))
    return f"the group nearest in size that has all {len(items)} shares is one of {nearest:,}"


def impossible_f1(report: Report) -> Iterator[Finding]:
    """Find F1 scores that precision and recall, as rounded, do not allow."""
    for experiment, where, row, scale in _score_rows(report):
        precision, recall, printed = (
            Interval.printed(value, scale) for value in (row.precision, row.recall, row.f1)
        )
        possible = arithmetic.f1(precision, recall)
        if not possible.meets(printed):
            yield Finding(
                id=f"f1-{experiment.id}-{_slug(row.label)}",
                severity="low",
                where=f"{where}, {row.label}",
                claimed=f"precision {row.precision}, recall {row.recall}, F1 {row.f1}",
                because=f"F1 is at most {float(possible.high / scale):.4f} and at least "
                f"{float(possible.low / scale):.4f}",
                consequence="One of the three is misprinted; each gets its own verdict.",
            )


def recall_against_accuracy(report: Report) -> Iterator[Finding]:
    """Find accuracies that are not the mean recall, weighted by images per class."""
    for experiment in report.experiments.values():
        scores = experiment.scores
        if scores is None:
            continue
        recalls = [Interval.printed(row.recall, _SCALES[scores.unit]) for row in scores.rows]
        average = arithmetic.mean(recalls, [row.support for row in scores.rows])
        for claim in experiment.stated:
            if claim.quantity != "accuracy" or claim.split != scores.split:
                continue
            if not average.meets(_interval(claim)):
                yield Finding(
                    id=f"recall-{experiment.id}-{claim.id}",
                    severity="medium",
                    where=f"{claim.where}; {scores.where}",
                    claimed=f"{_name(claim)} is {_show(claim)}",
                    because=f"the recalls average to {100 * float(average.middle):.2f} %, between "
                    f"{100 * float(average.low):.2f} and {100 * float(average.high):.2f}",
                    consequence="Table and accuracy come from different evaluations.",
                )


def wrong_supports(report: Report) -> Iterator[Finding]:
    """Find classification reports whose classes do not add up to the test images."""
    for experiment in report.experiments.values():
        scores = experiment.scores
        if scores is None:
            continue
        summed = sum(row.support for row in scores.rows)
        if summed != count("test_images"):
            yield Finding(
                id=f"support-{experiment.id}",
                severity="medium",
                where=scores.where,
                claimed=f"scores on a test set of {summed:,} images",
                because=f"the data set has {count('test_images'):,}",
                consequence="The scores were not measured on the official test images.",
            )


def _score_rows(report: Report) -> Iterator[tuple[Experiment, str, ClassScores, Fraction]]:
    for experiment in report.experiments.values():
        if experiment.scores:
            for row in experiment.scores.rows:
                yield experiment, experiment.scores.where, row, _SCALES[experiment.scores.unit]


# --- protocol ------------------------------------------------------------------------------------


def impossible_epochs(report: Report) -> Iterator[Finding]:
    """Find trainings that end neither at their limit nor as early stopping would."""
    for experiment in report.experiments.values():
        limit, stopping = experiment.training.epochs, experiment.training.early_stopping
        for claim in experiment.stated:
            if claim.quantity not in ("epochs_trained", "lowest_val_loss_epoch"):
                continue
            epochs, problem = int(claim.number), ""
            if epochs > limit:
                problem = f"training is limited to {limit} epochs"
            elif claim.quantity == "epochs_trained" and epochs < limit:
                if stopping is None:
                    problem = f"nothing ends training before {limit} epochs"
                elif epochs <= stopping.patience:
                    problem = (
                        f"with a patience of {stopping.patience} training ends "
                        f"after epoch {stopping.patience + 1} at the earliest"
                    )
            if problem:
                yield Finding(
                    id=f"epochs-{experiment.id}-{claim.id}",
                    severity="medium",
                    where=claim.where,
                    claimed=f"{_name(claim)} of {experiment.title}: {epochs}",
                    because=problem,
                    consequence="The run reported did not follow the protocol stated.",
                )


#: What decides how many images a model sees, for how long, and which epoch counts. What a report
#: tunes on purpose (optimizer, batch size) may differ.
_PROTOCOL = ("training.validation", "training.epochs", "training.early_stopping")


def unequal_protocols(report: Report) -> Iterator[Finding]:
    """Find models that are compared, and were not trained alike."""
    compared = {name for claim in report.claims for name in (claim.of, claim.than)}
    stated: dict[str, dict[str, list[tuple[Experiment, Claim]]]] = defaultdict(dict)
    for experiment, claim in report.all_claims():
        path = claim.setting or ""
        if experiment and experiment.id in compared and path.startswith(_PROTOCOL):
            stated[path].setdefault(_value(claim), []).append((experiment, claim))
    for path, values in stated.items():
        if len(values) > 1:
            yield Finding(
                id=f"protocol-{_slug(path.removeprefix('training.'))}",
                severity="medium",
                where=_places(claims[0][1].where for claims in values.values()),
                claimed="models that are compared were not trained alike",
                because="; ".join(
                    f"{_words(path)} {value} for {_listed(e.title for e, _ in claims)}, "
                    f"{split_sizes(claims[0][0].training)['train']:,} training images"
                    for value, claims in values.items()
                ),
                consequence="Part of what separates the models may be the protocol, so each is "
                f"run by its own{_variant(report, [(name, path) for name in compared if name])}",
            )


def unreported_criterion(report: Report) -> Iterator[Finding]:
    """Find metrics that end a training, and are never stated."""
    silent: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in report.experiments.values():
        if stopping := experiment.training.early_stopping:
            quantity = stopping.monitor.removeprefix("val_")
            stated = {(claim.quantity, claim.split) for claim in experiment.stated}
            told = any(c.setting == "training.early_stopping.monitor" for c in experiment.stated)
            if told and (quantity, "validation") not in stated:
                silent[quantity].append(experiment)
    for quantity, experiments in silent.items():
        yield Finding(
            id=f"unreported-validation-{quantity}",
            severity="medium",
            where=_places(
                claim.where
                for experiment in experiments
                for claim in experiment.stated
                if claim.setting == "training.early_stopping.monitor"
            ),
            claimed=f"validation {quantity} ends the training of {len(experiments)} models",
            because=f"no validation {quantity} is stated for any of them",
            consequence="That training ended where its own rule ends it can be checked by the "
            "number of epochs alone.",
        )


def within_seed_noise(report: Report, runs: Mapping[str, Sequence[Run]]) -> Iterator[Finding]:
    """Find single runs that are compared, and differ by no more than seeds do."""
    pairs: dict[Any, list[Claim]] = defaultdict(list)
    for claim in report.claims:
        pairs[frozenset((claim.of, claim.than)), claim.split].append(claim)
    for claims in pairs.values():
        one, other = _compared(report, claims[0])
        if one and other:
            spreads = [
                _spread(side, runs.get(name or "", ()))
                for side, name in ((one, claims[0].of), (other, claims[0].than))
            ]
            gap = 100 * abs(float(_interval(one).middle - _interval(other).middle))
            reach = arithmetic.chance_difference(*spreads)
            if gap < reach:  # never so when a spread is unknown
                yield _noise(report, claims, gap, reach, spreads)


def _spread(claim: Claim, runs: Sequence[Run]) -> float:
    """Return the standard deviation, in points, of what is claimed; nan for too few runs."""
    if len(runs) < MIN_RUNS:
        return math.nan
    sd = float(np.std(measure(claim, runs), ddof=1) * 100 / claim.whole)
    return sd / math.sqrt(claim.mean_of or 1)


def _noise(
    report: Report, claims: Sequence[Claim], gap: float, reach: float, spreads: Sequence[float]
) -> Finding:
    claim = claims[0]
    one, other = _compared(report, claim)
    assert one and other
    trained = [side.mean_of or 1 for side in (one, other)]
    each = "one run each" if trained == [1, 1] else f"{trained[0]} and {trained[1]} runs"
    terms = " + ".join(f"{sd:.3f}²" for sd in spreads)
    return Finding(
        id=f"noise-{claim.of}-{claim.than}-{claim.split}",
        severity="medium",
        where=_places(claim.where for claim in claims),
        claimed=f"{_title(report, claim.of)} ({_show(one)}) and {_title(report, claim.than)} "
        f"({_show(other)}) are told apart by {each}",
        because=f"they differ by {gap:.2f} points; the seed alone sets them apart by up to "
        f"1.96 × √({terms}) = {reach:.2f} points in 95 % of cases",
        consequence="So few cannot say which is better; we judge over pairs of seeds.",
    )


def _images(experiment: Experiment, claim: Claim) -> int:
    """Return how many images stand behind a claimed accuracy."""
    sizes = split_sizes(experiment.training)
    held_out = sizes["validation"] if claim.reading.endswith("-all") else 0
    return sizes[claim.split or "test"] + held_out


# --- words ---------------------------------------------------------------------------------------

_SCALES = {"percent": Fraction(1, 100), "points": Fraction(1, 100), "plain": Fraction(1)}


def _interval(claim: Claim) -> Interval:
    """Return what a claim may stand for: counts and settings are exact, the rest is rounded."""
    if not isinstance(claim.value, Decimal):
        raise TypeError(f"claim {claim.id} has no single number")
    counted = claim.quantity in ("epochs_trained", "lowest_val_loss_epoch")
    if claim.unit == "plain" and (counted or claim.kind == "exact"):
        return Interval.exactly(claim.value)
    return Interval.printed(claim.value, _SCALES[claim.unit])


def _show(claim: Claim) -> str:
    """Write the value of a claim as printed, with its unit."""
    unit = {"percent": " %", "points": " points", "plain": ""}[claim.unit]
    if isinstance(claim.value, tuple):
        return arithmetic.times(tuple(int(n) for n in claim.value))
    if isinstance(claim.value, Decimal):
        return f"{claim.value:,f}{unit}"
    return str(claim.value)


def _value(claim: Claim) -> str:
    """Write the value of a setting so that 20 % and 0.2 are the same."""
    if isinstance(claim.value, Decimal):
        return f"{float(_interval(claim).middle):g}"
    return str(claim.value).lower()


def _name(claim: Claim) -> str:
    """Name what a claim is about: ``test accuracy``, ``conv 0 filters``."""
    what = _words(claim.setting or claim.fact or claim.quantity)
    return f"{claim.split} {what}" if claim.split else what


def _words(name: str) -> str:
    """Turn a key or a path of keys into words."""
    return re.sub(r"[._]", " ", re.sub(r"^(training|model)\.", "", name))


def _title(report: Report, experiment_id: str | None) -> str:
    return report.experiments[experiment_id or ""].title


def _places(places: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(places))


def _listed(items: Iterable[str]) -> str:
    """Join with commas, and the last with ``and``."""
    *rest, last = items
    return f"{', '.join(rest)} and {last}" if rest else last


def _counted(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' * (n != 1)}"


def _slug(label: str) -> str:
    return re.sub(r"\W+", "-", label.lower()).strip("-")


#: Every check that needs the report alone.
CHECKS: tuple[Check, ...] = (
    impossible_layers,
    wrong_totals,
    prose_against_table,
    unexplained_counts,
    unstated_model_settings,
    unshown_attempts,
    disagreeing_statements,
    false_orderings,
    wrong_differences,
    differences_from_a_false_best,
    broken_bounds,
    wrong_derivations,
    impossible_percentages,
    impossible_shares,
    impossible_f1,
    recall_against_accuracy,
    wrong_supports,
    impossible_epochs,
    unequal_protocols,
    unreported_criterion,
)
