"""The stage: what Sphinx renders, put together from executed chapters and other pages."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib.metadata
import importlib.resources
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from fmnist_utils.book import record_pages
from fmnist_utils.book.kernels import Kernels, execute
from fmnist_utils.book.notebooks import (
    BookError,
    adopted,
    declared_parameters,
    dump,
    read_notebook,
    read_yaml,
    source,
    title,
)
from fmnist_utils.book.record_pages import Build
from fmnist_utils.records import write_atomically
from fmnist_utils.runs.store import LOCAL_RUNS, RunStore
from fmnist_utils.training.provenance import revision

Mode = Literal["replay", "smoke", "full"]

#: Key of the notebook metadata that says what an executed chapter was made from.
_MADE_FROM = "fmnist_made_from"

#: Key of the metadata that says when that was, by which commit and in how many seconds.
_EXECUTED = "fmnist_executed"

#: Where a chapter in full mode leaves what it trains: a page depends on the records there.
_TRAINED = ("runs", "searches")

#: What a kernel runs before a chapter, so that the stage knows at which reports it looked.
_NOTING = "__import__('fmnist_utils.book').book.note_looks({names!r}, {notes!r})"

#: Files of the project that pages show, whole or in part.
_INCLUDED = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "LICENSE-TEXT", "benchmarks/speedrun.py")

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


class Images(NamedTuple):
    """Which images the chapters use, and where the real ones are."""

    source: Literal["real", "synthetic"]
    folder: Path | None


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
        if candidate.is_file() and candidate.resolve().is_relative_to(root.resolve()):
            return candidate
    raise BookError(f"_toc.yml lists {name}, but this folder has no {name}.ipynb or {name}.md.")


# --- Staging -------------------------------------------------------------------------------------


class Stage:
    """The folder that Sphinx renders, ``_build/stage``, for one build.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the book.
    mode : {"replay", "smoke", "full"}
        The chapters' parameter ``MODE``.
    images : Images
        Which images the chapters' parameter ``DATA`` asks for.
    executed : pathlib.Path, optional
        A folder with notebooks that were executed elsewhere, taken instead of executing them.
    kernels : Kernels
        What executes the others.
    """

    def __init__(
        self, root: Path, mode: Mode, images: Images, executed: Path | None, kernels: Kernels
    ) -> None:
        self.folder = root / "_build/stage"
        self._root, self._mode, self._images = root, mode, images
        self._executed, self._kernels = executed, kernels
        self._package = tree_digests(package := Path(__file__).parents[1])
        self._reports = sorted(path.parent.name for path in package.glob("reports/*/report.yaml"))
        self._staged: set[Path] = set()
        # Nothing staged is a link: one that stands here would lead what is written elsewhere.
        for path in (self.folder, *self.folder.rglob("*")):
            if path.is_symlink():
                path.unlink()

    def add_site_files(self) -> None:
        """Stage what surrounds the pages; banners go into the copy of ``_config.yml`` only."""
        config = read_yaml(self._root / "_config.yml")
        html = config["html"] = config.get("html") or {}
        if not isinstance(html, dict):
            raise BookError("_config.yml: html holds no settings.")
        banners = [_BANNERS.get(name, "") for name in (self._images.source, self._mode)]
        html["announcement"] = "".join([html.get("announcement") or "", *banners])
        self._put(Path("_config.yml"), yaml.safe_dump(config, sort_keys=False).encode())
        extras = [
            self._root / name for name in ("_toc.yml", *(config.get("bibtex_bibfiles") or ()))
        ]
        extras += (path for name in _INCLUDED if (path := self._root / name).is_file())
        for folder in ("_static", "_templates"):
            extras += (path for path in (self._root / folder).rglob("*") if path.is_file())
        for path in extras:
            self._put(path.relative_to(self._root), path.read_bytes())

    def add(self, page: Path) -> str:
        """Stage one page, and say how: as executed elsewhere, kept from last time, or executed."""
        name = page.relative_to(self._root)
        if page.suffix != ".ipynb":
            self._put(name, page.read_bytes())
            return ""
        parameters = self._parameters(page)
        start = time.perf_counter()
        ready = self._executed / page.name if self._executed is not None else None
        known = _known_origin(self.folder / name)
        if ready is not None and ready.exists():
            notebook = adopted(page, ready, parameters)
            outcome = "taken as executed"
        elif known == self._made_from(page, parameters, known[1:]):
            self._staged.add(self.folder / name)
            return "unchanged"
        else:
            with self._own_folder() as folder:
                logs, notes = self._root / "_build/logs", folder.parent / "looks"
                first = _NOTING.format(names=self._reports, notes=str(notes))
                notebook = execute(page, name, parameters, folder, logs, self._kernels, first)
                looks = notes.read_text().splitlines() if notes.exists() else self._reports
            # Looked at anew: in full mode the chapter may just have added to the runs.
            seconds = time.perf_counter() - start
            notebook["metadata"][_MADE_FROM] = self._made_from(page, parameters, looks)
            notebook["metadata"][_EXECUTED] = _now() | {"seconds": round(seconds)}
            outcome = f"executed in {seconds:.0f} s"
        self._put(name, dump(notebook))
        return outcome

    def add_record(self) -> str:
        """Stage the tables and files of the record, when the book has one, after all chapters.

        They are made anew when the package, a run, a chapter or the title of the book changed.
        """
        if not (self._root / "record").is_dir():
            return ""
        start = time.perf_counter()
        bundle = importlib.resources.files("itables").joinpath("html/dt_bundle.js").read_bytes()
        # Not *.js: those Jupyter Book loads on every page, and not as a module.
        self._put(Path("_static/datatables.mjs"), bundle)
        builds = [self._build(page) for page in chapters(self._root)]
        made_from = digest([self._seen(self._reports), builds, self._citation()])
        stamp = Path("record/.made-from")
        known = _known_files(self.folder / stamp)
        if known.pop("", None) == made_from and known == _digests(self.folder, known):
            self._staged.update(self.folder / name for name in (stamp, *map(Path, known)))
            return ""
        store = RunStore(self._root / LOCAL_RUNS)
        files = record_pages.staged_files(store, builds, self._citation())
        for name, content in files.items():
            self._put(Path(name), content)
        made = {"": made_from, **_digests(self.folder, files)}
        self._put(stamp, json.dumps(made).encode())
        return f"made in {time.perf_counter() - start:.0f} s"

    def _build(self, page: Path) -> Build:
        """Read off a staged chapter when it was executed, how long that took, by which commit."""
        name = page.relative_to(self._root)
        notebook = read_notebook(self.folder / name)
        found = notebook["metadata"].get(_EXECUTED, {})
        return Build(
            name.as_posix(), title(notebook), found.get("seconds"), found.get("date", ""),
            found.get("revision", ""),
        )  # fmt: skip

    def _citation(self) -> str:
        config = read_yaml(self._root / "_config.yml")
        version = importlib.metadata.version("fmnist-utils")
        return f"{config.get('author')}, \u201c{config.get('title')}\u201d, version {version}."

    def remove_stale(self) -> None:
        """Remove what this build has not staged."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in self._staged:
                path.unlink()

    def _put(self, name: Path, content: bytes) -> None:
        write_atomically(self.folder / name, content)
        self._staged.add(self.folder / name)

    def _parameters(self, page: Path) -> dict[str, Any]:
        given = {"MODE": self._mode, "DATA": self._images.source}
        return {name: given[name] for name in declared_parameters(page) if name in given}

    def _made_from(self, page: Path, parameters: Any, looks: Iterable[str]) -> list[str]:
        """Return one digest of what a chapter is made from, and at which reports it looked."""
        looks = sorted({*looks})
        return [digest([self._seen(looks), _cells(page), parameters]), *looks]

    def _seen(self, looks: Iterable[str]) -> list[Any]:
        """Return versions, reports by name, and all files but those of reports not looked at."""
        files = list(self._package)
        for folder in _TRAINED:
            found = tree_digests(self._root / folder, "*.json")
            files += ((f"{folder}/{name}", content) for name, content in found)
        unseen = {*self._reports}.difference(looks)
        own = tuple(f"{folder}/{name}/" for folder in ("reports", *_TRAINED) for name in unseen)
        return [versions(), self._reports, [file for file in files if not file[0].startswith(own)]]

    @contextmanager
    def _own_folder(self) -> Iterator[Path]:
        """Provide a folder to run in, empty but for the project's own new runs and searches."""
        with tempfile.TemporaryDirectory() as parent:
            (folder := Path(parent) / "chapter").mkdir()
            for own in (self._root / name for name in _TRAINED):
                if self._mode == "full":
                    own.mkdir(exist_ok=True)
                if own.is_dir():
                    (folder / own.name).symlink_to(own, target_is_directory=True)
            yield folder


