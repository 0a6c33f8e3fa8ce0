"""What all tests share: the field's data, where it is at hand, and a network that needs no backend."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of benchmark pictures, odd files and published weights beside the project."""
    if not SHARED.is_dir():
        pytest.skip("needs the data that lies beside the project in ../shared")
    return SHARED
