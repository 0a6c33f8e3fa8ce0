"""What all decoders share: limits, libvips as we call it, and an image put together from pixels and metadata."""

from __future__ import annotations

import mmap
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat, UsageError
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.image import Array, Image, Metadata

# Half a gigapixel, 1.5 GB as RGB: more than any camera's, and less than a forged header asks for.
MAX_PIXELS = 500_000_000
MAX_PIXELS_VARIABLE = "HYPERACUITY_MAX_PIXELS"

Bytes = bytes | mmap.mmap


@dataclass(frozen=True)
class Contents:
    """An opened file: how many frames, how often they play, whether its pixels are exact, and how to decode them."""

    frames: int
    loop: int | None
    lossless: bool
    decode: Callable[[], Iterator[Image]]


def max_pixels() -> int:
    """The most pixels an image may announce. Raises `UsageError` if the environment says something else."""
    text = os.environ.get(MAX_PIXELS_VARIABLE)
    if text is None:
        return MAX_PIXELS
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{MAX_PIXELS_VARIABLE} is {text!r}, which is not a number of pixels such as {MAX_PIXELS}")
    return int(text)


def check_size(width: int, height: int) -> None:
    """Refuse sizes that no picture has, before any pixel is decoded."""
    if width < 1 or height < 1:
        raise DamagedFile(f"it announces {width} × {height} pixels")
    limit = max_pixels()
    if width * height > limit:
        raise UnsupportedFormat(
            f"it announces {width} × {height} pixels, and more than {limit} are not decoded, because a small file can "
            f"announce a size that fills the memory; if you trust it, set {MAX_PIXELS_VARIABLE}={width * height}"
        )


def loaded(loader: str, raw: Bytes, **options: Any) -> Any:
    """A lazy image of libvips; the caller keeps `raw` alive, which libvips reads later and does not hold."""
    import pyvips

    source = pyvips.Source.new_from_memory(raw)
    # Without `revalidate` its cache of operations would keep whole files alive.
    return getattr(pyvips.Image, loader)(source, access="sequential", revalidate=True, **options)


def field(image: Any, name: str) -> Any:
    """A field of a libvips image, None where it has none."""
    return image.get(name) if image.get_typeof(name) else None


def pixels_of(image: Any) -> tuple[Array, bool]:
    """A libvips image as (H, W, C) and whether the last channel is alpha; inks become sRGB."""
    if image.interpretation == "cmyk":
        if image.bands > 4:
            raise UnsupportedFormat(f"it has {image.bands} channels of ink; CMYK alone is read")
        # The profile of the file, where it has one for inks; else libvips' own generic one.
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", intent="relative", depth=depth)
    dtypes = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32, "double": np.float64}
    if image.format not in dtypes:
        raise UnsupportedFormat(
            f"its pixels are of the type {image.format}, which says not where black and white are; "
            "unsigned 8 and 16 bits and floats are read"
        )
    if image.bands > 4:
        raise UnsupportedFormat(f"it has {image.bands} channels; grey and RGB are read, each with or without alpha")
    values = np.frombuffer(image.write_to_memory(), dtypes[image.format])
    values = values.reshape(image.height, image.width, image.bands)
    return values.astype(np.float32) if values.dtype == np.float64 else values, image.bands in (2, 4)


def turned(pixels: Array, orientation: int) -> Array:
    """Pixels as EXIF's orientation 1 to 8 wants them shown."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # After the swap, 6 and 7 mirror columns and 7 and 8 rows; before, 2 and 3 columns and 3 and 4 rows.
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def assembled(
    pixels: Array,
    alpha: bool,
    metadata: Metadata,
    *,
    orientation: int | None = None,
    levels: tuple[float, float] | None = None,
    duration: float | None = None,
) -> Image:
    """The image, upright, with metadata that says so. `orientation` None: as the metadata says."""
    exif, xmp, dpi = metadata.exif, metadata.xmp, metadata.dpi
    try:
        said = meta.orientation(exif, xmp)
        exif = meta.upright(exif) if exif else None
    except DamagedFile as error:
        warnings.warn(LossWarning(f"the EXIF block is damaged and is left out: {error}"), stacklevel=2)
        said, exif = meta.orientation(None, xmp), None
    turn = said if orientation is None else orientation
    if turn >= 5 and dpi:
        dpi = dpi[1], dpi[0]
    metadata = replace(metadata, exif=exif, xmp=meta.xmp_upright(xmp) if xmp else None, dpi=dpi)
    return Image.from_pixels(turned(pixels, turn), alpha=alpha, levels=levels, metadata=metadata, duration=duration)


def metadata_of(image: Any) -> Metadata:
    """What libvips found beside the pixels; the profile of inks is left out, since they become sRGB."""
    icc, exif, xmp = (field(image, name) for name in ("icc-profile-data", "exif-data", "xmp-data"))
    exif = meta.unprefixed(exif) if exif else None
    return Metadata(
        icc=icc if icc and image.interpretation != "cmyk" else None,
        exif=exif,
        xmp=xmp.rstrip(b"\0") if xmp else None,
        # Not libvips' own word, which is libexif's default of 72 wherever EXIF is silent.
        dpi=meta.dpi(exif) if exif else None,
    )
