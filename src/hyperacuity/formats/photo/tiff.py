"""TIFF, of one page or several, with 8 and 16 bits and floats: decoded and encoded by libvips.

Pillow decodes what libvips refuses: Lab, 12 bits, LZMA, old JPEG and tiles of separate planes. EXIF is written here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import pillow, vips
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.tiff_tags import Directory, Tiff, extend
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, LossWarning, Source
from hyperacuity.image import Array, Image, Item, Metadata

SUFFIXES = (".tif", ".tiff")
ONLY_READ = ()
READS = ("TIFF",)
HOLDS = Capacity(
    name="TIFF",
    depths=(8, 16, 32),
    alpha=True,
    pages=True,
    metadata={"icc": UNLIMITED, "exif": UNLIMITED, "xmp": UNLIMITED, "dpi": UNLIMITED},
)

# Classic TIFF counts bytes in 32 bits; compression may enlarge noise a little.
_BIG = 3_900_000_000
# The tag that makes a TIFF a DNG.
_DNG = 50706


def accepts(content: Content) -> bool:
    """Return whether a file is a TIFF or a BigTIFF, in either byte order."""
    return content.head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read(content: Content) -> PhotoSource:
    """Open a TIFF file."""
    return open_source(content, ".tif", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels."""
    return ()


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a TIFF file, compressed without loss.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _contents(raw: Bytes) -> Contents:
    tiff = Tiff(raw)
    # Reduced copies of a page are previews, which would be outdated next to the upscaled page.
    directories = tiff.directories()
    pages = [(at, page) for at, page in enumerate(directories) if not tiff.integer(page, 254, 0) & 1]
    if not pages and any(_DNG in page for page in directories):
        raise UnsupportedFormat("it is a raw camera file (DNG): develop it into a TIFF first")
    if not pages:
        raise DamagedFile("it has no page")
    for _, page in pages:
        check_size(tiff.integer(page, 256, 0), tiff.integer(page, 257, 0))
        _check_whole(tiff, page)

    def decode() -> Iterator[Image]:
        for number, page in pages:
            if _beyond_vips(tiff, page):
                bits = max(tiff.integers(page, 258) or (1,))
                pixels, alpha, found, levels = _page_by_pillow(raw, number, bits)
                metadata, _ = _page_metadata(tiff, page, found)
                # Pillow turns pages while it decodes them.
                yield upright_image(pixels, alpha, metadata, orientation=1, levels=levels)
            else:
                yield _page_by_vips(raw, tiff, page, number)

    lossless = not any(tiff.integer(page, 259, 1) in (6, 7) for _, page in pages)
    return Contents(len(pages), None, lossless, decode)


def _check_whole(tiff: Tiff, page: Directory) -> None:
    """Refuse a truncated page: libtiff fills the missing pixels with black and only warns."""
    bits = tiff.integer(page, 258, 1) * tiff.integer(page, 277, 1)
    # Uncompressed pixels are never longer than this, whatever their header claims.
    most = (tiff.integer(page, 256, 0) * bits + 7) // 8 * tiff.integer(page, 257, 0)
    bare = tiff.integer(page, 259, 1) == 1 and 324 not in page
    for where, size in ((273, 279), (324, 325)):
        places, sizes = tiff.integers(page, where), tiff.integers(page, size)
        for place, length in zip(places, sizes, strict=False):
            end = place + (min(length, most) if bare else length)
            if end > len(tiff.data):
                raise DamagedFile(f"it is cut short: its pixels end at byte {end} of {len(tiff.data)}")


def _beyond_vips(tiff: Tiff, page: Directory) -> bool:
    """Whether libvips refuses a page: Lab, 12 bits, LZMA, old JPEG, tiles of separate planes."""
    bits = tiff.integers(page, 258) or (1,)
    separate_tiles = 324 in page and tiff.integer(page, 284, 1) == 2 and len(bits) > 1
    return (
        separate_tiles
        or 262 not in page
        or tiff.integer(page, 262, 0) in (8, 9)  # Lab
        or tiff.integer(page, 259, 1) in (6, 34925)  # old JPEG, LZMA
        or bits[0] not in (1, 2, 4, 8, 16, 32, 64)
    )


def _page_metadata(tiff: Tiff, page: Directory, image: Metadata) -> tuple[Metadata, int]:
    """The metadata of a page, given those that its decoder found, and its orientation."""
    orientation = tiff.integer(page, 274, 1)
    try:
        exif = meta.from_page(tiff, page)
    except DamagedFile as error:
        warnings.warn(LossWarning(f"the EXIF block is damaged and is left out: {error}"), stacklevel=2)
        exif = None
    return replace(image, exif=exif, dpi=tiff.dpi(page)), orientation if 1 <= orientation <= 8 else 1


def _page_by_vips(raw: Bytes, tiff: Tiff, page: Directory, number: int) -> Image:
    image = vips.loaded("tiffload_source", raw, page=number, fail_on="error")
    pixels, alpha = vips.pixels_of(image)
    extra = tiff.integers(page, 338)
    if alpha and extra[:1] == (0,) and image.interpretation != "cmyk":
        warnings.warn(LossWarning("the file does not state what its last channel is; it is left out"), stacklevel=2)
        pixels, alpha = pixels[..., :-1], False
    metadata, orientation = _page_metadata(tiff, page, vips.metadata_of(image))
    return upright_image(pixels, alpha, metadata, orientation=orientation)


def _page_by_pillow(raw: Bytes, number: int, bits: int) -> tuple[Array, bool, Metadata, tuple[float, float] | None]:
    """The pixels of a page, already upright, whether they have alpha, their metadata, and their levels."""
    from PIL import TiffImagePlugin

    with pillow.opened(TiffImagePlugin.TiffImageFile, raw) as image:
        image.seek(number)
        if bits > 8 and not image.mode.startswith(("I;16", "F")):
            raise UnsupportedFormat(
                f"its {bits} bits in this arrangement would be cut to 8; store it without tiles first"
            )
        pixels, alpha = pillow.pixels_of(image)
        metadata = pillow.metadata_of(image.info)
    return pixels, alpha, metadata, (0, (1 << bits) - 1) if pixels.dtype == np.uint16 else None


def _encode(job: EncoderInput) -> None:
    image = vips.joined(job)
    if job.metadata.xmp:
        vips.set_blob(image, "xmp-data", job.metadata.xmp)
    image.tiffsave_target(
        vips.target(job),
        compression="deflate",
        predictor="float" if job.header.dtype.kind == "f" else "horizontal",
        bigtiff=sum(page.header.nbytes for page in job.pages) > _BIG,
        page_height=job.header.height,
        resunit="inch",
        keep=8 | 2,
    )
    if job.metadata.exif or job.metadata.dpi is None:
        extend(job.out, job.metadata.exif, meta.STRUCTURAL, resolution=job.metadata.dpi is not None)
