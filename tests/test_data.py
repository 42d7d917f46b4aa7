import errno
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fmnist_utils.data import transfer
from fmnist_utils.data.download import fetch_data, load_data
from fmnist_utils.data.fashion_mnist import CLASS_NAMES, FACTS, DataError, official_fingerprint
from fmnist_utils.data.fashion_mnist import FILES as data_FILES
from fmnist_utils.data.inputs import one_hot, split_indices


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4) for size in array.shape)
    return b"\x00\x00\x08" + bytes([array.ndim]) + sizes + array.tobytes()


CONTENT = {
    "images.gz": gzip.compress(idx(np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28))),
    "labels.gz": gzip.compress(idx(np.array([3, 7], np.uint8))),
}
LOCK = ".fmnist-download.lock"
FILES = {name: hashlib.md5(content).hexdigest() for name, content in CONTENT.items()}


class Mirrors(ThreadingHTTPServer):
    """Mirrors on loopback: the first part of a path says how the mirror misbehaves."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.requests: list[str] = []
        self.stopping = threading.Event()

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/"


class Answer(BaseHTTPRequestHandler):
    server: Mirrors

    def do_GET(self) -> None:
        _, behaviour, name = self.path.split("/")
        first_time = self.path not in self.server.requests
        self.server.requests.append(self.path)
        body = CONTENT[name]
        if behaviour == "missing" or (behaviour == "flaky" and first_time):
            self.send_error(404)
            return
        if behaviour == "wrong":
            body = body[::-1]
        self.send_response(200)
        if behaviour == "hanging":
            self.end_headers()
            self.wfile.write(bytes(10**6))
            self.server.stopping.wait(60)
            return
        if behaviour in ("dripping", "endless"):
            self.end_headers()
            self.send_for_ever(b"\x1f" if behaviour == "dripping" else b"\x1f" * 2**16)
            return
        self.send_header("Content-Length", str(len(body)))
        if behaviour == "labelling" and "gzip" in self.headers["Accept-Encoding"]:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if behaviour in ("truncated", "stalling"):
            body = body[: len(body) // 2]
        self.wfile.write(body)
        if behaviour == "stalling":
            self.wfile.flush()
            self.server.stopping.wait(10)

    def send_for_ever(self, piece: bytes) -> None:
        try:
            while not self.server.stopping.wait(0.05 if len(piece) == 1 else 0):
                self.wfile.write(piece)
        except OSError:
            pass  # The client has had enough.

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FMNIST_DATA_DIR", raising=False)
    server = Mirrors()
    # A short poll: shutdown() waits for one.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that holds the small data files."""
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != LOCK}


def fetch(folder: Path, *urls: str, retries: int = 0, deadline: float = 60.0) -> Path:
    # Only what never answers, or never ends, meets a limit: no good mirror does on a slow machine.
    timeout = 3.0 if any("stalling" in url or "hanging" in url for url in urls) else 60.0
    return fetch_data(
        folder, urls, files=FILES, retries=retries, timeout=timeout, deadline=deadline
    )


# Fetching


