"""The book is built end to end, from chapters written here."""

import contextlib
import functools
import io
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat.v4 as nb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from rich.console import Console

from fmnist_utils.book import kernels, stage
from fmnist_utils.book import site as book
from fmnist_utils.book.kernels import Kernels
from fmnist_utils.book.links import (
    BADGE_LINK,
    INSTALL,
    NAMED,
    badge_link,
    install_address,
    notebooks,
    repository,
    set_repository,
)
from fmnist_utils.book.notebooks import BookError
from fmnist_utils.book.site import build_book, refresh_chapters
from fmnist_utils.book.stage import pages
from fmnist_utils.data.fashion_mnist import DataError

ROOT = Path(__file__).resolve().parents[1]
PARAMETERS = 'MODE = "replay"\nDATA = "real"  # or "synthetic"'
PICTURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
ALTERNATIVE = "a line that rises from one to two"


def code(source: str, *tags: str, **metadata: Any) -> NotebookNode:
    return nb.new_code_cell(source, metadata={**({"tags": list(tags)} if tags else {}), **metadata})


def write(path: Path, *cells: NotebookNode) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nb.writes(nb.new_notebook(cells=list(cells))))


def write_chapter(root: Path, *cells: NotebookNode) -> None:
    write(root / "chapters/one.ipynb", nb.new_markdown_cell("# One"), *cells)


def make_book(root: Path) -> Path:
    """Write a book of two notebooks and a text page around this project's own settings."""
    for name in ("_config.yml", "references.bib"):
        shutil.copy(ROOT / name, root)
    for name in ("_static", "_templates"):
        shutil.copytree(ROOT / name, root / name)
    toc: dict[str, Any] = {"format": "jb-book", "root": "index"}
    toc["chapters"] = [{"file": "chapters/one", "sections": [{"file": "chapters/text"}]}]
    (root / "_toc.yml").write_text(yaml.safe_dump(toc))
    write(root / "index.ipynb", nb.new_markdown_cell("# Front"), code("20 + 22"))
    write_chapter(
        root,
        code(PARAMETERS, "parameters"),
        code("import os, random, sys\nprint(MODE, DATA, os.listdir(), random.random())"),
        code("print('noi' + 'se in', os.getcwd(), file=sys.stderr)"),
        code(PICTURE, mystnb={"image": {"alt": ALTERNATIVE, "classes": "chart"}}),
    )
    text = "# Text\n\nA page that cites {cite}`xiao2017`.\n\n```{bibliography}\n```\n"
    (root / "chapters/text.md").write_text(text)
    return root


def build(root: Path, **settings: Any) -> list[str]:
    """Build quietly; return what was said, one line a sentence."""
    said = io.StringIO()
    build_book(root, **{"data": "synthetic", "console": Console(file=said), **settings})
    return said.getvalue().splitlines()


def staged(root: Path, name: str = "chapters/one.ipynb") -> dict[str, Any]:
    return json.loads((root / "_build/stage" / name).read_text())


def printed(root: Path, name: str = "chapters/one.ipynb") -> str:
    cells = staged(root, name)["cells"]
    texts = [o["text"] for c in cells for o in c.get("outputs", []) if "text" in o]
    return "".join("".join(text) for text in texts)


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stand in for the package folder, so that no edit of it makes these chapters run again."""
    folder = tmp_path_factory.mktemp("package")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "__file__", str(folder / "book/stage.py"))
        yield folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a book whose rendering, slow and tested once, is left out."""

    def render(build_folder: Path, console: Console) -> Path:
        (build_folder / "html").mkdir(exist_ok=True)
        return build_folder / "html/index.html"

    monkeypatch.setattr(book, "_render", render)
    make_book(tmp_path)
    (tmp_path / "index.ipynb").unlink()
    (tmp_path / "index.md").write_text("# Front\n")
    write_chapter(tmp_path, code(PARAMETERS, "parameters"), code("print(MODE, DATA)"))
    return tmp_path


# --- From notebooks to pages ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    root = make_book(tmp_path_factory.mktemp("book"))
    lines = build(root, mode="smoke")
    return root, lines


@pytest.mark.slow
def test_every_page_is_there_and_carries_the_banners(built: tuple[Path, list[str]]) -> None:
    root, lines = built
    for page in ("index", "chapters/one", "chapters/text"):
        text = (root / f"_build/html/{page}.html").read_text()
        assert "Preview on synthetic garments" in text, page
        assert "a few training steps" in text, page
    assert (root / "_config.yml").read_text() == (ROOT / "_config.yml").read_text()
    assert [line.partition(":")[0] for line in lines] == ["chapters/one.ipynb", "index.ipynb"]


@pytest.mark.slow
def test_the_style_sheet_is_used(built: tuple[Path, list[str]]) -> None:
    page = (built[0] / "_build/html/chapters/one.html").read_text()
    assert "_static/book.css" in page
    assert (built[0] / "_build/html/_static/book.css").read_text()
    assert 'class="chart' in page


@pytest.mark.slow
def test_a_chapter_ran_with_its_parameters_in_an_empty_folder(
    built: tuple[Path, list[str]],
) -> None:
    assert printed(built[0]).startswith("smoke synthetic [] 0.")
    page = (built[0] / "_build/html/chapters/one.html").read_text()
    assert "smoke synthetic" in page
    assert "# Parameters" not in page
    assert ALTERNATIVE in page


