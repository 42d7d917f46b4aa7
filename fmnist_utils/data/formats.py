"""Read Fashion-MNIST in the forms that people have it in; it is known by its decoded bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import FILES, DataError
from fmnist_utils.records import read_regular
from fmnist_utils.rounding import times

if TYPE_CHECKING:
    import pandas as pd

Bytes = NDArray[np.uint8]


class Part(NamedTuple):
    """Half of a split, and the SHA-256 of its bytes in C order."""

    name: str
    shape: tuple[int, ...]
    sha256: str


class Split(NamedTuple):
    """Images, labels, and the SHA-256 of the rows ``label, pixels`` sorted as bytes."""

    name: str
    images: Part
    labels: Part
    rows_sha256: str


SPLITS: tuple[Split, ...] = (
    Split(
        "train",
        Part(
            "train-images-idx3-ubyte",
            (60_000, 28, 28),
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        ),
        Part(
            "train-labels-idx1-ubyte",
            (60_000,),
            "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        ),
        "56016b2341e99c383df5cc0ed736f4afb12a6c90855d9f3d69981b294a0159ad",
    ),
    Split(
        "test",
        Part(
            "t10k-images-idx3-ubyte",
            (10_000, 28, 28),
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        ),
        Part(
            "t10k-labels-idx1-ubyte",
            (10_000,),
            "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        ),
        "b73438e78d64c9f337edad19c3eea888b49d646dbe27b46e4e3177218f3581e7",
    ),
)

#: Where below the named folder the files may lie: as in torchvision, Keras and Hugging Face.
PLACES = (
    ".", "raw", "FashionMNIST/raw", "fashion-mnist", "datasets/fashion-mnist", "fashion_mnist",
    "data",
)  # fmt: skip

#: No file of the data set, packed or unpacked, is larger (the largest has 47 MB; as CSV 133 MB).
LARGEST = 64 * 2**20
LARGEST_TABLE = 256 * 2**20

FORMS = (
    "put the four Fashion-MNIST files (gzipped or not), the two CSV files or the two Parquet files "
    "there, or name no folder and unset FMNIST_DATA_DIR to have them downloaded"
)


def read_folder(folder: Path) -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Read the data set from a folder, in whatever form it lies there.

    Taken is the first of: the four IDX files, gzipped by anyone or not at all; two CSV files
    named as on Kaggle; two Parquet files with the columns of Hugging Face. A gzipped file with the
    official MD5 is the official one; anything else is decoded and told by its SHA-256.

    Parameters
    ----------
    folder : Path
        The folder of the files, or that of torchvision, Keras or Hugging Face above it.

    Returns
    -------
    tuple of four uint8 arrays
        Training images and labels, test images and labels.

    Raises
    ------
    DataError
        Naming the first file that is missing, unreadable or not of the data set.
    """
    here = [folder / place for place in PLACES]
    for place in here:
        if any(_idx_file(place, part) for split in SPLITS for part in (split.images, split.labels)):
            arrays = [_read_part(place, part) for split in SPLITS for part in split[1:3]]
            break
    else:
        for place in here:
            tables = [_table_file(place, split) for split in SPLITS]
            if any(tables):
                break
        else:
            raise DataError(f"{SPLITS[0].images.name}.gz is missing in {folder}: {FORMS}.")
        arrays = []
        for split, table in zip(SPLITS, tables, strict=True):
            if table is None:
                raise DataError(f"The {split.name} table is missing in {place}: {FORMS}.")
            arrays += _read_table(table, split)
    train_images, train_labels, test_images, test_labels = arrays
    return train_images, train_labels, test_images, test_labels


