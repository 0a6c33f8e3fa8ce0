"""Padding that a DICOM file does not declare: a constant below air around the image."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from hyperacuity.errors import HyperacuityWarning
from hyperacuity.formats.dicom.slices import DicomImage
from hyperacuity.image import Header

# Nothing has less attenuation than a vacuum, which is -1024 HU with the usual rescaling.
_LEAST_HU = -1024


class PaddingWarning(HyperacuityWarning):
    """Pixels look like padding, but the file does not say so, and they are taken for measurements."""


def find_undeclared_padding(pixels: NDArray[Any], header: Header, image: DicomImage, frame: int) -> float | None:
    """Return the stored value that looks like padding: the same in all four corners, below all possible HU.

    Args:
        pixels: A frame (h, w, 1) as stored.
        header: Its header.
        image: Its file.
        frame: Its number in the file.
    """
    if image.unit != "HU" or header.channels != 1 or header.measured is None or header.measured.invalid is not None:
        return None
    corners = {int(pixels[row, column, 0]) for row in (0, -1) for column in (0, -1)}
    if len(corners) > 1:
        return None
    (value,) = corners
    slope, intercept = image.rescaling(frame)
    return float(value) if value * slope + intercept < _LEAST_HU else None
