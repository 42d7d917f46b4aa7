"""The data set in the forms that people have it in, on a small one that stands in for it."""

import gzip
import hashlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fmnist_utils.data import formats
from fmnist_utils.data.download import fetch_data, load_data
from fmnist_utils.data.fashion_mnist import DataError
from fmnist_utils.data.formats import Part, Split, read_folder

RNG = np.random.default_rng(0)
ARRAYS = {
    "train-images-idx3-ubyte": RNG.integers(0, 256, (6, 28, 28), np.uint8),
    "train-labels-idx1-ubyte": np.array([9, 0, 0, 3, 0, 2], np.uint8),
    "t10k-images-idx3-ubyte": RNG.integers(0, 256, (4, 28, 28), np.uint8),
    "t10k-labels-idx1-ubyte": np.array([9, 2, 1, 1], np.uint8),
}
TRAIN, TRAIN_LABELS, TEST, TEST_LABELS = ARRAYS.values()


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4) for size in array.shape)
    return b"\x00\x00\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def split(name: str, images: str, labels: str) -> Split:
    parts = [
        Part(key, ARRAYS[key].shape, sha256(ARRAYS[key].tobytes())) for key in (images, labels)
    ]
    rows = sorted(
        bytes([label]) + image.tobytes()
        for label, image in zip(ARRAYS[labels], ARRAYS[images], strict=True)
    )
    return Split(name, *parts, sha256(b"".join(rows)))


@pytest.fixture(autouse=True)
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_data_dir" in request.fixturenames:
        return
    names = list(ARRAYS)
    monkeypatch.setattr(formats, "SPLITS", (split("train", *names[:2]), split("test", *names[2:])))
    official = {name + ".gz": hashlib.md5(zipped(idx(a))).hexdigest() for name, a in ARRAYS.items()}
    monkeypatch.setattr(formats, "FILES", official)


def zipped(content: bytes, level: int = 9) -> bytes:
    return gzip.compress(content, level, mtime=0)


# Writers: each puts the data set into a folder in one form.


def official(folder: Path) -> None:
    for name, array in ARRAYS.items():
        (folder / f"{name}.gz").write_bytes(zipped(idx(array)))


def gzipped_anew(folder: Path) -> None:
    for name, array in ARRAYS.items():
        content = idx(array)
        # Two members, as `cat a.gz b.gz` makes them, and another level.
        (folder / f"{name}.gz").write_bytes(zipped(content[:5], 1) + zipped(content[5:], 1))


def unpacked(folder: Path) -> None:
    for name, array in ARRAYS.items():
        (folder / name).write_bytes(idx(array))


def unpacked_with_dots(folder: Path) -> None:
    for name, array in ARRAYS.items():
        (folder / name.replace("-idx", ".idx")).write_bytes(idx(array))


def torchvision(folder: Path) -> None:
    raw = folder / "FashionMNIST/raw"
    raw.mkdir(parents=True)
    official(raw)
    unpacked(raw)


def raw_alone(folder: Path) -> None:
    (folder / "raw").mkdir()
    unpacked(folder / "raw")


def keras(folder: Path) -> None:
    (folder / "fashion-mnist").mkdir()
    official(folder / "fashion-mnist")


def keras_home(folder: Path) -> None:
    (folder / "datasets").mkdir()
    keras(folder / "datasets")


def table(images: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    columns = ["label", *(f"pixel{i}" for i in range(1, 785))]
    return pd.DataFrame(np.column_stack([labels, images.reshape(len(images), -1)]), columns=columns)


def csv(folder: Path) -> None:
    table(TRAIN, TRAIN_LABELS).to_csv(folder / "fashion-mnist_train.csv", index=False)
    table(TEST, TEST_LABELS).to_csv(folder / "fashion-mnist_test.csv", index=False)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(images: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    cells = [{"bytes": png(image), "path": None} for image in images]
    return pd.DataFrame({"image": cells, "label": labels.astype(np.int64)})


def parquet(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    (folder / "fashion_mnist").mkdir()
    for name, images, labels in (("train", TRAIN, TRAIN_LABELS), ("test", TEST, TEST_LABELS)):
        file = folder / "fashion_mnist" / f"{name}-00000-of-00001.parquet"
        pictures(images, labels).to_parquet(file)


FORMS = [
    official, gzipped_anew, unpacked, unpacked_with_dots, torchvision, raw_alone, keras, keras_home,
    csv, parquet,
]  # fmt: skip


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
def test_every_form_gives_the_same_arrays(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path)
    for array, read in zip(ARRAYS.values(), read_folder(tmp_path), strict=True):
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, array)


def test_the_variable_takes_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw_alone(tmp_path)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path))
    assert fetch_data() == tmp_path
    np.testing.assert_array_equal(load_data().test_images, TEST)
    np.testing.assert_array_equal(load_data(folder=str(tmp_path)).train_images, TRAIN)


