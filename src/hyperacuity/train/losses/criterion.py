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

    Only networks whose features are compared compute in bf16 if the recipe says so.

    Args:
        losses: The record of the recipe.
        table: The losses there are.
        precision: That of the recipe.

    Raises:
        UsageError, WeightsError: For files of features that are missing or damaged.
    """

    def __init__(self, losses: Losses, table: LossTable, precision: str = "fp32") -> None:
        super().__init__()
        self._in_bf16 = precision == "bf16"
        self.appearances: set[str] = set()
        self.modules_by_name = nn.ModuleDict()
        self._terms: dict[str, tuple[float, Callable[..., Any]]] = {}
        # In the order of the table, not of the recipe, so that sums are always rounded in the same way.
        for name, value in losses.chosen().items():
            if isinstance(value, LossSettings):
                self.modules_by_name[name] = module = value.build()
                self._terms[name] = value.weight, module
                if value.of_appearance:
                    self.appearances.add(name)
            else:
                self._terms[name] = value, table[name]

    def forward(
        self, sr: Tensor, hr: Tensor, lr: Tensor, shown: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Compute each loss, times its weight, by name.

        Args:
            sr: (N, C, H, W) in [0, 1], the network's result.
            hr: (N, C, H, W) in [0, 1], the truth.
            lr: (N, C, h, w) in [0, 1].
            shown: What losses of appearance compare instead: a part of `sr`, and what is to look like it.
        """
        seen, real = (sr, hr) if shown is None else shown
        with torch.autocast(sr.device.type, enabled=False):
            sr, hr, lr = sr.float(), hr.float(), lr.float()
            seen, real = seen.float(), real.float()
            return {
                name: weight
                * (self._appearance(function, seen, real, lr) if name in self.appearances else function(sr, hr, lr))
                for name, (weight, function) in self._terms.items()
            }

    def _appearance(self, function: Callable[..., Tensor], seen: Tensor, real: Tensor, lr: Tensor) -> Tensor:
        with torch.autocast(seen.device.type, torch.bfloat16, enabled=self._in_bf16):
            return function(seen, real, lr)
