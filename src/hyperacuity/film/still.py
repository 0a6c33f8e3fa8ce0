"""What did not change from one frame to the next is not computed again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hyperacuity.engines import Batch, Engine
from hyperacuity.pipeline import Pipeline


@dataclass
class Savings:
    """How many pixels networks would have read, and how many of them they were spared."""

    total: int = 0
    saved: int = 0

    @property
    def share(self) -> float:
        return self.saved / self.total if self.total else 0.0


class Remembering:
    """An engine that answers a tile equal to the one at its place in the frame before with the same answer."""

    def __init__(self, engine: Engine, savings: Savings) -> None:
        self._engine, self._savings = engine, savings
        self._before: list[tuple[Batch, Batch]] = []
        self._now: list[tuple[Batch, Batch]] = []
        self.scale, self.channels, self.multiple, self.halo = (
            engine.scale,
            engine.channels,
            engine.multiple,
            engine.halo,
        )
        self.activation_bytes, self.precision = engine.activation_bytes, engine.precision
        self._available = engine.available()

    def next_frame(self) -> None:
        self._before, self._now = self._now, []

    def forget(self) -> None:
        self._before, self._now = [], []
        self._available = self._engine.available()

    def available(self) -> int:
        """As it was at the beginning: asking the system costs milliseconds, and frame after frame takes the same."""
        return self._available

    def run(self, batch: Batch) -> Batch:
        place = len(self._now)
        self._savings.total += batch.size
        if place < len(self._before) and np.array_equal(self._before[place][0], batch):
            answer = self._before[place][1]
            self._savings.saved += batch.size
        else:
            answer = self._engine.run(batch)
        self._now.append((batch, answer))
        return answer

    def in_float32(self) -> Remembering:
        full = self._engine.in_float32()
        return self if full is self._engine else Remembering(full, self._savings)


def remembering(pipeline: Pipeline, savings: Savings) -> tuple[Pipeline, list[Remembering]]:
    """The same pipeline, and its engines, which are to be told of each new frame."""
    memories = [Remembering(stage.engine, savings) for stage in pipeline.stages]
    stages = [replace(stage, engine=memory) for stage, memory in zip(pipeline.stages, memories, strict=True)]
    return replace(pipeline, stages=stages), memories
