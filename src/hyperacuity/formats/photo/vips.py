"""libvips for the formats: decoding, encoding, and its messages.

It is used where its result is exact: JPEG, PNG, WebP, AVIF and TIFF, with 16 bits, 10 and 12 bits of AVIF, float TIFF.
EXIF and XMP are put into the finished file by the formats: libvips rebuilds EXIF with libexif, which moves makers'
notes.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import on_disk
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.image import Array, Metadata

# How libvips and the codecs below it report that memory ran out.
NO_MEMORY = re.compile("out of memory|insufficient memory|cannot allocate memory", re.IGNORECASE)

# The most pixels per millimetre that libvips takes; it complains about more on standard error.
MOST_PER_MM = 1e6


def loaded(loader: str, raw: Bytes, **options: Any) -> Any:
    """Return a lazy image of libvips; the caller keeps `raw` alive, which libvips reads later and does not hold."""
    import pyvips

    source = pyvips.Source.new_from_memory(raw)
    # Without `revalidate` its cache of operations would keep whole files alive.
    image = getattr(pyvips.Image, loader)(source, access="sequential", revalidate=True, **options)
    on_disk.releasing(image, raw)
    return image


def field(image: Any, name: str) -> Any:
    """Return a field of a libvips image, None if it is missing."""
    return image.get(name) if image.get_typeof(name) else None


def pixels_of(image: Any) -> tuple[Array, bool]:
    """Decode a libvips image.

    Returns:
        (H, W, C), with CMYK converted to sRGB, and whether the last channel is alpha.

    Raises:
        UnsupportedFormat: If the type is not uint8, uint16 or float, or there are more than four channels.
    """
    if image.interpretation == "cmyk":
        if image.bands > 4:
            raise UnsupportedFormat(
                f"it has {image.bands} channels, and CMYK is read with four, without alpha or more inks; save it as "
                "RGB first"
            )
        # The file's CMYK profile, or else libvips' generic one.
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", intent="relative", depth=depth)
    dtypes = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32, "double": np.float64}
    if image.format not in dtypes:
        raise UnsupportedFormat(
            f"its pixels are of the type {image.format}, which does not define black and white; "
            "unsigned 8 and 16 bits and floats are read"
        )
    if image.bands > 4:
        raise UnsupportedFormat(f"it has {image.bands} channels; grey and RGB are read, each with or without alpha")
    large = on_disk.decoded(image.cast("float") if image.format == "double" else image)
    if large is not None:
        return large, image.bands in (2, 4)
    values = np.frombuffer(image.write_to_memory(), dtypes[image.format])
    values = values.reshape(image.height, image.width, image.bands)
    return values.astype(np.float32) if values.dtype == np.float64 else values, image.bands in (2, 4)


def metadata_of(image: Any) -> Metadata:
    """Return what libvips found besides the pixels, without a CMYK profile, since CMYK becomes sRGB."""
    icc, exif, xmp = (field(image, name) for name in ("icc-profile-data", "exif-data", "xmp-data"))
    exif = meta.unprefixed(exif) if exif else None
    return Metadata(
        icc=icc if icc and image.interpretation != "cmyk" else None,
        exif=exif,
        xmp=xmp.rstrip(b"\0") if xmp else None,
        # Not libvips' own value, which is libexif's default of 72 wherever EXIF has none.
        dpi=meta.dpi(exif) if exif else None,
    )


def joined(job: EncoderInput) -> Any:
    """Return all pages below one another, as libvips requires, with profile, resolution and durations."""
    import pyvips

    images = [page.image() for page in job.pages]
    image = images[0] if len(images) == 1 else pyvips.Image.arrayjoin(images, across=1)
    dpi = job.metadata.dpi or (25.4, 25.4)
    xres, yres = (min(number / 25.4, MOST_PER_MM) for number in dpi)
    image = image.copy(xres=xres, yres=yres)
    if job.metadata.icc:
        set_blob(image, "icc-profile-data", job.metadata.icc)
    if len(job.pages) > 1:
        delays = [round((page.header.duration or 0) * 1000) for page in job.pages]
        image.set_type(pyvips.GValue.array_int_type, "delay", delays)
        image.set_type(pyvips.GValue.gint_type, "loop", job.loop)
        image.set_type(pyvips.GValue.gint_type, "page-height", job.header.height)
    return image


def set_blob(image: Any, name: str, data: bytes) -> None:
    """Attach bytes to a libvips image, such as "xmp-data"."""
    import pyvips

    image.set_type(pyvips.GValue.blob_type, name, data)


def target(job: EncoderInput) -> Any:
    """Return where libvips writes: the file of `job`, from its present position on."""
    import pyvips

    return pyvips.Target.new_to_descriptor(job.out.file.fileno())


def reason(error: Exception) -> str:
    """Return libvips' reason on one line: the last informative one, since its threads may add "load error"."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines()[1:] if line.strip()]
    informative = [line for line in lines if not line.endswith("load error")]
    return (informative or lines or ["its pixels cannot be decoded"])[-1]
