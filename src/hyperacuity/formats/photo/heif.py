"""HEIF and HEIC, what phones take: decoded and encoded by pillow-heif (libheif with libde265 and x265), an extra.

Chroma is subsampled and deep images get 10 bits when they are written, as phones do it: few devices show others.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity.errors import MissingDependency
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import pillow
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.heif_metadata import contents_of, with_metadata
from hyperacuity.formats.photo.heif_pixels import bits_of, image_of
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item

HOLDS = Capacity(
    name="HEIC",
    depths=(8, 10),
    side=16384,
    alpha=True,
    levels=True,
    lossy=True,
    metadata=dict.fromkeys(("icc", "exif", "xmp", "colour", "colour.light", "density_ratio"), UNLIMITED),
)
# The default quality.
QUALITY = 85

# How pillow-heif turns RGB into what it encodes (MatrixCoefficients of H.273).
_MATRIX = 6


def read(content: Content) -> PhotoSource:
    """Open a HEIF file.

    Raises:
        MissingDependency: If pillow-heif is not installed.
    """
    _library(f"{content.name} is a HEIC image")
    return open_source(content, ".heic", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its main image."""
    return contents_of(content.whole()).metadata.items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a HEIC file.

    The arguments and errors are those of `formats.protocol.Format.write`.

    Raises:
        MissingDependency: If pillow-heif, or its encoder, is not installed.
    """
    library = _library(f"{path} names a HEIC image")
    if not library.libheif_info()["HEIF"]:
        raise MissingDependency(f"{path}: the installed pillow-heif has no encoder; write to .avif or .jpg instead")
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _library(what: str) -> Any:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingDependency(f"{what}, which needs pillow-heif: pip install 'hyperacuity[heif]'") from error
    return pillow_heif


def _opened(raw: Bytes) -> Any:
    import pillow_heif

    with pillow.guarded():
        return pillow_heif.open_heif(io.BytesIO(bytes(raw)), convert_hdr_to_8bit=False)


def _contents(raw: Bytes) -> Contents:
    found = contents_of(raw)
    # The announced sizes are checked before libheif allocates memory for them.
    for size in found.sizes:
        check_size(*size)
    with pillow.guarded():
        size = _opened(raw).size
    check_size(*size)
    exif = found.metadata.exif
    found = replace(found, metadata=replace(found.metadata, dpi=meta.dpi(exif) if exif else None))

    def decode() -> Iterator[Image]:
        image = _opened(raw)
        with pillow.guarded():
            pixels = np.array(image)
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        yield image_of(pixels, pixels.shape[2] in (2, 4), image.info["bit_depth"], found)

    return Contents(1, None, False, decode)


def _encode(job: EncoderInput) -> None:
    import pillow_heif

    header, colour = job.header, job.metadata.colour
    bits = bits_of(header, 10)
    white, largest = header.levels[1], (1 << bits) - 1
    pixels = np.concatenate(list(job.pages[0].bands()))
    if header.dtype == np.uint16:
        codes = np.floor(pixels * (largest / white) + 0.5).astype(np.uint16)
        pixels = codes << (16 - bits)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[header.channels] + (";16" if bits > 8 else "")
    image = pillow_heif.from_bytes(mode, (header.width, header.height), pixels.tobytes())
    file = io.BytesIO()
    # Matrix and range are always stated, since decoders would guess them; colour is as unspecific as the source's.
    image.save(
        file,
        quality=job.quality or QUALITY,
        bit_depth=bits,
        icc_profile=job.metadata.icc,
        color_primaries=colour.primaries if colour else 2,
        transfer_characteristics=colour.transfer if colour else 2,
        matrix_coefficients=_MATRIX,
        full_range_flag=1,
    )
    job.out.write(with_metadata(file.getvalue(), job.metadata, None))
