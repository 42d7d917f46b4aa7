"""All reports side by side."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from fmnist_utils.models.build import parameter_totals
from fmnist_utils.plots.forest import to_axis
from fmnist_utils.plots.labels import legend, mark_zero, marks, row_figure, shade
from fmnist_utils.plots.style import GREY, SPLIT_WORDS, figure, note, series
from fmnist_utils.reports.quantities import QUANTITIES
from fmnist_utils.runs.record import accuracies
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.verdicts.across_reports import accuracy_verdicts
from fmnist_utils.verdicts.across_reports import models as models_of_all_reports
from fmnist_utils.verdicts.outcome import Verdict, Word

#: Fewer training images than this are a part of the data set: of all 60,000 no report holds out
#: as many as a third.
_WHOLE = 40_000


def deviations(store: RunStore = STORE) -> Figure:
    """Draw how far our mean lies from each reported accuracy, a row for each report and split.

    One mark for each model that has three runs or more; colour and shape are the verdict's.
    """
    rows: dict[str, list[Verdict]] = {}
    for report, verdict in accuracy_verdicts(store):
        if verdict.word != Word.PENDING:
            name = f"{report.short_name}\n{SPLIT_WORDS[verdict.claim.split or 'test']}"
            rows.setdefault(name, []).append(verdict)
    if not rows:
        return note("No accuracy with at least three runs to hold it against yet.")
    with row_figure(list(rows), room=1.8, width=4.8) as (fig, ax):
        mark_zero(ax, QUANTITIES["accuracy"].margin)
        for y, verdicts in enumerate(rows.values()):
            for i, verdict in enumerate(sorted(verdicts, key=_distance)):
                ax.plot(_distance(verdict), y + 0.16 * (i % 3 - 1), **_mark(verdict.word))
        ax.set_xlabel("ours − reported\n(percentage points)")
        words = dict.fromkeys(verdict.word for found in rows.values() for verdict in found)
        looks: dict[str, Any] = {word: _mark(word) for word in Word if word in words}
        legend(fig, looks | {"within the margin": shade()}, columns=2)
    return fig


def _distance(verdict: Verdict) -> float:
    """Return our mean minus the reported value in percentage points."""
    assert verdict.mean is not None
    return to_axis(verdict.claim) * (verdict.mean - verdict.claim.number)


def _mark(word: Word) -> dict[str, Any]:
    """Return the looks of a verdict's mark, in the figure and in its legend."""
    return {**word.look.mark, "linestyle": "none", "markeredgewidth": 1.5}


def size_and_accuracy(store: RunStore = STORE) -> Figure:
    """Draw the test accuracy of every model against its number of parameters.

    Accuracy is that after the last epoch, mean and standard deviation over the runs. Models that
    learned from a part of the training images are hollow.
    """
    models = list(models_of_all_reports(store))
    if not models:
        return note("There is no model with at least three runs yet.")
    names = list(dict.fromkeys(model.report.short_name for model in models))
    with figure(height=5) as (fig, ax):
        for model in models:
            scores = accuracies(model.runs, "test")
            color, marker = series(names.index(model.report.short_name))
            size = parameter_totals(model.experiment.build())["total_params"]
            part = model.runs[0].images["train"] < _WHOLE
            ax.errorbar(
                size, scores.mean(), scores.std(ddof=1),
                color=color, marker=marker, markersize=7, capsize=2, linewidth=1,
                markerfacecolor="white" if part else color,
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_xlabel("parameters")
        ax.set_ylabel("test accuracy (%)")
        looks = {name: marks(series(i)[1], color=series(i)[0]) for i, name in enumerate(names)}
        looks["fewer images"] = marks("o", color=GREY, markerfacecolor="white")
        legend(fig, looks, columns=2)
    return fig
