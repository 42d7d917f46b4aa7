"""A table and its cells, shown as HTML in a notebook and as aligned text elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import rich.table
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.report import Severity
from fmnist_utils.text import claim_text, interval_text, ours_text
from fmnist_utils.verdicts.outcome import Outcome, Verdict

#: Numbers, their units, what stands between two of them, and the words for none.
_NUMERIC = re.compile(r"([\d\s.,±≤≥%-]|to|points?|no runs yet)*")


@dataclass(frozen=True)
class Badge:
    """A verdict's word in its colour, with its note; or other words in that colour."""

    word: Outcome
    note: str = ""
    text: str = ""

    def __str__(self) -> str:
        """Return the words alone."""
        return f"{self.text or self.word}{f' ({self.note})' if self.note else ''}"

    def html(self) -> str:
        """Return the badge, coloured also where the style sheet is missing; the note is below."""
        look = self.word.look
        style = f"background:{look.shade};color:#111;padding:0 .4em;border-radius:.4em"
        text = self.text or f'<span aria-hidden="true">{look.mark}</span>&nbsp;{self.word}'
        badge = f'<span class="verdict {self.word.badge}" style="{style}">{text}</span>'
        return badge + _below(self.note)


def severity_badge(severity: Severity) -> Badge:
    """Return how much a finding of the audit matters."""
    alike = {"high": Outcome.NOT_REPRODUCED, "medium": Outcome.IMPRECISE, "low": Outcome.PENDING}
    return Badge(alike[severity], text=severity)


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


class Linked(str):
    """A cell's text that leads to a page of the book."""

    href: str

    def __new__(cls, text: str, href: str) -> Self:
        """Make the text, which is all of it where no page is."""
        linked = super().__new__(cls, text)
        linked.href = href
        return linked

    def html(self) -> str:
        """Return the link."""
        return f'<a href="{html.escape(self.href)}">{html.escape(self)}</a>'


def verdict_badge(verdict: Verdict) -> Badge:
    """Return a verdict's word with what the numbers beside it leave open."""
    return Badge(verdict.word, verdict.note)


def placed_claim(claim: Claim) -> Stacked:
    """Name a claim, and below it where it stands."""
    return Stacked(claim_text(claim), claim.place)


def ours_cell(verdict: Verdict) -> Stacked:
    """Write what we found, and below it its interval."""
    return Stacked(ours_text(verdict), interval_text(verdict))


@dataclass(frozen=True)
class Table:
    """Rows under headers: HTML in a notebook, coloured by rich, aligned text elsewhere.

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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print the table in a terminal; rich must not read markup into what a report states."""
        title = Text(f"\n{self.caption}", "bold")
        table = rich.table.Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for header, flush in zip(self.headers, self._flush_right(), strict=True):
            # An id that an ellipsis cuts short names nothing.
            table.add_column(Text(header), justify="right" if flush else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*map(_printed, row))
        yield table

    def _repr_html_(self) -> str:
        right = self._flush_right()
        heads = "".join(
            f'<th scope="col" {_aligned(flush)}>{_html(header)}</th>'
            for header, flush in zip(self.headers, right, strict=True)
        )
        judged = [
            any(isinstance(cell, Badge) for cell in column)
            for column in zip(*self.rows, strict=True)
        ]
        body = "\n".join(f"<tr>{_row(row, right, judged)}</tr>" for row in self.rows)
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        return (
            '<div class="fmnist-table" style="overflow-x:auto">\n<table>\n'
            f"{caption}<thead><tr>{heads}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
        )


def _row(cells: Sequence[Any], right: Sequence[bool], judged: Sequence[bool]) -> str:
    """Write a row: the first cell names it, and a verdict stays in sight where a table is wide.

    Where a verdict stands first, the words beside it name the row; numbers name none.
    """
    written = []
    name = int(isinstance(cells[0], Badge) and len(cells) > 1 and not right[1])
    for i, (cell, flush) in enumerate(zip(cells, right, strict=True)):
        if i == name:
            written.append(f'<th scope="row" {_aligned(flush)}>{_html(cell)}</th>')
        else:
            kind = ' class="verdict-cell"' if i and judged[i] else ""
            written.append(f"<td{kind} {_aligned(flush)}>{_html(cell)}</td>")
    return "".join(written)


def _aligned(right: bool) -> str:
    return f'style="text-align:{"right" if right else "left"}"'


def _printed(cell: Any) -> Text:
    """Write a cell for the terminal, on the colour of its verdict if it has one."""
    word = getattr(cell, "word", None)
    return Text(str(cell), f"#111111 on {word.look.shade}" if word else "")


def _html(value: Any) -> str:
    # A long name such as categorical_crossentropy may break where it has an underscore.
    return (
        value.html() if hasattr(value, "html") else html.escape(str(value)).replace("_", "_<wbr>")
    )