@pytest.mark.slow
def test_nothing_of_the_machine_or_the_moment_is_staged(built: tuple[Path, list[str]]) -> None:
    text = (built[0] / "_build/stage/chapters/one.ipynb").read_text()
    for trace in (str(built[0]), "/tmp", str(Path.home()), "papermill", "start_time", "noise"):
        assert trace not in text


def test_unchanged_book_is_left_as_it_is(built: tuple[Path, list[str]]) -> None:
    root = built[0]
    before = printed(root), (root / "_build/html/index.html").stat().st_mtime_ns
    lines = build(root, mode="smoke")
    assert lines == ["chapters/one.ipynb: unchanged", "index.ipynb: unchanged"]
    assert (printed(root), (root / "_build/html/index.html").stat().st_mtime_ns) == before


@pytest.mark.slow
def test_a_warning_fails_and_leaves_the_last_site(built: tuple[Path, list[str]]) -> None:
    root = built[0]
    page = root / "chapters/text.md"
    good, site = page.read_text(), (root / "_build/html/index.html").read_text()
    page.write_text(good + "\n[lost](nowhere.md)\n")
    for _ in range(2):  # Sphinx forgets the warnings of pages that it does not read again.
        with pytest.raises(BookError, match=r"chapters/text.md.*nowhere.md.*jupyter-book.log"):
            build(root, mode="smoke")
    assert "nowhere.md" in (root / "_build/logs/jupyter-book.log").read_text()
    assert (root / "_build/html/index.html").read_text() == site
    page.write_text(good)
    build(root, mode="smoke")


STYLE = (
    '<link rel="stylesheet" href="_static/book.css?digest=12" /> <a href="https://a.org/b">b</a>'
)


