"""Write the skeleton of a new report into a checkout."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fmnist_utils.book import links
from fmnist_utils.book.notebooks import dump
from fmnist_utils.errors import FmnistError
from fmnist_utils.records import check_slug, write_atomically
from fmnist_utils.reports import load

_TEMPLATES = Path(__file__).parent


class NewReportError(FmnistError):
    """A report that cannot be begun, or checked, here."""


def checkout() -> Path:
    """Return the folder of the repository that this package is installed from.

    Raises
    ------
    NewReportError
        When the package is installed without its repository, as Colab does.
    """
    folder = load.reports_folder().parents[1]
    if not ((folder / "_toc.yml").is_file() and (folder / "chapters").is_dir()):
        raise NewReportError(
            f"The package in {folder} is no checkout, so that a report has no place in it: clone "
            "the repository and install it from there with pip install -e."
        )
    return folder


def checked_id(report_id: str) -> str:
    """Return a report's id; one that cannot be any is an error."""
    try:
        return check_slug(report_id)
    except ValueError as error:
        raise NewReportError(f"{error}.") from error


def chapter_of(report_id: str) -> Path:
    """Return where a report's chapter stands."""
    return checkout() / "chapters" / f"{report_id}.ipynb"


def write_skeleton(report_id: str) -> list[Path]:
    """Begin a report: its data and its chapter, which the table of contents then lists.

    Parameters
    ----------
    report_id : str
        Small letters, digits and hyphens: the name of a folder and of a page.

    Returns
    -------
    list of pathlib.Path
        The two new files.

    Raises
    ------
    NewReportError
        When the id is none, there is such a report or page, or this is no checkout.
    """
    checked_id(report_id)
    report = load.reports_folder() / report_id / "report.yaml"
    toc, chapter = checkout() / "_toc.yml", chapter_of(report_id)
    for path in (report.parent, chapter):
        if path.exists():
            raise NewReportError(f"{path} exists already: choose another id.")
    listed = _with_chapter(toc.read_text(encoding="utf-8"), report_id)
    url, branch = links.repository(checkout()).values()
    words = {
        "REPORT": report_id,
        "BADGE": links.badge_link(url, branch, chapter.relative_to(checkout())),
        "INSTALL": links.install_address(url, branch),
    }
    data, page = (_filled(f"template.{end}", words) for end in ("yaml", "ipynb"))
    write_atomically(report, data.encode())
    write_atomically(chapter, dump(json.loads(page)))
    write_atomically(toc, listed.encode())
    load.load_report.cache_clear()
    return [report, chapter]


def _filled(name: str, words: dict[str, str]) -> str:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    return re.sub(rf"\b({'|'.join(words)})\b", lambda found: words[found[1]], text)


def _with_chapter(toc: str, report_id: str) -> str:
    """List a chapter after that of the last report, in a text that keeps its form."""
    known = "|".join(map(re.escape, load.list_reports()))
    *_, last = (None, *re.finditer(rf"(?m)^( *- file: chapters/)(?:{known})\n", toc))
    if last is None:
        raise NewReportError("_toc.yml lists no report's chapter: restore it from version control.")
    return f"{toc[: last.end()]}{last[1]}{report_id}\n{toc[last.end() :]}"
