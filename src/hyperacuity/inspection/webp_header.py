"""What the header of a lossy WebP file says about its compression: the quantiser of luma."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import IO

# Bytes of a frame before its first coded bit: a tag, a start code, width and height.
_BEFORE = 10
_START_CODE = b"\x9d\x01\x2a"
# The quantiser's index of the coarsest step.
_COARSEST = 127
# As many bytes hold all fields up to the quantiser.
_HEADER = 128


def read_webp_quality(data: Path | bytes) -> int | None:
    """Read the quality of a lossy WebP file from the header of its first frame.

    Args:
        data: The path of a file, or the bytes of one.

    Returns:
        The quality, 0 to 100 on the scale of libwebp; None if the file is not a WebP, is lossless, or is damaged.

    Source: RFC 6386, sections 7.3, 9.2 to 9.6 and 19.2; RFC 9649 (the container).
    """
    with io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as file:
        start = file.read(12)
        if start[:4] != b"RIFF" or start[8:] != b"WEBP":
            return None
        frame = next(_frames(file), b"")
    if frame[3:6] != _START_CODE or frame[0] & 1:  # not a key frame
        return None
    return quality_of(_read_quantiser(_Bits(frame[_BEFORE:])))


def quality_of(quantiser: float) -> int:
    """Compute the quality at which libwebp uses a quantiser, by the inverse of its cubic curve.

    Args:
        quantiser: The index, from 0 (finest) to 127.

    Example:
        >>> quality_of(0), quality_of(26), quality_of(127)
        (100, 75, 0)
    """
    linear = (1 - quantiser / _COARSEST) ** 3
    return round(100 * (1.5 * linear if linear < 0.5 else (1 + linear) / 2))


def _frames(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the first bytes of each lossy frame, also of those of an animation."""
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"ANMF":
            file.seek(16, io.SEEK_CUR)  # the place and the time of the frame; its chunks follow
            continue
        content = file.read(min(size, _HEADER)) if name == b"VP8 " else b""
        if content:
            yield content
        file.seek(size + size % 2 - len(content), io.SEEK_CUR)


def _read_quantiser(bits: _Bits) -> float:
    """Return the index of the quantiser, averaged over the segments if they have their own."""
    bits.number(2)  # colour space, clamping
    absolute, segments = 0, []
    if bits.number(1):
        has_map, has_data = bits.number(1), bits.number(1)
        if has_data:
            absolute = bits.number(1)
            segments = [bits.optional(7) for _ in range(4)]
            for _ in range(4):
                bits.optional(6)
        for _ in range(3 if has_map else 0):
            if bits.number(1):
                bits.number(8)
    bits.number(1 + 6 + 3)  # the filter that smooths blocks: its kind, level and sharpness
    if bits.number(1) and bits.number(1):
        for _ in range(8):
            bits.optional(6)
    bits.number(2)  # the number of partitions
    index = bits.number(7)
    return mean(each if absolute else index + each for each in segments or [0])


class _Bits:
    """Bits of even odds of the arithmetic coder of RFC 6386, section 7; beyond the end, zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data[:2].ljust(2, b"\0"), "big")
        self._at, self._range, self._shift = 2, 255, 0

    def number(self, count: int) -> int:
        """Read an unsigned number of this many bits."""
        value = 0
        for _ in range(count):
            value = 2 * value + self._bit()
        return value

    def optional(self, count: int) -> int:
        """Read a flag, and if it is set a number of this many bits and its sign; 0 if it is not."""
        if not self.number(1):
            return 0
        value = self.number(count)
        return -value if self.number(1) else value

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) >> 1)
        bit = self._value >= split << 8
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value, self._range, self._shift = self._value << 1, self._range << 1, self._shift + 1
            if self._shift == 8:
                self._shift = 0
                self._value |= self._data[self._at] if self._at < len(self._data) else 0
                self._at += 1
        return int(bit)
