"""Rows kept until the encoder asks for them: in memory while they are few, else in a file beside the output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity.errors import UsageError
from hyperacuity.formats.partial import Partial
from hyperacuity.image import Array, Header

# 85 megapixels of 8-bit RGB: most photos, upscaled, stay in memory; a scan of gigapixels needs no more than this.
MEMORY = 256 << 20
# What is worked on at a time.
BAND = 4 << 20


@dataclass(frozen=True)
class Page:
    """One image as it will be encoded: in `pixels`, or at byte `offset` of the file `name`."""

    header: Header
    pixels: Array | None
    name: Path
    offset: int

    def image(self) -> Any:
        """A libvips image that reads these rows, without a copy; this page must outlive it."""
        import pyvips

        height, width, channels = self.header.shape
        kind = {1: "uchar", 2: "ushort", 4: "float"}[self.header.dtype.itemsize]
        if self.pixels is not None:
            image = pyvips.Image.new_from_memory(self.pixels, width, height, channels, kind)
        else:
            # Bytes, since libvips' bindings know only names that are valid UTF-8.
            image = pyvips.Image.rawload(
                os.fsencode(self.name), width, height, channels, offset=self.offset, format=kind
            )
        space = ("b-w", "grey16", "b-w") if self.header.colours == 1 else ("srgb", "rgb16", "scrgb")
        return image.copy(interpretation=space[self.header.dtype.itemsize // 2])

    def bands(self, upwards: bool = False) -> Iterator[Array]:
        """The rows in arrays of a few megabytes; `upwards`: from the last row to the first."""
        pixels = self.pixels
        if pixels is None:
            yield from self._from_file(upwards)
        else:
            yield from bands(pixels[::-1] if upwards else pixels)

    def _from_file(self, upwards: bool) -> Iterator[Array]:
        height, width, channels = self.header.shape
        row = self.header.nbytes // height
        step = max(1, BAND // row)
        tops = range(0, height, step)
        with open(self.name, "rb") as file:
            for top in reversed(tops) if upwards else tops:
                count = min(step, height - top)
                file.seek(self.offset + top * row)
                band = np.fromfile(file, self.header.dtype, count * width * channels).reshape(count, width, channels)
                yield band[::-1] if upwards else band


def bands(rows: Array) -> Iterator[Array]:
    """An array cut into pieces of about `BAND` bytes."""
    step = max(1, BAND // max(1, rows[:1].nbytes))
    for top in range(0, len(rows), step):
        yield rows[top : top + step]


class Spool:
    """Pages, added one after another; the first 256 MiB of them in memory, if there is that much."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._used = 0
        self._file: Partial | None = None
        self._end = 0

    def add(self, header: Header, rows: Iterator[Array]) -> Page:
        """Take in the rows of one image. Raises `UsageError` where they are more or fewer than the header says."""
        pixels = self._memory(header)
        if pixels is not None:
            for top, band in _placed(header, rows):
                pixels[top : top + len(band)] = band
            return Page(header, pixels, self._path, 0)
        if self._file is None:
            self._file = Partial(self._path)
        start = self._end
        for _, band in _placed(header, rows):
            self._file.write(np.ascontiguousarray(band).view(np.uint8).data)
        self._end += header.nbytes
        return Page(header, None, self._file.name, start)

    def _memory(self, header: Header) -> Array | None:
        if self._used + header.nbytes > MEMORY:
            return None
        try:
            pixels = np.empty(header.shape, header.dtype)
        except MemoryError:
            return None
        self._used += header.nbytes
        return pixels

    def discard(self) -> None:
        if self._file is not None:
            self._file.discard()


def _placed(header: Header, rows: Iterator[Array]) -> Iterator[tuple[int, Array]]:
    top = 0
    for band in rows:
        if band.shape[1:] != header.shape[1:] or top + len(band) > header.height:
            raise UsageError(f"rows of shape {band.shape} arrived at row {top} for an image of {header.shape}")
        yield top, band
        top += len(band)
    if top != header.height:
        raise UsageError(f"the image ended after {top} of {header.height} rows")
