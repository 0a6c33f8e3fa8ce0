"""The models that a live run may choose from, and the cost of each."""

from __future__ import annotations

from typing import Any

from hyperacuity import zoo
from hyperacuity.task import Options
from hyperacuity.upscaler import Upscaler


def automatic(**options: Any) -> list[Upscaler]:
    """Load the models for `live.run` to choose from.

    Args:
        **options: engine, device and precision, as `Options` has them.

    Returns:
        One upscaler for each family of the zoo that has a network for x2, best first by the PSNR on its card, then
        bicubic.
    """
    cards = [model.card for model in zoo.models().values() if model.card.scale == 2 and model.card.quality]
    shared = set.intersection(*(set(card.quality) for card in cards))
    cards.sort(key=lambda card: -sum(card.quality[each] for each in shared))
    return [Upscaler(Options(name, **options)) for name in [*(card.family for card in cards), "bicubic"]]


def multiply_adds(upscaler: Upscaler, before: tuple[int, int], after: tuple[int, int]) -> float:
    """Count the multiply-adds of all networks that enlarge a frame from one (height, width) to another."""
    pixels, work = float(before[0] * before[1]), 0.0
    for step in upscaler.chain(before, after):
        pixels *= step.enlarge**2
        work += pixels * step.model.card.multiply_adds
        pixels *= step.model.card.network_scale**2
    return work
