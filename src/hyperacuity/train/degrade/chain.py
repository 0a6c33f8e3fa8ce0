"""A chain of blur, resizing, noise and JPEG, twice, after which little is left of how a picture was made.

Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV
Workshops 2021, arXiv 2107.10833, section 3; the defaults are those of the authors' training of x4plus. Each picture of
a batch has its own strengths; sizes are the same for the whole batch.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from hyperacuity.train.degrade import blur
from hyperacuity.train.degrade.jpeg import jpeg
from hyperacuity.train.degrade.resampling import to_codes

Probability = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]

# How likely each kind of kernel is: Gauss's and the generalised, each round or drawn out, and those with a plateau.
KINDS = ("round", "drawn out", "generalised round", "generalised", "plateau round", "plateau")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, value in self:
            if isinstance(value, tuple) and len(value) == 2 and value[0] > value[1]:
                raise ValueError(f"{name}: the least comes first")
        return self


class Blur(_Record):
    """probability: of any blur. sinc: of a ringing kernel instead of one that only blurs. kinds: how likely each of
    `KINDS` is. sigma: pixels. size: of the kernel, odd, drawn between both.
    """

    probability: Probability = 1.0
    sinc: Probability = 0.1
    kinds: tuple[float, float, float, float, float, float] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    sigma: Range = (0.2, 3.0)
    generalised: Range = (0.5, 4.0)  # the exponent's half, for KINDS 3 and 4
    plateau: Range = (1.0, 2.0)  # for KINDS 5 and 6
    size: tuple[int, int] = (7, 21)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.sigma[0] <= 0 or self.size[0] < 1:
            raise ValueError("sigma and size: both must be positive")
        if min(self.kinds) < 0 or not math.isclose(sum(self.kinds), 1, abs_tol=1e-6):
            raise ValueError("kinds: probabilities that sum to 1")
        return self


class Resize(_Record):
    """A random size in between: larger, smaller or the same, each as likely as `up`, `down` and the rest to 1."""

    up: Probability = 0.2
    down: Probability = 0.7
    range: Range = (0.15, 1.5)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if not 0 < self.range[0] <= 1 <= self.range[1]:
            raise ValueError("range: from above 0 and not above 1, to 1 or more")
        if self.up + self.down > 1:
            raise ValueError("up and down: together at most 1")
        return self


class Noise(_Record):
    """gaussian: how likely Gauss's noise is, else Poisson's. sigma: of 255. poisson: of the noise that one photon for
    each of 256 levels has. grey: how likely it is the same in all channels.
    """

    gaussian: Probability = 0.5
    sigma: Range = (1.0, 30.0)
    poisson: Range = (0.05, 3.0)
    grey: Probability = 0.4


class Pass(_Record):
    blur: Blur = Blur()
    resize: Resize = Resize()
    noise: Noise = Noise()
    jpeg: Range = (30.0, 95.0)


SECOND = Pass(
    blur=Blur(probability=0.8, sigma=(0.2, 1.5)),
    resize=Resize(up=0.3, down=0.4, range=(0.3, 1.2)),
    noise=Noise(sigma=(1.0, 25.0), poisson=(0.05, 2.5)),
)


class Chain(_Record):
    """Two passes; then LR's size, and a ringing kernel before or after the last JPEG. sharpen_truth: learn towards HR
    sharpened by an unsharp mask.
    """

    kind: Literal["chain"] = "chain"
    first: Pass = Pass()
    second: Pass = SECOND
    last_sinc: Probability = 0.8
    sharpen_truth: bool = True

    def margin(self, scale: int) -> int:
        """LR pixels around a patch that its border falsifies: both passes' kernels, not much more."""
        return -(-(self.first.blur.size[1] + self.second.blur.size[1]) // (2 * scale))


def degraded(hr: Tensor, scale: int, how: Chain, generator: torch.Generator) -> Tensor:
    """See `degrade.degrade`."""
    draw = _Draw(generator, hr.device)
    height, width = hr.shape[-2:]
    x = _pass(hr, how.first, (height, width), draw)
    blurred = _blurred(x, how.second.blur, draw)
    between = _between((height // scale, width // scale), how.second.resize, draw)
    x = _noisy(_sized(blurred, between, draw), how.second.noise, draw)
    small = height // scale, width // scale
    quality = draw.uniform(len(x), how.second.jpeg)
    if draw.chance(0.5):
        x = jpeg(_rung(_sized(x, small, draw), how, draw), quality)
    else:
        x = _rung(_sized(jpeg(x, quality), small, draw), how, draw)
    return to_codes(x * 255) / 255


def sharpened(hr: Tensor) -> Tensor:
    """An unsharp mask where it shows: of sigma 10 and half its strength, where it would move a value by more than 10
    of 255 (the authors' "USM sharpening").
    """
    sigma = torch.full((len(hr),), 10.0, device=hr.device)
    kernel = blur.gaussian(sigma, sigma, torch.zeros_like(sigma), 51)
    beyond = hr - blur.filtered(hr, kernel)
    mask = blur.filtered((beyond.abs() * 255 > 10).to(hr.dtype), kernel)
    sharp = (hr + 0.5 * beyond).clamp(0, 1)
    return mask * sharp + (1 - mask) * hr


def _pass(x: Tensor, how: Pass, size: tuple[int, int], draw: _Draw) -> Tensor:
    x = _blurred(x, how.blur, draw)
    x = _sized(x, _between(size, how.resize, draw), draw)
    x = _noisy(x, how.noise, draw)
    return jpeg(x, draw.uniform(len(x), how.jpeg))


def _blurred(x: Tensor, how: Blur, draw: _Draw) -> Tensor:
    if not draw.chance(how.probability):
        return x
    count, size = len(x), 2 * draw.whole(how.size[0] // 2, how.size[1] // 2) + 1
    kind = draw.choice(count, how.kinds)
    along, across = draw.uniform(count, how.sigma), draw.uniform(count, how.sigma)
    across = torch.where(kind % 2 == 0, along, across)
    angle = draw.uniform(count, (-math.pi, math.pi))
    shape = torch.where(kind < 4, draw.uniform(count, how.generalised), draw.uniform(count, how.plateau))
    shape = torch.where(kind < 2, 1.0, shape)
    kernels = torch.where(
        (kind < 4)[:, None, None],
        blur.gaussian(along, across, angle, size, shape),
        blur.plateau(along, across, angle, size, shape),
    )
    return blur.filtered(
        x, torch.where((draw.uniform(count) < how.sinc)[:, None, None], _ringing(x, size, draw), kernels)
    )


def _ringing(x: Tensor, size: int, draw: _Draw) -> Tensor:
    """Small kernels cannot pass low frequencies alone."""
    return blur.sinc(draw.uniform(len(x), (math.pi / 3 if size < 13 else math.pi / 5, math.pi)), size)


def _rung(x: Tensor, how: Chain, draw: _Draw) -> Tensor:
    if not draw.chance(how.last_sinc):
        return x
    low, high = how.second.blur.size
    return blur.filtered(x, _ringing(x, 2 * draw.whole(low // 2, high // 2) + 1, draw))


def _between(size: tuple[int, int], how: Resize, draw: _Draw) -> tuple[int, int]:
    kind, low, high = float(draw.uniform(1)[0]), *how.range
    if kind < how.up:
        factor = float(draw.uniform(1, (1.0, high))[0])
    else:
        factor = float(draw.uniform(1, (low, 1.0))[0]) if kind < how.up + how.down else 1.0
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width


def _sized(x: Tensor, size: tuple[int, int], draw: _Draw) -> Tensor:
    """By area, bilinear or bicubic, the latter two without antialiasing, as careless programs do it."""
    mode = ("area", "bilinear", "bicubic")[draw.whole(0, 2)]
    smooth = None if mode == "area" else False
    return torch.nn.functional.interpolate(x, size=size, mode=mode, align_corners=smooth)


def _noisy(x: Tensor, how: Noise, draw: _Draw) -> Tensor:
    count, x = len(x), x.clamp(0, 1)
    grey = (draw.uniform(count) < how.grey)[:, None, None, None]
    if draw.chance(how.gaussian):
        each = draw.normal(x.shape)
        noise = torch.where(grey, each[:, :1], each) * (draw.uniform(count, how.sigma) / 255)[:, None, None, None]
    else:
        mean = x.mean(1, keepdim=True)
        of_grey = draw.poisson(mean * 255) / 255 - mean
        each = draw.poisson(x * 255) / 255 - x
        noise = torch.where(grey, of_grey, each) * draw.uniform(count, how.poisson)[:, None, None, None]
    return (x + noise).clamp(0, 1)


class _Draw:
    """Random numbers of one generator."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self.generator, self.device = generator, device

    def uniform(self, count: int, between: Range = (0.0, 1.0)) -> Tensor:
        low, high = between
        return low + (high - low) * torch.rand(count, generator=self.generator, device=self.device)

    def normal(self, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def poisson(self, mean: Tensor) -> Tensor:
        return torch.poisson(mean, generator=self.generator)

    def choice(self, count: int, probabilities: tuple[float, ...]) -> Tensor:
        weights = torch.tensor(probabilities, device=self.device)
        return torch.multinomial(weights, count, replacement=True, generator=self.generator)

    def chance(self, probability: float) -> bool:
        """Once for the whole batch, where pictures cannot differ."""
        return float(self.uniform(1)[0]) < probability

    def whole(self, low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=self.generator, device=self.device)[0])
