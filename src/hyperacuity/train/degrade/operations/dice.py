"""Random numbers for the degradation of one image."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Value = TypeVar("Value")


class Dice:
    """Random numbers for one image, all of which follow from the state of one NumPy generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def between(self, low: float, high: float) -> float:
        """Return a number drawn evenly from `low` to `high`."""
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, each as likely as the others."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """Return true with this probability."""
        return bool(self.rng.random() < probability)

    def one(self, values: tuple[Value, ...]) -> Value:
        """Return one of the values, each as likely as the others."""
        return values[int(self.rng.integers(len(values)))]

    def normal(self, *shape: int) -> Tensor:
        """Return Gaussian noise with a standard deviation of 1."""
        return torch.from_numpy(self.rng.standard_normal(shape, np.float32))

    def generator(self) -> torch.Generator:
        """Return a PyTorch generator with a random seed."""
        return torch.Generator().manual_seed(int(self.rng.integers(2**62)))
