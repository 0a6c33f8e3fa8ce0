"""Enlarges frames: luma through the network in its stored codes, chroma by bicubic."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.formats.video.frames import Array, FrameFormat, PlanarFrame
from hyperacuity.image import Image
from hyperacuity.pipeline.first_pass import Facts
from hyperacuity.upscaler import Upscaler
from hyperacuity.video import chroma
from hyperacuity.video.concurrency import in_order
from hyperacuity.video.unchanged import ReusingEngine, Savings, UnchangedTiles

Plane = NDArray[np.float32]

# Memory of a frame in progress per pixel of the result and channel of the network, in bytes: floats before and after
# the steps around the network, and the rounded planes.
_FRAME_BYTES = 16


@dataclass(frozen=True, eq=False)
class EnlargedFrame:
    """A frame and its planes at the new size.

    Attributes:
        frame: The frame of the source.
        planes: In the format that is stored.
        unchanged: Whether the frame equals the one before.
        savings: Of this frame.
    """

    frame: PlanarFrame
    planes: tuple[Array, ...]
    unchanged: bool
    savings: Savings


@dataclass(frozen=True, eq=False)
class _PendingFrame:
    """A frame that is being computed or is done, with what the next frame can reuse."""

    frame: PlanarFrame
    done: Future[EnlargedFrame]
    tiles: list[UnchangedTiles]


class Enlarger:
    """Brings frames of one format to another size and format.

    Networks on luma read the luma plane: code / 255 in studio range is the input that they were trained on. Networks on
    RGB read R, G, B by the video's own matrix and range, and their result is converted back.

    Args:
        upscaler: The model.
        source: The format of the frames.
        size: The (height, width) of the result.
        stored: The format of the result; its sides may be larger than `size` by what the codec needs.
    """

    def __init__(self, upscaler: Upscaler, source: FrameFormat, size: tuple[int, int], stored: FrameFormat) -> None:
        self.source, self.size, self.stored = source, size, stored
        self._pipeline = upscaler.pipeline((source.height, source.width), size)
        # Resamplers commute with the conversion between R, G, B and Y, Cb, Cr.
        self._on_luma = not source.rgb and all(stage.engine.channels == 1 for stage in self._pipeline.stages)
        self._last: _PendingFrame | None = None
        self._workers, self._stop = 1, threading.Event()
        self._measure_memory()

    def _measure_memory(self) -> None:
        """The memory that a run may take, measured only occasionally, since measuring takes milliseconds."""
        self._available = [stage.engine.available() // self._workers for stage in self._pipeline.stages]

    def forget(self) -> None:
        """Compute the next frame in full, without reusing the one before."""
        self._last = None
        self._measure_memory()

    def stream(self, frames: Iterable[PlanarFrame]) -> Generator[EnlargedFrame]:
        """Yield frames in their order, one per core at once if engines and memory allow it.

        This is faster than all cores on one frame, where they wait for one another at every layer.
        """
        stages, cores = self._pipeline.stages, machine.cores()
        held = cores * _FRAME_BYTES * self.size[0] * self.size[1] * (1 if self._on_luma else 3)
        if stages and held <= min(self._available) // 4:
            engines = [engine for stage in stages if (engine := stage.engine.per_core()) is not None]
            if len(engines) == len(stages):
                per_core = [replace(stage, engine=engine) for stage, engine in zip(stages, engines, strict=True)]
                self._pipeline, self._workers = replace(self._pipeline, stages=per_core), cores
                self._measure_memory()
        self._stop.clear()
        yield from in_order((self._begin(frame) for frame in frames), self._workers, self._stop)

    def compute(self, frame: PlanarFrame) -> EnlargedFrame:
        """Returns one frame, computed by all cores."""
        return self._begin(frame)()

    def _begin(self, frame: PlanarFrame) -> Callable[[], EnlargedFrame]:
        """Called in frame order; returns a function that computes this frame in any thread."""
        before, done = self._last, Future[EnlargedFrame]()
        unchanged = before is not None and frame.equals(before.frame)
        tiles = before.tiles if before and unchanged else [UnchangedTiles() for _ in self._pipeline.stages]
        self._last = _PendingFrame(frame, done, tiles)

        def work() -> EnlargedFrame:
            try:
                if before and unchanged:
                    earlier = before.done.result()
                    whole = Savings(earlier.savings.total, earlier.savings.total)
                    result = EnlargedFrame(frame, earlier.planes, True, whole)
                else:
                    result = self._computed(frame, before.tiles if before else None, tiles)
            except BaseException as error:
                done.set_exception(error)
                raise
            finally:
                for each in tiles:
                    each.close()
            done.set_result(result)
            return result

        return work

    def _computed(
        self, frame: PlanarFrame, before: list[UnchangedTiles] | None, own: list[UnchangedTiles]
    ) -> EnlargedFrame:
        savings = Savings()
        stages = [
            replace(
                stage,
                engine=ReusingEngine(
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
        image = Image.from_pixels(self._network_input(frame), levels=self._levels)
        # Levels are those of the video, and not the range of one frame: a dark scene would flicker.
        pixels = replace(self._pipeline, stages=stages).stream(image, *self.size, known=Facts()).gather().pixels
        planes = self._planes(frame, pixels[..., 0] if self._on_luma else pixels)
        if self.stored.alpha and frame.alpha is not None:
            planes = *planes, chroma.resize_alpha(frame.alpha, self.source, self.stored.resized(*self.size))
        return EnlargedFrame(frame, planes, False, savings)

    @property
    def _levels(self) -> tuple[float, float]:
        return self.source.levels if self._on_luma or self.source.rgb else (0, 1)

    def _network_input(self, frame: PlanarFrame) -> Plane:
        """The input of the network, in floats, so that codes below black and above white are kept."""
        luma = frame.planes[0].astype(np.float32)
        if self._on_luma or self.source.chroma is None:
            return luma
        if self.source.rgb:
            return np.stack(frame.planes, -1).astype(np.float32)
        return chroma.frame_to_rgb(frame.planes, self.source).transpose(1, 2, 0)

    def _planes(self, frame: PlanarFrame, larger: Plane) -> tuple[Array, ...]:
        """The planes to store, from the network's (h, w) luma or (h, w, 3) RGB in unrounded codes of the source."""
        source, stored = self.source, self.stored
        target = replace(stored.resized(*self.size), alpha=False)
        if source.chroma is None or self._on_luma:
            luma = larger.reshape(self.size)
            if stored.rgb:
                full = replace(source, chroma=(1, 1)).resized(*self.size)
                colours = chroma.resize_chroma(_stacked(frame), source, full)
                rgb = chroma.to_rgb(luma, colours, source.resized(*self.size))
                return tuple(_rounded(rgb * np.float32(stored.levels[1]), stored))
            luma = chroma.convert_codes(luma, source, stored, chroma=False)
            if stored.chroma is None:
                return (_rounded(luma, stored),)
            if source.chroma is None:
                colours = np.full((2, *target.shapes[1]), 1 << stored.depth - 1, np.float32)
            else:
                colours = chroma.resize_chroma(_stacked(frame), source, target)
                colours = chroma.convert_codes(colours, source, stored, chroma=True)
            return _rounded(luma, stored), *_rounded(colours, stored)
        rgb = larger.transpose(2, 0, 1)
        if stored.rgb:
            codes = rgb if source.rgb else rgb * np.float32(stored.levels[1])
            return tuple(
                _rounded(chroma.convert_codes(codes, source, stored, chroma=False) if source.rgb else codes, stored)
            )
        if source.rgb:
            rgb = rgb / np.float32(source.levels[1])
        luma, colours = chroma.from_rgb(rgb, target)
        colours = chroma.resize_chroma(colours, replace(target, chroma=(1, 1)), target)
        return _rounded(luma, stored), *_rounded(colours, stored)


def _stacked(frame: PlanarFrame) -> Plane:
    return np.stack(frame.planes[1:]).astype(np.float32)


def _rounded(values: Any, frame_format: FrameFormat) -> Array:
    """Codes of a format, rounded half up and clipped to its bit depth."""
    codes = values + np.float32(0.5)
    np.clip(codes, 0, (1 << frame_format.depth) - 1, out=codes)
    rounded: Array = codes.astype(frame_format.dtype)  # truncates
    return rounded
