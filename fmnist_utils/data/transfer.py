"""Fetch one file over HTTP for pooch, within a time and a size."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: The largest of the four files has 26,421,880 bytes.
LARGEST_DOWNLOAD = 32 * 2**20


class GivenUpError(Exception):
    """A mirror is not worth another attempt; the message says what it did."""


class Transfer:
    """Downloads for pooch, which calls it once for each attempt.

    Parameters
    ----------
    timeout : float
        Seconds without an answer after which an attempt fails.
    deadline : float
        Seconds after which all attempts together are given up, however much has arrived.
    """

    def __init__(self, timeout: float, deadline: float) -> None:
        self._timeout, self._deadline = timeout, deadline
        self._end = time.monotonic() + deadline
        self._given_up = threading.Event()

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Fetch an address into a file; a thread does it, for a read can last for ever."""
        failures: list[Exception] = []

        def work() -> None:
            try:
                self._fetch(url, Path(output_file))
            except Exception as error:
                failures.append(error)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        try:
            worker.join(max(0.0, self._end - time.monotonic()))
            if worker.is_alive():
                raise GivenUpError(f"took longer than {self._deadline:g} seconds")
        except BaseException:
            self._given_up.set()
            raise
        if failures:
            raise failures[0]

    def _fetch(self, url: str, path: Path) -> None:
        import requests
        from tqdm import tqdm

        # The files are gzip themselves: they must not be unpacked on the way.
        headers = {"Accept-Encoding": "identity"}
        with requests.get(url, timeout=self._timeout, stream=True, headers=headers) as response:
            response.raise_for_status()
            told = response.headers.get("Content-Length", "")
            bar = tqdm(
                desc=url.rpartition("/")[2],
                total=int(told) if told.isdecimal() else None,
                unit="B",
                unit_scale=True,
                ncols=79,
                disable=not sys.stderr.isatty(),
            )
            size = 0
            with bar, path.open("wb") as file:
                for chunk in response.iter_content(2**16):
                    size += len(chunk)
                    if self._given_up.is_set():
                        return
                    if size > LARGEST_DOWNLOAD:
                        raise GivenUpError(f"sent more than {LARGEST_DOWNLOAD} bytes")
                    file.write(chunk)
                    bar.update(len(chunk))


def short_reason(error: Exception) -> str:
    """Say in a few words why a mirror failed."""
    import requests

    if isinstance(error, GivenUpError):
        return str(error)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "timed out"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off"
    if isinstance(error, requests.ConnectionError):
        return "could not be reached"
    if isinstance(error, requests.RequestException):
        return f"failed ({type(error).__name__})"
    return "sent a file with the wrong MD5"


@contextmanager
def quiet_pooch() -> Iterator[None]:
    """Keep pooch from logging each attempt: the error at the end names every mirror."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
