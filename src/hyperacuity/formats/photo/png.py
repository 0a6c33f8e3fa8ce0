"""PNG's chunks: whether all are there, and the frames of an animated PNG.

libpng stops reading at the last pixel, so a file cut short behind it would lose its metadata unnoticed. And no codec
at hand keeps 16 bits in an animation (Pillow halves them), while each frame is a plain PNG once its chunks are put
in order: so that is done here, and libvips decodes and encodes the pixels. PNG 3rd edition (W3C, 2025).
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from hyperacuity.errors import DamagedFile
from hyperacuity.image import Metadata

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What of the file's own chunks a frame needs to be decoded alone.
_SHARED = (b"PLTE", b"tRNS")
# Chunks that libpng gets with a new check sum, or not at all.
_REPACKED = (*_SHARED, b"acTL", b"fcTL", b"fdAT")


def chunks(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk's content, up to and with IEND. Raises `DamagedFile` where it is missing."""
    at = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        if at + 8 > len(data):
            raise DamagedFile("it is cut short: it ends before its last chunk (IEND)")
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if at + 12 + length > len(data):
            which = f"its {kind.decode()} chunk" if kind.isalpha() else "a chunk without a name"
            raise DamagedFile(f"it is cut short inside {which}")
        yield kind, at + 8, at + 8 + length
        at += 12 + length


_XMP = b"XML:com.adobe.xmp\0"
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
# What the codes mean: gamma, primaries, "as sRGB", H.273's numbers, HDR10's screen and light.
_COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_GAMMA_OF_SRGB = 45455


def found(data: bytes | mmap.mmap) -> Metadata:
    """All but the ICC profile, also what stands behind the pixels, where libpng does not look."""
    exif = xmp = dpi = None
    own: list[bytes] = []
    for kind, start, end in chunks(data):
        if kind == b"eXIf":
            exif = bytes(data[start:end])
        elif kind == b"iTXt" and data[start : start + len(_XMP)] == _XMP:
            compressed = data[start + len(_XMP)]
            # Behind two flags come language and translated keyword, each with a zero at its end.
            packet = bytes(data[start + len(_XMP) + 2 : end]).split(b"\0", 2)[-1]
            xmp = _unpacked(packet) if compressed else packet
        elif kind in _TEXT and (profile := _raw_profile(kind, bytes(data[start:end]))):
            exif = exif or profile
        elif kind in (*_TEXT, *_COLOUR):
            own.append(chunk(kind, bytes(data[start:end])))
        elif kind == b"pHYs" and end - start == 9:
            across, down, unit = struct.unpack(">IIB", data[start:end])
            dpi = (across * 0.0254, down * 0.0254) if unit == 1 and across and down else None
    return Metadata(None, exif, xmp, dpi, chunks=b"".join(own))


def _unpacked(packet: bytes) -> bytes:
    """Nothing, of what cannot be."""
    try:
        return zlib.decompressobj().decompress(packet, 1 << 24)
    except zlib.error:
        return b""


def says_more(own: bytes) -> bool:
    """Whether chunks say more than that the codes are those of sRGB, which is what everybody takes them for."""
    data = SIGNATURE + own + chunk(b"IEND", b"")
    for kind, start, end in chunks(data):
        if kind in (*_TEXT, b"cICP", b"mDCV", b"cLLI"):
            return True
        if kind == b"gAMA" and abs(int.from_bytes(data[start:end]) - _GAMMA_OF_SRGB) > _GAMMA_OF_SRGB // 100:
            return True
    return False


def _raw_profile(kind: bytes, content: bytes) -> bytes | None:
    """EXIF in hexadecimal, as ImageMagick put it into text before there was a chunk for it."""
    keyword, _, text = content.partition(b"\0")
    if keyword not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return None
    try:
        words = (zlib.decompressobj().decompress(text[1:], 1 << 20) if kind == b"zTXt" else text).split()
        return bytes.fromhex(b"".join(words[2:]).decode("ascii")) or None
    except (zlib.error, ValueError):
        return None


