"""Rows kept until the encoder asks for them: in memory while they fit, else in a file next to the output.

An encoder that reads rows in order can start before the last row arrives.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import shutil
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity.errors import UsageError
from hyperacuity.formats.photo import glib
from hyperacuity.formats.photo.tiff_tags import Entry, packed
from hyperacuity.image import Array, Header
from hyperacuity.storage import Partial

# 85 megapixels of 8-bit RGB: most images, upscaled, stay in memory; a scan of gigapixels needs no more than this.
MEMORY = 256 << 20
# What a caller asked for instead.
_most: contextvars.ContextVar[int | None] = contextvars.ContextVar("_most", default=None)
# Bytes that are worked on at a time.
BAND = 4 << 20
# Bytes that an encoder is given at a time while rows arrive.
_STRIP = 1 << 16


@contextlib.contextmanager
def keeping(most: int) -> Iterator[None]:
    """Spools that are made while the context lasts keep at most `most` bytes in memory, and the rest in a file."""
    before = _most.set(most)
    try:
        yield
    finally:
        _most.reset(before)


class Arrival:
    """The number of rows of a page that have arrived; `source` is how libvips reads them and waits for more."""

    def __init__(self) -> None:
        self.source: Any = None
        self._changed = threading.Condition()
        self._rows = 0
        self._ended = False

    def rows(self, wanted: int) -> int:
        """Wait for `wanted` rows, or until no more will come, and return how many there are."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._rows >= wanted)
            return self._rows

    def add(self, rows: int) -> None:
        """Report that more rows have arrived."""
        with self._changed:
            self._rows += rows
            self._changed.notify_all()

    def end(self) -> None:
        """Report that no more rows will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@dataclass(frozen=True)
class Page:
    """One image as it will be encoded.

    Args:
        header: The header as the file will hold it.
        pixels: All rows; None if they are in a file.
        name: The file that they are in otherwise.
        offset: The byte of that file where they start.
        arrival: While rows are still put into `pixels`: how many have arrived.
    """

    header: Header
    pixels: Array | None
    name: Path
    offset: int
    arrival: Arrival | None = None

    def image(self) -> Any:
        """Return a libvips image that reads these rows without a copy; this page must outlive it."""
        import pyvips

        glib.silence_terminal()
        height, width, channels = self.header.shape
        kind = {1: "uchar", 2: "ushort", 4: "float"}[self.header.dtype.itemsize]
        if self.arrival is not None:
            # Kept, since libvips calls `read` without holding it.
            source = self.arrival.source = pyvips.SourceCustom()
            read, seek = self._as_file(self.arrival)
            source.on_read(read)
            source.on_seek(seek)
            # Without `revalidate` libvips' cache of operations would keep the pixels.
            image = pyvips.Image.tiffload_source(source, access="sequential", fail_on="error", revalidate=True)
        elif self.pixels is not None:
            image = pyvips.Image.new_from_memory(self.pixels, width, height, channels, kind)
        else:
            # Bytes, since libvips' bindings know only names that are valid UTF-8.
            image = pyvips.Image.rawload(
                os.fsencode(self.name), width, height, channels, offset=self.offset, format=kind
            )
        space = ("b-w", "grey16", "b-w") if self.header.colours == 1 else ("srgb", "rgb16", "scrgb")
        return image.copy(interpretation=space[self.header.dtype.itemsize // 2])

    def _as_file(self, arrival: Arrival) -> tuple[Callable[[int], bytes], Callable[[int, int], int]]:
        """`read` and `seek` of a plain TIFF file of this page, the simplest format that libvips always reads.

        `read` waits until the rows that it is asked for have arrived.
        """
        assert self.pixels is not None
        head = _tiff_head(self.header)
        content = self.pixels.reshape(-1).view(np.uint8).data
        row = self.header.nbytes // self.header.height
        at, length = 0, len(head) + self.header.nbytes

        def read(size: int) -> bytes:
            nonlocal at
            part = head[at : at + size]
            if len(part) < size:
                start = at + len(part) - len(head)
                end = min(start + size - len(part), self.header.nbytes)
                there = row * arrival.rows(-(-end // row))
                part += bytes(content[start : min(end, there)])
            at += len(part)
            return part

        def seek(offset: int, whence: int) -> int:
            nonlocal at
            at = offset + (0, at, length)[whence]
            return at

        return read, seek

    def bands(self, upwards: bool = False) -> Iterator[Array]:
        """Yield the rows in arrays of a few megabytes; `upwards`: from the last row to the first."""
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


def _tiff_head(header: Header) -> bytes:
    """An uncompressed TIFF file of 8 or 16 bits up to its rows, which follow."""
    height, width, channels = header.shape
    step = max(1, _STRIP * height // header.nbytes)
    count = -(-height // step)
    sizes = [header.nbytes // height * min(step, height - top) for top in range(0, height, step)]
    entries = {
        256: [width],
        257: [height],
        258: [header.dtype.itemsize * 8] * channels,
        259: [1],  # not compressed
        262: [1 if header.colours == 1 else 2],  # black is 0; RGB
        273: [0] * count,  # where strips begin: known below
        277: [channels],
        278: [step],
        279: sizes,
        284: [1],  # the channels of a pixel side by side
    } | ({338: [2]} if header.alpha else {})  # alpha that is not premultiplied
    order, mark = ("<", b"II*\0") if sys.byteorder == "little" else (">", b"MM\0*")

    def head() -> bytes:
        longs = {tag: Entry(4, len(v), struct.pack(f"{order}{len(v)}I", *v), 0) for tag, v in entries.items()}
        return mark + struct.pack(f"{order}I", 8) + packed(longs, 8, order)

    # Its length does not depend on where strips begin.
    entries[273] = list(itertools.accumulate(sizes[:-1], initial=len(head())))
    return head()


def bands(rows: Array) -> Iterator[Array]:
    """Yield an array in pieces of about `BAND` bytes."""
    step = max(1, BAND // max(1, rows[:1].nbytes))
    for top in range(0, len(rows), step):
        yield rows[top : top + step]


class Spool:
    """Pages, added one after another; the first 256 MiB of them in memory, if that much is free; see `keeping`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._most = _most.get()
        self._used = 0
        self._file: Partial | None = None
        self._end = 0

    def check_room(self, header: Header) -> None:
        """Raise `UsageError` if the rows of one more image will not fit into memory, and not onto the disk either."""
        if self._fits(header):
            return
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(self._path.resolve().parent).free
            if header.nbytes > free:
                wanted, left = (f"{count / 2**30:.1f} GiB" for count in (header.nbytes, free))
                raise UsageError(
                    f"{self._path}: {header.width} × {header.height} pixels take {wanted} on its disk while they are "
                    f"encoded, and {left} are free; free some space or ask for a smaller result"
                )

    def add(self, header: Header, rows: Iterator[Array], follow: Callable[[Page], None] | None = None) -> Page:
        """Take in the rows of one image.

        Args:
            header: The header as the file will hold it.
            rows: Arrays of whole rows, from top to bottom.
            follow: If the page is kept in memory, called with it before its rows arrive, to encode it meanwhile.

        Raises:
            UsageError: If there are more or fewer rows than the header states.
        """
        pixels = self._memory(header)
        if pixels is not None:
            arrival = None if follow is None else Arrival()
            page = Page(header, pixels, self._path, 0, arrival)
            if follow is not None:
                follow(page)
            try:
                for top, band in _placed(header, rows):
                    pixels[top : top + len(band)] = band
                    if arrival is not None:
                        arrival.add(len(band))
            finally:
                if arrival is not None:
                    arrival.end()
            return page
        if self._file is None:
            self._file = Partial(self._path)
        start = self._end
        for _, band in _placed(header, rows):
            self._file.write(np.ascontiguousarray(band).view(np.uint8).data)
        self._end += header.nbytes
        return Page(header, None, self._file.name, start)

    def _fits(self, header: Header) -> bool:
        """Whether one more image stays within the memory that is set aside for rows."""
        return self._used + header.nbytes <= (MEMORY if self._most is None else self._most)

    def _memory(self, header: Header) -> Array | None:
        if not self._fits(header):
            return None
        try:
            pixels = np.empty(header.shape, header.dtype)
        except MemoryError:
            return None
        self._used += header.nbytes
        return pixels

    def discard(self) -> None:
        """Remove the file, if there is one."""
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
