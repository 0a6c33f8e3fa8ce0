"""Reuses the results of tiles that did not change from one frame to the next."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field

import numpy as np

from hyperacuity.engines import Batch, Engine


@dataclass
class Savings:
    """How many pixels networks would have read (`total`), and how many of them they did not have to (`saved`)."""

    total: int = 0
    saved: int = 0

    @property
    def share(self) -> float:
        """The saved pixels as a share of all."""
        return self.saved / self.total if self.total else 0.0

    def __add__(self, other: Savings) -> Savings:
        return Savings(self.total + other.total, self.saved + other.saved)


@dataclass(eq=False)
class UnchangedTiles:
    """The tiles of one frame that an engine read, and its results, for reuse by the next frame.

    It grows in the thread that computes the frame, while the thread of the next frame reads it.
    """

    _tiles: list[tuple[Batch, Future[Batch | None]]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _complete: bool = False

    def add(self, batch: Batch) -> Future[Batch | None]:
        """Append a tile; the caller sets the returned future to its result, or to None if it failed."""
        answer: Future[Batch | None] = Future()
        with self._changed:
            self._tiles.append((batch, answer))
            self._changed.notify_all()
        return answer

    def get(self, place: int) -> tuple[Batch, Future[Batch | None]] | None:
        """Returns the tile with an index, waiting for it; None if the frame has fewer tiles."""
        with self._changed:
            self._changed.wait_for(lambda: self._complete or place < len(self._tiles))
            return self._tiles[place] if place < len(self._tiles) else None

    def close(self) -> None:
        """Mark the frame as complete."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()


class ReusingEngine:
    """An engine for one frame that reuses the results of tiles equal to those of the frame before.

    Args:
        engine: The engine that computes the other tiles.
        before: Tiles of the frame before; None if there is none.
        own: Filled with the tiles of this frame.
        savings: Counts the pixels.
        available: Bytes that a run may take.
        stop: Set when the frame is no longer needed; the next run then raises `CancelledError`.
    """

    def __init__(
        self,
        engine: Engine,
        before: UnchangedTiles | None,
        own: UnchangedTiles,
        savings: Savings,
        *,
        available: int,
        stop: threading.Event,
    ) -> None:
        self._engine, self._before, self._own, self._savings = engine, before, own, savings
        self._available, self._stop = available, stop
        self._place = 0
        self.scale, self.channels, self.multiple, self.halo = (
            engine.scale,
            engine.channels,
            engine.multiple,
            engine.halo,
        )
        self.activation_bytes, self.precision = engine.activation_bytes, engine.precision

    def available(self) -> int:
        return self._available

    def run(self, batch: Batch) -> Batch:
        if self._stop.is_set():
            raise CancelledError
        answer = self._own.add(batch)
        earlier = self._before.get(self._place) if self._before is not None else None
        self._place += 1
        self._savings.total += batch.size
        result: Batch | None = None
        try:
            if earlier is not None and np.array_equal(earlier[0], batch):
                result = earlier[1].result()
            if result is not None:
                self._savings.saved += batch.size
            else:
                result = self._engine.run(batch)
        finally:
            answer.set_result(result)
        return result

    def in_float32(self) -> ReusingEngine:
        full = self._engine.in_float32()
        if full is self._engine:
            return self
        return ReusingEngine(full, None, UnchangedTiles(), self._savings, available=self._available, stop=self._stop)

    def per_core(self) -> None:
        return None  # it serves one frame only
