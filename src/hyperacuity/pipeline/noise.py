"""Noise for networks that draw samples, as a function of the seed and the position: tiles see parts of one field."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

# SplitMix64: Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 16. The standard
# library of Python and numpy promise no stream that stays the same over their versions and can be entered anywhere.
_STEP = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Noise:
    """Which noise one sample of an image gets.

    Attributes:
        seed: Chosen by the user; any whole number.
        sample: The number of the sample.
        temperature: A factor: 0 for no noise, 1 for what the network learnt.
        stage: The number of the network in a chain.
    """

    seed: int = 0
    sample: int = 0
    temperature: float = 1.0
    stage: int = 0

    def at_stage(self, stage: int) -> Noise:
        """Returns the noise of another network of the chain."""
        return replace(self, stage=stage)

    def field(self, channels: int, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.float32]:
        """Returns the noise (channels, h, w), normal and independent, of the rows and columns [first, last).

        Example:
            >>> noise = Noise(seed=7)
            >>> bool((noise.field(2, (0, 9), (0, 9))[:, 3:5, 4:6] == noise.field(2, (3, 5), (4, 6))).all())
            True
        """
        key = 0
        for part in (self.seed, self.sample, self.stage):
            key = int(_mixed(np.array([(key + part * _STEP + _STEP) % 2**64], np.uint64))[0])
        channel = _mixed(np.uint64(key) + np.arange(1, channels + 1, dtype=np.uint64) * np.uint64(_STEP))
        place = np.arange(*rows, dtype=np.uint64)[:, None] << np.uint64(32) | np.arange(*columns, dtype=np.uint64)
        bits = _mixed(channel[:, None, None] ^ _mixed(place * np.uint64(_STEP)))
        # Box, Muller: "A Note on the Generation of Random Normal Deviates", 1958: two uniform numbers of 32 bits each.
        first = ((bits >> np.uint64(32)).astype(np.float64) + 0.5) / 2**32
        second = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2**32
        normal = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
        result: NDArray[np.float32] = (self.temperature * normal).astype(np.float32)
        return result


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The mixing function of SplitMix64, modulo 2^64."""
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))
