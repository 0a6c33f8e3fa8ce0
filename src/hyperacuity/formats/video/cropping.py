"""Which part of its frames a file says is shown: Matroska's PixelCrop, and the clean aperture of MP4 and QuickTime.

FFmpeg reads both, but PyAV does not hand them on. Other containers have nothing of the kind.

Source: RFC 9559, section 5.1.4.1.28 (PixelCrop); ISO 14496-12, section 12.1.4 (clap).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hyperacuity.errors import BadOutput, DamagedFile
from hyperacuity.formats.boxes import Box, boxes
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.video.matroska import read_video_numbers

if TYPE_CHECKING:
    import av

# Matroska's elements, in the order of `Cropping`.
_PIXEL_CROP = (0x54CC, 0x54DD, 0x54BB, 0x54AA)
_SAMPLE_ENTRY = 86  # bytes of the entry of a video before the boxes in it
_TRACK_ID = {0: 12, 1: 20}  # where tkhd has the number of its track, by version


class Cropping(NamedTuple):
    """How many pixels are hidden at each side."""

    left: int
    right: int
    top: int
    bottom: int

    def scaled(self, across: float, down: float) -> Cropping:
        """Return the cropping of enlarged frames."""
        return Cropping(*(round(n * by) for n, by in zip(self, (across, across, down, down), strict=True)))

    def aperture(self, width: int, height: int) -> bytes:
        """Return MP4's box for frames of this size."""
        shown, high = width - self.left - self.right, height - self.top - self.bottom
        across, down = self.left - self.right, self.top - self.bottom
        return struct.pack(">I4s4IiIiI", 40, b"clap", shown, 1, high, 1, across, 2, down, 2)


def read_cropping(path: Path, stream: av.VideoStream) -> Cropping | None:
    """Return what a file says of the part of its frames that is shown; None if all of them is.

    Args:
        path: The file; it may be damaged.
        stream: The video in it.
    """
    container, width, height = stream.container.format.name, stream.codec_context.width, stream.codec_context.height
    try:
        if container.startswith("matroska"):
            numbers = read_video_numbers(path, stream.index)
            found = Cropping(*(numbers.get(each, 0) for each in _PIXEL_CROP))
        elif container.startswith("mov"):
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found = _clean_aperture(data, stream.id, width, height)
        else:
            return None
    except (
        BadOutput,
        DamagedFile,
        OSError,
        ValueError,
        struct.error,
        StopIteration,
        ZeroDivisionError,
        OverflowError,
        IndexError,
    ):
        return None
    whole = found.left + found.right < width and found.top + found.bottom < height and min(found) >= 0
    return found if any(found) and whole else None


def _clean_aperture(data: Bytes, track: int, width: int, height: int) -> Cropping:
    """The clean aperture of a track, if its sides lie between pixels."""
    for trak in _children(data, next(_named(boxes(data), b"moov"))):
        if trak.kind != b"trak" or _number(data, trak) != track:
            continue
        inner = trak
        for name in (b"mdia", b"minf", b"stbl", b"stsd"):
            inner = next(_named(_children(data, inner), name))
        entry = next(boxes(data, inner.start + 8, inner.end))
        for clap in _named(boxes(data, entry.start + _SAMPLE_ENTRY - 8, entry.end), b"clap"):
            numbers = struct.unpack(">4IiIiI", data[clap.start : clap.start + 32])
            shown, high, across, down = (Fraction(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True))
            sides = [(width - shown) / 2 + across, (width - shown) / 2 - across]
            sides += [(height - high) / 2 + down, (height - high) / 2 - down]
            if all(side.denominator == 1 for side in sides):
                return Cropping(*map(int, sides))
    return Cropping(0, 0, 0, 0)


def _number(data: Bytes, trak: Box) -> int:
    """The number of a track."""
    place = next(_named(_children(data, trak), b"tkhd")).start
    header = data[place : place + 24]
    return int(struct.unpack_from(">I", header, _TRACK_ID.get(header[0], 12))[0])


def _children(data: Bytes, box: Box) -> Iterator[Box]:
    return boxes(data, box.start, box.end)


def _named(several: Iterator[Box], kind: bytes) -> Iterator[Box]:
    return (box for box in several if box.kind == kind)
