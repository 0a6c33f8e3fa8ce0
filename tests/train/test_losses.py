from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from hyperacuity import metrics
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize
from hyperacuity.train import losses
from hyperacuity.train.adversary import discriminator_loss, generator_loss
from hyperacuity.train.degrade.operations.resampling import shrink
from hyperacuity.train.losses import LOSSES, Criterion, Lpips, Perceptual, any_losses
from hyperacuity.train.recipe import GanLoss
from hyperacuity.train.variational import kl

NO_LR = torch.empty(0)  # for losses that do not depend on LR
PLAIN = ["l1", "mse", "charbonnier", "ssim", "fft"]


def criterion_of(**chosen: Any) -> Criterion:
    return Criterion(any_losses()(**chosen), LOSSES)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    hr = torch.rand(2, 3, 24, 30)
    return (hr + 0.1 * torch.randn_like(hr)).clamp(0, 1), hr


def test_plain_losses_follow_their_formulas(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = (x.double() for x in pair)
    d = (sr - hr).numpy()
    assert losses.l1(sr, hr, NO_LR).item() == pytest.approx(np.abs(d).mean())
    assert losses.mse(sr, hr, NO_LR).item() == pytest.approx((d**2).mean())
    assert losses.charbonnier(sr, hr, NO_LR).item() == pytest.approx(np.sqrt(d**2 + 1e-6).mean())
    spectrum = np.fft.rfft2(d)
    assert losses.fft(sr, hr, NO_LR).item() == pytest.approx((np.abs(spectrum.real) + np.abs(spectrum.imag)).mean() / 2)
    x = sr.numpy()
    across, down = np.abs(np.diff(x, axis=-1)).mean(), np.abs(np.diff(x, axis=-2)).mean()
    assert losses.tv(sr, sr, NO_LR).item() == pytest.approx(across + down)


def test_the_gradient_loss_compares_differences_of_neighbours() -> None:
    """Of a column of errors 0, 3, 1 and two equal ones next to it: (3 + 2) / 2 down; (0 + 3 + 1) / 6 across."""
    error = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    hr = torch.rand(1, 1, 3, 3).double()
    found = losses.gradient(hr + error.double(), hr, NO_LR).item()
    assert found == pytest.approx((3 + 2) / 6 + (3 + 1) / 6)
    assert losses.gradient(hr + 0.25, hr, NO_LR).item() == pytest.approx(0, abs=1e-12)


def test_the_flat_loss_sees_texture_on_flat_surfaces_only() -> None:
    """A regular texture that is added to noise costs a thousandth as much as on a flat surface, and a shift nothing."""
    texture = 0.02 * (torch.arange(24) % 2 * 2 - 1).expand(1, 1, 24, 24).double()
    surface = torch.full((1, 1, 24, 24), 0.5).double()
    torch.manual_seed(0)
    busy = torch.rand(1, 1, 24, 24).double()
    costs = [losses.flat(hr + texture, hr, NO_LR).item() for hr in (surface, busy)]
    assert costs[0] == pytest.approx(0.02 * 4 / 3, rel=0.05)
    assert costs[1] < costs[0] / 1000
    assert losses.flat(surface + 0.25, surface, NO_LR).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("lines", [[3.0, -1.0, -1.0, -1.0], [1.5, 1.5, -1.5, -1.5, -1.5, -1.5, 1.5, 1.5]])
def test_the_grid_loss_sees_a_pattern_in_step_with_one_or_two_lr_pixels_and_not_where_details_lie(
    lines: list[float],
) -> None:
    torch.manual_seed(0)
    hr, other = 0.1 * torch.randn(2, 1, 1, 132, 132).double()
    lr = torch.empty(1, 1, 33, 33)
    seen = 0.1 * torch.tensor(lines).double().repeat(40)[:132].expand(1, 1, 132, 132)
    pattern = losses.grid(hr + seen, hr, lr).item()
    assert pattern == pytest.approx(0.15)
    assert losses.grid(hr + 0.3, hr, lr).item() == pytest.approx(0, abs=1e-12)
    assert losses.grid(other, hr, lr).item() < pattern / 8


def test_losses_of_appearance_see_the_window_and_the_real_images(vgg19: Path) -> None:
    how = Perceptual(weight=1, vgg19=vgg19, layers={"conv1_2": 1})
    criterion = criterion_of(l1=1.0, perceptual=how)
    sr, hr, real = torch.rand(3, 1, 3, 16, 16)
    window = (..., slice(3, 11), slice(5, 13))
    found = criterion(sr, hr, NO_LR, (sr[window], real[window]))
    assert found["l1"] == functional.l1_loss(sr, hr)
    assert found["perceptual"] == criterion(sr[window], real[window], NO_LR)["perceptual"]
    in_bf16 = Criterion(any_losses()(l1=1.0, perceptual=how), LOSSES, "bf16")(sr, hr, NO_LR, (sr[window], real[window]))
    assert in_bf16["l1"] == found["l1"]
    assert in_bf16["perceptual"] != found["perceptual"]
    assert in_bf16["perceptual"].item() == pytest.approx(found["perceptual"].item(), rel=0.02)


def test_ssim_equals_the_metric(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = pair
    means = [
        metrics.ssim(a.permute(1, 2, 0).numpy(), b.permute(1, 2, 0).numpy(), border=0, peak=1)
        for a, b in zip(sr, hr, strict=True)
    ]
    assert 1 - losses.ssim(sr, hr, NO_LR).item() == pytest.approx(np.mean(means), abs=1e-5)


def test_ssim_is_exact_where_an_image_is_nearly_constant() -> None:
    """Where the variances are small differences of large numbers."""
    sr, hr = smooth()
    assert losses.ssim(sr, hr, NO_LR).item() == pytest.approx(
        losses.ssim(sr.double(), hr.double(), NO_LR).item(), abs=1e-5
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_ssim_on_a_gpu_is_not_rounded_to_tf32() -> None:
    sr, hr = smooth()
    assert losses.ssim(sr.cuda(), hr.cuda(), NO_LR).item() == pytest.approx(losses.ssim(sr, hr, NO_LR).item(), abs=1e-5)


def smooth() -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    hr = (0.6 + 0.3 * torch.sin(x / 40) * torch.sin(y / 50)).expand(1, 3, 64, 64)
    return hr + 0.01 * torch.randn(hr.shape, generator=torch.Generator().manual_seed(0)), hr


def test_gradients_follow_the_formulas() -> None:
    """For all losses of a pair: in double precision, compared with finite differences."""
    torch.manual_seed(3)
    sr, hr = torch.rand(2, 1, 2, 13, 12, dtype=torch.float64)
    sr.requires_grad_()
    for function in (losses.l1, losses.mse, losses.charbonnier, losses.ssim, losses.fft, losses.flat):
        assert torch.autograd.gradcheck(function, (sr, hr, NO_LR))
    assert torch.autograd.gradcheck(losses.tv, (sr, sr.detach(), NO_LR))
    large, small = torch.rand(1, 2, 18, 15, dtype=torch.float64), torch.rand(1, 2, 6, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(losses.consistency, (large.requires_grad_(), large.detach(), small))
    assert torch.autograd.gradcheck(losses.grid, (large, large.detach() / 2, small))
    assert torch.autograd.gradcheck(lambda nats: kl(nats, 0.0), (torch.rand(2, 3, 2, 2).double().requires_grad_(),))
    fake, real = (torch.randn(7, dtype=torch.float64, requires_grad=True) for _ in range(2))
    kind: GanLoss
    for kind in ("vanilla", "lsgan", "hinge", "relativistic"):
        assert torch.autograd.gradcheck(functools.partial(generator_loss, kind), (fake, real))
        assert torch.autograd.gradcheck(functools.partial(discriminator_loss, kind), (fake, real))


def test_patches_that_are_too_small_raise() -> None:
    tiny = torch.rand(1, 1, 10, 30)
    with pytest.raises(UsageError, match=r"11 x 11 pixels or more; got \(10, 30\): use a larger data\.patch"):
        losses.ssim(tiny, tiny, NO_LR)
    with pytest.raises(UsageError, match=r"5 x 5 LR pixels or more; got \(4, 4\): use a larger data\.patch"):
        losses.consistency(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8), torch.rand(1, 1, 4, 4))


def test_consistency_compares_with_the_lr() -> None:
    hr = torch.rand(1, 1, 24, 24)
    lr = torch.from_numpy(resize(hr[0, 0].numpy(), size=(12, 12)))[None, None]
    assert losses.consistency(hr, hr, lr).item() < 1e-6
    assert losses.consistency(hr, hr, lr + 0.1).item() == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_patch_of_an_image_is_consistent_with_the_patch_of_its_lr(scale: int) -> None:
    """Although the pixels around the patch, from which the border of LR was made, are missing."""
    hr = torch.rand(1, 1, 20 * scale, 24 * scale)
    lr = torch.from_numpy(resize(hr[0, 0].numpy(), size=(20, 24)))[None, None]
    patch = hr[..., 5 * scale : 14 * scale, 6 * scale : 17 * scale]
    assert losses.consistency(patch, patch, lr[..., 5:14, 6:17]).item() < 1e-6
    assert losses.consistency(patch, patch, lr[..., 5:14, 7:18]).item() > 0.01


def test_kl_grants_each_channel_its_free_bits() -> None:
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


def test_adversarial_losses_follow_their_formulas() -> None:
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


def test_half_precision_logits_and_nats_are_converted_first() -> None:
    fake, real = torch.tensor([300.0, -2.5], dtype=torch.float16), torch.tensor([-301.0, 0.25], dtype=torch.float16)
    kind: GanLoss
    for kind in ("vanilla", "lsgan", "hinge", "relativistic"):
        for function in (generator_loss, discriminator_loss):
            assert torch.equal(function(kind, fake, real), function(kind, fake.float(), real.float()))
    nats = torch.rand(2, 8, 5, 5).half()
    assert torch.equal(kl(nats, 0.05), kl(nats.float(), 0.05))
    with pytest.raises(ValueError, match="needs the logits of real images"):
        generator_loss("relativistic", fake)


def test_a_criterion_weights_losses_by_name(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = pair
    lr = torch.rand(2, 3, 12, 15)
    weighed = criterion_of(l1=2, mse=1, charbonnier=1, ssim=0.5, fft=0.05, tv=1, consistency=3)
    terms = weighed(sr, hr, lr)
    assert list(terms) == [*PLAIN, "tv", "consistency"]
    assert terms["l1"].item() == pytest.approx(2 * losses.l1(sr, hr, NO_LR).item())
    assert terms["consistency"].item() == pytest.approx(3 * losses.consistency(sr, sr, lr).item())


@pytest.fixture
def vgg19(tmp_path: Path) -> Path:
    """The first four convolutions, with the numbers of torchvision."""
    torch.manual_seed(2)
    state = {}
    for number, (inputs, outputs) in {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128)}.items():
        state[f"features.{number}.weight"] = torch.randn(outputs, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5
        state[f"features.{number}.bias"] = torch.randn(outputs) * 0.1
    torch.save(state, tmp_path / "vgg19.pth")
    return tmp_path / "vgg19.pth"


@pytest.fixture
def lpips(shared: Path) -> Lpips:
    weights = shared / "weights"
    return Lpips(
        weight=0.5,
        squeezenet=weights / "squeezenet1_1.safetensors",
        linear=weights / "lpips_squeeze_linear.pth",
    )


@pytest.mark.parametrize("distance", ["l1", "mse"])
@pytest.mark.parametrize("after", [False, True])
def test_the_perceptual_loss_weights_its_layers(distance: Literal["l1", "mse"], after: bool, vgg19: Path) -> None:
    torch.manual_seed(0)
    sr, hr = torch.rand(2, 2, 1, 16, 18)
    state = torch.load(vgg19, weights_only=True)

    def looks(x: Tensor) -> list[Tensor]:
        x = x.repeat(1, 3, 1, 1)  # luma
        x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
            :, None, None
        ]
        found = []
        for number in (0, 2, 5, 7):
            before = functional.conv2d(
                x, state[f"features.{number}.weight"], state[f"features.{number}.bias"], padding=1
            )
            x = before.clamp_min(0)
            found.append(x if after else before)
            if number == 2:
                x = functional.max_pool2d(x, 2)
        return [found[1], found[3]]

    power = 1 if distance == "l1" else 2
    parts = [(a - b).abs().pow(power).mean().item() for a, b in zip(looks(sr), looks(hr), strict=True)]
    layers = {"conv1_2": 0.1, "conv2_2": 2.0}
    how = Perceptual(weight=3, vgg19=vgg19, layers=layers, after_activation=after, distance=distance)
    found = criterion_of(perceptual=how)(sr, hr, sr)
    assert found["perceptual"].item() == pytest.approx(3 * (0.1 * parts[0] + 2.0 * parts[1]), rel=1e-5)


def test_gradients_are_finite_where_result_and_truth_are_equal(vgg19: Path, lpips: Lpips) -> None:
    perceptual = Perceptual(weight=1, vgg19=vgg19, layers={"conv2_2": 1})
    everything = any_losses()(
        l1=1,
        mse=1,
        charbonnier=1,
        ssim=1,
        fft=1,
        gradient=1,
        flat=1,
        grid=1,
        tv=1,
        consistency=1,
        perceptual=perceptual,
        lpips=lpips,
    )
    criterion = Criterion(everything, LOSSES)
    black, varied = torch.zeros(1, 1, 20, 20), torch.rand(1, 1, 20, 20)
    for hr in (black, varied):
        sr = hr.clone().requires_grad_()
        terms = criterion(sr, hr, shrink(hr, 2))
        assert set(terms) == {name for name, _ in everything}
        for name, term in terms.items():
            assert term.isfinite(), name
            (gradient,) = torch.autograd.grad(term, sr)
            assert gradient.isfinite().all(), name


def test_perceptual_losses_compute_in_full_precision(vgg19: Path, lpips: Lpips) -> None:
    perceptual = Perceptual(weight=1, vgg19=vgg19, layers={"conv2_2": 1})
    criterion = criterion_of(l1=1, fft=1, ssim=1, consistency=1, perceptual=perceptual, lpips=lpips)
    sr, hr, lr = torch.rand(1, 1, 20, 20).bfloat16(), torch.rand(1, 1, 20, 20), torch.rand(1, 1, 10, 10)
    plain = criterion(sr.float(), hr, lr)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = criterion(sr, hr, lr)
    assert {name: term.item() for name, term in terms.items()} == {name: term.item() for name, term in plain.items()}
    assert {term.dtype for term in terms.values()} == {torch.float32}


def test_a_recipe_needs_a_loss_and_weights_above_zero() -> None:
    with pytest.raises(ValidationError, match="at least one"):
        any_losses()()
    with pytest.raises(ValidationError, match="greater than 0"):
        any_losses()(l1=0)
    with pytest.raises(ValidationError, match="finite"):
        any_losses()(l1=float("inf"))
    with pytest.raises(ValidationError, match="Extra inputs"):
        any_losses().model_validate({"l11": 1})


def test_wrong_layers_and_files_of_a_criterion_raise(vgg19: Path) -> None:
    with pytest.raises(UsageError, match=r"no layer 'conv22'.*Did you mean 'conv2_2'"):
        criterion_of(perceptual=Perceptual(weight=1, vgg19=vgg19, layers={"conv22": 1}))
    with pytest.raises(UsageError, match="at least one layer"):
        criterion_of(perceptual=Perceptual(weight=1, vgg19=vgg19, layers={}))
    with pytest.raises(UsageError, match=r"no file .*vgg19-dcbb9e9d\.pth"):
        criterion_of(perceptual=Perceptual(weight=1, vgg19=vgg19.with_name("none.pth")))


def test_lpips_is_a_loss_with_gradients(lpips: Lpips) -> None:
    criterion = criterion_of(lpips=lpips)
    hr = torch.rand(1, 1, 32, 32)
    sr = (hr + 0.1 * torch.rand_like(hr)).requires_grad_()
    term = criterion(sr, hr, hr)["lpips"]
    term.backward()
    assert term > 0
    assert sr.grad is not None
    assert sr.grad.abs().sum() > 0
    assert all(not parameter.requires_grad for parameter in criterion.parameters())
