"""Tables and pictures of an evaluation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.evaluate import Row, Sample, Setting
from hyperacuity.evaluate.videos import VideoSet
from hyperacuity.resize import resize
from hyperacuity.storage import Partial, storing

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageFont

Picture = NDArray[np.uint8]

# Of a comparison, in pixels: between the panels, above them for the titles, the least that one is wide, its letters.
GAP = 8
BAR = 48
PANEL = 256
FONT = 16

SECONDS = (
    "Seconds: for a megapixel of the result, the median over the pictures, array in and array out after a warm-up, on "
    "this machine beside all else that it did."
)


def to_csv(records: Sequence[Mapping[str, str]]) -> str:
    """All records with all columns: those of rows, or of `per_picture`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(records), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _columns(records: Sequence[Mapping[str, str]]) -> list[str]:
    """Of all records; videos have more of them than pictures."""
    return list(dict.fromkeys(name for record in sorted(records, key=len, reverse=True) for name in record))


def per_picture(setting: Setting, sample: Sample) -> list[dict[str, str]]:
    """A record for each model."""
    return [
        {
            "model": model,
            "set": setting.pictures.name,
            "scale": str(setting.scale),
            "protocol": setting.how.name,
            "picture": sample.name,
            **{metric.column: f"{one.scores[metric.name]:.6f}".replace("nan", "") for metric in setting.metrics},
            "seconds_per_megapixel": f"{one.seconds:.6f}",
        }
        for model, one in sample.measured.items()
    ]


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The names of the columns that are not empty throughout, and the rows under them."""
    records = [row.record() for row in rows]
    columns = [name for name in _columns(records) if any(record.get(name) for record in records)]
    return columns, [[record.get(name, "") for name in columns] for record in records]


def to_markdown(rows: Sequence[Row]) -> str:
    """A table for a README, without columns that are empty throughout, and what it means in words under it."""
    columns, body = table(rows)
    lines = [columns, ["---"] * len(columns), *body]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return drawn + "\n\n" + "\n\n".join(statements(rows)) + "\n"


def statements(rows: Sequence[Row]) -> list[str]:
    """A sentence for each protocol and each metric that needs one."""
    settings = [row.setting for row in rows]
    protocols = dict.fromkeys(_protocol(setting) for setting in settings)
    metrics = {metric.name: metric for setting in settings for metric in setting.metrics}
    if any(isinstance(setting.pictures, VideoSet) for setting in settings):
        protocols |= {"Videos: each frame is a picture in 8-bit R, G, B by the video's own matrix and range.": None}
    said = [f"{metric.title}: {metric.statement}." for metric in metrics.values() if metric.statement]
    return [*protocols, *said, SECONDS]


def _protocol(setting: Setting) -> str:
    lr = "LR as given" if setting.pictures.given_lr else "LR by MATLAB's bicubic"
    how = setting.how
    return f"Protocol {how.name}: {how.statement}; {lr}, results rounded to 8 bits, a border of `scale` pixels cut."


def targets(folder: Path, setting: Setting) -> list[Path]:
    """Where the comparisons of a set go, one for each picture, in their order. Raises `UsageError` for a video."""
    pictures = setting.pictures
    if isinstance(pictures, VideoSet):
        raise UsageError(
            f"--pictures is for folders, and {pictures.path} is a video: hyperacuity upscale has --preview"
        )
    return [
        folder / f"{pictures.name}-{member.name.replace('/', '-')}-x{setting.scale}.png" for member in pictures.members
    ]


def comparison(setting: Setting, sample: Sample, *, detail: int = 128) -> PIL.Image.Image:
    """The most telling detail of a picture side by side, each panel under its title: LR pixels, the results with the
    first of the metrics, HR.

    The detail, `detail` HR pixels a side, is where the results differ most from HR; it is shown enlarged, pixel by
    pixel.
    """
    height, width = sample.hr.shape[:2]
    side = min(detail, height, width)
    top, left = _busiest(list(sample.results.values()), sample.hr, side)
    metric = setting.metrics[0]
    panels = [("LR", "", resize(sample.lr, size=(height, width), kernel="nearest"))]
    for name, result in sample.results.items():
        panels.append((name, metric.shown(sample.measured[name].scores[metric.name]), result))
    panels.append(("HR", "", sample.hr))

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
            draw.text((x + across / 2, y), text, fill="black", anchor="mm", font=_fitting(text, across))
    return sheet


def png(picture: PIL.Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _fitting(text: str, width: int) -> PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont:
    """The font, smaller where the text would be wider than its panel."""
    import PIL.ImageFont

    wide = PIL.ImageFont.load_default(FONT).getlength(text)
    return PIL.ImageFont.load_default(min(FONT, FONT * width / wide))


def _busiest(results: Sequence[Picture], hr: Picture, side: int) -> tuple[int, int]:
    """Top and left of the square where the results are farthest from HR, on a grid of half its side."""
    error: NDArray[Any] = np.sum([np.abs(result.astype(np.float32) - hr).mean(axis=-1) for result in results], axis=0)
    step = max(1, side // 2)
    tops, lefts = (range(0, length - side + 1, step) for length in error.shape)
    sums = {(top, left): error[top : top + side, left : left + side].sum() for top in tops for left in lefts}
    return max(sums, key=lambda corner: float(sums[corner]))


def store(path: Path, content: bytes) -> None:
    """Write a file that appears under its name once it is whole, and its folder. Raises `UsageError` if it fails."""
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        partial = Partial(path)
        try:
            partial.write(content)
            partial.commit()
        finally:
            partial.discard()
