"""What Sphinx needs of ours: the style of the bibliography, and no texts of fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pybtex.database import Entry, Person
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as Unsorted
from pybtex.style.labels import BaseLabelStyle


class AuthorYearLabels(BaseLabelStyle):  # type: ignore[misc]
    """Labels such as "Xiao et al., 2017", which ``bibtex_reference_style: author_year`` writes."""

    def format_labels(self, sorted_entries: Sequence[Entry]) -> Iterator[str]:
        """Give one label to each entry."""
        for entry in sorted_entries:
            yield f"{_names(entry.persons['author'])}, {entry.fields['year']}"


def _names(people: Sequence[Person]) -> str:
    """Name one or two authors, or the first of several."""
    last = [str(person.rich_last_names[0]) for person in people]
    return f"{last[0]} et al." if len(last) > 2 else " and ".join(last)


class AuthorYear(Unsorted):  # type: ignore[misc]
    """Entries in the order of their authors, with these labels."""

    default_sorting_style = "author_year_title"
    default_label_style = AuthorYearLabels


def _is_alias(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a named tuple: their own text is "Alias for field number 0"."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app: Any) -> dict[str, bool]:
    """Name the style ``author_year``; Sphinx calls this."""
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    app.connect("autodoc-skip-member", _is_alias)
    return {"parallel_read_safe": True}
