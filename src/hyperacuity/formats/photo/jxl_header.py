"""The header of a JPEG XL codestream: size, depth, channels and colour, bit by bit. ISO/IEC 18181-1, annexes D and E.

Decoders give pixels without saying what their colours are; it is stated here, before the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.photo.stated_colour import chromaticities_of, transfer_of
from hyperacuity.image import StatedColour

SIGNATURE = b"\xff\x0a"
# Kinds of extra channels.
_ALPHA, _SPOT, _CFA = 0, 2, 5
_EXTRA_NAMES = {1: "depth map", 2: "spot colour", 3: "selection mask", 4: "black (CMYK)", 5: "raw sensor", 6: "thermal"}
_RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# RGB, grey.
_GREY, _XYB = 1, 2


@dataclass(frozen=True)
class JxlHeader:
    """What a codestream says before its first frame.

    Args:
        width: Columns as stored; the orientation is applied by the decoder.
        height: Rows as stored.
        bits: Bits of a value.
        floats: Whether values are floats.
        alpha: Whether there is alpha.
        premultiplied: Whether colours are multiplied by it.
        extras: Names of the other extra channels.
        grey: Whether there is one channel of colour.
        profile: Whether colour is stated by an ICC profile.
        colour: The colour if it is stated by codes.
        place: The first bit of the statement of colour, and the one behind it; None if it has none of its own.
    """

    width: int
    height: int
    bits: int
    floats: bool
    alpha: bool
    premultiplied: bool
    extras: tuple[str, ...]
    grey: bool
    profile: bool
    colour: StatedColour | None
    place: tuple[int, int] | None = None


class _Bits:
    """Reads bits, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)
        self.at = 0

    def u(self, count: int) -> int:
        if count > self._left:
            raise DamagedFile("its header is cut short")
        found = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        self.at += count
        return found

    def bit(self) -> bool:
        return bool(self.u(1))

    def one(self, *choices: tuple[int, int]) -> int:
        """A number in one of four forms: an offset, and how many bits are added."""
        offset, count = choices[self.u(2)]
        return offset + self.u(count)

    def enum(self) -> int:
        return self.one((0, 0), (1, 0), (2, 4), (18, 6))

    def signed(self) -> int:
        packed = self.one((0, 19), (524288, 19), (1048576, 20), (2097152, 21))
        return packed >> 1 if packed % 2 == 0 else -(packed >> 1) - 1


