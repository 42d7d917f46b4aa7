"""Run the chapters and render the book: papermill, then jupyter-book."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import yaml
from rich.console import Console

from fmnist_utils.book.notebooks import (
    BookError,
    Kernels,
    adopted,
    declared_parameters,
    dump,
    execute,
    plain_text,
    read_notebook,
    read_yaml,
    source,
)
from fmnist_utils.records import write_whole

Mode = Literal["replay", "smoke", "full"]
Source = Literal["real", "synthetic"]
_Result = TypeVar("_Result")

#: What the extra "book" brings.
_TOOLS = ("ipykernel", "jupyter_book", "nbclient", "nbformat", "papermill")

#: Key of the notebook metadata that says what an executed chapter was made from.
_MADE_FROM = "fmnist_made_from"

#: Where a chapter in full mode leaves what it trains, and which files there a page depends on:
#: of a search the tables, not the books that its tool keeps.
_TRAINED = {"runs": "*.json", "searches": "trials.json"}

_BANNERS = {
    "synthetic": (
        '<div class="banner synthetic"><strong>Preview on synthetic garments.</strong> This book '
        "was built without the Fashion-MNIST images: every garment shown here, and whatever is "
        "computed from images, comes from garments drawn by program.</div>"
    ),
    "smoke": (
        '<div class="banner smoke"><strong>Smoke run.</strong> Numbers on these pages come from a '
        "few training steps: they show that the code works, nothing else.</div>"
    ),
    "full": (
        '<div class="banner full">Full run: what the shipped runs lack was trained when this book '
        "was built.</div>"
    ),
}

# --- What the book consists of -------------------------------------------------------------------


def pages(root: Path) -> list[Path]:
    """List the files of all pages in the order of ``_toc.yml``, the front page first.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``_config.yml`` and ``_toc.yml``.

    Raises
    ------
    BookError
        When there is no book in the folder, it lists no page, or a page of it is missing.
    """
    names = list(_page_names(read_yaml(root / "_toc.yml")))
    if not names:
        raise BookError("_toc.yml lists no page: give it at least a root.")
    return [_page_file(root, name) for name in names]


def chapters(root: Path) -> list[Path]:
    """List the notebooks among the pages: those are executed, other pages are copied."""
    return [page for page in pages(root) if page.suffix == ".ipynb"]


def _page_names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (str(node[key]) for key in ("root", "file") if key in node)
        for value in node.values():
            yield from _page_names(value)
    elif isinstance(node, list):
        for item in node:
            yield from _page_names(item)


def _page_file(root: Path, name: str) -> Path:
    for candidate in (root / f"{name}.ipynb", root / f"{name}.md", root / name):
        if candidate.is_file():
            return candidate
    raise BookError(f"_toc.yml lists {name}, but there is no {name}.ipynb or {name}.md.")


# --- Building ------------------------------------------------------------------------------------


def build_book(
    root: Path,
    *,
    mode: Mode = "replay",
    data: Literal["auto", "real", "synthetic"] = "auto",
    executed: Path | None = None,
    console: Console | None = None,
) -> Path:
    """Execute the chapters that changed and render the book, every warning an error.

    A chapter is executed again only when its cells, its parameters, the package with its reports
    and runs, or a library version changed. Whatever fails or is interrupted, ``_build/html`` holds
    the last book that was complete.

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
    console : rich.console.Console, optional
        Where progress is shown.

    Returns
    -------
    pathlib.Path
        The front page, ``_build/html/index.html``.

    Raises
    ------
    BookError
        When a chapter fails, or a page does not render cleanly; or when a tool is not installed.
    DataError
        When `data` is "real" and the images cannot be had.
    """
    console = console or Console()
    root = root.resolve()
    front, *others = pages(root)
    _check_tools()
    if executed is not None and not executed.is_dir():
        raise BookError(f"There is no folder {executed} with executed notebooks.")
    images = _find_images(data, console)
    staged = _stage_spine(root, [name for name in (images.source, mode) if name in _BANNERS])
    kernels = Kernels()
    chapter_maker = _ChapterMaker(root, mode, images, executed, kernels)
    # Side by side where nothing is trained: two trainings would share one GPU's memory.
    cores = (os.cpu_count() or 1) if mode == "replay" else 1
    # The front page comes last: it counts what the chapters may just have trained.
    in_order = (*others, front)
    with (
        _environment(chapter_maker.surroundings),
        _side_by_side(chapter_maker.stage, in_order, cores, kernels) as results,
    ):
        for page, result in zip(in_order, results, strict=True):
            with console.status(f"Executing {page.relative_to(root)}"):
                path, outcome = result.result()
            if outcome:
                _say(console, f"{page.relative_to(root)}: {outcome}")
            staged.add(path)
    for left_over in {path for path in _stage_of(root).rglob("*") if path.is_file()} - staged:
        left_over.unlink()
    return _render(root / "_build", console)


def refresh_chapters(root: Path, console: Console | None = None) -> None:
    """Execute every notebook in replay mode and store its outputs in the source itself.

    What is committed this way is what ``pytest --nbval`` holds a later run to: shipped runs only,
    on the real images.

    Raises
    ------
    BookError
        When a chapter fails, its source stays as it was; or when a tool is not installed.
    DataError
        When the images cannot be had.
    """
    console = console or Console()
    root = root.resolve()
    notebooks = chapters(root)
    _check_tools()
    images = _find_images("real", console)
    kernels = Kernels()

    def refreshed(page: Path) -> None:
        name = page.relative_to(root)
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(page, name, {}, Path(folder), root / "_build/logs", kernels)
        write_whole(page, dump(notebook))

    with (
        _environment({"FMNIST_DATA_DIR": str(images.folder)}),
        _side_by_side(refreshed, notebooks, os.cpu_count() or 1, kernels) as results,
    ):
        for page, result in zip(notebooks, results, strict=True):
            with console.status(f"Executing {page.relative_to(root)}"):
                result.result()
            _say(console, f"{page.relative_to(root)}: refreshed")


def _check_tools() -> None:
    """Check that all tools are installed, before a chapter trains and cannot be rendered."""
    missing = [name for name in _TOOLS if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise BookError(f"Building the book needs {names}: pip install fmnist-utils[book].")


class _Images(NamedTuple):
    source: Source
    folder: Path | None


def _find_images(data: str, console: Console) -> _Images:
    """Find or download the images once, so that no chapter has to do it."""
    if data == "synthetic":
        return _Images("synthetic", None)

    from fmnist_utils.data.download import fetch_data
    from fmnist_utils.data.fashion_mnist import DataError

    if data == "real":
        return _Images("real", fetch_data().resolve())
    try:
        # Without a network a preview begins within seconds.
        return _Images("real", fetch_data(retries=0, timeout=5.0).resolve())
    except DataError as error:
        _say(console, f"Building a preview on synthetic garments: {error}")
        return _Images("synthetic", None)


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, highlight=False, markup=False, soft_wrap=True)


def _stage_of(root: Path) -> Path:
    return root / "_build/stage"


def _stage(root: Path, name: Path, content: bytes) -> Path:
    path = _stage_of(root) / name
    write_whole(path, content)
    return path


def _stage_spine(root: Path, banners: Iterable[str]) -> set[Path]:
    """Stage settings, bibliography and style; banners go into the copy of ``_config.yml`` only."""
    config = read_yaml(root / "_config.yml")
    html = config.setdefault("html", {})
    own = html.get("announcement") or ""
    html["announcement"] = own + "".join(_BANNERS[name] for name in banners)
    config_text = yaml.safe_dump(config, sort_keys=False)
    extras = [root / name for name in ("_toc.yml", *config.get("bibtex_bibfiles", []))]
    extras += (path for path in (root / "_static").rglob("*") if path.is_file())
    return {
        _stage(root, Path("_config.yml"), config_text.encode()),
        *(_stage(root, path.relative_to(root), path.read_bytes()) for path in extras),
    }


# --- Chapters ------------------------------------------------------------------------------------


@contextmanager
def _side_by_side(
    work: Callable[[Path], _Result], pages: Iterable[Path], workers: int, kernels: Kernels
) -> Iterator[list[Future[_Result]]]:
    """Process pages in several threads, and stop all when one fails or on Ctrl-C."""
    failed = threading.Event()

    def attempt(page: Path) -> _Result:
        if failed.is_set():
            raise CancelledError
        try:
            return work(page)
        except BaseException:
            failed.set()
            raise

    pool = ThreadPoolExecutor(workers)
    try:
        yield [pool.submit(attempt, page) for page in pages]
    except BaseException:
        failed.set()
        kernels.end()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _ChapterMaker:
    """Writes executed chapters, and other pages unchanged, to the folder that is rendered."""

    def __init__(
        self, root: Path, mode: Mode, images: _Images, executed: Path | None, kernels: Kernels
    ) -> None:
        self._root, self._mode, self._images = root, mode, images
        self._executed, self._kernels = executed, kernels
        self._world = _digest([_tree_digests(Path(__file__).parents[1]), _versions()])

    @property
    def surroundings(self) -> dict[str, str]:
        """The environment variables that kernels are to start with."""
        folder = self._images.folder
        return {"TF_CPP_MIN_LOG_LEVEL": "3"} | ({"FMNIST_DATA_DIR": str(folder)} if folder else {})

    def stage(self, page: Path) -> tuple[Path, str]:
        """Stage one page; return its path and how it was made, such as ``unchanged``."""
        name = page.relative_to(self._root)
        if page.suffix != ".ipynb":
            return _stage(self._root, name, page.read_bytes()), ""
        staged = _stage_of(self._root) / name
        parameters = self._parameters(page)
        start = time.perf_counter()
        ready = self._executed / page.name if self._executed is not None else None
        if ready is not None and ready.exists():
            notebook = adopted(page, ready)
            outcome = "taken as executed"
        elif _known_origin(staged) == self._made_from(page, parameters):
            return staged, "unchanged"
        else:
            with self._folder() as folder:
                logs = self._root / "_build/logs"
                notebook = execute(page, name, parameters, folder, logs, self._kernels)
            # Looked at anew: in full mode the chapter may just have added to the runs.
            notebook["metadata"][_MADE_FROM] = self._made_from(page, parameters)
            outcome = f"executed in {time.perf_counter() - start:.0f} s"
        return _stage(self._root, name, dump(notebook)), outcome

    def _parameters(self, page: Path) -> dict[str, Any]:
        given = {"MODE": self._mode, "DATA": self._images.source}
        return {name: given[name] for name in declared_parameters(page) if name in given}

    def _made_from(self, page: Path, parameters: dict[str, Any]) -> str:
        trained = [_tree_digests(self._root / name, files) for name, files in _TRAINED.items()]
        return _digest([self._world, trained, _cells(page), parameters])

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Make a temporary folder to run in, with links to the project's new runs and searches."""
        with tempfile.TemporaryDirectory() as folder:
            for own in (self._root / name for name in _TRAINED):
                if self._mode == "full":
                    own.mkdir(exist_ok=True)
                if own.is_dir():
                    (Path(folder) / own.name).symlink_to(own, target_is_directory=True)
            yield Path(folder)


