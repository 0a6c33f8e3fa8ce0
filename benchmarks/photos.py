"""How models restore photos as people have them: LPIPS, PSNR, SSIM and seconds, for each degradation and strength.

    python benchmarks/photos.py                                # Kodak24 and Set14 at x4: 20 minutes of a core
    python benchmarks/photos.py --only -n photo-x4             # its three strengths: 8 minutes; other rows stay
    python benchmarks/photos.py -m mine.onnx --images 6 --sheet sheet.png   # six images, and crops side by side
    python benchmarks/photos.py --quick                        # one small image: does it run?

Compares bicubic, the default model, photo-x4 at three strengths, realesr-general-x4v3 (from ../shared/weights, Wang et
al., arXiv 2107.10833) and the models given by -n and -m; one that has a natural partner at three strengths. HR images
are degraded by fixed, seeded functions, so that every model sees the same LR, and so does the next run. LPIPS takes
longer than most models, so only the middle of an image is used, 384 x 384 pixels; `--side 0` takes all of it. Seconds
are those of the processor on one core, which other programs hardly change, in ONNX Runtime.
Writes results/photos.csv: the means of each model, kind and strength over all images, and of each model over everything
(kind "all"). Rows of other models and scales stay. With --images or --quick the rows are printed only.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import record
from numpy.typing import NDArray
from photo_degradations import KINDS, STRENGTHS, degrade
from PIL import Image, ImageDraw, ImageFont

import hyperacuity
from hyperacuity import Size, datasets, zoo
from hyperacuity.datasets import Pair
from hyperacuity.evaluate.enlarging import compare_result
from hyperacuity.metrics.protocols import CLASSIC
from hyperacuity.metrics.selection import select_metrics
from hyperacuity.resize import resize
from hyperacuity.upscaler import Upscaler

SHARED = Path(__file__).parents[2] / "shared"
SETS = (SHARED / "data/validation/Kodak24", SHARED / "data/benchmarks/Set14")
LPIPS = (SHARED / "weights/squeezenet1_1.safetensors", SHARED / "weights/lpips_squeeze_linear.pth")
TEACHER = SHARED / "weights/realesr-general-x4v3.safetensors"
METRICS = ("lpips", "psnr", "ssim")
# Of a sheet: the side of a crop in HR pixels, how large it is drawn, the gap between crops, the height of a title.
CROP, ZOOM, GAP, BAR = 128, 2, 6, 22
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """One HR image, and its LR under one degradation."""

    image: int
    kind: str
    strength: str
    lr: Codes
    hr: Codes


def main() -> None:
    options = _options()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    hr_images = _hr_images(options)
    with tempfile.TemporaryDirectory() as folder:
        models = _models(options, Path(folder))
        metrics = {metric.name: metric for metric in select_metrics(METRICS, {"lpips": LPIPS})}
        found: dict[tuple[str, str, str], list[dict[str, float]]] = {}
        sheet = Sheet(list(models))
        for sample in _samples(hr_images, options.scale, quick=options.quick):
            results = {name: _enlarged(model, sample.lr, options.scale) for name, model in models.items()}
            for name, (result, seconds) in results.items():
                images = compare_result(result, Pair(sample.lr, sample.hr), options.scale, CLASSIC)
                scores = {each: metric.measure(images) for each, metric in metrics.items()}
                found.setdefault((name, sample.kind, sample.strength), []).append(scores | {"seconds": seconds})
            sheet.offer(sample, {name: result for name, (result, _) in results.items()}, options.scale)
            print(sample.image, sample.kind, sample.strength, flush=True)
    rows = _rows(found, options.scale)
    if options.csv is None:
        print(*rows, sep="\n")
    else:
        record.save(options.csv, rows, key=("model", "scale"))
    if options.sheet is not None:
        sheet.draw().save(options.sheet)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--model", action="append", default=[], help="one more model by its name")
    parser.add_argument("-m", "--model-path", action="append", type=Path, default=[], help="one more model file")
    parser.add_argument("-s", "--scale", type=int, default=4)
    parser.add_argument("--only", action="store_true", help="only the models of -n and -m")
    parser.add_argument("--images", type=int, help="only this many images, spread over both sets")
    parser.add_argument("--side", type=int, default=384, help="of the middle of each HR image; 0 for all of it")
    parser.add_argument("--quick", action="store_true", help="one small crop, the middle strength: a test run")
    parser.add_argument("--csv", help="name of the file in results; for all images photos")
    parser.add_argument("--sheet", type=Path, help="an image of crops side by side")
    options = parser.parse_args()
    if not options.images and not options.quick:
        options.csv = options.csv or "photos"
    return options


def _models(options: argparse.Namespace, folder: Path) -> dict[str, Upscaler]:
    """The models by their names in the table, each on the same engine."""
    load = functools.partial(hyperacuity.load, engine="onnxruntime", device="cpu")
    names, paths = list(options.model), list(options.model_path)
    if not options.only:
        photo = f"photo-x{options.scale}"
        names = ["bicubic", zoo.DEFAULT, *(photo for _ in range(photo in hyperacuity.models())), *names]
        if options.scale == 4:
            from hyperacuity import importer

            name = importer.convert(TEACHER, folder, name=TEACHER.stem, licence="BSD-3-Clause").name
            paths.insert(0, folder / f"{name}.onnx")
    models: dict[str, Upscaler] = {}
    for name in names:
        model = load(name)
        if not model.classical and model.family[0].card.natural:
            models |= {f"{name} {each:g}": load(name, strength=each) for each in (0, 0.5, 1)}
        else:
            models[name] = model
    models |= {path.stem: load(path) for path in paths}
    for model in models.values():  # the first run of a network takes longer
        model.array(np.zeros((32, 32, 3), np.uint8), Size(options.scale))
    return models


def _hr_images(options: argparse.Namespace) -> list[Codes]:
    """The HR images as (H, W, 3), cut to sides that the scale divides."""
    paths = datasets.files(SETS)
    count = 1 if options.quick else options.images or len(paths)
    side = 32 * options.scale if options.quick else options.side or 10**6
    images = []
    for path in (paths[n * len(paths) // count] for n in range(count)):
        image = datasets.to_channels(datasets.read_image(path), 3)
        height, width = (min(side, length) // options.scale * options.scale for length in image.shape[:2])
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        images.append(np.ascontiguousarray(image[top : top + height, left : left + width]))
    return images


def _samples(hr_images: Sequence[Codes], scale: int, *, quick: bool) -> Iterator[Sample]:
    for number, hr in enumerate(hr_images):
        for kind, one in KINDS.items():
            for strength in STRENGTHS if one.strengths else STRENGTHS[1:2]:
                if quick and strength != STRENGTHS[1]:
                    continue
                truth, lr = degrade(hr, scale, kind, strength, seed=number)
                yield Sample(number, kind, strength if one.strengths else "", lr, truth)


def _enlarged(upscaler: Upscaler, lr: Codes, scale: int) -> tuple[Codes, float]:
    start = time.process_time()
    result = upscaler.array(lr, Size(scale))
    return result, time.process_time() - start


def _rows(found: dict[tuple[str, str, str], list[dict[str, float]]], scale: int) -> list[dict[str, Any]]:
    """A row for each model, kind and strength, and for each model the mean of its rows."""
    rows = [_row(name, kind, strength, scale, scores) for (name, kind, strength), scores in found.items()]
    for name in dict.fromkeys(name for name, _, _ in found):
        means = [
            {each: statistics.mean(score[each] for score in scores) for each in scores[0]}
            for (model, _, _), scores in found.items()
            if model == name
        ]
        images = len(next(scores for (model, _, _), scores in found.items() if model == name))
        rows.append(_row(name, "all", "", scale, means) | {"images": images})
    return sorted(rows, key=lambda row: [*dict.fromkeys(name for name, _, _ in found)].index(row["model"]))


def _row(name: str, kind: str, strength: str, scale: int, scores: Sequence[dict[str, float]]) -> dict[str, Any]:
    mean = {each: statistics.mean(score[each] for score in scores) for each in scores[0]}
    return {
        "model": name,
        "scale": scale,
        "kind": kind,
        "strength": strength,
        "images": len(scores),
        "lpips": f"{mean['lpips']:.4f}",
        "psnr": f"{mean['psnr']:.2f}",
        "ssim": f"{mean['ssim']:.4f}",
        "seconds": f"{mean['seconds']:.3f}",
    }


class Sheet:
    """Crops side by side: a row for each of four degradations, and in it LR, the result of each model, and HR.

    Args:
        names: The models, in the order of the columns.
    """

    # Which degradation is shown, and its place in the order of the images.
    ROWS = (("web", "medium"), ("phone", "medium"), ("out-of-focus", "medium"), ("double", "strong"))

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._rows: dict[tuple[str, str], tuple[int, list[Codes]]] = {}

    def offer(self, sample: Sample, results: dict[str, Codes], scale: int) -> None:
        """Keep the crop of a sample if the sheet shows it: each row takes another image."""
        key = sample.kind, sample.strength
        if key not in self.ROWS or sample.image > self.ROWS.index(key):
            return
        top, left = _busiest(sample.hr)
        enlarged = resize(sample.lr, size=sample.hr.shape[:2], kernel="nearest")
        columns = [enlarged, *(results[name] for name in self._names), sample.hr]
        crops = [pixels[top : top + CROP, left : left + CROP].copy() for pixels in columns]
        self._rows[key] = sample.image, crops

    def draw(self) -> Image.Image:
        """Returns the sheet."""
        titles = ["LR", *self._names, "HR"]
        side = ZOOM * CROP
        rows = [(key, self._rows[key][1]) for key in self.ROWS if key in self._rows]
        width, height = len(titles) * (side + GAP) - GAP, len(rows) * (side + GAP + BAR)
        sheet = Image.new("RGB", (width, height), "white")
        draw = ImageDraw.Draw(sheet)
        font = ImageFont.load_default(14)
        for line, ((kind, strength), crops) in enumerate(rows):
            y = line * (side + GAP + BAR)
            for column, (title, crop) in enumerate(zip(titles, crops, strict=True)):
                x = column * (side + GAP)
                text = f"{title}: {kind}, {strength}" if column == 0 else title
                draw.text((x + side / 2, y + BAR / 2), text, fill="black", anchor="mm", font=font)
                larger = crop.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
                sheet.paste(Image.fromarray(larger), (x, y + BAR))
        return sheet


def _busiest(hr: Codes) -> tuple[int, int]:
    """Top and left of the crop with the most edges that are still there at a quarter of the size."""
    small = resize(hr, scale=1 / 4).astype(np.float64).mean(axis=2)
    edges = np.abs(np.diff(small, axis=0))[:, :-1] + np.abs(np.diff(small, axis=1))[:-1]
    step, side = CROP // 2, CROP // 4
    tops, lefts = (range(0, max(1, length - CROP + 1), step) for length in hr.shape[:2])
    return max(
        ((top, left) for top in tops for left in lefts),
        key=lambda corner: float(edges[corner[0] // 4 :, corner[1] // 4 :][:side, :side].sum()),
    )


if __name__ == "__main__":
    main()
