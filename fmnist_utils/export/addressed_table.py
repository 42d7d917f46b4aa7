"""A table of the record as HTML: every row has an address, and says what filters choose it by."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One row of a page: its address, what the filters choose by, and its cells.

    A cell is HTML, or a pair of HTML and what it is sorted by.
    """

    address: str
    keys: Mapping[str, str]
    cells: tuple[Any, ...]


def grid(name: str, caption: str, headers: Sequence[str], entries: Iterable[Entry]) -> str:
    """Write a table whose rows have addresses; `_static/record.js` filters, sorts and pages it.

    The second column names the row: the first holds what a phone must show first.

    Parameters
    ----------
    name : str
        Id of the table, seen from scripts and style sheets.
    caption : str
        What stands above it, as text.
    headers : sequence of str
        One for each column.
    entries : iterable of Entry
        The rows; all have the keys of the first.
    """
    entries = list(entries)
    filters = " ".join(entries[0].keys) if entries else ""
    rows = "\n".join(_row(entry, headers) for entry in entries)
    head = "".join(f'<th scope="col">{header}</th>' for header in headers)
    return (
        f'<div class="record-table"><table class="record" id="{name}" data-filters="{filters}">\n'
        f"<caption>{html.escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table></div>\n"
    )


def _row(entry: Entry, headers: Sequence[str]) -> str:
    cells, address = [], html.escape(entry.address)
    for i, (cell, header) in enumerate(zip(entry.cells, headers, strict=True)):
        text, order = cell if isinstance(cell, tuple) else (cell, None)
        by = "" if order is None else f' data-order="{order}"'
        if i == 1:
            name, small, below = text.partition("<small>")
            link = '<span class="tools"><a class="address" aria-label="Address" '
            link += f'href="#{address}"></a></span>'
            cells.append(f'<th scope="row">{name} {link}{small}{below}</th>')
        elif text:
            cells.append(f'<td data-label="{header}"{by}>{text}</td>')
        else:
            cells.append(f"<td{by}></td>")
    keys = "".join(f' data-{key}="{value}"' for key, value in entry.keys.items())
    return f'<tr id="{address}"{keys}>{"".join(cells)}</tr>'
