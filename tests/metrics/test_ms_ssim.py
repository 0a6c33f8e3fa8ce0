from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from hyperacuity.errors import UsageError
from hyperacuity.metrics import ms_ssim
from tests.metrics.images import Array, noisy_and_true


def compute_by_definition(a: Array, b: Array) -> float:
    """MS-SSIM of (H, W) on 0..255 with two-dimensional windows, by the formulas of the paper."""
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
def test_ms_ssim_matches_the_definition_in_its_paper(shape: tuple[int, int]) -> None:
    truth = scipy.ndimage.gaussian_filter(noisy_and_true(*shape)[1].astype(np.float64), 3) * 4 % 256
    result = truth + np.random.default_rng(2).normal(0, 25, shape)
    assert ms_ssim(result, truth, border=0, peak=255) == pytest.approx(compute_by_definition(result, truth), abs=1e-12)


def test_ms_ssim_matches_the_example_of_torchmetrics() -> None:
    """Its documentation: noise in [0, 1] against three quarters of it, 0.9628."""
    noise = np.random.default_rng(0).random((256, 256, 3))
    assert ms_ssim(noise, noise * 0.75, border=0, peak=1) == pytest.approx(0.9628, abs=0.0005)


def test_ms_ssim_falls_with_noise_and_is_the_mean_over_channels() -> None:
    truth = noisy_and_true(180, 190, 3)[1].astype(np.float64)
    noise = np.random.default_rng(3).normal(0, 1, truth.shape)
    figures = [ms_ssim(truth + strength * noise, truth, border=2, peak=255) for strength in (0, 5, 20, 60)]
    assert figures[0] == 1
    assert figures == sorted(figures, reverse=True)
    each = [ms_ssim((truth + 20 * noise)[..., n], truth[..., n], border=2, peak=255) for n in range(3)]
    assert figures[2] == pytest.approx(np.mean(each))
    assert ms_ssim(255 - truth, truth, border=2, peak=255) == 0


def test_ms_ssim_needs_images_large_enough_for_five_scales() -> None:
    with pytest.raises(UsageError, match="176 x 176 pixels or more"):
        ms_ssim(np.zeros((179, 300)), np.zeros((179, 300)), border=2, peak=255)
