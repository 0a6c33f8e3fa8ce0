"""Chains: which models run one after another to reach a scale."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from hyperacuity.errors import UsageError, Use
from hyperacuity.zoo.files import Model

# At a larger scale nearly every pixel would be invented.
LARGEST_SCALE = 32


@dataclass(frozen=True)
class ChainStep:
    """One model of a chain, and by how much bicubic enlarges its input."""

    model: Model
    enlarge: int = 1

    @property
    def scale(self) -> int:
        """Output pixels per input pixel along a side, bicubic included."""
        return self.enlarge * self.model.card.network_scale


def chain_steps(family: Iterable[Model]) -> list[ChainStep]:
    """Returns every way in which one model of a family can be used, the smallest scale first; none for resamplers."""
    networks = [model for model in family if model.card.scale is not None]
    every = [ChainStep(model, enlarge) for model in networks for enlarge in model.card.enlarged or (1,)]
    return sorted(every, key=lambda step: step.scale)


def plan_chain(family: Iterable[Model], scale: float) -> list[ChainStep]:
    """Plan which models to run one after another.

    Args:
        family: Models of one family.
        scale: What the chain must reach.

    Returns:
        The shortest chain whose scales multiply to `scale`, or to the smallest product above it; small scales first,
        since later steps work on more pixels. Empty for resamplers, and for a scale of 1 or less, where nothing is to
        be enlarged. A model of scale 1, which removes noise or blur, is a chain on its own, for a scale of 1.

    Raises:
        UsageError: The scale is above `LARGEST_SCALE`, or not 1 for a family that only restores.

    Example:
        >>> from hyperacuity import zoo
        >>> [step.model.card.name for step in zoo.plan_chain(zoo.find_models("fsrcnn"), 6)]
        ['fsrcnn-x2', 'fsrcnn-x3']
    """
    every = chain_steps(family)
    possible = [step for step in every if step.scale > 1]
    if restoring := every[: len(every) - len(possible)]:
        if scale == 1:
            return restoring[:1]
        if not possible:
            raise UsageError(f"{restoring[0].model.card.name} returns an image of the same size", Use(scale=1))
    if scale <= 1 or not possible:
        return []
    if scale > LARGEST_SCALE:
        raise UsageError(
            f"a scale of {scale:g} is beyond x{LARGEST_SCALE}, where networks invent; bicubic takes any",
            Use(model="bicubic"),
        )
    lengths = (itertools.combinations_with_replacement(possible, length) for length in itertools.count(1))
    reaching = ([one for one in chains if _product(one) >= scale] for chains in lengths)
    return list(min(next(filter(None, reaching)), key=_product))


def _product(steps: Iterable[ChainStep]) -> int:
    return math.prod(step.scale for step in steps)
