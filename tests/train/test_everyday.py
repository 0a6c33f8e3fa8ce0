"""Everyday degradations: shares add up, each kind keeps size and brightness, and all follow from the seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from hyperacuity.train.degrade import Bicubic, Chain, Everyday
from hyperacuity.train.degrade.everyday import SHARES, degrade_everyday, draw_kind
from hyperacuity.train.degrade.everyday_kinds import KINDS


@pytest.fixture
def hr() -> Tensor:
    """A soft gradient with a hard edge, (3, 192, 256)."""
    row = torch.linspace(40, 200, 256)
    image = row.repeat(3, 192, 1)
    image[:, 60:120, 80:180] = 230
    return image.round().byte()


def test_shares_add_up_to_one() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    assert SHARES.keys() == KINDS.keys()
    rng = np.random.default_rng(0)
    assert {draw_kind(rng) for _ in range(300)} == set(KINDS)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_keeps_size_and_brightness(hr: Tensor, kind: str, scale: int) -> None:
    for seed in range(4):
        lr = degrade_everyday(hr, scale, kind, np.random.default_rng(seed))
        assert lr.dtype == torch.uint8
        assert lr.shape == (3, 192 // scale, 256 // scale)
        assert lr.float().mean().item() == pytest.approx(hr.float().mean().item(), abs=8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_lr(hr: Tensor, kind: str) -> None:
    first, again, other = (degrade_everyday(hr, 4, kind, np.random.default_rng([1, n])) for n in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other) or kind == "clean"


def test_shares_are_checked() -> None:
    with pytest.raises(ValidationError, match=r"sum to 0\.7, not 1"):
        Everyday(shares={"web": 0.7})
    with pytest.raises(ValidationError, match=r"no kind 'webb'.*Did you mean 'web'"):
        Everyday(shares={"webb": 1.0})


def test_a_batch_has_kinds_by_their_shares(hr: Tensor) -> None:
    """Nine of ten clean images are MATLAB's bicubic, to the bit; with other shares none are."""
    batch = hr[:, :64, :64].repeat(40, 1, 1, 1)
    clean = Everyday(shares={"clean": 1.0}).degrade(batch, 2, torch.Generator().manual_seed(0))
    web = Everyday(shares={"web": 1.0}).degrade(batch, 2, torch.Generator().manual_seed(0))
    matlab = Bicubic().degrade(batch, 2, torch.Generator())
    assert 30 <= sum(torch.equal(a, b) for a, b in zip(clean, matlab, strict=True)) <= 39
    assert not any(torch.equal(a, b) for a, b in zip(web, matlab, strict=True))


def test_the_heavy_chain_needs_a_wider_margin() -> None:
    assert Everyday().margin(4) == Chain().margin(4) == 15
    assert Everyday(shares={"web": 0.5, "clean": 0.5}).margin(4) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_small_images_are_degraded_too(kind: str) -> None:
    hr = torch.full((3, 48, 32), 128, dtype=torch.uint8)
    for seed in range(6):
        assert degrade_everyday(hr, 4, kind, np.random.default_rng(seed)).shape == (3, 12, 8)
