"""Data, model and protocol: as stated, as built, and as we had to assume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FashionMNIST
from fmnist_utils.models.architectures import architectures_with as find_architectures
from fmnist_utils.models.build import layer_table
from fmnist_utils.reports.claim import Assumption
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.claim_tables import merged_rows
from fmnist_utils.tables.table import Badge, Stacked, Table
from fmnist_utils.text import keys_text, ours_text, reported_text, value_text
from fmnist_utils.verdicts.collect import judge_layers
from fmnist_utils.verdicts.disputed import Disputed
from fmnist_utils.verdicts.exact import aligned_layers
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.outcome import Word


def architecture(experiment: Experiment, model: Any | None = None) -> Table:
    """Show the layer table as printed beside the model as built.

    Parameters
    ----------
    experiment : Experiment
        With a printed layer table, or without one: then only ours is shown.
    model : keras.Model, optional
        The built model; built here when not given.
    """
    model = model or experiment.build()
    built = aligned_layers(experiment, layer_table(model))
    table = experiment.table
    if table is None:
        plain = tuple((row.type, value_text(row.shape), f"{row.params:,}") for row in built)
        return Table(("layer", "output shape", "parameters"), plain, experiment.title)
    by_cell = {v.claim.id: v for v in judge_layers(experiment, model)}
    rows: list[tuple[Any, ...]] = []
    for i, printed in enumerate(table.layers, start=1):
        shape, params = by_cell[f"layer-{i}-shape"], by_cell[f"layer-{i}-params"]
        word = Word.EQUAL if {shape.word, params.word} == {Word.EQUAL} else Word.DIFFERS
        rows.append(
            (printed.type, value_text(printed.shape), ours_text(shape), f"{printed.params:,}",
             ours_text(params), Badge(word))
        )  # fmt: skip
    for name in ("total", "trainable", "non-trainable"):
        verdict = by_cell[f"{name}-params"]
        printed_total = reported_text(verdict.claim)
        rows.append((name, "", "", printed_total, ours_text(verdict), Badge(verdict.word)))
    headers = ("layer", "shape printed", "shape built", "params printed", "built", "verdict")
    return Table(headers, tuple(rows), f"{table.where}, as printed and as built")


def architectures_with(parameters: int) -> Table:
    """List the plain CNNs of usual widths that have exactly so many parameters."""
    rows = tuple((str(found),) for found in find_architectures(parameters))
    return Table(("architecture",), rows, f"{len(rows)} plain CNNs have {parameters:,} parameters")


def protocol(experiment: Experiment, store: RunStore = STORE) -> Table:
    """Show model and protocol in use: what the prose states, and what we had to assume.

    Parameters
    ----------
    experiment : Experiment
        Whose settings.
    store : RunStore
        Whose runs follow them.

    Examples
    --------
    >>> [str(cell) for cell in fu.tables.protocol(experiment).rows[0]]
    ['batch size [p. 3, paragraph 3]', '128', '128', 'followed']
    """
    runs = store.runs(experiment)
    stated = [judge(experiment, c, runs) for c in experiment.stated if c.kind == "exact"]
    rows = [*merged_rows(stated, lambda verdict: value_text(verdict.ours))]
    rows += [
        (what, "not stated", chosen, "assumed") for what, chosen in _assumed(experiment.assumed)
    ]
    headers = ("setting", "reported", "used", "verdict")
    return Table(headers, tuple(rows), f"{experiment.title}: protocol")


def assumptions(report: Report) -> Table:
    """List every setting that the report leaves out: what we chose, why, and for which models."""
    assumed = {name: experiment.assumed for name, experiment in report.experiments.items()}
    assumed |= {name: search.assumed for name, search in report.searches.items()}
    users: dict[Assumption, tuple[str, ...]] = {}
    for name, items in assumed.items():
        for item in items:
            users[item] = (*users.get(item, ()), name)
    groups: dict[tuple[str, ...], list[Assumption]] = {}
    for item, owners in users.items():
        groups.setdefault(owners, []).append(item)
    rows = tuple(
        (what, chosen, "all" if len(owners) == len(report.experiments) else ", ".join(owners))
        for owners, items in groups.items()
        for what, chosen in _assumed(items)
    )
    return Table(("setting, and why", "chosen", "experiments"), rows, "Assumptions")


def _assumed(items: Iterable[Assumption]) -> Iterator[tuple[Stacked, str]]:
    """Yield settings with their reason, and what was chosen; those alike stand together."""
    alike: dict[tuple[str, str], list[str]] = {}
    for item in items:
        alike.setdefault((item.because, value_text(item.chosen)), []).append(item.setting)
    for (because, chosen), paths in alike.items():
        yield Stacked(keys_text(paths), because), chosen


def data_summary(data: FashionMNIST) -> Table:
    """Describe the images: how many, of what shape and type, and how bright (of full scale)."""
    rows = []
    for name, images, labels in (
        ("training", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        per_class = np.bincount(labels, minlength=len(CLASS_NAMES))
        rows.append(
            (
                name,
                f"{len(images):,}",
                value_text(images.shape[1:]),
                str(images.dtype),
                " to ".join(f"{count:,}" for count in sorted({per_class.min(), per_class.max()})),
                f"{images.mean() / 255:.4f}",
                f"{images.std() / 255:.4f}",
                f"{100 * (images == 0).mean():.1f}",
            )
        )
    headers = ("set", "images", "shape", "type", "per class", "mean", "sd", "zero pixels (%)")
    return Table(headers, tuple(rows), f"The {data.source} images")


def disputed(found: Disputed) -> Table:
    """Count the test images that runs get wrong, and of which they say the same other class.

    Parameters
    ----------
    found : Disputed
        What the runs say; see `verdicts.disputed`.

    Examples
    --------
    >>> fu.tables.disputed(fu.verdicts.disputed(data)).rows  # no run has seen synthetic images
    ()
    """
    # Of few runs two shares may be as many.
    needed = {-(-percent * found.runs // 100): percent for percent in reversed(_SHARES)}
    rows = tuple(
        (
            f"{runs:,} ({percent} %)" if runs < found.runs else f"all {runs:,}",
            str(int((found.runs * found.wrong >= runs - 0.5).sum())),
            str(len(found.candidates((runs - 0.5) / found.runs))),
        )
        for runs, percent in sorted(needed.items(), reverse=True)
        if runs
    )
    headers = ("at least so many of the runs", "give another class", "and give the same one")
    caption = (
        f"Test images that are disputed by {found.runs} runs of {found.experiments} experiments "
        f"with {found.networks} networks"
    )
    return Table(headers, rows, caption)


_SHARES = (100, 99, 95, 90, 50)