@pytest.fixture
def rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a built book of one text page, which stands in for the site that Sphinx would make."""

    def jupyter_book(build_folder: Path, work: Path) -> None:
        (work / "_build/html").mkdir(parents=True)
        text = (build_folder / "stage/index.md").read_text()
        (work / "_build/html/index.html").write_text(f"{text}{STYLE}")
        (work / "_build/html/_static").mkdir()
        (work / "_build/html/_static/book.css").write_text("p {}")

    monkeypatch.setattr(book, "_jupyter_book", jupyter_book)
    monkeypatch.setattr(book, "postprocess", lambda site: None)
    make_book(tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.ipynb").unlink()
    (tmp_path / "index.md").write_text("book -1")
    build(tmp_path)
    return tmp_path


def damaged(path: Path, how: str) -> bytes:
    """Damage a file, and return what it held."""
    before = path.read_bytes()
    path.unlink()
    if how == "cut short":
        path.write_bytes(before[: len(before) // 2])
    return before


@pytest.mark.parametrize("how", ["deleted", "cut short"])
@pytest.mark.parametrize("name", ["index.html", "_static/book.css", ".made-from"])
def test_a_site_that_lacks_something_is_rendered_again(rendered: Path, name: str, how: str) -> None:
    path = rendered / "_build/html" / name
    before = damaged(path, how)
    build(rendered)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("index.html", "lacks the page index.md"),
        ("_static/book.css", "lacks _static/book.css, which index.html names"),
    ],
)
def test_what_sphinx_left_out_is_not_published(
    rendered: Path, monkeypatch: pytest.MonkeyPatch, name: str, sentence: str
) -> None:
    whole = book._jupyter_book

    def jupyter_book(build_folder: Path, work: Path) -> None:
        whole(build_folder, work)
        (work / "_build/html" / name).unlink()

    monkeypatch.setattr(book, "_jupyter_book", jupyter_book)
    before = site(rendered)
    (rendered / "index.md").write_text("another book")
    with pytest.raises(BookError, match=sentence):
        build(rendered)
    assert site(rendered) == before


def test_while_one_command_is_at_work_on_the_book_others_are_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []

    def render(build_folder: Path, console: Console) -> Path:
        for other in (build, refresh):
            with pytest.raises(BookError, match=r"^Another command is at work on the book"):
                other(root)
            refused.append(other)
        return build_folder / "html/index.html"

    monkeypatch.setattr(book, "_render", render)
    build(root)
    assert refused == [build, refresh]
    build(root)


def site(root: Path) -> str:
    return (root / "_build/html/index.html").read_text().removesuffix(STYLE)


@pytest.mark.slow
def test_an_interruption_at_any_step_loses_no_book(
    rendered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def does_not_render(*_: Path) -> None:
        raise BookError("a page does not render")

    def interrupted(at: int) -> bool:
        steps = itertools.count()

        def cut_short(whole: Callable[..., None], *arguments: Any, **options: Any) -> None:
            if next(steps) == at:
                raise KeyboardInterrupt
            whole(*arguments, **options)

        with monkeypatch.context() as patch:
            for module, name in ((os, "replace"), (shutil, "rmtree")):
                step = functools.partial(cut_short, getattr(module, name))
                patch.setattr(module, name, step)
            try:
                build(rendered)
            except KeyboardInterrupt:
                return True
        return False

    for at in itertools.count():
        (rendered / "index.md").write_text(f"book {at}")
        if not interrupted(at):
            break
        with monkeypatch.context() as patch, contextlib.suppress(BookError):
            patch.setattr(book, "_jupyter_book", does_not_render)
            build(rendered)
        assert site(rendered) in (f"book {at - 1}", f"book {at}")
        build(rendered)
        assert site(rendered) == f"book {at}"
        assert [path.name for path in (rendered / "_build").glob("*html*")] == ["html"]
    assert at > 3 and site(rendered) == f"book {at}"


# --- What makes a chapter run again --------------------------------------------------------------


@pytest.mark.slow
def test_a_chapter_runs_again_when_what_it_is_made_from_changed(
    root: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {}

    def change_cell() -> None:
        chapter = json.loads((root / "chapters/one.ipynb").read_text())
        chapter["cells"][2]["source"] = ["print(2)\n", *chapter["cells"][2]["source"]]
        (root / "chapters/one.ipynb").write_text(json.dumps(chapter))

    def add_run() -> None:
        (root / "runs/baltzi").mkdir(parents=True)
        (root / "runs/baltzi/mlp.json").write_text("{}")

    def add_trial() -> None:
        folder = root / "searches/tiny/tuner/executions/tiny"
        folder.mkdir(parents=True)
        (folder / "tuner-1.seed01.json").write_text("{}")

    changes = [
        lambda: None,
        change_cell,
        add_run,
        add_trial,
        lambda: (package / "report.yaml").write_text("id: baltzi"),
        lambda: (package / "report.yaml").write_text("id: mendez"),
        lambda: settings.update(mode="smoke"),
        lambda: monkeypatch.setattr(stage, "versions", lambda: ["numpy==99"]),
    ]
    for change in changes:
        change()
        assert build(root, **settings)[0].startswith("chapters/one.ipynb: executed in")
        assert build(root, **settings) == ["chapters/one.ipynb: unchanged"]


def test_stored_outputs_do_not_make_a_chapter_run_again(root: Path) -> None:
    build(root)
    chapter = json.loads((root / "chapters/one.ipynb").read_text())
    chapter["cells"][2].update(execution_count=7, outputs=[])
    (root / "chapters/one.ipynb").write_text(json.dumps(chapter))
    assert build(root)[0] == "chapters/one.ipynb: unchanged"


@pytest.mark.slow
def test_local_runs_and_searches_are_within_reach_of_a_chapter(root: Path) -> None:
    show = "import os; print(sorted(os.listdir()))"
    write_chapter(root, code(PARAMETERS, "parameters"), code(show))
    build(root)
    assert printed(root) == "[]\n"
    build(root, mode="full")
    assert printed(root) == "['runs', 'searches']\n"


def test_what_a_chapter_trains_stays(root: Path) -> None:
    trial = "searches/tiny/tuner/executions/tiny/tuner-1.seed01.json"
    lines = ["from pathlib import Path", f"path = Path('{trial}')"]
    lines += ["path.parent.mkdir(parents=True)", "path.touch()", "Path('runs/1.json').touch()"]
    write_chapter(root, code("\n".join(lines)))
    build(root, mode="full")
    assert (root / trial).exists() and (root / "runs/1.json").exists()


@pytest.mark.slow
def test_the_front_page_counts_what_a_chapter_has_just_trained(root: Path) -> None:
    (root / "index.md").unlink()
    count = "import glob; print(len(glob.glob('runs/*.json')))"
    write(root / "index.ipynb", nb.new_markdown_cell("# Front"), code(count))
    for seed in (1, 2):
        write_chapter(root, code(f"open('runs/{seed}.json', 'w').close()"))
        build(root, mode="full")
        front = staged(root, "index.ipynb")["cells"][1]["outputs"][0]["text"]
        assert "".join(front) == f"{seed}\n"


@pytest.mark.slow
def test_a_page_runs_again_for_those_reports_that_it_looked_at(root: Path, package: Path) -> None:
    reports, toc = package / "reports", {"format": "jb-book", "root": "index"}
    names = ("one", "two", "all", "none")
    (root / "_toc.yml").write_text(
        yaml.safe_dump(toc | {"chapters": [{"file": f"chapters/{name}"} for name in names]})
    )
    looks = {
        "one": f"open('{reports}/baltzi/report.yaml')",
        "two": "glob('runs/mendez/*.json')",
        "all": f"glob('{reports}/*/runs/*.json')",
        "none": f"glob('{reports}/*')",
    }
    for name, look in looks.items():
        write(root / f"chapters/{name}.ipynb", code(f"from glob import glob\n_ = {look}"))
    for report in ("baltzi", "mendez"):
        (reports / report / "runs").mkdir(parents=True)
        (reports / report / "report.yaml").touch()

    def executed(folder: Path, name: str) -> set[str]:
        """Name the pages that run again when a file is written."""
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
        lines = build(root)
        assert [line.rpartition(": ")[2] for line in build(root)] == ["unchanged"] * 4
        return {Path(line.partition(".")[0]).name for line in lines if ": executed in" in line}

    assert executed(reports, "baltzi/report.yaml") == {*names}
    assert executed(reports, "baltzi/runs/mlp.seed01.json") == {"one", "all"}
    assert executed(root, "searches/baltzi/tuner/trials.json") == {"one", "all"}
    assert executed(reports, "mendez/runs/mlp.seed01.json") == {"two", "all"}
    assert executed(root, "runs/mendez/mlp.seed01.json") == {"two", "all"}
    assert executed(reports, "tiny-mlp/report.yaml") == {*names}
    shutil.rmtree(reports / "mendez")
    assert executed(reports, "baltzi/report.yaml") == {*names}
    shutil.rmtree(reports)


@pytest.mark.slow
def test_a_page_whose_looks_were_not_noted_runs_again_for_every_report(
    root: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_NOTING", "raise SystemError  # {names} {notes}")
    report = package / "reports/baltzi/report.yaml"
    report.parent.mkdir(parents=True)
    for content in ("id: baltzi", "id: mendez"):
        report.write_text(content)
        assert build(root)[0].startswith("chapters/one.ipynb: executed in")
    assert build(root) == ["chapters/one.ipynb: unchanged"]
    shutil.rmtree(package / "reports")


def test_a_page_that_left_the_book_leaves_the_stage(root: Path) -> None:
    build(root)
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    build(root)
    assert not list((root / "_build/stage").rglob("one.ipynb"))
    assert not list((root / "_build/stage").rglob("text.md"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chapters", "chapters/one.ipynb", "_static/lost.css", "index.md"])
def test_a_dangling_link_in_the_stage_is_repaired(root: Path, name: str) -> None:
    build(root)
    link = root / "_build/stage" / name
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(root / "nowhere")
    build(root)
    assert printed(root) == "replay synthetic\n"
    assert (root / "_build/stage/index.md").read_text() == "# Front\n"
    assert not any(path.is_symlink() for path in (root / "_build/stage").rglob("*"))


@pytest.mark.slow
def test_a_staged_chapter_that_is_cut_short_is_executed_again(root: Path) -> None:
    build(root)
    before = damaged(root / "_build/stage/chapters/one.ipynb", "cut short")
    assert build(root)[0].startswith("chapters/one.ipynb: executed in")
    assert json.loads(before)["cells"][2]["outputs"] == staged(root)["cells"][2]["outputs"]


# --- Side by side --------------------------------------------------------------------------------


@pytest.fixture
def two_chapters(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a book of two chapters, on a machine that has two cores."""
    monkeypatch.setattr("fmnist_utils.book.site.core_count", lambda: 2)
    files = [{"file": f"chapters/{name}"} for name in ("one", "two")]
    toc = {"format": "jb-book", "root": "index", "chapters": files}
    (root / "_toc.yml").write_text(yaml.safe_dump(toc))
    return root


