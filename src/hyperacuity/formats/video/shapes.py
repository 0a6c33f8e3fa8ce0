"""Frames of another shape than the first: fitted into it with black bars, never stretched."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperacuity.formats.video.frames import Array, FrameFormat, from_av

if TYPE_CHECKING:
    import av

# A frame whose fitted size differs from the whole by at most this share has the same shape: sizes are rounded.
_ROUNDING = Fraction(1, 100)


@dataclass(frozen=True)
class FrameShape:
    """The size of a frame in pixels, and the width of a pixel divided by its height."""

    height: int
    width: int
    aspect: Fraction = Fraction(1)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}" + (f" with pixels of {self.aspect}" if self.aspect != 1 else "")


class ShapeTracker:
    """Follows the shape of the frames of one video as they are decoded.

    Args:
        first: The shape of the first frame.
        coded: The aspect of pixels that the decoder reports for the first frame; None or 0 if unspecified.
    """

    def __init__(self, first: FrameShape, coded: Fraction | None) -> None:
        self._first, self._coded, self._last = first, coded or Fraction(1), first
        # A container's own aspect holds for the whole video, whatever the decoder reports.
        self._follows = self._coded == first.aspect

    def shape_of(self, frame: av.VideoFrame, coded: Fraction | None) -> FrameShape:
        """Returns the shape of the next frame; `coded` is what the decoder reports by now.

        The decoder is ahead of its frames: a new aspect belongs to the next key frame and those after it.
        """
        last = self._last
        resized = (frame.height, frame.width) != (last.height, last.width)
        aspect = last.aspect
        if self._follows and (frame.key_frame or resized):
            aspect = coded or Fraction(1)
        if resized or aspect != last.aspect:
            self._last = FrameShape(frame.height, frame.width, aspect)
        return self._last


def fitted_size(
    shape: FrameShape, first: FrameShape, size: tuple[int, int], chroma: tuple[int, int] | None
) -> tuple[int, int]:
    """Returns the largest (height, width) with the proportions of `shape` in a frame that has those of `first`.

    Args:
        shape: Of the frame to fit.
        first: The shape that the whole frame has, at any size.
        size: (height, width) of the whole frame.
        chroma: How many luma samples (down, across) one chroma sample covers: sides are multiples of these.
    """
    proportion: Fraction = (shape.width * shape.aspect / shape.height) / (first.width * first.aspect / first.height)
    if abs(proportion - 1) <= _ROUNDING:
        return size
    height, width = size
    down, across = chroma or (1, 1)
    wider = proportion > 1
    sides = height / proportion if wider else Fraction(height), Fraction(width) if wider else width * proportion
    fitted = round(sides[0] / down) * down, round(sides[1] / across) * across
    return min(max(down, fitted[0]), height), min(max(across, fitted[1]), width)


def fit(frame: av.VideoFrame, shape: FrameShape, target: FrameFormat, first: FrameShape) -> tuple[Array, ...]:
    """Returns the planes of a frame of another shape, in the format `target`, whose shape is `first`."""
    inner = fitted_size(shape, first, (target.height, target.width), target.chroma)
    return add_bars(from_av(frame, target.resized(*inner)), inner, target)


def add_bars(planes: tuple[Array, ...], inner: tuple[int, int], target: FrameFormat) -> tuple[Array, ...]:
    """Returns planes of the (height, width) `inner` in the middle of black ones of the format `target`."""
    if inner == (target.height, target.width):
        return planes
    down, across = target.chroma or (1, 1)
    top, left = (target.height - inner[0]) // 2 // down * down, (target.width - inner[1]) // 2 // across * across
    framed: list[Any] = []
    for number, (plane, shape) in enumerate(zip(planes, target.shapes, strict=True)):
        luma = number == 0 or target.rgb
        black = target.levels[0] if luma else 1 << target.depth - 1
        whole = np.full(shape, black, plane.dtype)
        y, x = (top, left) if number == 0 else (top // down, left // across)
        whole[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
        framed.append(whole)
    return tuple(framed)
