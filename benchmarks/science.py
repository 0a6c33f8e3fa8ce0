"""How near enlarged bands and slices come to the originals: the figures of docs/satellite.md and docs/medical.md.

    python benchmarks/science.py

Bands of GeoTIFFs and slices of DICOM and NIfTI files in ../shared are reduced to half their size, by MATLAB's bicubic
and by box averages, as a detector does, and enlarged again as float values. PSNR over the range of the band, a border
of 8 pixels cut, in areas without invalid pixels, as the difference to bicubic. Writes results/science.csv.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import rasterio
import record
from numpy.typing import NDArray

from hyperacuity import load, values
from hyperacuity.formats.dicom.slices import DicomImage
from hyperacuity.image import Image, Measured
from hyperacuity.pipeline.box_consistency import project
from hyperacuity.resize import Kernel, resize
from hyperacuity.upscaler import Upscaler

Array = NDArray[Any]
FORMATS = Path(__file__).parents[2] / "shared/data/formats"
GEOTIFF = FORMATS / "geotiff"
RASTERS = ("RGB.byte.tif", "cogeo.tif", "world.rgb.tif")
DICOM = ("CT_small.dcm", "MR_small.dcm", "dicom_file01.dcm", "dicom_file02.dcm", "dicom_file90.dcm")
# Slices of volumes, by their place along the third axis.
NIFTI = {"example4d.nii.gz": (4, 8, 12, 16, 20), "anatomical.nii": (6, 12, 18)}
REDUCTIONS: dict[str, Kernel] = {"bicubic": "bicubic", "box": "area"}
MODELS = ("acute-100k", "acute-10k")
SCALE, BORDER = 2, 8


def bands() -> Iterator[tuple[str, str, Array]]:
    """The field, the name and the values (H, W) of each band, NaN where invalid; even sides."""
    for name in RASTERS:
        with rasterio.open(GEOTIFF / name) as dataset:
            for band in range(1, dataset.count + 1):
                pixels = dataset.read(band).astype(np.float32)
                pixels[dataset.read_masks(band) == 0] = np.nan
                yield "satellite", f"{name} {band}", even(pixels)


def slices() -> Iterator[tuple[str, str, Array]]:
    """The same for slices of medical images."""
    for name in DICOM:
        image = DicomImage(FORMATS / "dicom" / name)
        header = image.image_header()
        for number, pixels in enumerate(image, 1):
            yield (
                "medical",
                f"{name} {number}",
                even(np.where(values.find_valid(pixels, header), pixels, np.nan)[..., 0]),
            )
    for name, places in NIFTI.items():
        nifti: Any = nibabel.load(FORMATS / "nifti" / name)
        volume = np.asarray(nifti.dataobj)
        volume = volume[..., 0] if volume.ndim == 4 else volume
        for place in places:
            yield "medical", f"{name} {place}", even(volume[:, :, place].T)


def even(pixels: Array) -> Array:
    """Cut to even sides, as floats."""
    height, width = (side // SCALE * SCALE for side in pixels.shape)
    return np.ascontiguousarray(pixels[:height, :width], np.float32)


def reduced(pixels: Array, kernel: Kernel) -> Array:
    """Half the size; NaN where a pixel under it, or near it, is NaN."""
    size = (pixels.shape[0] // SCALE, pixels.shape[1] // SCALE)
    small = resize(np.nan_to_num(pixels), size=size, kernel=kernel)
    hole = resize(np.isnan(pixels).astype(np.float32), size=size, kernel="area") > 0
    return np.where(hole, np.nan, small)


def enlarged(upscaler: Upscaler, small: Array, *, consistent: bool) -> Array:
    """Twice the size."""
    image = Image.from_pixels(small, measured=Measured())
    result = upscaler.stream(image, SCALE)
    if consistent:
        result = project(result, image.strips(), values.find_valid)
    return result.gather().pixels[..., 0]


def psnr(result: Array, truth: Array) -> float:
    """In dB, over the range of the true values."""
    inside = (slice(BORDER, -BORDER),) * 2
    difference = (result.astype(np.float64) - truth)[inside]
    span = float(np.nanmax(truth) - np.nanmin(truth))
    return 10 * float(np.log10(span**2 / np.nanmean(difference**2)))


def main() -> None:
    """Measure every band and slice with every model."""
    upscalers = {name: load(name) for name in ("bicubic", *MODELS)}
    rows = []
    for field, name, truth in itertools.chain(bands(), slices()):
        for reduction, kernel in REDUCTIONS.items():
            small = reduced(truth, kernel)
            base = psnr(enlarged(upscalers["bicubic"], small, consistent=False), truth)
            row: dict[str, Any] = {"field": field, "image": name, "reduced_by": reduction, "bicubic_db": f"{base:.2f}"}
            for model in MODELS:
                for consistent in (False, True):
                    gain = psnr(enlarged(upscalers[model], small, consistent=consistent), truth) - base
                    row[f"{model}{' consistent' if consistent else ''}"] = f"{gain:+.2f}"
            rows.append(row)
    record.save("science", rows)


if __name__ == "__main__":
    main()