def meet(root: Path, mine: str, other: str) -> NotebookNode:
    """Wait in a cell until a cell with the opposite names runs at the same time."""
    lines = ["import pathlib, time", f"here = pathlib.Path({str(root)!r})"]
    lines += [f"(here / {mine!r}).touch()", f"while not (here / {other!r}).exists():"]
    return code("\n".join([*lines, "    time.sleep(0.05)", f"print({mine!r})"]))


@pytest.mark.slow
def test_chapters_run_side_by_side_and_are_told_of_in_order(two_chapters: Path) -> None:
    root = two_chapters
    where = code("import os; print(os.getcwd())")
    slow = code("import time; time.sleep(1)")
    write(root / "chapters/one.ipynb", meet(root, "a", "b"), slow, where)
    write(root / "chapters/two.ipynb", meet(root, "b", "a"), where)
    lines = build(root)
    assert [line.partition(":")[0] for line in lines] == [
        "chapters/one.ipynb",
        "chapters/two.ipynb",
    ]
    (first, one), (second, two) = (
        printed(root, f"chapters/{name}.ipynb").split() for name in ("one", "two")
    )
    assert (first, second) == ("a", "b")
    assert one != two and not Path(one).exists() and not Path(two).exists()


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["one", "two"])
def test_one_that_fails_ends_the_others(two_chapters: Path, failing: str) -> None:
    root = two_chapters
    endless = code("import time\nwhile True: time.sleep(1)")
    for name, mine, other in (("one", "a", "b"), ("two", "b", "a")):
        # What stands before the failing chapter is waited for: one error is told, always the same.
        end = code("1 / 0") if name == failing else endless if name == "two" else code("2")
        write(root / f"chapters/{name}.ipynb", meet(root, mine, other), end)
    with pytest.raises(BookError, match=rf"chapters/{failing}.ipynb, cell 2: ZeroDivisionError"):
        build(root)
    staged_pages = sorted(path.stem for path in (root / "_build/stage/chapters").glob("*.ipynb"))
    assert staged_pages == ([] if failing == "one" else ["one"])


@pytest.mark.slow
def test_what_trains_runs_alone(two_chapters: Path) -> None:
    root = two_chapters
    lines = [f"import pathlib, time; path = pathlib.Path({str(root / 'running')!r})"]
    lines += ["path.touch(exist_ok=False)", "time.sleep(0.3)", "path.unlink()"]
    for name in ("one", "two"):
        write(root / f"chapters/{name}.ipynb", code("\n".join(lines)))
    assert len(build(root, mode="full")) == 2


@pytest.mark.parametrize("times", [2, 3])
def test_a_kernel_whose_port_is_taken_is_started_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    from nbclient import NotebookClient

    start, calls = NotebookClient.setup_kernel, itertools.count(1)

    def taken(*arguments: Any, **settings: Any) -> Any:
        if next(calls) <= times:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return start(*arguments, **settings)

    monkeypatch.setattr(NotebookClient, "setup_kernel", taken)
    if times == 2:
        assert build(root)[0].startswith("chapters/one.ipynb: executed in")
    else:
        with pytest.raises(BookError, match=r"one.ipynb: no kernel starts: Kernel died before"):
            build(root)


