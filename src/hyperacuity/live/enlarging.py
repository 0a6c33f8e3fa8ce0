"""Enlarges frames to the size of the result with any of several models, even if the source changes its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hyperacuity.formats.video.frames import Array, FrameFormat, PlanarFrame
from hyperacuity.formats.video.shapes import FrameShape, add_bars, fitted_size
from hyperacuity.upscaler import Upscaler
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
        return (
            enlarged.planes if enlarged.size == self._size else add_bars(enlarged.planes, enlarged.size, self._stored)
        )

    def _fitted(self, look: FrameFormat) -> tuple[int, int]:
        """The largest size with the frame's aspect ratio in that of the result, in whole chroma samples."""
        shape, first = FrameShape(look.height, look.width), FrameShape(self._first.height, self._first.width)
        return fitted_size(shape, first, self._size, self._stored.chroma)
