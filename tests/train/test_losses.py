from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from hyperacuity import metrics
from hyperacuity.resize import resize
from hyperacuity.train import losses
from hyperacuity.train.losses import Criterion, GanLoss, Losses, discriminator_loss, generator_loss, kl

PLAIN = ["l1", "mse", "charbonnier", "ssim", "fft"]


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    hr = torch.rand(2, 3, 24, 30)
    return (hr + 0.1 * torch.randn_like(hr)).clamp(0, 1), hr


def test_the_plain_ones_are_their_formulas(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = (x.double() for x in pair)
    d = (sr - hr).numpy()
    assert losses.l1(sr, hr).item() == pytest.approx(np.abs(d).mean())
    assert losses.mse(sr, hr).item() == pytest.approx((d**2).mean())
    assert losses.charbonnier(sr, hr).item() == pytest.approx(np.sqrt(d**2 + 1e-6).mean())
    spectrum = np.fft.rfft2(d)
    assert losses.fft(sr, hr).item() == pytest.approx((np.abs(spectrum.real) + np.abs(spectrum.imag)).mean() / 2)
    x = sr.numpy()
    across, down = np.abs(np.diff(x, axis=-1)).mean(), np.abs(np.diff(x, axis=-2)).mean()
    assert losses.tv(sr).item() == pytest.approx(across + down)


def test_ssim_is_the_metric(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = pair
    means = [
        metrics.ssim(a.permute(1, 2, 0).numpy(), b.permute(1, 2, 0).numpy(), border=0, peak=1)
        for a, b in zip(sr, hr, strict=True)
    ]
    assert 1 - losses.ssim(sr, hr).item() == pytest.approx(np.mean(means), abs=1e-5)


def test_consistency_compares_with_the_lr() -> None:
    hr = torch.rand(1, 1, 24, 24)
    lr = torch.from_numpy(resize(hr[0, 0].numpy(), size=(12, 12)))[None, None]
    assert losses.consistency(hr, lr).item() < 1e-6
    assert losses.consistency(hr, lr + 0.1).item() == pytest.approx(0.1, rel=1e-4)


def test_kl_leaves_each_channel_its_free_bits() -> None:
    nats = torch.tensor([0.01, 0.2])[None, :, None, None].expand(3, 2, 4, 4)
    assert kl(nats, 0.0).item() == pytest.approx(0.21)
    assert kl(nats, 0.05).item() == pytest.approx(0.25)
    nats = nats.clone().requires_grad_()
    kl(nats, 0.05).backward()  # type: ignore[no-untyped-call]
    assert nats.grad is not None
    assert nats.grad[:, 0].abs().sum() == 0
    assert nats.grad[:, 1].abs().sum() > 0


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def test_adversarial_losses_are_their_formulas() -> None:
    torch.manual_seed(1)
    fake, real = torch.randn(9, dtype=torch.float64), torch.randn(9, dtype=torch.float64) + 1
    f, r = fake.numpy(), real.numpy()
    expected = {
        "vanilla": (-np.log(_sigmoid(f)).mean(), (-np.log(_sigmoid(r)).mean() - np.log(1 - _sigmoid(f)).mean()) / 2),
        "lsgan": (((f - 1) ** 2).mean(), (((r - 1) ** 2).mean() + (f**2).mean()) / 2),
        "hinge": (-f.mean(), (np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()) / 2),
        "relativistic": (
            (-np.log(1 - _sigmoid(r - f.mean())).mean() - np.log(_sigmoid(f - r.mean())).mean()) / 2,
            (-np.log(_sigmoid(r - f.mean())).mean() - np.log(1 - _sigmoid(f - r.mean())).mean()) / 2,
        ),
    }
    kind: GanLoss
    for kind in ("vanilla", "lsgan", "hinge", "relativistic"):
        generator, discriminator = expected[kind]
        assert generator_loss(kind, fake, real).item() == pytest.approx(generator, rel=1e-5)
        assert discriminator_loss(kind, fake, real).item() == pytest.approx(discriminator, rel=1e-5)
        huge = torch.tensor([1e4, -1e4])
        assert generator_loss(kind, huge, -huge).isfinite()
        assert discriminator_loss(kind, huge, -huge).isfinite()


def test_a_criterion_weighs_each_by_its_name(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = pair
    lr = torch.rand(2, 3, 12, 15)
    weighed = Criterion(Losses(l1=2, mse=1, charbonnier=1, ssim=0.5, fft=0.05, tv=1, consistency=3))
    terms = weighed(sr, hr, lr)
    assert list(terms) == [*PLAIN, "tv", "consistency"]
    assert terms["l1"].item() == pytest.approx(2 * losses.l1(sr, hr).item())
    assert terms["consistency"].item() == pytest.approx(3 * losses.consistency(sr, lr).item())


def test_gradients_are_finite_where_result_and_truth_are_one() -> None:
    hr = torch.rand(1, 1, 16, 16)
    sr = hr.clone().requires_grad_()
    terms = Criterion(Losses(l1=1, mse=1, charbonnier=1, ssim=1, fft=1, tv=1))(sr, hr, hr)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert sr.grad is not None
    assert sr.grad.isfinite().all()


def test_half_precision_is_left_outside() -> None:
    hr = torch.rand(1, 1, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = Criterion(Losses(l1=1, fft=1, ssim=1))(hr.bfloat16(), hr, hr)
    assert {term.dtype for term in terms.values()} == {torch.float32}


def test_a_recipe_needs_a_loss_and_weights_above_zero() -> None:
    with pytest.raises(ValidationError, match="at least one"):
        Losses()
    with pytest.raises(ValidationError, match="greater than 0"):
        Losses(l1=0)


def test_lpips_is_a_loss_with_gradients(shared: Path) -> None:
    how = {
        "weight": 0.5,
        "squeezenet": shared / "weights/squeezenet1_1.safetensors",
        "linear": shared / "weights/lpips_squeeze_linear.pth",
    }
    criterion = Criterion(Losses.model_validate({"lpips": how}))
    hr = torch.rand(1, 1, 32, 32)
    sr = (hr + 0.1 * torch.rand_like(hr)).requires_grad_()
    term = criterion(sr, hr, hr)["lpips"]
    term.backward()
    assert term > 0
    assert sr.grad is not None
    assert sr.grad.abs().sum() > 0
    assert all(not parameter.requires_grad for parameter in criterion.parameters())
