"""How strong the noise of an image is, from its flattest blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperacuity.inspection.sampling import Plane, blocks
from hyperacuity.quantiles import quantiles

# The side of a block, and the fewest blocks that give an estimate.
SIDE = 8
FEWEST = 16
# Near black and white the values are clipped, and the noise with them: such blocks do not count. Where hardly any
# others are left, as in line art, these are the edges.
_DARKEST, _BRIGHTEST, _MOST_CLIPPED = 12.0, 243.0, 0.25
_LEAST_SHARE = 0.2
# The 1 % of blocks with the smallest deviation have this share of the noise's deviation, by chance alone (measured on
# white noise; chi-squared with 61 degrees of freedom).
_BIAS = 0.8
# Noise is everywhere, texture is not: up to the first ratio between the deviations of the 20 % and the 1 % flattest
# blocks, what the flattest ones hold counts as noise; from the second on as texture.
_EVEN, _UNEVEN = 1.8, 2.3


def measure_noise(crops: Sequence[Plane]) -> float:
    """Estimate the standard deviation of the noise, in 8-bit levels of luma.

    The deviation from a fitted plane in the flattest hundredth of all blocks, so that edges and texture do not count.
    Where hardly any block is flat, noise cannot be distinguished from fine texture, and the estimate is lowered.

    Returns:
        The deviation; 0 for images too small to tell.

    Source: Lee and Hoppel: "Noise modeling and estimation of remotely-sensed images", IGARSS 1989 (the deviation of
        blocks); Olsen: "Estimation of Noise in Images: An Evaluation", CVGIP 55, 1993 (the smallest ones); Liu, Tanaka,
        Okutomi: "Single-Image Noise Level Estimation for Blind Denoising", IEEE TIP 2013 (weakly textured blocks only).
    """
    every = np.concatenate([blocks(crop, SIDE).reshape(-1, SIDE**2) for crop in crops])
    if not len(every):
        return 0.0
    means, clipped = every.mean(axis=1), ((every <= 0.5) | (every >= 254.5)).mean(axis=1)
    flat = every[(means > _DARKEST) & (means < _BRIGHTEST) & (clipped < _MOST_CLIPPED)]
    if len(flat) < max(FEWEST, _LEAST_SHARE * len(every)):
        return 0.0
    planes = _planes()
    rest = flat - (flat @ planes) @ planes.T
    deviations = np.sqrt((rest**2).sum(axis=1) / (SIDE**2 - 3))
    low, higher = quantiles(deviations, [0.01, 0.2])
    if low <= 0:
        return 0.0
    even = np.clip((_UNEVEN - higher / low) / (_UNEVEN - _EVEN), 0, 1)
    return float(low / _BIAS * even)


def _planes() -> NDArray[np.float32]:
    """(64, 3): an orthonormal basis of the blocks that are a plane."""
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1) - (SIDE - 1) / 2
    basis = np.stack([np.ones(SIDE**2), x, y])
    basis = basis / np.linalg.norm(basis, axis=1, keepdims=True)
    planes: NDArray[np.float32] = basis.T.astype(np.float32)
    return planes
