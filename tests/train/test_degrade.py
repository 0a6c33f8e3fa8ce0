"""LR against MATLAB's, JPEG against Pillow's, kernels and noise against formulas, patches against whole pictures."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from hyperacuity import datasets
from hyperacuity.metrics import psnr
from hyperacuity.resize import resize
from hyperacuity.train.degrade import Bicubic, BlurBicubic, Chain, Degradation, Everyday, chain
from hyperacuity.train.degrade.operations import blur, noise
from hyperacuity.train.degrade.operations.blur import usm_sharpen
from hyperacuity.train.degrade.operations.jpeg import jpeg
from hyperacuity.train.degrade.operations.resampling import bicubic, enlarge, shrink

Pixels = Any

# A chain that does nothing but come to LR's size.
IDLE: dict[str, Any] = {
    "first": {
        "blur": {"probability": 0},
        "resize": {"chances": [0, 0, 1]},
        "noise": {"gaussian": 1, "sigma": [0, 0]},
        "jpeg": [100, 100],
    },
    "last_sinc": 0,
    "sharpen_hr": False,
}
IDLE["second"] = IDLE["first"]


def degrade(hr: Tensor, scale: int, how: Degradation, random: torch.Generator) -> Tensor:
    return how.degrade(hr, scale, random)


def truth(hr: Tensor, how: Degradation, margin: int = 0) -> Tensor:
    return how.truth(hr, margin)


def tensor(pixels: Pixels) -> Tensor:
    """(H, W) or (H, W, C) uint8 as a batch of one."""
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)[None]


def pixels(x: Tensor) -> Pixels:
    return (x[0].permute(1, 2, 0) * 255).round().byte().numpy()


def photo(side: int = 96) -> Tensor:
    """Something with edges, gradients and texture, in colour."""
    y, x = np.mgrid[0:side, 0:side]
    planes = [128 + 90 * np.sin(x / 5 + y / 9), 255.0 * (x > y), (x * y) % 200]
    return tensor(np.stack(planes, -1).astype(np.uint8))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> Tensor:
    """8-bit codes, noise and as often black or white, where rounding clips."""
    return torch.randint(-128, 384, shape, generator=generator(seed)).clamp(0, 255).byte()


def kernel_of(make: Any, *values: float) -> Pixels:
    """One kernel; `size` is the fourth argument of those that have an angle."""
    first, rest = [torch.tensor([value]) for value in values[:3]], [torch.tensor([value]) for value in values[3:]]
    return make(*first, 21, *rest)[0].double().numpy()


# --- MATLAB's bicubic


@settings(max_examples=60, deadline=None)
@given(
    scale=st.sampled_from([2, 3, 4, 8]),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 999),
)
@example(scale=2, height=128, width=32, channels=1, seed=0)
@example(scale=3, height=85, width=64, channels=1, seed=0)
@example(scale=4, height=64, width=64, channels=3, seed=0)
def test_bicubic_is_that_of_resize_to_the_bit(scale: int, height: int, width: int, channels: int, seed: int) -> None:
    batch = random(2, channels, height * scale, width * scale, seed=seed)
    made = bicubic(batch, scale)
    for n in range(2):
        expected = resize(batch[n].permute(1, 2, 0).numpy(), size=(height, width))
        assert torch.equal(made[n : n + 1], tensor(expected) / 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_makes_matlabs_own_pictures(shared: Path, scale: int) -> None:
    originals = datasets.files([shared / "data/benchmarks/Set5"])
    assert len(originals) == 5
    for path in originals:
        hr = datasets.read_image(path)
        hr = hr[: len(hr) // scale * scale, : hr.shape[1] // scale * scale]
        golden = shared / f"data/golden/Set5_LR_bicubic/X{scale}/{path.stem}x{scale}.png"
        assert np.array_equal(pixels(bicubic(tensor(hr), scale)), datasets.read_image(golden))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarging_and_shrinking_are_those_of_resize(scale: int) -> None:
    x = torch.rand(2, 3, 8, 11)
    larger, smaller = enlarge(x, scale), shrink(enlarge(x, scale), scale)
    for n in range(2):
        expected = resize(x[n].permute(1, 2, 0).double().numpy(), size=(8 * scale, 11 * scale))
        np.testing.assert_allclose(larger[n].permute(1, 2, 0), expected, atol=1e-6)
        np.testing.assert_allclose(smaller[n].permute(1, 2, 0), resize(expected, size=(8, 11)), atol=1e-6)


def test_what_is_remembered_without_gradients_serves_with_them() -> None:
    x = torch.rand(1, 3, 26, 38, requires_grad=True)  # sizes that no other test has
    with torch.inference_mode():
        shrink(x, 2)
        jpeg(x, torch.tensor([50]))
    (shrink(x, 2).sum() + jpeg(x, torch.tensor([50])).sum()).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None


# --- Patches and whole pictures


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "how",
    [Bicubic(), BlurBicubic(sigma=(1.7, 1.7)), BlurBicubic(sigma=(1.7, 1.7), downsample="subsample")],
    ids=["bicubic", "blur", "subsample"],
)
def test_a_patch_with_its_margin_is_degraded_as_the_whole_picture(how: Bicubic | BlurBicubic, scale: int) -> None:
    hr = random(2, 1, 40 * scale, 30 * scale)
    margin = how.margin(scale)
    whole = degrade(hr, scale, how, generator())
    # As the trainer cuts: with the margin around, and beyond the picture's border its mirror image.
    around = np.pad(hr.numpy(), [(0, 0), (0, 0), (margin * scale,) * 2, (margin * scale,) * 2], mode="symmetric")
    for top, left in ((0, 0), (11, 7), (24, 14)):
        side = (
            slice(top * scale, (top + 16 + 2 * margin) * scale),
            slice(left * scale, (left + 16 + 2 * margin) * scale),
        )
        patch = degrade(torch.from_numpy(around[..., side[0], side[1]]), scale, how, generator())
        inner = patch[..., margin:-margin, margin:-margin]
        assert torch.equal(inner, whole[..., top : top + 16, left : left + 16])


def test_less_than_the_margin_of_bicubic_is_not_enough() -> None:
    hr = random(1, 1, 80, 80)
    part = bicubic(hr[..., 18:62, 18:62], 2)[..., 1:-1, 1:-1]
    assert not torch.equal(part, bicubic(hr, 2)[..., 10:30, 10:30])


def test_a_chain_has_a_margin_for_its_last_kernel_which_lies_on_lr() -> None:
    assert Chain().margin(4) == 15
    assert Chain().margin(2) == 20


# --- All kinds


@pytest.mark.parametrize(
    "how",
    [Bicubic(), BlurBicubic(), BlurBicubic(downsample="subsample"), Chain(), Everyday()],
    ids=["bicubic", "blur", "ESPCN", "chain", "everyday"],
)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_lr_are_8_bit_codes_of_the_right_size_and_follow_the_generator(how: Any, scale: int, channels: int) -> None:
    hr = photo()[:, :channels].repeat(3, 1, 1, 1)
    alike, again = [], generator(99)
    for seed in range(4):
        lr = degrade(hr, scale, how, generator(seed))
        alike.append(torch.equal(lr[0], lr[1]))
        assert lr.shape == (3, channels, 96 // scale, 96 // scale)
        assert torch.equal((lr * 255).round() / 255, lr)
        assert 0 <= lr.min() <= lr.max() <= 1
        assert torch.equal(lr, degrade(hr, scale, how, generator(seed)))
    if not isinstance(how, Bicubic):
        assert not all(alike)  # each picture has its own strength
        assert not torch.equal(degrade(hr, scale, how, again), degrade(hr, scale, how, again))


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (5, 1, 12, 8), (1, 3, 40, 4)])
@pytest.mark.parametrize("how", [BlurBicubic(), Chain()], ids=["blur", "chain"])
def test_tiny_and_flat_pictures_pass_through_everything(value: int, shape: tuple[int, ...], how: Any) -> None:
    for seed in range(6):
        lr = degrade(torch.full(shape, value, dtype=torch.uint8), 4, how, generator(seed))
        assert lr.shape == (*shape[:2], shape[2] // 4, shape[3] // 4)
        assert 0 <= lr.min() <= lr.max() <= 1  # so not NaN


def test_a_blurred_picture_is_subsampled_at_the_middle_of_each_lr_pixel() -> None:
    hr = torch.zeros(1, 1, 12, 12, dtype=torch.uint8)
    hr[..., 4, 7] = 255  # the middle of the second row and third column of x3
    lr = degrade(hr, 3, BlurBicubic(sigma=(0.01, 0.01), downsample="subsample"), generator())
    assert lr[0, 0].nonzero().tolist() == [[1, 2]]


# --- Kernels


@pytest.mark.parametrize("shape", [None, 0.5, 1.0, 3.0])
def test_gaussians_are_those_of_their_formula(shape: float | None) -> None:
    """Written down with the covariance, as the paper does."""
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
def test_drawn_out_kernels_lie_along_their_angle(angle: float) -> None:
    kernel = torch.from_numpy(kernel_of(blur.gaussian, 3.0, 1.0, angle))
    at = torch.arange(21.0) - 10
    spread = torch.stack(
        [(kernel * (at * math.cos(t) + at[:, None] * math.sin(t)) ** 2).sum() for t in (angle, angle + math.pi / 2)]
    )
    torch.testing.assert_close(spread.sqrt(), torch.tensor([3.0, 1.0]).double(), rtol=0.03, atol=0)


def test_all_kernels_of_a_chain_sum_to_1_are_point_symmetric_and_of_their_size() -> None:
    how = Chain.model_validate({"first": {"blur": {"sigma": [1.5, 3]}}}).first.blur  # less underflows at the rim
    kernels = chain._kernels(200, how, chain._Draw(generator(), torch.device("cpu")))
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(200))
    torch.testing.assert_close(kernels, kernels.flip(1, 2))
    sides = [int(kernel.any(1).sum()) for kernel in kernels]
    assert {side % 2 for side in sides} == {1}
    assert min(sides) == 7
    assert max(sides) == 21
    round_ones = sum(torch.allclose(kernel, kernel.T, atol=1e-6) for kernel in kernels)
    assert 0.55 < round_ones / 200 < 0.9  # 0.1 ring, and of the others 0.69 are round
    rings = sum(bool((kernel < -1e-3).any()) for kernel in kernels)
    assert 0.03 < rings / 200 < 0.15


def test_half_of_the_exponents_lie_below_1() -> None:
    drawn = chain._Draw(generator(), torch.device("cpu")).about_1(2000, (0.5, 4.0))
    assert 0.45 < (drawn < 1).float().mean() < 0.55
    assert 0.5 <= drawn.min() < 0.6
    assert 3.8 < drawn.max() <= 4
    above = chain._Draw(generator(), torch.device("cpu")).about_1(2000, (2.0, 3.0))
    assert 2 <= above.min() <= above.max() <= 3


@pytest.mark.parametrize("cutoff", [math.pi / 3, math.pi / 2, 0.9 * math.pi])
def test_a_sinc_cuts_waves_off_in_all_directions(cutoff: float) -> None:
    kernel = blur.sinc(torch.tensor([cutoff]), 61)[0]
    waves = torch.fft.fftfreq(61) * 2 * math.pi
    frequency, strength = torch.hypot(waves[:, None], waves[None, :]), torch.fft.fft2(kernel).abs()
    assert (strength[frequency < 0.8 * cutoff] > 0.85).all()
    assert (strength[frequency > 1.2 * cutoff] < 0.15).all()


@pytest.mark.parametrize(("height", "width", "size"), [(40, 33, 7), (5, 9, 21), (1, 3, 21)])
def test_filtering_is_a_convolution_over_a_mirrored_picture(height: int, width: int, size: int) -> None:
    x = torch.rand(3, 2, height, width, generator=generator())
    angle = torch.tensor([0.3, 1.2, 2.0])
    kernels = blur.gaussian(angle + 1, angle + 0.5, angle, size)
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (size // 2,) * 2, (size // 2,) * 2], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    expected = np.einsum("nchwij,nij->nchw", windows, kernels.numpy())
    np.testing.assert_allclose(blur.filtered(x, kernels), expected, atol=2e-6)


def test_the_unsharp_mask_is_that_of_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    hr = photo(80) / 255
    image = hr[0].permute(1, 2, 0).numpy()

    def blurred(x: Pixels) -> Pixels:
        return cv2.GaussianBlur(x, (51, 51), 0, borderType=cv2.BORDER_REFLECT)

    detail = image - blurred(image)
    mask = blurred((np.abs(detail) * 255 > 10).astype(np.float32))
    expected = mask * np.clip(image + 0.5 * detail, 0, 1) + (1 - mask) * image
    np.testing.assert_allclose(usm_sharpen(hr)[0].permute(1, 2, 0), expected, atol=1e-5)


def test_the_truth_is_sharpened_only_where_the_chain_says_so() -> None:
    hr = photo()
    for how in (Bicubic(), BlurBicubic(), Chain(sharpen_hr=False)):
        assert torch.equal(truth(hr, how), hr / 255)
    assert torch.equal(truth(hr, Chain()), usm_sharpen(hr / 255))
    flat = torch.full((1, 3, 64, 64), 80, dtype=torch.uint8)
    torch.testing.assert_close(truth(flat, Chain()), flat / 255)


@pytest.mark.parametrize("how", [Bicubic(), Chain()])
def test_the_truth_without_its_margin_is_the_middle_of_the_whole(how: Bicubic | Chain) -> None:
    assert torch.equal(truth(photo(), how, 7), truth(photo(), how)[..., 7:-7, 7:-7])


# --- Noise


@pytest.mark.parametrize("grey", [False, True])
def test_gaussian_noise_has_its_strength_and_no_mean(grey: bool) -> None:
    sigma = torch.tensor([2.0, 12.0, 25.0])
    x = torch.full((3, 3, 128, 128), 0.5)
    added = noise.gaussian(x, sigma, torch.full((3,), grey), generator()) - x
    torch.testing.assert_close(added.std((1, 2, 3)) * 255, sigma, rtol=0.02, atol=0)
    assert (added.mean((1, 2, 3)).abs() * 255 < 0.03 * sigma).all()
    assert torch.equal(added[:, 0], added[:, 1]) == grey


@pytest.mark.parametrize("grey", [False, True])
def test_the_variance_of_poissons_noise_follows_the_signal(grey: bool) -> None:
    level = torch.tensor([0.1, 0.4, 0.7])
    x = level[:, None, None, None].expand(3, 3, 128, 128)
    strength = torch.tensor([0.5, 0.5, 1.0])
    added = noise.poisson(x, strength, torch.full((3,), grey), generator()) - x
    expected = strength * (level / 256).sqrt()
    torch.testing.assert_close(added.std((1, 2, 3)), expected, rtol=0.02, atol=0)
    assert torch.equal(added[:, 0], added[:, 2]) == grey
    black = torch.zeros(1, 3, 8, 8)
    assert torch.equal(noise.poisson(black, strength[:1], torch.tensor([grey]), generator()), black)


def test_grey_noise_is_drawn_for_each_picture() -> None:
    x = torch.full((2, 3, 16, 16), 0.5)
    for add in (noise.gaussian, noise.poisson):
        added = add(x, torch.ones(2), torch.tensor([True, False]), generator()) - x
        assert torch.equal(added[0, 0], added[0, 1])
        assert not torch.equal(added[1, 0], added[1, 1])


# --- JPEG


def by_pillow(picture: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    how: dict[str, Any] = {} if picture.ndim == 2 else {"subsampling": "4:2:0"}
    Image.fromarray(picture).save(file, "JPEG", quality=quality, **how)
    return np.asarray(Image.open(file))


def distance(ours: Pixels, theirs: Pixels) -> float:
    return psnr(ours.astype(float), theirs.astype(float), border=0, peak=255)


@pytest.mark.parametrize("quality", [30, 50, 75, 95])
@pytest.mark.parametrize("colours", [1, 3])
def test_our_jpeg_is_pillows(shared: Path, quality: int, colours: int) -> None:
    for path in datasets.files([shared / "data/validation/Kodak24"])[::8]:
        picture = datasets.read_image(path)[100:251, 50:203]  # sides that do not divide by 16
        picture = picture[..., 0] if colours == 1 else picture
        theirs = by_pillow(picture, quality)
        ours = pixels(jpeg(tensor(picture) / 255, torch.tensor([quality]))).squeeze()
        assert distance(ours, theirs) > 42
        assert distance(ours, theirs) > distance(theirs, picture) + 6


@pytest.mark.parametrize("quality", [10, 60, 90])
@pytest.mark.parametrize("colours", [1, 3])
def test_our_jpeg_is_pillows_on_what_no_photo_has(quality: int, colours: int) -> None:
    picture = photo()[0].permute(1, 2, 0).numpy()[..., :colours].squeeze()
    theirs = by_pillow(picture, quality)
    ours = pixels(jpeg(tensor(picture) / 255, torch.tensor([quality]))).squeeze()
    assert distance(ours, theirs) > max(38, distance(theirs, picture) + 6)


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


# --- The chain


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_an_idle_chain_moves_nothing(scale: int) -> None:
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    hr = (127.5 + 102 * torch.sin(x / 17 + y / 31)).round().byte().expand(4, 3, -1, -1)
    lr = degrade(hr, scale, Chain.model_validate(IDLE), generator())
    inner = slice(2, -2)
    assert (lr - bicubic(hr, scale)).abs()[..., inner, inner].max() < 4 / 255  # a shift of a pixel would be 6 / 255


@pytest.mark.parametrize(
    ("change", "least"),
    [
        ({"blur": {"sigma": [2.5, 3], "sinc": 0}}, 3),
        ({"resize": {"chances": [0, 1, 0], "factor": [0.15, 1]}}, 1),
        ({"noise": {"gaussian": 1, "sigma": [30, 30]}}, 3),
        ({"noise": {"gaussian": 0, "poisson": [3, 3]}}, 3),
        ({"jpeg": [10, 10]}, 3),
    ],
)
@pytest.mark.parametrize("order", ["first", "second"])
def test_each_part_of_each_pass_leaves_its_traces(order: str, change: Any, least: float) -> None:
    hr = photo().repeat(4, 1, 1, 1)
    idle = degrade(hr, 2, Chain.model_validate(IDLE), generator())
    changed = degrade(hr, 2, Chain.model_validate(IDLE | {order: IDLE[order] | change}), generator())
    assert (changed - idle).abs().mean() * 255 > least


def test_the_last_sinc_rings() -> None:
    hr = torch.zeros(8, 1, 64, 64, dtype=torch.uint8)
    hr[..., 32:] = 128
    idle = degrade(hr, 2, Chain.model_validate(IDLE), generator())
    rings = degrade(hr, 2, Chain.model_validate(IDLE | {"last_sinc": 1}), generator())
    assert (rings.amax((1, 2, 3)) - idle.amax((1, 2, 3))).mean() > 0.02  # beyond the edge


def test_lr_is_made_of_the_sharpened_truth() -> None:
    hr = photo()
    how = Chain.model_validate(IDLE | {"sharpen_hr": True})
    plain = Chain.model_validate(IDLE)
    assert torch.equal(degrade(hr, 2, how, generator()), chain._degraded(truth(hr, how), 2, plain, generator()))


def test_sizes_differ_within_a_batch() -> None:
    """Flat pictures with noise, made larger or smaller and back: the noise's grain tells by how much."""
    how = Chain.model_validate(
        IDLE
        | {"second": IDLE["second"] | {"resize": {"chances": [0, 1, 0]}, "noise": {"gaussian": 1, "sigma": [9, 9]}}}
    )
    lr = degrade(torch.full((8, 1, 128, 128), 128, dtype=torch.uint8), 1, how, generator())
    grain = (lr[..., 1:] - lr[..., :-1]).square().mean((1, 2, 3)) / lr.var((1, 2, 3))
    assert grain.max() > 1.3 * grain.min()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_bicubic_and_a_chain_that_follows_its_generator() -> None:
    hr, cuda = photo().repeat(4, 1, 1, 1), torch.device("cuda")
    assert torch.equal(bicubic(hr.to(cuda), 2).cpu(), bicubic(hr, 2))
    lr, again = (degrade(hr.to(cuda), 2, Chain(), torch.Generator(cuda).manual_seed(0)) for _ in range(2))
    assert lr.device.type == "cuda"
    assert torch.equal(lr, again)
    assert torch.equal((lr * 255).round() / 255, lr)


