from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import UsageError
from tests.raster.scenes import NORTH_UP, enlarge, landscape, rasterio, write

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
# Further than the network and bicubic look, and than values are carried.
RING = 12


def read(path: Path, band: int = 1) -> Any:
    with rasterio.open(path) as dataset:
        return dataset.read(band)


@pytest.mark.parametrize("dtype", TYPES)
def test_each_type_stays(tmp_path: Path, dtype: str) -> None:
    low, high = (-100, 120) if dtype == "int8" else (5, 250) if dtype == "uint8" else (100, 30_000)
    source = write(tmp_path / "a.tif", landscape(20, 24, low=low, high=high).astype(dtype)[None])
    pixels = read(enlarge(source)[0])
    assert pixels.dtype == dtype
    assert low - 0.2 * (high - low) < pixels.min() < pixels.max() < high + 0.2 * (high - low)


@pytest.mark.parametrize("model", ["bicubic", "acute-10k"])
@pytest.mark.parametrize("nodata", [-9999, 0, 2500])
def test_no_data_does_not_bleed(tmp_path: Path, model: str, nodata: int) -> None:
    clean = landscape(64, 70).astype(np.int16)
    clean[clean == nodata] += 1
    hole = np.zeros(clean.shape, bool)
    hole[20:28, 30:44] = hole[:, :2] = True
    poisoned = np.where(hole, nodata, clean).astype(np.int16)
    good = read(enlarge(write(tmp_path / "good.tif", clean[None]), model=model)[0])
    bad = read(enlarge(write(tmp_path / "bad.tif", poisoned[None], nodata=nodata), model=model)[0])
    wide = hole.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(bad == nodata, wide)  # the same pixels are invalid, and no other result has this value
    far = ~wide
    for y, x in np.argwhere(wide):
        far[max(0, y - RING) : y + RING + 1, max(0, x - RING) : x + RING + 1] = False
    assert np.abs(good.astype(int) - bad)[far].max() <= 0.005 * 3000
    assert clean.min() - 400 < bad[~wide].min()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_where_it_was(tmp_path: Path, value: float) -> None:
    pixels = landscape(30, 32).astype(np.float32)
    pixels[4:9, 5:7] = value
    result = read(enlarge(write(tmp_path / "a.tif", pixels[None]), model="acute-10k")[0])
    assert np.array_equal(np.isfinite(result), np.isfinite(pixels).repeat(2, 0).repeat(2, 1))
    assert np.nanmax(result[np.isfinite(result)]) < 5000


def test_one_hot_pixel_changes_only_its_neighbourhood(tmp_path: Path) -> None:
    clean = landscape(64, 70).astype(np.uint16)
    hot = clean.copy()
    hot[30, 30] = 20 * clean.max() if 20 * int(clean.max()) < 65_536 else 65_535
    good = read(enlarge(write(tmp_path / "good.tif", clean[None]), model="acute-10k")[0]).astype(int)
    bad = read(enlarge(write(tmp_path / "hot.tif", hot[None]), model="acute-10k")[0]).astype(int)
    bad[60 - 24 : 62 + 24, 60 - 24 : 62 + 24] = good[60 - 24 : 62 + 24, 60 - 24 : 62 + 24]
    assert np.abs(good - bad).max() <= 0.005 * 3000


def test_each_band_has_no_data_of_its_own(tmp_path: Path) -> None:
    pixels = np.stack([landscape(20, 22), landscape(20, 22) / 3]).astype(np.uint16)
    pixels[0, 3:6, 3:6] = pixels[1, 10:12, 9:15] = 0
    target, _ = enlarge(write(tmp_path / "a.tif", pixels, nodata=0), model="acute-10k")
    for band in (1, 2):
        assert np.array_equal(read(target, band) == 0, (pixels[band - 1] == 0).repeat(2, 0).repeat(2, 1))


def test_a_mask_inside_the_file_comes_back_by_nearest(tmp_path: Path) -> None:
    mask = np.ones((20, 22), bool)
    mask[5:9, 6:20] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        source = write(tmp_path / "a.tif", np.where(mask, landscape(20, 22), 60_000).astype(np.uint16)[None])
        with rasterio.open(source, "r+") as dataset:
            dataset.write_mask(mask)
    target, _ = enlarge(source, model="acute-10k")
    with rasterio.open(target) as after:
        wide = mask.repeat(2, 0).repeat(2, 1)
        assert np.array_equal(after.dataset_mask() != 0, wide)
        assert after.read(1)[wide].max() < 5000
        assert [flag.name for flag in after.mask_flag_enums[0]] == ["per_dataset"]