def described(metadata: Metadata) -> bytes:
    """The chunks that hold EXIF and XMP, and PNG's own, for the place behind IHDR."""
    block = metadata.chunks + (chunk(b"eXIf", metadata.exif) if metadata.exif else b"")
    return block + (chunk(b"iTXt", _XMP + b"\0\0\0\0" + metadata.xmp) if metadata.xmp else b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and check sum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@dataclass
class Frame:
    """One frame: its box on the canvas, how it is laid on it, and where its compressed pixels lie."""

    width: int
    height: int
    left: int
    top: int
    delay: float
    dispose: int  # afterwards: 0 stays, 1 becomes transparent, 2 becomes what it was before
    blend: int  # 0 replaces, 1 is laid over
    parts: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Animation:
    """An animated PNG taken apart; `shared` are the chunks that every frame needs."""

    width: int
    height: int
    colour: bytes  # bit depth, colour type, compression, filter; not interlaced or not
    plays: int
    shared: bytes
    frames: list[Frame]

    def png(self, data: bytes | mmap.mmap, frame: Frame) -> bytes:
        """A frame as a file of its own."""
        head = struct.pack(">II", frame.width, frame.height) + self.colour
        pixels = b"".join(data[start:end] for start, end in frame.parts)
        return SIGNATURE + chunk(b"IHDR", head) + self.shared + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def animation(data: bytes | mmap.mmap) -> Animation | None:
    """The frames of an animated PNG; None for a still one. Raises `DamagedFile` where chunks are missing or amiss."""
    announced = plays = sequence = 0
    shared = b""
    head = bytes(data[16:29])
    frames: list[Frame] = []
    pixels_seen = False
    for kind, start, end in chunks(data):
        if kind in _REPACKED and zlib.crc32(data[start - 4 : end]) != struct.unpack(">I", data[end : end + 4])[0]:
            raise DamagedFile(f"the check sum of one of its {kind.decode()} chunks is wrong")
        if kind in _SHARED:
            shared += chunk(kind, bytes(data[start:end]))
        elif kind == b"acTL" and not pixels_seen:
            if announced or end - start != 8:
                raise DamagedFile("its animation is announced twice, or wrongly")
            announced, plays = struct.unpack(">II", data[start:end])
        elif kind in (b"fcTL", b"fdAT") and announced:
            if end - start < 4 or struct.unpack(">I", data[start : start + 4])[0] != sequence:
                raise DamagedFile(f"part {sequence} of its animation is missing or in the wrong place")
            sequence += 1
            if kind == b"fcTL":
                frames.append(_frame(bytes(data[start:end]), head))
            else:
                _part(frames, start + 4, end)
        elif kind == b"IDAT":
            pixels_seen = True
            _part(frames, start, end)
    if not announced:
        return None
    if len(frames) != announced or not all(frame.parts for frame in frames):
        whole = sum(bool(frame.parts) for frame in frames)
        raise DamagedFile(f"it announces {announced} frames and holds {whole}")
    width, height = struct.unpack(">II", head[:8])
    return Animation(width, height, head[8:], plays, shared, frames)


def _part(frames: list[Frame], start: int, end: int) -> None:
    """Pixels for the latest frame; before the first, they are for viewers that know no animation."""
    if frames:
        frames[-1].parts.append((start, end))


def _frame(content: bytes, head: bytes) -> Frame:
    if len(content) != 26:
        raise DamagedFile("the description of one of its frames has the wrong length")
    _, width, height, left, top, numerator, denominator, dispose, blend = struct.unpack(">5I2H2B", content)
    full_width, full_height = struct.unpack(">II", head[:8])
    if not width or not height or left + width > full_width or top + height > full_height or dispose > 2 or blend > 1:
        raise DamagedFile("one of its frames does not fit on its canvas")
    return Frame(width, height, left, top, numerator / (denominator or 100), dispose, blend)


class Joiner:
    """Frames encoded as single PNG files, put together as one animated PNG."""

    def __init__(self, frames: int, plays: int, described: bytes) -> None:
        self._frames, self._plays, self._described = frames, plays, described
        self._sequence = 0

    def add(self, png: bytes, duration: float) -> bytes:
        """What to append to the file for the next frame, which covers the whole canvas."""
        out = b"" if self._sequence else SIGNATURE
        first = not self._sequence
        controlled = False
        width, height = struct.unpack(">II", png[16:24])
        for kind, start, end in chunks(png):
            content = png[start:end]
            if kind == b"IDAT" and not controlled:
                controlled = True
                if first:
                    out += chunk(b"acTL", struct.pack(">II", self._frames, self._plays))
                out += self._control(width, height, duration)
            if kind == b"IDAT" and not first:
                out += chunk(b"fdAT", struct.pack(">I", self._next()) + content)
            elif first and kind != b"IEND":
                out += chunk(kind, content) + (self._described if kind == b"IHDR" else b"")
        return out

    def end(self) -> bytes:
        return chunk(b"IEND", b"")

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1

    def _control(self, width: int, height: int, duration: float) -> bytes:
        delay = Fraction(min(max(duration, 0), 65535)).limit_denominator(65535)
        if delay.numerator > 65535:
            delay = Fraction(round(delay * 1000), 1000) if delay < 65 else Fraction(round(delay))
        where = struct.pack(">5I", self._next(), width, height, 0, 0)
        return chunk(b"fcTL", where + struct.pack(">2H2B", delay.numerator, delay.denominator, 0, 0))
