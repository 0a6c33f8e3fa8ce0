"""Make the README's picture: a detail, enlarged four times by each of the ways.

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
DETAIL = (42, 150, 140, 130)  # top, left, width, height in the example
SCALE = 3
BAR = 30


def panel(pixels: NDArray[Any], title: str) -> PIL.Image.Image:
    """A picture under its title."""
    height, width = pixels.shape[:2]
    canvas = PIL.Image.new("RGB", (width, height + BAR), "white")
    canvas.paste(PIL.Image.fromarray(pixels), (0, BAR))
    draw = PIL.ImageDraw.Draw(canvas)
    draw.text((width / 2, BAR / 2), title, fill="black", anchor="mm", font=PIL.ImageFont.load_default(16))
    return canvas


def main() -> None:
    whole = np.asarray(PIL.Image.open(ROOT / "examples/astronaut.png").convert("RGB"))
    top, left, width, height = DETAIL
    detail = np.ascontiguousarray(whole[top : top + height, left : left + width])
    panels = [
        panel(resize(detail, scale=SCALE, kernel="nearest"), "the pixels"),
        panel(hyperacuity.upscale(detail, SCALE, model="bicubic"), "bicubic"),
        panel(hyperacuity.upscale(detail, SCALE), "hyperacuity"),
    ]
    gap = 8
    sheet = PIL.Image.new("RGB", (sum(p.width for p in panels) + gap * (len(panels) - 1), panels[0].height), "white")
    x = 0
    for picture in panels:
        sheet.paste(picture, (x, 0))
        x += picture.width + gap
    sheet.save(ROOT / "docs/before-after.png", optimize=True)


if __name__ == "__main__":
    main()