def test_smooth_alpha_is_enlarged_and_stays_zero_where_it_was(tmp_path: Path) -> None:
    alpha = np.clip(np.mgrid[:20, :22][1] * 15 - 45, 0, 255)
    pixels = np.stack([landscape(20, 22, low=10, high=250)] * 3 + [alpha]).astype(np.uint8)
    target, _ = enlarge(write(tmp_path / "a.tif", pixels, photometric="RGB", alpha="yes"))
    result = read(target, 4)
    assert np.array_equal(result == 0, (pixels[3] == 0).repeat(2, 0).repeat(2, 1))
    assert len(np.unique(result)) > len(np.unique(pixels[3])) * 1.5


def test_constant_rasters_stay_constant(tmp_path: Path) -> None:
    target, _ = enlarge(write(tmp_path / "a.tif", np.full((1, 9, 11), 1234, np.int16)), model="acute-10k")
    assert np.array_equal(read(target), np.full((18, 22), 1234))


def test_a_raster_without_valid_pixels_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", np.zeros((1, 9, 11), np.int16), nodata=0)
    with pytest.raises(UsageError, match="no pixel is valid"):
        enlarge(source)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tif"]


def test_scale_1_gives_equal_pixels(tmp_path: Path) -> None:
    pixels = landscape(20, 22)[None]
    pixels[0, 3, 3] = np.nan
    target, _ = enlarge(write(tmp_path / "a.tif", pixels), 1, model="acute-10k", consistent=True)
    assert np.array_equal(read(target), pixels[0], equal_nan=True)


def test_values_stay_within_the_bits_of_the_file(tmp_path: Path) -> None:
    pixels = np.where(np.mgrid[:20, :22][1] % 8 < 4, 0, 4095).astype(np.uint16)
    target, _ = enlarge(write(tmp_path / "a.tif", pixels[None], NBITS=12))
    with rasterio.open(target) as after:
        assert after.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == "12"
        assert after.read().max() == 4095


