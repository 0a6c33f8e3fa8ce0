"""What the header of an AVIF file says about its compression: the quantiser of its first frame."""

from __future__ import annotations

from pathlib import Path

from hyperacuity.errors import HyperacuityError
from hyperacuity.formats.content import open_content
from hyperacuity.formats.photo.heif_boxes import parse_heif

# Types of the units of a stream: a sequence header, a frame header, a frame.
_SEQUENCE, _HEADER, _FRAME = 1, 3, 6
# What a sequence leaves to each frame.
_SELECT = 2
# A tile has at most this many pixels along a row, and this many in all; an image at most this many along each side.
_WIDEST, _LARGEST, _MOST = 4096, 4096 * 2304, 64
# The coarsest step of libavif's scale, in whose steps of 4 the quantiser is set.
_COARSEST = 63


class _Unknown(Exception):  # noqa: N818 - not an error: the quality stays unknown
    """A form of the header that still images do not have."""


def read_avif_quality(data: Path | bytes) -> int | None:
    """Read the quality of an AVIF file from the header of its main image, or of the first tile of it.

    Args:
        data: The path of a file, or the bytes of one.

    Returns:
        The quality, 0 to 100 on the scale of libavif; None if the file is not an AVIF, is lossless, or is damaged.

    Source: AV1 Bitstream & Decoding Process Specification, version 1.0.0 with errata 1, sections 5.3 to 5.9.
    """
    try:
        content = open_content(data).whole()
        if bytes(content[4:8]) != b"ftyp":
            return None
        heif = parse_heif(content)
        coded = [item for item in heif.items.values() if item.kind == b"av01"]
        main = next((item for item in coded if item.number == heif.primary), coded[0] if coded else None)
        quantiser = None if main is None else _read_quantiser(heif.bytes_of(main, content))
    except (HyperacuityError, _Unknown, IndexError):
        return None
    return quality_of(quantiser) if quantiser else None


def quality_of(quantiser: int) -> int:
    """Compute the quality at which libavif uses a quantiser.

    Args:
        quantiser: The index, from 0 (lossless) to 255.

    Example:
        >>> quality_of(0), quality_of(152), quality_of(255)
        (100, 40, 0)
    """
    return round(100 - 100 * min(quantiser / 4, _COARSEST) / _COARSEST)


def _read_quantiser(stream: bytes) -> int:
    """Return the index of the quantiser of the first frame. Raises `_Unknown` or IndexError if there is none."""
    at, sequence = 0, None
    while True:
        head = stream[at]
        at += 1 + (head >> 2 & 1)
        size = len(stream) - at
        if head >> 1 & 1:
            size, at = _read_length(stream, at)
        bits = _Bits(stream[at : at + size])
        kind = head >> 3 & 15
        if kind == _SEQUENCE:
            sequence = _Sequence(bits)
        elif kind in (_HEADER, _FRAME) and sequence is not None:
            return _quantiser_of(bits, sequence)
        at += size


def _read_length(stream: bytes, at: int) -> tuple[int, int]:
    """Return a number of leb128, 7 bits in each byte from the lowest on, and the place after it."""
    length = shift = 0
    while stream[at] & 128:
        length, shift, at = length | (stream[at] & 127) << shift, shift + 7, at + 1
    return length | stream[at] << shift, at + 1


class _Sequence:
    """The fields of a sequence header on which the place of the quantiser depends."""

    def __init__(self, bits: _Bits) -> None:
        bits.number(3 + 1)  # the profile, and whether it is a still image
        self.reduced = bool(bits.number(1))
        if self.reduced:
            bits.number(5)
        else:
            _skip_operating_points(bits)
        self.width_bits, self.height_bits = bits.number(4) + 1, bits.number(4) + 1
        self.width, self.height = bits.number(self.width_bits) + 1, bits.number(self.height_bits) + 1
        self.identity_bits = 0
        if not self.reduced and bits.number(1):
            self.identity_bits = bits.number(4) + bits.number(3) + 3
        self.large_blocks = bool(bits.number(1))
        bits.number(2)
        self.screen = self.whole_motion = _SELECT
        self.order_bits = 0
        if not self.reduced:
            self._read_tools(bits)
        self.can_shrink = bool(bits.number(1))

    def _read_tools(self, bits: _Bits) -> None:
        bits.number(4)
        ordered = bits.number(1)
        if ordered:
            bits.number(2)
        if not bits.number(1):
            self.screen = bits.number(1)
        if self.screen and not bits.number(1):
            self.whole_motion = bits.number(1)
        if ordered:
            self.order_bits = bits.number(3) + 1


def _skip_operating_points(bits: _Bits) -> None:
    if bits.number(1):
        raise _Unknown
    delayed = bits.number(1)
    for _ in range(bits.number(5) + 1):
        bits.number(12)
        if bits.number(5) > 7:
            bits.number(1)
        if delayed and bits.number(1):
            bits.number(4)


def _quantiser_of(bits: _Bits, sequence: _Sequence) -> int:
    """Return the quantiser of a key frame that is shown."""
    if not sequence.reduced and bits.number(4) != 1:  # not shown already, a key frame, shown
        raise _Unknown
    fixed = bits.number(1)
    screen = bits.number(1) if sequence.screen == _SELECT else sequence.screen
    if screen and sequence.whole_motion == _SELECT:
        bits.number(1)
    bits.number(sequence.identity_bits)
    other_size = not sequence.reduced and bits.number(1)
    bits.number(sequence.order_bits)
    width, height = sequence.width, sequence.height
    if other_size:
        width, height = bits.number(sequence.width_bits) + 1, bits.number(sequence.height_bits) + 1
    shrunk = sequence.can_shrink and bits.number(1)
    if shrunk:
        raise _Unknown
    if bits.number(1):
        bits.number(32)
    if screen:
        bits.number(1)
    if not sequence.reduced and not fixed:
        bits.number(1)
    _skip_tiles(bits, width, height, 7 if sequence.large_blocks else 6)
    return bits.number(8)


def _skip_tiles(bits: _Bits, width: int, height: int, block: int) -> None:
    """Skip how the frame is cut into tiles; `block` is the binary logarithm of the side of its blocks."""
    across, down = (-(-side // (1 << block)) for side in (width, height))
    if not bits.number(1):
        raise _Unknown  # tiles of uneven sizes
    least = _logarithm(_WIDEST >> block, across)
    least_of_all = max(least, _logarithm(_LARGEST >> 2 * block, across * down))
    columns = _counted(bits, least, _logarithm(1, min(across, _MOST)))
    rows = _counted(bits, max(least_of_all - columns, 0), _logarithm(1, min(down, _MOST)))
    if columns or rows:
        bits.number(columns + rows + 2)


def _counted(bits: _Bits, least: int, most: int) -> int:
    while least < most and bits.number(1):
        least += 1
    return least


def _logarithm(unit: int, length: int) -> int:
    """The smallest power of two by which the unit covers the length."""
    power = 0
    while unit << power < length:
        power += 1
    return power


class _Bits:
    """Bits from the highest to the lowest of each byte. Raises IndexError beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, count: int) -> int:
        """Read an unsigned number of this many bits."""
        value = 0
        for _ in range(count):
            value = 2 * value + (self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1)
            self._at += 1
        return value
