from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import skimage.metrics

from hyperacuity.errors import UsageError
from hyperacuity.metrics import psnr, ssim
from tests.metrics.images import noisy_and_true


@pytest.mark.parametrize("shape", [(40, 31), (25, 60, 3), (11, 11)])
def test_psnr_and_ssim_agree_with_scikit_image(shape: tuple[int, ...]) -> None:
    result, truth = noisy_and_true(*shape)
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
def test_equal_images_have_the_best_value(dtype: Any) -> None:
    image = noisy_and_true(20, 20)[1].astype(dtype)
    assert psnr(image, image, border=2, peak=255) == math.inf
    assert ssim(image, image, border=2, peak=255) == pytest.approx(1, abs=1e-12)


def test_psnr_is_ten_log_of_peak_squared_over_error() -> None:
    black = np.zeros((8, 8), np.uint8)
    assert psnr(black, black + np.uint8(1), border=0, peak=255) == pytest.approx(48.1308036)
    assert psnr(black + np.uint8(255), black, border=0, peak=255) == 0  # unsigned integers do not wrap around
    assert psnr(black / 255, (black + 1) / 255, border=0, peak=1) == pytest.approx(48.1308036)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_only_the_border_is_ignored(metric: Any) -> None:
    result, truth = noisy_and_true(30, 40)
    inner = metric(result[3:-3, 3:-3], truth[3:-3, 3:-3], border=0, peak=255)
    result[:3], result[:, -3:] = 0, 255
    assert metric(result, truth, border=3, peak=255) == inner
    assert metric(result, truth, border=2, peak=255) < inner


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_images_that_cannot_be_compared_raise(metric: Any) -> None:
    image = np.zeros((20, 30))
    with pytest.raises(UsageError, match="one shape"):
        metric(image, np.zeros((20, 30, 1)), border=0, peak=255)
    with pytest.raises(UsageError, match="nothing is left"):
        metric(image, image, border=10, peak=255)
    with pytest.raises(UsageError, match="nothing is left"):
        metric(image, image, border=-1, peak=255)
    with pytest.raises(UsageError, match="nothing is left"):
        metric(np.zeros((0, 5)), np.zeros((0, 5)), border=0, peak=255)
    with pytest.raises(UsageError, match=r"\(H, W\)"):
        metric(np.zeros(9), np.zeros(9), border=0, peak=255)


def test_ssim_needs_images_as_large_as_its_window() -> None:
    with pytest.raises(UsageError, match="11 x 11"):
        ssim(np.zeros((14, 30)), np.zeros((14, 30)), border=2, peak=255)
