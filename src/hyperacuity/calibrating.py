"""Calibrates the error maps of a model on images of the user's own kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats
from hyperacuity.counting import counted
from hyperacuity.errors import UsageError
from hyperacuity.image import Image
from hyperacuity.resize import resize
from hyperacuity.trust import Calibration, luma_levels
from hyperacuity.upscaler import Upscaler

# At most this number of pixels of each image are compared, evenly spaced, so that large images do not decide alone.
_PIXELS = 20_000
# Parts of larger images that are enlarged, in pixels.
_SIDE = 768


def measure_errors(
    upscaler: Upscaler, image: Image, scale: int, source: str = "network"
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Reduce an image, enlarge it again, and compare the result and its error map with the image.

    Args:
        upscaler: The model.
        image: The ground truth; its middle is used if it is large.
        scale: 2, 3 or 4.
        source: What the error map is computed from, see `error_maps.ErrorMapRequest`.

    Returns:
        The predicted errors before calibration, the absolute errors, and the luma of the result, in grey levels, each
        (H, W) without `scale` pixels on each side.
    """
    height, width = (min(side, _SIDE) // scale * scale for side in image.pixels.shape[:2])
    top, left = (image.pixels.shape[0] - height) // 2, (image.pixels.shape[1] - width) // 2
    hr = image.pixels[top : top + height, left : left + width, : image.header.colours]
    lr = resize(hr, size=(height // scale, width // scale))
    result = upscaler.array(lr, scale)
    header = image.header
    truth, made = (luma_levels(pixels, header) for pixels in (hr, result))
    inside = (slice(scale, -scale), slice(scale, -scale))
    return upscaler.error_map(lr, result, source, Calibration())[inside], np.abs(made - truth)[inside], made[inside]


def calibrate(
    upscaler: Upscaler,
    files: Sequence[Path],
    scale: int,
    *,
    source: str = "network",
    data: str = "",
) -> Calibration:
    """Calibrate the error maps of a model at one scale.

    Args:
        upscaler: The model.
        files: Clean images at full resolution that the model was not trained on; their reductions are its input.
        scale: 2, 3 or 4.
        source: What the error maps are computed from.
        data: What the images show, in words.

    Raises:
        UsageError: If the images have too few pixels.
    """
    predicted, errors = [], []
    for path in files:
        with formats.read(path) as opened:
            image = next(iter(opened))
            image = image if isinstance(image, Image) else image.gather()
        if min(image.pixels.shape[:2]) < 16 * scale:
            continue
        q, e, _ = measure_errors(upscaler, image, scale, source)
        step = -(-q.size // _PIXELS)
        predicted.append(q.ravel()[::step])
        errors.append(e.ravel()[::step])
    if not predicted:
        raise UsageError(f"no image is large enough for a calibration: give sides of {16 * scale} pixels or more")
    name = upscaler.names((1, 1), (scale, scale))[-1]
    return Calibration.fit(
        np.concatenate(predicted),
        np.concatenate(errors),
        model=name,
        data=data or counted(len(predicted), "image"),
    )
