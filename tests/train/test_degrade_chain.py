"""The chain of degradations: each part of it, what it draws, and its settings."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from hyperacuity.train.degrade import Chain, chain
from hyperacuity.train.degrade.operations.resampling import bicubic
from tests.train.degradations import IDLE, degrade, generator, photo, truth


def test_a_chain_has_a_margin_for_its_last_kernel_which_lies_on_lr() -> None:
    assert Chain().margin(4) == 15
    assert Chain().margin(2) == 20


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


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_chain_without_effects_shifts_nothing(scale: int) -> None:
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
def test_each_part_of_each_pass_has_an_effect(order: str, change: Any, least: float) -> None:
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


def test_lr_is_made_from_the_sharpened_truth() -> None:
    hr = photo()
    how = Chain.model_validate(IDLE | {"sharpen_hr": True})
    plain = Chain.model_validate(IDLE)
    assert torch.equal(degrade(hr, 2, how, generator()), chain._degraded(truth(hr, how), 2, plain, generator()))


def test_sizes_differ_within_a_batch() -> None:
    """Constant images with noise, resized and back: the grain of the noise shows by how much."""
    how = Chain.model_validate(
        IDLE
        | {"second": IDLE["second"] | {"resize": {"chances": [0, 1, 0]}, "noise": {"gaussian": 1, "sigma": [9, 9]}}}
    )
    lr = degrade(torch.full((8, 1, 128, 128), 128, dtype=torch.uint8), 1, how, generator())
    grain = (lr[..., 1:] - lr[..., :-1]).square().mean((1, 2, 3)) / lr.var((1, 2, 3))
    assert grain.max() > 1.3 * grain.min()


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
def test_invalid_settings_of_a_chain_raise(bad: Any) -> None:
    with pytest.raises(ValidationError):
        Chain.model_validate(bad)
