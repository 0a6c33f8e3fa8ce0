"""Streams of rows, from top to bottom: regrouped, cut into windows, resized, and computed by several threads."""

from __future__ import annotations

import contextvars
import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.counting import counted
from hyperacuity.errors import DamagedFile
from hyperacuity.pipeline import tile_budget
from hyperacuity.pipeline.planes import Planes
from hyperacuity.resize import Kernel, Taps, resample, taps

Item = TypeVar("Item")
Mapped = TypeVar("Mapped")
# Post-processes a block of a step's result in the thread that computed it, since handing it to another takes longer.
Finish = Callable[[Planes], Any]
# Rows [first, last) of an image.
RowRange = tuple[int, int]


class RowStep(Protocol):
    """Turns a stream of planes into another one; `made_for` and `reads` say which rows it takes for which result."""

    def made_for(self, rows: RowRange) -> RowRange:
        """Returns the rows of the result that the step computes if `rows` are requested: these, or a few more."""
        ...

    def reads(self, made: RowRange) -> RowRange:
        """Returns the rows that the step reads to compute the rows `made`."""
        ...

    def stream(
        self, pool: Executor, strips: Iterable[Planes], finish: Finish, made: RowRange, top: int = 0
    ) -> Iterator[Any]:
        """Yields the rows `made` of the result, a block at a time, each through `finish`.

        Args:
            pool: The threads.
            strips: The rows that the step reads, and perhaps more before and behind them.
            finish: Called with each block.
            made: What `made_for` returned.
            top: The number of the first row of `strips`.
        """
        ...


@dataclass(frozen=True)
class RowRoute:
    """The rows of each stream on the way from an image to some rows of its result.

    Attributes:
        steps: What the planes go through, first to last.
        source: The rows of the image that are read.
        made: The rows that each step computes.
    """

    steps: Sequence[RowStep]
    source: RowRange
    made: Sequence[RowRange]

    @classmethod
    def to(cls, rows: RowRange, steps: Sequence[RowStep], also: Iterable[RowRange] = ()) -> RowRoute:
        """The route through `steps` to `rows` of the result of the last one; `also` are more rows of the image."""
        made: list[RowRange] = []
        needed = rows
        for step in reversed(steps):
            made.append(step.made_for(needed))
            needed = step.reads(made[-1])
        firsts, lasts = zip(needed, *also, strict=True)
        return cls(steps, (min(firsts), max(lasts)), made[::-1])

    @property
    def result(self) -> RowRange:
        """The rows that `stream` yields: the requested ones, or a few more."""
        return self.made[-1] if self.made else self.source

    def stream(self, pool: Executor, strips: Iterable[Planes], finish: Finish) -> Iterator[Any]:
        """Yields the rows `result` in blocks, each through `finish`; `strips` are the rows `source`."""
        top, last = self.source[0], len(self.steps) - 1
        for n, (step, made) in enumerate(zip(self.steps, self.made, strict=True)):
            strips = step.stream(pool, strips, finish if n == last else _unchanged, made, top)
            top = made[0]
        yield from strips if self.steps else map_ahead(pool, strips, finish)


def _unchanged(block: Planes) -> Planes:
    return block


def pixel_pool() -> ThreadPoolExecutor:
    """The threads for numpy's work around the networks, shared by all images.

    Starting them takes longer than a small image does. A forked process has none of them and starts its own.
    """
    return _pool(os.getpid())


