"""A chain of blur, resizing, noise and JPEG, twice, after which little is left of how a picture was made.

Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV
Workshops 2021, arXiv 2107.10833, sections 3.2 and 3.3.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor
from torch.nn import functional

from hyperacuity.train.degrade import blur, noise
from hyperacuity.train.degrade.jpeg import jpeg
from hyperacuity.train.degrade.records import Blur, Chain, First, Noise, Resize, Second
from hyperacuity.train.degrade.resampling import to_codes

# Each picture has its own strengths and kernels. What cannot differ within one tensor, sizes and the order of things,
# is drawn for each of so many parts of a batch; the authors have it once for a batch, and shuffle pairs among batches.
PARTS = 4
# A small kernel cannot pass so narrow a band.
SMALL = 13


def degraded(hr: Tensor, scale: int, how: Chain, generator: torch.Generator) -> Tensor:
    """See `degrade.degrade`."""
    draw = _Draw(generator, hr.device)
    lr = torch.cat([_two_passes(part, scale, how, draw) for part in hr.chunk(PARTS)])
    return to_codes(lr * 255) / 255


def _two_passes(x: Tensor, scale: int, how: Chain, draw: _Draw) -> Tensor:
    count, size = len(x), (x.shape[-2], x.shape[-1])
    small = size[0] // scale, size[1] // scale
    if how.sharpen_truth:
        x = blur.usm_sharpen(x)
    x = _pass(x, size, how.first, draw)
    x = jpeg(x, draw.sent(draw.whole(count, how.first.jpeg)))
    x = _pass(x, small, how.second, draw)
    quality = draw.sent(draw.whole(count, how.second.jpeg))
    # Other orders, with JPEG between the resizing and the ringing, twist lines, the authors found.
    if draw.once(0.5):
        return jpeg(_rung(_resized(x, small, draw), how, draw), quality)
    return _rung(_resized(jpeg(x, quality), small, draw), how, draw)


def _pass(x: Tensor, about: tuple[int, int], how: First | Second, draw: _Draw) -> Tensor:
    x = blur.filtered(x, _kernels(len(x), how.blur, draw))
    x = _resized(x, _size(about, how.resize, draw), draw)
    return _noisy(x, how.noise, draw)


def _kernels(count: int, how: Blur, draw: _Draw) -> Tensor:
    """(count, k, k): all on the largest grid, each cut to its own size."""
    largest = how.size[1]
    sizes = 2 * draw.whole(count, (how.size[0] // 2, largest // 2)) + 1
    kind = draw.choice(count, how.kinds)
    along, across = draw.between(count, how.sigma), draw.between(count, how.sigma)
    across = torch.where(kind % 2 == 0, along, across)
    angle = draw.between(count, (-math.pi, math.pi))
    shape = torch.where(kind < 4, draw.about_1(count, how.generalised), draw.about_1(count, how.plateau))
    shape = torch.where(kind < 2, 1.0, shape)
    round_off = blur.gaussian(along, across, angle, largest, shape)
    flat = blur.plateau(along, across, angle, largest, shape)
    narrowest = torch.where(sizes < SMALL, math.pi / 3, math.pi / 5)
    ringing = blur.sinc(narrowest + (math.pi - narrowest) * draw.between(count), largest)
    kernels = torch.where((kind < 4)[:, None, None], round_off, flat)
    kernels = torch.where(draw.each(count, how.sinc)[:, None, None], ringing, kernels)
    kernels = torch.where(draw.each(count, how.probability)[:, None, None], kernels, blur.nothing(largest))
    return draw.sent(blur.cut(kernels, sizes))


def _rung(x: Tensor, how: Chain, draw: _Draw) -> Tensor:
    count, (least, largest) = len(x), how.second.blur.size
    sizes = 2 * draw.whole(count, (least // 2, largest // 2)) + 1
    kernels = blur.cut(blur.sinc(draw.between(count, (math.pi / 3, math.pi)), largest), sizes)
    rings = draw.each(count, how.last_sinc)[:, None, None]
    return blur.filtered(x, draw.sent(torch.where(rings, kernels, blur.nothing(largest))))


def _size(about: tuple[int, int], how: Resize, draw: _Draw) -> tuple[int, int]:
    ends = ((1.0, how.factor[1]), (how.factor[0], 1.0), (1.0, 1.0))[int(draw.choice(1, how.chances))]
    factor = float(draw.between(1, ends))
    return max(1, round(about[0] * factor)), max(1, round(about[1] * factor))


def _resized(x: Tensor, size: tuple[int, int], draw: _Draw) -> Tensor:
    """By area, bilinear or bicubic, the latter two without antialiasing, as careless programs do it."""
    mode = ("area", "bilinear", "bicubic")[int(draw.whole(1, (0, 2)))]
    return functional.interpolate(x, size=size, mode=mode, align_corners=None if mode == "area" else False)


def _noisy(x: Tensor, how: Noise, draw: _Draw) -> Tensor:
    grey = draw.sent(draw.each(len(x), how.grey))
    if draw.once(how.gaussian):
        return noise.gaussian(x, draw.sent(draw.between(len(x), how.sigma)), grey, draw.generator)
    return noise.poisson(x, draw.sent(draw.between(len(x), how.poisson)), grey, draw.generator)


class _Draw:
    """Random numbers that follow from a generator's state. All but noise are drawn on the CPU: the decisions of a chain
    need them, and reading them from a GPU would wait until it has done all that it was given.
    """

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self.generator, self.device = generator, device
        state = hashlib.blake2b(generator.get_state().numpy().tobytes(), digest_size=8).digest()
        self.host = torch.Generator().manual_seed(int.from_bytes(state) >> 1)
        torch.rand(1, generator=generator, device=device)  # the next batch finds it in another state

    def sent(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)

    def between(self, count: int, ends: tuple[float, float] = (0.0, 1.0)) -> Tensor:
        return ends[0] + (ends[1] - ends[0]) * torch.rand(count, generator=self.host)

    def about_1(self, count: int, ends: tuple[float, float]) -> Tensor:
        """Below 1 as often as above, as far as `ends` reach."""
        middle = min(max(1.0, ends[0]), ends[1])
        below, above = self.between(count, (ends[0], middle)), self.between(count, (middle, ends[1]))
        return torch.where(self.each(count, 0.5), below, above)

    def whole(self, count: int, ends: tuple[int, int]) -> Tensor:
        return torch.randint(ends[0], ends[1] + 1, (count,), generator=self.host)

    def choice(self, count: int, chances: tuple[float, ...]) -> Tensor:
        return torch.multinomial(torch.tensor(chances), count, replacement=True, generator=self.host)

    def each(self, count: int, probability: float) -> Tensor:
        return self.between(count) < probability

    def once(self, probability: float) -> bool:
        return bool(self.each(1, probability))
