"""What did not change from one frame to the next is not computed again."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field

import numpy as np

from hyperacuity.engines import Batch, Engine


@dataclass
class Savings:
    """How many pixels networks would have read, and how many of them they were spared."""

    total: int = 0
    saved: int = 0

    @property
    def share(self) -> float:
        return self.saved / self.total if self.total else 0.0

    def __add__(self, other: Savings) -> Savings:
        return Savings(self.total + other.total, self.saved + other.saved)


@dataclass(eq=False)
class Memory:
    """What one engine was given for one frame, tile by tile, and what it answered.

    It grows in the thread that computes the frame, and is read in that of the next frame, both at the same time.
    """

    _tiles: list[tuple[Batch, Future[Batch | None]]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _whole: bool = False

    def add(self, batch: Batch) -> Future[Batch | None]:
        """The next tile; its answer is to be put into the future, or None where there is none."""
        answer: Future[Batch | None] = Future()
        with self._changed:
            self._tiles.append((batch, answer))
            self._changed.notify_all()
        return answer

    def at(self, place: int) -> tuple[Batch, Future[Batch | None]] | None:
        """The tile at a place, once it is there; None where the frame has no such place."""
        with self._changed:
            self._changed.wait_for(lambda: self._whole or place < len(self._tiles))
            return self._tiles[place] if place < len(self._tiles) else None

    def close(self) -> None:
        """No more will come."""
        with self._changed:
            self._whole = True
            self._changed.notify_all()


class Remembering:
    """An engine, for one frame, that answers a tile equal to the one at its place in the frame before with the same.

    before: of the frame before; None = there is none. own: filled for the frame after. available: bytes that a run may
    take. stop: set when nobody wants the frame any more; the next run raises `CancelledError` then.
    """

    def __init__(
        self,
        engine: Engine,
        before: Memory | None,
        own: Memory,
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
        earlier = self._before.at(self._place) if self._before is not None else None
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

    def in_float32(self) -> Remembering:
        full = self._engine.in_float32()
        if full is self._engine:
            return self
        return Remembering(full, None, Memory(), self._savings, available=self._available, stop=self._stop)

    def per_core(self) -> None:
        return None  # it is for one frame