# --- Records


def test_a_change_of_the_second_pass_keeps_its_other_defaults() -> None:
    changed = Chain.model_validate({"second": {"noise": {"grey": 0.0}, "blur": {"sinc": 0.0}}})
    assert changed.second.noise.sigma == Chain().second.noise.sigma == (1, 25)
    assert changed.second.blur.probability == 0.8
    assert changed.second.resize == Chain().second.resize
    assert changed.second.resize.factor == (0.3, 1.2)


@pytest.mark.parametrize(
    "bad",
    [
        {"first": {"blur": {"kinds": [1, 1, 0, 0, 0, 0]}}},
        {"first": {"blur": {"kinds": [1, 0]}}},
        {"first": {"blur": {"kinds": [2, -1, 0, 0, 0, 0]}}},
        {"first": {"blur": {"sigma": [3, 1]}}},
        {"first": {"blur": {"sigma": [0, 1]}}},
        {"first": {"blur": {"sigma": [1, math.nan]}}},
        {"first": {"blur": {"size": [8, 20]}}},
        {"first": {"blur": {"size": [21, 7]}}},
        {"first": {"blur": {"size": [0, 7]}}},
        {"first": {"blur": {"probability": 1.5}}},
        {"first": {"blur": {"plateau": [-1, 2]}}},
        {"first": {"resize": {"chances": [0.7, 0.7, 0.1]}}},
        {"first": {"resize": {"factor": [0, 2]}}},
        {"first": {"resize": {"factor": [1.2, 2]}}},
        {"first": {"resize": {"factor": [0.5, 0.9]}}},
        {"first": {"noise": {"sigma": [-1, 2]}}},
        {"first": {"noise": {"poisson": [1, math.inf]}}},
        {"second": {"jpeg": [95, 30]}},
        {"second": {"jpeg": [0, 30]}},
        {"second": {"jpeg": [30, 101]}},
        {"first": {"blurr": {}}},
        {"last_sinc": -0.1},
        {"kind": "bicubic"},
    ],
    ids=str,
)
def test_nonsense_is_refused(bad: Any) -> None:
    with pytest.raises(ValidationError):
        Chain.model_validate(bad)


@pytest.mark.parametrize(
    "bad", [{"sigma": [0, 1]}, {"sigma": [2, 1]}, {"sigma": [1, 1e9]}, {"sigma": 2}, {"then": "nearest"}], ids=str
)
def test_nonsense_about_a_blur_is_refused(bad: Any) -> None:
    with pytest.raises(ValidationError):
        BlurBicubic.model_validate(bad)
