"""Sides that do not fit a network's `multiple`."""

from __future__ import annotations

import numpy as np

from hyperacuity.engines.protocol import Batch


def pad_to_multiple(planes: Batch, multiple: int) -> Batch:
    """Pad a batch by mirroring, so that its sides are divisible by `multiple`.

    Args:
        planes: (N, C, H, W).
        multiple: 1 or more.

    Returns:
        (N, C, H + bottom, W + right); the mirror repeats the last sample. The same array if nothing is to be padded.
    """
    down, across = (-side % multiple for side in planes.shape[2:])
    if not (down or across):
        return planes
    return np.pad(planes, ((0, 0), (0, 0), (0, down), (0, across)), mode="symmetric")
