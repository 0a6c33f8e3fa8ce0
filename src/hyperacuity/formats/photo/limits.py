"""How many pixels an image may announce: a small file can announce a size that fills the memory."""

from __future__ import annotations

import os

from hyperacuity.errors import DamagedFile, UnsupportedFormat, UsageError

# Half a gigapixel, 1.5 GB as RGB: more than cameras produce, less than forged headers announce.
MAX_PIXELS = 500_000_000
MAX_PIXELS_VARIABLE = "HYPERACUITY_MAX_PIXELS"


def max_pixels() -> int:
    """Return the most pixels an image may announce.

    Raises:
        UsageError: If the environment variable `HYPERACUITY_MAX_PIXELS` is not a positive number.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE)
    if text is None:
        return MAX_PIXELS
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{MAX_PIXELS_VARIABLE} is {text!r}, which is not a number of pixels such as {MAX_PIXELS}")
    return int(text)


def check_size(width: int, height: int) -> None:
    """Refuse an announced size before any pixel is decoded.

    Raises:
        DamagedFile: If there are no pixels.
        UnsupportedFormat: If there are more than `max_pixels()`.
    """
    if width < 1 or height < 1:
        raise DamagedFile(f"it announces {width} × {height} pixels")
    limit = max_pixels()
    if width * height > limit:
        raise UnsupportedFormat(
            f"it announces {width} × {height} pixels, and more than {limit} are not decoded, because a small file can "
            f"announce a size that fills the memory; if you trust it, set {MAX_PIXELS_VARIABLE}={width * height}"
        )
