"""Find the data set or fetch it from a mirror; verify it either way."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import FILES, DataError, FashionMNIST

if TYPE_CHECKING:
    import pooch


MIRRORS: tuple[str, ...] = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    # Without TLS, hence last; the MD5 check guards it all the same.
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def load_data(source: str = "real", *, folder: Path | None = None) -> FashionMNIST:
    """Load Fashion-MNIST; never substitutes anything for what was asked.

    The real files are looked for in `folder`, else in the folder that the environment variable
    ``FMNIST_DATA_DIR`` names, else in the user's cache, and only into that cache are they
    downloaded. A place that was named must hold all four files. Every file's MD5 is checked.

    Parameters
    ----------
    source : {"real", "synthetic"}
        Synthetic data are garments drawn by program, see `fmnist_utils.data.garments`.
    folder : Path, optional
        Where the four official ``.gz`` files lie. Ignored for synthetic data.

    Returns
    -------
    FashionMNIST
        Loaded once per process and folder; the arrays are read-only.

    Raises
    ------
    DataError
        If the source is unknown, or a file is missing, wrong or cannot be fetched.

    Examples
    --------
    >>> load_data().train_images.shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    if source == "synthetic":
        from fmnist_utils.data.garments import load_synthetic

        return load_synthetic()
    if source != "real":
        raise DataError(f"Unknown data source {source!r}: use 'real' or 'synthetic'.")
    named = folder or _named_folder()
    return _load_real((named or fetch_data()).resolve())


@lru_cache(maxsize=1)
def _load_real(folder: Path) -> FashionMNIST:
    """Verify and read the four official files."""
    verify_data(folder)
    train_images, train_labels, test_images, test_labels = (
        read_idx(folder / name) for name in FILES
    )
    return FashionMNIST(train_images, train_labels, test_images, test_labels, source="real")


def fetch_data(
    folder: Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    *,
    files: Mapping[str, str] = FILES,
    retries: int = 2,
    timeout: float = 30.0,
) -> Path:
    """Make sure that a folder holds the data files, downloading what is missing.

    Parameters
    ----------
    folder : Path, optional
        Where to put the files. By default the folder in ``FMNIST_DATA_DIR``, which is only
        verified and never written to, else the user's cache.
    mirrors : sequence of str
        Base URLs, each ending in ``/``, tried in turn for every file.
    files : mapping of str to str
        File name to expected MD5 sum.
    retries : int
        Further attempts per file and mirror after the first.
    timeout : float
        Seconds without an answer after which an attempt is given up.

    Returns
    -------
    Path
        The folder, every file in it verified.

    Raises
    ------
    DataError
        If a file is wrong (it is left as it is) or no mirror delivers it.
    """
    # Imported only to download: pooch takes long to load, and warns in a plain notebook.
    import pooch

    named = None if folder else _named_folder()
    if named is None:
        folder = folder or Path(pooch.os_cache("fmnist-utils"))
        downloader = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            timeout=timeout,
            # The files are gzip themselves: they must not be unpacked on the way.
            headers={"Accept-Encoding": "identity"},
        )
        for name in [name for name in files if not (folder / name).exists()]:
            served_by = _download(folder, name, files[name], mirrors, retries, downloader)
            mirrors = sorted(mirrors, key=lambda mirror: mirror != served_by)
    else:
        folder = named
    verify_data(folder, files)
    return folder


def _download(
    folder: Path,
    name: str,
    md5: str,
    mirrors: Sequence[str],
    retries: int,
    downloader: pooch.HTTPDownloader,
) -> str:
    """Fetch one file from the first mirror that delivers it, and return that mirror."""
    import pooch
    import requests

    reasons = []
    for mirror in mirrors:
        store = pooch.create(folder, mirror, registry={name: f"md5:{md5}"}, retry_if_failed=retries)
        try:
            store.fetch(name, downloader=downloader)
            return mirror
        except (requests.RequestException, ValueError) as error:
            reasons.append(f"{urlsplit(mirror).netloc} {_short_reason(error)}")
        except OSError as error:
            raise DataError(
                f"Cannot write {name} to {folder} ({error.strerror or error}): make the folder "
                "writable or set FMNIST_DATA_DIR to one that holds the four files."
            ) from error
    raise DataError(
        f"No mirror delivered {name} ({'; '.join(reasons) or 'none given'}): check the network, or "
        "get the four Fashion-MNIST files elsewhere and set FMNIST_DATA_DIR to their folder."
    )


def _short_reason(error: Exception) -> str:
    """Say in a few words why a mirror failed."""
    import requests

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


def _named_folder() -> Path | None:
    """Return the folder that FMNIST_DATA_DIR names, if it is set."""
    value = os.environ.get("FMNIST_DATA_DIR")
    return Path(value).expanduser() if value else None


def verify_data(folder: Path, files: Mapping[str, str] = FILES) -> None:
    """Check that a folder holds every data file, unchanged.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    files : mapping of str to str
        File name to expected MD5 sum.

    Raises
    ------
    DataError
        Naming the first file that is missing, unreadable or not the official one.
    """
    for name, expected in files.items():
        path = folder / name
        try:
            found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        except FileNotFoundError as error:
            raise DataError(
                f"{name} is missing in {folder}: put the four Fashion-MNIST files there, or name "
                "no folder and unset FMNIST_DATA_DIR to have them downloaded."
            ) from error
        except OSError as error:
            raise DataError(f"Cannot read {path} ({error.strerror}): check the folder.") from error
        if found != expected:
            raise DataError(
                f"{path} is not the official file: expected MD5 {expected}, found {found}; delete "
                "it and fetch it again."
            )


def labels_at_hand() -> NDArray[np.uint8] | None:
    """Return the official test labels, uint8 of shape ``(10000,)``; None where there are none yet.

    They are looked for where `load_data` looks, and never downloaded.
    """
    import pooch

    name = "t10k-labels-idx1-ubyte.gz"
    folder = _named_folder() or Path(pooch.os_cache("fmnist-utils"))
    try:
        verify_data(folder, {name: FILES[name]})
        return read_idx(folder / name)
    except DataError:
        return None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a gzipped IDX file of bytes (format: http://yann.lecun.com/exdb/mnist/).

    Parameters
    ----------
    path : Path
        A ``.gz`` file.

    Returns
    -------
    uint8 array
        Shape as the file's header says.

    Raises
    ------
    DataError
        If the file is no gzip file, its header is not that of an IDX file of bytes, or its length
        does not match its header.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"Cannot unpack {path} ({error}): fetch it again.") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is not an IDX file of bytes: fetch it again.")
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4]) for i in range(4, start, 4))
    if len(content) != start + math.prod(shape):
        raise DataError(
            f"{path} has {len(content)} bytes, but its header says {shape}: fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
