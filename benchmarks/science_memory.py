"""Peak memory of `hyperacuity upscale` for a scene of a gigapixel and for a series of 300 slices, both results at x2.

    python benchmarks/science_memory.py

Writes results/science_memory.csv. The scene is a GeoTIFF of 16384 x 16384 uint16 with a no-data border, the series a CT
of 300 x 512 x 512; both are made from noise over smooth structures, which compresses as badly as a sensor's. Takes
about a quarter of an hour on two cores.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import memory
import numpy as np
import pydicom
import rasterio
import record
from numpy.typing import NDArray
from rasterio.windows import Window

SIDE, ROWS = 16384, 512
SLICES, SLICE = 300, 512
NODATA = 65535


def structures(rows: range, width: int, seed: int) -> NDArray[np.float64]:
    """Smooth structures of about 3000 levels under noise."""
    y, x = np.ogrid[rows.start : rows.stop, 0:width]
    random = np.random.default_rng([seed, rows.start])
    values: NDArray[np.float64] = 1500 + 700 * np.sin(x / 37) * np.cos(y / 53) + 600 * np.sin((x + y) / 211)
    return values + random.normal(0, 12, values.shape)


def write_scene(path: Path) -> None:
    """Write a scene of 10 m pixels in UTM, in tiles, with a border of no-data pixels."""
    profile: dict[str, Any] = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 1, "dtype": "uint16"}
    profile |= {"crs": "EPSG:32632", "transform": rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)}
    profile |= {"nodata": NODATA, "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(path, "w", predictor=2, **profile) as dataset:
        for top in range(0, SIDE, ROWS):
            block = structures(range(top, top + ROWS), SIDE, 0).round().astype(np.uint16)
            block[:, : top // 8 + 64] = NODATA
            dataset.write(block[None], window=Window(0, top, SIDE, ROWS))


def write_series(folder: Path) -> None:
    """Write a CT series with rescaling and padding."""
    folder.mkdir()
    y, x = np.ogrid[:SLICE, :SLICE]
    outside = (x - SLICE / 2) ** 2 + (y - SLICE / 2) ** 2 > (SLICE / 2) ** 2
    for number in range(1, SLICES + 1):
        dataset = pydicom.Dataset()
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        dataset.SOPInstanceUID, dataset.SeriesInstanceUID = f"1.2.826.0.1.3680043.2.1143.{number}", "1.2.826.0.1.1"
        dataset.Modality, dataset.InstanceNumber = "CT", number
        dataset.PixelSpacing, dataset.ImageOrientationPatient = ["0.7", "0.7"], ["1", "0", "0", "0", "1", "0"]
        dataset.ImagePositionPatient = ["-179.2", "-179.2", str(number)]
        dataset.Rows = dataset.Columns = SLICE
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation, dataset.PixelPaddingValue = 15, 1, -2000
        dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
        pixels = structures(range(SLICE), SLICE, number).round().astype("<i2")
        dataset.PixelData = np.where(outside, -2000, pixels).astype("<i2").tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.save_as(folder / f"IM{number:04}", enforce_file_format=True)


def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_series(folder / "series")
        write_scene(folder / "scene.tif")
        for task, source, megapixels in (
            ("GeoTIFF, uint16, one band", folder / "scene.tif", (2 * SIDE) ** 2 / 1e6),
            ("CT series, 300 slices", folder / "series", SLICES * (2 * SLICE) ** 2 / 1e6),
        ):
            target = folder / f"larger{source.suffix}"
            peak, seconds = memory.peak(source, target)
            files = [target] if target.is_file() else sorted(target.iterdir())
            row = {"task": task, "result_megapixels": round(megapixels), "model": "acute-10k", "peak_mib": round(peak)}
            row |= {"seconds": round(seconds), "result_mib": round(sum(file.stat().st_size for file in files) / 2**20)}
            row["bigtiff"] = target.is_file() and target.open("rb").read(4) == b"II+\0"
            record.save("science_memory", [row], key="task")


if __name__ == "__main__":
    main()