def test_fetch_puts_every_file_in_a_new_folder(mirrors: Mirrors, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    assert fetch(target, mirrors.url("good")) == target
    assert held(target) == CONTENT


def test_fetch_asks_only_for_what_is_missing(mirrors: Mirrors, folder: Path) -> None:
    (folder / "labels.gz").unlink()
    fetch(folder, mirrors.url("good"))
    fetch(folder, mirrors.url("good"))
    assert mirrors.requests == ["/good/labels.gz"]


BAD_MIRRORS = {
    "truncated": "broke off",
    "stalling": "timed out",
    "missing": "answered HTTP 404",
    "wrong": "sent a file with the wrong MD5",
}


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", BAD_MIRRORS)
def test_a_bad_mirror_gives_way_to_the_next(
    behaviour: str, mirrors: Mirrors, tmp_path: Path
) -> None:
    fetch(tmp_path, mirrors.url(behaviour), mirrors.url("good"))
    assert held(tmp_path) == CONTENT


def test_a_mirror_that_worked_is_asked_first_from_then_on(mirrors: Mirrors, tmp_path: Path) -> None:
    fetch(tmp_path, mirrors.url("missing"), mirrors.url("good"))
    assert mirrors.requests == ["/missing/images.gz", "/good/images.gz", "/good/labels.gz"]


@pytest.mark.slow
@pytest.mark.parametrize(("behaviour", "reason"), BAD_MIRRORS.items())
def test_a_failed_download_leaves_nothing_and_says_why(
    behaviour: str, reason: str, mirrors: Mirrors, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        fetch(tmp_path, mirrors.url(behaviour))
    message = str(caught.value)
    assert "images.gz" in message
    assert f"127.0.0.1:{mirrors.server_port} {reason}" in message
    assert "FMNIST_DATA_DIR" in message
    assert held(tmp_path) == {}


def test_the_error_gives_the_reason_of_every_mirror(mirrors: Mirrors, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"HTTP 404; .* wrong MD5"):
        fetch(tmp_path, mirrors.url("missing"), mirrors.url("wrong"))


def test_an_unreachable_mirror_is_named(mirrors: Mirrors, tmp_path: Path) -> None:
    with Mirrors() as closed:
        url = closed.url("good")
    with pytest.raises(DataError, match="could not be reached"):
        fetch(tmp_path, url)


def test_a_mirror_is_tried_again(mirrors: Mirrors, folder: Path) -> None:
    (folder / "labels.gz").unlink()
    fetch(folder, mirrors.url("flaky"), retries=1)
    assert mirrors.requests == ["/flaky/labels.gz"] * 2


def test_files_are_not_unpacked_on_the_way(mirrors: Mirrors, tmp_path: Path) -> None:
    fetch(tmp_path, mirrors.url("labelling"))
    assert held(tmp_path) == CONTENT


def test_a_folder_that_cannot_be_made_is_an_error(mirrors: Mirrors, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"Cannot .* FMNIST_DATA_DIR"):
        fetch(tmp_path / "file" / "folder", mirrors.url("good"))


@pytest.mark.slow
def test_a_mirror_that_drips_gives_way_to_the_next(mirrors: Mirrors, tmp_path: Path) -> None:
    # Each byte arrives well within the timeout; and there is no second attempt.
    fetch(tmp_path, mirrors.url("dripping"), mirrors.url("good"), retries=2, deadline=10.0)
    assert held(tmp_path) == CONTENT
    assert mirrors.requests == ["/dripping/images.gz", "/good/images.gz", "/good/labels.gz"]


def test_a_mirror_that_never_ends_gives_way_to_the_next(
    mirrors: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "LARGEST_DOWNLOAD", 10**6)
    fetch(tmp_path, mirrors.url("endless"), mirrors.url("good"), retries=2)
    assert held(tmp_path) == CONTENT
    assert mirrors.requests == ["/endless/images.gz", "/good/images.gz", "/good/labels.gz"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("dripping", "took longer than 1 seconds"), ("endless", "sent more than 1000000 bytes")],
)
def test_a_download_that_was_given_up_leaves_nothing_and_says_why(
    behaviour: str,
    reason: str,
    mirrors: Mirrors,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer, "LARGEST_DOWNLOAD", 10**6)
    deadline = 1.0 if behaviour == "dripping" else 60.0
    with pytest.raises(DataError, match=reason):
        fetch(tmp_path, mirrors.url(behaviour), deadline=deadline)
    assert held(tmp_path) == {}


@pytest.mark.slow
def test_what_a_killed_download_left_is_removed_at_the_next_start(
    mirrors: Mirrors, tmp_path: Path
) -> None:
    script = (
        "import sys, pathlib; from fmnist_utils.data.download import fetch_data; "
        "fetch_data(pathlib.Path(sys.argv[1]), [sys.argv[2]], files={'images.gz': '0' * 32})"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path), mirrors.url("hanging")]
    process = subprocess.Popen(arguments)
    try:
        while not any(path.is_file() and path.stat().st_size for path in tmp_path.rglob("*tmp*")):
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    (tmp_path / "tmp_of_another").touch()
    fetch(tmp_path, mirrors.url("good"))
    assert held(tmp_path) == CONTENT | {"tmp_of_another": b""}


