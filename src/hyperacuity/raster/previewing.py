"""A part of a scene before and after, at the same place, as an image with a scale bar."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats, values
from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.raster.dependency import gdal
from hyperacuity.formats.raster.source import RasterSource
from hyperacuity.image import Header, Image, Strips
from hyperacuity.pipeline.box_consistency import Consistency, measure, project
from hyperacuity.pipeline.scale_bar import Length, make_sheet
from hyperacuity.raster.provenance import NOT_A_MEASUREMENT, summary
from hyperacuity.raster.run import enlarged, surveyed
from hyperacuity.size import Size
from hyperacuity.storage import may_write, storing
from hyperacuity.task import MeasurementOptions, Options, Outcome, Stop
from hyperacuity.upscaler import Upscaler
from hyperacuity.zoo import refuse_generative

# The longer side of the part, in input pixels.
_SIDE = 256
# The values that become black and white: these percentiles of the valid values of each band.
_BLACK, _WHITE = 2, 98


def preview(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    size: Size,
    options: MeasurementOptions | None = None,
    *,
    force: bool = False,
) -> Outcome:
    """Write the middle of a raster as an image: on the left enlarged by bicubic, on the right by the model.

    Both halves have the same grey values or colours: the 2nd and the 98th percentile of each band are black and white.
    A bar shows a length on the ground.

    Args:
        upscaler: The model.
        source: The raster.
        target: The image to write.
        size: The size that the whole result would have.
        options: How it is enlarged.
        force: Overwrite a target that exists.

    Returns:
        The outcome, with the consistency of the part that is shown.

    Raises:
        UnsupportedFormat: If `target` names no image.
        UsageError: As `run.upscale`; also if no pixel of the part is valid.
    """
    options = options or MeasurementOptions()
    may_write(target, source, force=force)
    refuse_generative(upscaler.family[0].card, "measurements", allowed=options.allow_generative)
    if not formats.knows(target):
        raise UnsupportedFormat(f"{target} does not name an image, which a preview is: give a name such as scene.png")
    with gdal():
        opened = RasterSource(source)
        whole = size.resolve(opened.height, opened.width)
        part = _middle(opened.strips(categorical=options.categorical)).strips()
        header = part.header
        after = tuple(
            max(1, round(a * b / c))
            for a, b, c in zip(header.shape, whole, (opened.height, opened.width), strict=False)
        )
        height, width = after
        part, survey = surveyed(part, source, Stop())
        found = Consistency.of_bands(header.colours)
        result, models = enlarged(upscaler, part, (height, width))
        if options.consistent and survey is not None:
            result = project(result, part, values.find_valid)
        result = measure(result, part, values.find_valid, found)
        after_pixels = result.gather().pixels
        before_pixels = enlarged(Upscaler(Options(model="bicubic")), part, (height, width))[0].gather().pixels
        shown = _shown_bands(opened, header)
        window = _window(part.gather().pixels, header, shown)
        halves = [_grey_levels(pixels, shown, window) for pixels in (before_pixels, after_pixels)]
        metres = _metres_per_pixel(opened, whole)
    text = "" if survey is None else summary(found, survey, opened.description)
    length = None if metres is None else Length(metres, _length_on_ground)
    note = f"{text}. {NOT_A_MEASUREMENT.capitalize()}.".removeprefix(". ")
    sheet = make_sheet(halves[0], halves[1], length, ("bicubic", " + ".join(models) or "same size"), note)
    with storing(target), formats.write(target, None) as sink:
        sink.write(Image.from_pixels(sheet).strips())
    before = opened.height, opened.width
    return Outcome(
        str(source), str(target), "raster", before=before, after=whole, models=models, frames=1, consistency=text
    )


def _middle(strips: Strips) -> Image:
    """The middle of an image, at most `_SIDE` pixels on a side."""
    header = strips.header
    height, width = min(_SIDE, header.height), min(_SIDE, header.width)
    top, left = (header.height - height) // 2, (header.width - width) // 2
    parts = []
    row = 0
    for block in strips.rows:
        cut = block[max(0, top - row) : max(0, top + height - row), left : left + width]
        parts.append(cut)
        row += len(block)
        if row >= top + height:
            break
    return Image(header.resized(height, width), np.ascontiguousarray(np.concatenate(parts)))


def _shown_bands(opened: RasterSource, header: Header) -> list[int]:
    """Red, green and blue if the file names them, else the first band."""
    names = [each.name for each in opened.description.colours]
    colours = ["red", "green", "blue"]
    return [names.index(name) for name in colours] if set(colours) <= set(names) else [0]


def _window(pixels: NDArray[Any], header: Header, bands: list[int]) -> list[tuple[float, float]]:
    """Black and white of each band that is shown."""
    valid = values.find_valid(pixels, header)
    found = []
    for band in bands:
        inside = pixels[..., band][valid[..., band]]
        low, high = np.percentile(inside, (_BLACK, _WHITE)) if inside.size else (0.0, 1.0)
        found.append((float(low), float(high) if high > low else float(low) + 1))
    return found


def _grey_levels(pixels: NDArray[Any], bands: list[int], window: list[tuple[float, float]]) -> NDArray[np.uint8]:
    """(h, w, 1 or 3) in 8 bits; NaN is black."""
    shown = [
        np.nan_to_num((pixels[..., band].astype(np.float64) - low) / (high - low))
        for band, (low, high) in zip(bands, window, strict=True)
    ]
    return np.floor(np.clip(np.stack(shown, axis=-1), 0, 1) * 255 + 0.5).astype(np.uint8)


def _metres_per_pixel(opened: RasterSource, whole: tuple[int, int]) -> float | None:
    """Metres across a pixel of the result; None if its coordinates are not lengths."""
    place = opened.georeference.enlarged(whole[0] / opened.height, whole[1] / opened.width)
    if place.transform is None or place.crs is None or not place.crs.is_projected:
        return None
    _, metres = place.crs.linear_units_factor
    return math.hypot(place.transform.a, place.transform.d) * float(metres)


def _length_on_ground(metres: float) -> str:
    return f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
