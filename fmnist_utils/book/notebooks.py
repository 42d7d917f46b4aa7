"""A chapter as a file: read it, execute it, and drop what differs between two machines."""

from __future__ import annotations

import ast
import base64
import io
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from fmnist_utils.errors import FmnistError
from fmnist_utils.records import write_whole

Notebook = dict[str, Any]


class BookError(FmnistError):
    """A book that cannot be built as it is."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one of the book's settings files, ``_config.yml`` or ``_toc.yml``."""
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BookError(f"There is no {path.name} here: run this in the book's folder.") from error
    except yaml.YAMLError as error:
        raise BookError(f"{path.name} is not valid YAML: {error}") from error
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
    for cell in read_notebook(path)["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
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
        notebook["cells"], notebook["metadata"]
    except (ValueError, KeyError, TypeError) as error:
        raise BookError(f"{path.name} is not a notebook of format 4.") from error
    return dict(notebook)


def source(cell: Mapping[str, Any]) -> str:
    """Return a cell's source as one text, however the file keeps it."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def adopted(page: Path, ready: Path) -> Notebook:
    """Read a chapter executed elsewhere: it must be this chapter, and have run to its end."""
    notebook = _clean(read_notebook(ready))
    cells = [cell for cell in notebook["cells"] if not _has_tag(cell, "injected-parameters")]
    code = [cell for cell in cells if cell["cell_type"] == "code" and source(cell).strip()]
    outputs = [output for cell in code for output in cell["outputs"]]
    failed = any(output["output_type"] == "error" for output in outputs)
    if failed or not all(cell["execution_count"] for cell in code):
        raise BookError(f"{ready} was not executed to its end: see the log of its run.")
    if list(map(source, cells)) != list(map(source, read_notebook(page)["cells"])):
        raise BookError(f"{ready} was executed from another version of {page.name}.")
    return notebook


class Kernels:
    """The kernels of notebooks that are executed side by side: one call ends them all."""

    def __init__(self) -> None:
        self._started: list[Any] = []
        self._ended = False

    def starting_in(self, folder: Path) -> type:
        """Return a kernel manager for papermill that starts its kernel in the given folder.

        Its own way is to change the folder of this whole process, which threads share.
        """
        from jupyter_client.manager import AsyncKernelManager

        kernels = self

        class Manager(AsyncKernelManager):
            async def _async_launch_kernel(self, kernel_cmd: list[str], **settings: Any) -> None:
                await super()._async_launch_kernel(kernel_cmd, **settings, cwd=str(folder))
                provisioner: Any = self.provisioner
                kernels._started.append(provisioner.process)
                if kernels._ended:
                    provisioner.process.kill()

        return Manager

    def end(self) -> None:
        """Kill the kernels that run, and any that starts later; their notebooks fail."""
        self._ended = True
        for process in self._started:
            process.kill()


def execute(
    page: Path,
    name: Path,
    parameters: dict[str, Any],
    folder: Path,
    logs: Path,
    kernels: Kernels | None = None,
) -> Notebook:
    """Execute a notebook with papermill, and return it cleaned.

    Parameters
    ----------
    page : pathlib.Path
        The notebook.
    name : pathlib.Path
        What errors call it.
    parameters : dict
        Set after the ``parameters`` cell; with none, the notebook keeps its own values.
    folder : pathlib.Path
        Where it runs.
    logs : pathlib.Path
        Where the traceback of a failed cell goes.
    kernels : Kernels, optional
        Whose kernel it is, so that it can be ended from another thread.

    Raises
    ------
    BookError
        Naming chapter, cell and exception.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    try:
        result = _run(page, parameters, (kernels or Kernels()).starting_in(folder))
    except papermill.PapermillExecutionError as error:
        log = logs / f"{name.with_suffix('').as_posix().replace('/', '.')}.log"
        write_whole(
            log, plain_text(f"{error.source}\n\n" + "\n".join(error.traceback) + "\n").encode()
        )
        message = plain_text(f"{error.ename}: {error.evalue}").splitlines()[0]
        number = _cell_number(page, error.cell_index, bool(parameters))
        raise BookError(
            f"{name}, cell {number}: {message} (whole traceback in "
            f"{log.relative_to(logs.parents[1])})"
        ) from error
    except DeadKernelError as error:
        raise BookError(f"{name}: the kernel died; it may have run out of memory.") from error
    except RuntimeError as error:
        raise BookError(f"{name}: no kernel starts: {error}.") from error
    return _clean(json.loads(nbformat.writes(result)))  # type: ignore[no-untyped-call]


#: How often a kernel is started, and how long a slow machine may take for it or for a message.
_STARTS = 3
_PATIENCE = 600


def _run(page: Path, parameters: dict[str, Any], manager: type) -> Any:
    """Run papermill, and again when a kernel dies at its start because its port was taken."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # errors are told by whom they reach
    for start in range(1, _STARTS + 1):
        try:
            return papermill.execute_notebook(
                str(page),
                None,
                parameters,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=_PATIENCE,
                iopub_timeout=_PATIENCE,
                kernel_manager_class=manager,
                # A kernel writes to the terminal about its sockets, most of all when interrupted.
                extra_arguments=["--log-level=CRITICAL"],
            )
        except DeadKernelError:
            raise
        except RuntimeError:
            if start == _STARTS:
                raise
    return None


def _cell_number(page: Path, index: int, injected: bool) -> int:
    """Count code cells up to a position in the executed notebook, as a reader sees them."""
    cells = read_notebook(page)["cells"]
    parameters = [i for i, cell in enumerate(cells) if _has_tag(cell, "parameters")]
    if injected and parameters and parameters[0] < index:
        index -= 1
    return sum(cell["cell_type"] == "code" for cell in cells[: index + 1])


def _clean(notebook: Notebook) -> Notebook:
    """Drop what differs between two machines or two moments, and hide the injected cell.

    What libraries write to stderr names files of the machine; it is no part of a page.
    """
    notebook["metadata"].pop("papermill", None)
    for cell in notebook["cells"]:
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
        if _has_tag(cell, "injected-parameters"):
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


def _with_palette(png: str) -> str:
    """Reduce a base64 picture to a palette of 256 colours, which makes it a third of its size."""
    picture: Image.Image = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "P":
        return png
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    few = picture.quantize(256, dither=Image.Dither.NONE)
    content = io.BytesIO()
    few.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def _has_tag(cell: Mapping[str, Any], tag: str) -> bool:
    return tag in cell["metadata"].get("tags", [])


def plain_text(text: str) -> str:
    """Drop the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def dump(notebook: Notebook) -> bytes:
    """Write a notebook as Jupyter does, one value to a line, for readable differences."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
