"""Sheets that compare LR, the result of each model, and HR side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.evaluate.results import EvaluatedImage, EvaluationSetting
from hyperacuity.evaluate.sets import ImageSet
from hyperacuity.resize import resize

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageFont

Image8 = NDArray[np.uint8]

# In pixels: between panels, above them for titles, the least width of a panel, the height of letters.
GAP = 8
BAR = 48
PANEL = 256
FONT = 16


def sheet_paths(folder: Path, setting: EvaluationSetting) -> list[Path]:
    """Returns the paths of a set's sheets, one for each image in the order of the set.

    Raises:
        UsageError: If the set is a video.
    """
    images = setting.images
    if not isinstance(images, ImageSet):
        raise UsageError(f"crops are written for folders only, but {images.path} is a video", Use(images=LEAVE_OUT))
    return [folder / f"{images.name}-{member.name.replace('/', '-')}-x{setting.scale}.png" for member in images.members]


def draw_sheet(setting: EvaluationSetting, image: EvaluatedImage, *, detail: int = 128) -> PIL.Image.Image:
    """Draw the detail where the results differ most from HR, each panel under its title.

    The panels are LR pixels, the results with the value of the first metric, and HR. Each pixel is drawn as a square.

    Args:
        setting: What was measured.
        image: With the results to draw.
        detail: The side of the detail in HR pixels.
    """
    height, width = image.hr.shape[:2]
    side = min(detail, height, width)
    top, left = _worst_square(list(image.results.values()), image.hr, side)
    metric = setting.metrics[0]
    panels = [("LR", "", resize(image.lr, size=(height, width), kernel="nearest"))]
    for name, result in image.results.items():
        panels.append((name, metric.format_with_unit(image.measurements[name].scores[metric.name]), result))
    panels.append(("HR", "", image.hr))

    import PIL.Image
    import PIL.ImageDraw

    zoom = max(2, -(-PANEL // side))
    across = zoom * side
    sheet = PIL.Image.new("RGB", ((across + GAP) * len(panels) - GAP, across + BAR), "white")
    draw = PIL.ImageDraw.Draw(sheet)
    for n, (name, figure, pixels) in enumerate(panels):
        cut = np.broadcast_to(pixels[top : top + side, left : left + side], (side, side, 3))
        x = n * (across + GAP)
        sheet.paste(PIL.Image.fromarray(cut.repeat(zoom, axis=0).repeat(zoom, axis=1)), (x, BAR))
        lines = (name, figure) if figure else (name,)
        for line, text in enumerate(lines, 1):
            y = line * BAR / (len(lines) + 1)
            draw.text((x + across / 2, y), text, fill="black", anchor="mm", font=_fitting_font(text, across))
    return sheet


def to_png(sheet: PIL.Image.Image) -> bytes:
    """Returns a sheet as a PNG file."""
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()


def _fitting_font(text: str, width: int) -> PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont:
    """Returns the font, smaller if the text would be wider than its panel."""
    import PIL.ImageFont

    wide = PIL.ImageFont.load_default(FONT).getlength(text)
    return PIL.ImageFont.load_default(min(FONT, FONT * width / wide))


def _worst_square(results: Sequence[Image8], hr: Image8, side: int) -> tuple[int, int]:
    """Returns top and left of the square where the results are farthest from HR, on a grid of half its side."""
    error: NDArray[Any] = np.sum([np.abs(result.astype(np.float32) - hr).mean(axis=-1) for result in results], axis=0)
    step = max(1, side // 2)
    tops, lefts = (range(0, length - side + 1, step) for length in error.shape)
    sums = {(top, left): error[top : top + side, left : left + side].sum() for top in tops for left in lefts}
    return max(sums, key=lambda corner: float(sums[corner]))
