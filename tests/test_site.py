"""The built site in a real browser: `make test-site`, after `make book`."""

import csv
import gzip
import io
import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from fmnist_utils.book.pdf import browser
from fmnist_utils.book.postprocess import html_pages
from fmnist_utils.reports.load import list_reports

SITE = Path(os.environ.get("FMNIST_SITE", "nowhere"))
if not (SITE / "index.html").is_file():
    pytest.skip("FMNIST_SITE names no built site: make test-site", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
if browser() is None:
    pytest.skip("there is no Chromium on this machine", allow_module_level=True)

AXE = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
PAGES = [path.relative_to(SITE).as_posix() for path in html_pages(SITE)]
EACH_PAGE = pytest.mark.parametrize("name", PAGES)
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}

#: What a chapter may have at most, what all pages for reading may, and what one page may weigh.
SCREENS, WORDS, SCREENS_OF_ALL, BYTES = 15, 2_500, 145, 1_200_000
#: Pages for looking up, which have no limit.
RECORD = {"claims", "findings", "assumptions", "runs"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None: ...


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the site below a folder, as a project's pages are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{SITE.name}/"
    server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        yield running
        running.close()


@dataclass
class Opened:
    """A page in the browser, and what it asked for and complained of."""

    page: Any
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Any]:
    open_pages = []

    def visit(name: str, screen: dict[str, int] = DESKTOP, mode: str = "light") -> Opened:
        page = chromium.new_page(viewport=screen, color_scheme=mode)
        page.set_default_timeout(300_000)  # stops what hangs; a machine may be slow
        seen = Opened(page)
        page.on("console", lambda said: seen.errors.extend(complaints(said)))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("response", lambda response: seen.bodies.append(response))
        page.goto(address + name, wait_until="networkidle")
        seen.refused = [response.url for response in seen.bodies if response.status >= 400]
        open_pages.append(page)
        return seen

    yield visit
    for page in open_pages:
        page.close()


def complaints(said: Any) -> list[str]:
    return [f"{said.text} {said.location['url']}"] if said.type == "error" else []


def violations(page: Any) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {preload: false}).then(r => r.violations)")
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
@EACH_PAGE
def test_a_page_breaks_no_rule_of_accessibility_and_no_width(
    visit: Any, address: str, name: str, screen: dict[str, int], mode: str
) -> None:
    seen = visit(name, screen, mode)
    assert violations(seen.page) == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    assert [url for url in seen.asked if not url.startswith((address, "data:", "blob:"))] == []
    assert (seen.errors, seen.refused) == ([], [])


@EACH_PAGE
def test_a_page_is_light(visit: Any, name: str) -> None:
    bodies = visit(name).bodies
    sizes = {body.url: len(gzip.compress(body.body())) for body in bodies if body.ok}
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:3]
    assert sum(sizes.values()) < BYTES, heaviest


@EACH_PAGE
def test_letters_of_charts_can_be_read_on_a_phone(visit: Any, name: str) -> None:
    widths = "images => images.map(i => [i.alt, i.clientWidth, +i.getAttribute('width')])"
    page = visit(name, PHONE).page
    # Letters of a figure are 13 pixels high in its own size.
    small = [
        (alt[:40], shown, own)
        for alt, shown, own in page.eval_on_selector_all("article img.chart", widths)
        if shown and shown < 0.69 * own
    ]
    assert small == []


@pytest.mark.parametrize("words", ["93.61", "90.08", "augmentation", "license"])
@pytest.mark.parametrize("start", ["index.html", "chapters/dataset.html"])
def test_search_leads_to_a_section_that_holds_the_words(visit: Any, words: str, start: str) -> None:
    seen = visit(start)
    seen.page.keyboard.press("Control+k")
    seen.page.locator("pagefind-modal input").fill(words)
    link = seen.page.locator("pagefind-modal a[href*='#']:visible").first
    link.wait_for()
    link.click()
    seen.page.wait_for_url("**#**")  # "*" would not take the slash of a claim's address
    assert words in seen.page.locator("article").inner_text().lower() or words == "license"
    assert seen.page.evaluate("document.querySelector(':target') !== null")
    assert (seen.errors, seen.refused) == ([], [])


def test_focus_can_be_seen_wherever_a_keyboard_leads(visit: Any) -> None:
    page = visit("chapters/dataset.html").page
    look = """() => {
        const at = document.activeElement, style = getComputedStyle(at);
        return [at.outerHTML.slice(0, 120), style.outlineStyle + style.outlineWidth];
    }"""
    unseen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        element, outline = page.evaluate(look)
        if outline.startswith("none") or outline.endswith("e0px"):
            unseen.append(element)
    assert unseen == []


@EACH_PAGE
def test_paper_cuts_nothing_off(visit: Any, name: str) -> None:
    page = visit(name, {"width": 720, "height": 1000}).page
    page.emulate_media(media="print")
    wide = """boxes => boxes.filter(b => b.scrollWidth > b.clientWidth + 1 && b.clientWidth)
        .map(b => [b.textContent.slice(0, 60), b.scrollWidth, b.clientWidth])"""
    assert page.eval_on_selector_all("article pre", wide) == []
    bars = "boxes => boxes.filter(b => getComputedStyle(b).overflowX !== 'visible').length"
    assert page.eval_on_selector_all("article :is(pre, .fmnist-table, .scroll)", bars) == 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    fading = "boxes => boxes.filter(b => getComputedStyle(b).animationName !== 'none').length"
    assert page.eval_on_selector_all("article details *", fading) == 0, "white on paper"


# --- Limits of length, and what comes first ------------------------------------------------------


