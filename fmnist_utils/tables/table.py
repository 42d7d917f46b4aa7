"""A table and its cells, shown as HTML in a notebook and as aligned text elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.findings import Severity
from fmnist_utils.text import claim_text, interval_text, ours_text, reported_text
from fmnist_utils.verdicts.outcome import Verdict, Word

#: Class of the verdict badge in `_static/book.css`, and colours for where that file is missing.
_BADGES = {
    Word.REPRODUCED: ("reproduced", "#c8ecd0"),
    Word.CLOSE: ("close", "#e3eebb"),
    Word.IMPRECISE: ("imprecise", "#fdeab0"),
    Word.CONSISTENT: ("imprecise", "#fdeab0"),
    Word.NOT_REPRODUCED: ("not", "#f9cfc9"),
    Word.PENDING: ("pending", "#e2e2e2"),
    Word.EQUAL: ("equal", "#c8ecd0"),
    Word.FOLLOWED: ("followed", "#d4e4f7"),
    Word.DIFFERS: ("differs", "#f9cfc9"),
    Word.NOT_TESTED: ("pending", "#e2e2e2"),
}


#: Numbers, their units, what stands between two of them, and the words for none.
_NUMERIC = re.compile(r"([\d\s.,±≤≥%-]|to|points?|no runs yet)*")


@dataclass(frozen=True)
class Badge:
    """A verdict's word, coloured and in words."""

    word: Word
    note: str = ""

    def __str__(self) -> str:
        """Return the words alone."""
        return f"{self.word} ({self.note})" if self.note else str(self.word)

    def html(self) -> str:
        """Return the coloured badge, its note behind it."""
        return _coloured(self.word, self.word) + _below(self.note)


@dataclass(frozen=True)
class SeverityBadge:
    """How much a finding of the audit matters, coloured and in words."""

    severity: Severity

    def __str__(self) -> str:
        """Return the word alone."""
        return self.severity

    def html(self) -> str:
        """Return the coloured badge; the colours are those of the verdicts."""
        look = {"high": Word.NOT_REPRODUCED, "medium": Word.IMPRECISE, "low": Word.PENDING}
        return _coloured(self.severity, look[self.severity])


def _coloured(text: str, look: Word) -> str:
    """Write text on the colour of a verdict, also where the style sheet is missing."""
    name, colour = _BADGES[look]
    style = f"background:{colour};color:#111;padding:0 .4em;border-radius:.4em"
    return f'<span class="verdict {name}" style="{style}">{text}</span>'


def _below(text: str) -> str:
    """Write text in a line of its own, smaller; nothing for an empty one."""
    return f'<br><small class="below">{html.escape(text)}</small>' if text else ""


@dataclass(frozen=True)
class Stacked:
    """A cell of two lines: what it says, and smaller below it a place, a reason or an interval."""

    main: Any
    below: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.main} [{self.below}]" if self.below else str(self.main)

    def html(self) -> str:
        """Return the two lines."""
        return _html(self.main) + _below(self.below)


@dataclass(frozen=True)
class Scored:
    """A cell of a printed table: its number, and ours below it, coloured by the verdict."""

    verdict: Verdict

    def __str__(self) -> str:
        """Return both numbers and the word."""
        stated = reported_text(self.verdict.claim)
        return f"{stated} [{ours_text(self.verdict)}, {self.verdict.word}]"

    def html(self) -> str:
        """Return the printed number over ours; a word says what the colour does."""
        word = self.verdict.word
        ours = _coloured(html.escape(ours_text(self.verdict)), word)
        small = _below("" if word == Word.REPRODUCED else word)
        return f"{reported_text(self.verdict.claim)}<br>{ours}{small}"


def verdict_badge(verdict: Verdict) -> Badge:
    """Return a verdict's word with what the numbers beside it leave open."""
    return Badge(verdict.word, verdict.note)


def placed_claim(claim: Claim) -> Stacked:
    """Name a claim, and below it where it stands."""
    return Stacked(claim_text(claim), claim.where)


def ours_cell(verdict: Verdict) -> Stacked:
    """Write what we found, and below it its interval."""
    return Stacked(ours_text(verdict), interval_text(verdict))


@dataclass(frozen=True)
class Table:
    """Rows under headers; shown as HTML in a notebook and as aligned text elsewhere.

    Numbers arrive formatted; a column that holds nothing else is set flush right.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""

    def _flush_right(self) -> list[bool]:
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.headers)
        return [
            any(str(cell) for cell in column)
            and all(_NUMERIC.fullmatch(str(cell)) for cell in column)
            for column in columns
        ]

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        lines = [self.headers, *([str(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headers))]
        right = self._flush_right()

        def line(cells: Sequence[str]) -> str:
            parts = [
                cell.rjust(width) if flush else cell.ljust(width)
                for cell, width, flush in zip(cells, widths, right, strict=True)
            ]
            return "  ".join(parts).rstrip()

        rule = "  ".join("-" * width for width in widths)
        return "\n".join([line(lines[0]), rule, *map(line, lines[1:])])

    def _repr_html_(self) -> str:
        right = self._flush_right()

        def cells(tag: str, values: Iterable[Any]) -> str:
            return "".join(
                f'<{tag} style="text-align:{"right" if flush else "left"}">{_html(value)}</{tag}>'
                for value, flush in zip(values, right, strict=True)
            )

        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        return (
            '<div class="fmnist-table" style="overflow-x:auto">\n<table>\n'
            f"{caption}<thead><tr>{cells('th', self.headers)}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
        )


def _html(value: Any) -> str:
    drawn = isinstance(value, Badge | SeverityBadge | Stacked | Scored)
    # A long name such as categorical_crossentropy may break where it has an underscore.
    return value.html() if drawn else html.escape(str(value)).replace("_", "_<wbr>")
