"""Whether the loss diverges, and what follows from it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

from hyperacuity.errors import HyperacuityWarning, UsageError
from hyperacuity.train.recipe import Divergence

# In the first steps, a loss may be any multiple of its average.
SETTLED = 100
# These may jump, and do not measure how near a result is to the truth.
ADVERSARIAL = ("adversary", "discriminator")


class DivergenceWarning(HyperacuityWarning):
    """The loss was not finite or exploded; the run continues from its last checkpoint."""


class DivergenceWatch:
    """Compares each loss with its running average, and slows a run down after a divergence.

    Attributes:
        usual: The running average; NaN at first.
        slowed: The factor of the learning rate.
    """

    def __init__(self, settings: Divergence) -> None:
        self.settings = settings
        self.usual, self.slowed = math.nan, 1.0
        self._attempts = 0

    def diverged(self, step: int, losses: Mapping[str, float]) -> bool:
        """Return whether the losses after `step` are not finite or have exploded; else, average them."""
        if not all(math.isfinite(value) for value in losses.values()):
            return True
        total = sum(value for name, value in losses.items() if name not in ADVERSARIAL)
        if step > SETTLED and total > self.settings.explosion * self.usual:
            return True
        self.usual = total if math.isnan(self.usual) else 0.99 * self.usual + 0.01 * total
        return False

    def check_attempts(self, step: int, losses: Mapping[str, float], folder: Path) -> None:
        """Count a divergence at `step`. folder: that of the checkpoints.

        Raises:
            UsageError: If the recipe asks to stop, or allows no further attempt.
        """
        if self.settings.action == "stop" or self._attempts == self.settings.attempts:
            raise UsageError(
                f"the loss exploded at step {step} ({_listed(losses)}): lower optimizer.lr, or set "
                f"optimizer.clip_norm; the last checkpoint is in {folder}"
            )
        self._attempts += 1

    def slow_down(self, slowed: float, failed: int, step: int, losses: Mapping[str, float]) -> None:
        """Lower the learning rate after returning from step `failed` to `step`. slowed: the factor before."""
        self.slowed = slowed * self.settings.factor
        warnings.warn(
            f"the loss exploded at step {failed} ({_listed(losses)}): back to step {step}, with {self.slowed:g} times "
            "the learning rate",
            DivergenceWarning,
            stacklevel=2,
        )


def _listed(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