@pytest.mark.parametrize("write", [gzipped_anew, unpacked, csv, parquet], ids=lambda w: w.__name__)
def test_other_images_are_refused_with_both_hashes(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    train, test = formats.SPLITS
    wanted = Part(test.images.name, test.images.shape, "0" * 64)
    monkeypatch.setattr(formats, "SPLITS", (train, test._replace(images=wanted, rows_sha256="")))
    with pytest.raises(DataError) as caught:
        read_folder(tmp_path)
    assert "0" * 64 in str(caught.value)
    assert sha256(TEST.tobytes()) in str(caught.value)


def test_the_same_bytes_in_another_shape_are_refused(tmp_path: Path) -> None:
    unpacked(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(TEST.reshape(4, 784)))
    with pytest.raises(DataError, match=r"expected 4 × 28 × 28 .* found 4 × 784"):
        read_folder(tmp_path)


def test_a_table_in_another_order_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    csv(tmp_path)
    frame = table(TEST, TEST_LABELS)
    frame.iloc[::-1].to_csv(tmp_path / "fashion-mnist_test.csv", index=False)
    with pytest.raises(DataError, match="in another order") as caught:
        read_folder(tmp_path)
    assert sha256(TEST.tobytes()) in str(caught.value)
    assert sha256(TEST[::-1].tobytes()) in str(caught.value)
    frame["label"] = frame["label"][::-1].to_numpy()
    frame.to_csv(tmp_path / "fashion-mnist_test.csv", index=False)
    with pytest.raises(DataError, match="does not hold the t10k-labels"):
        read_folder(tmp_path)


def test_the_images_kaggle_ships_beside_its_tables_are_taken(tmp_path: Path) -> None:
    unpacked(tmp_path)
    (tmp_path / "fashion-mnist_train.csv").write_text("in another order")
    np.testing.assert_array_equal(read_folder(tmp_path)[0], TRAIN)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("label,", "class,", "its first line must be label"),
        (",pixel784", "", "its first line must be label"),
        ("\n9,", "\nnine,", "no table of bytes"),
        ("\n9,", "\n256,", "no table of bytes"),
        ("\n9,", "\n,", "no table of bytes"),
        ("\n9,", "\n9,9,", "no table of bytes"),
        ("\n9,", "\n9,\x00", "no table of bytes"),
        ("\n9,", '\n"9,', "no table of bytes"),
        ("\n9,", "\n9,0,0\n9,", "no table of bytes"),
    ],
)
def test_a_damaged_table_is_one_sentence(old: str, new: str, problem: str, tmp_path: Path) -> None:
    csv(tmp_path)
    file = tmp_path / "fashion-mnist_train.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        read_folder(tmp_path)
    assert problem in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", [slice(3), [0, 1, 2, 3, 0]], ids=["shorter", "longer"])
def test_a_table_of_another_length_is_refused(rows: slice | list[int], tmp_path: Path) -> None:
    csv(tmp_path)
    frame = table(TEST[rows], TEST_LABELS[rows])
    frame.to_csv(tmp_path / "fashion-mnist_test.csv", index=False)
    with pytest.raises(DataError, match="expected 4 × 28 × 28"):
        read_folder(tmp_path)


def test_half_of_the_tables_is_too_little(tmp_path: Path) -> None:
    csv(tmp_path)
    (tmp_path / "fashion-mnist_test.csv").unlink()
    with pytest.raises(DataError, match="The test table is missing"):
        read_folder(tmp_path)


def test_parquet_without_its_reader_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in ("train.parquet", "test.parquet"):
        (tmp_path / name).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="pip install pyarrow"):
        read_folder(tmp_path)


def test_other_parquet_files_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    parquet(tmp_path)
    file = tmp_path / "fashion_mnist/train-00000-of-00001.parquet"
    frame = pictures(TRAIN, TRAIN_LABELS)
    colour = png(np.zeros((28, 28, 3), np.uint8))
    for other, problem in {
        "pixels": (table(TRAIN, TRAIN_LABELS), "columns label, pixel1, pixel2, ..."),
        "short": (frame[:3], "has 3 rows"),
        "colour": (frame.assign(image=[colour] * 6), "mode RGB"),
        "text": (frame.assign(image=["T-shirt"] * 6), "not laid out as on Hugging Face"),
        "words": (frame.assign(label=["Bag"] * 6), "not laid out as on Hugging Face"),
    }.values():
        other.to_parquet(file)
        with pytest.raises(DataError, match=problem):
            read_folder(tmp_path)
    for damage in (b"", b"PAR1", file.read_bytes()[:-20]):
        file.write_bytes(damage)
        with pytest.raises(DataError, match=r"is empty|no Parquet file"):
            read_folder(tmp_path)
    shutil.copy(file, file.with_name("train-00001-of-00002.parquet"))
    with pytest.raises(DataError, match="more than one train table"):
        read_folder(tmp_path)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    at, piece = int(rng.integers(len(content))), rng.bytes(int(rng.integers(1, 9)))
    match rng.integers(4):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + piece + content[at:]
        case 2:  # Where the headers are.
            at = at % 60
    return content[:at] + piece[:1] + content[at + 1 :]


