"""Sets and models of the tests of evaluation."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import PIL.Image

import hyperacuity
from hyperacuity.evaluate import EvaluationSetting
from hyperacuity.evaluate.sets import find_images
from hyperacuity.metrics import DEFAULT_METRICS
from hyperacuity.metrics.protocols import CLASSIC
from hyperacuity.metrics.selection import select_metrics
from hyperacuity.upscaler import Upscaler


@functools.cache
def load(name: str) -> Upscaler:
    """Returns a model, opened once for all tests."""
    return hyperacuity.load(name)


def write_waves(parent: Path) -> Path:
    """Returns a new folder with two images of odd sizes, one of them grey."""
    y, x = np.mgrid[0:61, 0:83]
    waves = (128 + 100 * np.sin(x / 3) * np.cos(y / 5)).astype(np.uint8)
    folder = parent / "Waves"
    folder.mkdir()
    PIL.Image.fromarray(waves).save(folder / "grey.png")
    PIL.Image.fromarray(np.stack([waves, waves.T[:61].repeat(2, 1)[:, :83], 255 - waves], -1)).save(folder / "rgb.png")
    return folder


def make_setting(folder: Path, scale: int, *names: str) -> EvaluationSetting:
    """Returns a folder under the classic protocol."""
    metrics = select_metrics(names or DEFAULT_METRICS)
    return EvaluationSetting(find_images(folder, [scale], metrics), scale, CLASSIC, metrics)
