"""What a recipe says of how LR comes of HR: one record for each kind of degradation, and those of a chain's parts."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Pair = TypeVar("Pair", bound=tuple[float, float])


def _ordered(pair: Pair) -> Pair:
    if pair[0] > pair[1]:
        raise ValueError("the least comes first, then the greatest")
    return pair


def _odd(sizes: tuple[int, int]) -> tuple[int, int]:
    if not (sizes[0] % 2 and sizes[1] % 2):
        raise ValueError("a kernel has a middle: take odd sizes")
    return sizes


def _together(parts: tuple[float, ...]) -> tuple[float, ...]:
    if not math.isclose(sum(parts), 1, abs_tol=1e-6):
        raise ValueError(f"these probabilities sum to {sum(parts):g}, not 1")
    return parts


Probability = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[float, Field(ge=0.01, le=100)]  # sigma, in pixels
Shape = Annotated[float, Field(ge=0.1, le=10)]
Smaller = Annotated[float, Field(ge=0.05, le=1)]
Larger = Annotated[float, Field(ge=1, le=4)]
Strength = Annotated[float, Field(ge=0, le=255)]
Side = Annotated[int, Field(ge=1, le=101)]
Quality = Annotated[int, Field(ge=1, le=100)]

# All that is drawn is drawn evenly between two values.
Widths = Annotated[tuple[Width, Width], AfterValidator(_ordered)]
Shapes = Annotated[tuple[Shape, Shape], AfterValidator(_ordered)]
Strengths = Annotated[tuple[Strength, Strength], AfterValidator(_ordered)]
Sides = Annotated[tuple[Side, Side], AfterValidator(_ordered), AfterValidator(_odd)]
Qualities = Annotated[tuple[Quality, Quality], AfterValidator(_ordered)]
Three = Annotated[tuple[Probability, Probability, Probability], AfterValidator(_together)]
Six = Annotated[
    tuple[Probability, Probability, Probability, Probability, Probability, Probability], AfterValidator(_together)
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Bicubic(_Record):
    """MATLAB's `imresize` on 8 bits, as nearly all papers have it."""

    kind: Literal["bicubic"] = "bicubic"

    def margin(self, scale: int) -> int:
        """LR pixels around a patch that its border falsifies."""
        return 2


class BlurBicubic(_Record):
    """A Gaussian before the LR is taken: by bicubic, or as every `scale`-th pixel (ESPCN, arXiv 1609.05158, section 3).

    sigma: in HR pixels, for each picture its own.
    """

    kind: Literal["blur-bicubic"] = "blur-bicubic"
    sigma: Widths = (0.2, 2.0)
    then: Literal["bicubic", "subsample"] = "bicubic"

    @property
    def reach(self) -> int:
        """HR pixels that the widest Gaussian is followed: three sigmas, beyond which a three-hundredth of it lies."""
        return math.ceil(3 * self.sigma[1])

    def margin(self, scale: int) -> int:
        """LR pixels around a patch that its border falsifies."""
        return -(-self.reach // scale) + (Bicubic().margin(scale) if self.then == "bicubic" else 0)


class Blur(_Record):
    """probability: that there is any. sinc: that a kernel rings instead. kinds: how likely the others are: Gauss's,
    round or drawn out; generalised, round or drawn out; a plateau, round or drawn out.

    sigma: in pixels. generalised, plateau: the exponents of these, half of the kernels below 1 and half above (where
    that lies between). size: of a kernel's side.
    """

    probability: Probability = 1.0
    sinc: Probability = 0.1
    kinds: Six = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    sigma: Widths = (0.2, 3.0)
    generalised: Shapes = (0.5, 4.0)
    plateau: Shapes = (1.0, 2.0)
    size: Sides = (7, 21)


class Resize(_Record):
    """chances: that the sides grow, shrink, stay. factor: the least when they shrink, the greatest when they grow."""

    chances: Three = (0.2, 0.7, 0.1)
    factor: tuple[Smaller, Larger] = (0.15, 1.5)


class Noise(_Record):
    """gaussian: how likely that is, and else it is Poisson's. sigma: of 255. poisson: times the noise of light that is
    counted in 256 levels. grey: how likely it is the same in all channels.
    """

    gaussian: Probability = 0.5
    sigma: Strengths = (1.0, 30.0)
    poisson: Strengths = (0.05, 3.0)
    grey: Probability = 0.4


class First(_Record):
    """The first pass: on HR, to a size about HR's."""

    blur: Blur = Blur()
    resize: Resize = Resize()
    noise: Noise = Noise()
    jpeg: Qualities = (30, 95)


# What the second pass has by itself is not what the first has: a recipe that changes one value keeps the others.
class SecondBlur(Blur):
    """The same, weaker."""

    probability: Probability = 0.8
    sigma: Widths = (0.2, 1.5)


class SecondResize(Resize):
    """The same, nearer to 1."""

    chances: Three = (0.3, 0.4, 0.3)
    factor: tuple[Smaller, Larger] = (0.3, 1.2)


class SecondNoise(Noise):
    """The same, weaker."""

    sigma: Strengths = (1.0, 25.0)
    poisson: Strengths = (0.05, 2.5)


class Second(_Record):
    """The second pass: to a size about LR's."""

    blur: SecondBlur = SecondBlur()
    resize: SecondResize = SecondResize()
    noise: SecondNoise = SecondNoise()
    jpeg: Qualities = (30, 95)


class Chain(_Record):
    """Two passes of blur, another size, noise and JPEG; in the second, LR's size and a ringing kernel come before or
    after the JPEG (Real-ESRGAN, arXiv 2107.10833, section 3; the defaults are those of the authors' x4plus).

    last_sinc: how likely that last kernel is. sharpen_truth: HR is sharpened by an unsharp mask, and LR made of that.
    """

    kind: Literal["chain"] = "chain"
    first: First = First()
    second: Second = Second()
    last_sinc: Probability = 0.8
    sharpen_truth: bool = True

    def margin(self, scale: int) -> int:
        """LR pixels around a patch that feel its border: the kernels' reach, the last one's in LR pixels. What lies
        there is not false, only mirrored.
        """
        first, second = self.first.blur.size[1] // 2, self.second.blur.size[1] // 2
        return -(-(first + second) // scale) + second
