"""Input, result and error map, reduced, as PNG inside an HTML file."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats
from hyperacuity.image import Image
from hyperacuity.trust import ReducedImages, coloured, legend

# Narrower error maps are enlarged, for the numbers of their legend.
_LEGIBLE = 320


class Thumbnail(NamedTuple):
    """An image of a report.

    Attributes:
        caption: What it shows.
        alternative: The same for readers who do not see it.
        address: Holds the image itself.
        width: In pixels.
        height: In pixels.
    """

    caption: str
    alternative: str
    address: str
    width: int
    height: int


def make_thumbnails(content: Mapping[str, Any], reduced: ReducedImages) -> list[Thumbnail]:
    """Returns the images of a report: input, result and, if there is one, error map.

    Args:
        content: From `content.describe_result`.
        reduced: Small copies of the images.
    """
    shown = [
        _thumbnail("The input", f"The input, {content['input']['name']}, reduced", reduced.source),
        _thumbnail("The result", f"The result, {content['output']['name']}, reduced", reduced.result),
    ]
    if reduced.errors is not None:
        dirty = content["beyond_calibration"]
        caption = (
            "Expected error of brightness, in grey levels of 255 (scale below the map): nine of ten pixels stay below "
            "it. Dark: certain; light: uncertain"
        )
        if dirty:
            caption += ". Calibrated for clean input only: for this input the errors are larger"
        factor = max(1, _LEGIBLE // reduced.errors.shape[1])
        colours = coloured(reduced.errors).repeat(factor, 0).repeat(factor, 1)
        with_legend = np.concatenate([colours, legend(colours.shape[1], dirty=dirty)])
        shown.append(_thumbnail(caption, "Map of expected errors; its numbers stand under Measurements", with_legend))
    return shown


def _thumbnail(caption: str, alternative: str, pixels: NDArray[np.uint8]) -> Thumbnail:
    height, width = pixels.shape[:2]
    with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
        path = Path(folder, "thumbnail.png")
        with formats.write(path, None) as sink:
            sink.write(Image.from_pixels(pixels).strips())
        address = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    return Thumbnail(caption, alternative, address, width, height)
