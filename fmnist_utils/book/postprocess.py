"""Finish a rendered site: mend what the theme leaves, lighten pages, and make them searchable."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString
from PIL import Image

from fmnist_utils.book.notebooks import BookError

#: Pixels of a figure to one of the page: figures are drawn with 144 dots an inch.
_DENSITY = 1.5
#: What the theme brings and no page of ours uses: its search, icons drawn by a script, and a
#: description of this site for other programs.
_UNUSED = (
    "search.html", "searchindex.js", "_static/searchtools.js", "_static/language_data.js",
    "_static/scripts/fontawesome.js", "_static/webpack-macros.html",
    "_static/sbt-webpack-macros.html",
)  # fmt: skip
_SCRIPTS = re.compile(r"fontawesome|searchtools|language_data|searchindex")
_BADGE = "colab-badge.svg"
_PERCENT = re.compile(r"(?<=\d)\s%")
#: Elements that load what they name; links are followed by a reader only.
_LOADING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


def postprocess(site: Path) -> None:
    """Finish every page of a rendered site in place, and add its search index.

    Parameters
    ----------
    site : pathlib.Path
        The folder that Sphinx has written.

    Raises
    ------
    BookError
        When a page would load something from another host, or a search index cannot be made.
    """
    for page in html_pages(site):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        _Page(soup, page, site).postprocess()
        page.write_text(str(soup), encoding="utf-8")
    for name in _UNUSED:
        path = site / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in site.rglob("*.js.map"):
        path.unlink()
    make_searchable(site)


def html_pages(site: Path) -> list[Path]:
    """List the pages of a site that readers see, without the search page of the theme."""
    found = sorted(site.rglob("*.html"))
    return [path for path in found if "_static" not in path.parts and path.name != "search.html"]


class _Page:
    """One page as a tree, which each method changes for one reason."""

    def __init__(self, soup: BeautifulSoup, path: Path, site: Path) -> None:
        self.soup, self.path, self.site = soup, path, site
        self.up = "../" * (len(path.relative_to(site).parts) - 1)

    def postprocess(self) -> None:
        self._head()
        self._icons()
        self._names_and_roles()
        self._cells()
        self._tables()
        self._units()
        self._images()
        self._print_source()
        self._refuse_other_hosts()

    def _head(self) -> None:
        """Say what the page is, once; leave out scripts that nothing here needs."""
        head = self.soup.head
        if head is None:
            raise BookError(f"{self.path.name} has no head: run the same command again.")
        for script in self.soup("script", src=_SCRIPTS) + head("link", rel="search"):
            script.decompose()
        for meta in head("meta", attrs={"name": "viewport"})[1:]:
            meta.decompose()
        if head.title is not None and head.title.string:
            own, _, book = head.title.string.partition(" — ")
            head.title.string = own if own == book else head.title.string
        texts = self.soup.select("article p:not(.caption, .rubric, .admonition-title)")
        text = next(filter(None, (" ".join(part.get_text().split()) for part in texts)), "")
        if text and not head.find("meta", attrs={"name": "description"}):
            short = text if len(text) <= 160 else text[:157].rpartition(" ")[0] + " ..."
            head.append(self.soup.new_tag("meta", attrs={"name": "description", "content": short}))

    def _icons(self) -> None:
        """Draw icons in the page, instead of by a script of 1.5 MB."""
        for place in self.soup.find_all(class_=re.compile(r"^fa[bsr]?$|^fa-(solid|brands)$")):
            names = [name[3:] for name in place["class"] if name.startswith("fa-")]
            drawn = next((icon for name in names if (icon := icons().get(name))), None)
            if drawn is None:
                raise BookError(f"{self.path.name}: the theme has no icon {', '.join(names)}.")
            width, height, outline = drawn
            # Its classes stay: the theme shows one of three icons by them.
            place.name, place["class"] = "svg", " ".join(["icon", *place["class"]])
            place.attrs |= {"viewBox": f"0 0 {width} {height}", "aria-hidden": "true"}
            place.append(self.soup.new_tag("path", attrs={"fill": "currentColor", "d": outline}))

    def _names_and_roles(self) -> None:
        """Give regions and buttons the names and roles that assistive software asks for."""
        for summary in self.soup("summary"):
            summary.attrs.pop("aria-label", None)  # words of its own must be its name
            if not summary.get_text(strip=True):
                summary["aria-label"] = "Pages below this one"
        if sidebar := self.soup.find(id="pst-primary-sidebar"):
            sidebar.attrs |= {"role": "complementary", "aria-label": "Contents of the book"}
        for leftover in self.soup.select("#ethical-ad-placement, .search-button"):
            leftover.decompose()
        for button in self.soup.select("button[title]:not([aria-label])"):
            button["aria-label"] = button["title"]
        for entries in self.soup.select("div.citation-list"):
            entries["role"] = "list"
            for entry in entries("div", class_="citation", recursive=False):
                entry["role"] = "listitem"

    def _cells(self) -> None:
        """Show what a cell gives before its folded source, and no cell that shows nothing."""
        for cell in self.soup.select("article div.cell"):
            fold = cell.find("details", class_="above-input", recursive=False)
            output = cell.find("div", class_="cell_output", recursive=False)
            if fold is not None and output is not None:
                output.insert_after(fold.extract())
            if cell.find(True) is None:
                cell.decompose()

    def _tables(self) -> None:
        """Make a header cell without words an ordinary cell; wrap what Markdown left bare."""
        for header in self.soup.select("th"):
            if not header.get_text(strip=True):
                header.name = "td"
        for table in self.soup.select("article table"):
            if table.find_parent(class_="fmnist-table") is None:
                table.wrap(self.soup.new_tag("div", attrs={"class": "fmnist-table"}))

    def _units(self) -> None:
        """Keep a number and its percent sign in one line, where it is not code."""
        for text in self.soup.find_all(string=_PERCENT):
            hidden = isinstance(text, PreformattedString)  # such as a comment
            if not hidden and not text.find_parent(["pre", "code", "script", "style"]):
                text.replace_with(_PERCENT.sub("\N{NO-BREAK SPACE}%", text))

    def _images(self) -> None:
        """Give images their size, load them when they are near, and keep the badge at home."""
        for image in self.soup("img"):
            if str(image["src"]).endswith(_BADGE):
                image["src"] = f"{self.up}_static/open-in-colab.svg"
            if str(image["src"]).startswith("data:image/"):
                self._to_file(image)
            file = self.path.parent / unquote(str(image["src"]))
            if file.suffix == ".png" and file.is_file():
                with Image.open(file) as picture:
                    sizes = [round(side / _DENSITY) for side in picture.size]
                image["width"], image["height"] = map(str, sizes)
                image["style"] = f"--natural: {sizes[0]}px"
            image["loading"], image["decoding"] = "lazy", "async"
        # A chapter speaks of the figures of a report by their numbers, and of ours by none.
        for number in self.soup.select("figcaption .caption-number"):
            number.decompose()
        for chart in self.soup.select("article .cell_output img"):
            holder = chart.parent if chart.parent and chart.parent.name == "a" else chart
            if holder.find_parent(class_="panels") is None:
                holder.wrap(self.soup.new_tag("span", attrs={"class": "scroll"}))

    def _to_file(self, image: Tag) -> None:
        """Move a picture that stands in the page itself to a file, so that it can be lazy."""
        kind, _, content = str(image["src"]).removeprefix("data:image/").partition(";base64,")
        data = base64.b64decode(content)
        name = f"{hashlib.sha256(data).hexdigest()[:32]}.{kind.partition('+')[0]}"
        (self.site / "_images").mkdir(exist_ok=True)
        (self.site / "_images" / name).write_bytes(data)
        image["src"] = f"{self.up}_images/{name}"

    def _print_source(self) -> None:
        """Say on paper where the page comes from."""
        source = self.soup.select_one("a.btn-source-repository-button")
        if source and (article := self.soup.find("article")):
            line = self.soup.new_tag("p", attrs={"class": "print-source"})
            line.string = f"From {source['href']}, page {self.path.relative_to(self.site)}"
            article.append(line)

    def _refuse_other_hosts(self) -> None:
        for kind, attribute in _LOADING.items():
            for element in self.soup(kind, attrs={attribute: re.compile(r"^(?:\w+:)?//")}):
                if element.get("rel") not in (["canonical"], ["license"]):
                    where = self.path.relative_to(self.site)
                    raise BookError(f"{where} loads {element[attribute]} from another host.")


@functools.cache
def icons() -> dict[str, tuple[int, int, str]]:
    """Read the theme's own icons: name to width, height and outline."""
    import pydata_sphinx_theme

    folder = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/scripts"
    text = (folder / "fontawesome.js").read_text(encoding="utf-8")
    drawn = r'"?([a-z0-9-]+)"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]'
    return {name: (int(w), int(h), path) for name, w, h, path in re.findall(drawn, text)}


