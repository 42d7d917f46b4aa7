"""Build the book: chapters onto the stage, then the stage into a site that is whole."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from filelock import FileLock, Timeout
from rich.console import Console

from fmnist_utils.book.kernels import Kernels, execute, side_by_side
from fmnist_utils.book.notebooks import BookError, dump, plain_text
from fmnist_utils.book.postprocess import postprocess
from fmnist_utils.book.stage import (
    Images,
    Mode,
    Stage,
    chapters,
    digest,
    pages,
    tree_digests,
    versions,
)
from fmnist_utils.console import say
from fmnist_utils.machine import core_count
from fmnist_utils.records import write_atomically

#: What the extra "book" brings.
_TOOLS = (
    "ipykernel", "itables", "jupyter_book", "nbclient", "nbformat", "numpydoc", "pagefind",
    "pagefind_bin", "papermill", "sphinx_codeautolink",
)  # fmt: skip

#: Seconds that a cell may take where nothing is trained, unless the user says otherwise: the
#: slowest, which loads Keras, takes ten on an idle machine.
CELL_TIMEOUT = 1800


def build_book(
    root: Path,
    *,
    mode: Mode = "replay",
    data: Literal["auto", "real", "synthetic"] = "auto",
    executed: Path | None = None,
    cell_timeout: int | None = None,
    console: Console | None = None,
) -> Path:
    """Execute the chapters that changed and render the book, every warning an error.

    A chapter is executed again only when its cells, its parameters, the package, a library version,
    or file or runs of a report at which it looked changed. Whatever fails or is interrupted,
    ``_build/html`` holds the last book that was complete.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``_config.yml`` and ``_toc.yml``.
    mode : {"replay", "smoke", "full"}
        The chapters' parameter ``MODE``.
    data : {"auto", "real", "synthetic"}
        Which images the chapters' parameter ``DATA`` asks for; "auto" falls back on synthetic
        garments when the real ones cannot be had, and says so on every page.
    executed : pathlib.Path, optional
        Take notebooks of the same name from this folder instead of executing them here.
    cell_timeout : int, optional
        How many seconds a cell may take; by default `CELL_TIMEOUT` in replay mode, and as long as
        it likes where chapters train.
    console : rich.console.Console, optional
        Where progress is shown.

    Returns
    -------
    pathlib.Path
        The front page, ``_build/html/index.html``.

    Raises
    ------
    BookError
        When a chapter fails, or a page does not render cleanly; when a tool is not installed, or
        another command is building this book.
    DataError
        When `data` is "real" and the images cannot be had.
    """
    console = console or Console()
    root = root.resolve()
    front, *others = pages(root)
    _check_tools()
    if executed is not None and not executed.is_dir():
        raise BookError(f"There is no folder {executed} with executed notebooks.")
    with _alone(root):
        images = _find_images(data, console)
        limit = cell_timeout or (CELL_TIMEOUT if mode == "replay" else None)
        kernels = Kernels(limit, _environment(images))
        stage = Stage(root, mode, images, executed, kernels)
        stage.add_site_files()
        # Side by side where nothing is trained: two trainings would share one GPU's memory.
        cores = core_count() if mode == "replay" else 1
        # The front page comes last: it counts what the chapters may just have trained.
        in_order = (*others, front)
        with side_by_side(stage.add, in_order, cores, kernels, console) as results:
            for page, outcome in results:
                if outcome:
                    say(console, f"{page.relative_to(root)}: {outcome}")
            if outcome := stage.add_record():
                say(console, f"record: {outcome}")
        stage.remove_stale()
        return _render(root / "_build", console)


def refresh_chapters(
    root: Path,
    console: Console | None = None,
    *,
    names: Sequence[str] = (),
    cell_timeout: int | None = None,
) -> None:
    """Execute notebooks in replay mode and store their outputs in the source itself.

    What is committed this way is what ``pytest --nbval`` holds a later run to: shipped runs only,
    on the real images.

    Parameters
    ----------
    root : pathlib.Path
        The repository.
    console : Console, optional
        Where it is told what goes on.
    names : sequence of str
        Pages, as ``_toc.yml`` spells them; all of the book by default.
    cell_timeout : int, optional
        How many seconds a cell may take; as in a build of the book by default.

    Raises
    ------
    BookError
        When a chapter fails, its source stays as it was; when a tool is not installed, or another
        command is building this book.
    DataError
        When the images cannot be had.
    """
    console = console or Console()
    root = root.resolve()
    notebooks = _named(root, names)
    _check_tools()

    def refreshed(page: Path) -> None:
        name = page.relative_to(root)
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(page, name, {}, Path(folder), root / "_build/logs", kernels)
        write_atomically(page, dump(notebook))

    with _alone(root):
        images = _find_images("real", console)
        kernels = Kernels(cell_timeout or CELL_TIMEOUT, _environment(images))
        with side_by_side(refreshed, notebooks, core_count(), kernels, console) as results:
            for page, _ in results:
                say(console, f"{page.relative_to(root)}: refreshed")


def _named(root: Path, names: Sequence[str]) -> list[Path]:
    """Return the notebooks of these names, or all; ``chapters/baltzi.ipynb`` is a name as well."""
    known = {page.relative_to(root).with_suffix("").as_posix(): page for page in chapters(root)}
    asked = {name.removesuffix(".ipynb") for name in names}
    if unknown := asked - known.keys():
        raise BookError(
            f"The book has no notebook {', '.join(sorted(unknown))}; it has {', '.join(known)}."
        )
    return [page for name, page in known.items() if not asked or name in asked]


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other commands from the book meanwhile: two would take files from under each other."""
    build = root / "_build"
    build.mkdir(exist_ok=True)
    try:
        with FileLock(build / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise BookError(
            "Another command is at work on the book in this folder: wait until it has ended."
        ) from error


def _check_tools() -> None:
    """Ask for all tools at once, before a chapter trains for hours and cannot be rendered."""
    missing = [name for name in _TOOLS if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise BookError(f"Building the book needs {names}: pip install fmnist-utils[book].")


def _find_images(data: str, console: Console) -> Images:
    """Make sure of the images once, so that no chapter has to fetch them."""
    if data == "synthetic":
        return Images("synthetic", None)

    from fmnist_utils.data.download import fetch_data
    from fmnist_utils.data.fashion_mnist import DataError

    if data == "real":
        return Images("real", fetch_data().resolve())
    try:
        # Without a network a preview begins within seconds.
        return Images("real", fetch_data(retries=0, timeout=5.0).resolve())
    except DataError as error:
        say(console, f"Building a preview on synthetic garments: {error}")
        return Images("synthetic", None)


def _environment(images: Images) -> dict[str, str]:
    """Return the environment variables of the kernels."""
    folder = {} if images.folder is None else {"FMNIST_DATA_DIR": str(images.folder)}
    return {"TF_CPP_MIN_LOG_LEVEL": "3", **folder}


# --- Rendering -----------------------------------------------------------------------------------


def _render(build: Path, console: Console) -> Path:
    """Render the stage from nothing, and put the site in place when it is complete.

    Sphinx's own incremental build is not used: it forgets the warnings of pages that it does not
    read again, and leaves old titles in the sidebars of unchanged pages.
    """
    site, work, aside = build / "html", build / "render", build / "html.last"
    if aside.exists() and not site.exists():  # interrupted between the two moves below
        os.replace(aside, site)
    shutil.rmtree(aside, ignore_errors=True)
    # The package too: its docstrings stand on the reference pages.
    package = Path(__file__).parents[1]
    made_from = digest([tree_digests(build / "stage"), tree_digests(package, "*.py"), versions()])
    if _stamp(site) == [made_from, *_files(site)]:
        return site / "index.html"
    shutil.rmtree(work, ignore_errors=True)
    fresh = work / "_build/html"
    with console.status("Rendering the pages"):
        _jupyter_book(build, work)
        postprocess(fresh)
    _refuse_gaps(build / "stage", fresh)
    (fresh / _STAMP).write_text(json.dumps([made_from, *_files(fresh)]))
    if site.exists():
        os.replace(site, aside)
    os.replace(fresh, site)
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(work)
    return site / "index.html"


#: In the site, what it was made from, and every other file with its digest.
_STAMP = ".made-from"


def _files(site: Path) -> list[list[str]]:
    return [list(file) for file in tree_digests(site)]


def _stamp(site: Path) -> Any:
    """Read a site's stamp; None when it has none."""
    try:
        return json.loads((site / _STAMP).read_text())
    except (OSError, ValueError):
        return None


def _refuse_gaps(stage: Path, site: Path) -> None:
    """Hold a site against what it is made from: all pages, and all files that they name.

    Raises
    ------
    BookError
        When a page, or a file of this site that a page names, is missing.
    """
    for page in pages(stage):
        if not (site / page.relative_to(stage).with_suffix(".html")).is_file():
            raise BookError(f"The rendered site lacks the page {page.relative_to(stage)}: {_AGAIN}")
    for page in (path for path in site.rglob("*.html") if "_static" not in path.parts):
        for name in set(_NAMED.findall(page.read_text(encoding="utf-8"))):
            if not (page.parent / unquote(name)).exists():
                where = page.relative_to(site)
                raise BookError(f"The rendered site lacks {name}, which {where} names: {_AGAIN}")


_AGAIN = "run the same command again."
#: What a page names of its own site: neither an address with a scheme or host, nor data.
_NAMED = re.compile(r"""\s(?:src|href)="(?![\w+.-]+:|//)([^"#?]+)""")


def _jupyter_book(build: Path, work: Path) -> None:
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    command += ["stage", "--path-output", str(work), "-W", "--keep-going", "-n"]
    result = subprocess.run(
        command,
        cwd=build,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = build / "logs/jupyter-book.log"
    text = plain_text(result.stdout).replace(f"{build / 'stage'}/", "")
    write_atomically(log, text.encode())
    if result.returncode == 0:
        return
    problems = re.findall(r"^.*(?:WARNING|ERROR|CRITICAL): .*$", text, re.MULTILINE)
    first = problems[0] if problems else (text.strip().splitlines() or ["no message"])[-1]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise BookError(
        f"The pages do not render without warnings: {first}{more}; "
        f"the whole log is {log.relative_to(build.parent)}."
    )