def exists(path: Path) -> bool:
    """Say whether something has this name; what cannot be looked at is left to the reader."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_file(path: Path, largest: int | None = None) -> bytes:
    """Read a regular file that is not empty and not larger than it may be.

    Parameters
    ----------
    path : pathlib.Path
        Nothing is read of a FIFO, a device or a folder.
    largest : int, optional
        In bytes, `LARGEST` by default.

    Raises
    ------
    DataError
        If it is no such file or cannot be read.
    """
    try:
        content = read_regular(path, LARGEST if largest is None else largest)
    except OSError as error:
        why = error.strerror or error
        raise DataError(f"Cannot read {path} ({why}): put the data file in its place.") from error
    if not content:
        raise DataError(f"{path} is empty: fetch it again.")
    return content


def _idx_file(folder: Path, part: Part) -> Path | None:
    """Return the IDX file of a part; some programs unpack it with a dot in its name."""
    names = (f"{part.name}.gz", part.name, part.name.replace("-idx", ".idx"))
    return next((folder / name for name in names if exists(folder / name)), None)


def _read_part(folder: Path, part: Part) -> Bytes:
    path = _idx_file(folder, part)
    if path is None:
        raise DataError(f"{part.name}.gz is missing in {folder}: {FORMS}.")
    content = read_file(path)
    if path.suffix == ".gz":
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if md5 == FILES[path.name]:
            return _parse_idx(gzip.decompress(content), path)
        content = _unpack(content, path)
    array = _parse_idx(content, path)
    found = _sha256(array)
    if found != part.sha256 or array.shape != part.shape:
        raise DataError(_otherwise(path, part, array.shape, found))
    return array


def _sha256(array: Bytes) -> str:
    return hashlib.sha256(array.data).hexdigest()


def _otherwise(path: Path, part: Part, shape: tuple[int, ...], found: str) -> str:
    return (
        f"{path} does not hold the {part.name.partition('-idx')[0]} of Fashion-MNIST: expected "
        f"{times(part.shape)} values with SHA-256 {part.sha256}, found {times(shape)} with "
        f"SHA-256 {found}; fetch it again."
    )


def _unpack(content: bytes, path: Path) -> bytes:
    """Unpack gzip, but no more than `LARGEST` bytes."""
    try:
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"Cannot unpack {path} ({error}): fetch it again.") from error
    if len(unpacked) > LARGEST:
        raise DataError(
            f"{path} unpacks to more than {LARGEST} bytes, and no file of the data set does: fetch "
            "it again."
        )
    return unpacked


def _parse_idx(content: bytes, path: Path) -> Bytes:
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is not an IDX file of bytes: fetch it again.")
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4]) for i in range(4, start, 4))
    if len(content) != start + math.prod(shape):
        raise DataError(
            f"{path} has {len(content)} bytes, but its header says {shape}: fetch it again."
        )
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    except ValueError as error:  # More dimensions than an array can have, or too long a one.
        raise DataError(f"{path} is not an IDX file of bytes ({error}): fetch it again.") from error


# --- Tables --------------------------------------------------------------------------------------


def _table_file(folder: Path, split: Split) -> Path | None:
    """Return the CSV file of a split, else its one Parquet file."""
    csv = folder / f"fashion-mnist_{split.name}.csv"
    if exists(csv):
        return csv
    try:
        found = sorted(path for path in folder.iterdir() if _is_parquet(path, split))
    except OSError:
        return None
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"{folder} has more than one {split.name} table ({names}): keep one.")
    return found[0] if found else None


def _is_parquet(path: Path, split: Split) -> bool:
    return path.suffix == ".parquet" and path.name.startswith(split.name)


def _read_table(path: Path, split: Split) -> tuple[Bytes, Bytes]:
    """Read a table whose rows must be those of the split, in its order."""
    images, labels = (_read_csv if path.suffix == ".csv" else _read_parquet)(path, split)
    for array, part in ((images, split.images), (labels, split.labels)):
        found = _sha256(array)
        if found == part.sha256 and array.shape == part.shape:
            continue
        rows = np.column_stack([labels, images.reshape(len(images), -1)])
        ordered = hashlib.sha256(b"".join(sorted(row.tobytes() for row in rows))).hexdigest()
        if ordered == split.rows_sha256:
            raise DataError(
                f"{path} holds the {split.name} images of Fashion-MNIST in another order (expected "
                f"SHA-256 {part.sha256}, found {found}), and splits depend on the order: take the "
                "IDX files, which Kaggle ships beside its tables, or the official .gz files."
            )
        raise DataError(_otherwise(path, part, array.shape, found))
    return images, labels


def _read_csv(path: Path, split: Split) -> tuple[Bytes, Bytes]:
    """Read ``label,pixel1,...,pixel784``."""
    import pandas as pd

    content = read_file(path, LARGEST_TABLE)
    pixels = math.prod(split.images.shape[1:])
    header = content[: 32 * pixels].partition(b"\n")[0].decode(errors="replace").strip()
    names = [name.strip().strip('"') for name in header.split(",")]
    if names != ["label", *(f"pixel{i}" for i in range(1, pixels + 1))]:
        raise DataError(
            f"{path} begins with {header[:30]!r}: its first line must be label,pixel1,...,"
            f"pixel{pixels}, as in Kaggle's file."
        )
    try:
        # One row too many is enough to tell a longer table.
        frame = pd.read_csv(io.BytesIO(content), dtype=np.uint8, nrows=split.images.shape[0] + 1)
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
        reason = _on_one_line(error)
        raise DataError(f"{path} is no table of bytes ({reason}): fetch it again.") from error
    values: Bytes = np.ascontiguousarray(frame.to_numpy(np.uint8))
    images = np.ascontiguousarray(values[:, 1:]).reshape(-1, *split.images.shape[1:])
    return images, values[:, 0].copy()


def _read_parquet(path: Path, split: Split) -> tuple[Bytes, Bytes]:
    """Read the columns ``image`` (PNG, alone or as ``{"bytes": ...}``) and ``label``."""
    content = read_file(path, LARGEST_TABLE)
    frame = _parquet_frame(content, path, split.images.shape[0])
    try:
        images = b"".join(_pixels(cell, split.images.shape[1:]) for cell in frame["image"])
        labels = frame["label"].to_numpy().astype(np.uint8)
    except (TypeError, KeyError, ValueError, OSError, SyntaxError) as error:
        raise DataError(
            f"{path} is not laid out as on Hugging Face ({_on_one_line(error)}): column image must "
            "hold PNG files in grey, and column label numbers; use the official .gz files instead."
        ) from error
    shape = (-1, *split.images.shape[1:])
    return np.frombuffer(images, np.uint8).reshape(shape), labels


def _parquet_frame(content: bytes, path: Path, rows: int) -> pd.DataFrame:
    """Read a Parquet file, after a look at what it says that it has."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"Reading {path} needs pyarrow: pip install pyarrow, or use the official .gz files."
        ) from error
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        names, found = file.schema_arrow.names, file.metadata.num_rows
    except Exception as error:
        reason = _on_one_line(error)
        raise DataError(f"{path} is no Parquet file ({reason}): fetch it again.") from error
    if not {"image", "label"} <= set(names):
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise DataError(
            f"{path} has the columns {shown}: of Parquet files only those with the columns image "
            "and label, as on Hugging Face, can be read; use the official .gz files instead."
        )
    if found != rows:
        raise DataError(f"{path} has {found} rows, and Fashion-MNIST has {rows}: fetch it again.")
    try:
        return file.read(["image", "label"]).to_pandas()
    except Exception as error:
        reason = _on_one_line(error)
        raise DataError(f"Cannot unpack {path} ({reason}): fetch it again.") from error


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _pixels(cell: Any, size: tuple[int, ...]) -> bytes:
    """Decode one picture, after a look at its size."""
    from PIL import Image

    content = cell["bytes"] if isinstance(cell, dict) else cell
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        if picture.mode != "L" or (picture.height, picture.width) != size:
            raise ValueError(f"a picture is {times(picture.size)} in mode {picture.mode}")
        return picture.tobytes()