def _known_origin(staged: Path) -> str | None:
    """Return the digest of what a staged chapter was made from; None when it has none."""
    return read_notebook(staged)["metadata"].get(_MADE_FROM) if staged.exists() else None


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the kernels that are started in the block."""
    before = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# --- What a chapter is made from -----------------------------------------------------------------


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _tree_digests(folder: Path, pattern: str = "*") -> list[tuple[str, str]]:
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return [
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
        if "__pycache__" not in path.parts and not path.name.startswith(".")
    ]


@functools.cache
def _versions() -> list[str]:
    installed = importlib.metadata.distributions()
    return [sys.version, *sorted({f"{item.name}=={item.version}" for item in installed})]


def _cells(page: Path) -> list[Any]:
    cells = read_notebook(page)["cells"]
    return [[cell["cell_type"], source(cell), cell["metadata"]] for cell in cells]


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
    made_from = _digest([_tree_digests(build / "stage"), _versions()])
    stamp = site / ".made-from"
    if (site / "index.html").exists() and stamp.exists() and stamp.read_text() == made_from:
        return site / "index.html"
    shutil.rmtree(work, ignore_errors=True)
    with console.status("Rendering the pages"):
        _jupyter_book(build, work)
    fresh = work / "_build/html"
    (fresh / ".made-from").write_text(made_from)
    if site.exists():
        os.replace(site, aside)
    os.replace(fresh, site)
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(work)
    return site / "index.html"


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
    write_whole(log, text.encode())
    if result.returncode == 0:
        return
    problems = re.findall(r"^.*(?:WARNING|ERROR|CRITICAL): .*$", text, re.MULTILINE)
    first = problems[0] if problems else (text.strip().splitlines() or ["no message"])[-1]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise BookError(
        f"The pages do not render without warnings: {first}{more}; "
        f"the whole log is {log.relative_to(build.parent)}."
    )
