"""A chain of blur, resizing, noise and JPEG, twice, as in photos that were edited and shared.

Source: Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV
Workshops 2021, arXiv 2107.10833, sections 3.2 and 3.3.
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from hyperacuity.train.degrade.degradation import Degradation, DegradationSettings, inner
from hyperacuity.train.degrade.operations import blur, noise
from hyperacuity.train.degrade.operations.jpeg import jpeg
from hyperacuity.train.degrade.operations.resampling import to_codes
from hyperacuity.train.degrade.ranges import (
    Larger,
    Probability,
    Qualities,
    Shapes,
    Sides,
    SixProbabilities,
    Smaller,
    Strengths,
    ThreeProbabilities,
    Widths,
)

# Each image has its own strengths and kernels. Sizes and the order of operations cannot differ within one tensor: they
# are drawn for each of this many parts of a batch. The authors draw them once per batch and mix pairs among batches.
PARTS = 4
# A smaller kernel cannot pass as narrow a band.
SMALL = 13


class Blur(DegradationSettings):
    """A random kernel for each image.

    probability: of any blur. sinc: probability of a kernel that rings. kinds: probabilities of the other kernels:
    Gaussian, isotropic and anisotropic; generalised Gaussian, both; plateau-shaped, both. sigma: in pixels.
    generalised, plateau: exponents of these kernels, half of them below 1 and half above if the range allows it.
    size: side of a kernel, odd.
    """

    probability: Probability = 1.0
    sinc: Probability = 0.1
    kinds: SixProbabilities = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    sigma: Widths = (0.2, 3.0)
    generalised: Shapes = (0.5, 4.0)
    plateau: Shapes = (1.0, 2.0)
    size: Sides = (7, 21)


class Resize(DegradationSettings):
    """chances: probabilities that the sides grow, shrink, stay. factor: the smallest and the largest factor."""

    chances: ThreeProbabilities = (0.2, 0.7, 0.1)
    factor: tuple[Smaller, Larger] = (0.15, 1.5)


class Noise(DegradationSettings):
    """Gaussian or Poisson noise.

    gaussian: probability of the former. sigma: of the Gaussian, of 255. poisson: factor of the noise of light counted
    in 256 levels. grey: probability of the same noise in all channels.
    """

    gaussian: Probability = 0.5
    sigma: Strengths = (1.0, 30.0)
    poisson: Strengths = (0.05, 3.0)
    grey: Probability = 0.4


class FirstPass(DegradationSettings):
    """The first pass: on HR, to a size near that of HR."""

    blur: Blur = Blur()
    resize: Resize = Resize()
    noise: Noise = Noise()
    jpeg: Qualities = (30, 95)


# The second pass has defaults that differ from the first's; a recipe that changes one value keeps the others.
class SecondBlur(Blur):
    """As in the first pass, weaker."""

    probability: Probability = 0.8
    sigma: Widths = (0.2, 1.5)


class SecondResize(Resize):
    """As in the first pass, with factors nearer to 1."""

    chances: ThreeProbabilities = (0.3, 0.4, 0.3)
    factor: tuple[Smaller, Larger] = (0.3, 1.2)


class SecondNoise(Noise):
    """As in the first pass, weaker."""

    sigma: Strengths = (1.0, 25.0)
    poisson: Strengths = (0.05, 2.5)


class SecondPass(DegradationSettings):
    """The second pass: to a size near that of LR."""

    blur: SecondBlur = SecondBlur()
    resize: SecondResize = SecondResize()
    noise: SecondNoise = SecondNoise()
    jpeg: Qualities = (30, 95)


class Chain(Degradation):
    """Two passes of blur, resizing, noise and JPEG (Real-ESRGAN; the defaults are those of the authors' x4plus).

    In the second pass, resizing to LR and a kernel that rings come before or after JPEG. last_sinc: probability of that
    kernel. sharpen_hr: sharpen HR by an unsharp mask, and make LR of the sharpened HR.
    """

    kind: Literal["chain"] = "chain"
    first: FirstPass = FirstPass()
    second: SecondPass = SecondPass()
    last_sinc: Probability = 0.8
    sharpen_hr: bool = Field(default=True, serialization_alias="sharpen_truth")

    def margin(self, scale: int) -> int:
        """Return the LR pixels that the kernels reach; those are not wrong, only affected by mirroring."""
        first, second = self.first.blur.size[1] // 2, self.second.blur.size[1] // 2
        return -(-(first + second) // scale) + second

    def degrade(self, hr: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        """See `Degradation.degrade`."""
        return _degraded(hr.float() / 255, scale, self, generator)

    def truth(self, hr: Tensor, margin: int = 0) -> Tensor:
        """See `Degradation.truth`; HR is sharpened if the settings say so."""
        if self.sharpen_hr:
            return inner(blur.usm_sharpen(hr.float() / 255), margin)
        return super().truth(hr, margin)


def _degraded(hr: Tensor, scale: int, how: Chain, generator: torch.Generator) -> Tensor:
    """Degrade float32 HR in [0, 1]."""
    draw = _Draw(generator, hr.device)
    lr = torch.cat([_two_passes(part, scale, how, draw) for part in hr.chunk(PARTS)])
    return to_codes(lr * 255) / 255


def _two_passes(x: Tensor, scale: int, how: Chain, draw: _Draw) -> Tensor:
    count, size = len(x), (x.shape[-2], x.shape[-1])
    small = size[0] // scale, size[1] // scale
    if how.sharpen_hr:
        x = blur.usm_sharpen(x)
    x = _pass(x, size, how.first, draw)
    x = jpeg(x, draw.sent(draw.whole(count, how.first.jpeg)))
    x = _pass(x, small, how.second, draw)
    quality = draw.sent(draw.whole(count, how.second.jpeg))
    # The authors found that other orders, with JPEG between resizing and ringing, distort lines.
    if draw.once(0.5):
        return jpeg(_ringing(_resized(x, small, draw), how, draw), quality)
    return _ringing(_resized(jpeg(x, quality), small, draw), how, draw)


def _pass(x: Tensor, about: tuple[int, int], how: FirstPass | SecondPass, draw: _Draw) -> Tensor:
    x = blur.filtered(x, _kernels(len(x), how.blur, draw))
    x = _resized(x, _size(about, how.resize, draw), draw)
    return _noisy(x, how.noise, draw)


def _kernels(count: int, how: Blur, draw: _Draw) -> Tensor:
    """Draw (count, k, k) kernels, all on the largest grid, each cut to its own size."""
    largest = how.size[1]
    sizes = 2 * draw.whole(count, (how.size[0] // 2, largest // 2)) + 1
    kind = draw.category(count, how.kinds)
    along, across = draw.between(count, how.sigma), draw.between(count, how.sigma)
    across = torch.where(kind % 2 == 0, along, across)
    angle = draw.between(count, (-math.pi, math.pi))
    shape = torch.where(kind < 4, draw.about_1(count, how.generalised), draw.about_1(count, how.plateau))
    shape = torch.where(kind < 2, 1.0, shape)
    bell = blur.gaussian(along, across, angle, largest, shape)
    plateau = blur.plateau(along, across, angle, largest, shape)
    narrowest = torch.where(sizes < SMALL, math.pi / 3, math.pi / 5)
    ringing = blur.sinc(narrowest + (math.pi - narrowest) * draw.between(count), largest)
    kernels = torch.where((kind < 4)[:, None, None], bell, plateau)
    kernels = torch.where(draw.each(count, how.sinc)[:, None, None], ringing, kernels)
    kernels = torch.where(draw.each(count, how.probability)[:, None, None], kernels, blur.identity(largest))
    return draw.sent(blur.cut(kernels, sizes))


def _ringing(x: Tensor, how: Chain, draw: _Draw) -> Tensor:
    count, (least, largest) = len(x), how.second.blur.size
    sizes = 2 * draw.whole(count, (least // 2, largest // 2)) + 1
    kernels = blur.cut(blur.sinc(draw.between(count, (math.pi / 3, math.pi)), largest), sizes)
    rings = draw.each(count, how.last_sinc)[:, None, None]
    return blur.filtered(x, draw.sent(torch.where(rings, kernels, blur.identity(largest))))


def _size(about: tuple[int, int], how: Resize, draw: _Draw) -> tuple[int, int]:
    ends = ((1.0, how.factor[1]), (how.factor[0], 1.0), (1.0, 1.0))[int(draw.category(1, how.chances))]
    factor = float(draw.between(1, ends))
    return max(1, round(about[0] * factor)), max(1, round(about[1] * factor))


def _resized(x: Tensor, size: tuple[int, int], draw: _Draw) -> Tensor:
    """Resize by area, bilinear or bicubic, the latter two without antialiasing, as careless programs do."""
    mode = ("area", "bilinear", "bicubic")[int(draw.whole(1, (0, 2)))]
    return functional.interpolate(x, size=size, mode=mode, align_corners=None if mode == "area" else False)


def _noisy(x: Tensor, how: Noise, draw: _Draw) -> Tensor:
    grey = draw.sent(draw.each(len(x), how.grey))
    if draw.once(how.gaussian):
        return noise.gaussian(x, draw.sent(draw.between(len(x), how.sigma)), grey, draw.generator)
    return noise.poisson(x, draw.sent(draw.between(len(x), how.poisson)), grey, draw.generator)


class _Draw:
    """Random numbers that follow from a generator's state.

    All but noise are drawn on the CPU: the chain's decisions need them there, and reading them from a GPU would wait
    for all work queued on it.
    """

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self.generator, self.device = generator, device
        state = hashlib.blake2b(generator.get_state().numpy().tobytes(), digest_size=8).digest()
        self.host = torch.Generator().manual_seed(int.from_bytes(state) >> 1)
        torch.rand(1, generator=generator, device=device)  # the next batch finds another state

    def sent(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)

    def between(self, count: int, ends: tuple[float, float] = (0.0, 1.0)) -> Tensor:
        return ends[0] + (ends[1] - ends[0]) * torch.rand(count, generator=self.host)

    def about_1(self, count: int, ends: tuple[float, float]) -> Tensor:
        """Draw below 1 as often as above, as far as `ends` reach."""
        middle = min(max(1.0, ends[0]), ends[1])
        below, above = self.between(count, (ends[0], middle)), self.between(count, (middle, ends[1]))
        return torch.where(self.each(count, 0.5), below, above)

    def whole(self, count: int, ends: tuple[int, int]) -> Tensor:
        return torch.randint(ends[0], ends[1] + 1, (count,), generator=self.host)

    def category(self, count: int, chances: tuple[float, ...]) -> Tensor:
        return torch.multinomial(torch.tensor(chances), count, replacement=True, generator=self.host)

    def each(self, count: int, probability: float) -> Tensor:
        return self.between(count) < probability

    def once(self, probability: float) -> bool:
        return bool(self.each(1, probability))
