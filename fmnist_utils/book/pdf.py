"""Print the built site as one PDF, with the browser that readers print with."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from fmnist_utils.book.notebooks import BookError
from fmnist_utils.book.stage import pages

#: Names of the browser, in the order in which they are tried.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser() -> str | None:
    """Return where Chromium is on this machine; None without one."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def print_book(root: Path) -> Path:
    """Print all pages, in the order of the contents, as ``_build/book.pdf``.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the book, which has been built.

    Returns
    -------
    pathlib.Path
        The PDF.

    Raises
    ------
    BookError
        When the site is not built, a tool is missing, or printing fails.
    """
    site = root / "_build/html"
    names = [page.relative_to(root).with_suffix(".html") for page in pages(root)]
    if not all((site / name).is_file() for name in names):
        raise BookError("There is no whole site to print: run make book first.")
    program = browser()
    if program is None:
        raise BookError("No PDF: there is no Chromium on this machine.")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise BookError("No PDF: pip install fmnist-utils[site] brings playwright.") from error
    whole, pdf = site / "whole.html", root / "_build/book.pdf"
    try:
        whole.write_text(one_page(site, names), encoding="utf-8")
        with sync_playwright() as tool:
            chromium = tool.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = chromium.new_page(color_scheme="light")
            page.goto(whole.as_uri(), wait_until="load", timeout=0)
            page.pdf(path=pdf, prefer_css_page_size=True, outline=True, tagged=True)
            chromium.close()
    except (Error, OSError) as error:
        why = str(error).partition("\n")[0].rstrip(". ")
        raise BookError(f"{pdf} cannot be printed with {program} ({why}): mend that.") from error
    finally:
        whole.unlink(missing_ok=True)
    return pdf


def one_page(site: Path, names: list[Path]) -> str:
    """Put the articles of pages one after another, links between them leading within the whole.

    Parameters
    ----------
    site : pathlib.Path
        The built site.
    names : list of pathlib.Path
        Its pages, the front page first: its head serves the whole.
    """
    front = BeautifulSoup((site / names[0]).read_text(encoding="utf-8"), "html.parser")
    articles = [_article(site, name, names) for name in names]
    if front.body is None or front.html is None:
        raise BookError("The front page is empty: run make book again.")
    front.html["data-theme"] = front.html["data-mode"] = "light"
    for script in front("script"):
        script.decompose()
    front.body.clear()
    holder = front.new_tag("div", attrs={"class": "bd-content"})
    holder.extend(articles)
    front.body.append(holder)
    return str(front)


def _article(site: Path, name: Path, names: list[Path]) -> Tag:
    """Return a page's article with addresses that are its own in the whole."""
    soup = BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")
    article = soup.find("article")
    if not isinstance(article, Tag):
        raise BookError(f"{name} has no article: run make book again.")
    for part in article.find_all(id=True):
        part["id"] = _within(name, str(part["id"]))
    for fold in article("details"):
        fold["open"] = ""
    article["id"], article["style"] = _within(name), "break-before: page"
    for element in article.find_all(["a", "img"]):
        kind = "href" if element.name == "a" else "src"
        address, _, anchor = str(element.get(kind, "")).partition("#")
        if re.match(r"\w+:", address):
            continue
        target = name if not address else Path(os.path.normpath(name.parent / address))
        element[kind] = f"#{_within(target, anchor)}" if target in names else target.as_posix()
        element.attrs.pop("loading", None)
    return article


def _within(name: Path, anchor: str = "") -> str:
    return f"{name.with_suffix('').as_posix().replace('/', '-')}--{anchor}".removesuffix("--")


if __name__ == "__main__":
    try:
        print(f"The PDF is {print_book(Path.cwd()).relative_to(Path.cwd())}")
    except BookError as error:
        # Without its tools a book is still a book: `make pdf` says so and goes on.
        print(error, file=sys.stderr)
        sys.exit(0 if str(error).startswith("No PDF") else 2)