def test_two_processes_do_not_download_at_once(mirrors: Mirrors, tmp_path: Path) -> None:
    with FileLock(tmp_path / LOCK), pytest.raises(DataError, match="Another process"):
        fetch(tmp_path, mirrors.url("good"), deadline=0.1)
    assert mirrors.requests == []


def test_without_a_network_there_is_nothing_but_the_error(mirrors: Mirrors, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, pooch\n"
        "from fmnist_utils.data.download import fetch_data, DataError\n"
        "level = pooch.get_logger().level\n"
        "try: fetch_data(pathlib.Path(sys.argv[1]), sys.argv[2:], retries=1)\n"
        "except DataError as error: print(error)\n"
        "print(pooch.get_logger().level == level)"
    )
    with Mirrors() as closed:
        urls = [closed.url("good"), closed.url("missing")]
    arguments = [sys.executable, "-c", script, str(tmp_path), *urls]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)
    sentence, logs_as_before = result.stdout.splitlines()
    assert sentence.startswith("No mirror delivered train-images-idx3-ubyte.gz (127.0.0.1")
    assert sentence.count("could not be reached") == 2
    assert result.stderr == ""
    assert logs_as_before == "True"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device): free 64 MB there"),
        (errno.EROFS, "Read-only file system): make the folder writable"),
    ],
)
@pytest.mark.parametrize("call", ["pathlib.Path.open", "shutil.move", "os.replace"])
def test_a_disk_that_takes_nothing_is_one_sentence(
    call: str,
    number: int,
    remedy: str,
    mirrors: Mirrors,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(call, fail)
    with pytest.raises(DataError) as caught:
        fetch(tmp_path, mirrors.url("good"))
    assert remedy in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "FMNIST_DATA_DIR" in str(caught.value)
    monkeypatch.undo()
    assert held(tmp_path) == {}


def test_a_full_disk_leaves_nothing(mirrors: Mirrors, tmp_path: Path) -> None:
    """Fill a real disk, where one may be mounted."""
    script = (
        "mount -t tmpfs -o size=8k none $1 && head -c 5000 /dev/zero > $1/other && "
        'exec "$2" -c "$3" $1 $4'
    )
    program = (
        "import os, sys, pathlib\n"
        "from fmnist_utils.data.download import fetch_data, DataError\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "try: fetch_data(folder, [sys.argv[2]], files={'images.gz': '0' * 32})\n"
        "except DataError as error: print(error)\n"
        "print(sorted(set(os.listdir(folder)) - {'.fmnist-download.lock'}))\n"
    )
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(tmp_path)]
    probe = [*command[:4], "mount -t tmpfs none $1", *command[5:]]
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("needs a system that lets users mount in a namespace of their own")
    command += [sys.executable, program, mirrors.url("endless")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    sentence, left = result.stdout.splitlines()
    assert "No space left on device): free 64 MB there" in sentence
    assert left == "['other']"


def test_the_named_folder_is_never_written_to(
    mirrors: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is missing in"):
        fetch_data(mirrors=[mirrors.url("good")], files=FILES)
    assert held(tmp_path) == {}
    assert mirrors.requests == []


# Verifying and reading


@pytest.mark.parametrize(
    "content",
    [CONTENT["images.gz"], CONTENT["labels.gz"][:-1], gzip.compress(b"<html>Sorry</html>")],
    ids=["another data file", "cut short", "foreign"],
)
def test_a_changed_file_is_named_with_both_sums_and_left_alone(
    content: bytes, mirrors: Mirrors, folder: Path
) -> None:
    (folder / "labels.gz").write_bytes(content)
    with pytest.raises(DataError) as caught:
        fetch(folder, mirrors.url("good"))
    message = str(caught.value)
    assert str(folder / "labels.gz") in message
    assert f"expected MD5 {FILES['labels.gz']}" in message
    assert f"found {hashlib.md5(content).hexdigest()}" in message
    assert held(folder)["labels.gz"] == content


def test_a_folder_in_place_of_a_file_is_an_error(folder: Path) -> None:
    (folder / "labels.gz").unlink()
    (folder / "labels.gz").mkdir()
    with pytest.raises(DataError, match=r"Cannot read .*labels\.gz"):
        fetch(folder)


# Loading


def test_an_unknown_source_is_an_error() -> None:
    with pytest.raises(DataError, match=r"'mnist'.*'real' or 'synthetic'"):
        load_data("mnist")


def test_the_named_folder_must_hold_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is missing"):
        load_data()


def test_the_argument_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path / "environment"))
    with pytest.raises(DataError, match="argument"):
        load_data(folder=tmp_path / "argument")


