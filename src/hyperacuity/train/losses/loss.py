"""What every loss is: a function of a result, its truth and its LR, or a record that builds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor, nn

# Of sr and hr (N, C, H, W) and lr (N, C, h, w), float32 in [0, 1]: the loss, a scalar with gradients.
LossFunction = Callable[[Tensor, Tensor, Tensor], Tensor]


class LossSettings(BaseModel):
    """A loss that needs more than a weight; a recipe sets its fields in a table [losses.NAME].

    Attributes:
        of_appearance: The loss compares how images look, on features of a network: within the window of the recipe, and
            in its precision if that is bf16.
    """

    of_appearance: ClassVar[bool] = False

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weight: PositiveFloat

    def build(self) -> nn.Module:
        """Return a module whose `forward` is a `LossFunction`.

        Raises:
            UsageError: For settings or files that are missing or wrong.
            WeightsError: For a file of weights that cannot be read.
        """
        raise NotImplementedError


def to_rgb(x: Tensor) -> Tensor:
    """Repeat the one channel of luma, as networks that look at images expect three."""
    return x.expand(-1, 3, -1, -1)
