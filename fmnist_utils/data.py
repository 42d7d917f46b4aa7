"""Fetch, verify, load and split Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747)."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.errors import FmnistError

if TYPE_CHECKING:
    import pooch

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

FILES: dict[str, str] = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}

MIRRORS: tuple[str, ...] = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    # Without TLS, hence last; the MD5 check guards it all the same.
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)

FACTS: Mapping[str, int | float | tuple[int, ...]] = MappingProxyType(
    {
        "train_images": 60_000,
        "test_images": 10_000,
        "total_images": 70_000,
        "train_share": 6 / 7,
        "test_share": 1 / 7,
        "image_height": 28,
        "image_width": 28,
        "pixels": 784,
        "classes": 10,
        "first_class": 0,
        "last_class": 9,
        "train_images_per_class": 6_000,
        "test_images_per_class": 1_000,
        "pixel_min": 0,
        "pixel_max": 255,
        "train_images_shape": (60_000, 28, 28),
        "test_images_shape": (10_000, 28, 28),
        "train_onehot_shape": (60_000, 10),
        "test_onehot_shape": (10_000, 10),
        "image_shape": (28, 28),
        "image_shape_with_channel": (28, 28, 1),
    }
)


def count(fact: str) -> int:
    """Return a fact of the data set that is a whole number."""
    value = FACTS[fact]
    assert isinstance(value, int)
    return value


class DataError(FmnistError):
    """The data set is missing, damaged, unreachable or asked for in a way that makes no sense."""


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """Images and labels of both official splits, read-only.

    Attributes
    ----------
    train_images, test_images : uint8 arrays, shapes (60000, 28, 28) and (10000, 28, 28)
        Grey levels 0 (background) to 255.
    train_labels, test_labels : uint8 arrays, shapes (60000,) and (10000,)
        Indices into `class_names`.
    source : {"real", "synthetic"}
        Synthetic data may come in other sizes.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    source: Literal["real", "synthetic"]

    def __post_init__(self) -> None:
        """Freeze the arrays: every caller in a process shares them."""
        for array in self._arrays:
            array.setflags(write=False)

    @property
    def _arrays(self) -> tuple[NDArray[np.uint8], ...]:
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten class names, by label."""
        return CLASS_NAMES

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the data; for real data `official_fingerprint()`."""
        if self.source == "real":
            return official_fingerprint()
        digest = hashlib.sha256()
        for array in self._arrays:
            digest.update(repr(array.shape).encode())
            digest.update(array.tobytes())
        return digest.hexdigest()[:12]


def official_fingerprint() -> str:
    """Return the fingerprint of the official data set, without loading an image.

    Returns
    -------
    str
        The first twelve hex digits of the SHA-256 of the four MD5 sums in `FILES`.
    """
    return hashlib.sha256("\n".join(FILES.values()).encode()).hexdigest()[:12]


def load_data(source: str = "real", *, folder: Path | None = None) -> FashionMNIST:
    """Load Fashion-MNIST; never substitutes anything for what was asked.

    The real files are looked for in `folder`, else in the folder that the environment variable
    ``FMNIST_DATA_DIR`` names, else in the user's cache, and only into that cache are they
    downloaded. A place that was named must hold all four files. Every file's MD5 is checked.

    Parameters
    ----------
    source : {"real", "synthetic"}
        Synthetic data are garments drawn by program, see `fmnist_utils.synthetic`.
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
        # Here, not at the top: synthetic.py needs this module's FashionMNIST.
        from fmnist_utils.synthetic import load_synthetic

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


def split_indices(
    n: int,
    *,
    fraction: float | None = None,
    count: int | None = None,
    take: Literal["first", "last", "random"] = "last",
    seed: int | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Split a data set into a training and a validation part.

    Parameters
    ----------
    n : int
        Number of examples.
    fraction : float, optional
        Share of the examples to validate on, between 0 and 1, rounded as Keras rounds
        ``validation_split``: ``floor(n * (1 - fraction))`` examples are left to train on.
    count : int, optional
        Number of examples to validate on, instead of `fraction`.
    take : {"first", "last", "random"}
        Which examples to validate on; "last" is what Keras ``validation_split`` takes.
    seed : int, optional
        Needed by "random", ignored otherwise; no global random state is read or changed.

    Returns
    -------
    train, validation : int32 arrays
        Ascending indices; together each example exactly once, neither part empty.

    Raises
    ------
    DataError
        If not exactly one of `fraction` and `count` is given, a part would be empty, `take` is
        unknown or "random" lacks a seed.
    """
    size = _validation_size(n, fraction, count)
    order = np.arange(n, dtype=np.int32)
    if take == "last":
        return order[:-size], order[-size:]
    if take == "first":
        return order[size:], order[:size]
    if take != "random":
        raise DataError(f"Unknown split {take!r}: take 'first', 'last' or 'random'.")
    if seed is None:
        raise DataError("A random split without a seed cannot be repeated: give a seed.")
    order = np.random.default_rng(seed).permutation(order)
    return np.sort(order[size:]), np.sort(order[:size])


def _validation_size(n: int, fraction: float | None, count: int | None) -> int:
    """Return how many of n examples to validate on."""
    if fraction is not None and count is None:
        if not 0 < fraction < 1:
            raise DataError(f"The validation fraction is {fraction}: it must be between 0 and 1.")
        size = n - math.floor(n * (1.0 - fraction))
    elif count is not None and fraction is None:
        size = count
    else:
        raise DataError("Give either the fraction or the count of examples to validate on.")
    if not 0 < size < n:
        raise DataError(
            f"{size} of {n} examples to validate on leave one part empty: choose between 1 and "
            f"{n - 1}."
        )
    return size


def one_hot(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Encode labels as rows with a single one.

    Parameters
    ----------
    labels : uint8 array, shape (n,)
        Class indices.

    Returns
    -------
    float32 array, shape (n, 10)

    Raises
    ------
    DataError
        If a label is out of range.
    """
    classes = len(CLASS_NAMES)
    if labels.size and labels.max() >= classes:
        raise DataError(f"Label {labels.max()} is out of range: there are {classes} classes.")
    return np.eye(classes, dtype=np.float32)[labels]
