"""A disk that is full, mounted for real: every command says so in one sentence."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_book import make_book

ROOT = Path(__file__).resolve().parents[1]
#: Mount a small disk on $1, put the files of $2 there, and fill it if $3 says so; then work in it.
SCRIPT = """
mount -t tmpfs -o size="$4" none "$1" && cp -r "$2/." "$1" && cd "$1" || exit 99
[ "$3" != full ] || head -c 99000000 /dev/zero > fill 2> /dev/null
shift 4
"$@" > /dev/null
code=$?
ls -A | grep -v -e '^fill$' -e '\\.lock$'
exit $code
"""


@pytest.fixture(scope="module", autouse=True)
def _mountable() -> None:
    command = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none "$1"', "sh", str(ROOT / "tests")]
    if not shutil.which("unshare") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs a system that lets users mount in a namespace of their own")


def on_a_small_disk(
    folder: Path, *command: str, size: str = "512k", fill: bool = True, **environment: str
) -> tuple[str, list[str]]:
    """Run `fmnist` on a full disk; return its sentence, and what is on the disk afterwards."""
    (folder / "disk").mkdir()
    (folder / "files").mkdir(exist_ok=True)
    how = [str(folder / "disk"), str(folder / "files"), "full" if fill else "empty", size]
    start = ["unshare", "-rm", "sh", "-c", SCRIPT, "sh", *how]
    result = subprocess.run(
        [*start, sys.executable, "-m", "fmnist_utils", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr, result.stdout.split()


@pytest.mark.slow
def test_where_runs_go(tmp_path: Path, real_data_dir: Path) -> None:
    sentence, left = on_a_small_disk(tmp_path, "run", "fashion-mnist-report", "one-conv-fold")
    assert re.match(r"Runs cannot be written to runs(/[\w-]+)? \(No space left on device", sentence)
    assert left == ["runs"]


@pytest.mark.slow
def test_where_searches_go(tmp_path: Path, real_data_dir: Path) -> None:
    pytest.importorskip("keras_tuner", reason="needs the tuning extra")
    search = ("search", "anastasopoulos-mpofu-smith", "as-in-figure-9")
    sentence, left = on_a_small_disk(tmp_path, *search)
    assert re.match(r"Runs cannot be written to searches\S* \(No space left on device", sentence)
    assert left == ["searches"]


@pytest.mark.slow
def test_where_the_images_of_a_campaign_go(tmp_path: Path, real_data_dir: Path) -> None:
    place = {"TMPDIR": str(tmp_path / "disk")}
    run = ("run", "fashion-mnist-report", "one-conv-fold", "--seeds", "99")
    sentence, left = on_a_small_disk(tmp_path, *run, size="20m", fill=False, **place)
    assert sentence.startswith("The images, 55 MB, cannot be written to the temporary folder (")
    assert left == ["runs"]


@pytest.mark.slow
@pytest.mark.parametrize("size", ["500k", "4m"])
def test_where_a_book_is_built(tmp_path: Path, size: str) -> None:
    (tmp_path / "files").mkdir()
    make_book(tmp_path / "files")
    arguments = ("book", "--data", "synthetic")
    sentence, _ = on_a_small_disk(tmp_path, *arguments, size=size, fill=size == "500k")
    assert "No space left on device" in sentence


@pytest.mark.slow
def test_where_addresses_are_rewritten(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    make_book(tmp_path / "files")
    arguments = ("set-repository", "https://github.com/another/place")
    sentence, _ = on_a_small_disk(tmp_path, *arguments)
    assert sentence.startswith("_config.yml cannot be read or written (No space left on device)")
