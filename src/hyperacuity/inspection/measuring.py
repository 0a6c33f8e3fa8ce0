"""Measures an image: a file, the bytes of one, or an array."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.image import Image, pil_pixels
from hyperacuity.inspection.avif_header import read_avif_quality
from hyperacuity.inspection.blockiness import Blockiness, measure_blockiness
from hyperacuity.inspection.jpeg_tables import read_jpeg_header
from hyperacuity.inspection.noise import measure_noise
from hyperacuity.inspection.reading import read_part
from hyperacuity.inspection.record import Inspection
from hyperacuity.inspection.repetition import measure_repetition
from hyperacuity.inspection.sampling import is_graphic, luma_crops
from hyperacuity.inspection.spectrum import measure_bandwidth
from hyperacuity.inspection.traces import Opinion, measure_traces
from hyperacuity.inspection.webp_header import read_webp_quality

if TYPE_CHECKING:
    import PIL.Image


def inspect(x: str | os.PathLike[str] | bytes | NDArray[Any] | PIL.Image.Image) -> Inspection:
    """Measure how clean an image is: its compression, noise, blocks, and how much of its spectrum it fills.

    A sample of up to 512 x 512 pixels is measured, so that an image of any size takes about 30 milliseconds besides
    reading it; of a file of more than 6 megapixels only the first rows are read.

    Args:
        x: The path of a file; the bytes of one; a PIL image; or an array (H, W) or (H, W, C) of uint8, uint16, or
            floats in [0, 1], with C = 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha). Of
            an animation the first frame counts.

    Returns:
        The measurements; the same file always has the same ones. `inspection.decide` judges them.

    Raises:
        UsageError: A file is missing, or the array is not an image.
        DamagedFile: The content of the file is broken.
        UnsupportedFormat: No format reads the file.

    Example:
        >>> inspect(np.zeros((10, 12, 3), np.uint8)).noise
        0.0
    """
    if isinstance(x, np.ndarray):
        return inspect_image(_image(x))
    if isinstance(x, str | bytes | os.PathLike):
        return _inspect_file(x if isinstance(x, bytes) else Path(x))
    if hasattr(x, "getbands"):  # a PIL image, recognised without importing PIL
        return inspect_image(_image(pil_pixels(x)))
    raise UsageError(f"cannot inspect a {type(x).__name__}: give a path, bytes, a PIL image or a numpy array")


def _inspect_file(data: Path | bytes) -> Inspection:
    image, (height, width) = read_part(data)
    found = replace(
        inspect_image(image),
        height=height,
        width=width,
        webp_quality=read_webp_quality(data),
        avif_quality=read_avif_quality(data),
    )
    header = read_jpeg_header(data)
    return found if header is None else replace(found, jpeg_quality=header.quality, chroma=header.subsampling)


def inspect_image(image: Image) -> Inspection:
    """Measure the pixels of an image of any type."""
    crops = luma_crops(image)
    graphic = is_graphic(crops)  # the dots and edges of which look like noise and blocks
    blocks = Blockiness() if graphic else measure_blockiness(crops)
    bandwidth = measure_bandwidth(crops)
    times = 1 if graphic else measure_repetition(crops)
    if times > 1:  # borders between repeated pixels fill the spectrum, and look like those of blocks
        bandwidth = 1 / times
    opinion = Opinion() if graphic or times > 1 else measure_traces(crops)
    clipped = sum(int(np.count_nonzero((crop <= 0.5) | (crop >= 254.5))) for crop in crops)
    return Inspection(
        image.header.height,
        image.header.width,
        noise=0.0 if graphic else round(measure_noise(crops), 2),
        blockiness=round(blocks.strength, 2),
        grid=blocks.grid,
        bandwidth=None if bandwidth is None else round(bandwidth, 2),
        saturation=round(clipped / sum(crop.size for crop in crops), 3),
        traces=None if opinion.traces is None else round(opinion.traces, 2),
        grain=None if opinion.grain is None else round(opinion.grain, 2),
    )


def inspect_frames(frames: Sequence[NDArray[Any]]) -> Inspection:
    """Measure a video by several of its frames: the median of each measurement.

    Args:
        frames: Of one size, as `inspect` takes arrays; at least one.
    """
    found = [inspect(frame) for frame in frames]
    return Inspection(
        found[0].height,
        found[0].width,
        noise=round(median(each.noise for each in found), 2),
        blockiness=round(median(each.blockiness for each in found), 2),
        grid=next((each.grid for each in found if each.grid is not None), None),
        bandwidth=_median(each.bandwidth for each in found),
        saturation=round(median(each.saturation for each in found), 3),
        traces=_median(each.traces for each in found),
        grain=_median(each.grain for each in found),
    )


def _median(values: Iterable[float | None]) -> float | None:
    """The median of the values that exist; None if none does."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _image(pixels: NDArray[Any]) -> Image:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in pixels.shape:
        raise UsageError(f"pixels of shape {pixels.shape}: give (H, W) or (H, W, C) with 1 to 4 channels")
    if pixels.dtype.kind not in "uf":
        raise UsageError(f"pixels of {pixels.dtype}: give uint8, uint16, or floats in [0, 1]")
    plain = np.asarray(pixels, pixels.dtype.newbyteorder("="))  # not a masked array, for example
    return Image.from_pixels(plain, alpha=channels in (2, 4))
