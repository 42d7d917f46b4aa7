"""What holds for tests and for chapters that nbval runs, together or alone."""

import contextlib
import os
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Have nbval start a kernel again whose port another program took meanwhile."""
    if not config.pluginmanager.hasplugin("nbval"):
        return
    from nbval import kernel

    def start(*settings: Any, **more: Any) -> Any:
        for _ in range(2):
            with contextlib.suppress(RuntimeError):
                return start_once(*settings, **more)
        return start_once(*settings, **more)

    start_once, kernel.start_new_kernel = kernel.start_new_kernel, start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let nbval wait longer for an output than its five seconds."""
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 600


# Kernels run in the folder of their notebook, and inherit this.
if os.environ.get("FMNIST_DATA_DIR"):
    os.environ["FMNIST_DATA_DIR"] = os.path.abspath(
        os.path.expanduser(os.environ["FMNIST_DATA_DIR"])
    )
