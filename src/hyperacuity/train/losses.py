"""How far a result is from the truth, as numbers with gradients; a recipe weighs them.

Pictures are (N, C, H, W) in [0, 1]. `Criterion`, `kl` and the adversarial ones compute in float32 at least, also where
the network does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.networks.perceptual import LPIPS, VGG19Features
from hyperacuity.train.degrade import shrink

# SSIM's Gaussian, of deviation 1.5.
WINDOW: list[float] = torch.softmax(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2), 0).tolist()

GanLoss = Literal["vanilla", "lsgan", "hinge", "relativistic"]
Weight = PositiveFloat | None


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Perceptual(_Record):
    """The difference of VGG19's features. layers: weights by name, conv5_4 as in ESRGAN (arXiv 1809.00219, section
    3.3); Real-ESRGAN's are conv1_2 0.1, conv2_2 0.1, conv3_4 1, conv4_4 1, conv5_4 1. after_activation: as in SRGAN
    (arXiv 1609.04802, equation 5), whose distance is mse and whose weight 0.006.
    """

    weight: PositiveFloat
    vgg19: Path  # torchvision's vgg19-dcbb9e9d.pth
    layers: dict[str, PositiveFloat] = {"conv5_4": 1.0}
    after_activation: bool = False
    distance: Literal["l1", "mse"] = "l1"


class Lpips(_Record):
    """LPIPS (arXiv 1801.03924) on SqueezeNet."""

    weight: PositiveFloat
    squeezenet: Path
    linear: Path


class Losses(_Record):
    """Each loss by its weight; at least one."""

    l1: Weight = None
    mse: Weight = None
    charbonnier: Weight = None
    ssim: Weight = None  # 1 - SSIM
    fft: Weight = None
    tv: Weight = None
    consistency: Weight = None  # of the result made small again with the LR
    perceptual: Annotated[Perceptual | None, Field()] = None
    lpips: Annotated[Lpips | None, Field()] = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if all(value is None for _, value in self):
            raise ValueError("give at least one of them, such as l1 = 1.0")
        return self


def l1(sr: Tensor, hr: Tensor) -> Tensor:
    return functional.l1_loss(sr, hr)


def mse(sr: Tensor, hr: Tensor) -> Tensor:
    return functional.mse_loss(sr, hr)


def charbonnier(sr: Tensor, hr: Tensor) -> Tensor:
    """sqrt(d^2 + 0.001^2), which is L1 with a rounded tip (LapSRN, arXiv 1704.03915, section 3.3)."""
    return ((sr - hr).square() + 1e-6).sqrt().mean()


def ssim(sr: Tensor, hr: Tensor) -> Tensor:
    """1 - SSIM, which is `metrics.ssim` with a peak of 1 and no border.

    Raises `UsageError` for less than 11 x 11 pixels.
    """
    if min(sr.shape[-2:]) < len(WINDOW):
        raise UsageError(f"SSIM needs 11 x 11 pixels or more; got {tuple(sr.shape[-2:])}: take a larger data.patch")
    c1, c2 = 0.01**2, 0.03**2
    a, b, aa, bb, ab = _blurred(torch.stack((sr, hr, sr * sr, hr * hr, sr * hr))).unbind()
    variances, covariance = aa - a * a + bb - b * b, ab - a * b
    structure = (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2))
    return 1 - structure.mean()


def _blurred(x: Tensor) -> Tensor:
    """Through SSIM's window, where it fits whole."""
    # Tap after tap: cuDNN would round a convolution's factors to TF32, an error of half of c2.
    for axis in (-2, -1):
        size = x.shape[axis] - len(WINDOW) + 1
        total = x.narrow(axis, 0, size) * WINDOW[0]
        for at, weight in enumerate(WINDOW[1:], 1):
            total = total.add(x.narrow(axis, at, size), alpha=weight)
        x = total
    return x


def fft(sr: Tensor, hr: Tensor) -> Tensor:
    """L1 between real and between imaginary parts of both spectra, each frequency's the sum over all pixels, as in
    SAFMN (arXiv 2302.13800, section 4.1), where 0.05 of it goes with 1 of L1.
    """
    return (torch.view_as_real(torch.fft.rfft2(sr)) - torch.view_as_real(torch.fft.rfft2(hr))).abs().mean()


def tv(sr: Tensor) -> Tensor:
    """Total variation: the mean absolute difference of neighbours, down and across."""
    return (sr[..., 1:, :] - sr[..., :-1, :]).abs().mean() + (sr[..., 1:] - sr[..., :-1]).abs().mean()


