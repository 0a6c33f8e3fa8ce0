"""A frame at another size: luma through the network as it is stored, chroma beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.api import Upscaler
from hyperacuity.formats.video.frames import Array, Frame, Layout
from hyperacuity.image import Image
from hyperacuity.video import chroma
from hyperacuity.video.still import Memory, Remembering, Savings
from hyperacuity.video.threads import abreast

Plane = NDArray[np.float32]

# What a frame takes on its way for each pixel of the result and channel of the network: floats before and after the
# steps around the network, and the rounded planes.
FRAME_BYTES = 16


@dataclass(frozen=True, eq=False)
class Enlarged:
    """A frame and its planes at the new size, as they are stored. still: it is the frame before once more. savings: of
    this frame.
    """

    frame: Frame
    planes: tuple[Array, ...]
    still: bool
    savings: Savings


@dataclass(frozen=True, eq=False)
class _Begun:
    """A frame that is being computed, or is done: what the next one may take of it."""

    frame: Frame
    done: Future[Enlarged]
    memories: list[Memory]


class Enlarger:
    """Makes frames of one layout into those of another, `size` being what the network is asked for.

    Networks on luma get the luma plane: in studio range code / 255 is just what they were trained on. Networks on RGB
    get R, G, B by the video's own matrix and range, and their answer goes back through both.
    """

    def __init__(self, upscaler: Upscaler, source: Layout, size: tuple[int, int], stored: Layout) -> None:
        self.source, self.size, self.stored = source, size, stored
        self._pipeline = upscaler.pipeline((source.height, source.width), size)
        # Resamplers do the same to R, G, B and to Y, Cb, Cr.
        self._on_luma = not source.rgb and all(stage.engine.channels == 1 for stage in self._pipeline.stages)
        self._last: _Begun | None = None
        self._abreast, self._stop = 1, threading.Event()
        self._look_at_memory()

    def _look_at_memory(self) -> None:
        """How much a run may take: asked now and then, since it costs milliseconds."""
        self._available = [stage.engine.available() // self._abreast for stage in self._pipeline.stages]

    def forget(self) -> None:
        """The next frame is computed whole, whatever came before."""
        self._last = None
        self._look_at_memory()

    def all(self, frames: Iterable[Frame]) -> Generator[Enlarged]:
        """Frames in their order: one for each core at once where engines can compute so and memory holds them, which is
        faster than all cores on one frame, where each waits for the others at every layer.
        """
        stages, cores = self._pipeline.stages, machine.cores()
        held = cores * FRAME_BYTES * self.size[0] * self.size[1] * (1 if self._on_luma else 3)
        if stages and held <= min(self._available) // 4:
            engines = [engine for stage in stages if (engine := stage.engine.per_core()) is not None]
            if len(engines) == len(stages):
                alone = [replace(stage, engine=engine) for stage, engine in zip(stages, engines, strict=True)]
                self._pipeline, self._abreast = replace(self._pipeline, stages=alone), cores
                self._look_at_memory()
        self._stop.clear()
        yield from abreast((self._begin(frame) for frame in frames), self._abreast, self._stop)

    def compute(self, frame: Frame) -> Enlarged:
        """One frame, by all cores."""
        return self._begin(frame)()

    def _begin(self, frame: Frame) -> Callable[[], Enlarged]:
        """To be called in the order of the frames; what it returns computes this one, in any thread."""
        before, done = self._last, Future[Enlarged]()
        still = before is not None and frame.same(before.frame)
        memories = before.memories if before and still else [Memory() for _ in self._pipeline.stages]
        self._last = _Begun(frame, done, memories)

        def work() -> Enlarged:
            try:
                if before and still:
                    earlier = before.done.result()
                    whole = Savings(earlier.savings.total, earlier.savings.total)
                    result = Enlarged(frame, earlier.planes, True, whole)
                else:
                    result = self._computed(frame, before.memories if before else None, memories)
            except BaseException as error:
                done.set_exception(error)
                raise
            finally:
                for memory in memories:
                    memory.close()
            done.set_result(result)
            return result

        return work

    def _computed(self, frame: Frame, before: list[Memory] | None, own: list[Memory]) -> Enlarged:
        savings = Savings()
        stages = [
            replace(
                stage,
                engine=Remembering(
                    stage.engine,
                    before[n] if before else None,
                    own[n],
                    savings,
                    available=self._available[n],
                    stop=self._stop,
                ),
            )
            for n, stage in enumerate(self._pipeline.stages)
        ]
        image = Image.from_pixels(self._seen(frame), levels=self._levels)
        pixels = replace(self._pipeline, stages=stages).stream(image, *self.size).gather().pixels
        return Enlarged(frame, self._planes(frame, pixels[..., 0] if self._on_luma else pixels), False, savings)

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

    def _planes(self, frame: Frame, larger: Plane) -> tuple[Array, ...]:
        """The planes to store, of the network's (h, w) luma, or (h, w, 3) RGB, in codes of the source not rounded."""
        source, stored = self.source, self.stored
        target = stored.resized(*self.size)
        if source.chroma is None or self._on_luma:
            luma = larger.reshape(self.size)
            if stored.rgb:
                full = replace(source, chroma=(1, 1)).resized(*self.size)
                colours = chroma.resized(_stacked(frame), source, full)
                rgb = chroma.to_rgb(luma, colours, source.resized(*self.size))
                return tuple(_rounded(rgb * np.float32(stored.levels[1]), stored))
            luma = chroma.recoded(luma, source, stored, chroma=False)
            if stored.chroma is None:
                return (_rounded(luma, stored),)
            if source.chroma is None:
                colours = np.full((2, *target.shapes[1]), 1 << stored.depth - 1, np.float32)
            else:
                colours = chroma.resized(_stacked(frame), source, target)
                colours = chroma.recoded(colours, source, stored, chroma=True)
            return _rounded(luma, stored), *_rounded(colours, stored)
        rgb = larger.transpose(2, 0, 1)
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
