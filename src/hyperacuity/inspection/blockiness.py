"""Whether the blocks of JPEG show, also in a PNG that was made of a JPEG, and wherever a crop has moved their grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.inspection.sampling import Plane

PERIOD = 8
# Steps at least this high are content, not the borders of blocks, which quantisation leaves lower.
_EDGE = 24.0
# The fewest samples of a phase, and how many standard errors a phase must stand out.
_FEWEST = 48
_SIGNIFICANT = 4.0
# In an image enlarged by repeating pixels, fewer neighbours than this differ inside of its blocks.
_REPEATED = 0.02


@dataclass(frozen=True)
class Blockiness:
    """How far the borders of blocks stand out.

    Attributes:
        strength: How many 8-bit levels a step at the borders is higher than steps elsewhere, in the direction where
            it is lower; 0 where no grid is found.
        grid: The column and the row at which the grid begins, 0 to 7 each; None where no grid is found. JPEG begins at
            (0, 0); another place shows that the image was cropped after it was compressed.
    """

    strength: float = 0.0
    grid: tuple[int, int] | None = None


def measure_blockiness(crops: Sequence[Plane]) -> Blockiness:
    """Measure the borders of 8 x 8 blocks.

    Each step between neighbours is compared with the steps on both sides of it, and the differences are averaged for
    each of the eight possible places of the grid. High steps are content and are left out, and so are flat surfaces.

    Args:
        crops: Luma from 0 to 255, each beginning at a multiple of 8 pixels.

    Returns:
        The strength and the place of the grid. Both directions must show it.

    Source: Wang, Sheikh, Bovik: "No-reference perceptual quality assessment of JPEG compressed images", ICIP 2002 (the
        step at the borders); Fan, de Queiroz: "Identification of bitmap compression history: JPEG detection and
        quantizer estimation", IEEE TIP 2003 (comparing with the inside of blocks, and finding the grid).
    """
    found = [_along([crop if axis else crop.T for crop in crops]) for axis in (1, 0)]
    (across, column), (down, row) = found
    strength = min(across, down)
    return Blockiness(strength, (column, row)) if strength > 0 else Blockiness()


def _along(planes: Sequence[Plane]) -> tuple[float, int]:
    """The strength of the borders between columns, and the column of the grid."""
    excess: list[list[NDArray[Any]]] = [[] for _ in range(PERIOD)]
    for plane in planes:
        steps = np.abs(np.diff(plane, axis=1))
        if steps.shape[1] < 3:
            continue
        before, here, after = steps[:, :-2], steps[:, 1:-1], steps[:, 2:]
        highest = np.maximum(np.maximum(before, here), after)
        counted = (highest < _EDGE) & (highest > 0)  # a flat surface has no steps to compare
        difference = here - (before + after) / 2
        for phase in range(PERIOD):
            # The first step here lies between columns 1 and 2.
            part = slice((phase - 2) % PERIOD, None, PERIOD)
            excess[phase].append(difference[:, part][counted[:, part]])
    samples = [np.concatenate(each) if each else np.empty(0, np.float32) for each in excess]
    if min(len(each) for each in samples) < _FEWEST:
        return 0.0, 0
    means = np.array([each.mean() for each in samples])
    phase = int(np.argmax(means))
    inside = [(phase + offset) % PERIOD for offset in (2, 3, 4, 5, 6)]
    if np.mean([np.mean(samples[each] != 0) for each in inside]) < _REPEATED:
        return 0.0, 0
    # The highest of them and not their mean: pixels repeated 4 times would have a grid of 8 too.
    strength = float(means[phase] - means[inside].max())
    error = samples[phase].std() / np.sqrt(len(samples[phase]))
    return (strength, phase) if strength > _SIGNIFICANT * error else (0.0, 0)
