"""Degradations as recipes choose them: LR compared with MATLAB's, patches compared with whole images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hyperacuity import datasets
from hyperacuity.resize import resize
from hyperacuity.train.degrade import Bicubic, BlurBicubic, Chain, Everyday
from hyperacuity.train.degrade.operations.blur import usm_sharpen
from hyperacuity.train.degrade.operations.resampling import bicubic
from tests.train.degradations import degrade, generator, photo, pixels, random, tensor, truth


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
def test_bicubic_equals_resize_bit_for_bit(scale: int, height: int, width: int, channels: int, seed: int) -> None:
    batch = random(2, channels, height * scale, width * scale, seed=seed)
    made = bicubic(batch, scale)
    for n in range(2):
        expected = resize(batch[n].permute(1, 2, 0).numpy(), size=(height, width))
        assert torch.equal(made[n : n + 1], tensor(expected) / 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_equals_the_images_of_matlab(shared: Path, scale: int) -> None:
    originals = datasets.files([shared / "data/benchmarks/Set5"])
    assert len(originals) == 5
    for path in originals:
        hr = datasets.read_image(path)
        hr = hr[: len(hr) // scale * scale, : hr.shape[1] // scale * scale]
        golden = shared / f"data/golden/Set5_LR_bicubic/X{scale}/{path.stem}x{scale}.png"
        assert np.array_equal(pixels(bicubic(tensor(hr), scale)), datasets.read_image(golden))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "how",
    [Bicubic(), BlurBicubic(sigma=(1.7, 1.7)), BlurBicubic(sigma=(1.7, 1.7), downsample="subsample")],
    ids=["bicubic", "blur", "subsample"],
)
def test_a_patch_with_its_margin_is_degraded_like_the_whole_image(how: Bicubic | BlurBicubic, scale: int) -> None:
    hr = random(2, 1, 40 * scale, 30 * scale)
    margin = how.margin(scale)
    whole = degrade(hr, scale, how, generator())
    # As in training: with its margin, and mirrored beyond the border of the image.
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


@pytest.mark.parametrize(
    "how",
    [Bicubic(), BlurBicubic(), BlurBicubic(downsample="subsample"), Chain(), Everyday()],
    ids=["bicubic", "blur", "ESPCN", "chain", "everyday"],
)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_lr_are_8_bit_codes_of_the_right_size_and_follow_the_generator(how: Any, scale: int, channels: int) -> None:
    hr = photo()[:, :channels].repeat(3, 1, 1, 1)
    equal, again = [], generator(99)
    for seed in range(4):
        lr = degrade(hr, scale, how, generator(seed))
        equal.append(torch.equal(lr[0], lr[1]))
        assert lr.shape == (3, channels, 96 // scale, 96 // scale)
        assert torch.equal((lr * 255).round() / 255, lr)
        assert 0 <= lr.min() <= lr.max() <= 1
        assert torch.equal(lr, degrade(hr, scale, how, generator(seed)))
    if not isinstance(how, Bicubic):
        assert not all(equal)  # each image is degraded with a strength of its own
        assert not torch.equal(degrade(hr, scale, how, again), degrade(hr, scale, how, again))


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (5, 1, 12, 8), (1, 3, 40, 4)])
@pytest.mark.parametrize("how", [BlurBicubic(), Chain()], ids=["blur", "chain"])
def test_tiny_and_constant_images_pass_through_everything(value: int, shape: tuple[int, ...], how: Any) -> None:
    for seed in range(6):
        lr = degrade(torch.full(shape, value, dtype=torch.uint8), 4, how, generator(seed))
        assert lr.shape == (*shape[:2], shape[2] // 4, shape[3] // 4)
        assert 0 <= lr.min() <= lr.max() <= 1  # so not NaN


def test_a_blurred_image_is_subsampled_at_the_middle_of_each_lr_pixel() -> None:
    hr = torch.zeros(1, 1, 12, 12, dtype=torch.uint8)
    hr[..., 4, 7] = 255  # the middle of the second row and third column of x3
    lr = degrade(hr, 3, BlurBicubic(sigma=(0.01, 0.01), downsample="subsample"), generator())
    assert lr[0, 0].nonzero().tolist() == [[1, 2]]


def test_the_truth_is_sharpened_only_if_the_chain_asks_for_it() -> None:
    hr = photo()
    for how in (Bicubic(), BlurBicubic(), Chain(sharpen_hr=False)):
        assert torch.equal(truth(hr, how), hr / 255)
    assert torch.equal(truth(hr, Chain()), usm_sharpen(hr / 255))
    flat = torch.full((1, 3, 64, 64), 80, dtype=torch.uint8)
    torch.testing.assert_close(truth(flat, Chain()), flat / 255)


@pytest.mark.parametrize("how", [Bicubic(), Chain()])
def test_the_truth_without_its_margin_is_the_middle_of_the_whole(how: Bicubic | Chain) -> None:
    assert torch.equal(truth(photo(), how, 7), truth(photo(), how)[..., 7:-7, 7:-7])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_bicubic_is_equal_and_a_chain_follows_its_generator() -> None:
    hr, cuda = photo().repeat(4, 1, 1, 1), torch.device("cuda")
    assert torch.equal(bicubic(hr.to(cuda), 2).cpu(), bicubic(hr, 2))
    lr, again = (degrade(hr.to(cuda), 2, Chain(), torch.Generator(cuda).manual_seed(0)) for _ in range(2))
    assert lr.device.type == "cuda"
    assert torch.equal(lr, again)
    assert torch.equal((lr * 255).round() / 255, lr)


@pytest.mark.parametrize(
    "bad", [{"sigma": [0, 1]}, {"sigma": [2, 1]}, {"sigma": [1, 1e9]}, {"sigma": 2}, {"then": "nearest"}], ids=str
)
def test_invalid_settings_of_a_blur_raise(bad: Any) -> None:
    with pytest.raises(ValidationError):
        BlurBicubic.model_validate(bad)
