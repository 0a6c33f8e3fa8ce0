"""The middle slice before and after, at the same place, as an image with a scale bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats, values
from hyperacuity.errors import UnsupportedFormat, UsageError
from hyperacuity.formats.dicom import find_files
from hyperacuity.formats.dicom.slices import DicomImage
from hyperacuity.formats.nifti import accepts as is_nifti
from hyperacuity.formats.nifti.source import NiftiSource
from hyperacuity.image import Header, Image
from hyperacuity.medical.provenance import NOT_FOR_DIAGNOSIS
from hyperacuity.medical.slices import SliceEnlarger, describe, with_survey
from hyperacuity.pipeline.scale_bar import Length, make_sheet
from hyperacuity.size import Size
from hyperacuity.storage import may_write, storing
from hyperacuity.task import MeasurementOptions, Options, Outcome
from hyperacuity.upscaler import Upscaler
from hyperacuity.zoo import refuse_generative

Pixels = NDArray[Any]

# The values that become black and white if the file has no window: these percentiles of the valid values.
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
    """Write the middle slice as an image: on the left enlarged by bicubic, on the right by the model.

    Both have the window of the file, or the 2nd and the 98th percentile. A bar shows a length.

    Args:
        upscaler: The model.
        source: As for `run.upscale`; of a folder the middle file.
        target: The image to write.
        size: The size that the result would have.
        options: How it is enlarged.
        force: Overwrite a target that exists.

    Returns:
        The outcome, with the consistency of the slice.

    Raises:
        UnsupportedFormat: If `target` names no image.
        UsageError: As `run.upscale`.
    """
    options = options or MeasurementOptions()
    may_write(target, source, force=force)
    refuse_generative(upscaler.family[0].card, "medical images", allowed=options.allow_generative)
    if not formats.knows(target):
        raise UnsupportedFormat(f"{target} does not name an image, which a preview is: give a name such as brain.png")
    pixels, header, window, spacing, slope, unit = _middle(source, options)
    survey = values.survey(Image(header, pixels).strips())
    if not any(survey.ranges):
        raise UsageError(f"{source}: no pixel of the slice is valid")
    header = with_survey(header, survey, categorical=options.categorical)
    before = header.height, header.width
    after = size.resolve(*before)
    enlarger = SliceEnlarger(upscaler, header, after, consistent=options.consistent)
    bicubic = SliceEnlarger(Upscaler(Options(model="bicubic")), header, after, consistent=False)
    low, high = window or _percentiles(pixels, header)
    halves = [_grey_levels(each.enlarge(pixels, header), low, high) for each in (bicubic, enlarger)]
    text = describe(enlarger.found, survey, slope, unit)
    length = None if spacing is None else Length(spacing * before[1] / after[1], "{:g} mm".format)
    names = "bicubic", " + ".join(enlarger.models) or "same size"
    sheet = make_sheet(halves[0], halves[1], length, names, f"{text}. {NOT_FOR_DIAGNOSIS}".removeprefix(". "))
    with storing(target), formats.write(target, None) as sink:
        sink.write(Image.from_pixels(sheet).strips())
    return Outcome(
        str(source),
        str(target),
        "volume",
        before=before,
        after=after,
        models=enlarger.models,
        frames=1,
        consistency=text,
    )


class _Middle(NamedTuple):
    """A slice: its window in stored values, millimetres across a pixel, and what turns values into ones with a unit."""

    pixels: Pixels
    header: Header
    window: tuple[float, float] | None
    spacing: float | None
    slope: float
    unit: str


def _middle(source: Path, options: MeasurementOptions) -> _Middle:
    """The middle slice of a volume or a series."""
    if source.is_file() and is_nifti(source):
        volume = NiftiSource(source, options.plane)
        pixels = next(each for n, each in enumerate(volume) if n == volume.slices // 2)
        step = abs(float(volume.header["pixdim"][1 + volume.plane[0]]))
        return _Middle(pixels, volume.image_header, None, step or None, volume.scaling[0], "")
    files = find_files(source) if source.is_dir() else [source]
    image = DicomImage(files[len(files) // 2])
    middle = image.frames // 2
    pixels = next(each for n, each in enumerate(image) if n == middle)
    window, slope = _window(image, middle), image.rescaling(middle)[0]
    return _Middle(pixels, image.image_header(options.padding), window, image.spacing(middle), slope, image.unit)


def _window(image: DicomImage, frame: int) -> tuple[float, float] | None:
    """The first window of a file, in stored values."""
    known = image.window(frame)
    slope, intercept = image.rescaling(frame)
    if known is None or image.image_header().channels == 3:
        return None
    centre, width = known
    ends = [(centre + side * width / 2 - intercept) / slope for side in (-1, 1)]
    return (ends[1], ends[0]) if image.grid.photometric == "MONOCHROME1" else (ends[0], ends[1])


def _percentiles(pixels: Pixels, header: Header) -> tuple[float, float]:
    valid = values.find_valid(pixels, header)
    low, high = np.percentile(pixels[..., : header.colours][valid], (_BLACK, _WHITE))
    return float(low), float(high) if high > low else float(low) + 1


def _grey_levels(pixels: Pixels, low: float, high: float) -> NDArray[np.uint8]:
    shown = np.nan_to_num((pixels.astype(np.float64) - low) / (high - low))
    return np.floor(np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)
