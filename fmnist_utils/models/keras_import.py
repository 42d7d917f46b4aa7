"""Import Keras without the log lines that its TensorFlow backend writes from C++."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType

from fmnist_utils.errors import FmnistError


class BackendError(FmnistError):
    """Keras, or the library that it computes with, cannot be imported."""


def import_keras() -> ModuleType:
    """Import and return Keras; with it comes the backend that ``KERAS_BACKEND`` names.

    TensorFlow logs the processor and the missing GPU before any Python setting can stop it, which
    would put machine-dependent lines into every notebook. They are shown if the import fails.

    Raises
    ------
    BackendError
        When the backend is not installed, or there is none of that name.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            with _stderr_held_back():
                import keras  # noqa: F401
        except (ImportError, ValueError) as error:
            name = os.environ.get("KERAS_BACKEND", "its default")
            raise BackendError(
                f"Keras cannot be imported with {name} as its backend ({error}): install that, "
                "or set KERAS_BACKEND=tensorflow."
            ) from error
    return sys.modules["keras"]


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Collect what is written to file descriptor 2, and show it only if an exception follows."""
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(stderr, captured.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
