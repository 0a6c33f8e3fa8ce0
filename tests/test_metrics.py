from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
import scipy.signal
import skimage.metrics
from numpy.typing import NDArray

from hyperacuity import colour
from hyperacuity.errors import UsageError
from hyperacuity.metrics import ms_ssim, psnr, ssim
from hyperacuity.resize import resize

Array = NDArray[Any]


def pair(*shape: int) -> tuple[Array, Array]:
    random = np.random.default_rng(1)
    truth = random.integers(0, 256, shape)
    return np.clip(truth + random.normal(0, 20, shape), 0, 255).round(), truth


@pytest.mark.parametrize("shape", [(40, 31), (25, 60, 3), (11, 11)])
def test_both_agree_with_scikit_image(shape: tuple[int, ...]) -> None:
    result, truth = pair(*shape)
    theirs = skimage.metrics.peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
        truth, result, data_range=255
    )
    assert psnr(result, truth, border=0, peak=255) == pytest.approx(theirs, rel=1e-12)
    theirs = skimage.metrics.structural_similarity(  # type: ignore[no-untyped-call]
        result,
        truth,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if len(shape) == 3 else None,
    )
    assert ssim(result, truth, border=0, peak=255) == pytest.approx(theirs, abs=1e-10)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_equal_pictures_are_perfect(dtype: Any) -> None:
    picture = pair(20, 20)[1].astype(dtype)
    assert psnr(picture, picture, border=2, peak=255) == math.inf
    assert ssim(picture, picture, border=2, peak=255) == pytest.approx(1, abs=1e-12)


def test_psnr_is_ten_log_of_peak_squared_over_error() -> None:
    black = np.zeros((8, 8), np.uint8)
    assert psnr(black, black + np.uint8(1), border=0, peak=255) == pytest.approx(48.1308036)
    assert psnr(black + np.uint8(255), black, border=0, peak=255) == 0  # unsigned numbers do not wrap around
    assert psnr(black / 255, (black + 1) / 255, border=0, peak=1) == pytest.approx(48.1308036)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_the_border_is_ignored_and_nothing_else(metric: Any) -> None:
    result, truth = pair(30, 40)
    inner = metric(result[3:-3, 3:-3], truth[3:-3, 3:-3], border=0, peak=255)
    result[:3], result[:, -3:] = 0, 255
    assert metric(result, truth, border=3, peak=255) == inner
    assert metric(result, truth, border=2, peak=255) < inner


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_what_cannot_be_compared_is_a_usage_error(metric: Any) -> None:
    picture = np.zeros((20, 30))
    with pytest.raises(UsageError, match="one shape"):
        metric(picture, np.zeros((20, 30, 1)), border=0, peak=255)
    with pytest.raises(UsageError, match="nothing is left"):
        metric(picture, picture, border=10, peak=255)
    with pytest.raises(UsageError, match="nothing is left"):
        metric(picture, picture, border=-1, peak=255)
    with pytest.raises(UsageError, match="nothing is left"):
        metric(np.zeros((0, 5)), np.zeros((0, 5)), border=0, peak=255)
    with pytest.raises(UsageError, match=r"\(H, W\)"):
        metric(np.zeros(9), np.zeros(9), border=0, peak=255)


def test_ssim_needs_room_for_its_window() -> None:
    with pytest.raises(UsageError, match="11 x 11"):
        ssim(np.zeros((14, 30)), np.zeros((14, 30)), border=2, peak=255)


def by_the_definition(a: Array, b: Array) -> float:
    """MS-SSIM of (H, W) on 0..255 with two-dimensional windows, as the formulas of the paper stand."""
    y, x = np.mgrid[-5:6, -5:6]
    window = np.exp(-(x**2 + y**2) / 4.5)
    window /= window.sum()

    def mean(z: Array) -> Array:
        found: Array = scipy.signal.correlate2d(z, window, mode="valid")
        return found

    product = 1.0
    for scale, power in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333], 1):
        spread_a, spread_b = (np.sqrt(np.maximum(mean(z**2) - mean(z) ** 2, 0)) for z in (a, b))
        together = mean(a * b) - mean(a) * mean(b)
        luminance = (2 * mean(a) * mean(b) + 6.5025) / (mean(a) ** 2 + mean(b) ** 2 + 6.5025)
        contrast = (2 * spread_a * spread_b + 58.5225) / (spread_a**2 + spread_b**2 + 58.5225)
        structure = (together + 58.5225 / 2) / (spread_a * spread_b + 58.5225 / 2)
        product *= np.mean((luminance if scale == 5 else 1) * contrast * structure) ** power
        # The filter's origin lies on its first pixel, its border is mirrored, and every second pixel is kept.
        a, b = (scipy.ndimage.correlate(z, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2] for z in (a, b))
    return float(product)


@pytest.mark.parametrize("shape", [(176, 176), (177, 203), (200, 181)])
def test_ms_ssim_is_what_its_paper_defines(shape: tuple[int, int]) -> None:
    truth = scipy.ndimage.gaussian_filter(pair(*shape)[1].astype(np.float64), 3) * 4 % 256
    result = truth + np.random.default_rng(2).normal(0, 25, shape)
    assert ms_ssim(result, truth, border=0, peak=255) == pytest.approx(by_the_definition(result, truth), abs=1e-12)


def test_ms_ssim_of_torchmetrics_example() -> None:
    """Its documentation: noise in [0, 1] against three quarters of it, 0.9628."""
    noise = np.random.default_rng(0).random((256, 256, 3))
    assert ms_ssim(noise, noise * 0.75, border=0, peak=1) == pytest.approx(0.9628, abs=0.0005)


def test_ms_ssim_falls_with_noise_and_is_the_mean_over_channels() -> None:
    truth = pair(180, 190, 3)[1].astype(np.float64)
    noise = np.random.default_rng(3).normal(0, 1, truth.shape)
    figures = [ms_ssim(truth + strength * noise, truth, border=2, peak=255) for strength in (0, 5, 20, 60)]
    assert figures[0] == 1
    assert figures == sorted(figures, reverse=True)
    each = [ms_ssim((truth + 20 * noise)[..., n], truth[..., n], border=2, peak=255) for n in range(3)]
    assert figures[2] == pytest.approx(np.mean(each))
    assert ms_ssim(255 - truth, truth, border=2, peak=255) == 0


def test_ms_ssim_needs_room_for_five_scales() -> None:
    with pytest.raises(UsageError, match="176 x 176 pixels or more"):
        ms_ssim(np.zeros((179, 300)), np.zeros((179, 300)), border=2, peak=255)


def bicubic(path: Path, factor: int) -> tuple[float, float]:
    """The classical path of the field's tables: Y in 8 bits, resized down and up in floats, rounded."""
    picture = PIL.Image.open(path)
    pixels = np.asarray(picture)
    truth = pixels if picture.mode == "L" else colour.luma8(pixels)  # one of Set14 is grey: its grey is Y
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
    figures = np.mean([bicubic(path, factor) for path in paths], axis=0)
    assert figures[0] == pytest.approx(published_psnr, abs=0.02)
    assert figures[1] == pytest.approx(published_ssim, abs=0.0005 if folder == "Set5" else 0.001)
