"""The one table of formats. A new format is one module with the names of `Format` and one line here.

If the format was only recognised until now (DICOM is), its line in `foreign` goes.
"""

from __future__ import annotations

from collections.abc import Callable

from hyperacuity.formats.photo import avif, bmp, gif, heif, jp2, jpeg, jxl, netpbm, png, tiff, webp
from hyperacuity.formats.protocol import Capacity, Format

# The first that accepts a file reads it; the first that has its ending writes it.
FORMATS: tuple[Format, ...] = (
    png,
    jpeg,
    webp,
    tiff,
    bmp,
    gif,
    avif,
    heif,
    jp2,
    jxl,
    netpbm,
)


def suffixes() -> list[str]:
    """Return every ending of an image that can be written, lower case with the dot."""
    return [suffix for each in FORMATS for suffix in each.SUFFIXES]


def holding(fits: Callable[[Capacity], bool]) -> str:
    """Return the endings of formats that hold all metadata and satisfy `fits`, such as ".png or .tif"."""
    complete = {"icc", "exif", "xmp"}
    found = [
        each.SUFFIXES[0]
        for each in FORMATS
        if each.HOLDS is not None and complete <= each.HOLDS.metadata.keys() and fits(each.HOLDS)
    ]
    return " or ".join([", ".join(found[:-1])] * (len(found) > 1) + found[-1:])