def consistency(sr: Tensor, lr: Tensor) -> Tensor:
    """L1 between the result, made small again by MATLAB's bicubic without rounding, and the LR; but for two LR pixels
    at the border, where a patch's neighbours are missing.

    Raises `UsageError` for less than 5 x 5 LR pixels.
    """
    if min(lr.shape[-2:]) < 5:
        size = tuple(lr.shape[-2:])
        raise UsageError(f"consistency needs 5 x 5 LR pixels or more; got {size}: take a larger data.patch")
    again = shrink(sr, sr.shape[-1] // lr.shape[-1])
    return functional.l1_loss(again[..., 2:-2, 2:-2], lr[..., 2:-2, 2:-2])


def kl(nats: Tensor, free_bits: float) -> Tensor:
    """Nats for each LR pixel, summed over the channels of (N, latent, H, W); of each channel's mean over the batch and
    all positions, `free_bits` nats cost nothing (arXiv 1606.04934, appendix C.8).
    """
    return _widened(nats).mean((0, 2, 3)).clamp_min(free_bits).sum()


def generator_loss(kind: GanLoss, fake: Tensor, real: Tensor | None = None) -> Tensor:
    """What a generator pays, of a discriminator's logits for its pictures; relativistic: and for real ones.

    vanilla: the non-saturating form of Goodfellow et al. (arXiv 1406.2661, section 3); lsgan: arXiv 1611.04076; hinge:
    arXiv 1705.02894; relativistic: the average one of ESRGAN (arXiv 1809.00219, equation 2), halved as its authors'
    code does it.
    """
    fake = _widened(fake)
    if kind == "vanilla":
        return _told(fake, real=True)
    if kind == "lsgan":
        return (fake - 1).square().mean()
    if kind == "hinge":
        return -fake.mean()
    if real is None:
        raise ValueError("the relativistic loss needs the logits of real pictures")
    real = _widened(real)
    return (_told(real - fake.mean(), real=False) + _told(fake - real.mean(), real=True)) / 2


def discriminator_loss(kind: GanLoss, fake: Tensor, real: Tensor) -> Tensor:
    """What a discriminator pays, the mean of real and fake pictures' parts; sources as for `generator_loss`."""
    fake, real = _widened(fake), _widened(real)
    if kind == "vanilla":
        return (_told(real, real=True) + _told(fake, real=False)) / 2
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    if kind == "hinge":
        return (functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()) / 2
    return (_told(real - fake.mean(), real=True) + _told(fake - real.mean(), real=False)) / 2


def _told(logits: Tensor, *, real: bool) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def _widened(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Criterion(nn.Module):
    """The losses of a recipe: of a result, its truth and its LR, each loss by name, with its weight on it.

    Raises `UsageError` and `WeightsError` for files of features that are not there or not what they should be.
    """

    def __init__(self, losses: Losses) -> None:
        super().__init__()
        self.losses = losses
        if losses.perceptual is not None:
            how = losses.perceptual
            self.vgg = VGG19Features.from_file(how.vgg19, list(how.layers), after_activation=how.after_activation)
        if losses.lpips is not None:
            self.distance = LPIPS.from_files(losses.lpips.squeezenet, losses.lpips.linear)

    def forward(self, sr: Tensor, hr: Tensor, lr: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        with torch.autocast(sr.device.type, enabled=False):
            sr, hr, lr = sr.float(), hr.float(), lr.float()
            for name, function in {"l1": l1, "mse": mse, "charbonnier": charbonnier, "ssim": ssim, "fft": fft}.items():
                weight = getattr(self.losses, name)
                if weight is not None:
                    found[name] = weight * function(sr, hr)
            if self.losses.tv is not None:
                found["tv"] = self.losses.tv * tv(sr)
            if self.losses.consistency is not None:
                found["consistency"] = self.losses.consistency * consistency(sr, lr)
            if self.losses.perceptual is not None:
                found["perceptual"] = self.losses.perceptual.weight * self._perceptual(self.losses.perceptual, sr, hr)
            if self.losses.lpips is not None:
                found["lpips"] = self.losses.lpips.weight * self.distance(_rgb(sr), _rgb(hr)).mean()
        return found

    def _perceptual(self, how: Perceptual, sr: Tensor, hr: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.vgg(_rgb(hr))
        given = self.vgg(_rgb(sr))
        distance = l1 if how.distance == "l1" else mse
        return torch.stack([weight * distance(given[name], wanted[name]) for name, weight in how.layers.items()]).sum()


def _rgb(x: Tensor) -> Tensor:
    return x.expand(-1, 3, -1, -1)
