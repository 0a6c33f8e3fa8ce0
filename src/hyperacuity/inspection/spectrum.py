"""How much of the spectrum an image fills: what was blurred or enlarged before has nothing in its high frequencies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperacuity.inspection.sampling import Plane, blocks

# The side of a window in pixels, and how many of the windows with the most contrast are averaged.
SIDE = 32
BEST = 24
# Windows of less deviation, in 8-bit levels, are too flat to tell.
_LEAST_CONTRAST = 6.0
# Powers are compared with those at these radii, in cycles for each window.
_REFERENCE = slice(3, 7)
_CENTRE = 4.5
# The power of sharp photos falls with about this exponent of the frequency (measured on Kodak24, at full size and made
# small by 2 to 4, in windows of high contrast); empty means this many decibels less.
_EXPONENT = 3.3
_EMPTY = 7.0


def measure_bandwidth(crops: Sequence[Plane]) -> float | None:
    """Measure up to which share of the highest frequency the image has detail.

    The power spectrum of the windows with the most contrast, averaged over circles, is compared with the power law of
    sharp photos. Noise fills the spectrum too: a blurred image with strong noise counts as full.

    Returns:
        Above 0, and at most 1: 0.5 for an image that was enlarged by 2. None for images that are too flat or too small.

    Source: Field: "Relations between the statistics of natural images and the response properties of cortical cells",
        JOSA A 4(12), 1987 (the power law); van der Schaaf, van Hateren: "Modelling the power spectra of natural
        images", Vision Research 36(17), 1996.
    """
    windows = np.concatenate([blocks(crop, SIDE) for crop in crops])
    if not len(windows):
        return None
    deviations = windows.std(axis=(1, 2))
    best = np.argsort(-deviations, kind="stable")[:BEST]
    best = best[deviations[best] >= _LEAST_CONTRAST]
    if not len(best):
        return None
    powers = _radial_powers(windows[best])
    radii = np.arange(1, SIDE // 2)
    expected = powers[_REFERENCE].mean() * (_CENTRE / radii) ** _EXPONENT
    missing = 10 * np.log10(expected / np.maximum(powers[1:-1], 1e-9))
    return _crossing(radii, missing) / (SIDE // 2)


def _radial_powers(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean power at each radius from 0 to half the side, in cycles for each window."""
    hann = np.hanning(SIDE + 2)[1:-1]
    weights = np.outer(hann, hann)
    centred = windows - windows.mean(axis=(1, 2), keepdims=True)
    powers = (np.abs(np.fft.rfft2(centred * weights)) ** 2).mean(axis=0)
    y, x = np.abs(np.fft.fftfreq(SIDE)) * SIDE, np.fft.rfftfreq(SIDE) * SIDE
    radius = np.rint(np.hypot(y[:, None], x[None, :])).astype(int).ravel()
    counts = np.bincount(radius)
    return (np.bincount(radius, powers.ravel()) / counts)[: SIDE // 2 + 1]


def _crossing(radii: NDArray[np.int64], missing: NDArray[np.float64]) -> float:
    """The radius from which on more than `_EMPTY` is missing everywhere; half the side if it is nowhere."""
    full = np.flatnonzero(missing <= _EMPTY)
    last = int(full[-1]) if len(full) else 0
    if last + 1 >= len(radii):
        return SIDE / 2
    share = (_EMPTY - missing[last]) / (missing[last + 1] - missing[last])
    return float(radii[last] + np.clip(share, 0, 1))
