"""An image, independent of its file format: its pixels, the meaning of their values, and its metadata."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperacuity.counting import counted
from hyperacuity.errors import DamagedFile, UsageError

if TYPE_CHECKING:
    import PIL.Image

Array = NDArray[Any]


@dataclass(frozen=True)
class Native:
    """Metadata in a form that only one file format has, copied unchanged to files of the same format.

    Args:
        format: The format's name, as in its `HOLDS`.
        data: Whole blocks of the file.
        label: Their name in the warning if they are lost; "" if every reader assumes the same anyway.
    """

    format: str
    data: bytes
    label: str = ""


@dataclass(frozen=True)
class Item:
    """One thing that a file holds besides the main pixels of its images, as its reader lists it.

    Args:
        key: Where it is in the file, the same for every file of the format: "APP2 MPF", "chunk tEXt Comment".
        label: Its name in messages, in plain words: "gain map (Ultra HDR)".
        carrier: The field of `Metadata` that carries it; None if nothing does, so that its loss is named.
    """

    key: str
    label: str
    carrier: str | None = None


@dataclass(frozen=True, eq=False)
class GainMap:
    """The image beside an SDR image from which a display computes the HDR image.

    Args:
        pixels: (h, w, 1 or 3) of uint8, turned as the main image is; usually smaller than it.
        segments: The segments of a JPEG file that state how to apply it: XMP, ISO 21496-1, Apple's.
        announcement: The segments of the main image that announce it, besides those in its XMP.
    """

    pixels: Array
    segments: bytes
    announcement: bytes


@dataclass(frozen=True)
class StatedColour:
    """Colour that a file states by codes and numbers instead of an ICC profile.

    Args:
        primaries: ColourPrimaries of ITU-T H.273; 2 = not stated.
        transfer: TransferCharacteristics of H.273; 2 = not stated.
        full_range: Whether the RGB values of `pixels` use their full range; False for those of video.
        intent: The rendering intent of PNG's sRGB chunk; None if it is missing.
        gamma: The exponent of PNG's gAMA chunk, in 100,000ths.
        chromaticities: Those of PNG's cHRM chunk: white, red, green, blue, each x and y in 100,000ths.
        mastering: The mastering display: x and y of red, green, blue and white in 50,000ths, the greatest and the
            least luminance in 10,000ths of cd/m².
        light: The greatest light level of a pixel and of the average, in 10,000ths of cd/m².

    Source: ITU-T H.273; PNG 3rd edition (W3C, 2025), 11.3.2.
    """

    primaries: int = 2
    transfer: int = 2
    full_range: bool = True
    intent: int | None = None
    gamma: int | None = None
    chromaticities: tuple[int, ...] | None = None
    mastering: tuple[int, ...] | None = None
    light: tuple[int, int] | None = None


@dataclass(frozen=True)
class Origin:
    """How an image was made, for formats that can state it.

    Attributes:
        software: Its name and version.
        models: The names of the models.
        invents: Whether one of them invents detail.
    """

    software: str
    models: tuple[str, ...]
    invents: bool


@dataclass(frozen=True)
class Metadata:
    r"""The content of a file besides pixels, which its upscaled copy must hold too.

    Args:
        icc: The colour profile.
        exif: The TIFF structure without "Exif\0\0"; the orientation is already applied to the pixels and is 1.
        xmp: The packet, in UTF-8.
        dpi: Horizontal and vertical pixels per inch, as stored.
        native: Metadata that only the format of the file can hold.
        iptc: Records of IPTC-IIM.
        density_ratio: Horizontal and vertical densities without a unit, of which only the ratio counts; None if
            they are missing or `dpi` is known.
        gain_map: The gain map of an HDR image.
        colour: Colour that the file states outside the ICC profile.
        trailer: What follows the images of a JPEG file and does not depend on their size, such as the video of a
            motion photo, with everything behind it.
        items: Everything that the file holds besides the main pixels, carried by a field of this class or not.
        origin: How the image was made, if its file should state it.
        size: Width and height of the upright image that the sizes and places in `exif` and `xmp` are measured in;
            None if it is unknown, so that they cannot be scaled.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    native: Native | None = None
    iptc: bytes | None = None
    density_ratio: tuple[int, int] | None = None
    gain_map: GainMap | None = None
    colour: StatedColour | None = None
    trailer: bytes | None = None
    items: tuple[Item, ...] = ()
    origin: Origin | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class BandRange:
    """The values of a band that become 0 and 1 for a network, and what else is known about its valid values.

    Args:
        low: Becomes 0.
        high: Becomes 1; equal to `low` if the band is constant.
        least: The least valid value, which may lie below `low`.
        most: The greatest valid value.
        mean: Their mean.
    """

    low: float
    high: float
    least: float
    most: float
    mean: float

    def mapped(self, slope: float, intercept: float) -> BandRange:
        """Return the range of the values times `slope`, which is not 0, plus `intercept`."""
        low, high, least, most, mean = (
            value * slope + intercept for value in (self.low, self.high, self.least, self.most, self.mean)
        )
        return BandRange(min(low, high), max(low, high), min(least, most), max(least, most), mean)


