"""Networks that need no backend: ten lines of numpy, which run out of memory or fail on demand."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Blur:
    """A (2 halo + 1)-wide weighted mean, the edge repeated beyond the border, then nearest neighbour.

    Sums run in a fixed order, so that any tiling must give the same bits.
    """

    scale: int = 2
    channels: int = 3
    multiple: int = 1
    halo: int = 2
    activation_bytes: int = 0
    free: int = 1 << 40
    precision: str = "fp32"
    most_pixels: int | None = None  # more than this in one run is out of memory
    broken: float | None = None  # what a run in less than fp32 returns instead
    runs: list[tuple[int, ...]] = field(default_factory=list)

    def available(self) -> int:
        return self.free

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        assert batch.dtype == np.float32
        assert batch.shape[1] == self.channels
        assert batch.shape[2] % self.multiple == 0
        assert batch.shape[3] % self.multiple == 0
        self.runs.append(batch.shape)
        if self.most_pixels is not None and batch[0, 0].size > self.most_pixels:
            raise MemoryError
        if self.broken is not None and self.precision != "fp32":
            return np.full((*batch.shape[:2], *(s * self.scale for s in batch.shape[2:])), self.broken, np.float32)
        for axis in (2, 3):
            width = [(0, 0)] * 4
            width[axis] = (self.halo, self.halo)
            padded = np.pad(batch, width, mode="edge")
            length = batch.shape[axis]
            total = np.zeros_like(batch)
            weights = [1 / (1 + abs(n - self.halo)) for n in range(2 * self.halo + 1)]
            for n, weight in enumerate(weights):
                total += np.take(padded, range(n, n + length), axis) * np.float32(weight / sum(weights))
            batch = total
        return batch.repeat(self.scale, axis=2).repeat(self.scale, axis=3)

    def per_core(self) -> None:
        return None

    def in_float32(self) -> Blur:
        if self.precision == "fp32":
            return self
        return Blur(self.scale, self.channels, self.multiple, self.halo, runs=self.runs)
