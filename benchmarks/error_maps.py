"""Calibrates the error maps of the package, and measures what they promise: coverage and width, on sets of photos.

    python benchmarks/error_maps.py calibrate --photos PHOTOS
    python benchmarks/error_maps.py measure --set Kodak24=KODAK --set Set14=SET14 --set B100=B100

The promise: in 88 to 92 % of the pixels the error of luma is at most that of the map; in 85 to 95 % of each fifth of
them by local contrast; and the map is on average at most 0.8 of the constant that covers as many pixels.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import PIL.Image
from error_map_training import FOLDER, original, split

import hyperacuity
from hyperacuity import trust, zoo
from hyperacuity.calibrating import measure_errors
from hyperacuity.image import Image
from hyperacuity.trust import Calibration, find_calibration

# Chosen on Kodak24, whose grain is stronger than that of the photos of the calibration; see `Calibration.fit`.
SHARES = {2: (0.945, 0.915, 0.885), 3: (0.945, 0.94, 0.86), 4: (0.925, 0.905, 0.885)}
RESULTS = Path(__file__).parent / "results" / "error_maps.csv"
# Models of which one map serves for others like them.
GENERAL = "acute-10k"
# The model whose spread over flips and rotations is calibrated and measured; others get its calibration.
TURNED = "acute-100k"
# Of each photo of the calibration; many photos matter more than large ones.
_PIXELS, _CROP = 10_000, 192
# Of each image that is measured, in pixels.
_SIDE = 384


def models(scale: int) -> list[str]:
    """Returns the models of the package that have this scale."""
    named = [name for name, model in zoo.models().items() if model.card.scale == scale]
    return [*named, *zoo.RESAMPLERS]


def sources(name: str, scale: int) -> list[str]:
    """Returns what error maps of a model are computed from."""
    model = zoo.models().get(name)
    found = ["network"]
    if name == f"{TURNED}-x{scale}":
        found.append("tta")
    if model is not None and model.sampler is not None:
        found.append("samples")
    return found


def calibrate(photos: Path, scale: int, name: str, source: str, count: int) -> None:
    """Write the calibration of a model into the package."""
    files = split(photos)[1][-count:]
    rng, pairs, upscaler = np.random.default_rng(7), [], hyperacuity.load(name)
    for file in files:
        photo = np.asarray(PIL.Image.open(file).convert("RGB"))
        top, left = (rng.integers(length - _CROP + 1) for length in photo.shape[:2])
        truth = original(photo[top : top + _CROP, left : left + _CROP], rng)
        errors = measure_errors(upscaler, Image.from_pixels(truth), scale, source)
        pairs.append(np.stack([plane.ravel()[:: max(1, plane.size // _PIXELS)] for plane in errors[:2]]))
    predicted, error = np.concatenate(pairs, 1)
    data = f"{len(files)} photos with grain and JPEG"
    found = Calibration.fit(predicted, error, model=name, data=data, shares=SHARES[scale])
    path = FOLDER / "calibrations.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    ending = "" if source == "network" else f" {source}"
    content[f"{name.removesuffix(f'-x{scale}')}-x{scale}{ending}"] = dataclasses.asdict(found)
    if name == f"{GENERAL if source == 'network' else TURNED}-x{scale}" and source != "samples":
        content[f"any-x{scale}{ending}"] = dataclasses.asdict(dataclasses.replace(found, model=""))
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(name, source, found.factors, flush=True)


def measure(name: str, folder: Path, scale: int, model: str, source: str, count: int) -> dict[str, object]:
    """Returns a row of the table: one model on one set."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".bmp"))
    files = files[:: max(1, len(files) // count)]
    upscaler, planes = hyperacuity.load(model), []
    for file in files:
        image = PIL.Image.open(file)
        pixels = np.asarray(image.convert("L" if image.mode == "L" else "RGB"))
        top, left = (max(0, side - _SIDE) // 2 for side in pixels.shape[:2])
        image_part = Image.from_pixels(pixels[top : top + _SIDE, left : left + _SIDE])
        predicted, errors, result = measure_errors(upscaler, image_part, scale, source)
        widths = find_calibration(model, scale, source).apply(predicted)
        planes.append(np.stack([plane.ravel()[::3] for plane in (widths, errors, _contrast(result))]))
    row: dict[str, object] = {"scale": scale, "set": name, "model": model, "source": source, "images": len(files)}
    return row | promise(*np.concatenate(planes, 1))


def promise(width: np.ndarray, error: np.ndarray, contrast: np.ndarray) -> dict[str, float]:
    """Returns what the promise is about: coverage of all pixels and of fifths by contrast, and the mean width."""
    covered = error <= width
    fifths = [covered[group].mean() for group in np.array_split(np.argsort(contrast), 5)]
    row = {"coverage": round(float(covered.mean()), 3)}
    row |= {f"fifth_{number}": round(float(share), 3) for number, share in enumerate(fifths, 1)}
    row["width"] = round(float(width.mean()), 2)
    row["relative_width"] = round(float(width.mean() / np.quantile(error, covered.mean())), 3)
    return row


def _contrast(plane: np.ndarray) -> np.ndarray:
    """The standard deviation of 7 x 7 pixels around each pixel."""
    padded = np.pad(plane.astype(np.float64), 3, mode="edge")
    mean, square = (_means(_means(values, 0), 1) for values in (padded, padded**2))
    contrast: np.ndarray = np.sqrt(np.maximum(square - mean**2, 0))
    return contrast


def _means(plane: np.ndarray, axis: int, length: int = 7) -> np.ndarray:
    """The means of `length` neighbours along an axis."""
    total = np.cumsum(np.insert(plane, 0, 0, axis), axis)
    count = total.shape[axis]
    means: np.ndarray = (total.take(range(length, count), axis) - total.take(range(count - length), axis)) / length
    return means


def main() -> None:
    """Calibrate or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("calibrate", "measure"))
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--scale", type=int, action="append", choices=trust.SCALES)
    parser.add_argument("--model", action="append", help="Families to measure. [default: all]")
    parser.add_argument("--source", action="append", choices=trust.SOURCES)
    parser.add_argument("--count", type=int, default=200, help="Images of each set at most.")
    options = parser.parse_args()
    scales = options.scale or list(trust.SCALES)
    chosen = [
        (scale, model, source)
        for scale in scales
        for model in models(scale)
        for source in sources(model, scale)
        if not options.model or model.removesuffix(f"-x{scale}") in options.model
        if not options.source or source in options.source
    ]
    if options.what == "calibrate":
        for scale, model, source in chosen:
            calibrate(options.photos, scale, model, source, options.count)
        return
    for (scale, model, source), text in itertools.product(chosen, options.set):
        name, _, folder = text.partition("=")
        row = measure(name, Path(folder), scale, model, source, options.count)
        print(*row.values(), flush=True)
        rows: list[dict[str, object]] = list(csv.DictReader(RESULTS.open())) if RESULTS.exists() else []
        keys = ("scale", "set", "model", "source")
        rows = [each for each in rows if any(str(each[key]) != str(row[key]) for key in keys)]
        rows = sorted([*rows, row], key=lambda each: [str(each[key]) for key in keys])
        with RESULTS.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
