"""Shared by all tests."""

import os
from pathlib import Path

import pytest

# Small networks and matrices: threads only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real task collections, if there is one beside the checkout."""
    folder = Path(os.environ.get("SKMETA_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder}; set SKMETA_SHARED to where it is")
    return folder