def _known_files(stamp: Path) -> dict[str, str]:
    """Read which files were made and their digests; under no name, what they were made from."""
    try:
        known = json.loads(stamp.read_bytes())
    except (OSError, ValueError):  # not there, or cut short
        return {}
    return known if isinstance(known, dict) else {}


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    paths = {name: folder / name for name in names}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in paths.items()
        if path.is_file()
    }


def _now() -> dict[str, str]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"date": today, "revision": revision()}


def _known_origin(staged: Path) -> list[str]:
    """Return what a staged chapter was made from; nothing without one, or one that we made."""
    try:
        known = read_notebook(staged)["metadata"].get(_MADE_FROM) if staged.exists() else None
    except BookError:  # cut short
        return []
    return known if isinstance(known, list) else []


# --- What a chapter is made from -----------------------------------------------------------------


def digest(parts: Any) -> str:
    """Return one digest of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def tree_digests(folder: Path, pattern: str = "*") -> list[tuple[str, str]]:
    """Return the files below a folder, hidden ones left out, each with its digest.

    Parameters
    ----------
    folder : pathlib.Path
        Where to look, at any depth.
    pattern : str
        What the names of files match, as in a shell.
    """
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return [
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
        if "__pycache__" not in path.parts and not path.name.startswith(".")
    ]


@functools.cache
def versions() -> list[str]:
    """Return the versions of Python and of all that is installed."""
    installed = importlib.metadata.distributions()
    return [sys.version, *sorted({f"{item.name}=={item.version}" for item in installed})]


def _cells(page: Path) -> list[Any]:
    cells = read_notebook(page)["cells"]
    return [[cell["cell_type"], source(cell), cell["metadata"]] for cell in cells]
