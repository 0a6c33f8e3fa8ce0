"""Folders with rasters of formats that are no photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity.tasks import Naming, plan
from tests.raster.scenes import NORTH_UP

rasterio: Any = pytest.importorskip("rasterio", reason="needs rasterio")


def test_rasters_are_found_in_folders_and_headers_are_not(tmp_path: Path) -> None:
    shape = {"count": 1, "height": 6, "width": 8, "dtype": "uint8", "crs": "EPSG:32632", "transform": NORTH_UP}
    for name, driver in (("envi.img", "ENVI"), ("erdas.img", "HFA"), ("geo.tif", "GTiff")):
        with rasterio.open(tmp_path / name, "w", driver=driver, **shape) as dataset:
            dataset.write(np.arange(48, dtype=np.uint8).reshape(1, 6, 8))
    (tmp_path / "notes.txt").write_text("none")
    assert (tmp_path / "envi.hdr").is_file()
    routes = plan([str(tmp_path)], str(tmp_path / "out"), Naming(None, "-x2", None), recursive=False)
    assert [(route.source.name, route.target.name) for route in routes] == [
        ("envi.img", "envi.tif"),
        ("erdas.img", "erdas.tif"),
        ("geo.tif", "geo.tif"),
    ]