def parse_header(codestream: bytes) -> JxlHeader:
    """Return what the header of a codestream says.

    Raises:
        DamagedFile: If it is cut short.
        UnsupportedFormat: If it is an animation.
    """
    if not codestream.startswith(SIGNATURE):
        raise DamagedFile("it holds no JPEG XL codestream")
    bits = _Bits(codestream[2:4096])
    width, height = _size(bits)
    if bits.bit():  # everything is as usual: 8 bits of sRGB without alpha
        return JxlHeader(width, height, 8, False, False, False, (), False, False, StatedColour(1, 13))
    if bits.bit():
        _extra_fields(bits)
    floats, depth = _depth(bits)
    bits.bit()  # buffers of 16 bits suffice
    kinds = [_extra_channel(bits) for _ in range(bits.one((0, 0), (1, 0), (2, 4), (1, 12)))]
    bits.bit()  # XYB
    start = bits.at
    grey, profile, colour = _colour(bits)
    place = start, bits.at
    alpha = [premultiplied for kind, premultiplied in kinds if kind == _ALPHA]
    extras = tuple(_EXTRA_NAMES.get(kind, "extra channel") for kind, _ in kinds if kind != _ALPHA)
    return JxlHeader(width, height, depth, floats, bool(alpha), any(alpha), extras, grey, profile, colour, place)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.bit()

    def side() -> int:
        return 8 * (1 + bits.u(5)) if small else bits.one((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits.u(3)
    across, down = _RATIOS[ratio]
    return (height * across // down if ratio else side()), height


def _extra_fields(bits: _Bits) -> None:
    """Orientation, the size to show, a preview, an animation."""
    bits.u(3)
    if bits.bit():
        _size(bits)
    if bits.bit():
        eighths = bits.bit()
        form = ((16, 0), (32, 0), (1, 5), (33, 9)) if eighths else ((1, 6), (65, 8), (321, 10), (1345, 12))
        bits.one(*form)
        if not bits.u(3):
            bits.one(*form)
    if bits.bit():
        raise UnsupportedFormat("it is an animated JPEG XL; convert it to WebP or a video first")


def _depth(bits: _Bits) -> tuple[bool, int]:
    if bits.bit():
        depth = bits.one((32, 0), (16, 0), (24, 0), (1, 6))
        bits.u(4)
        return True, depth
    return False, bits.one((8, 0), (10, 0), (12, 0), (1, 6))


def _extra_channel(bits: _Bits) -> tuple[int, bool]:
    """The kind of an extra channel, and whether colours are multiplied by it."""
    if bits.bit():
        return _ALPHA, False
    kind = bits.enum()
    _depth(bits)
    bits.one((0, 0), (3, 0), (4, 0), (1, 3))
    for _ in range(bits.one((0, 0), (0, 4), (16, 5), (48, 10))):
        bits.u(8)
    premultiplied = bits.bit() if kind == _ALPHA else False
    if kind == _SPOT:
        bits.u(64)
    elif kind == _CFA:
        bits.one((1, 0), (0, 2), (3, 4), (19, 8))
    return kind, premultiplied


def _colour(bits: _Bits) -> tuple[bool, bool, StatedColour | None]:
    """Whether it is grey, whether a profile states it, and the colour if codes do; they are those of H.273."""
    if bits.bit():
        return False, False, StatedColour(1, 13)
    profile, space = bits.bit(), bits.enum()
    if profile or space == _XYB:
        return space == _GREY, profile, None
    white = bits.enum()
    numbers = [bits.signed() // 10 for _ in range(2)] if white == 2 else [31270, 32900]
    numbers = {10: [33333, 33333], 11: [31400, 35100]}.get(white, numbers)
    primaries = bits.enum() if space != _GREY else 1
    if primaries == 2 and space != _GREY:
        numbers += [bits.signed() // 10 for _ in range(6)]
    gamma, transfer = (bits.u(24) // 100, 2) if bits.bit() else (None, bits.enum())
    bits.enum()  # rendering intent
    codes = {1: 1, 9: 9, 11: 12 if white == 1 else 11}.get(primaries, 2)
    if white == 2 or (white == 10 and primaries != 2):
        codes = 2
    chromaticities = tuple(numbers) if len(numbers) == 8 else None
    transfer = {1: 1, 8: 8, 13: 13, 16: 16, 17: 17, 18: 18}.get(transfer, 2)
    colour = StatedColour(codes, transfer, gamma=gamma, chromaticities=chromaticities)
    return space == _GREY, False, colour if colour != StatedColour() else None


def with_colour(codestream: bytes, colour: StatedColour) -> bytes:
    """Return a codestream, as libjxl writes it without loss, that states another colour for the same values."""
    head = parse_header(codestream)
    body = codestream[2:]
    if head.place is None:
        return codestream
    start, end = head.place
    bits = [int.from_bytes(body[:4096], "little") >> at & 1 for at in range(end + 3)]
    if bits[end:] != [0, 0, 1]:
        return codestream  # extensions, or transforms that are not the default ones
    written = bits[:start] + _colour_bits(colour, head.grey) + bits[end:]
    written += [0] * (-len(written) % 8)
    header = sum(bit << at for at, bit in enumerate(written)).to_bytes(len(written) // 8, "little")
    return codestream[:2] + header + body[-(-len(bits) // 8) :]


def _colour_bits(colour: StatedColour, grey: bool) -> list[int]:
    """The bits of a statement of colour."""
    bits = [0, 0]

    def put(value: int, count: int) -> None:
        bits.extend(value >> at & 1 for at in range(count))

    def enum(value: int) -> None:
        selector, offset, count = next(
            (s, o, c) for s, o, c in ((0, 0, 0), (1, 1, 0), (2, 2, 4), (3, 18, 6)) if value < o + (1 << c)
        )
        put(selector, 2)
        put(value - offset, count)

    def signed(value: float) -> None:
        packed = 2 * round(value * 1e6) if value >= 0 else -2 * round(value * 1e6) - 1
        forms = ((0, 0, 19), (1, 524288, 19), (2, 1048576, 20), (3, 2097152, 21))
        selector, offset, count = next((s, o, c) for s, o, c in forms if packed < o + (1 << c))
        put(selector, 2)
        put(packed - offset, count)

    white, *primaries = chromaticities_of(colour)
    known = {1: 1, 9: 9, 12: 11}.get(
        colour.primaries, 1 if tuple(primaries) == chromaticities_of(StatedColour(1))[1:] else 2
    )
    enum(1 if grey else 0)
    enum(1 if white == (0.3127, 0.3290) else 2)
    if white != (0.3127, 0.3290):
        signed(white[0])
        signed(white[1])
    if not grey:
        enum(known)
        for value in (number for pair in primaries for number in pair) if known == 2 else ():
            signed(value)
    transfer = transfer_of(colour)
    gamma = {2: colour.gamma, 4: round(100000 / 2.2), 5: round(100000 / 2.8)}.get(transfer)
    put(1 if gamma else 0, 1)
    if gamma:
        put(gamma * 100, 24)
    else:
        enum({6: 1, 7: 1, 11: 1, 14: 1, 15: 1, 9: 2, 10: 2}.get(transfer, transfer))
    enum(1)  # relative colorimetric
    return bits
