"""Shared fixtures: benchmark data, if available, and small networks."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hyperacuity.zoo import Model

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder next to the project with benchmark images, unusual files and published weights."""
    if not SHARED.is_dir():
        pytest.skip("needs the data next to the project in ../shared")
    return SHARED


@pytest.fixture(scope="session")
def restorers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small stand-ins for photo-x2 and its natural partner, with random weights."""
    from tests.restorers import write_restorers

    folder = tmp_path_factory.mktemp("restorers")
    write_restorers(folder)
    return folder


@pytest.fixture
def photo_zoo(
    restorers: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A zoo of the default model at x2 and the stand-ins of `restorers`; its folder."""
    from hyperacuity.zoo import shipped
    from tests.restorers import make_zoo

    yield make_zoo(restorers, tmp_path_factory.mktemp("zoo"), monkeypatch)
    monkeypatch.undo()
    shipped.models.cache_clear()


@pytest.fixture
def untuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the engine measurements of this machine."""
    from hyperacuity.engines import tuning

    monkeypatch.setattr(tuning, "cache_file", lambda: tmp_path / "cache" / "engines.json")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """Small networks with random weights, by architecture; exported once for all processes of a test run."""
    from hyperacuity import zoo
    from tests.exported import export_random

    base = tmp_path_factory.getbasetemp()
    shared_base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @functools.cache
    def model(architecture: str) -> Model:
        folder = shared_base / "exported" / architecture
        if not folder.exists():
            fresh = tmp_path_factory.mktemp(architecture)
            export_random(architecture, fresh)
            folder.parent.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):  # another process was faster
                fresh.rename(folder)
        return zoo.open_model(folder / "model.onnx")

    return model
