"""Where tests find real data: a folder outside the project, named by KECOR_SHARED_DATA or lying at ../shared/data."""

import os
from pathlib import Path

import pytest


def shared_data(folder: str, *parts: str) -> Path:
    """The path of a part of the real test data; skips the test, saying so, where it is absent."""
    root = Path(os.environ.get("KECOR_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    path = root.joinpath(folder, *parts)
    if not path.exists():
        pytest.skip(f"real data not found: {path} (set KECOR_SHARED_DATA to the folder that holds {folder})")
    return path
