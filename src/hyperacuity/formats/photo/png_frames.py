"""The frames of an animated PNG: taken apart, composed on its canvas, and put together.

libvips' PNG codec has no animation, and Pillow halves 16 bits; but each frame is a plain PNG once its chunks are put in
order, which is done here, and libvips decodes and encodes the pixels. PNG 3rd edition (W3C, 2025).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from hyperacuity.counting import counted
from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import vips
from hyperacuity.formats.photo.png_chunks import SIGNATURE, chunk, chunks
from hyperacuity.image import Array

# Those of the file's chunks that a frame needs to be decoded alone.
_SHARED = (b"PLTE", b"tRNS")
# Chunks that libpng gets with a new checksum, or not at all.
_REPACKED = (*_SHARED, b"acTL", b"fcTL", b"fdAT")


@dataclass
class AnimationFrame:
    """One frame: its box on the canvas, how it is composed with the canvas, and where its compressed pixels lie."""

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
    """An animated PNG taken apart; `shared` holds the chunks that every frame needs."""

    width: int
    height: int
    colour: bytes  # bit depth, colour type, compression, filter; not interlaced or not
    plays: int
    shared: bytes
    frames: list[AnimationFrame]

    def png(self, data: Bytes, frame: AnimationFrame) -> bytes:
        """Return a frame as a plain PNG file."""
        head = struct.pack(">II", frame.width, frame.height) + self.colour
        pixels = b"".join(data[start:end] for start, end in frame.parts)
        return SIGNATURE + chunk(b"IHDR", head) + self.shared + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def parse_animation(data: Bytes) -> Animation | None:
    """Return the frames of an animated PNG; None for a still one.

    Raises:
        DamagedFile: If chunks are missing, damaged or out of order.
    """
    announced = plays = sequence = 0
    shared = b""
    head = bytes(data[16:29])
    frames: list[AnimationFrame] = []
    pixels_seen = False
    for kind, start, end in chunks(data):
        if kind in _REPACKED and zlib.crc32(data[start - 4 : end]) != struct.unpack(">I", data[end : end + 4])[0]:
            raise DamagedFile(f"the checksum of one of its {kind.decode()} chunks is wrong")
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
        raise DamagedFile(f"it announces {counted(announced, 'frame')} and holds {whole}")
    width, height = struct.unpack(">II", head[:8])
    return Animation(width, height, head[8:], plays, shared, frames)


def _part(frames: list[AnimationFrame], start: int, end: int) -> None:
    """Add pixels to the latest frame; those before the first are for viewers without animation."""
    if frames:
        frames[-1].parts.append((start, end))


def _frame(content: bytes, head: bytes) -> AnimationFrame:
    if len(content) != 26:
        raise DamagedFile("the description of one of its frames has the wrong length")
    _, width, height, left, top, numerator, denominator, dispose, blend = struct.unpack(">5I2H2B", content)
    full_width, full_height = struct.unpack(">II", head[:8])
    if not width or not height or left + width > full_width or top + height > full_height or dispose > 2 or blend > 1:
        raise DamagedFile("one of its frames does not fit on its canvas")
    return AnimationFrame(width, height, left, top, numerator / (denominator or 100), dispose, blend)


def composed(animation: Animation, raw: Bytes) -> Iterator[tuple[Array, bool, float]]:
    """Yield the canvas after each frame, whether it has alpha, and the seconds that it is shown."""
    canvas: Array | None = None
    for frame in animation.frames:
        single = animation.png(raw, frame)
        pixels, alpha = vips.pixels_of(vips.loaded("pngload_source", single, fail_on="error"))
        white = np.iinfo(pixels.dtype).max
        if not alpha and any(each.dispose == 1 for each in animation.frames):
            # Only alpha can state what a frame leaves transparent.
            pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], white)], axis=2)
            alpha = True
        if canvas is None:
            canvas = np.zeros((animation.height, animation.width, pixels.shape[2]), pixels.dtype)
        box = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        before = box.copy() if frame.dispose == 2 else None
        box[:] = _over(pixels, box, white) if frame.blend and alpha else pixels
        yield canvas.copy(), alpha, frame.delay
        if frame.dispose == 1:
            box[:] = 0
        elif before is not None:
            # The first frame has nothing before it: the specification makes it transparent.
            box[:] = before


def _over(top: Array, below: Array, white: int) -> Array:
    """One image laid over another; both with alpha last, not premultiplied."""
    above = top[..., -1:].astype(np.float64) / white
    under = below[..., -1:].astype(np.float64) / white * (1 - above)
    total = above + under
    colours = (top[..., :-1] * above + below[..., :-1] * under) / np.where(total, total, 1)
    return np.floor(np.concatenate([colours, total * white], axis=2) + 0.5).astype(top.dtype)


class Joiner:
    """Frames encoded as single PNG files, put together as one animated PNG.

    Args:
        frames: How many there will be.
        plays: How often the animation plays; 0 = for ever.
        metadata: Whole chunks to insert after IHDR.
    """

    def __init__(self, frames: int, plays: int, metadata: bytes) -> None:
        self._frames, self._plays, self._metadata = frames, plays, metadata
        self._sequence = 0

    def add(self, png: bytes, duration: float) -> bytes:
        """Return what to append to the file for the next frame, which covers the whole canvas."""
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
            elif first and kind not in (b"IEND", b"pHYs"):  # libvips writes a resolution even if there is none
                out += chunk(kind, content) + (self._metadata if kind == b"IHDR" else b"")
        return out

    def end(self) -> bytes:
        """Return what to append to the file after the last frame."""
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
