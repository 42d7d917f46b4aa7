"""Find the data set or fetch it from a mirror; verify it either way."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import FILES, DataError, FashionMNIST
from fmnist_utils.data.formats import exists, read_file, read_folder
from fmnist_utils.data.transfer import GivenUpError, Transfer, quiet_pooch, short_reason

MIRRORS: tuple[str, ...] = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    # Without TLS, hence last; the MD5 check guards it all the same.
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def load_data(source: str = "real", *, folder: str | Path | None = None) -> FashionMNIST:
    """Load Fashion-MNIST; never substitutes anything for what was asked.

    The real images are looked for in `folder`, else in the folder that the environment variable
    ``FMNIST_DATA_DIR`` names, else in the user's cache, and only into that cache are they
    downloaded. A folder that was named must hold all of them, as the official files or in another
    form that `fmnist_utils.data.formats.read_folder` knows. A hash of everything is checked.

    Parameters
    ----------
    source : {"real", "synthetic"}
        Synthetic data are garments drawn by program, see `fmnist_utils.data.synthetic`.
    folder : str or Path, optional
        Where the files lie. Ignored for synthetic data.

    Returns
    -------
    FashionMNIST
        The folder that was read last is kept in memory; the arrays are read-only.

    Raises
    ------
    DataError
        If the source is unknown, or a file is missing, wrong or cannot be fetched.

    Examples
    --------
    >>> load_data("synthetic").source
    'synthetic'
    """
    if source == "synthetic":
        from fmnist_utils.data.synthetic import load_synthetic

        return load_synthetic()
    if source != "real":
        raise DataError(f"Unknown data source {source!r}: use 'real' or 'synthetic'.")
    return _load_real((_named_folder(folder) or fetch_data()).resolve())


@lru_cache(maxsize=1)
def _load_real(folder: Path) -> FashionMNIST:
    return FashionMNIST(*read_folder(folder), source="real")


def fetch_data(
    folder: Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    *,
    files: Mapping[str, str] = FILES,
    retries: int = 2,
    timeout: float = 30.0,
    deadline: float = 900.0,
) -> Path:
    """Make sure that a folder holds the data files, downloading what is missing.

    Parameters
    ----------
    folder : Path, optional
        Where to put the files. By default the folder in ``FMNIST_DATA_DIR``, which is only
        verified, whatever the form of its files, and never written to; else the user's cache.
    mirrors : sequence of str
        Base URLs, each ending in ``/``, tried in turn for every file.
    files : mapping of str to str
        File name to expected MD5 sum.
    retries : int
        Further attempts per file and mirror after the first.
    timeout : float
        Seconds without an answer after which an attempt is given up.
    deadline : float
        Seconds for one file from one mirror, all attempts together.

    Returns
    -------
    Path
        The folder, every file in it verified.

    Raises
    ------
    DataError
        If a file is wrong (it is left as it is) or no mirror delivers it.
    """
    if folder is None:
        named = _named_folder(None)
        if named is not None:
            read_folder(named)
            return named
        # Imported only when needed: pooch takes long to load, and warns in a plain notebook.
        import pooch

        folder = Path(pooch.os_cache("fmnist-utils"))
    if not all(exists(folder / name) for name in files):
        try:
            _fetch_missing(folder, mirrors, files, retries, timeout, deadline)
        except OSError as error:
            raise DataError(_cannot_write(folder, error)) from error
    for name, expected in files.items():
        found = hashlib.md5(read_file(folder / name), usedforsecurity=False).hexdigest()
        if found != expected:
            raise DataError(
                f"{folder / name} is not the official file: expected MD5 {expected}, found "
                f"{found}; delete it and fetch it again."
            )
    return folder


def _fetch_missing(
    folder: Path,
    mirrors: Sequence[str],
    files: Mapping[str, str],
    retries: int,
    timeout: float,
    deadline: float,
) -> None:
    """Download what a folder lacks, one process at a time."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    # Half a file lies in a folder of its own, where nothing else can be: whoever holds the lock
    # may remove what a killed process left there.
    partial = folder / ".fmnist-download"
    try:
        with FileLock(folder / ".fmnist-download.lock", timeout=deadline), quiet_pooch():
            shutil.rmtree(partial, ignore_errors=True)
            try:
                for name in (name for name in files if not exists(folder / name)):
                    mirror = _download(
                        partial, name, files[name], mirrors, retries, timeout, deadline
                    )
                    os.replace(partial / name, folder / name)
                    mirrors = sorted(mirrors, key=lambda other: other != mirror)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except Timeout as error:
        raise DataError(
            f"Another process has been downloading to {folder} for {deadline:g} seconds: wait for "
            "it, or end it."
        ) from error


def _download(
    folder: Path,
    name: str,
    md5: str,
    mirrors: Sequence[str],
    retries: int,
    timeout: float,
    deadline: float,
) -> str:
    """Fetch one file from the first mirror that delivers it, and return that mirror."""
    import pooch
    import requests

    reasons = []
    for mirror in mirrors:
        store = pooch.create(folder, mirror, registry={name: f"md5:{md5}"}, retry_if_failed=retries)
        try:
            store.fetch(name, downloader=Transfer(timeout, deadline))
            return mirror
        except (requests.RequestException, ValueError, GivenUpError) as error:
            reasons.append(f"{urlsplit(mirror).netloc} {short_reason(error)}")
    raise DataError(
        f"No mirror delivered {name} ({'; '.join(reasons) or 'none given'}): check the network, or "
        "get the four Fashion-MNIST files elsewhere and set FMNIST_DATA_DIR to their folder."
    )


def _cannot_write(folder: Path, error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "free 64 MB there" if full else "make the folder writable"
    return (
        f"Cannot write to {folder} ({error.strerror or error}): {remedy}, or set FMNIST_DATA_DIR "
        "to a folder that holds the Fashion-MNIST files."
    )


def _named_folder(folder: str | Path | None) -> Path | None:
    """Return the folder that was given, else that which FMNIST_DATA_DIR names, if it is set."""
    value = folder if folder is not None else os.environ.get("FMNIST_DATA_DIR") or None
    if value is None:
        return None
    what = "FMNIST_DATA_DIR is" if folder is None else "The data folder is"
    try:
        path = Path(value).expanduser()
        found = path.resolve()
        is_folder = found.is_dir()
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise DataError(
            f"{what} {value!r}, which is no path ({error}): give that of a folder."
        ) from error
    if not is_folder:
        meant = "" if path.is_absolute() else f", which here means {found}"
        problem = "and that is no folder" if exists(found) else "and there is no such folder"
        raise DataError(f"{what} {str(value)!r}{meant}, {problem}: give the full path of one.")
    return found


def labels_at_hand() -> NDArray[np.uint8] | None:
    """Return the official test labels, uint8 of shape ``(10000,)``; None where there are none yet.

    They are looked for where `load_data` looks, and never downloaded.
    """
    import pooch

    try:
        folder = _named_folder(None) or Path(pooch.os_cache("fmnist-utils"))
        return _load_real(folder.resolve()).test_labels
    except DataError:
        return None
