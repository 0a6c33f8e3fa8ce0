"""Fixtures for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperacuity.evaluate import EvaluationRow, evaluate_folder
from tests.evaluate.settings import load, write_waves


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """A set of two images of odd sizes, one of them grey."""
    return write_waves(tmp_path)


@pytest.fixture(scope="session")
def rows_of_three_models(tmp_path_factory: pytest.TempPathFactory) -> list[EvaluationRow]:
    """A resampler and two networks on that set."""
    folder = write_waves(tmp_path_factory.mktemp("rows"))
    return [evaluate_folder(load(name), folder, 2) for name in ("bicubic", "fsrcnn", "acute-50k")]
