from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import LossWarning
from hyperacuity.formats.protocol import PlaceWarning
from hyperacuity.formats.raster.georeference import Georeference
from tests.raster.scenes import NORTH_UP, ROTATED, enlarge, landscape, rasterio, write

SCALES = (2, 3, 1.5, 2.7)
DATA = Path(__file__).parents[3] / "shared/data/formats/geotiff"


def corners(dataset: Any) -> Any:
    ends = [(0, 0), (dataset.width, 0), (0, dataset.height), (dataset.width, dataset.height)]
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    return np.array([(a * x + b * y + c, d * x + e * y + f) for x, y in ends])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED], ids=["north up", "rotated"])
@pytest.mark.parametrize("point", ["Area", "Point"])
def test_the_corners_of_the_extent_stay(tmp_path: Path, scale: float, transform: Any, point: str) -> None:
    source = write(tmp_path / "a.tif", landscape(41, 53).astype(np.uint16)[None], transform=transform)
    with rasterio.open(source, "r+") as dataset:
        dataset.update_tags(AREA_OR_POINT=point)
    target, _ = enlarge(source, scale)
    with rasterio.open(source) as before, rasterio.open(target) as after:
        pixel = np.hypot(after.transform.a, after.transform.d)
        assert np.abs(corners(before) - corners(after)).max() / pixel < 1e-7  # float64 of 4,600,000 m holds 1e-9 m
        assert after.crs == before.crs
        assert after.tags()["AREA_OR_POINT"] == before.tags()["AREA_OR_POINT"]


@pytest.mark.parametrize("scale", SCALES)
def test_corners_near_the_origin_stay_to_a_billionth_of_a_pixel(tmp_path: Path, scale: float) -> None:
    transform = rasterio.Affine(0.25, 0.03, 3.0, -0.02, -0.125, 47.0)
    source = write(tmp_path / "a.tif", landscape(41, 53)[None], crs="EPSG:4326", transform=transform)
    target, _ = enlarge(source, scale)
    with rasterio.open(source) as before, rasterio.open(target) as after:
        assert np.abs(corners(before) - corners(after)).max() / 0.125 < 1e-9