@pytest.mark.slow
def test_a_kernel_that_never_starts_is_one_sentence(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / "stand-in").mkdir()
    taken = "raise OSError('Address already in use')"
    (root / "stand-in/ipykernel_launcher.py").write_text(taken)
    monkeypatch.setenv("PYTHONPATH", str(root / "stand-in"))
    with pytest.raises(BookError, match=r"kernel starts: .*\(OSError: Address already in use\)\.$"):
        build(root)
    assert capfd.readouterr() == ("", "")


# --- What goes wrong -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_failing_cell_is_named_and_replaces_nothing(root: Path) -> None:
    build(root)
    before = staged(root)
    write_chapter(root, code(PARAMETERS, "parameters"), code("1"), code("{}['no\\nsuch key']"))
    with pytest.raises(BookError) as caught:
        build(root)
    sentence = str(caught.value)
    assert sentence.startswith("chapters/one.ipynb, cell 3: KeyError: ")
    assert "\n" not in sentence
    assert "Traceback" in (root / "_build/logs/chapters.one.log").read_text()
    assert staged(root) == before
    with pytest.raises(BookError):
        build(root)


@pytest.mark.slow
def test_a_kernel_that_dies_is_one_sentence(root: Path) -> None:
    write_chapter(root, code("import os; os._exit(1)"))
    with pytest.raises(BookError, match=r"one.ipynb, cell 1: the kernel died"):
        build(root)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cells",
    [
        ("1", "import sys\nsys.exit()", "2"),
        ("1", "raise SystemExit(0)"),
        ("1", "exit()"),
        ("1", "import os\nos._exit(0)"),
    ],
    ids=lambda cells: cells[1],
)
def test_a_cell_that_ends_its_kernel_is_named(root: Path, cells: tuple[str, ...]) -> None:
    write_chapter(root, *map(code, cells))
    with pytest.raises(BookError, match=r"^chapters/one.ipynb, cell 2: (it ends the|the kernel)"):
        build(root)
    assert not list((root / "_build/stage").rglob("*.ipynb"))


@pytest.mark.slow
def test_a_cell_that_hangs_is_named(root: Path) -> None:
    write_chapter(root, code("while True: pass"))
    with pytest.raises(
        BookError, match=r"one.ipynb, cell 1: it was still running after 1 s; --cel"
    ):
        build(root, cell_timeout=1)


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, book.CELL_TIMEOUT),
        ({"mode": "smoke"}, None),
        ({"cell_timeout": 7}, 7),
        ({"mode": "full", "cell_timeout": 7}, 7),
    ],
)
def test_a_cell_has_a_limit_where_nothing_is_trained(
    root: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], limit: int | None
) -> None:
    from nbclient import NotebookClient

    asked = []

    def start(client: NotebookClient, **_: Any) -> None:
        asked.append(client.timeout)
        raise RuntimeError("enough seen")

    monkeypatch.setattr(NotebookClient, "setup_kernel", start)
    with pytest.raises(BookError, match="enough seen"):
        build(root, **settings)
    assert set(asked) == {limit}


