"""What a picture is, whatever file it came from: pixels, what their values mean, and what travels with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import DamagedFile

Array = NDArray[Any]


@dataclass(frozen=True)
class Metadata:
    r"""What a file says beside its pixels and what its upscaled copy must say too.

    icc: colour profile; exif: the TIFF structure without "Exif\0\0", orientation already applied and reset
    to 1; xmp: UTF-8 packet. dpi: horizontal and vertical pixels per inch, as stored. chunks: PNG's own, whole, for a
    PNG: text, and what its codes mean where no ICC profile says it. segments: JPEG's own, whole, for a JPEG: comments
    and IPTC.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    chunks: bytes = b""
    segments: bytes = b""


@dataclass(frozen=True)
class Header:
    """Everything about an image but its pixels.

    channels: 1 (grey) or 3 (RGB), one more with alpha, which is last and not premultiplied.
    dtype: uint8, uint16 or float32, as stored.
    levels: the stored values of black and white: (0, 255), (0, 65535), (0, 1023) for 10 bits in 16, (0, 1)
        for float. Floats may lie outside and are kept.
    duration: seconds that this frame stays, for animations.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    levels: tuple[float, float]
    alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    duration: float | None = None

    @property
    def colours(self) -> int:
        """Channels without alpha: 1 or 3."""
        return self.channels - self.alpha

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def nbytes(self) -> int:
        return self.height * self.width * self.channels * self.dtype.itemsize

    def resized(self, height: int, width: int) -> Header:
        """The header of the same picture at another size; the dots per inch stay, the print grows."""
        return replace(self, height=height, width=width)


@dataclass(frozen=True, eq=False)
class Strips:
    """An image that arrives from top to bottom, for images too large to hold.

    rows: (h, width, channels) arrays of `header.dtype` whose heights sum to `header.height`; can be read once.
    """

    header: Header
    rows: Iterable[Array]

    def gather(self) -> Image:
        """Read all strips into one image. Raises `DamagedFile` if they are not as many rows as were promised."""
        pixels = np.empty(self.header.shape, self.header.dtype)
        top = 0
        for strip in self.rows:
            if top + len(strip) <= self.header.height:
                pixels[top : top + len(strip)] = strip
            top += len(strip)
        if top != self.header.height:
            raise DamagedFile(f"{top} rows came of an image that has {self.header.height}")
        return Image(self.header, pixels)


@dataclass(frozen=True, eq=False)
class Image:
    """A picture in memory: `pixels` is (height, width, channels) of `header.dtype`."""

    header: Header
    pixels: Array

    @classmethod
    def from_pixels(
        cls,
        pixels: Array,
        *,
        alpha: bool = False,
        levels: tuple[float, float] | None = None,
        metadata: Metadata | None = None,
        duration: float | None = None,
    ) -> Image:
        """Wrap (H, W) or (H, W, C) pixels; without `levels`, integers span their type and floats [0, 1]."""
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        if levels is None:
            levels = (0, np.iinfo(pixels.dtype).max) if np.issubdtype(pixels.dtype, np.integer) else (0, 1)
        height, width, channels = pixels.shape
        header = Header(height, width, channels, pixels.dtype, levels, alpha, metadata or Metadata(), duration)
        return cls(header, pixels)

    def strips(self) -> Strips:
        """The image as one strip, for sinks."""
        return Strips(self.header, [self.pixels])

    def to_8bit(self) -> NDArray[np.uint8]:
        """The pixels as (H, W, C) uint8, rounded half up and clipped."""
        return convert(self.pixels, self.header.levels, np.dtype(np.uint8), (0, 255))


def convert(pixels: Array, levels: tuple[float, float], dtype: np.dtype[Any], target: tuple[float, float]) -> Array:
    """Values of `levels` as values of another type and levels; integers are rounded half up and clipped to them."""
    if pixels.dtype == dtype and levels == target:
        return pixels
    (black, white), (new_black, new_white) = levels, target
    gain = (new_white - new_black) / (white - black)
    values = pixels.astype(np.float64) * gain + (new_black - black * gain)
    if np.issubdtype(dtype, np.integer):
        values = np.clip(np.floor(values + 0.5), new_black, new_white)
    return values.astype(dtype)
