"""How strong the noise of an image is, from its flattest blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperacuity.inspection.sampling import Plane, blocks
from hyperacuity.quantiles import quantiles

# The side of a block, and the fewest blocks that give an estimate.
SIDE = 8
FEWEST = 48
# Near black and white the values are clipped, and the noise with them: such blocks do not count. Where hardly any
# others are left, as in line art, these are the edges.
_DARKEST, _BRIGHTEST, _MOST_CLIPPED = 12.0, 243.0, 0.25
_LEAST_SHARE = 0.2
# The 1 % of blocks with the smallest deviation have this share of the noise's deviation, by chance alone (measured on
# white noise; chi-squared with 61 degrees of freedom).
_BIAS = 0.8
_FLATTEST = 0.01
# Noise fades when the image is made small by 2, texture does not: up to the first ratio between the deviations of the
# flattest blocks in both sizes all counts as noise, from the second on as texture (white noise 0.5, grain 1.1).
_FADES, _STAYS = 1.13, 1.25
# Noise is everywhere, texture is not: the same for the ratio between the deviations of the 20 % and the 1 % flattest
# blocks (white noise 1.4).
_EVEN, _UNEVEN = 1.8, 2.3
# Stronger noise than this is texture, or dithering.
_STRONGEST = 32.0


def measure_noise(crops: Sequence[Plane]) -> float:
    """Estimate the standard deviation of the noise, in 8-bit levels of luma.

    The deviation from a fitted plane in the flattest hundredth of all blocks, so that edges and texture do not count.
    Where these blocks cannot be flat, because the deviation differs between them or because it stays when the image is
    made small, noise cannot be distinguished from fine texture, and the estimate is lowered.

    Returns:
        The deviation; 0 for images too small to tell.

    Source: Lee and Hoppel: "Noise modeling and estimation of remotely-sensed images", IGARSS 1989 (the deviation of
        blocks); Olsen: "Estimation of Noise in Images: An Evaluation", CVGIP 55, 1993 (the smallest ones); Liu, Tanaka,
        Okutomi: "Single-Image Noise Level Estimation for Blind Denoising", IEEE TIP 2013 (weakly textured blocks only);
        Zontak, Mosseri, Irani: "Separating Signal from Noise using Patch Recurrence Across Scales", CVPR 2013 (noise
        fades in a smaller image, detail does not).
    """
    deviations = _deviations(crops)
    if not len(deviations):
        return 0.0
    low, higher = quantiles(deviations, [_FLATTEST, 0.2])
    if low <= 0:
        return 0.0
    noise = float(low / _BIAS)
    smaller = _deviations([_halved(crop) for crop in crops], fewest=1)
    scales = float(quantiles(smaller, [_FLATTEST])[0] / low) if len(smaller) else 0.0
    if noise > _STRONGEST:
        return 0.0
    return noise * _share(scales, _FADES, _STAYS) * _share(float(higher / low), _EVEN, _UNEVEN)


def _deviations(crops: Sequence[Plane], fewest: int = FEWEST) -> NDArray[np.float32]:
    """The deviations of the blocks that are not clipped from a plane; none if there are too few."""
    every = np.concatenate([blocks(crop, SIDE).reshape(-1, SIDE**2) for crop in crops])
    means, clipped = every.mean(axis=1), ((every <= 0.5) | (every >= 254.5)).mean(axis=1)
    flat = every[(means > _DARKEST) & (means < _BRIGHTEST) & (clipped < _MOST_CLIPPED)]
    if len(flat) < max(fewest, _LEAST_SHARE * len(every)):
        return np.empty(0, np.float32)
    planes = _planes()
    rest = flat - (flat @ planes) @ planes.T
    deviations: NDArray[np.float32] = np.sqrt((rest**2).sum(axis=1) / (SIDE**2 - 3))
    return deviations


def _halved(plane: Plane) -> Plane:
    """The means of 2 x 2 pixels."""
    height, width = (length // 2 * 2 for length in plane.shape)
    halved: Plane = plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return halved


def _share(value: float, whole: float, none: float) -> float:
    """1 up to the first limit, 0 from the second on."""
    return float(np.clip((none - value) / (none - whole), 0, 1))


def _planes() -> NDArray[np.float32]:
    """(64, 3): an orthonormal basis of the blocks that are a plane."""
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1) - (SIDE - 1) / 2
    basis = np.stack([np.ones(SIDE**2), x, y])
    basis = basis / np.linalg.norm(basis, axis=1, keepdims=True)
    planes: NDArray[np.float32] = basis.T.astype(np.float32)
    return planes