@pytest.mark.parametrize("way", ["table", "option", "thematic"])
def test_classes_are_enlarged_by_nearest(tmp_path: Path, way: str) -> None:
    pixels = (landscape(20, 22, low=0, high=9)).astype(np.uint8)
    source = write(tmp_path / "a.tif", pixels[None])
    table = {n: (n * 20, 255 - n, n, 255) for n in range(256)}
    with rasterio.open(source, "r+") as dataset:
        if way == "table":
            dataset.write_colormap(1, table)
        if way == "thematic":
            dataset.update_tags(1, LAYER_TYPE="thematic")
    target, outcome = enlarge(source, model="acute-10k", categorical=way == "option")
    assert outcome.models == ("nearest",)
    with rasterio.open(target) as after:
        assert np.array_equal(after.read(1), pixels.repeat(2, 0).repeat(2, 1))
        if way == "table":
            assert after.colormap(1) == rasterio.open(source).colormap(1)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("model", ["bicubic", "acute-10k"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_consistent_results_have_the_input_as_box_means(tmp_path: Path, scale: int, model: str, dtype: str) -> None:
    pixels = landscape(60, 70, low=1, high=255 if dtype == "uint8" else 4000).astype(dtype)
    pixels[20:30, 40:60] = 0
    source = write(tmp_path / "a.tif", pixels[None], nodata=0)
    target, outcome = enlarge(source, scale, model=model, consistent=True)
    result = read(target).astype(np.float64)
    means = result.reshape(60, scale, 70, scale).mean((1, 3))
    tolerance = 1e-6 * 4000 if dtype == "float32" else 0.5
    assert np.abs(means - pixels)[pixels != 0].max() <= tolerance
    assert np.array_equal(result == 0, (pixels == 0).repeat(scale, 0).repeat(scale, 1))
    assert "box mean" in outcome.consistency


def test_the_measured_consistency_is_true(tmp_path: Path) -> None:
    pixels = landscape(60, 70).astype(np.float32)
    target, _ = enlarge(write(tmp_path / "a.tif", pixels[None], nodata=-1), model="acute-10k")
    difference = read(target).astype(np.float64).reshape(60, 2, 70, 2).mean((1, 3)) - pixels
    with rasterio.open(target) as after:
        tags = after.tags(ns="HYPERACUITY")
    assert float(tags["CONSISTENCY_RMS"]) == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-5)
    assert float(tags["CONSISTENCY_MAX"]) == pytest.approx(np.abs(difference).max(), rel=1e-5)
    assert float(tags["MEAN_BEFORE"]) == pytest.approx(pixels.mean(dtype=np.float64), rel=1e-6)


def test_tiles_do_not_change_a_value(tmp_path: Path) -> None:
    pixels = np.stack([landscape(90, 80), landscape(90, 80) ** 0.9]).astype(np.uint16)
    pixels[:, 30:50, 20:40] = 0
    source = write(tmp_path / "a.tif", pixels, nodata=0, transform=NORTH_UP)
    whole, _ = enlarge(source, model="acute-10k", name="whole.tif", tile=0)
    tiled, _ = enlarge(source, model="acute-10k", name="tiled.tif", tile=24)
    with rasterio.open(whole) as one, rasterio.open(tiled) as other:
        assert np.array_equal(one.read(), other.read())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", ["bicubic", "acute-10k"])
def test_large_values_are_computed_as_small_ones_are(tmp_path: Path, dtype: str, model: str) -> None:
    factor = 1e33 if dtype == "float32" else 1e135
    pixels = landscape(24, 30).astype(dtype)[None]
    small = read(enlarge(write(tmp_path / "a.tif", pixels), model=model, consistent=True)[0])
    large = read(
        enlarge(write(tmp_path / "b.tif", pixels * np.dtype(dtype).type(factor)), model=model, consistent=True)[0]
    )
    np.testing.assert_allclose(large / factor, small, rtol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "extreme", "share"),
    [
        ("float32", -3.4028234663852886e38, 0.3),
        ("float32", -3.4028234663852886e38, 0.0005),
        ("float32", 3e38, 1.0),
        ("float64", -1.7976931348623157e308, 0.3),
        ("float64", 1e300, 0.0005),
    ],
)
def test_values_too_large_to_compute_with_are_refused_with_both_cures(
    tmp_path: Path, dtype: str, extreme: float, share: float
) -> None:
    """The least float marks missing values in many programs, and is not always declared."""
    pixels = landscape(60, 60).astype(dtype)
    pixels.ravel()[: max(1, round(share * pixels.size))] = extreme
    source = write(tmp_path / "a.tif", pixels[None])
    with pytest.raises(UsageError, match=r"too large to compute with: divide them .* declare them as no data"):
        enlarge(source)
    assert list(tmp_path.iterdir()) == [source]
    with rasterio.open(source, "r+") as dataset:
        dataset.nodata = extreme
    if share < 1:
        assert np.count_nonzero(read(enlarge(source)[0]) == extreme) == 4 * np.count_nonzero(pixels == extreme)


def test_a_fill_value_far_from_small_values_is_refused(tmp_path: Path) -> None:
    """In units of the range it would not fit into float32. The value is netCDF's default."""
    pixels = landscape(60, 60, low=0, high=0.01).astype(np.float32)
    pixels[5, 7] = 9.969209968386869e36
    with pytest.raises(UsageError, match="declare them as no data"):
        enlarge(write(tmp_path / "a.tif", pixels[None]))


@pytest.mark.parametrize("model", ["bicubic", "acute-10k"])
def test_the_least_float_as_no_data_beside_small_values_is_no_overflow(tmp_path: Path, model: str) -> None:
    pixels = landscape(24, 30, low=0, high=0.5).astype(np.float32)
    pixels[3:9, 4:8] = nodata = np.finfo(np.float32).min
    result = read(enlarge(write(tmp_path / "a.tif", pixels[None], nodata=nodata), model=model, consistent=True)[0])
    assert np.array_equal(result == nodata, (pixels == nodata).repeat(2, 0).repeat(2, 1))
    assert -0.2 < result[result != nodata].min() < result.max() < 0.7
