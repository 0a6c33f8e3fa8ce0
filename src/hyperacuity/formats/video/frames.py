"""Frames of a video as numpy sees them: `av.VideoFrame` <-> planes.

Every pixel format of FFmpeg becomes the planar one that holds the same: grey, or Y, Cb, Cr, or R, G, B, each an array
(h, w) of uint8 or uint16. Planes look into FFmpeg's own memory and are not to be written to.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

Array = NDArray[Any]

# Codes of ITU-T H.273, which FFmpeg takes over.
RGB, BT709, UNSPECIFIED, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 0, 1, 2, 4, 5, 6, 7, 9
FULL = 2  # FFmpeg's code for a range of all values; 1 is studio range, 0 is not said and means studio range

# How many luma samples (down, across) one chroma sample covers, by what the formats of FFmpeg are called after.
_SUBSAMPLINGS = {(1, 1): "444", (1, 2): "422", (2, 2): "420", (2, 1): "440", (1, 4): "411", (4, 4): "410"}


@dataclass(frozen=True)
class Colour:
    """What the codes mean, in the numbers of ITU-T H.273 (2 = not said); range as FFmpeg has it."""

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    range: int = 0


# By FFmpeg's names of side data.
_UNSAID = {
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "A53_CC": "captions inside the picture",
}


@dataclass(frozen=True)
class Screen:
    """What HDR10 says of the screen on which a video was made, and of the video's light; None where it does not.

    primaries: (x, y) of red, green, blue and white; luminance: of black and white, in cd/m2. light: of the brightest
    pixel and of the brightest frame on the average, in cd/m2.
    """

    primaries: tuple[tuple[Fraction, Fraction], ...] | None = None
    luminance: tuple[Fraction, Fraction] | None = None
    light: tuple[int, int] | None = None


@dataclass(frozen=True)
class Layout:
    """How the planes of a video look.

    depth: bits of a sample. chroma: how many luma samples (down, across) a chroma sample covers; None for grey;
    (1, 1) for R, G, B too, which `colour.matrix` 0 says. centred: each chroma sample lies in the middle of those luma
    samples (MPEG-1, JPEG) and not beside the left ones (MPEG-2 and all since).
    """

    height: int
    width: int
    depth: int = 8
    chroma: tuple[int, int] | None = (2, 2)
    colour: Colour = Colour()
    centred: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def rgb(self) -> bool:
        return self.colour.matrix == RGB and self.chroma is not None

    @property
    def levels(self) -> tuple[int, int]:
        """The codes of black and white in luma, grey, R, G and B."""
        if self.rgb or self.colour.range == FULL:
            return 0, (1 << self.depth) - 1
        return 16 << self.depth - 8, 235 << self.depth - 8

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The (height, width) of each plane; chroma covers odd sides whole."""
        luma = self.height, self.width
        if self.chroma is None:
            return [luma]
        down, across = self.chroma
        return [luma] + 2 * [(-(-self.height // down), -(-self.width // across))]

    @property
    def format(self) -> str:
        """FFmpeg's name for it, such as "yuv420p10le"."""
        depth = "" if self.depth == 8 else f"{self.depth}le"
        if self.chroma is None:
            return f"gray{depth}"
        return f"gbrp{depth}" if self.rgb else f"yuv{_SUBSAMPLINGS[self.chroma]}p{depth}"

    def resized(self, height: int, width: int) -> Layout:
        return replace(self, height=height, width=width)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and when it is shown: `pts` and `duration` (0 = not said) in units of the video's time base.

    stands_in: for another, which is damaged.
    """

    planes: tuple[Array, ...]
    pts: int
    duration: int = 0
    stands_in: bool = False

    def same(self, other: Frame) -> bool:
        """Whether the pictures are equal."""
        return all(np.array_equal(a, b) for a, b in zip(self.planes, other.planes, strict=True))


def layout(frame: av.VideoFrame, *, centred: bool = False) -> Layout:
    """The layout that holds all of a frame but its alpha."""
    kind = frame.format
    depth = max(component.bits for component in kind.components)
    depth = next((known for known in (8, 9, 10, 12, 14) if depth <= known), 16)  # floats too
    jpeg = kind.name.startswith("yuvj")
    colours = sum(not component.is_alpha for component in kind.components)
    paletted = kind.has_palette
    rgb = kind.is_rgb or paletted
    chroma = None
    if colours > 1 or paletted:
        factors = (-(-64 // kind.chroma_height(64)), -(-64 // kind.chroma_width(64)))
        chroma = (1, 1) if rgb or factors not in _SUBSAMPLINGS else factors
    colour = Colour(
        RGB if rgb else UNSPECIFIED if frame.colorspace == RGB else frame.colorspace,
        frame.color_primaries,
        frame.color_trc,
        FULL if jpeg or rgb else frame.color_range,
    )
    if depth in (9, 14, 16) and chroma not in (None, (1, 1), (1, 2), (2, 2)):
        chroma = (1, 1)  # FFmpeg has the rarer ones in few depths
    return Layout(frame.height, frame.width, depth, chroma, colour, centred)


def unsaid(frame: av.VideoFrame) -> list[str]:
    """What lies beside a frame's pixels and is not written with a new one."""
    found = [name for kind, name in _UNSAID.items() if frame.side_data.get(kind) is not None]
    return list(dict.fromkeys(found))


def screen(frame: av.VideoFrame) -> Screen | None:
    """What a frame's side data says of its screen; None where that is nothing."""
    mastering: Any = frame.side_data.get("MASTERING_DISPLAY_METADATA")
    level: Any = frame.side_data.get("CONTENT_LIGHT_LEVEL")
    found = Screen()
    if mastering is not None:
        *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", bytes(mastering))
        each = [Fraction(a, b or 1) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
        if has_primaries and has_luminance:
            points = tuple(zip(each[0:8:2], each[1:8:2], strict=True))
            found = replace(found, primaries=points, luminance=(each[8], each[9]))
    if level is not None:
        found = replace(found, light=struct.unpack_from("=2I", bytes(level)))
    return None if found == Screen() else found


def has_alpha(frame: av.VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components)


def from_av(frame: av.VideoFrame, target: Layout) -> tuple[Array, ...]:
    """The planes of a frame: its own where it has the layout `target`, else converted to it by FFmpeg."""
    wanted = target.format
    if frame.format.name.replace("yuvj", "yuv") != wanted or (frame.height, frame.width) != target.shapes[0]:
        frame = frame.reformat(target.width, target.height, wanted)
    planes = tuple(
        np.frombuffer(memoryview(plane), target.dtype).reshape(-1, plane.line_size // target.dtype.itemsize)[
            :height, :width
        ]
        for plane, (height, width) in zip(frame.planes, target.shapes, strict=True)
    )
    return (planes[2], planes[0], planes[1]) if target.rgb else planes  # FFmpeg's are G, B, R


def to_av(planes: tuple[Array, ...], look: Layout, pts: int, time_base: Fraction) -> av.VideoFrame:
    """A frame for an encoder, with what its codes mean written on it; the planes are copied."""
    import av

    frame = av.VideoFrame(look.width, look.height, look.format)
    ordered = (planes[1], planes[2], planes[0]) if look.rgb else planes
    for plane, target, (height, width) in zip(ordered, frame.planes, look.shapes, strict=True):
        rows = np.frombuffer(memoryview(target), look.dtype).reshape(-1, target.line_size // look.dtype.itemsize)
        rows[:height, :width] = plane
    frame.pts, frame.time_base = pts, time_base
    frame.colorspace, frame.color_range = look.colour.matrix, look.colour.range
    frame.color_primaries, frame.color_trc = look.colour.primaries, look.colour.transfer
    return frame
