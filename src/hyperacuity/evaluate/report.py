"""Tables and pictures of an evaluation."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.evaluate import PROTOCOLS, Row
from hyperacuity.resize import resize

if TYPE_CHECKING:
    import PIL.Image

Picture = NDArray[np.uint8]

# Pixels between the panels of a comparison, and above them for the titles.
GAP = 8
BAR = 28


def to_csv(rows: Sequence[Row]) -> str:
    """All rows with all columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0].record()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.record() for row in rows)
    return text.getvalue()


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The names of the columns that are not empty throughout, and the rows under them."""
    records = [row.record() for row in rows]
    columns = [name for name in records[0] if any(record[name] != "" for record in records)]
    return columns, [[str(record[name]) for name in columns] for record in records]


def to_markdown(rows: Sequence[Row]) -> str:
    """A table for a README, without columns that are empty throughout, and the protocols in words under it."""
    columns, body = table(rows)
    lines = [columns, ["---"] * len(columns), *body]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([drawn, "", *statements(rows)]) + "\n"


def statements(rows: Sequence[Row]) -> list[str]:
    """One sentence for each protocol that occurs."""
    names = dict.fromkeys(row.protocol for row in rows)
    return [f"Protocol {name}: {PROTOCOLS[name].statement}." for name in names]


def comparison(
    lr: Picture, results: Sequence[tuple[str, Picture]], hr: Picture, *, detail: int = 128
) -> PIL.Image.Image:
    """The most telling detail side by side, each panel under its title: LR pixels, the results, HR.

    lr, hr, results: (H, W, C) uint8. The detail, `detail` HR pixels a side, is where the results differ most from HR;
    it is shown at twice its size.
    """
    height, width = hr.shape[:2]
    side = min(detail, height, width)
    error = np.sum([np.abs(result.astype(np.float32) - hr).mean(axis=-1) for _, result in results], axis=0)
    top, left = _busiest(error, side)
    panels = [("LR", resize(lr, size=(height, width), kernel="nearest")), *results, ("HR", hr)]

    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    sheet = PIL.Image.new("RGB", ((2 * side + GAP) * len(panels) - GAP, 2 * side + BAR), "white")
    draw, font = PIL.ImageDraw.Draw(sheet), PIL.ImageFont.load_default(16)
    for n, (title, pixels) in enumerate(panels):
        cut = np.broadcast_to(pixels[top : top + side, left : left + side], (side, side, 3))
        x = n * (2 * side + GAP)
        sheet.paste(PIL.Image.fromarray(cut.repeat(2, axis=0).repeat(2, axis=1)), (x, BAR))
        draw.text((x + side, BAR / 2), title, fill="black", anchor="mm", font=font)
    return sheet


def _busiest(error: NDArray[Any], side: int) -> tuple[int, int]:
    """Top and left of the square with the greatest sum, on a grid of half its side."""
    step = max(1, side // 2)
    tops, lefts = (range(0, length - side + 1, step) for length in error.shape)
    sums = {(top, left): error[top : top + side, left : left + side].sum() for top in tops for left in lefts}
    return max(sums, key=lambda corner: float(sums[corner]))
