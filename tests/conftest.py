"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Return the folder with the official files, or skip: no test may fetch them."""
    folder = os.environ.get("FMNIST_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs the real Fashion-MNIST images: set FMNIST_DATA_DIR to their folder")
    return Path(folder)
