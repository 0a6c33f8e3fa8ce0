"""Enlarges frames to the size of the result with any of several models, even if the source changes its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperacuity.api import Upscaler
from hyperacuity.formats.video.frames import Array, FrameFormat, PlanarFrame
from hyperacuity.video.enlarging import Enlarger


@dataclass(frozen=True, eq=False)
class EnlargedLiveFrame:
    """An enlarged frame on its way to the encoder; `size` is its (height, width)."""

    planes: tuple[Array, ...]
    size: tuple[int, int]
    model: str


class FrameEnlarger:
    """Enlarges frames of any format into frames of the format `stored`.

    Args:
        upscalers: The models to choose from, best first.
        first: The format of the source's first frame.
        size: The (height, width) of the result. A frame of another aspect ratio than the first keeps its own: it is
            fitted into this size, with black bars.
        stored: The format of the result.
    """

    def __init__(
        self, upscalers: Sequence[Upscaler], first: FrameFormat, size: tuple[int, int], stored: FrameFormat
    ) -> None:
        self._upscalers, self._first, self._size, self._stored = upscalers, first, size, stored
        self._enlargers: dict[tuple[int, FrameFormat], Enlarger] = {}

    def compute(self, frame: PlanarFrame, look: FrameFormat, rung: int = 0) -> EnlargedLiveFrame:
        """Enlarge a frame with the model `rung`, without its black bars."""
        enlarger = self._enlarger(look, rung)
        return EnlargedLiveFrame(enlarger.compute(frame).planes, enlarger.size, self.name(look, rung))

    def compute_afresh(self, frame: PlanarFrame, look: FrameFormat, rung: int) -> None:
        """Enlarge a frame without reusing the one before, to time it."""
        enlarger = self._enlarger(look, rung)
        enlarger.forget()
        enlarger.compute(frame)

    def _enlarger(self, look: FrameFormat, rung: int) -> Enlarger:
        if (rung, look) not in self._enlargers:
            if any(known != look for _, known in self._enlargers):
                self._enlargers.clear()  # a source that often changes its format must not fill the memory
            self._enlargers[rung, look] = Enlarger(self._upscalers[rung], look, self._fitted(look), self._stored)
        return self._enlargers[rung, look]

    def name(self, look: FrameFormat, rung: int) -> str:
        """Returns the name of the model or resampler that enlarges frames of this format."""
        names = self._upscalers[rung].names((look.height, look.width), self._fitted(look))
        return " + ".join(names) or "same size"

    def finish(self, enlarged: EnlargedLiveFrame) -> tuple[Array, ...]:
        """Returns planes of the stored format, with black bars where the frame needs them."""
        return enlarged.planes if enlarged.size == self._size else self._with_bars(enlarged.planes, enlarged.size)

    def _fitted(self, look: FrameFormat) -> tuple[int, int]:
        """The largest size with the frame's aspect ratio in that of the result, in whole chroma samples."""
        if (look.height, look.width) == (self._first.height, self._first.width):
            return self._size
        height, width = self._size
        factor = min(height / look.height, width / look.width)
        down, across = self._stored.chroma or (1, 1)
        sides = round(look.height * factor / down) * down, round(look.width * factor / across) * across
        return min(max(down, sides[0]), height), min(max(across, sides[1]), width)

    def _with_bars(self, planes: tuple[Array, ...], inner: tuple[int, int]) -> tuple[Array, ...]:
        down, across = self._stored.chroma or (1, 1)
        top, left = (self._size[0] - inner[0]) // 2 // down * down, (self._size[1] - inner[1]) // 2 // across * across
        framed: list[Any] = []
        for number, (plane, shape) in enumerate(zip(planes, self._stored.shapes, strict=True)):
            luma = number == 0 or self._stored.rgb
            black = self._stored.levels[0] if luma else 1 << self._stored.depth - 1
            whole = np.full(shape, black, plane.dtype)
            y, x = (top, left) if number == 0 else (top // down, left // across)
            whole[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
            framed.append(whole)
        return tuple(framed)
