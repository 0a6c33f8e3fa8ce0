"""Make the README's image: details of a photo, enlarged four times in three ways.

    python docs/pictures.py

Reads examples/astronaut.png, writes docs/before-after.png.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

import hyperacuity
from hyperacuity.resize import resize

ROOT = Path(__file__).parents[1]
# top, left, height, width in the photo
DETAILS = ((82, 225, 32, 52), (346, 143, 32, 52))
SCALE = 4
SHOWN = 2  # each pixel of a result is shown this large, so that it can be judged
BAR, GAP = 34, 8


def enlarged(detail: NDArray[Any]) -> list[NDArray[Any]]:
    """The detail by repeated pixels, by bicubic and by the default model."""
    results = (
        resize(detail, scale=SCALE, kernel="nearest"),
        hyperacuity.upscale(detail, SCALE, model="bicubic"),
        hyperacuity.upscale(detail, SCALE),
    )
    return [resize(result, scale=SHOWN, kernel="nearest") for result in results]


def main() -> None:
    """Write the sheet: one row for each detail, one column for each way."""
    photo = np.asarray(PIL.Image.open(ROOT / "examples/astronaut.png").convert("RGB"))
    titles = ("input, pixels repeated", "bicubic x4", "Hyperacuity x4")
    _, _, height, width = DETAILS[0]
    height, width = height * SCALE * SHOWN, width * SCALE * SHOWN
    sheet = PIL.Image.new("RGB", (3 * width + 2 * GAP, BAR + len(DETAILS) * (height + GAP) - GAP), "white")
    draw = PIL.ImageDraw.Draw(sheet)
    font = PIL.ImageFont.load_default(19)
    for column, title in enumerate(titles):
        left = column * (width + GAP)
        draw.text((left + width / 2, BAR / 2), title, fill="black", anchor="mm", font=font)
    for row, (top, left, rows, columns) in enumerate(DETAILS):
        detail = np.ascontiguousarray(photo[top : top + rows, left : left + columns])
        for column, pixels in enumerate(enlarged(detail)):
            sheet.paste(PIL.Image.fromarray(pixels), (column * (width + GAP), BAR + row * (height + GAP)))
    sheet.save(ROOT / "docs/before-after.png", optimize=True)


if __name__ == "__main__":
    main()
