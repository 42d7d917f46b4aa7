"""What is needed to judge, and to repeat, a run: hardware, versions, revision."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

from fmnist_utils.machine import usable_cores
from fmnist_utils.runs.record import Method, Provenance


def provenance_of(method: Method) -> Provenance:
    """Describe what trains here and now, with Keras' backend loaded."""
    import keras

    backend = keras.backend.backend()
    packages = ("fmnist-utils", "keras", backend, "numpy")
    return Provenance(
        backend=backend,
        device=_device(backend),
        precision=method.precision,
        versions={"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        revision=revision(),
        threads=threads(),
        # A record names only what is out of the ordinary, so that older records stay intact.
        **{name: True for name in ("plain_fit", "unseeded") if getattr(method, name)},
    )


def _device(backend: str) -> str:
    """Name the hardware: the GPU when the backend sees one, else the processor."""
    if backend == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            return str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
    elif backend == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform != "cpu":
            return str(device.device_kind)
    return processor()


def hardware() -> str:
    """Name what will train, before a backend is loaded: the first GPU, else the processor."""
    listing = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(listing, capture_output=True, text=True, check=True, timeout=30)
        return found.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        return processor()


def processor() -> str:
    """Name the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def threads() -> int:
    """Return how many threads a training in this process computes with."""
    limit = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if limit.isdigit() and int(limit) > 0:
        return int(limit)
    return len(usable_cores())


@functools.cache
def code_digest() -> str:
    """Return the SHA-256 of the package's code: two machines that share it train alike."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def revision() -> str:
    """Return the git revision of the code, or "unknown" when it was installed from elsewhere."""

    def git(*arguments: str) -> str:
        result = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout.strip()

    try:
        # An installed copy may lie inside a repository that is not ours.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return _installed_revision()


def _installed_revision() -> str:
    """Return the revision that pip installed from git, as on Colab, or "unknown"."""
    source = importlib.metadata.distribution("fmnist-utils").read_text("direct_url.json")
    commit = json.loads(source or "{}").get("vcs_info", {}).get("commit_id")
    return str(commit)[:12] if commit else "unknown"