@functools.cache
def _pool(_process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(machine.cores(), "hyperacuity-pixels")


def map_ahead(
    pool: Executor | None, items: Iterable[Item], work: Callable[[Item], Mapped], ahead: int | None = None
) -> Iterator[Mapped]:
    """Map in the threads of a pool, in order, some items ahead of the reader.

    Args:
        pool: None computes in this thread.
        items: Read in this thread.
        work: Called in any thread, with the caller's context variables.
        ahead: How many items; None for one for each core.
    """
    if pool is None:
        yield from map(work, items)
        return
    waiting: deque[Future[Mapped]] = deque()
    ahead = machine.cores() if ahead is None else ahead
    try:
        for item in items:
            # The context holds the task to which warnings belong.
            waiting.append(pool.submit(contextvars.copy_context().run, work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def fork(items: Iterable[Item]) -> tuple[Iterator[Item], Iterator[Item]]:
    """Returns two iterators over the same items, read in one thread; an item is held until both have passed it.

    `itertools.tee` holds dozens of items longer, which are rows here.
    """
    source = iter(items)
    waiting: tuple[deque[Item], deque[Item]] = deque(), deque()

    def branch(mine: deque[Item], other: deque[Item]) -> Iterator[Item]:
        while True:
            if not mine:
                try:
                    mine.append(next(source))
                except StopIteration:
                    return
                other.append(mine[0])
            yield mine.popleft()

    return branch(*waiting), branch(*waiting[::-1])


def block_rows(width: int) -> int:
    """The number of rows of this width in a block for the steps around the network."""
    return max(1, tile_budget.BLOCK // width)


def split_blocks(planes: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut planes, or a batch of them, (..., h, W), into views of a block of rows each."""
    rows = block_rows(planes.shape[-1])
    for top in range(0, planes.shape[-2], rows):
        yield planes[..., top : top + rows, :]


def regroup(strips: Iterable[NDArray[Any]], count: int, height: int) -> Iterator[NDArray[Any]]:
    """Regroup the strips (h, W, C) of an image into groups of `count` rows each, the last of which may have fewer.

    Copies only where a group lies in several strips.

    Args:
        strips: Of any heights. The arrays must not be modified after they are passed on.
        count: Rows of a group.
        height: Of the image.

    Raises:
        DamagedFile: If the strips have more or fewer rows than `height`.
    """
    held: list[NDArray[Any]] = []
    missing, total = count, 0
    for strip in strips:
        total += len(strip)
        if total > height:
            break
        top = 0
        while top < len(strip):
            held.append(part := strip[top : top + missing])
            top += len(part)
            missing -= len(part)
            if not missing:
                yield _stacked(held, axis=0)
                held, missing = [], count
    if total != height:
        raise DamagedFile(f"{counted(total, 'row')} arrived for an image of {height}")
    if held:
        yield _stacked(held, axis=0)


def trimmed(blocks: Iterable[NDArray[Any]], top: int, rows: RowRange, axis: int = 0) -> Iterator[NDArray[Any]]:
    """The rows [first, last) of a stream of blocks that begins at row `top`."""
    for block in blocks:
        bottom = top + block.shape[axis]
        part = slice(max(rows[0] - top, 0), min(rows[1], bottom) - top)
        if part.start < part.stop:
            yield block[(slice(None),) * axis + (part,)]
        top = bottom


def windows(strips: Iterable[Planes], spans: Iterable[RowRange], top: int = 0) -> Iterator[Planes]:
    """Cut a stream of rows into windows [first, last), which may overlap; neither end may move back."""
    reader = RowReader(strips, top)
    for first, last in spans:
        yield reader.read(first, last)


class DelayedRows:
    """Passes a stream of rows on, and hands out copies of the same rows later, in blocks.

    Rows that wait lie in one array: kept as they arrive, among arrays that soon are freed, they would leave memory in
    pieces that are hard to use again.

    Args:
        strips: The rows, (C, h, W).
        top: The number of the first one.
    """

    def __init__(self, strips: Iterable[Planes], top: int = 0) -> None:
        self._strips = iter(strips)
        self._passed: deque[Planes] = deque()
        self._held: Planes | None = None  # row n lies at n modulo its height
        self._first = self._end = top

    def strips(self) -> Iterator[Planes]:
        """Yields the strips as they arrive."""
        while self._passed or self._pull():
            yield self._passed.popleft()

    def blocks(self, rows: RowRange, step: int) -> Iterator[Planes]:
        """Yields copies of the rows [first, last), `step` at a time."""
        for first in range(*rows, step):
            last = min(rows[1], first + step)
            while self._end < last and self._pull():
                pass
            assert self._held is not None
            assert self._end >= last
            yield self._held.take(range(first, last), 1, mode="wrap")
            self._first = last

    def _pull(self) -> bool:
        """Take in the next strip; returns whether there was one."""
        strip = next(self._strips, None)
        if strip is None:
            return False
        self._passed.append(strip)
        end = self._end + strip.shape[1]
        if self._held is None or end - self._first > self._held.shape[1]:
            self._grow(strip, end - self._first)
        assert self._held is not None
        self._held[:, np.arange(self._end, end) % self._held.shape[1]] = strip
        self._end = end
        return True

    def _grow(self, strip: Planes, least: int) -> None:
        waiting = np.arange(self._first, self._end)
        held = np.empty((len(strip), least + least // 4, strip.shape[2]), strip.dtype)
        if self._held is not None:
            held[:, waiting % held.shape[1]] = self._held[:, waiting % self._held.shape[1]]
        self._held = held


class RowReader:
    """Reads any rows of a stream, as long as the first of them never moves back; holds no rows before it."""

    def __init__(self, strips: Iterable[NDArray[Any]], top: int = 0) -> None:
        self._strips = iter(strips)
        self._held: NDArray[Any] | None = None
        self._top = top

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Return the rows [first, last), (C, last - first, W)."""
        if self._held is None:
            self._held = next(self._strips)
        parts = [self._held[:, first - self._top :]]
        end = self._top + self._held.shape[1]
        while end < last:
            strip = next(self._strips)
            parts.append(strip[:, max(0, first - end) :])
            end += strip.shape[1]
        self._held, self._top = _stacked(parts, axis=1), first
        return self._held[:, : last - first]


def _stacked(parts: list[NDArray[Any]], axis: int) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)


def monotone(reaches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Widen windows so that their starts never move back, since mirrored borders may reach far back."""
    first = np.minimum.accumulate([low for low, _ in reaches][::-1])[::-1]
    last = np.maximum.accumulate([high for _, high in reaches])
    return [(int(low), int(high)) for low, high in zip(first, last, strict=True)]


@dataclass(frozen=True)
class ResizeStep:
    """Resizes the rows of an image of `size` (height, width) to the size `target`; a `RowStep`."""

    size: tuple[int, int]
    target: tuple[int, int]
    kernel: Kernel

    def made_for(self, rows: RowRange) -> RowRange:
        """Exactly these rows; see `RowStep`."""
        return rows

    def reads(self, made: RowRange) -> RowRange:
        """See `RowStep`."""
        return self._down[slice(*made)].reach

    def stream(
        self, pool: Executor | None, strips: Iterable[Planes], finish: Finish, made: RowRange, top: int = 0
    ) -> Iterator[Any]:
        """See `RowStep`."""
        columns = taps(self.size[1], self.target[1], self.kernel)
        across = map_ahead(pool, strips, lambda strip: resample(strip, columns, -1))
        return resample_rows(pool, across, self._down[slice(*made)], block_rows(self.target[1]), finish, top=top)

    @functools.cached_property
    def _down(self) -> Taps:
        return taps(self.size[0], self.target[0], self.kernel)


def resample_rows(
    pool: Executor | None,
    strips: Iterable[Planes],
    rows: Taps,
    height: int,
    finish: Callable[..., Any],
    *others: Iterable[Planes],
    top: int = 0,
) -> Iterator[Any]:
    """Resample a stream of rows with the table `rows`, a block at a time.

    Args:
        pool: None computes in this thread.
        strips: The rows to resample.
        rows: Which input rows each output row reads.
        height: Of a block, in rows of the result.
        finish: Called with each block and the corresponding block of each of `others`.
        *others: Streams of blocks of the same heights as the result's.
        top: The number of the first row of `strips`.
    """
    cuts = [rows[first : first + height] for first in range(0, len(rows), height)]
    reaches = monotone([cut.reach for cut in cuts])
    down = [cut.shifted(low) for cut, (low, _) in zip(cuts, reaches, strict=True)]

    def work(parts: tuple[Any, ...]) -> Any:
        window, cut, *blocks = parts
        return finish(resample(window, cut, -2), *blocks)

    return map_ahead(pool, zip(windows(strips, reaches, top), down, *others, strict=True), work)
