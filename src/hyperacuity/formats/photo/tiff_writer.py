"""Writes TIFF pages, each of its own size and type, deflated in strips, with their tags.

libvips writes pages of one size and type only, and tags of its own choice. Pages are read from the spool in bands, so
that memory does not grow with them.

TIFF 6.0 (1992), BigTIFF (AWare), Adobe Photoshop TIFF Technical Note 3 (the predictor of floats).
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from hyperacuity.formats.photo.spool import Page
from hyperacuity.formats.photo.tiff_tags import Directory, Entry, joined, sized_integers
from hyperacuity.image import Array, Header
from hyperacuity.machine import cores
from hyperacuity.storage import Partial

# Bytes of a strip before compression.
_STRIP = 256 << 10
# 4.6 megapixels of a photo: level 4 takes 1.2 times libvips' time (on one core) and has its size; level 6 twice.
_LEVEL = 4
# Classic TIFF counts bytes in 32 bits; compression may enlarge noise a little.
_BIG = 3_900_000_000


@dataclass(frozen=True)
class PageTags:
    """The tags of one page besides those that say how its pixels are stored.

    Args:
        entries: The tags of the page.
        inner: The directories that EXIF's tags point to.
    """

    entries: Directory
    inner: dict[int, Directory]


def write_pages(out: Partial, pages: list[Page], tags: list[PageTags], order: str, *, compress: bool = True) -> None:
    """Write a TIFF file.

    Args:
        out: The file, open and empty.
        pages: Its images.
        tags: The tags of each page, in the byte order `order`.
        order: "<" or ">".
        compress: Whether pixels are deflated; if not, those of all pages follow one another.
    """
    big = sum(page.header.nbytes for page in pages) > _BIG
    mark = {"<": b"II", ">": b"MM"}[order]
    out.write(mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0)))
    end = first_end = out.file.tell()
    stored: list[Directory] = []
    with ThreadPoolExecutor(cores(), "hyperacuity-tiff") as pool:
        for page in pages:
            rows = max(1, _STRIP * page.header.height // page.header.nbytes) if compress else page.header.height
            offsets: list[int] = []
            sizes: list[int] = []
            for strip in _encoded(page, rows, order, compress, pool):
                if compress or not offsets:
                    offsets.append(end)
                    sizes.append(0)
                out.write(strip)
                sizes[-1] += len(strip)
                end += len(strip)
            stored.append(_structure(page.header, order, rows, offsets, sizes, compress, big))
    pointer = first_end - (8 if big else 4)
    for entries, described in zip(stored, tags, strict=True):
        start = end + end % 2
        block = joined(described.entries | entries, described.inner, start, order, big, 0)
        out.write(b"\0" * (start - end) + block)
        out.file.seek(pointer)
        out.write(struct.pack(order + ("Q" if big else "I"), start))
        out.file.seek(0, 2)
        end = start + len(block)
        # The offset of the next directory stands behind the entries of this one.
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), block)
        pointer = start + (8 + count * 20 if big else 2 + count * 12)


def _structure(
    header: Header, order: str, rows: int, offsets: list[int], sizes: list[int], compress: bool, big: bool
) -> Directory:
    """The tags that say how the pixels of a page are stored."""
    floats = header.dtype.kind == "f"
    shorts = {
        258: [header.dtype.itemsize * 8] * header.channels,
        259: [8 if compress else 1],  # Adobe's deflate
        262: [1 if header.colours == 1 else 2],  # black is 0; RGB
        277: [header.channels],
        284: [1],  # the channels of a pixel side by side
        339: [3 if floats else 1] * header.channels,
    }
    if compress:
        shorts[317] = [3 if floats else 2]
    if header.alpha:
        shorts[338] = [2]  # not premultiplied
    entries = {tag: Entry(3, len(v), struct.pack(f"{order}{len(v)}H", *v), 0) for tag, v in shorts.items()}
    for tag, values in {256: [header.width], 257: [header.height], 278: [rows]}.items():
        entries[tag] = sized_integers(order, values, big=False)
    return entries | {273: sized_integers(order, offsets, big), 279: sized_integers(order, sizes, big)}


def _encoded(page: Page, rows: int, order: str, compress: bool, pool: ThreadPoolExecutor) -> Iterator[bytes]:
    """The strips of a page in their order; of an uncompressed page, its bands."""
    swap = order != ("<" if sys.byteorder == "little" else ">")
    if not compress:
        for band in page.bands():
            yield (band.byteswap() if swap else band).tobytes()
        return

    def deflated(strip: Array) -> bytes:
        return zlib.compress(_predicted(strip, swap), _LEVEL)

    yield from _ahead(pool, deflated, _strips(page.bands(), rows))


def _ahead(pool: ThreadPoolExecutor, work: Callable[[Array], bytes], strips: Iterable[Array]) -> Iterator[bytes]:
    """The results of `work` in order, a few of them computed ahead."""
    waiting: deque[Future[bytes]] = deque()
    for strip in strips:
        waiting.append(pool.submit(work, strip))
        if len(waiting) > 2 * cores():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _strips(bands: Iterable[Array], rows: int) -> Iterator[Array]:
    """Arrays of `rows` rows each, the last of the rest."""
    rest: Array | None = None
    for band in bands:
        whole = band if rest is None else np.concatenate([rest, band])
        end = len(whole) - len(whole) % rows
        for top in range(0, end, rows):
            yield whole[top : top + rows]
        rest = whole[end:] if end < len(whole) else None
    if rest is not None:
        yield rest


def _predicted(strip: Array, swap: bool) -> bytes:
    """A strip as differences of neighbouring pixels, which compress better; floats by their bytes."""
    height, width, channels = strip.shape
    if strip.dtype.kind == "f":
        planes = np.ascontiguousarray(strip.astype(">f4")).view(np.uint8).reshape(height, width * channels, 4)
        row = planes.transpose(0, 2, 1).reshape(height, -1)
        differences = row.copy()
        differences[:, channels:] -= row[:, :-channels]
        return differences.tobytes()
    differences = strip.copy()
    differences[:, 1:] -= strip[:, :-1]
    return (differences.byteswap() if swap else differences).tobytes()
