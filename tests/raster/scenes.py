"""Small rasters for tests, written by rasterio and enlarged by the code under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import Outcome, Size, load, raster
from hyperacuity.task import MeasurementOptions

rasterio = pytest.importorskip("rasterio")
pytest.importorskip("rasterio.shutil")
Affine = rasterio.Affine

# Pixels of 30 m by 20 m, rows to the south.
NORTH_UP = Affine(30, 0, 500_000, 0, -20, 4_600_000)
ROTATED = Affine(26, 11, 500_000, 15, -17, 4_600_000)


def write(path: Path, pixels: Any, *, crs: str = "EPSG:32632", transform: Any = NORTH_UP, **profile: Any) -> Path:
    """Write (bands, height, width) as GeoTIFF."""
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": str(pixels.dtype)}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **profile) as dataset:
        dataset.write(pixels)
    return path


def landscape(height: int = 40, width: int = 52, *, low: float = 1000, high: float = 4000) -> Any:
    """(height, width) of smooth and sharp structures between two values."""
    y, x = np.mgrid[:height, :width]
    waves = 0.5 + 0.2 * np.sin(x / 3.1) + 0.15 * np.cos((x + 2 * y) / 5.3) + 0.1 * ((x // 9 + y // 7) % 2)
    return low + (high - low) * np.clip(waves, 0, 1)


def enlarge(
    source: Path, scale: float = 2, *, model: str = "bicubic", name: str = "", tile: int | None = None, **options: Any
) -> tuple[Path, Outcome]:
    """Enlarge a raster into a file next to it."""
    target = source.with_name(name or f"{source.stem}-larger.tif")
    upscaler = load(model, tile=tile)
    return target, raster.upscale(upscaler, source, target, Size(scale), MeasurementOptions(**options), force=True)
