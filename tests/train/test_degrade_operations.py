"""Kernels and noise compared with their formulas, JPEG with Pillow's, the unsharp mask with OpenCV's."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hyperacuity import datasets
from hyperacuity.metrics import psnr
from hyperacuity.resize import resize
from hyperacuity.train.degrade.operations import blur, noise
from hyperacuity.train.degrade.operations.blur import usm_sharpen
from hyperacuity.train.degrade.operations.jpeg import jpeg
from hyperacuity.train.degrade.operations.resampling import enlarge, shrink
from tests.train.degradations import Pixels, generator, kernel_of, photo, pixels, tensor


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarging_and_shrinking_equal_resize(scale: int) -> None:
    x = torch.rand(2, 3, 8, 11)
    larger, smaller = enlarge(x, scale), shrink(enlarge(x, scale), scale)
    for n in range(2):
        expected = resize(x[n].permute(1, 2, 0).double().numpy(), size=(8 * scale, 11 * scale))
        np.testing.assert_allclose(larger[n].permute(1, 2, 0), expected, atol=1e-6)
        np.testing.assert_allclose(smaller[n].permute(1, 2, 0), resize(expected, size=(8, 11)), atol=1e-6)


def test_values_cached_without_gradients_serve_with_gradients() -> None:
    x = torch.rand(1, 3, 26, 38, requires_grad=True)  # sizes that no other test has
    with torch.inference_mode():
        shrink(x, 2)
        jpeg(x, torch.tensor([50]))
    (shrink(x, 2).sum() + jpeg(x, torch.tensor([50])).sum()).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None


@pytest.mark.parametrize("shape", [None, 0.5, 1.0, 3.0])
def test_gaussians_follow_their_formula(shape: float | None) -> None:
    """Written with the covariance, as in the paper."""
    along, across, angle = 2.3, 0.9, 0.6
    kernel = kernel_of(blur.gaussian, along, across, angle, *([] if shape is None else [shape]))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    inverse = np.linalg.inv(turn @ np.diag([along**2, across**2]) @ turn.T)
    at = np.stack(np.meshgrid(np.arange(-10, 11), np.arange(-10, 11)), -1).astype(float)
    squared = np.einsum("yxi,ij,yxj->yx", at, inverse, at)
    expected = np.exp(-0.5 * squared ** (shape or 1))
    np.testing.assert_allclose(kernel, expected / expected.sum(), atol=1e-6)
    if shape is not None:
        expected = 1 / (1 + squared**shape)
        found = kernel_of(blur.plateau, along, across, angle, shape)
        np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2])
def test_elongated_kernels_lie_along_their_angle(angle: float) -> None:
    kernel = torch.from_numpy(kernel_of(blur.gaussian, 3.0, 1.0, angle))
    at = torch.arange(21.0) - 10
    spread = torch.stack(
        [(kernel * (at * math.cos(t) + at[:, None] * math.sin(t)) ** 2).sum() for t in (angle, angle + math.pi / 2)]
    )
    torch.testing.assert_close(spread.sqrt(), torch.tensor([3.0, 1.0]).double(), rtol=0.03, atol=0)


@pytest.mark.parametrize("cutoff", [math.pi / 3, math.pi / 2, 0.9 * math.pi])
def test_a_sinc_cuts_waves_off_in_all_directions(cutoff: float) -> None:
    kernel = blur.sinc(torch.tensor([cutoff]), 61)[0]
    waves = torch.fft.fftfreq(61) * 2 * math.pi
    frequency, strength = torch.hypot(waves[:, None], waves[None, :]), torch.fft.fft2(kernel).abs()
    assert (strength[frequency < 0.8 * cutoff] > 0.85).all()
    assert (strength[frequency > 1.2 * cutoff] < 0.15).all()


@pytest.mark.parametrize(("height", "width", "size"), [(40, 33, 7), (5, 9, 21), (1, 3, 21)])
def test_filtering_is_a_convolution_over_a_mirrored_image(height: int, width: int, size: int) -> None:
    x = torch.rand(3, 2, height, width, generator=generator())
    angle = torch.tensor([0.3, 1.2, 2.0])
    kernels = blur.gaussian(angle + 1, angle + 0.5, angle, size)
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (size // 2,) * 2, (size // 2,) * 2], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    expected = np.einsum("nchwij,nij->nchw", windows, kernels.numpy())
    np.testing.assert_allclose(blur.filtered(x, kernels), expected, atol=2e-6)


def test_the_unsharp_mask_equals_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    hr = photo(80) / 255
    image = hr[0].permute(1, 2, 0).numpy()

    def blurred(x: Pixels) -> Pixels:
        return cv2.GaussianBlur(x, (51, 51), 0, borderType=cv2.BORDER_REFLECT)

    detail = image - blurred(image)
    mask = blurred((np.abs(detail) * 255 > 10).astype(np.float32))
    expected = mask * np.clip(image + 0.5 * detail, 0, 1) + (1 - mask) * image
    np.testing.assert_allclose(usm_sharpen(hr)[0].permute(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize("grey", [False, True])
def test_gaussian_noise_has_its_strength_and_no_mean(grey: bool) -> None:
    sigma = torch.tensor([2.0, 12.0, 25.0])
    x = torch.full((3, 3, 128, 128), 0.5)
    added = noise.gaussian(x, sigma, torch.full((3,), grey), generator()) - x
    torch.testing.assert_close(added.std((1, 2, 3)) * 255, sigma, rtol=0.02, atol=0)
    assert (added.mean((1, 2, 3)).abs() * 255 < 0.03 * sigma).all()
    assert torch.equal(added[:, 0], added[:, 1]) == grey


@pytest.mark.parametrize("grey", [False, True])
def test_the_variance_of_poisson_noise_follows_the_signal(grey: bool) -> None:
    level = torch.tensor([0.1, 0.4, 0.7])
    x = level[:, None, None, None].expand(3, 3, 128, 128)
    strength = torch.tensor([0.5, 0.5, 1.0])
    added = noise.poisson(x, strength, torch.full((3,), grey), generator()) - x
    expected = strength * (level / 256).sqrt()
    torch.testing.assert_close(added.std((1, 2, 3)), expected, rtol=0.02, atol=0)
    assert torch.equal(added[:, 0], added[:, 2]) == grey
    black = torch.zeros(1, 3, 8, 8)
    assert torch.equal(noise.poisson(black, strength[:1], torch.tensor([grey]), generator()), black)


def test_grey_noise_is_drawn_for_each_image() -> None:
    x = torch.full((2, 3, 16, 16), 0.5)
    for add in (noise.gaussian, noise.poisson):
        added = add(x, torch.ones(2), torch.tensor([True, False]), generator()) - x
        assert torch.equal(added[0, 0], added[0, 1])
        assert not torch.equal(added[1, 0], added[1, 1])


def by_pillow(image: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    how: dict[str, Any] = {} if image.ndim == 2 else {"subsampling": "4:2:0"}
    Image.fromarray(image).save(file, "JPEG", quality=quality, **how)
    return np.asarray(Image.open(file))


def distance(ours: Pixels, theirs: Pixels) -> float:
    return psnr(ours.astype(float), theirs.astype(float), border=0, peak=255)


@pytest.mark.parametrize("quality", [30, 50, 75, 95])
@pytest.mark.parametrize("colours", [1, 3])
def test_jpeg_equals_pillows(shared: Path, quality: int, colours: int) -> None:
    for path in datasets.files([shared / "data/validation/Kodak24"])[::8]:
        image = datasets.read_image(path)[100:251, 50:203]  # sides that do not divide by 16
        image = image[..., 0] if colours == 1 else image
        theirs = by_pillow(image, quality)
        ours = pixels(jpeg(tensor(image) / 255, torch.tensor([quality]))).squeeze()
        assert distance(ours, theirs) > 42
        assert distance(ours, theirs) > distance(theirs, image) + 6


@pytest.mark.parametrize("quality", [10, 60, 90])
@pytest.mark.parametrize("colours", [1, 3])
def test_jpeg_equals_pillows_on_extreme_images(quality: int, colours: int) -> None:
    image = photo()[0].permute(1, 2, 0).numpy()[..., :colours].squeeze()
    theirs = by_pillow(image, quality)
    ours = pixels(jpeg(tensor(image) / 255, torch.tensor([quality]))).squeeze()
    assert distance(ours, theirs) > max(38, distance(theirs, image) + 6)


def test_jpeg_loses_less_at_a_higher_quality_and_passes_gradients() -> None:
    qualities = torch.tensor([5, 30, 49, 50, 75, 95, 100])
    x = (photo() / 255).repeat(len(qualities), 1, 1, 1).requires_grad_()
    y = jpeg(x, qualities)
    lost = (y - x).square().mean((1, 2, 3))
    assert (lost[:-1] > lost[1:]).all()
    (y * x.detach()).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.abs().mean() > 0.1