def test_in_a_pipe_a_line_says_now_and_then_what_is_running(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = root / "heard"

    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            if "chapters/one.ipynb, cell 2 of 2" in text:
                heard.touch()
            return super().write(text)

    wait = f"import os, time\nwhile not os.path.exists({str(heard)!r}): time.sleep(0.05)"
    write_chapter(root, code(PARAMETERS, "parameters"), code(wait))
    monkeypatch.setattr(kernels, "_BEAT", 0.1)
    pipe = Pipe()
    build(root, console=Console(file=pipe))
    lines = pipe.getvalue().splitlines()
    assert "Executing chapters/one.ipynb, cell 2 of 2" in lines
    assert lines[-1].startswith("chapters/one.ipynb: executed in")


@pytest.mark.parametrize("source", ["N = 2 * 5", "N = M = 1", "print(1)", "N ="])
def test_parameters_are_plain_values(root: Path, source: str) -> None:
    write_chapter(root, code(source, "parameters"))
    with pytest.raises(BookError, match="may only set names to plain values"):
        build(root)


def test_a_missing_page_is_named(root: Path) -> None:
    (root / "chapters/text.md").unlink()
    with pytest.raises(BookError, match=r"_toc.yml lists chapters/text, but this folder has no"):
        build(root)


@pytest.mark.parametrize(
    "content",
    [
        "# One",
        '{"cells": [1], "metadata": {}}',
        '{"cells": [], "metadata": 3}',
        '{"cells": [{"cell_type": "markdown", "source": "a"}], "metadata": {}}',
        '{"cells": [{"cell_type": "markdown", "source": 3, "metadata": {}}], "metadata": {}}',
        '{"cells": [{"cell_type": "code", "source": "1", "metadata": {}}], "metadata": {}}',
        '{"cells": [{"cell_type": "raw", "source": "", "metadata": null}], "metadata": {}}',
        pytest.param("[" * 200_000, id="deep"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(root: Path, content: str) -> None:
    (root / "chapters/one.ipynb").write_text(content)
    with pytest.raises(BookError, match=r"one.ipynb is not a notebook"):
        build(root)


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("_toc.yml", "", "_toc.yml holds no settings"),
        ("_toc.yml", "format: jb-book", "_toc.yml lists no page"),
        ("_config.yml", "", "_config.yml holds no settings"),
        ("_config.yml", "html: dark", "_config.yml: html holds no settings"),
        ("_toc.yml", "root: caf\xe9", "_toc.yml is not valid YAML: .*utf-8"),
        ("_toc.yml", 'root: "\\U00110000"', "_toc.yml is not valid YAML: "),
        ("_config.yml", "title: 2026-99-99", "_config.yml is not valid YAML: [^\n]*$"),
        ("_config.yml", "title: [a\nhtml: ]b", "_config.yml is not valid YAML: [^\n]*$"),
        ("_toc.yml", "root: /etc/passwd", "_toc.yml lists /etc/passwd, but this folder has no"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    root: Path, name: str, content: str, wrong: str
) -> None:
    (root / name).write_text(content, encoding="latin-1")
    with pytest.raises(BookError, match=wrong):
        build(root)


def test_settings_that_are_there_are_not_called_missing(root: Path) -> None:
    (root / "_toc.yml").unlink()
    (root / "_toc.yml").mkdir()
    with pytest.raises(IsADirectoryError):  # which the command tells in a sentence
        build(root)


def test_a_blank_key_of_the_settings_is_an_empty_one(root: Path) -> None:
    (root / "_config.yml").write_text("title: A\nhtml:\nbibtex_bibfiles:\n")
    (root / "index.md").write_text("# Front\n")
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    build(root)
    config = yaml.safe_load((root / "_build/stage/_config.yml").read_text())
    assert "Preview" in config["html"]["announcement"]


def test_output_that_does_not_arrive_is_no_cell_that_hangs(root: Path) -> None:
    from nbclient.exceptions import CellTimeoutError

    watch: Any = SimpleNamespace(place="chapters/one.ipynb, cell 3")
    for wait, told in (("IOPub output", "output did not arrive"), ("execute reply", "still run")):
        error = CellTimeoutError.error_from_timeout_and_cell(
            f"Timeout waiting for {wait}", 600, code("'IOPub'")
        )
        sentence = kernels._sentence(error, watch, Kernels(1800), "", root)
        assert sentence and told in sentence and ("1800 s" in sentence) == (told == "still run")


def test_a_folder_without_a_book_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BookError, match=r"There is no _toc.yml here"):
        build(tmp_path)


# --- Which images --------------------------------------------------------------------------------


def test_without_images_a_preview_is_built_and_said_so(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(root / "nowhere"))
    lines = build(root, data="auto")
    assert "preview on synthetic garments" in lines[0]
    assert "synthetic" in printed(root)
    config = yaml.safe_load((root / "_build/stage/_config.yml").read_text())
    assert "banner synthetic" in config["html"]["announcement"]
    with pytest.raises(DataError):
        build(root, data="real")


def test_with_images_there_is_no_banner(
    root: Path, real_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(real_data_dir.parent)
    monkeypatch.setenv("FMNIST_DATA_DIR", real_data_dir.name)
    cells = [code(PARAMETERS, "parameters")]
    write_chapter(root, *cells, code("import os; print(DATA, os.environ['FMNIST_DATA_DIR'])"))
    build(root, data="auto")
    assert printed(root) == f"real {real_data_dir.resolve()}\n"
    config = yaml.safe_load((root / "_build/stage/_config.yml").read_text())
    assert not config["html"]["announcement"]


# --- Chapters executed elsewhere -----------------------------------------------------------------


def execute_elsewhere(root: Path, folder: Path) -> Path:
    """Stand in for a job that ran the chapter with papermill on another machine."""
    import papermill

    folder.mkdir()
    chapter, target = root / "chapters/one.ipynb", folder / "one.ipynb"
    values = {"MODE": "smoke", "DATA": "synthetic"}
    papermill.execute_notebook(chapter, target, values, language="python", kernel_name="python3")
    return target


def test_an_executed_chapter_is_taken(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    ready = execute_elsewhere(root, tmp_path_factory.mktemp("ci") / "executed")
    said = build(root, mode="smoke", executed=ready.parent)
    assert said == ["chapters/one.ipynb: taken as executed"]
    assert printed(root) == "smoke synthetic\n"
    assert "papermill" not in json.dumps(staged(root))
    with pytest.raises(BookError, match=r"one.ipynb was executed with MODE = 'smoke', not"):
        build(root, executed=ready.parent)


def test_an_executed_chapter_must_be_this_chapter_and_complete(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ready = execute_elsewhere(root, tmp_path_factory.mktemp("ci") / "executed")
    notebook = json.loads(ready.read_text())
    notebook["cells"][-1]["execution_count"] = None
    ready.write_text(json.dumps(notebook))
    with pytest.raises(BookError, match="not executed to its end"):
        build(root, mode="smoke", executed=ready.parent)
    notebook["cells"][-1].update(execution_count=9, source=["1"])
    ready.write_text(json.dumps(notebook))
    with pytest.raises(BookError, match="another version"):
        build(root, mode="smoke", executed=ready.parent)
    for picture in ("aGVsbG8=", ["aGVs", "bG8="], 5):
        output = {"output_type": "display_data", "metadata": {}, "data": {"image/png": picture}}
        notebook["cells"][-1]["outputs"] = [output]
        ready.write_text(json.dumps(notebook))
        with pytest.raises(BookError, match=r"one\.ipynb holds a picture that cannot be read"):
            build(root, mode="smoke", executed=ready.parent)
    with pytest.raises(BookError, match="There is no folder"):
        build(root, executed=root / "nowhere")


# --- The address of the repository ---------------------------------------------------------------

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,20}", fullmatch=True)
repositories = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}[A-Za-z0-9]", fullmatch=True).filter(
    lambda name: not name.endswith(".git")
)


def badge(address: str, path: str) -> NotebookNode:
    colab = "https://colab.research.google.com"
    link = f"{colab}/github/{address}/blob/main/{path}"
    return nb.new_markdown_cell(f"[![Open in Colab]({colab}/assets/colab-badge.svg)]({link})")


def make_addressed(root: Path, address: str) -> None:
    (root / "_config.yml").write_text(
        f"title: A  # kept\nrepository:\n  url: https://github.com/{address}\n  branch: main\n"
    )
    (root / "CITATION.cff").write_text(
        f'title: A\nrepository-code: "https://github.com/{address}"\n'
    )
    (root / "pyproject.toml").write_text(
        f'[project.urls]\nRepository = "https://github.com/{address}"\n'
    )
    (root / "reference").mkdir(exist_ok=True)
    (root / "reference/cite.md").write_text(
        f"@misc{{a,\n  url     = {{https://github.com/{address}}},\n}}\n"
    )
    for path in ("index.ipynb", "chapters/one.ipynb"):
        install = code(f"%pip install -q git+https://github.com/{address}@main")
        write(root / path, badge(address, path), install)


def check_repository(root: Path) -> list[str]:
    """Hold every Colab badge, install cell and citation to ``_config.yml``."""
    url, branch = repository(root).values()
    problems = []
    for path in notebooks(root):
        name = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        expected = {
            "Colab badge": badge_link(url, branch, name),
            "install cell": install_address(url, branch),
        }
        found = {
            "Colab badge": BADGE_LINK.findall(text),
            "install cell": INSTALL.findall(text),
        }
        for what, links in found.items():
            wrong = [link for link in links if link != expected[what]]
            if not links:
                problems.append(f"{name} has no {what}.")
            problems += [f"{name}: the {what} points to {link}." for link in wrong]
    for named_in, named in NAMED.items():
        for _, stated in named.findall((root / named_in).read_text()):
            if stated != url:
                problems.append(f"{named_in} names the repository {stated}.")
    return problems


@settings(max_examples=25)
@given(owner=names, name=repositories, suffix=st.sampled_from(["", "/", ".git"]))
def test_every_place_follows_the_address(
    tmp_path_factory: pytest.TempPathFactory, owner: str, name: str, suffix: str
) -> None:
    root = tmp_path_factory.mktemp("book")
    make_addressed(root, "old/place")
    assert check_repository(root) == []
    changed = set_repository(root, f"https://github.com/{owner}/{name}{suffix}")
    assert repository(root)["url"] == f"https://github.com/{owner}/{name}"
    assert check_repository(root) == []
    assert len(changed) == 6
    assert "# kept" in (root / "_config.yml").read_text()
    assert "@main" in (root / "index.ipynb").read_text()
    assert set_repository(root, f"https://github.com/{owner}/{name}") == []
    config = (root / "_config.yml").read_text()
    (root / "_config.yml").write_text(config.replace("branch: main", "branch: v1.0"))
    assert len(check_repository(root)) == 4
    set_repository(root, f"https://github.com/{owner}/{name}")
    assert check_repository(root) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("index.ipynb", "main/index.ipynb", "main/other.ipynb", "Colab badge points to"),
        ("index.ipynb", "blob/main", "blob/trunk", "Colab badge points to"),
        ("index.ipynb", "git+https://github.com/old", "git+https://github.com/new", "install cell"),
        ("index.ipynb", "place@main", "place@trunk", "install cell"),
        ("index.ipynb", "place@main", "place", "install cell"),
        ("chapters/one.ipynb", "git+https", "https", "has no install cell"),
        ("chapters/one.ipynb", "/github/", "/", "has no Colab badge"),
        ("CITATION.cff", "old/place", "new/place", "CITATION.cff names"),
        ("pyproject.toml", "old/place", "new/place", "pyproject.toml names"),
        ("reference/cite.md", "old/place", "new/place", "cite.md names"),
    ],
)
def test_a_wrong_address_is_found(
    tmp_path: Path, name: str, old: str, new: str, problem: str
) -> None:
    make_addressed(tmp_path, "old/place")
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new))
    (found,) = check_repository(tmp_path)
    assert Path(name).name in found
    assert problem in found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "old/place",
        "http://github.com/a/b",
        "https://gitlab.com/a/b",
        "https://github.com/a",
        "https://github.com/a/b/c",
        "https://github.com/../b",
        "https://github.com/a/..",
        "https://github.com/a/...git",
        "https://github.com/a/../b",
        "https://github.com/./b",
        "https://github.com/-a/b",
        "https://github.com/a.b/c",
        "https://github.com/ä/b",
        "https://github.com/a/b?c",
        "https://github.com/a/b\n",
        "https://github.com@a/b",
    ],
)
def test_an_address_that_colab_cannot_open_is_refused(tmp_path: Path, url: str) -> None:
    make_addressed(tmp_path, "old/place")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    with pytest.raises(BookError, match="is not of the form") as caught:
        set_repository(tmp_path, url)
    assert "\n" not in str(caught.value)
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize("url", ["", "''"])
def test_a_book_that_states_no_address_is_left_as_it_is(tmp_path: Path, url: str) -> None:
    make_addressed(tmp_path, "old/place")
    config = tmp_path / "_config.yml"
    config.write_text(f"title: A\nrepository:\n  url: {url}\n  branch: main\n")
    before = config.read_text()
    with pytest.raises(BookError, match="does not state the repository's url"):
        set_repository(tmp_path, "https://github.com/new/place")
    assert config.read_text() == before


