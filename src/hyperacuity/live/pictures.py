"""Frames at the size of the result, by the model whose turn it is, whatever size the source has just now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperacuity.api import Upscaler
from hyperacuity.formats.video.frames import Array
from hyperacuity.formats.video.frames import FrameFormat as Layout
from hyperacuity.formats.video.frames import PlanarFrame as Frame
from hyperacuity.video.enlarging import Enlarger


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame that a model has made larger, on its way to the encoder; `size` is its (height, width)."""

    planes: tuple[Array, ...]
    size: tuple[int, int]
    model: str


class Pictures:
    """Enlarges frames of any layout into those of `stored`.

    upscalers: the rungs, best first. size: the (height, width) that is seen of a frame that has the first one's shape.
    Others keep their shape: they are fitted into it, with black beside them.
    """

    def __init__(self, upscalers: Sequence[Upscaler], first: Layout, size: tuple[int, int], stored: Layout) -> None:
        self._upscalers, self._first, self._size, self._stored = upscalers, first, size, stored
        self._enlargers: dict[tuple[int, Layout], Enlarger] = {}

    def compute(self, frame: Frame, look: Layout, rung: int = 0) -> Picture:
        """All but what is beside the picture."""
        enlarger = self._enlarger(look, rung)
        return Picture(enlarger.compute(frame).planes, enlarger.size, self.name(look, rung))

    def anew(self, frame: Frame, look: Layout, rung: int) -> None:
        """The same for nothing, without what is remembered of the frame before: to time it."""
        enlarger = self._enlarger(look, rung)
        enlarger.forget()
        enlarger.compute(frame)

    def _enlarger(self, look: Layout, rung: int) -> Enlarger:
        if (rung, look) not in self._enlargers:
            if any(known != look for _, known in self._enlargers):
                self._enlargers.clear()  # a source that changes every minute shall not fill the memory
            self._enlargers[rung, look] = Enlarger(self._upscalers[rung], look, self._fitted(look), self._stored)
        return self._enlargers[rung, look]

    def name(self, look: Layout, rung: int) -> str:
        names = self._upscalers[rung].names((look.height, look.width), self._fitted(look))
        return " + ".join(names) or "same size"

    def finish(self, picture: Picture) -> tuple[Array, ...]:
        """Planes of the stored layout."""
        return picture.planes if picture.size == self._size else self._framed(picture.planes, picture.size)

    def _fitted(self, look: Layout) -> tuple[int, int]:
        """The largest size of the frame's shape in that of the result; whole chroma samples where it is not all."""
        if (look.height, look.width) == (self._first.height, self._first.width):
            return self._size
        height, width = self._size
        factor = min(height / look.height, width / look.width)
        down, across = self._stored.chroma or (1, 1)
        sides = round(look.height * factor / down) * down, round(look.width * factor / across) * across
        return min(max(down, sides[0]), height), min(max(across, sides[1]), width)

    def _framed(self, planes: tuple[Array, ...], inner: tuple[int, int]) -> tuple[Array, ...]:
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
