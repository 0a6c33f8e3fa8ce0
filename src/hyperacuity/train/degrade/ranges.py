"""Types of a degradation's settings: ranges that values are drawn from evenly, and probabilities."""

from __future__ import annotations

import math
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

Ends = TypeVar("Ends", bound=tuple[float, float])


def _ordered(ends: Ends) -> Ends:
    if ends[0] > ends[1]:
        raise ValueError("the smallest value comes first, then the largest")
    return ends


def _odd(sizes: tuple[int, int]) -> tuple[int, int]:
    if not (sizes[0] % 2 and sizes[1] % 2):
        raise ValueError("a kernel needs a middle pixel: use odd sizes")
    return sizes


def sum_to_1(parts: tuple[float, ...]) -> tuple[float, ...]:
    """Return the probabilities; raises `ValueError` if they do not sum to 1."""
    if not math.isclose(sum(parts), 1, abs_tol=1e-6):
        raise ValueError(f"these probabilities sum to {sum(parts):g}, not 1")
    return parts


Probability = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[float, Field(ge=0.01, le=100)]  # sigma, in pixels
Shape = Annotated[float, Field(ge=0.1, le=10)]
Smaller = Annotated[float, Field(ge=0.05, le=1)]
Larger = Annotated[float, Field(ge=1, le=4)]
Strength = Annotated[float, Field(ge=0, le=255)]
Side = Annotated[int, Field(ge=1, le=101)]
Quality = Annotated[int, Field(ge=1, le=100)]

# Values are drawn evenly between two ends.
Widths = Annotated[tuple[Width, Width], AfterValidator(_ordered)]
Shapes = Annotated[tuple[Shape, Shape], AfterValidator(_ordered)]
Strengths = Annotated[tuple[Strength, Strength], AfterValidator(_ordered)]
Sides = Annotated[tuple[Side, Side], AfterValidator(_ordered), AfterValidator(_odd)]
Qualities = Annotated[tuple[Quality, Quality], AfterValidator(_ordered)]
ThreeProbabilities = Annotated[tuple[Probability, Probability, Probability], AfterValidator(sum_to_1)]
SixProbabilities = Annotated[
    tuple[Probability, Probability, Probability, Probability, Probability, Probability], AfterValidator(sum_to_1)
]