def test_only_whole_addresses_are_replaced(tmp_path: Path) -> None:
    make_addressed(tmp_path, "old/place")
    old = "https://github.com/old/place"
    others = f"# {old}s, {old}-two, {old}.js and {old}_3 are others\n"
    own = f"# {old}, {old}/issues and {old}.git. Or {old}."
    config = tmp_path / "_config.yml"
    config.write_text(others + own + "\n" + config.read_text())
    set_repository(tmp_path, "https://github.com/new/home")
    text = config.read_text()
    assert text.startswith(others + own.replace("old/place", "new/home"))


def test_a_chapter_that_is_not_utf_8_is_named_and_nothing_changed(tmp_path: Path) -> None:
    make_addressed(tmp_path, "old/place")
    (tmp_path / "chapters/one.ipynb").write_bytes(b"\xff")
    before = (tmp_path / "_config.yml").read_bytes()
    with pytest.raises(BookError, match=r"^one.ipynb is not UTF-8"):
        set_repository(tmp_path, "https://github.com/new/home")
    assert (tmp_path / "_config.yml").read_bytes() == before


# --- This book -----------------------------------------------------------------------------------


def test_every_badge_and_install_cell_of_this_book_is_right() -> None:
    assert check_repository(ROOT) == []


def test_the_page_on_citing_says_what_the_project_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    page = (ROOT / "reference/cite.md").read_text()
    fields = dict(re.findall(r"(\w+)\s*= \{(.*)\},", page))
    assert fields["version"] == citation["version"]
    assert fields["date"] == str(citation["date-released"])
    assert fields["date"].startswith(fields["year"])
    assert re.sub("[{}]", "", fields["title"]) == citation["title"]