@pytest.mark.parametrize(
    "write", [official, gzipped_anew, unpacked, csv, parquet], ids=lambda write: write.__name__
)
def test_damage_is_one_sentence_or_none(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path)
    rng = np.random.default_rng(1)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    refused = 0
    for n in range(100):
        path = files[n % len(files)]
        content = path.read_bytes()
        path.write_bytes(mutated(content, rng))
        try:
            for array, read in zip(ARRAYS.values(), read_folder(tmp_path), strict=True):
                np.testing.assert_array_equal(read, array)
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
        path.write_bytes(content)
    assert refused > 50


# What is no regular file, and what is too large


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unreadable(path: Path) -> None:
    path.symlink_to("/proc/self/mem")  # Regular, and reading its beginning fails also for root.


def a_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"])
@pytest.mark.parametrize(
    ("put", "problem"),
    [
        (a_fifo, "no regular file"),
        (a_device, "no regular file"),
        (Path.mkdir, "Is a directory"),
        (a_loop, "Cannot read"),
        (unreadable, "Cannot read"),
        (Path.touch, "is empty"),
    ],
)
def test_only_a_regular_file_is_read(
    put: Callable[[Path], None], problem: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    put(path)
    with pytest.raises(DataError, match=problem) as caught:
        read_folder(tmp_path)
    assert str(path) in str(caught.value)


def test_tables_too_must_be_regular_files(tmp_path: Path) -> None:
    a_fifo(tmp_path / "fashion-mnist_train.csv")
    a_fifo(tmp_path / "fashion-mnist_test.csv")
    with pytest.raises(DataError, match="no regular file"):
        read_folder(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    with path.open("wb") as file:
        file.truncate(formats.LARGEST + 1)
    with pytest.raises(DataError, match="more than 67,108,864 bytes"):
        read_folder(tmp_path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LARGEST", 10_000)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(np.zeros((100, 28, 28), np.uint8))))
    with pytest.raises(DataError, match="unpacks to more than 10000 bytes"):
        read_folder(tmp_path)


def test_a_header_of_too_many_dimensions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"\x00\x00\x08\xff" + b"\x00\x00\x00\x01" * 255 + b"\x07")
    with pytest.raises(DataError, match="not an IDX file"):
        read_folder(tmp_path)


GOOD = idx(TEST_LABELS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (GOOD, "Cannot unpack"),
        (gzip.compress(GOOD)[:-9], "Cannot unpack"),
        (gzip.compress(GOOD)[:12] + b"\xff" * 20, "Cannot unpack"),
        (gzip.compress(b""), "not an IDX file"),
        (gzip.compress(b"\x00\x00\x0d\x01" + GOOD[4:]), "not an IDX file"),
        (gzip.compress(GOOD[:6]), "header says"),
        (gzip.compress(GOOD[:-1]), "header says"),
        (gzip.compress(GOOD + b"\x00"), "header says"),
    ],
    ids=["no gzip", "cut gzip", "bad gzip", "empty", "floats", "cut header", "short", "long"],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    official(tmp_path)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=problem) as caught:
        read_folder(tmp_path)
    assert str(path) in str(caught.value)


# The constants


def test_the_real_images_are_known_unpacked_and_zipped_anew(
    real_data_dir: Path, tmp_path: Path
) -> None:
    real = load_data(folder=real_data_dir)
    for name in ARRAYS:
        content = gzip.decompress((real_data_dir / f"{name}.gz").read_bytes())
        if name.startswith("train-images"):
            (tmp_path / name).write_bytes(content)
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content, 1))
    again = read_folder(tmp_path)
    np.testing.assert_array_equal(again[0], real.train_images)
    np.testing.assert_array_equal(again[3], real.test_labels)


def test_the_real_rows_are_known_in_any_order(real_data_dir: Path) -> None:
    real = load_data(folder=real_data_dir)
    images = (real.train_images, real.test_images)
    labels = (real.train_labels, real.test_labels)
    for split_, pictures_, marks in zip(formats.SPLITS, images, labels, strict=True):
        rows = np.column_stack([marks, pictures_.reshape(len(marks), -1)])
        assert sha256(b"".join(sorted(row.tobytes() for row in rows))) == split_.rows_sha256
