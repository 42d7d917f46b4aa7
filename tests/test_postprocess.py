"""What a rendered page lacks is mended: names, roles, sizes, weight, and a search index."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from fmnist_utils.book import pdf
from fmnist_utils.book.notebooks import BookError
from fmnist_utils.book.pdf import one_page
from fmnist_utils.book.postprocess import _indexed, postprocess

ICON = '<button title="Launch"><i class="fas fa-rocket" data-mode="x"></i></button>'
TABLE = '<table><thead><tr><th></th><th>b</th></tr></thead><tr id="baltzi/test"><td>93.61</td></tr>'


def picture(width: int = 300, height: int = 150) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, "PNG")
    return content.getvalue()


def page(article: str = "<p>First words.</p>", head: str = "", body: str = "") -> str:
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>Book — Book</title>{head}</head>'
        f'<body>{body}<article class="bd-article"><section id="one"><h1>One'
        f'<a class="headerlink" href="#one">#</a></h1>{article}</section></article></body></html>'
    )


def finished(tmp_path: Path, html: str, name: str = "chapters/one.html") -> BeautifulSoup:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html)
    postprocess(tmp_path)
    return BeautifulSoup(path.read_text(), "html.parser")


def test_the_head_says_what_the_page_is_and_loads_what_is_needed(tmp_path: Path) -> None:
    view = '<meta name="viewport" content="a">'
    scripts = "".join(
        f'<script src="../_static/{name}.js"></script>'
        for name in ("scripts/fontawesome", "searchtools", "book")
    )
    soup = finished(tmp_path, page(f"<p>{'word ' * 60}</p>", head=2 * view + scripts))
    assert soup.head and soup.head.title and soup.head.title.string == "Book"
    assert [script["src"] for script in soup("script")] == ["../_static/book.js"]
    assert len(soup("meta", attrs={"name": "viewport"})) == 1
    (about,) = soup("meta", attrs={"name": "description"})
    assert str(about["content"]).startswith("word word") and len(about["content"]) <= 161


def test_an_icon_is_drawn_in_the_page_and_its_button_has_a_name(tmp_path: Path) -> None:
    soup = finished(tmp_path, page(body=ICON))
    button = soup.button
    assert button and button["aria-label"] == "Launch"
    assert button.svg and button.svg["data-mode"] == "x" and "fa-rocket" in button.svg["class"]
    assert button.svg.path and button.svg.path["d"]


def test_an_icon_that_the_theme_lacks_is_told(tmp_path: Path) -> None:
    with pytest.raises(BookError, match=r"one.html: the theme has no icon nothing-at-all"):
        finished(tmp_path, page(body='<i class="fas fa-nothing-at-all"></i>'))


def test_roles_and_names_are_those_that_assistive_software_knows(tmp_path: Path) -> None:
    folds = '<details><summary aria-label="Toggle">Hint</summary></details><summary></summary>'
    entry = '<div class="citation-list"><div class="citation" role="doc-biblioentry">X</div></div>'
    soup = finished(tmp_path, page(folds + entry + TABLE))
    assert [fold.get("aria-label") for fold in soup("summary")] == [None, "Pages below this one"]
    roles = [str(part["role"]) for part in soup.select("article [role]")]
    assert roles == ["list", "listitem"]
    assert [cell.string for cell in soup("th")] == ["b"]
    assert soup.select(".fmnist-table > table")


def test_what_a_cell_shows_comes_before_its_folded_source(tmp_path: Path) -> None:
    fold = '<details class="hide above-input"><summary>Show</summary></details>'
    cells = (f'{fold}<div class="cell_output">In short</div>', fold, "\n")
    soup = finished(tmp_path, page("".join(f'<div class="cell">{cell}</div>' for cell in cells)))
    shown = [
        [part.name for part in cell.find_all(True, recursive=False)] for cell in soup(class_="cell")
    ]
    assert shown == [["div", "details"], ["details"]]


def test_a_percent_sign_stays_with_its_number(tmp_path: Path) -> None:
    soup = finished(tmp_path, page("<p>From 89.5 % to 91.6\n%, a % more.</p><pre>5 % 2</pre>"))
    assert soup.p and soup.p.get_text() == "From 89.5\xa0% to 91.6\xa0%, a % more."
    assert soup.pre and soup.pre.get_text() == "5 % 2"
    hidden = finished(tmp_path, page("<!-- only 95 % of it -->"))
    assert "%" not in hidden.get_text() and "<!-- only 95 % of it -->" in str(hidden)


def test_pictures_have_a_size_and_load_when_they_are_near(tmp_path: Path) -> None:
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images/a b.png").write_bytes(picture())
    inside = f"data:image/png;base64,{base64.b64encode(picture(60, 30)).decode()}"
    shown = '<img src="../_images/a%20b.png" class="chart">'
    shown += '<figcaption><span class="caption-number">Fig. 8 </span>It falls.</figcaption>'
    soup = finished(
        tmp_path,
        page(
            f'<div class="cell_output">{shown}</div>'
            f'<div class="panels cell_output"><img src="{inside}"></div>'
        ),
    )
    assert [(i["width"], i["height"], i["loading"]) for i in soup("img")] == [
        ("200", "100", "lazy"),
        ("40", "20", "lazy"),
    ]
    assert soup.figcaption and soup.figcaption.get_text() == "It falls."
    assert soup.select(".scroll > img.chart") and not soup.select(".panels .scroll")
    moved = soup("img")[1]["src"]
    assert (tmp_path / "chapters" / str(moved)).read_bytes() == picture(60, 30)


def test_the_badge_is_at_home_and_nothing_else_may_come_from_another_host(tmp_path: Path) -> None:
    badge = '<img src="https://colab.research.google.com/assets/colab-badge.svg" alt="x">'
    soup = finished(tmp_path, page(badge + '<a href="https://a.org">a</a>'))
    assert soup.img and soup.img["src"] == "../_static/open-in-colab.svg"
    for part in (
        '<img src="https://a.org/b.png">',
        '<script src="//a.org/b.js"></script>',
        '<link rel="stylesheet" href="http://a.org/b.css">',
        '<iframe src="https://a.org"></iframe>',
    ):
        with pytest.raises(BookError, match=r"one.html loads .*a.org.* from another host"):
            finished(tmp_path, page(part))


def test_search_covers_articles_by_section_and_by_row(tmp_path: Path) -> None:
    finished(tmp_path, page(TABLE), "one.html")
    entry = json.loads((tmp_path / "pagefind/pagefind-entry.json").read_text())
    assert entry["languages"]["en"]["page_count"] == 1
    soup = BeautifulSoup(_indexed(tmp_path / "one.html"), "html.parser")
    found = {heading["id"]: heading.get_text() for heading in soup.select("h1[id], h6[id]")}
    assert found == {"one": "One", "baltzi/test": "93.61"}
    assert len(soup.select("[id='one'], [id='baltzi/test']")) == 2


def test_one_page_for_paper_leads_within_itself(tmp_path: Path) -> None:
    names = [Path("index.html"), Path("chapters/one.html")]
    (tmp_path / "chapters").mkdir()
    links = '<a href="chapters/one.html#one">x</a><a href="#one">y</a><a href="https://a.org">z</a>'
    (tmp_path / names[0]).write_text(page(links))
    back = '<a href="../index.html">x</a><img loading="lazy" src="../_images/a.png">'
    (tmp_path / names[1]).write_text(page(back))
    soup = BeautifulSoup(one_page(tmp_path, names), "html.parser")
    ids = [str(part["id"]) for part in soup.select("[id]")]
    assert len(ids) == len(set(ids))
    targets = [str(a["href"]) for a in soup.select("a:not(.headerlink)")]
    assert targets == ["#chapters-one--one", "#index--one", "https://a.org", "#index"]
    assert {target[1:] for target in targets if target[0] == "#"} <= set(ids)
    assert soup.img and soup.img.attrs == {"src": "_images/a.png"}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["browser", "disk"])
def test_a_pdf_that_cannot_be_printed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    pytest.importorskip("playwright", reason="needs the site extra")
    site = tmp_path / "_build/html"
    site.mkdir(parents=True)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.md").write_text("# One\n")
    (site / "index.html").write_text("<html><head></head><body><article>1</article></body></html>")
    if fault == "disk":
        (site / "whole.html").symlink_to("/dev/full")
    chromium = tmp_path / "bin/chromium"
    chromium.parent.mkdir()
    chromium.write_text("#!/bin/sh\nexit 1\n")
    chromium.chmod(0o755)
    monkeypatch.setenv("PATH", f"{chromium.parent}:/bin")
    result = subprocess.run(
        [sys.executable, "-m", "fmnist_utils.book.pdf"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(pdf.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(
        r".*book\.pdf cannot be printed with \S+ \(.+\): mend that\.\n", result.stderr
    )