@dataclass(frozen=True)
class Survey:
    """What reading all values of a measured image, or of a series, once has found.

    Args:
        ranges: Of each band; None for a band without a valid value.
        invalid: How many values are invalid, in all bands together.
    """

    ranges: tuple[BandRange | None, ...]
    invalid: int = 0


@dataclass(frozen=True)
class Measured:
    """What is known about values that are measurements, such as CT numbers or elevations, and not grey or colours.

    The channels of a measured image are bands, which are enlarged one by one. NaN and Inf are always invalid. Invalid
    pixels are filled from the nearest valid ones before anything filters them and come back by nearest; a valid result
    never equals an invalid value.

    Args:
        invalid: The stored values, from the first to the second, that mark pixels without a measurement.
        mask: Whether one more channel, the last, is 0 where pixels have no measurement; it is enlarged by nearest.
        categorical: Whether values are names of classes, which only nearest may enlarge.
        survey: The ranges, if they are known already: those of a series, for example. None to find them first.
    """

    invalid: tuple[float, float] | None = None
    mask: bool = False
    categorical: bool = False
    survey: Survey | None = None


@dataclass(frozen=True)
class Header:
    """Everything about an image except its pixels.

    Args:
        height: Rows.
        width: Columns.
        channels: 1 (grey) or 3 (RGB), and one more with alpha, which is last and not premultiplied. Any number of bands
            if the image is measured, and one more with a mask.
        dtype: uint8, uint16 or float32, as stored. Any real type if the image is measured.
        levels: The stored values of black and white: (0, 255), (0, 65535), (0, 1023) for 10 bits in 16, (0, 1) for
            floats, whose values may lie outside. Of measured integers the least and the greatest that may be stored.
        alpha: Whether the last channel is alpha.
        metadata: The metadata of the file.
        duration: Seconds that this frame of an animation is shown.
        measured: What is known about values that are measurements; None if they are grey or colours.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    levels: tuple[float, float]
    alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    duration: float | None = None
    measured: Measured | None = None

    @property
    def colours(self) -> int:
        """The number of channels without alpha, 1 or 3; of a measured image the number of bands."""
        return self.channels - (self.alpha if self.measured is None else self.measured.mask)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def nbytes(self) -> int:
        return self.height * self.width * self.channels * self.dtype.itemsize

    def resized(self, height: int, width: int) -> Header:
        """Return the header of the same image at another size; pixels per inch stay the same, so prints are larger."""
        return replace(self, height=height, width=width)


@dataclass(frozen=True, eq=False)
class Strips:
    """An image whose rows arrive from top to bottom, for images larger than memory.

    Args:
        header: The header of the whole image.
        rows: (h, width, channels) arrays of `header.dtype` whose heights sum to `header.height`; can be read once.
    """

    header: Header
    rows: Iterable[Array]

    def gather(self) -> Image:
        """Read all strips into one image.

        Raises:
            DamagedFile: If they hold more or fewer rows than the header states.
        """
        pixels = np.empty(self.header.shape, self.header.dtype)
        top = 0
        for strip in self.rows:
            if top + len(strip) <= self.header.height:
                pixels[top : top + len(strip)] = strip
            top += len(strip)
        if top != self.header.height:
            raise DamagedFile(f"the image has {counted(self.header.height, 'row')}, but {top} arrived")
        return Image(self.header, pixels)


class RowSource(Protocol):
    """An image any rows of which can be read."""

    @property
    def header(self) -> Header:
        """The header of the whole image."""
        ...

    def read(self, first: int, last: int) -> Iterable[Array]:
        """Return the rows [first, last) as `Strips.rows` has them; may be called any number of times."""
        ...


@dataclass(frozen=True, eq=False)
class Image:
    """An image in memory.

    Args:
        header: Everything except the pixels.
        pixels: (height, width, channels) of `header.dtype`.

    Example:
        >>> image = Image.from_pixels(np.zeros((2, 3), np.uint16), levels=(0, 1023))
        >>> image.header.shape, image.header.levels
        ((2, 3, 1), (0, 1023))
    """

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
        measured: Measured | None = None,
    ) -> Image:
        """Wrap an array without a copy.

        Args:
            pixels: (H, W) or (H, W, C).
            alpha: Whether the last channel is alpha.
            levels: The values of black and white; by default the range of an integer type, and [0, 1] for floats.
            metadata: The metadata of its file.
            duration: Seconds that this frame of an animation is shown.
            measured: What is known about values that are measurements.
        """
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        if levels is None:
            levels = (0, 1)
            if np.issubdtype(pixels.dtype, np.integer):
                limits = np.iinfo(pixels.dtype)
                levels = (0 if measured is None else limits.min, limits.max)
        height, width, channels = pixels.shape
        metadata = metadata or Metadata()
        header = Header(height, width, channels, pixels.dtype, levels, alpha, metadata, duration, measured)
        return cls(header, pixels)

    def strips(self) -> Strips:
        """Return the image as one strip, for sinks."""
        return Strips(self.header, [self.pixels])

    def read(self, first: int, last: int) -> Iterable[Array]:
        """Return the rows [first, last); an image in memory is a `RowSource`."""
        return [self.pixels[first:last]]

    def to_8bit(self) -> NDArray[np.uint8]:
        """Return the pixels as (H, W, C) uint8, rounded half up and clipped."""
        return convert(self.pixels, self.header.levels, np.dtype(np.uint8), (0, 255))


def convert(pixels: Array, levels: tuple[float, float], dtype: np.dtype[Any], target: tuple[float, float]) -> Array:
    """Convert stored values to another type and other levels.

    Args:
        pixels: Values between the black and the white of `levels`; floats may lie outside.
        levels: Their black and white.
        dtype: The type of the result; integers are rounded half up and clipped to their levels.
        target: Black and white of the result.

    Returns:
        An array of the same shape; `pixels` itself if nothing changes.

    Example:
        >>> convert(np.array([0, 1023], np.uint16), (0, 1023), np.dtype(np.uint8), (0, 255))
        array([  0, 255], dtype=uint8)
    """
    if pixels.dtype == dtype and levels == target:
        return pixels
    (black, white), (new_black, new_white) = levels, target
    gain = (new_white - new_black) / (white - black)
    values = pixels.astype(np.float64) * gain + (new_black - black * gain)
    if np.issubdtype(dtype, np.integer):
        values = np.clip(np.floor(values + 0.5), new_black, new_white)
    return values.astype(dtype)


def pil_pixels(image: PIL.Image.Image) -> Array:
    """Return the pixels of a PIL image. Modes other than L, LA, RGB, RGBA, I;16 and F become RGB or RGBA.

    Raises:
        UsageError: The mode is I, whose 32 bits do not define a white level.
    """
    plain = image
    if image.mode == "I":
        raise UsageError("a PIL image of mode I does not define a white level: convert it to I;16 or to L first")
    if image.mode == "La":
        plain = image.convert("LA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "F") and not image.mode.startswith("I;16"):
        plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    pixels = np.asarray(plain)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
