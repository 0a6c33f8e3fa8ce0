"""The losses of a recipe: which of the table it asks for, and their weighted values."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat, create_model, model_validator
from torch import Tensor, nn

from hyperacuity.train.losses.loss import LossFunction, LossSettings

LossTable = Mapping[str, LossFunction | type[LossSettings]]


class Losses(BaseModel):
    """Each loss by its weight; at least one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.chosen():
            raise ValueError("give at least one of them, such as l1 = 1.0")
        return self

    def chosen(self) -> dict[str, float | LossSettings]:
        """Return the losses that the recipe asks for: the weight, or the settings, of each."""
        return {name: value for name, value in self if value is not None}


def losses_record(table: LossTable) -> type[Losses]:
    """Return the record of a recipe's [losses], with a field for each line of the table."""
    return _record(tuple(table.items()))


@functools.lru_cache(8)
def _record(lines: tuple[tuple[str, Any], ...]) -> type[Losses]:
    fields: Any = {name: ((kind if isinstance(kind, type) else PositiveFloat) | None, None) for name, kind in lines}
    return create_model("Losses", __base__=Losses, __doc__=Losses.__doc__, **fields)


class Criterion(nn.Module):
    """The weighted losses of a recipe, computed in float32 also where the network computes in less.

    Args:
        losses: The record of the recipe.
        table: The losses there are.

    Raises:
        UsageError, WeightsError: For files of features that are missing or damaged.
    """

    def __init__(self, losses: Losses, table: LossTable) -> None:
        super().__init__()
        self.modules_by_name = nn.ModuleDict()
        self._terms: dict[str, tuple[float, Callable[..., Any]]] = {}
        # In the order of the table, not of the recipe, so that sums are always rounded in the same way.
        for name, value in losses.chosen().items():
            if isinstance(value, LossSettings):
                self.modules_by_name[name] = module = value.build()
                self._terms[name] = value.weight, module
            else:
                self._terms[name] = value, table[name]

    def forward(self, sr: Tensor, hr: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """Compute each loss, times its weight, by name.

        Args:
            sr: (N, C, H, W) in [0, 1], the network's result.
            hr: (N, C, H, W) in [0, 1], the truth.
            lr: (N, C, h, w) in [0, 1].
        """
        with torch.autocast(sr.device.type, enabled=False):
            sr, hr, lr = sr.float(), hr.float(), lr.float()
            return {name: weight * function(sr, hr, lr) for name, (weight, function) in self._terms.items()}