def screens(page: Any) -> float:
    return float(page.evaluate("document.querySelector('article').scrollHeight")) / 800


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("chapters/")])
def test_a_chapter_can_be_read_to_its_end(visit: Any, name: str) -> None:
    page = visit(name).page
    length, words = screens(page), len(page.locator("article").inner_text().split())
    assert (length <= SCREENS, words <= WORDS) == (True, True), (length, words)


def test_the_site_can_be_read_in_a_day(visit: Any) -> None:
    reading = [n for n in PAGES if not n.startswith("reference/") and Path(n).stem not in RECORD]
    assert sum(screens(visit(name).page) for name in reading) < SCREENS_OF_ALL


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_first_screen_gives_the_result(visit: Any, screen: dict[str, int]) -> None:
    page = visit("index.html", screen).page
    above = """(parts, height) => parts.filter(p => p.getBoundingClientRect().bottom <= height)
        .map(p => p.textContent).join(' ')"""
    text = page.eval_on_selector_all("article p", above, screen["height"])
    assert re.search(r"\b[Oo]f (the )?\d[\d,]* .*\breproduce", text)


BOTTOM = "parts => Math.max(...parts.map(part => part.getBoundingClientRect().bottom))"


def test_the_first_screen_draws_all_headlines_and_leads_on(visit: Any) -> None:
    page = visit("index.html").page
    rows = page.locator("tr:has(svg.forest) th a")
    assert rows.count() > 5 and page.eval_on_selector_all("svg.forest", BOTTOM) <= 800
    chapters = "article > section > ul > li > p > a[href^='chapters/']"
    assert page.locator(chapters).count() == len(list_reports())
    for below in (chapters, "article img[src*='colab']"):
        assert page.eval_on_selector_all(below, BOTTOM) <= 800, below
    phone = visit("index.html", PHONE).page
    assert phone.locator("svg.forest").first.bounding_box()["y"] < PHONE["height"]


def test_no_table_of_the_front_page_scrolls_sideways(visit: Any) -> None:
    wide = "boxes => boxes.filter(b => b.scrollWidth > b.clientWidth + 1).map(b => b.textContent)"
    assert visit("index.html").page.eval_on_selector_all("article .fmnist-table", wide) == []


def test_a_number_of_the_scoreboard_leads_to_its_claims(visit: Any) -> None:
    """Claims are the parts of statements: `statement` in the downloads says of which."""
    claims = json.loads((SITE / "_static/record/claims.json").read_text(encoding="utf-8"))
    of = {row["address"]: (row["report"], row["statement"]) for row in claims}
    page = visit("index.html").page
    counts = page.locator("a[href*='claims.html?'][href*='statement=']")
    told = {link.get_attribute("href"): int(link.inner_text()) for link in counts.all()}
    assert len(told) > 20
    # Of each column the total, which stands last.
    each = {href.partition("statement=")[2]: href for href in told}
    for href, n in ((href, told[href]) for href in each.values()):
        page = visit(href).page
        page.wait_for_selector(".record-filters")
        page.select_option("select.dt-input", "-1")
        shown = [row.get_attribute("id") for row in page.locator("tbody tr").all()]
        assert len({of[address] for address in shown}) == n, href
    page = visit("index.html").page
    count = page.locator("a[href*='baltzi&statement=not+reproduced']")
    told_of_one = int(count.inner_text())
    count.click()
    page.wait_for_selector(".record-filters")  # before which all claims are shown
    page.wait_for_selector("td .verdict.not-reproduced")
    words = set(page.locator("tbody td:first-child .verdict").all_inner_texts())
    assert {word.replace("\xa0", " ") for word in words} == {"✗ not reproduced"}
    assert page.locator("tbody tr").count() >= told_of_one


# --- The record ----------------------------------------------------------------------------------


def test_links_to_the_record_lead_to_a_row_in_view(visit: Any, address: str) -> None:
    """Of every page one address: a row of the record may be folded away, paged or filtered."""
    first = {}
    for name in PAGES:
        soup = BeautifulSoup((SITE / name).read_text(encoding="utf-8"), "html.parser")
        for link in soup.select("article a[href*='.html#']"):
            page, _, row = str(link["href"]).partition("#")
            if Path(page).stem in RECORD:
                first.setdefault((name, Path(page).name), f"record/{Path(page).name}#{row}")
    assert first
    for target in sorted(set(first.values())):
        page = visit(target).page
        row = unquote(target.partition("#")[2])
        shown = page.locator(f'[id="{row}"]')
        assert shown.count() == 1, target
        box = shown.bounding_box()
        assert box and 0 <= box["y"] <= DESKTOP["height"], (target, box)
        page.close()


@pytest.mark.parametrize("page", ["claims", "findings", "assumptions", "runs"])
def test_an_address_and_its_button_stand_in_one_line(visit: Any, page: str) -> None:
    tall = "parts => parts.filter(part => part.getClientRects().length > 1).length"
    seen = visit(f"record/{page}.html", PHONE).page
    seen.locator("button.cite").first.wait_for()
    assert seen.eval_on_selector_all(".tools", tall) == 0


def test_downloads_can_be_read(visit: Any) -> None:
    page = visit("record/downloads.html").page
    links = page.eval_on_selector_all("article a[download]", "links => links.map(a => a.href)")
    assert {Path(link).suffix for link in links} == {".csv", ".json"}
    for link in links:
        text = page.request.get(link).text()
        rows = json.loads(text) if link.endswith(".json") else list(csv.reader(io.StringIO(text)))
        assert len(rows) > 1, link
        assert link.endswith(".json") or len({len(row) for row in rows}) == 1, link
