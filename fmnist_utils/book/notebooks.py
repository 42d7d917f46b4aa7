"""A chapter as a file: read it, and drop what differs between two machines."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from fmnist_utils.errors import FmnistError

Notebook = dict[str, Any]


class BookError(FmnistError):
    """A book that cannot be built as it is."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one of the book's settings files, ``_config.yml`` or ``_toc.yml``."""
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BookError(f"There is no {path.name} here: run this in the book's folder.") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # of a date, an escape, a letter
        why = " ".join(str(error).split())
        raise BookError(f"{path.name} is not valid YAML: {why}") from error
    if not isinstance(settings, dict):
        raise BookError(f"{path.name} holds no settings: restore it from version control.")
    return settings


def declared_parameters(path: Path) -> dict[str, Any]:
    """Read the names and plain values of a chapter's ``parameters`` cell.

    Raises
    ------
    BookError
        When a value is not plain: papermill sets parameters after this cell has run, so whatever
        is computed in it would not follow them.
    """
    return _parameters(path, "parameters")


def _parameters(path: Path, tag: str) -> dict[str, Any]:
    for cell in read_notebook(path)["cells"]:
        if has_tag(cell, tag):
            try:
                return dict(map(_plain_assignment, ast.parse(source(cell)).body))
            except (SyntaxError, ValueError) as error:
                raise BookError(
                    f"{path.name}: the parameters cell may only set names to plain values."
                ) from error
    return {}


def _plain_assignment(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, ast.literal_eval(value)
    raise ValueError("not an assignment")


def read_notebook(path: Path) -> Notebook:
    """Read a notebook as plain data; a file that is none is an error of one sentence."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        dict(notebook["metadata"])
        for cell in notebook["cells"]:
            source(cell), has_tag(cell, "")
            if cell["cell_type"] == "code":
                cell["execution_count"], [item["output_type"] for item in cell["outputs"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BookError(f"{path.name} is not a notebook of format 4.") from error
    return dict(notebook)


def source(cell: Mapping[str, Any]) -> str:
    """Return a cell's source as one text, however the file keeps it."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def title(notebook: Notebook) -> str:
    """Return the first heading of a notebook; empty when it has none."""
    texts = (source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    found = re.search(r"^# +(.+?) *$", "\n".join(texts), re.MULTILINE)
    return found[1] if found else ""


def adopted(page: Path, ready: Path, parameters: Mapping[str, Any]) -> Notebook:
    """Read a chapter executed elsewhere: this one, by these parameters, and to its end.

    Parameters
    ----------
    page : pathlib.Path
        The chapter in the repository.
    ready : pathlib.Path
        The executed notebook, as papermill wrote it.
    parameters : mapping
        Those that the book is built with; the others have the chapter's own values.
    """
    notebook = read_notebook(ready)
    try:
        notebook = clean(notebook)
    except (ValueError, TypeError, OSError) as error:  # what Pillow or base64 says of a picture
        raise BookError(
            f"{ready} holds a picture that cannot be read: execute it again."
        ) from error
    cells = [cell for cell in notebook["cells"] if not has_tag(cell, "injected-parameters")]
    code = [cell for cell in cells if cell["cell_type"] == "code" and source(cell).strip()]
    outputs = [output for cell in code for output in cell["outputs"]]
    failed = any(output["output_type"] == "error" for output in outputs)
    if failed or not all(cell["execution_count"] for cell in code):
        raise BookError(f"{ready} was not executed to its end: see the log of its run.")
    if list(map(source, cells)) != list(map(source, read_notebook(page)["cells"])):
        raise BookError(f"{ready} was executed from another version of {page.name}.")
    own, injected = declared_parameters(page), _parameters(ready, "injected-parameters")
    for name, wanted in (own | dict(parameters)).items():
        if (used := injected.get(name, own[name])) != wanted:
            raise BookError(f"{ready} was executed with {name} = {used!r}, not {wanted!r}.")
    return notebook


def clean(notebook: Notebook) -> Notebook:
    """Drop what differs between two machines or two moments, and hide the injected cell.

    What libraries write to stderr names files of the machine; it is no part of a page.
    """
    notebook["metadata"].pop("papermill", None)
    for cell in notebook["cells"]:
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
        if has_tag(cell, "injected-parameters"):
            cell["metadata"]["tags"] = ["injected-parameters", "remove-cell"]
        if cell["cell_type"] == "code":
            outputs = cell["outputs"]
            cell["outputs"] = [item for item in outputs if item.get("name") != "stderr"]
            for data in (item["data"] for item in cell["outputs"] if "data" in item):
                if "image/png" in data:
                    data["image/png"] = _with_palette(data["image/png"])
        if not cell["metadata"].get("tags", True):
            del cell["metadata"]["tags"]
    return notebook


def _with_palette(png: str | Sequence[str]) -> str:
    """Give a base64 picture a palette of 256 colours: a figure has few, and is a third the size."""
    png = "".join(png)
    picture: Image.Image = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "P":
        return png
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    few = picture.quantize(256, dither=Image.Dither.NONE)
    content = io.BytesIO()
    few.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def has_tag(cell: Mapping[str, Any], tag: str) -> bool:
    """Return whether a cell carries a tag.

    Parameters
    ----------
    cell : mapping
        One cell of a notebook, as nbformat reads it.
    tag : str
        Such as ``parameters``.
    """
    return tag in cell["metadata"].get("tags", [])


def plain_text(text: str) -> str:
    """Drop the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def dump(notebook: Notebook) -> bytes:
    """Write a notebook as Jupyter does, one value to a line, for readable differences."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
