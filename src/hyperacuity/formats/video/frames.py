"""Frames of a video as numpy arrays: `av.VideoFrame` <-> planes.

Every pixel format of FFmpeg becomes the planar one that holds the same values: grey; Y, Cb, Cr; or R, G, B. Each plane
is an array (h, w) of uint8 or uint16. Planes are views of FFmpeg's own memory and must not be written to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

Array = NDArray[Any]

# Codes of ITU-T H.273, which FFmpeg uses too.
RGB, BT709, UNSPECIFIED, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 0, 1, 2, 4, 5, 6, 7, 9
FULL = 2  # FFmpeg's number for the full range; 1 is studio range, 0 is unspecified and means studio range

# How many luma samples (down, across) one chroma sample covers -> the digits in FFmpeg's names of formats.
_SUBSAMPLINGS = {(1, 1): "444", (1, 2): "422", (2, 2): "420", (2, 1): "440", (1, 4): "411", (4, 4): "410"}


@dataclass(frozen=True)
class ColourCodes:
    """How code values map to colours, in the numbers of ITU-T H.273 (2 is unspecified); `range` is FFmpeg's number."""

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    range: int = 0


@dataclass(frozen=True)
class FrameFormat:
    """Size, bit depth, chroma subsampling and colour of a video's planes.

    Attributes:
        height, width: Of luma, in pixels.
        depth: Bits per sample.
        chroma: How many luma samples (down, across) one chroma sample covers; None for grey. (1, 1) also for R, G, B,
            which `colour.matrix` 0 marks.
        colour: How code values map to colours.
        centred: Whether each chroma sample lies in the middle of its luma samples (MPEG-1, JPEG) and not next to the
            left ones (MPEG-2 and later).
        alpha: Whether there is one more plane, of alpha, in the full range. Only encoders have it here; frames that
            were read have it apart (`PlanarFrame.alpha`).
    """

    height: int
    width: int
    depth: int = 8
    chroma: tuple[int, int] | None = (2, 2)
    colour: ColourCodes = ColourCodes()
    centred: bool = False
    alpha: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the samples of all planes."""
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def rgb(self) -> bool:
        """Whether the planes are R, G, B."""
        return self.colour.matrix == RGB and self.chroma is not None

    @property
    def levels(self) -> tuple[int, int]:
        """The code values of black and white in luma, grey, R, G and B."""
        if self.rgb or self.colour.range == FULL:
            return 0, (1 << self.depth) - 1
        return 16 << self.depth - 8, 235 << self.depth - 8

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The (height, width) of each plane; the sides of chroma planes are rounded up."""
        luma = self.height, self.width
        alpha = [luma] * self.alpha
        if self.chroma is None:
            return [luma, *alpha]
        down, across = self.chroma
        return [luma] + 2 * [(-(-self.height // down), -(-self.width // across))] + alpha

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name for the pixel format, such as "yuv420p10le"."""
        depth = "" if self.depth == 8 else f"{self.depth}le"
        if self.chroma is None:
            return f"ya{depth or 8}" if self.alpha else f"gray{depth}"
        alpha = "a" * self.alpha
        return f"gbr{alpha}p{depth}" if self.rgb else f"yuv{alpha}{_SUBSAMPLINGS[self.chroma]}p{depth}"

    def resized(self, height: int, width: int) -> FrameFormat:
        """Returns the same format for another size."""
        return replace(self, height=height, width=width)


@dataclass(frozen=True, eq=False)
class PlanarFrame:
    """One decoded frame and when it is shown.

    Attributes:
        planes: As `FrameFormat.shapes` has them.
        pts, duration: In units of the video's time base; a duration of 0 is unknown.
        repeated: Whether this repeats an earlier frame in place of a damaged one.
        alpha: The plane of alpha in the full range of the samples, if there is one.
    """

    planes: tuple[Array, ...]
    pts: int
    duration: int = 0
    repeated: bool = False
    alpha: Array | None = None

    def repeat_at(self, pts: int) -> PlanarFrame:
        """Returns this frame in place of a damaged one at another time."""
        return PlanarFrame(self.planes, pts, repeated=True, alpha=self.alpha)

    def equals(self, other: PlanarFrame) -> bool:
        """Whether the planes of both are equal."""
        ours, theirs = ((*one.planes, one.alpha) for one in (self, other))
        return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))  # type: ignore[arg-type]


def detect_format(frame: av.VideoFrame, *, centred: bool = False) -> FrameFormat:
    """Returns the format that holds all of a frame except its alpha."""
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
    colour = ColourCodes(
        RGB if rgb else UNSPECIFIED if frame.colorspace == RGB else frame.colorspace,
        frame.color_primaries,
        frame.color_trc,
        FULL if jpeg or rgb else frame.color_range,
    )
    if depth in (9, 14, 16) and chroma not in (None, (1, 1), (1, 2), (2, 2)):
        chroma = (1, 1)  # FFmpeg has the rarer ones in few depths
    return FrameFormat(frame.height, frame.width, depth, chroma, colour, centred)


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether the pixel format of a frame has an alpha plane."""
    return any(component.is_alpha for component in frame.format.components)


def from_av(frame: av.VideoFrame, target: FrameFormat) -> tuple[Array, ...]:
    """Returns the planes of a frame: its own if it has the format `target`, else converted to it by FFmpeg."""
    wanted = target.pixel_format
    if frame.format.name.replace("yuvj", "yuv") != wanted or (frame.height, frame.width) != target.shapes[0]:
        frame = frame.reformat(target.width, target.height, wanted)
    planes = tuple(
        np.frombuffer(memoryview(plane), target.dtype).reshape(-1, plane.line_size // target.dtype.itemsize)[
            :height, :width
        ]
        for plane, (height, width) in zip(frame.planes, target.shapes, strict=True)
    )
    return (planes[2], planes[0], planes[1]) if target.rgb else planes  # FFmpeg's are G, B, R


def alpha_plane(frame: av.VideoFrame, target: FrameFormat) -> Array:
    """Returns the alpha of a frame, in the size and depth of the format `target`."""
    deep = target.depth if target.depth in (8, 9, 10, 12, 16) else 16
    suffix = "" if deep == 8 else f"{deep}le"
    frame = frame.reformat(target.width, target.height, f"yuva444p{suffix}")
    plane = frame.planes[3]
    dtype = np.dtype(np.uint8 if deep == 8 else np.uint16)
    rows = np.frombuffer(memoryview(plane), dtype).reshape(-1, plane.line_size // dtype.itemsize)
    return rows[: target.height, : target.width] >> deep - target.depth


def to_av(planes: tuple[Array, ...], frame_format: FrameFormat, pts: int, time_base: Fraction) -> av.VideoFrame:
    """Returns a frame for an encoder, marked with its colour codes; the planes are copied."""
    import av

    frame = av.VideoFrame(frame_format.width, frame_format.height, frame_format.pixel_format)
    ordered = (planes[1], planes[2], planes[0], *planes[3:]) if frame_format.rgb else planes
    for plane, target, (height, width) in zip(ordered, frame.planes, frame_format.shapes, strict=True):
        rows = np.frombuffer(memoryview(target), frame_format.dtype).reshape(
            -1, target.line_size // frame_format.dtype.itemsize
        )
        rows[:height, :width] = plane
    frame.pts, frame.time_base = pts, time_base
    frame.colorspace, frame.color_range = frame_format.colour.matrix, frame_format.colour.range
    frame.color_primaries, frame.color_trc = frame_format.colour.primaries, frame_format.colour.transfer
    return frame
