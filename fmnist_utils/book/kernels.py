"""Execute notebooks, each in a kernel of its own, side by side."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from rich.console import Console
from rich.text import Text

from fmnist_utils.book.notebooks import (
    BookError,
    Notebook,
    clean,
    has_tag,
    plain_text,
)
from fmnist_utils.console import say
from fmnist_utils.records import write_atomically

_Result = TypeVar("_Result")

#: How often a kernel is started, and how long a slow machine may take for it or for a message.
_STARTS = 3
_PATIENCE = 600
#: Seconds between two lines that say what is being executed, where the output is no terminal.
_BEAT = 60.0


class Kernels:
    """The kernels of notebooks that are executed side by side: one call ends them all.

    Parameters
    ----------
    cell_timeout : int, optional
        How many seconds a cell may take; without it as long as it likes.
    environment : dict, optional
        Environment variables that a kernel has besides those of this process.
    """

    def __init__(
        self, cell_timeout: int | None = None, environment: dict[str, str] | None = None
    ) -> None:
        self.cell_timeout, self.environment = cell_timeout, environment or {}
        self.running: dict[str, str] = {}
        self.started: list[Any] = []
        self.ended = False

    def end(self) -> None:
        """Kill those that run; one that is starting ends at its first cell."""
        self.ended = True
        for manager in self.started:
            if process := getattr(manager.provisioner, "process", None):
                process.kill()


@contextmanager
def side_by_side(
    work: Callable[[Path], _Result],
    pages: Iterable[Path],
    workers: int,
    kernels: Kernels,
    console: Console,
) -> Iterator[Iterator[tuple[Path, _Result]]]:
    """Work on pages in so many threads, and end all of them when one fails or on Ctrl-C.

    Parameters
    ----------
    work : function
        What is done with each page, in a thread; its result is yielded.
    pages : iterable of pathlib.Path
        The notebooks, in the order of the results.
    workers : int
        How many threads.
    kernels : Kernels
        Those that `work` starts, to be ended with it.
    console : Console
        Where the waiting is shown.

    Yields
    ------
    iterator
        Each page with what came of it, in order. While one is waited for, a terminal shows which
        cells are running; elsewhere a line says so now and then.
    """
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
        futures = [(page, pool.submit(attempt, page)) for page in pages]
        yield ((page, _awaited(page, future, kernels, console)) for page, future in futures)
    except BaseException:
        failed.set()
        kernels.end()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _awaited(page: Path, future: Future[_Result], kernels: Kernels, console: Console) -> _Result:
    with console.status(Text(f"Executing {page.name}")) as status:
        while not wait([future], timeout=1.0 if console.is_terminal else _BEAT).done:
            if cells := "; ".join(kernels.running.copy().values()):
                if console.is_terminal:
                    status.update(Text(f"Executing {cells}"))
                else:
                    say(console, f"Executing {cells}")
    return future.result()


class _LeftError(Exception):
    """A cell that ends its own kernel."""


class _Watch:
    """Follows a notebook from cell to cell, by nbclient's hooks."""

    def __init__(self, notebook: Any, name: Path, kernels: Kernels) -> None:
        self.name, self._kernels = name, kernels
        # Where papermill injects parameters there is a cell more, which no reader sees.
        self._code = [
            cell["cell_type"] == "code" and not has_tag(cell, "injected-parameters")
            for cell in notebook["cells"]
        ]
        self._index = 0

    @property
    def place(self) -> str:
        """Notebook and cell, counted as a reader sees them: code cells only, from 1."""
        return f"{self.name}, cell {max(1, sum(self._code[: self._index + 1]))}"

    def begin(self, cell: Any, cell_index: int) -> None:
        """Note which cell is running."""
        if self._kernels.ended:
            raise CancelledError
        self._index = cell_index
        self._kernels.running[str(self.name)] = f"{self.place} of {sum(self._code)}"

    def end(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """Refuse a cell that ends its kernel: the others after it do not run."""
        reply = execute_reply["content"]
        asked = [item.get("source") for item in reply.get("payload", [])]
        if reply.get("ename") == "SystemExit" or "ask_exit" in asked:
            raise _LeftError

    def close(self) -> None:
        """Note that the notebook is not running any more."""
        self._kernels.running.pop(str(self.name), None)


def execute(
    page: Path,
    name: Path,
    parameters: dict[str, Any],
    folder: Path,
    logs: Path,
    kernels: Kernels | None = None,
    first: str = "",
) -> Notebook:
    """Execute a notebook, and return it cleaned.

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
        Whose kernel it is, so that it can be ended from another thread; with the limit on a cell.
    first : str
        A line that the kernel runs before the notebook, whatever comes of it.

    Raises
    ------
    BookError
        Naming chapter, cell and exception; also when a cell takes too long or ends the kernel.
    """
    import nbformat

    kernels = kernels or Kernels()
    notebook = _with_parameters(page, parameters)
    watch = _Watch(notebook, name, kernels)
    with tempfile.TemporaryFile() as errors, closing(watch):
        try:
            _run(notebook, folder, errors, kernels, watch, first)
        except Exception as error:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            sentence = _sentence(error, watch, kernels, plain_text(last), logs)
            if sentence is None:
                raise
            raise BookError(sentence) from error
    return clean(json.loads(nbformat.writes(notebook)))  # type: ignore[no-untyped-call]


def _with_parameters(page: Path, parameters: dict[str, Any]) -> Any:
    """Read a notebook, and set its parameters as papermill does."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # one without parameters is no news
    notebook = load_notebook_node(str(page))
    if not parameters:
        return notebook
    return parameterize_notebook(notebook, parameters, kernel_name="python3", language="python")


def _sentence(
    error: Exception, watch: _Watch, kernels: Kernels, last: str, logs: Path
) -> str | None:
    """Say where a notebook failed and why; None for an error that has no business here."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    match error:
        case CellExecutionError():
            log = logs / f"{watch.name.with_suffix('').as_posix().replace('/', '.')}.log"
            write_atomically(log, plain_text(f"{error.traceback}\n").encode())
            message = plain_text(f"{error.ename}: {error.evalue}").splitlines()[0]
            where = log.relative_to(logs.parents[1])
            return f"{watch.place}: {message} (whole traceback in {where})"
        case _LeftError():
            return f"{watch.place}: it ends the kernel (exit or sys.exit): nothing after it runs."
        case CellTimeoutError() if "was: Timeout waiting for IOPub" in str(error):
            return (
                f"{watch.place}: it ended, and its output did not arrive within {_PATIENCE} s: run "
                "the same command again."
            )
        case CellTimeoutError():
            return (
                f"{watch.place}: it was still running after {kernels.cell_timeout} s; "
                "--cell-timeout SECONDS allows more."
            )
        case DeadKernelError():
            return f"{watch.place}: the kernel died; it may have run out of memory."
        case RuntimeError():
            return f"{watch.name}: no kernel starts: {error}{f' ({last})' if last else ''}."
    return None


def _run(
    notebook: Any, folder: Path, errors: IO[bytes], kernels: Kernels, watch: _Watch, first: str
) -> None:
    """Execute all cells; again when a kernel dies at its start, for another took its port.

    What the kernel itself says, such as that its port is taken, goes into a file, not to the
    terminal.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    for start in range(1, _STARTS + 1):
        client: Any = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=kernels.cell_timeout,
            startup_timeout=_PATIENCE,
            iopub_timeout=_PATIENCE,
            raise_on_iopub_timeout=True,
            coalesce_streams=True,  # what a cell prints comes in pieces, as the machine is quick
            on_cell_start=watch.begin,
            on_cell_executed=watch.end,
            # A kernel writes to the terminal about its sockets, most of all when interrupted.
            extra_arguments=["--log-level=CRITICAL", f"--IPKernelApp.exec_lines={first}"],
        )
        kernels.started.append(client.create_kernel_manager())
        where = {"cwd": str(folder), "env": os.environ | kernels.environment}
        try:
            with client.setup_kernel(stdout=errors, stderr=errors, **where):
                about = client.wait_for_reply(client.kc.kernel_info())["content"]
                notebook.metadata.language_info = about["language_info"]
                for index, cell in enumerate(notebook.cells):
                    client.execute_cell(cell, index)
                client.set_widgets_metadata()
            return
        except DeadKernelError:
            raise
        except RuntimeError:
            if start == _STARTS:
                raise
