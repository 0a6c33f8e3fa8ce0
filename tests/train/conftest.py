"""A run of a second, whose result is of no use, but must be reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from torch import nn

from hyperacuity import export
from hyperacuity.zoo import Card

RECIPE = """
steps = 12
validate_every = 3
seed = 5
[model]
name = "tiny-x2"
architecture = "fsrcnn"
config = { scale = 2, d = 8, s = 4, m = 1 }
licence = "CC0-1.0"
trained_on = "noise"
paper = "none"
[data]
train = ["@/train"]
validation = ["@/validation"]
reports = ["@/report"]
rescale = [1.0, 0.7]
patch = 8
batch = 4
[losses]
l1 = 1.0
[optimizer]
ema = 0.5
[schedule]
kind = "cosine"
warm_up = 2
"""


_exports: dict[str, bytes] = {}


def _export_once(network: nn.Module, card: Card) -> bytes:
    """Export each network once: one of the same architecture and config gets the same weights, and its own card."""
    key = f"{card.architecture} {card.scale} {dict(card.config)}"
    if key not in _exports:
        _exports[key] = _to_onnx(network, card)
    model = onnx.load_from_string(_exports[key])
    onnx.helper.set_model_props(model, card.to_metadata())
    content: bytes = model.SerializeToString()
    return content


_to_onnx = export.to_onnx


@pytest.fixture
def onnx_export() -> None:
    """Requested by tests that open an ONNX file; see `_export`."""


@pytest.fixture(autouse=True)
def _export(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the export to ONNX, which takes most of a short run's time, in tests that open no ONNX file."""
    opened = "onnx_export" in request.fixturenames
    monkeypatch.setattr(export, "to_onnx", _export_once if opened else lambda network, card: b"onnx")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe and its images: two of 48 x 48 pixels in each of three folders."""
    for seed, name in enumerate(("train", "validation", "report")):
        (tmp_path / name).mkdir()
        coarse = np.random.default_rng(seed).integers(0, 255, (2, 8, 8, 3), np.uint8)
        for n, pixels in enumerate(coarse):
            Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(tmp_path / name / f"{n}.png")
    path = tmp_path / "tiny-x2.toml"
    path.write_text(RECIPE.replace("@", tmp_path.as_posix()))
    return path
