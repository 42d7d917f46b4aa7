"""The box that opens a chapter: what a report's conclusion rests on, and whether it holds."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass

from fmnist_utils.reports.report import Report
from fmnist_utils.tables.table import Stacked, Table, verdict_badge
from fmnist_utils.text import (
    claim_text,
    counted,
    experiment_title,
    interval_text,
    ours_text,
    reported_text,
)
from fmnist_utils.verdicts.outcome import Verdict

#: Where the record of all claims lies, seen from a chapter.
RECORD = "../record/claims.html"


@dataclass(frozen=True)
class LinkedCell(Stacked):
    """What a claim is about, with a link to its row in the record."""

    href: str

    def html(self) -> str:
        """Return the link, and below it whose claim it is."""
        below = f'<br><small class="below">{html.escape(self.below)}</small>' if self.below else ""
        return f'<a href="{html.escape(self.href)}">{html.escape(self.main)}</a>{below}'


@dataclass(frozen=True)
class OnInterval(Stacked):
    """The reported value drawn on our interval, and both in words below."""

    verdict: Verdict

    def html(self) -> str:
        """Return the drawing in the colour of the text, which dark mode changes, and the words."""
        words = f"{self.main} [{self.below}]" if self.below else self.main
        return f'{_drawing(self.verdict, words)}<small class="below">{html.escape(words)}</small>'


def headlines(report: Report, verdicts: Iterable[Verdict]) -> Table:
    """Show verdicts one by one: the word, the claim with a link, its value on our interval.

    Parameters
    ----------
    report : Report
        Whose claims; its titles name the experiments.
    verdicts : iterable of Verdict

    Examples
    --------
    >>> judged = fu.verdicts.judge_accuracies(report, {experiment.id: runs})
    >>> print(fu.tables.headlines(report, judged[:1]).rows[0][2])
    reported 84.60 %, ours 84.52 ± 0.19 over 10 runs [84.07 to 84.96]
    """
    rows = tuple((verdict_badge(v), _named(report, v), _on_interval(v)) for v in verdicts)
    drawn = "◆ reported, ● mean of our runs, ▬ where 95 % of further runs would lie"
    return Table(("verdict", "claim", "reported value on our interval"), rows, drawn)


def _named(report: Report, verdict: Verdict) -> LinkedCell:
    """Name a claim by the titles of its experiments; it has the address of its row."""
    claim, owner = verdict.claim, verdict.experiment
    titles = {
        key: experiment_title(report, name)
        for key, name in (("of", claim.of), ("than", claim.than))
        if name in report.experiments
    }
    path = "/".join(filter(None, (report.id, owner, claim.id)))
    name = claim_text(claim.model_copy(update=titles))
    below = experiment_title(report, owner) if owner else ""
    return LinkedCell(name, below, f"{RECORD}#{path}")


def _on_interval(verdict: Verdict) -> OnInterval:
    over = f" over {counted(verdict.runs, 'run')}" if verdict.sd is not None else ""
    words = f"reported {reported_text(verdict.claim)}, ours {ours_text(verdict) or 'none'}{over}"
    return OnInterval(words, interval_text(verdict), verdict)


#: Width and height of the drawing in its own units; it is stretched to its column.
_WIDTH, _HEIGHT = 200, 14


def _drawing(verdict: Verdict, words: str) -> str:
    """Draw interval, mean and reported value between two ends that are written out.

    Nothing is drawn of a claim that has no interval yet.
    """
    if verdict.low is None or verdict.high is None or verdict.mean is None:
        return ""
    share = bool(verdict.claim.about.share_of)
    scale = 100.0 if share else 1.0
    low, high, mean = (scale * value for value in (verdict.low, verdict.high, verdict.mean))
    # Of a share the report says only that it is large: the axis shows the whole of it.
    reported = None if share else verdict.claim.number
    first, last = (0.0, 100.0) if share else _ends(low, high, mean, verdict.claim.number)

    def x(value: float) -> float:
        return round(6 + (_WIDTH - 12) * (value - first) / (last - first), 1)

    y = _HEIGHT / 2
    marks = f'<path d="M{x(low)} {y}H{x(high)}" stroke="currentColor" stroke-width="3"/>'
    marks += f'<circle cx="{x(mean)}" cy="{y}" r="4" fill="currentColor"/>'
    if reported is not None:
        at = x(reported)
        marks += (
            f'<path d="M{at - 5} {y}L{at} {y - 5}L{at + 5} {y}L{at} {y + 5}Z" '
            'fill="none" stroke="currentColor" stroke-width="1.6"/>'
        )
    axis = f'<path d="M6 {y}H{_WIDTH - 6}" stroke="currentColor" stroke-width=".4"/>'
    return (
        '<span class="on-interval" style="display:flex;align-items:center;gap:.3em">'
        f"<small>{first:g}</small>"
        f'<svg role="img" aria-label="{html.escape(words)}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'style="flex:1;min-width:0">{axis}{marks}</svg>'
        f"<small>{last:g}</small></span>"
    )


def _ends(*values: float) -> tuple[float, float]:
    """Return round numbers around some values."""
    span = max(values) - min(values)
    step = 10.0 ** math.floor(math.log10(span)) if span else 1.0
    digits = max(0, round(-math.log10(step)))
    ends = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    return round(ends[0], digits), round(ends[1], digits)