def test_foreign_files_are_never_loaded(tmp_path: Path) -> None:
    for name in data_FILES:
        (tmp_path / name).write_bytes(CONTENT["images.gz"])
    with pytest.raises(DataError, match=r"train-images.* does not hold .* of Fashion-MNIST"):
        load_data(folder=tmp_path)


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("text", "here means {cwd}/text, and there is no such folder"),
        ("", "here means {cwd}/.*train-images-idx3-ubyte.gz is missing in {cwd}"),
        ("~nobodyxyz", "no path"),
        ("a\0b", "no path"),
        (3, "no path"),
        ("/dev/null", "'/dev/null', and that is no folder: give the full path"),
        ("/" + "x" * 5_000, "no path"),
    ],
)
def test_what_is_no_folder_is_one_sentence(
    folder: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    problem = problem.format(cwd=tmp_path)
    with pytest.raises(DataError) as caught:
        load_data(folder=folder)
    assert problem.rpartition(".*")[2] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["text", "~nobodyxyz", "/dev/null", "/" + "x" * 5_000])
def test_the_variable_too_must_name_a_folder(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FMNIST_DATA_DIR", value)
    for ask in (load_data, fetch_data):
        with pytest.raises(DataError, match="FMNIST_DATA_DIR is '"):
            ask()


def test_a_relative_folder_is_looked_for_from_here(
    real_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(real_data_dir.parent)
    monkeypatch.setenv("FMNIST_DATA_DIR", real_data_dir.name)
    assert fetch_data() == real_data_dir.resolve()
    assert load_data(folder=real_data_dir.name) is load_data()


def test_the_real_data_bear_out_every_fact(real_data_dir: Path) -> None:
    real = load_data(folder=real_data_dir)
    train, test = real.train_images, real.test_images
    pixels = np.concatenate([train.ravel(), test.ravel()])
    per_class = [np.bincount(labels).tolist() for labels in (real.train_labels, real.test_labels)]
    assert per_class == [[6_000] * 10, [1_000] * 10]
    assert dict(FACTS) == {
        "train_images": len(train),
        "test_images": len(test),
        "total_images": len(train) + len(test),
        "train_share": len(train) / (len(train) + len(test)),
        "test_share": len(test) / (len(train) + len(test)),
        "first_class": real.train_labels.min(),
        "last_class": real.train_labels.max(),
        "image_height": train.shape[1],
        "image_width": train.shape[2],
        "pixels": train[0].size,
        "classes": len(np.unique(real.train_labels)),
        "train_images_per_class": per_class[0][0],
        "test_images_per_class": per_class[1][0],
        "pixel_min": pixels.min(),
        "pixel_max": pixels.max(),
        "train_images_shape": train.shape,
        "test_images_shape": test.shape,
        "train_onehot_shape": one_hot(real.train_labels).shape,
        "test_onehot_shape": one_hot(real.test_labels).shape,
        "labels": tuple(np.unique(real.train_labels)),
        "table_columns": 1 + train[0].size,
        "image_shape": train[0].shape,
        "image_shape_with_channel": train[0][..., np.newaxis].shape,
    }


def test_the_real_data_are_loaded_once_and_cannot_be_changed(real_data_dir: Path) -> None:
    real = load_data(folder=real_data_dir)
    assert load_data(folder=real_data_dir) is real
    assert real.source == "real"
    assert real.class_names == CLASS_NAMES
    with pytest.raises(ValueError, match="read-only"):
        real.train_images[0, 0, 0] = 1


def test_the_cache_is_used_when_no_folder_is_named(
    real_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FMNIST_DATA_DIR")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    cache = tmp_path / "fmnist-utils"
    cache.mkdir()
    for name in data_FILES:
        (cache / name).symlink_to((real_data_dir / name).resolve())
    assert load_data().train_images.shape == (60_000, 28, 28)


def test_the_fingerprint_follows_the_data(real_data_dir: Path) -> None:
    real = load_data(folder=real_data_dir)
    assert real.fingerprint == official_fingerprint()


def test_the_official_fingerprint_never_changes() -> None:
    # Every shipped run carries it: another value would make all of them stale.
    assert official_fingerprint() == "45989d5fa2a2"


# Splitting


@given(
    n=st.integers(2, 3_000),
    share=st.floats(0.01, 0.99),
    take=st.sampled_from(["first", "last", "random"]),
    seed=st.integers(0, 2**32),
)
def test_a_split_is_disjoint_complete_and_repeatable(
    n: int, share: float, take: str, seed: int
) -> None:
    count = min(max(int(n * share), 1), n - 1)
    train, validation = split_indices(n, count=count, take=take, seed=seed)
    assert train.dtype == validation.dtype == np.int32
    assert len(validation) == count
    assert sorted([*train, *validation]) == list(range(n))
    again = split_indices(n, count=count, take=take, seed=seed)
    np.testing.assert_array_equal(validation, again[1])


@given(n=st.integers(2, 1_000), count=st.integers(1, 999))
def test_first_and_last_are_the_ends(n: int, count: int) -> None:
    if count >= n:
        n = count + 1
    assert split_indices(n, count=count, take="first")[1].tolist() == list(range(count))
    assert split_indices(n, count=count, take="last")[1].tolist() == list(range(n - count, n))


@pytest.mark.parametrize(("n", "fraction"), [(15, 0.25), (100, 0.9)])
def test_a_fraction_from_the_end_is_what_keras_takes(n: int, fraction: float) -> None:
    import keras

    # The identity, learning nothing: its validation loss is the mean of the examples it saw.
    layer = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mae")
    examples = np.arange(n, dtype=np.float32)[:, np.newaxis]
    history = model.fit(
        examples, np.zeros_like(examples), validation_split=fraction, batch_size=n, verbose=0
    ).history
    _, validation = split_indices(n, fraction=fraction)
    assert history["val_loss"][0] == pytest.approx(validation.mean(), rel=1e-6)


def test_a_random_split_depends_on_its_seed_alone() -> None:
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    _, one = split_indices(1_000, fraction=0.2, take="random", seed=1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.random.seed(2)
    _, again = split_indices(1_000, fraction=0.2, take="random", seed=1)
    _, other = split_indices(1_000, fraction=0.2, take="random", seed=2)
    assert one.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "either"),
        ({"fraction": 0.2, "count": 2}, "either"),
        ({"fraction": 0.0}, "between 0 and 1"),
        ({"fraction": 1.0}, "between 0 and 1"),
        ({"fraction": float("nan")}, "between 0 and 1"),
        ({"fraction": 0.99}, "empty"),
        ({"count": 0}, "empty"),
        ({"count": 10}, "empty"),
        ({"count": -1}, "empty"),
        ({"count": 2, "take": "random"}, "seed"),
        ({"count": 2, "take": "middle"}, "'middle'"),
    ],
)
def test_a_senseless_split_is_an_error(arguments: dict, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        split_indices(10, **arguments)


# Encoding


@given(labels=hnp.arrays(np.uint8, st.integers(0, 50), elements=st.integers(0, 9)))
def test_one_hot_marks_the_label(labels: np.ndarray) -> None:
    encoded = one_hot(labels)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(labels), 10)
    assert (encoded.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(encoded.argmax(axis=1), labels)


def test_one_hot_rejects_a_label_out_of_range() -> None:
    with pytest.raises(DataError, match=r"Label 10 .* 10 classes"):
        one_hot(np.array([0, 10], np.uint8))
