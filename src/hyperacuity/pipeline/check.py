"""Whether a network's result is credible: no NaN or Inf, and the mean colour of each cell is kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hyperacuity.pipeline.planes import Planes

# Each tile is checked in cells of about this many pixels a side: how far the mean of the result may be from the mean
# of the input, black to white being 1, or the mean itself if that is larger. Networks stay within about 0.01; black or
# saturated patches do not.
CELL = 32
MEAN_TOLERANCE = 0.1


def find_fault(tile: Planes, own: tuple[slice, slice], result: Planes, scale: int) -> str | None:
    """Returns what is wrong with a network's result, in words; None if it is credible.

    Args:
        tile: What the network read, (N, C, h, W), halo included.
        own: The rows and columns of it that the tile owns.
        result: The network's result for `own`, `scale` times as large.
        scale: Output pixels per input pixel along a side.
    """
    before = tile[:, :, own[0], own[1]]
    sides = before.shape[2:]
    rows, columns = (np.arange(n := max(1, side // CELL)) * side // n for side in sides)
    height, width = (np.diff(edges, append=side) for edges, side in zip((rows, columns), sides, strict=True))
    area = (height[:, None] * width).astype(np.float32)

    def mean(planes: Planes, factor: int = 1) -> Planes:
        cells = pairwise((*(rows * factor), planes.shape[2]))
        # Rows first: numpy adds whole rows fastest.
        strips = np.stack([np.add.reduce(planes[:, :, top:bottom], axis=2) for top, bottom in cells], axis=2)
        total: Planes = np.add.reduceat(strips, columns * factor, axis=3)
        total /= area * np.float32(factor**2)
        return total

    level = mean(before)
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values are found below
        moved = np.abs(mean(result, scale) - level)
    if not np.isfinite(moved).all():
        return "it contains NaN or Inf"
    excess = moved - MEAN_TOLERANCE * np.maximum(1, np.abs(level))
    if (excess <= 0).all():
        return None
    # Dither and noise are ambiguous: networks move their mean, by up to 0.3 of the mean step from pixel to pixel.
    steps = sum(mean(np.abs(np.diff(before, axis=n, append=np.take(before, [-1], n)))) for n in (2, 3)) / 2
    if min(sides) < CELL:
        # Blur carries energy about two pixels across a cell's edge. In a small cell this changes the mean noticeably,
        # and may come from pixels outside what the tile owns.
        steps = steps + np.ptp(tile) * np.minimum(2, 4 / height[:, None] + 4 / width)
    return None if (excess <= steps).all() else f"its mean colour is off by {moved.max():.2f} of the range"
