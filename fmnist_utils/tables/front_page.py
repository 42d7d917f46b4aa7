"""The front page: what all reports come to in one sentence, and each report's headline results."""

from __future__ import annotations

import html
import math
from collections import Counter
from dataclasses import dataclass

from fmnist_utils.reports.report import Report
from fmnist_utils.runs.store import STORE
from fmnist_utils.tables.headlines import address, in_words, titled, worst_part
from fmnist_utils.tables.table import Badge, Linked, Table
from fmnist_utils.text import (
    claim_text,
    experiment_title,
    listed,
    ours_text,
    percent_text,
    reported_text,
    spelled,
)
from fmnist_utils.verdicts.across_reports import every_report, every_statement
from fmnist_utils.verdicts.outcome import Column, StatementVerdict, Verdict


@dataclass(frozen=True)
class Sentence:
    """One sentence that opens a page."""

    text: str

    def __repr__(self) -> str:
        """Return the sentence."""
        return self.text

    def _repr_html_(self) -> str:
        return f'<p class="answer"><strong>{html.escape(self.text)}</strong></p>'


def result() -> Sentence:
    """Say in one sentence what became of all results that the reports state.

    Examples
    --------
    >>> fu.tables.result()
    Of the ... results that ... reports state, ... reproduce...
    """
    columns = Counter(found.column for _, found in every_statement(STORE))
    parts = [f"{n} {column.says[n > 1]}" for column in Column if (n := columns[column])]
    total, reports = sum(columns.values()), spelled(len(every_report()))
    return Sentence(f"Of the {total} results that {reports} reports state, {listed(parts)}.")


def answers() -> Table:
    """Draw the headline statements of all reports as one forest plot, each with its verdict.

    A number stands by how far our runs lie from it, in margins: one point of an accuracy, a tenth
    of a loss. A comparison or a bound stands by the share of our runs that it is true of.

    Examples
    --------
    >>> fu.tables.answers().headers
    ('claim', 'our runs', 'verdict')
    """
    rows = tuple(
        _answer(report, found) for report, found in every_statement(STORE) if found.is_headline
    )
    caption = (
        "What the reports rest on. ● Our runs minus the reported number, with the 95 % interval; "
        "in the shaded band a difference is too small to matter, and an arrow leads beyond "
        "three times its width. ■ Share of our runs for which a comparison is true, 0 to 100 %."
    )
    return Table(("claim", "our runs", "verdict"), rows, caption)


def _answer(report: Report, found: StatementVerdict) -> tuple[object, ...]:
    verdict = worst_part(found.parts)
    claim, owner = verdict.claim, verdict.experiment
    name = f"{report.short_name.partition(',')[0]}: "
    name += f"{experiment_title(report, owner)}, " if owner else ""
    name += claim_text(titled(report, claim))
    if claim.value is not None:
        name += f" {percent_text(claim) or reported_text(claim)}"
    href = f"record/claims.html#{address(report, verdict)}"
    name = name.replace(" %", "\N{NO-BREAK SPACE}%")
    return Linked(name, href), _Drawn(verdict), Badge(verdict.word)


@dataclass(frozen=True)
class _Drawn:
    """Our interval of a claim, drawn on an axis that all rows of the same kind share."""

    verdict: Verdict

    def __str__(self) -> str:
        """Return in words what is drawn."""
        return in_words(self.verdict)

    def html(self) -> str:
        """Return the drawing, named by the words; the words where nothing can be drawn."""
        found = _on_axis(self.verdict)
        if found is None:
            return f'<small class="below">{html.escape(ours_text(self.verdict))}</small>'
        drawn = (_share if self.verdict.claim.about.share_of else _distance)(*found)
        words = html.escape(str(self))
        return (
            f'<svg class="forest" role="img" aria-label="{words}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
            f"<title>{words}</title>{drawn}</svg>"
        )


#: Size of the drawing in its own units, and how many margins it shows to either side.
_WIDTH, _HEIGHT, _REACH = 140, 16, 3.0


def _on_axis(verdict: Verdict) -> tuple[float, float, float] | None:
    """Place interval and mean between the ends of the axis, which are -1 and 1.

    None where there is no interval yet, or no margin to measure a number in.
    """
    low, mean, high = verdict.low, verdict.mean, verdict.high
    if low is None or mean is None or high is None:
        return None
    if verdict.claim.about.share_of:
        return 2 * low - 1, 2 * mean - 1, 2 * high - 1
    test = verdict.test
    if test is None or not test.margin > 0:
        return None
    # Of models that are said to be as good, the number is a difference of nothing.
    low, mean, high = (float((x - test.value) / test.margin) / _REACH for x in (low, mean, high))
    return low, mean, high


def _x(place: float) -> float:
    return round(_WIDTH * (0.5 + 0.47 * max(-1.0, min(1.0, place))), 1)


def _distance(low: float, mean: float, high: float) -> str:
    """Draw how far runs lie from a number; an arrow stands for what lies beyond the axis."""
    y, band = _HEIGHT / 2, 1 / _REACH
    drawn = (
        f'<path d="M{_x(-band)} 0H{_x(band)}V{_HEIGHT}H{_x(-band)}Z" fill="currentColor" '
        f'opacity=".14"/>{_centre()}'
    )
    if abs(mean) > 1:
        x, back = _x(mean), math.copysign(8, mean)
        line = f"M{x - 2 * back} {y}H{x}M{x - back / 2} {y - 4}L{x} {y}L{x - back / 2} {y + 4}"
        return f'{drawn}<path d="{line}" fill="none" stroke="currentColor" stroke-width="2"/>'
    return f'{drawn}{_bar(low, high)}<circle cx="{_x(mean)}" cy="{y}" r="4" fill="currentColor"/>'


def _share(low: float, mean: float, high: float) -> str:
    """Draw a share of runs: at the centre a comparison is a toss-up."""
    square = f'<rect x="{_x(mean) - 3.5}" y="{_HEIGHT / 2 - 3.5}" width="7" height="7"'
    return f'{_centre()}{_bar(low, high)}{square} fill="currentColor"/>'


def _centre() -> str:
    x = _x(0)
    return f'<path d="M{x} 0V{_HEIGHT}" stroke="currentColor" stroke-dasharray="2 2"/>'


def _bar(low: float, high: float) -> str:
    line = f"M{_x(low)} {_HEIGHT / 2}H{_x(high)}"
    return f'<path d="{line}" stroke="currentColor" stroke-width="2"/>'