# --- Search --------------------------------------------------------------------------------------


def make_searchable(site: Path) -> None:
    """Let pagefind index the articles of a site, by section and by row that has an address.

    Raises
    ------
    BookError
        When pagefind fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        for page in html_pages(site):
            copy = Path(folder) / page.relative_to(site)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(_indexed(page), encoding="utf-8")
        options = {
            "--site": folder,
            "--root-selector": "article",
            "--output-path": str(site / "pagefind"),
            "--include-characters": ".%_",
        }
        command = [sys.executable, "-m", "pagefind", "--quiet", *chain(*options.items())]
        result = subprocess.run(  # noqa: S603 (its own folders)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
    if result.returncode:
        last = (result.stdout.strip().splitlines() or ["no message"])[-1]
        raise BookError(f"The search index cannot be made: {last}")


def _indexed(page: Path) -> str:
    """Move addresses to headings: pagefind leads to a heading that has one, and to nothing else."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    if page.parent.name == "reference" and soup.article:
        soup.article["data-pagefind-weight"] = "0.2"  # a chapter's words come first
    for link in soup.select("a.headerlink"):
        heading, section = link.find_parent(re.compile("^h[1-6]$")), link.find_parent("section")
        if heading is not None and section is not None:
            heading["id"] = unquote(str(link["href"]).removeprefix("#"))
            section.attrs.pop("id", None)
        link.decompose()
    for row in soup.select("article tr[id]"):
        cells = [" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])[:3]]
        title = soup.new_tag("h6", attrs={"id": str(row["id"])})
        title.string = ", ".join(filter(None, cells))
        del row["id"]
        row.insert_before(title)
    return str(soup)
