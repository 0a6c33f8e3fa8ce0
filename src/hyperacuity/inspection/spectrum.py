"""How much of the spectrum an image fills: what was blurred or enlarged before has nothing in its high frequencies."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperacuity.inspection.sampling import Plane, blocks

# The side of a window in pixels, and how many of the sharpest windows are averaged.
SIDE = 32
BEST = 24
# Windows of less deviation, in 8-bit levels, are too flat to tell.
_LEAST_CONTRAST = 6.0
# Powers are compared with those at these radii, in cycles for each window.
_REFERENCE = slice(2, 6)
_CENTRE = 4.5
# The power of sharp photos falls with about this exponent of the frequency (measured on Kodak24, at full size and made
# small by 2 to 4, in windows of high contrast); empty means this many decibels less.
_EXPONENT = 3.3
_EMPTY = 7.0
# Into how many directions the spectrum is cut, and how many of them may be empty without counting: a fence or a facade
# leaves up to two of them empty, motion four and more.
_DIRECTIONS = 8
_FEW = 2


def measure_bandwidth(crops: Sequence[Plane]) -> float | None:
    """Measure up to which share of the highest frequency the image has detail.

    The power spectrum of the sharpest windows is compared with the power law of sharp photos: the sharpest ones and not
    all, because the background of a portrait is blurred on purpose. The result is the geometric mean of the share in
    all directions and of that in the worst, because motion blurs in one direction only. Noise fills the spectrum too: a
    blurred image with strong noise counts as full.

    Returns:
        Above 0, and at most 1: 0.5 for an image that was enlarged by 2. None for images that are too flat or too small.

    Source: Field: "Relations between the statistics of natural images and the response properties of cortical cells",
        JOSA A 4(12), 1987 (the power law); van der Schaaf, van Hateren: "Modelling the power spectra of natural
        images", Vision Research 36(17), 1996 (and its directions); Pech-Pacheco et al.: "Diatom autofocusing in
        brightfield microscopy: a comparative study", ICPR 2000 (the Laplacian as a measure of sharpness).
    """
    windows = np.concatenate([blocks(crop, SIDE) for crop in crops])
    windows = windows[windows.std(axis=(1, 2)) >= _LEAST_CONTRAST] if len(windows) else windows
    if not len(windows):
        return None
    powers = _powers(windows[np.argsort(-_sharpness(windows), kind="stable")[:BEST]])
    radii, directions = _grid()
    each = sorted(_filled(powers, np.where(directions == number, radii, 0)) for number in range(_DIRECTIONS))
    return math.sqrt(_filled(powers, radii) * each[_FEW])


def _sharpness(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean square of each window's Laplacian."""
    sums = windows[:, :-2, 1:-1] + windows[:, 2:, 1:-1] + windows[:, 1:-1, :-2] + windows[:, 1:-1, 2:]
    sharpness: NDArray[np.float32] = ((4 * windows[:, 1:-1, 1:-1] - sums) ** 2).mean(axis=(1, 2))
    return sharpness


def _powers(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean power of the windows at each frequency."""
    hann = np.hanning(SIDE + 2)[1:-1]
    centred = windows - windows.mean(axis=(1, 2), keepdims=True)
    powers: NDArray[np.float64] = (np.abs(np.fft.rfft2(centred * np.outer(hann, hann))) ** 2).mean(axis=0)
    return powers


@functools.cache
def _grid() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The radius of each frequency in cycles for each window, and the number of its direction."""
    y, x = np.fft.fftfreq(SIDE)[:, None] * SIDE, np.fft.rfftfreq(SIDE)[None, :] * SIDE
    directions = np.rint(np.arctan2(y, x) / math.pi * _DIRECTIONS).astype(int) % _DIRECTIONS
    return np.rint(np.hypot(y, x)).astype(int), directions


def _filled(powers: NDArray[np.float64], radii: NDArray[np.int64]) -> float:
    """The share of the radii up to which there is power, among the frequencies whose radius is not 0."""
    counts = np.bincount(radii.ravel(), minlength=SIDE)[1 : SIDE // 2]
    means = np.bincount(radii.ravel(), powers.ravel(), minlength=SIDE)[1 : SIDE // 2] / np.maximum(counts, 1)
    numbers = np.arange(1, SIDE // 2)
    expected = means[_REFERENCE].mean() * (_CENTRE / numbers) ** _EXPONENT
    missing = 10 * np.log10(expected / np.maximum(means, 1e-9))
    return _crossing(numbers, missing) / (SIDE // 2)


def _crossing(radii: NDArray[np.int64], missing: NDArray[np.float64]) -> float:
    """The radius from which on more than `_EMPTY` is missing everywhere; half the side if it is nowhere."""
    full = np.flatnonzero(missing <= _EMPTY)
    last = int(full[-1]) if len(full) else 0
    if last + 1 >= len(radii):
        return SIDE / 2
    share = (_EMPTY - missing[last]) / (missing[last + 1] - missing[last])
    return float(radii[last] + np.clip(share, 0, 1))