def test_another_reader_finds_the_same_extent(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    source = write(tmp_path / "a.tif", landscape(41, 53).astype(np.float32)[None])
    target, _ = enlarge(source, 1.5)
    with tifffile.TiffFile(target) as file:
        tags = file.pages[0].tags
        across, down, _ = tags["ModelPixelScaleTag"].value
        assert tags["ModelTiepointTag"].value[3:5] == (500_000, 4_600_000)
        assert across * file.pages[0].imagewidth == pytest.approx(53 * 30, rel=1e-12)
        assert down * file.pages[0].imagelength == pytest.approx(41 * 20, rel=1e-12)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("scale", SCALES)
def test_ground_control_points_keep_their_place_on_the_ground(tmp_path: Path, scale: float) -> None:
    points = [
        rasterio.control.GroundControlPoint(row, col, 10 + col, 50 - row, 3.0, str(row))
        for row, col in ((0, 0), (0, 53), (41, 0), (20.5, 13.25))
    ]
    source = tmp_path / "a.tif"
    shape = {"count": 1, "height": 41, "width": 53, "dtype": "uint8"}
    with rasterio.open(source, "w", driver="GTiff", **shape) as dataset:
        dataset.write(landscape(41, 53, low=0, high=255).astype(np.uint8), 1)
        dataset.gcps = points, rasterio.crs.CRS.from_epsg(4326)
    target, _ = enlarge(source, scale)
    with rasterio.open(target) as after:
        found, crs = after.gcps
        assert crs.to_epsg() == 4326
        for old, new in zip(points, found, strict=True):
            assert (new.x, new.y, new.z) == (old.x, old.y, old.z)
            assert new.row == pytest.approx(old.row * after.height / 41, abs=1e-9)
            assert new.col == pytest.approx(old.col * after.width / 53, abs=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_rpcs_keep_their_place_on_the_ground(tmp_path: Path, scale: float) -> None:
    coefficients = [0.1, 1.0, 0.2, *[0.001] * 17]
    names = ("line_num_coeff", "line_den_coeff", "samp_num_coeff", "samp_den_coeff")
    place = {
        "height_off": 100.0,
        "height_scale": 400.0,
        "lat_off": 47.0,
        "lat_scale": 0.1,
        "long_off": 11.0,
        "long_scale": 0.1,
    }
    pixels = {"line_off": 20.25, "line_scale": 21.0, "samp_off": 26.75, "samp_scale": 27.0}
    rpcs = rasterio.rpc.RPC(**place, **pixels, **dict.fromkeys(names, coefficients))
    source = tmp_path / "a.tif"
    shape = {"count": 1, "height": 41, "width": 53, "dtype": "uint8"}
    with rasterio.open(source, "w", driver="GTiff", rpcs=rpcs, **shape) as dataset:
        dataset.write(landscape(41, 53, low=0, high=255).astype(np.uint8), 1)
    target, _ = enlarge(source, scale)
    with rasterio.open(target) as after:
        found = after.rpcs
        # The centre of pixel 0 is 0; the corner -0.5 must map to the corner.
        for old_off, old_scale, new_off, new_scale, ratio in (
            (rpcs.line_off, rpcs.line_scale, found.line_off, found.line_scale, after.height / 41),
            (rpcs.samp_off, rpcs.samp_scale, found.samp_off, found.samp_scale, after.width / 53),
        ):
            for edge in (-0.5, 17.0):
                moved = (edge + 0.5) * ratio - 0.5
                assert (moved - new_off) / new_scale == pytest.approx((edge - old_off) / old_scale, abs=1e-9)
        assert found.line_num_coeff == rpcs.line_num_coeff
        assert found.height_off == rpcs.height_off


@pytest.mark.parametrize("model", ["bicubic", "acute-10k"])
@pytest.mark.parametrize("scale", [2, 3, 1.5])
@pytest.mark.parametrize("axis", [0, 1])
def test_each_pixel_keeps_its_coordinate(tmp_path: Path, model: str, scale: float, axis: int) -> None:
    # The value of each pixel is the coordinate of its centre, in pixels of the source.
    ramp = (np.mgrid[:40, :44][axis] + 0.5).astype(np.float32)
    source = write(tmp_path / "a.tif", ramp[None])
    target, _ = enlarge(source, scale, model=model)
    with rasterio.open(target) as after:
        pixels = after.read(1)
    expected = (np.mgrid[: pixels.shape[0], : pixels.shape[1]][axis] + 0.5) * ramp.shape[axis] / pixels.shape[axis]
    assert np.abs(pixels - expected).max() < 0.01


def test_a_ramp_of_world_coordinates_keeps_them_to_a_hundredth_of_a_pixel(tmp_path: Path) -> None:
    y, x = np.mgrid[:300, :700] + 0.5
    coordinates = np.stack(ROTATED @ (x, y))
    source = write(tmp_path / "a.tif", coordinates, transform=ROTATED, tiled=True, blockxsize=128, blockysize=128)
    target, _ = enlarge(source, 1.7, model="acute-10k")
    with rasterio.open(target) as after:
        y, x = np.mgrid[: after.height, : after.width] + 0.5
        columns, rows = ~ROTATED @ (after.read(1), after.read(2))
        wanted = ~ROTATED @ (after.transform @ (x, y))
    assert np.abs(columns - wanted[0]).max() < 0.01
    assert np.abs(rows - wanted[1]).max() < 0.01


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data is missing")
@pytest.mark.parametrize("name", ["RGB.byte.tif", "RGBA.uint16.tif", "rotated.tif", "cogeo.tif", "float_nan.tif"])
def test_real_files_keep_place_bands_and_meaning(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    lossy = pytest.warns(LossWarning, match="JPEG") if name == "cogeo.tif" else contextlib.nullcontext()
    source.write_bytes((DATA / name).read_bytes())
    with lossy:
        target, outcome = enlarge(source)
    assert outcome.after == (2 * outcome.before[0], 2 * outcome.before[1])
    with rasterio.open(source) as before, rasterio.open(target) as after:
        assert (before.crs, before.dtypes, before.colorinterp) == (after.crs, after.dtypes, after.colorinterp)
        assert np.array_equal(before.nodatavals, after.nodatavals) or np.isnan(after.nodata)
        assert np.abs(corners(before) - corners(after)).max() < 1e-9
        assert np.array_equal(before.dataset_mask().repeat(2, 0).repeat(2, 1), after.dataset_mask())
        assert bool(before.overviews(1)) == bool(after.overviews(1))
        assert not [key for key in after.tags(1) if key.startswith("STATISTICS_")]
    assert [file.name for file in tmp_path.iterdir() if file not in (source, target)] == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_raster_without_a_place_gets_none(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    shape = {"count": 1, "height": 8, "width": 9, "dtype": "int16", "nodata": -1}
    with rasterio.open(source, "w", driver="GTiff", **shape) as dataset:
        dataset.write(landscape(8, 9).astype(np.int16), 1)
    target, _ = enlarge(source)
    with rasterio.open(target) as after:
        assert after.crs is None
        assert after.transform.is_identity


def test_geolocation_arrays_are_named(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", landscape(8, 9).astype(np.int16)[None])
    with rasterio.open(source, "r+") as dataset:
        dataset.update_tags(ns="GEOLOCATION", X_DATASET="/elsewhere/lon.tif")
    with pytest.warns(LossWarning, match="geolocation arrays"):
        target, _ = enlarge(source)
    with rasterio.open(target) as after:
        assert "GEOLOCATION" not in after.tag_namespaces()


@pytest.mark.parametrize(
    ("transform", "fault"),
    [
        ((0, 0, 500_000, 0, 0, 4_600_000), "singular"),
        ((1, 2, 500_000, 2, 4, 4_600_000), "singular"),
        ((np.nan, 0, 500_000, 0, -20, 4_600_000), "not finite"),
        ((30, 0, np.inf, 0, -20, 4_600_000), "not finite"),
    ],
)
def test_an_impossible_place_is_named_and_kept(tmp_path: Path, transform: tuple[float, ...], fault: str) -> None:
    source = write(tmp_path / "a.tif", landscape(8, 9)[None], transform=rasterio.Affine(*transform))
    with pytest.warns(PlaceWarning, match=rf"a\.tif: its transform is {fault}") as caught:
        target, _ = enlarge(source)
    assert len(caught) == 1
    with rasterio.open(source) as before, rasterio.open(target) as after:
        halves = np.array([0.5, 0.5, 1, 0.5, 0.5, 1])
        np.testing.assert_allclose(tuple(after.transform)[:6], halves * tuple(before.transform)[:6])


def test_a_ground_control_point_that_is_nowhere_is_named() -> None:
    points = [rasterio.control.GroundControlPoint(0, 0, x, 50.0) for x in (7.0, np.nan)]
    assert Georeference(gcps=tuple(points)).find_faults() == ["a ground control point is not finite"]
    assert Georeference(gcps=tuple(points[:1]), transform=NORTH_UP).find_faults() == []
