"""The networks of all reports under one protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.models.cost import multiply_adds
from fmnist_utils.runs.pairing import difference
from fmnist_utils.runs.record import Run, accuracies
from fmnist_utils.runs.status import ranges
from fmnist_utils.stats import mean_half_width, reliability, variance_components
from fmnist_utils.tables.table import Stacked, Table
from fmnist_utils.verdicts.across_reports import (
    Model,
    answers_of,
    highest_reported,
    network_name,
)
from fmnist_utils.verdicts.disputed import tested_on


def networks(found: Sequence[Model]) -> Table:
    """Show accuracy and arithmetic of each network, the most accurate first.

    The interval is that of the mean (Student's t). The last column has the numbers of the networks
    from which its mean cannot be told apart: Welch's 95 % interval of the difference contains zero.
    The time is the median of the trainings', on the machine that stands below it.

    Parameters
    ----------
    found : sequence of Model
        See `verdicts.one_protocol`.

    Examples
    --------
    >>> fu.tables.networks(fu.verdicts.one_protocol()).headers[:2]
    ('no.', 'network')
    """
    rows, alike = [], [_not_apart(found, i) for i in range(len(found))]
    for i, model in enumerate(found):
        scores = accuracies(model.runs, "test", "best")
        built = model.experiment.build()
        rows.append((
            str(i + 1),
            Stacked(network_name(model), model.report.short_name),
            Stacked(f"{scores.mean():.2f} ± {mean_half_width(scores):.2f}", f"{len(scores)} seeds"),
            f"{np.mean([run.best.epoch for run in model.runs]):.0f}",
            f"{built.count_params():,}",
            f"{multiply_adds(built) / 1e6:,.2f}",
            _time(model.runs),
            ranges(alike[i]),
        ))  # fmt: skip
    headers = ("no.", "network", "test accuracy (%)", "best epoch", "parameters",
               "multiply–adds (millions)", "training (s)", "not told apart from")  # fmt: skip
    pairs = sum(map(len, alike)) // 2
    caption = (
        f"{len(rows)} networks under one protocol; {pairs} of {math.comb(len(rows), 2)} pairs "
        "cannot be told apart"
    )
    return Table(headers, tuple(rows), caption)


def _time(runs: Sequence[Run]) -> Stacked:
    """Return the median seconds of trainings, and on what they ran."""
    seconds = np.median([math.fsum(run.seconds_per_epoch) for run in runs])
    return Stacked(f"{seconds:.0f}", ", ".join(sorted({run.provenance.device for run in runs})))


def _not_apart(found: Sequence[Model], i: int) -> list[int]:
    """Return the numbers of networks, from 1, whose means cannot be told from that of one."""
    return [j + 1 for j, other in enumerate(found) if j != i and not _apart(found[i], other)]


def _apart(one: Model, other: Model) -> bool:
    found = difference(one.runs, other.runs, "test", "best")
    return found is not None and not found[1] <= 0 <= found[2]


def network_orders(found: Sequence[Model]) -> Table:
    """Show the networks in the order of the reports' own numbers, beside the order measured.

    A report's number is the highest accuracy that it states of the network, on test images, or on
    validation images where it states none on test images. Networks without any are left out.

    Parameters
    ----------
    found : sequence of Model
        See `verdicts.one_protocol`.

    Examples
    --------
    >>> fu.tables.network_orders(fu.verdicts.one_protocol()).headers[0]
    'network'
    """
    stated = [(model, highest) for model in found if (highest := highest_reported(model))]
    reported = [highest.value for _, highest in stated]
    ours = [float(accuracies(model.runs, "test", "best").mean()) for model, _ in stated]
    rows = [
        (
            highest.value,
            (
                Stacked(network_name(model), model.report.short_name),
                Stacked(f"{highest.value:.2f}", f"{highest.split} images"),
                str(1 + sum(other > highest.value for other in reported)),
                f"{mean:.2f}", str(1 + sum(other > mean for other in ours)),
            ),
        )
        for (model, highest), mean in zip(stated, ours, strict=True)
    ]  # fmt: skip
    rows.sort(key=lambda row: -row[0])
    headers = ("network", "reported (%)", "place", "ours, one protocol (%)", "place")
    caption = f"{len(rows)} networks, in the order of the reports' own numbers"
    return Table(headers, tuple(row for _, row in rows), caption)


def settings_worth(tried: Mapping[str, Mapping[str, Sequence[float]]]) -> Table:
    """Show how much a choice of each setting changes, beside how much the seed does.

    Standard deviations are those of a one-way analysis of variance, see
    `stats.variance_components`; the share is that of the choice in the sum of both variances.

    Parameters
    ----------
    tried : mapping of str to mapping of str to sequence of float, shape (runs,)
        Setting to the choices tried, each with the accuracies, in percent, of its runs.

    Examples
    --------
    >>> tried = {"epochs": {"10": [90.1, 90.3], "50": [91.0, 91.4]}}
    >>> print(fu.tables.settings_worth(tried).rows[0][0])
    epochs [10, 50]
    """
    rows = []
    for name, choices in tried.items():
        means = [f"{np.mean(scores):.2f}" for scores in choices.values()]
        found = variance_components(list(choices.values()))
        share = [f"{100 * value:.0f}" for value in (found.share, found.low, found.high)]
        rows.append((
            Stacked(name, ", ".join(choices)),
            ", ".join(means),
            f"{found.between:.2f}",
            f"{found.within:.2f}",
            f"{share[0]} [{share[1]} to {share[2]}]",
        ))  # fmt: skip
    headers = ("setting", "mean test accuracy (%)", "sd of the choice (points)",
               "sd of the seed (points)", "share of the choice (%), 95 % interval")  # fmt: skip
    return Table(headers, tuple(rows), "What a choice of a setting changes, and what the seed does")


def calibration(found: Sequence[Model], data: FashionMNIST) -> Table:
    """Show how sure each network is of its predictions on test images, and how often it is right.

    The expected calibration error is the mean over the seeds, of ten bins.

    Parameters
    ----------
    found : sequence of Model
        See `verdicts.one_protocol`.
    data : FashionMNIST
        The real images: no run was tested on others.

    Examples
    --------
    >>> fu.tables.calibration(fu.verdicts.one_protocol(), data).rows  # synthetic images
    ()
    """
    rows = []
    for model in found if tested_on(data) else ():
        each = [answers_of(run, data.test_labels) for run in model.runs]
        sure = np.mean([confidences for confidences, _ in each])
        right = accuracies(model.runs, "test", "best").mean()
        error = np.mean([reliability(*answers).error for answers in each])
        name = Stacked(network_name(model), model.report.short_name)
        rows.append((name, f"{100 * sure:.1f}", f"{right:.1f}", f"{100 * error:.1f}"))
    headers = ("network", "mean confidence (%)", "accuracy (%)", "calibration error (points)")
    return Table(headers, tuple(rows), "Confidence and accuracy on the test images")