def test_every_chapter_of_this_book_is_listed() -> None:
    listed = set(pages(ROOT))
    chapters = (ROOT / "chapters").glob("*.ipynb")
    written = (path for part in ("record", "reference") for path in (ROOT / part).glob("*.md"))
    assert listed == {ROOT / "index.ipynb", *chapters, *written}
    assert pages(ROOT)[0] == ROOT / "index.ipynb"


# --- Refreshing the sources ----------------------------------------------------------------------


def refresh(root: Path) -> list[str]:
    said = io.StringIO()
    refresh_chapters(root, Console(file=said))
    return said.getvalue().splitlines()


def test_refresh_stores_outputs_in_the_source_and_leaves_its_parameters(
    root: Path, real_data_dir: Path
) -> None:
    write_chapter(
        root,
        code(PARAMETERS, "parameters"),
        code("import os\nprint(MODE, DATA, os.listdir())", mystnb={"image": {"alt": "x"}}),
        code("print(1, flush=True)\nprint(2, flush=True)"),  # what is sent in two pieces is one
    )
    assert refresh(root) == ["chapters/one.ipynb: refreshed"]
    text = (root / "chapters/one.ipynb").read_text()
    _, parameters, shown, flushed = json.loads(text)["cells"]
    assert "".join(parameters["source"]) == PARAMETERS
    assert [part["text"] for part in flushed["outputs"]] == [["1\n", "2\n"]]
    assert parameters["metadata"] == {"tags": ["parameters"]}
    assert shown["outputs"][0]["text"] == ["replay real []\n"]
    assert shown["metadata"] == {"mystnb": {"image": {"alt": "x"}}}
    assert str(root) not in text and "papermill" not in text
    refresh(root)
    assert (root / "chapters/one.ipynb").read_text() == text


@pytest.mark.slow
def test_refresh_leaves_the_source_of_a_chapter_that_fails(root: Path, real_data_dir: Path) -> None:
    write_chapter(root, code(PARAMETERS, "parameters"), code("1 / 0"))
    before = (root / "chapters/one.ipynb").read_bytes()
    with pytest.raises(BookError, match=r"chapters/one.ipynb, cell 2: ZeroDivisionError"):
        refresh(root)
    assert (root / "chapters/one.ipynb").read_bytes() == before


def test_refresh_takes_the_pages_it_is_given_and_refuses_unknown_ones(
    root: Path, real_data_dir: Path
) -> None:
    write_chapter(root, code(PARAMETERS, "parameters"), code("print(1)"))
    refresh_chapters(root, Console(file=io.StringIO()), names=["chapters/one.ipynb"])
    before = (root / "chapters/one.ipynb").read_bytes()
    with pytest.raises(BookError, match=r"no notebook chapters/two; it has .*chapters/one"):
        refresh_chapters(root, Console(file=io.StringIO()), names=["chapters/one", "chapters/two"])
    assert (root / "chapters/one.ipynb").read_bytes() == before
