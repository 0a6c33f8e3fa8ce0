"""Fixtures of plans with several small tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperacuity.cluster import planning
from tests.cluster.plans import planned

COUNT = 4


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The location of a plan with one task for each of four images in tmp_path / "in"."""
    monkeypatch.setattr(planning, "_SECONDS", 0.0)
    (tmp_path / "in").mkdir()
    for n in range(COUNT):
        pixels = np.random.default_rng(n).integers(0, 255, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{n}.png")
    location = str(tmp_path / "plan")
    planned(str(tmp_path / "in"), str(tmp_path / "out"), location)
    return location
