"""All reports side by side."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from fmnist_utils.plots.forest import to_axis
from fmnist_utils.plots.labels import legend, mark_zero, row_figure, shade
from fmnist_utils.plots.style import SPLIT_WORDS, note
from fmnist_utils.reports.quantities import QUANTITIES
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.verdicts.across_reports import accuracy_verdicts
from fmnist_utils.verdicts.outcome import Verdict, Word


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
