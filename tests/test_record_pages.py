"""The pages of the record: staged once, and used in a browser."""

import importlib.resources
import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from fmnist_utils.book import record_pages, stage
from fmnist_utils.book.kernels import Kernels
from fmnist_utils.book.stage import Images, Stage
from fmnist_utils.export.addressed_table import Entry, grid

ROOT = Path(__file__).resolve().parents[1]

# --- The stage -----------------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """List with what the record was made; judging all claims takes long and is left out."""
    calls: list[tuple[Any, ...]] = []

    def staged_files(*arguments: Any) -> dict[str, bytes]:
        calls.append(arguments)
        return {"record/tables/claims.html": b"<p>rows</p>", "_static/record/claims.csv": b"a\n1\n"}

    monkeypatch.setattr(record_pages, "staged_files", staged_files)
    monkeypatch.setattr(stage, "tree_digests", lambda *_: [])
    return calls


@pytest.fixture
def book(tmp_path: Path) -> Path:
    for name in ("record", "chapters", "_static"):
        (tmp_path / name).mkdir()
    toc = {"format": "jb-book", "root": "index", "chapters": [{"file": "chapters/one"}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "_config.yml").write_text("title: A book\nauthor: Somebody\n")
    (tmp_path / "index.md").write_text("# Front\n")
    cell = {"cell_type": "markdown", "metadata": {}, "source": ["Text\n", "\n", "# One\n", "## x"]}
    (tmp_path / "chapters/one.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}}))
    return tmp_path


def build(root: Path, **executed: Any) -> str:
    """Stage the record as if the chapter had just been executed, or kept."""
    images = Images("synthetic", None)
    one = Stage(root, "replay", images, None, Kernels())
    one.add_site_files()
    notebook = json.loads((root / "chapters/one.ipynb").read_text())
    notebook["metadata"] = {"fmnist_executed": executed} if executed else {}
    one._put(Path("chapters/one.ipynb"), json.dumps(notebook).encode())
    outcome = one.add_record()
    one.remove_stale()
    return outcome


WHEN = {"seconds": 3, "date": "2026-11-26", "revision": "0123456789ab"}


def test_the_record_is_made_once_and_again_when_a_chapter_was_executed(
    book: Path, made: list[tuple[Any, ...]]
) -> None:
    assert build(book, **WHEN).startswith("made in ")
    (builds,) = [arguments[1] for arguments in made]
    assert builds == [("chapters/one.ipynb", "One", 3, "2026-11-26", "0123456789ab")]
    assert build(book, **WHEN) == "" and len(made) == 1
    assert (book / "_build/stage/record/tables/claims.html").exists()
    assert build(book, **WHEN | {"date": "2026-11-27"}) and len(made) == 2
    assert build(book) and made[-1][1][0].seconds is None


def test_the_record_cites_the_book_by_its_present_title(
    book: Path, made: list[tuple[Any, ...]]
) -> None:
    build(book, **WHEN)
    (book / "_config.yml").write_text("title: Another title\nauthor: Somebody\n")
    assert build(book, **WHEN) and "Another title" in made[-1][2]


@pytest.mark.parametrize("name", ["record/tables/claims.html", "_static/record/claims.csv"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_file_of_the_record_is_made_again(
    book: Path, made: list[tuple[Any, ...]], name: str, damage: Any
) -> None:
    build(book, **WHEN)
    path = book / "_build/stage" / name
    whole = path.read_bytes()
    damage(path)
    assert build(book, **WHEN) and path.read_bytes() == whole


@pytest.mark.parametrize("content", ["", "{", "[1]", "7", '{"": 1}'])
def test_an_unreadable_stamp_is_none(book: Path, made: list[tuple[Any, ...]], content: str) -> None:
    build(book, **WHEN)
    (book / "_build/stage/record/.made-from").write_text(content)
    assert build(book, **WHEN) and build(book, **WHEN) == ""


def test_a_book_without_a_record_has_none(book: Path, made: list[tuple[Any, ...]]) -> None:
    (book / "record").rmdir()
    assert build(book, **WHEN) == "" and made == []
    assert not (book / "_build/stage/_static/datatables.mjs").exists()


def test_every_table_that_a_page_includes_is_made() -> None:
    made = record_pages.fragments(dict.fromkeys(record_pages.TABLES, ()), [])
    text = "".join(page.read_text() for page in (ROOT / "record").glob("*.md"))
    included = {line.split("/")[1] for line in text.splitlines() if line.startswith(":file:")}
    assert included == {f"{name}.html" for name in made}


# --- In a browser --------------------------------------------------------------------------------

NAMES = [f"r/{number:03}" for number in range(120)]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve one page with a table of 120 rows, as the book would."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "_static", folder / "_static")
    bundle = importlib.resources.files("itables").joinpath("html/dt_bundle.js")
    (folder / "_static/datatables.mjs").write_bytes(bundle.read_bytes())
    entries = [
        Entry(
            name,
            {"report": "ab"[number % 2], "verdict": "close" if number % 3 else "equal"},
            (
                "close" if number % 3 else "equal",
                name + "<small>p. 1</small>",
                (str(number), -number),
            ),
        )
        for number, name in enumerate(NAMES)
    ]
    table = grid("claims", "120 claims", ("verdict", "claim", "number"), entries)
    head = (
        '<link rel="stylesheet" href="_static/record.css"><script src="_static/record.js"></script>'
    )
    page = f'<!doctype html><html lang="en"><title>x</title>{head}<body>{table}</body></html>'
    (folder / "page.html").write_text(
        page.replace('id="claims"', 'id="claims" data-cite="A book."')
    )
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, site: str) -> Iterator[Any]:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    errors: list[Any] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(site)
    page.wait_for_selector(".dt-paging")
    yield page
    assert errors == []
    context.close()


def go(page: Any, address: str) -> None:
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(".dt-paging")


def test_without_a_script_every_row_is_there(browser: Any, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}#{NAMES[100]}")
    assert page.locator("tbody tr").count() == 120
    assert page.locator(f'[id="{NAMES[100]}"]').is_visible()
    context.close()


def wait_for_rows(page: Any, names: list[str], first: int | None = None) -> None:
    """Wait until these rows are shown, or the first of them: sorting and searching take a while."""
    page.wait_for_function(
        """([names, first]) => names.join() === [...document.querySelectorAll("tbody tr")]
            .slice(0, first).map(row => row.id).join()""",
        arg=[names, first or 1_000],
    )


def test_rows_are_paged_filtered_sorted_and_searched(page: Any, site: str) -> None:
    wait_for_rows(page, NAMES[:50])
    page.locator("select[name=report]").select_option("b")
    page.locator("select[name=verdict]").select_option("equal")
    wait_for_rows(page, [name for number, name in enumerate(NAMES) if number % 6 == 3])
    page.wait_for_url(f"{site}?report=b&verdict=equal")
    page.get_by_text("number", exact=True).click()
    wait_for_rows(page, [NAMES[117]], first=1)
    page.get_by_label("Free text").fill("r/063")
    wait_for_rows(page, [NAMES[63]])
    go(page, page.url)
    wait_for_rows(page, [NAMES[63]])


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "?report=a", "?report=b", "?q=nothing"])
@pytest.mark.parametrize("number", [49, 50])
def test_an_address_opens_and_marks_its_row(page: Any, site: str, query: str, number: int) -> None:
    go(page, f"{site}{query}#{NAMES[number]}")
    row = page.locator("tr.marked")
    assert row.get_attribute("id") == NAMES[number]
    assert row.bounding_box()["y"] < page.viewport_size["height"]
    other = NAMES[(number + 60) % 120]
    page.evaluate("name => { location.hash = name }", other)
    page.wait_for_selector(f'tr.marked[id="{other}"]')
    assert page.locator("tr.marked").count() == 1


def test_a_row_is_copied_with_what_it_says_and_its_address(page: Any, site: str) -> None:
    page.locator("button.cite").nth(1).click()
    page.get_by_text("Copied").wait_for()
    line = page.evaluate("navigator.clipboard.readText()")
    assert line == (f"r/001. verdict: close; r/001 p. 1; number: 1. A book. {site}#r/001")


@pytest.mark.parametrize("width", [390, 1280])
def test_what_matters_first_is_seen_and_nothing_runs_out_of_the_page(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    first, claim = (page.locator(f"tbody tr >> nth=0 >> {cell}").first for cell in ("td", "th"))
    assert first.bounding_box()["x"] >= 0
    assert first.bounding_box()["y"] <= claim.bounding_box()["y"]
