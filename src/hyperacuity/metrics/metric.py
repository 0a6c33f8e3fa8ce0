"""The record of a metric, what it measures, and the cut border that most metrics share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ComparedImages:
    """One result and its ground truth.

    Attributes:
        result: The result as the protocol views it, (H, W) or (H, W, C) on 0..255.
        truth: The HR image, viewed likewise.
        lr: The LR image that the result was made from, viewed likewise.
        result_image: The result itself, (H, W, C) uint8.
        hr_image: The HR image itself, (H, W, C) uint8.
        scale: The factor between LR and HR.
        previous: The preceding frame of a video; None for images and for the first frame.
    """

    result: Array
    truth: Array
    lr: Array
    result_image: NDArray[np.uint8]
    hr_image: NDArray[np.uint8]
    scale: int
    previous: ComparedImages | None = None


Measure = Callable[[ComparedImages], float]


@dataclass(frozen=True)
class MetricWeights:
    """The weight files that a metric needs; they are not shipped.

    Attributes:
        description: The names of the files in order, for messages.
        option: The option that takes their paths.
        paths: A placeholder for the paths in messages.
        open: Takes their paths and returns the measuring function.
    """

    description: str
    option: str
    paths: str
    open: Callable[[tuple[Path, ...]], Measure]


@dataclass(frozen=True)
class Metric:
    """One metric, as `METRICS` lists it.

    Attributes:
        name: What users write, such as "ms-ssim".
        title: The name as papers print it, such as "MS-SSIM".
        higher_is_better: Whether better results have higher values.
        digits: Digits after the decimal point in a table.
        measure: Returns the value for one result, NaN where it is undefined.
        unit: Such as "dB"; empty if there is none.
        statement: Printed below every table that has the metric; empty if its title says enough.
        shortest_side: Pixels that each side must have, after the border is cut.
        cuts_border: Whether `scale` pixels on each side are ignored.
        needs_video: Whether it is defined only between frames of a video.
        weights: The weight files it needs, if any; see `selection.select_metrics`.
    """

    name: str
    title: str
    higher_is_better: bool
    digits: int
    measure: Measure
    unit: str = ""
    statement: str = ""
    shortest_side: int = 1
    cuts_border: bool = True
    needs_video: bool = False
    weights: MetricWeights | None = None

    @property
    def column(self) -> str:
        """The name of its column in CSV files."""
        return self.name.replace("-", "_")

    @property
    def label(self) -> str:
        """Title, unit and direction, such as "PSNR, dB (higher is better)"."""
        direction = "higher" if self.higher_is_better else "lower"
        return f"{self.title}{f', {self.unit}' * bool(self.unit)} ({direction} is better)"

    def required_side(self, scale: int) -> int:
        """Returns how many pixels the shortest side of an HR image must have at `scale`."""
        return self.shortest_side + 2 * scale * self.cuts_border

    def format_value(self, value: float) -> str:
        """Returns `value` as text for a table; an empty string for NaN."""
        return "" if math.isnan(value) else f"{value:.{self.digits}f}"

    def format_with_unit(self, value: float) -> str:
        """Returns `value` as text for a table, followed by its unit."""
        return f"{self.format_value(value)} {self.unit}".strip()


def cut_border(result: Array, truth: Array, border: int) -> tuple[Array, Array]:
    """Cut `border` pixels from each side of two images, and make them float64.

    Args:
        result: (H, W) or (H, W, C).
        truth: Of the same shape.
        border: Pixels; 0 or more.

    Raises:
        UsageError: If the shapes differ or are not those of images, or if nothing is left.
    """
    if result.shape != truth.shape:
        raise UsageError(f"images to compare must have one shape; got {result.shape} and {truth.shape}")
    if truth.ndim not in (2, 3):
        raise UsageError(f"images to compare must be (H, W) or (H, W, C); got {truth.shape}")
    if border < 0 or min(truth.shape) == 0 or min(truth.shape[:2]) <= 2 * border:
        raise UsageError(f"nothing is left of {truth.shape[:2]} pixels after cutting {border} on each side")
    inside = slice(border, -border or None)
    return result[inside, inside].astype(np.float64), truth[inside, inside].astype(np.float64)
