from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import colour
from hyperacuity.metrics import psnr, ssim
from hyperacuity.resize import resize


def measure_bicubic(path: Path, factor: int) -> tuple[float, float]:
    """Returns PSNR and SSIM as in published tables: luma in 8 bits, resized down and up in floats, rounded."""
    image = PIL.Image.open(path)
    pixels = np.asarray(image)
    truth = pixels if image.mode == "L" else colour.luma8(pixels)  # one of Set14 is grey, and its grey is luma
    height, width = (side - side % factor for side in truth.shape)
    truth = truth[:height, :width]
    larger = resize(resize(truth.astype(np.float64), scale=1 / factor), scale=factor)
    result = np.clip(np.floor(larger + 0.5), 0, 255)
    return psnr(result, truth, border=factor, peak=255), ssim(result, truth, border=factor, peak=255)


SET5 = [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)]
SET14 = [(2, 30.23, 0.8688), (3, 27.54, 0.7742), (4, 26.00, 0.7027)]
B100 = [(2, 29.56, 0.8431), (3, 27.21, 0.7385), (4, 25.96, 0.6675)]


@pytest.mark.parametrize(
    ("folder", "factor", "published_psnr", "published_ssim"),
    [
        *(("Set5", *row) for row in SET5),
        *(("Set14", *row) for row in SET14),
        *(pytest.param("B100", *row, marks=pytest.mark.slow) for row in B100),
    ],
)
def test_bicubic_has_its_published_figures(
    shared: Path, folder: str, factor: int, published_psnr: float, published_ssim: float
) -> None:
    paths = sorted(path for path in (shared / "data/benchmarks" / folder).iterdir() if path.suffix in (".png", ".jpg"))
    assert len(paths) == {"Set5": 5, "Set14": 14, "B100": 100}[folder]
    figures = np.mean([measure_bicubic(path, factor) for path in paths], axis=0)
    assert figures[0] == pytest.approx(published_psnr, abs=0.02)
    assert figures[1] == pytest.approx(published_ssim, abs=0.0005 if folder == "Set5" else 0.001)
