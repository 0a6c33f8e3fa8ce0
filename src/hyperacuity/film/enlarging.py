"""A frame at another size: luma through the network as it is stored, chroma beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.api import Upscaler
from hyperacuity.film import chroma
from hyperacuity.film.still import Savings, remembering
from hyperacuity.formats.video.frames import Array, Frame, Layout
from hyperacuity.image import Image

Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Enlarged:
    """A frame and what the network made of it. still: it is the frame before once more. savings: up to this frame."""

    frame: Frame
    planes: Plane
    still: bool
    savings: Savings


class Enlarger:
    """Makes frames of one layout into those of another, `size` being what the network is asked for.

    Networks on luma get the luma plane: in studio range code / 255 is just what they were trained on. Networks on RGB
    get R, G, B by the film's own matrix and range, and their answer goes back through both. `compute` and `finish` may
    run in two threads, each seeing all frames in their order.
    """

    def __init__(self, upscaler: Upscaler, source: Layout, size: tuple[int, int], stored: Layout) -> None:
        self.source, self.size, self.stored = source, size, stored
        self.savings = Savings()
        self._pipeline, self._memories = remembering(
            upscaler.pipeline((source.height, source.width), size), self.savings
        )
        # Resamplers do the same to R, G, B and to Y, Cb, Cr.
        self._on_luma = not source.rgb and all(stage.engine.channels == 1 for stage in self._pipeline.stages)
        self._last: Enlarged | None = None
        self._finished: tuple[Array, ...] = ()
        self._whole = 0

    def forget(self) -> None:
        """The next frame is computed whole, whatever came before."""
        self._last = None
        for memory in self._memories:
            memory.forget()

    def compute(self, frame: Frame) -> Enlarged:
        """The network's part: (h, w) luma, or (h, w, 3) RGB, in codes of the source that are not rounded."""
        if self._last is not None and frame.same(self._last.frame):
            self.savings.total += self._whole
            self.savings.saved += self._whole
            return Enlarged(frame, self._last.planes, True, replace(self.savings))
        for memory in self._memories:
            memory.next_frame()
        before = self.savings.total
        image = Image.of(self._seen(frame), levels=self._levels)
        larger = self._pipeline.stream(image, *self.size).gather().pixels
        self._whole = self.savings.total - before
        self._last = Enlarged(frame, larger[..., 0] if self._on_luma else larger, False, replace(self.savings))
        return self._last

    @property
    def _levels(self) -> tuple[float, float]:
        return self.source.levels if self._on_luma or self.source.rgb else (0, 1)

    def _seen(self, frame: Frame) -> Plane:
        """What the network is given; floats, so that codes blacker than black and whiter than white are kept."""
        luma = frame.planes[0].astype(np.float32)
        if self._on_luma or self.source.chroma is None:
            return luma
        if self.source.rgb:
            return np.stack(frame.planes, -1).astype(np.float32)
        return chroma.seen(frame.planes, self.source).transpose(1, 2, 0)

    def finish(self, enlarged: Enlarged) -> tuple[Array, ...]:
        """The planes to store."""
        if not enlarged.still:
            self._finished = self._planes(enlarged)
        return self._finished

    def _planes(self, enlarged: Enlarged) -> tuple[Array, ...]:
        source, stored = self.source, self.stored
        target = stored.resized(*self.size)
        if source.chroma is None or self._on_luma:
            luma = enlarged.planes.reshape(self.size)
            if stored.rgb:
                full = replace(source, chroma=(1, 1)).resized(*self.size)
                colours = chroma.resized(_stacked(enlarged.frame), source, full)
                rgb = chroma.to_rgb(luma, colours, source.resized(*self.size))
                return tuple(_rounded(rgb * np.float32(stored.levels[1]), stored))
            luma = chroma.recoded(luma, source, stored, chroma=False)
            if stored.chroma is None:
                return (_rounded(luma, stored),)
            if source.chroma is None:
                colours = np.full((2, *target.shapes[1]), 1 << stored.depth - 1, np.float32)
            else:
                colours = chroma.resized(_stacked(enlarged.frame), source, target)
                colours = chroma.recoded(colours, source, stored, chroma=True)
            return _rounded(luma, stored), *_rounded(colours, stored)
        rgb = enlarged.planes.transpose(2, 0, 1)
        if stored.rgb:
            codes = rgb if source.rgb else rgb * np.float32(stored.levels[1])
            return tuple(_rounded(chroma.recoded(codes, source, stored, chroma=False) if source.rgb else codes, stored))
        if source.rgb:
            rgb = rgb / np.float32(source.levels[1])
        luma, colours = chroma.from_rgb(rgb, target)
        colours = chroma.resized(colours, replace(target, chroma=(1, 1)), target)
        return _rounded(luma, stored), *_rounded(colours, stored)


def _stacked(frame: Frame) -> Plane:
    return np.stack(frame.planes[1:]).astype(np.float32)


def _rounded(values: Any, look: Layout) -> Array:
    """Codes of the layout, rounded half up and clipped to what its bits hold."""
    codes = values + np.float32(0.5)
    np.clip(codes, 0, (1 << look.depth) - 1, out=codes)
    rounded: Array = codes.astype(look.dtype)  # cuts off towards zero
    return rounded
