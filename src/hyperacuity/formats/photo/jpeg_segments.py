"""The segments of a JPEG file and the end of its image. ITU-T T.81, annex B."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hyperacuity.formats.content import Bytes

END = b"\xff\xd9"
SCAN, COMMENT = 0xDA, 0xFE
_LINES = 0xDC
# The content of a segment, whose length has 16 bits and counts itself.
LONGEST = 65533

_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# A marker in the data of a scan: neither a byte 0xFF of the data itself nor a restart marker nor filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """A segment that applications write: its marker, its content, and where the content starts in the file."""

    marker: int
    data: bytes
    at: int


@dataclass(frozen=True)
class Structure:
    """One image in a JPEG file.

    Args:
        segments: Comments and application segments, in their order.
        end: The byte behind the image.
        complete: Whether it ends with its end marker.
        channels: The number of channels that its frame states; 0 if there is no frame.
        refined: Whether its scans hold all coefficients to their last bit; always so if it is not progressive.
    """

    segments: list[Segment]
    end: int
    complete: bool
    channels: int
    refined: bool


def structure(raw: Bytes, start: int = 0) -> Structure:
    """Find the segments of the image that starts at a byte of the file, and its end."""
    segments: list[Segment] = []
    channels, finished = 0, len(raw)
    exact: set[tuple[int, int]] | None = None
    complete = False
    for marker, at, end in _walk(raw, start + 2):
        if marker == 0xD9:
            complete, finished = True, at + 2
        elif marker == COMMENT or 0xE0 <= marker <= 0xEF:
            segments.append(Segment(marker, bytes(raw[at + 4 : end]), at + 4))
        elif marker in _FRAMES and not channels and at + 9 < min(end, len(raw)):
            channels = raw[at + 9]
            exact = set() if marker in _PROGRESSIVE else None
        elif marker == SCAN and exact is not None:
            exact |= _exact_coefficients(bytes(raw[at + 4 : end]))
    refined = exact is None or len(exact) == 64 * channels
    return Structure(segments, finished, complete, channels, refined)


def with_height(raw: Bytes) -> Bytes:
    """Return a file whose frame states its height; some encoders, such as scanners, state it behind the first scan.

    Source: ITU-T T.81, B.2.5 (DNL).
    """
    frame = None
    for marker, at, end in _walk(raw, 2):
        if marker in _FRAMES and frame is None:
            frame = at
            if raw[at + 5 : at + 7] != b"\0\0":
                return raw
        elif marker == _LINES and frame is not None and end - at == 6:
            return raw[: frame + 5] + raw[at + 4 : at + 6] + raw[frame + 7 :]
    return raw


def _exact_coefficients(scan: bytes) -> set[tuple[int, int]]:
    """Component and number of each coefficient whose last bit a scan of a progressive image holds."""
    count = scan[0] if scan else 0
    if len(scan) < 4 + 2 * count or scan[3 + 2 * count] & 15:
        return set()
    first, last = scan[1 + 2 * count], min(scan[2 + 2 * count], 63)
    return {(scan[1 + 2 * each], number) for each in range(count) for number in range(first, last + 1)}


def _walk(raw: Bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment, up to the end marker; scans are skipped."""
    while at + 2 <= len(raw):
        found = _MARKER.search(raw, at)
        if found is None:
            return
        at = found.start()
        marker = raw[at + 1]
        if marker == 0xD9:
            yield marker, at, at + 2
            return
        if marker in (0x01, 0xD8):  # no length
            at += 2
            continue
        if at + 4 > len(raw):
            return
        (length,) = struct.unpack(">H", raw[at + 2 : at + 4])
        yield marker, at, at + 2 + length
        at += 2 + max(length, 2)


def packed(marker: int, data: bytes) -> bytes:
    """Return a segment with its marker and length."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def packed_series(marker: int, prefix: bytes, data: bytes) -> bytes:
    """Return as many segments as the data need, each of which starts with a prefix."""
    step = LONGEST - len(prefix)
    return b"".join(packed(marker, prefix + data[at : at + step]) for at in range(0, max(len(data), 1), step))
