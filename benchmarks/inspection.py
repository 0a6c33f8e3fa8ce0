"""What `inspect` measures, and what `auto` decides, on Kodak24 and on degradations of it.

    python benchmarks/inspection.py

Each row of results/inspection.csv is one degradation of all 24 images: how many of them count as clean, between and
dirty, and the medians of the measurements. The thresholds in inspection/decision.py were set by these rows. The last
ones are the kinds of the trainer (train/degrade/everyday_kinds.py), each image with random strengths, at full and at
half size.
"""

from __future__ import annotations

import io
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from hyperacuity import datasets
from hyperacuity.inspection import Inspection, decide, inspect
from hyperacuity.resize import resize
from hyperacuity.train.degrade.everyday import degrade_everyday
from hyperacuity.train.degrade.everyday_kinds import KINDS

FOLDER = Path(__file__).parents[2] / "shared/data/validation/Kodak24"
Codes = NDArray[np.uint8]
Made = Codes | bytes
Maker = Callable[[int, Codes], Made]


def main() -> None:
    images = [datasets.read_image(path) for path in datasets.files([FOLDER])]
    record.save(
        "inspection", [_row(name, [make(n, image) for n, image in enumerate(images)]) for name, make in _made()]
    )


def _made() -> Iterator[tuple[str, Maker]]:
    """The name of each row, and what makes an array or a file of the number and the pixels of an image."""
    yield "as it is", lambda n, image: image
    yield from ((f"made small by {scale}", partial(_small, scale)) for scale in (2, 3, 4))
    yield from ((f"JPEG {quality}", partial(_file, quality)) for quality in (30, 50, 65, 75, 80, 85, 90, 95))
    yield from ((f"WebP {quality}", partial(_webp_file, quality)) for quality in (40, 60, 75, 90))
    for quality in (40, 75):
        yield f"PNG of JPEG {quality}, cropped", partial(_cropped, quality)
        yield f"JPEG 95 of JPEG {quality}, cropped", partial(_file_of_cropped, quality)
    yield from ((f"noise {deviation} in R, G and B", partial(_noisy, deviation)) for deviation in (2, 4, 6, 10, 20))
    yield from ((f"blurred by {radius}", partial(_blurred, radius)) for radius in (0.7, 1.0, 1.5, 2.5))
    yield from ((f"enlarged by {factor}", partial(_enlarged, factor)) for factor in (1.5, 2, 3))
    for kind in KINDS:
        yield from ((f"trainer: {kind}, 1/{scale}", partial(_everyday, kind, scale)) for scale in (1, 2))


def _row(name: str, made: list[Made]) -> dict[str, Any]:
    found: list[Inspection] = [inspect(each) for each in made]
    verdicts = Counter(decide(each) for each in found)
    bandwidths = [each.bandwidth for each in found if each.bandwidth is not None]
    return {
        "degradation": name,
        **{verdict: verdicts[verdict] for verdict in ("clean", "between", "dirty")},
        "noise": f"{statistics.median(each.noise for each in found):.2f}",
        "blockiness": f"{statistics.median(each.blockiness for each in found):.2f}",
        "bandwidth": f"{statistics.median(bandwidths):.2f}",
    }


def _jpeg(pixels: Codes, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _small(scale: int, number: int, pixels: Codes) -> Codes:
    small: Codes = resize(pixels, scale=1 / scale)
    return small


def _file(quality: int, number: int, pixels: Codes) -> bytes:
    return _jpeg(pixels, quality)


def _webp_file(quality: int, number: int, pixels: Codes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality)
    return file.getvalue()


def _cropped(quality: int, number: int, pixels: Codes) -> Codes:
    return np.ascontiguousarray(np.asarray(Image.open(io.BytesIO(_jpeg(pixels, quality))))[3:, 5:])


def _file_of_cropped(quality: int, number: int, pixels: Codes) -> bytes:
    return _jpeg(_cropped(quality, number, pixels), 95)


def _noisy(deviation: float, number: int, pixels: Codes) -> Codes:
    noise = np.random.default_rng(number).normal(size=pixels.shape) * deviation
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def _blurred(radius: float, number: int, pixels: Codes) -> Codes:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _enlarged(factor: float, number: int, pixels: Codes) -> Codes:
    height, width = pixels.shape[:2]
    small = resize(pixels, size=(round(height / factor), round(width / factor)))
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def _everyday(kind: str, scale: int, number: int, pixels: Codes) -> Codes:
    hr = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    return degrade_everyday(hr, scale, kind, np.random.default_rng([number, scale])).permute(1, 2, 0).numpy()


if __name__ == "__main__":
    main()
