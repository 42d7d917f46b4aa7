"""The box that opens a chapter: what a report's conclusion rests on, and whether it holds."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fmnist_utils.reports.claim import Claim
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
from fmnist_utils.verdicts.outcome import Outcome, Verdict

#: Where the record of all claims lies, seen from a chapter.
RECORD = "../record/claims.html"


_HEADERS = ("verdict", "claim, and the reported value on our interval")
_DRAWN = "◆ reported, ● our runs, ▬ their 95 % interval"


@dataclass(frozen=True)
class OnInterval(Stacked):
    """What a claim is about, with a link to its row in the record, and its value on our interval.

    Below stands in words what is drawn.
    """

    verdict: Verdict
    href: str

    def html(self) -> str:
        """Return the link, the drawing in the colour of the text, and the words."""
        words = html.escape(self.below)
        return (
            f'<a href="{html.escape(self.href)}">{html.escape(self.main)}</a>'
            f'{_drawing(self.verdict, words)}<small class="below">{words}</small>'
        )


def headlines(report: Report, statements: Iterable[Sequence[Verdict]]) -> Table:
    """Show statements one by one: the word, the claim with a link, its value on our interval.

    Parameters
    ----------
    report : Report
        Whose statements; its titles name the experiments.
    statements : iterable of sequence of Verdict
        The verdicts on the parts of each; the worst one is shown, and how many there are.

    Examples
    --------
    >>> judged = fu.verdicts.judge_accuracies(report, {experiment.id: runs})
    >>> print(fu.tables.headlines(report, [judged[:1]]).rows[0][1].below)
    reported 84.60 %, ours 84.52 ± 0.19 over 10 runs, 95 % interval 84.07 to 84.95
    """
    worst = [(worst_part(parts), different(parts)) for parts in statements]
    rows = tuple((verdict_badge(v), _on_interval(report, v, parts)) for v, parts in worst)
    return Table(_HEADERS, rows, _DRAWN)


def titled(report: Report, claim: Claim) -> Claim:
    """Name the experiments that a claim compares by their titles, for the reader.

    Parameters
    ----------
    report : Report
        Whose titles.
    claim : Claim
        The comparison; a claim about one model comes back as it is.
    """
    named, titles = {"of": claim.of, "than": claim.than}, report.trainable
    known = {key: titles[name].title for key, name in named.items() if name in titles}
    return claim.model_copy(update=known)


def different(parts: Iterable[Verdict]) -> int:
    """Count the parts of a statement; the same number in other digits is no other part."""
    about = ((v.experiment, v.claim.of, v.claim.than, v.claim.value) for v in parts)
    return len(set(about))


def worst_part(parts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on the part of a statement that decides whether it holds.

    Of parts that are equally bad one with a note, such as that a bound is kept by rounding.
    """
    return min(parts, key=lambda verdict: (_rank(verdict), not verdict.note))


def _rank(verdict: Verdict) -> int:
    """Rank a verdict as its column: of words that are counted alike none is worse."""
    return min(word.rank for word in Outcome if word.column is verdict.word.column)


def _on_interval(report: Report, verdict: Verdict, parts: int) -> OnInterval:
    """Return the cell of a statement, whose worst part is given, with how many parts it has."""
    claim, owner = verdict.claim, verdict.experiment
    name = claim_text(titled(report, claim))
    name += f" (the worst of {parts} parts)" if parts > 1 else ""
    return OnInterval(
        f"{experiment_title(report, owner)}: {name}" if owner else name,
        in_words(verdict),
        verdict,
        f"{RECORD}#{address(report, verdict)}",
    )


def address(report: Report, verdict: Verdict) -> str:
    """Return the address of a claim in the record.

    Parameters
    ----------
    report : Report
        Which states the claim.
    verdict : Verdict
        On that claim.
    """
    return "/".join(filter(None, (report.id, verdict.experiment, verdict.claim.id)))


def in_words(verdict: Verdict) -> str:
    """Say what is reported, and what our runs give, with its interval."""
    claim = verdict.claim
    ours = f"{'true of' if claim.about.share_of else 'ours'} {ours_text(verdict) or 'none'}"
    words = f"reported {reported_text(claim)}, {ours}"
    words += f" over {counted(verdict.runs, 'run')}" if verdict.sd is not None else ""
    interval = interval_text(verdict)
    return f"{words}, 95 % interval {interval}" if interval else words


#: Width and height of the drawing in its own units; it is stretched to its column.
_WIDTH, _HEIGHT = 300, 14


def _drawing(verdict: Verdict, words: str) -> str:
    """Draw interval, mean and reported value between two ends that are written out.

    Nothing is drawn of a claim that has no interval yet.
    """
    if verdict.low is None or verdict.high is None or verdict.mean is None:
        return ""
    share = bool(verdict.claim.about.share_of)
    scale = 100.0 if share else 1.0
    low, high, mean = (scale * value for value in (verdict.low, verdict.high, verdict.mean))
    # Of a share the report says only that it is large: the axis shows the whole of it. Of models
    # that are as good it says that they differ by nothing.
    claim = verdict.claim
    reported = None if share else 0.0 if claim.value is None else claim.number
    first, last = (0.0, 100.0) if reported is None else _ends(low, high, mean, reported)

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
        f'<svg role="img" aria-label="{words}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'style="flex:1;min-width:0">{axis}{marks}</svg>'
        f"<small>{last:g}</small></span>"
    )


def _ends(*values: float) -> tuple[float, float]:
    """Return round numbers around some values, which may all be the same."""
    low, high = min(values), max(values)
    if math.isclose(low, high):  # but for the last bits
        low, high = low - 0.5, high + 0.5
    step = 10.0 ** math.floor(math.log10(high - low))
    digits = max(0, round(-math.log10(step)))
    ends = math.floor(low / step) * step, math.ceil(high / step) * step
    return round(ends[0], digits), round(ends[1], digits)
