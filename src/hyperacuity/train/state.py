"""The state of a run: what a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

from torch import Tensor

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class State:
    """All that a run needs to continue with the same results. The order of data follows from `step` and the seed.

    Attributes:
        recipe: The recipe's hash.
        step: Steps taken.
        slowed: The factor of the learning rate after the loss diverged.
        usual: The running average of the loss, by which a divergence is noticed.
        best: The highest validation so far, in dB.
        network, average: Weights, and their exponential average.
        optimizer: The optimiser's state.
        precision: The gradient scaler's state; empty except for fp16.
        discriminator, discriminator_optimizer: Those of the adversary of a GAN, else None.
    """

    recipe: str
    step: int
    slowed: float
    usual: float
    best: float
    network: Weights
    average: Weights
    optimizer: dict[str, Any]
    precision: dict[str, Any] = field(default_factory=dict)
    discriminator: Weights | None = None
    discriminator_optimizer: dict[str, Any] | None = None

    def to_file(self) -> dict[str, Any]:
        """Return what `checkpoint.save` writes."""
        content = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in content.items() if value is not None}

    @classmethod
    def from_file(cls, content: dict[str, Any]) -> Self:
        """Return the state that `checkpoint.load` read."""
        return cls(**content)


@dataclass(frozen=True)
class BestWeights:
    """The weights that validated best.

    Attributes:
        recipe: The recipe's hash.
        step: Steps taken when they were measured.
        validation: Mean PSNR in dB.
        weights: The averaged weights.
    """

    recipe: str
    step: int
    validation: float
    weights: Weights

    def to_file(self) -> dict[str, Any]:
        """Return what `checkpoint.save` writes."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_file(cls, content: dict[str, Any]) -> Self:
        """Return the weights that `checkpoint.load` read."""
        return cls(**content)
