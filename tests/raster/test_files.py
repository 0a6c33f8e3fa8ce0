from __future__ import annotations

import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from hyperacuity import DamagedFile, LossWarning, Size, Stop, Stopped, UnsupportedFormat, UsageError, load, raster
from hyperacuity.formats.raster import accepts
from hyperacuity.formats.raster import source as source_module
from hyperacuity.pipeline import box_consistency, tile_budget
from hyperacuity.task import MeasurementOptions, Task
from hyperacuity.tasks import run
from hyperacuity.tasks.kinds import find_kind
from tests.raster.scenes import enlarge, landscape, rasterio, write

DATA = Path(__file__).parents[3] / "shared/data/formats/geotiff"


def test_metadata_is_equal_and_statistics_are_gone(tmp_path: Path) -> None:
    pixels = np.stack([landscape(20, 22)] * 2).astype(np.int16)
    source = write(
        tmp_path / "a.tif", pixels, nodata=-7, compress="zstd", predictor=2, tiled=True, blockxsize=16, blockysize=32
    )
    with rasterio.open(source, "r+") as dataset:
        dataset.update_tags(MISSION="Example", TIFFTAG_DATETIME="2026:01:02 03:04:05", AREA_OR_POINT="Area")
        dataset.update_tags(ns="MISSION", ORBIT="12")
        dataset.update_tags(1, WAVELENGTH="560", STATISTICS_MEAN="7", STATISTICS_MAXIMUM="9")
        dataset.scales, dataset.offsets = (0.0001, 2.0), (-0.1, 0.0)
        dataset.units = ("reflectance", "K")
        dataset.set_band_description(1, "green")
        dataset.set_band_description(2, "heat")
    target, _ = enlarge(source)
    with rasterio.open(source) as before, rasterio.open(target) as after:
        for name in ("crs", "nodatavals", "scales", "offsets", "units", "descriptions", "colorinterp", "block_shapes"):
            assert getattr(after, name) == getattr(before, name), name
        assert after.tags() == before.tags()
        assert after.tags(ns="MISSION") == {"ORBIT": "12"}
        assert after.tags(1) == {"WAVELENGTH": "560"}
        assert after.tags(ns="IMAGE_STRUCTURE") == before.tags(ns="IMAGE_STRUCTURE")
        made = after.tags(ns="HYPERACUITY")
    assert made["MODELS"] == "bicubic"
    assert made["SCALE_X"] == "2.0"
    assert made["INVALID_VALUES"] == "0"


def test_a_cloud_optimised_file_has_overviews_and_the_same_tags(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", landscape(300, 310).astype(np.uint16)[None], compress="deflate")
    plain, _ = enlarge(source, name="plain.tif")
    cog, _ = enlarge(source, name="cog.tif", cog=True)
    with rasterio.open(plain) as one, rasterio.open(cog) as other:
        assert np.array_equal(one.read(), other.read())
        assert other.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert other.overviews(1) == [2]
        assert one.tags(ns="HYPERACUITY") == other.tags(ns="HYPERACUITY")
        assert one.bounds == other.bounds


def test_a_task_finds_rasters_by_their_content(tmp_path: Path) -> None:
    source = write(tmp_path / "scene.dat", landscape(20, 22).astype(np.uint16)[None])
    outcome = run(Task(str(source), str(tmp_path / "larger.tif")))
    assert (outcome.kind, outcome.error, outcome.models) == ("raster", None, ("acute-10k-x2",))


def test_an_image_stays_an_image(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6), np.uint8))
    assert find_kind(tmp_path / "a.tif") == "image"
    outcome = run(Task(str(tmp_path / "a.tif"), str(tmp_path / "b.tif"), measurement=MeasurementOptions(cog=True)))
    assert outcome.error is not None
    assert "options for measurements" in outcome.error.text


@pytest.mark.parametrize("driver", ["AAIGrid", "ENVI", "HFA"])
def test_other_rasters_become_geotiff(tmp_path: Path, driver: str) -> None:
    ending = {"AAIGrid": ".asc", "ENVI": ".img", "HFA": ".img"}[driver]
    geotiff = write(
        tmp_path / "a.tif", landscape(20, 22).astype(np.int16)[None], transform=rasterio.Affine(30, 0, 5, 0, -30, 9)
    )
    rasterio.shutil.copy(geotiff, tmp_path / f"b{ending}", driver=driver)
    source = tmp_path / f"b{ending}"
    assert accepts(source)
    target, _ = enlarge(source)
    with rasterio.open(source) as before, rasterio.open(target) as after:
        assert after.driver == "GTiff"
        assert after.bounds == pytest.approx(before.bounds)


def test_a_virtual_raster_is_never_opened(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", landscape(20, 22).astype(np.int16)[None])
    rasterio.shutil.copy(tmp_path / "a.tif", tmp_path / "b.vrt", driver="VRT")
    assert not accepts(tmp_path / "b.vrt")
    (tmp_path / "c.tif").write_bytes((tmp_path / "b.vrt").read_bytes())
    assert not accepts(tmp_path / "c.tif")


def test_complex_values_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", landscape(8, 9).astype(np.complex64)[None])
    with pytest.raises(UnsupportedFormat, match="complex"):
        enlarge(source)


def test_the_target_must_be_a_geotiff(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", landscape(8, 9).astype(np.int16)[None])
    with pytest.raises(UnsupportedFormat, match=r"\.tif"):
        enlarge(source, name="b.png")


def test_a_lossy_source_becomes_lossless(tmp_path: Path) -> None:
    pixels = landscape(20, 32, low=0, high=255).astype(np.uint8)
    source = write(tmp_path / "a.tif", np.stack([pixels] * 3), compress="jpeg", photometric="ycbcr")
    with pytest.warns(LossWarning, match="compression by YCbCr JPEG, which changes values: it is stored by DEFLATE"):
        target, _ = enlarge(source)
    with rasterio.open(target) as after:
        assert after.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == "DEFLATE"


ATTRIBUTES = """<GDALRasterAttributeTable tableType="thematic">
<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
<FieldDefn index="1"><Name>Count</Name><Type>0</Type><Usage>1</Usage></FieldDefn>
<FieldDefn index="2"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<Row index="0"><F>0</F><F>12</F><F>water</F></Row><Row index="1"><F>1</F><F>60</F><F>wood</F></Row>
</GDALRasterAttributeTable>"""


def write_beside(path: Path, content: str) -> None:
    text = f"<PAMDataset><PAMRasterBand band='1'>{content}</PAMRasterBand></PAMDataset>"
    path.with_name(f"{path.name}.aux.xml").write_text(text)


def test_tables_of_classes_beside_a_raster_are_kept(tmp_path: Path) -> None:
    pixels = (landscape(8, 9, low=0, high=5)).astype(np.uint8)
    source = write(tmp_path / "a.tif", pixels[None])
    names = "<CategoryNames><Category>water</Category><Category>wood</Category></CategoryNames>"
    statistics = "<Histograms><HistItem/></Histograms><Metadata><MDI key='STATISTICS_MEAN'>3</MDI></Metadata>"
    write_beside(source, statistics + names + ATTRIBUTES)
    with pytest.warns(LossWarning, match="counts of pixels in the raster attribute table"):
        target, outcome = enlarge(source)
    assert outcome.models == ("nearest",)
    beside = ElementTree.parse(tmp_path / f"{target.name}.aux.xml").getroot()
    assert [name.text for name in beside.iter("Category")] == ["water", "wood"]
    assert [(each.get("index"), each.findtext("Name")) for each in beside.iter("FieldDefn")] == [
        ("0", "Value"),
        ("1", "Class"),
    ]
    assert [[cell.text for cell in row] for row in beside.iter("Row")] == [["0", "water"], ["1", "wood"]]
    with rasterio.open(target) as after:
        assert "STATISTICS_MEAN" not in after.tags(1)
        np.testing.assert_array_equal(after.read(1), pixels.repeat(2, 0).repeat(2, 1))


def test_a_table_of_ranges_is_named_and_values_stay_measurements(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", (landscape(8, 9, low=0, high=50)).astype(np.uint8)[None])
    write_beside(source, ATTRIBUTES.replace('"thematic"', '"athematic"'))
    with pytest.warns(LossWarning, match="attribute table of ranges"):
        target, outcome = enlarge(source)
    assert outcome.models == ("bicubic",)
    assert not (tmp_path / f"{target.name}.aux.xml").exists()


def test_what_lies_beside_an_older_result_goes_with_it(tmp_path: Path) -> None:
    """Programs that show a result write statistics and overviews next to it, which are about its pixels."""
    source = write(tmp_path / "a.tif", landscape(8, 9).astype(np.uint16)[None])
    target, _ = enlarge(source)
    write_beside(target, "<Metadata><MDI key='STATISTICS_MEAN'>3</MDI></Metadata>")
    target.with_name(f"{target.name}.ovr").write_bytes(b"old")
    enlarge(source, 3)
    with rasterio.open(target) as after:
        assert "STATISTICS_MEAN" not in after.tags(1)
        assert after.overviews(1) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-larger.tif", "a.tif"]


@pytest.mark.parametrize("name", ["lerc", "lerc_deflate", "lerc_zstd", "zstd", "lzma", "packbits"])
def test_lossless_compression_stays_and_loses_nothing(name: str, tmp_path: Path) -> None:
    pixels = landscape(20, 32).astype(np.float32)
    source = write(tmp_path / "a.tif", pixels[None], compress=name)
    target, _ = enlarge(source, 1)
    with rasterio.open(target) as after:
        assert after.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == name.upper()
        np.testing.assert_array_equal(after.read(1), pixels)


def test_files_cut_anywhere_give_one_error_and_no_result(tmp_path: Path) -> None:
    whole = write(
        tmp_path / "a.tif", landscape(40, 42).astype(np.uint16)[None], nodata=0, compress="deflate"
    ).read_bytes()
    source, target = tmp_path / "cut.tif", tmp_path / "cut-larger.tif"
    for length in range(1, len(whole) - 1, max(1, len(whole) // 40)):
        source.write_bytes(whole[:length])
        outcome = run(Task(str(source), str(target)))
        if outcome.error is not None:
            assert "internal error" not in outcome.error.text, length
            assert not target.exists()
        target.unlink(missing_ok=True)
    assert not [file for file in tmp_path.iterdir() if file.suffix == ".part"]


def test_flipped_bits_give_a_result_or_one_error(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.tif", landscape(30, 32).astype(np.uint16)[None], nodata=0, compress="lzw").read_bytes()
    source, target = tmp_path / "flipped.tif", tmp_path / "larger.tif"
    generator = np.random.default_rng(1)
    for _ in range(60):
        content = bytearray(whole)
        content[generator.integers(len(content))] ^= 1 << int(generator.integers(8))
        source.write_bytes(content)
        outcome = run(Task(str(source), str(target), Size(1.5), force=True))
        assert outcome.error is None or "internal error" not in outcome.error.text


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data is missing")
def test_a_corrupt_block_leaves_no_result(tmp_path: Path) -> None:
    (tmp_path / "corrupt.tif").write_bytes((DATA / "corrupt.tif").read_bytes())
    with pytest.raises(DamagedFile, match=r"corrupt\.tif cannot be read"):
        enlarge(tmp_path / "corrupt.tif")
    assert [file.name for file in tmp_path.iterdir()] == ["corrupt.tif"]


def test_a_stopped_task_leaves_no_result(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", landscape(20, 22).astype(np.uint16)[None])
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        raster.upscale(load("bicubic"), source, tmp_path / "b.tif", Size(2), stop=stop)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]


def test_memory_does_not_grow_with_the_height(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_consistency, "_WINDOW", 1 << 15)
    monkeypatch.setattr(source_module, "_READ", 1 << 16)
    monkeypatch.setattr(tile_budget, "BLOCK", 1 << 14)  # blocks of few rows, so that both images have many
    peaks = []
    for height in (500, 1500):
        pixels = np.tile(landscape(100, 400).astype(np.uint16), (height // 100, 1))
        source = write(tmp_path / f"{height}.tif", pixels[None], tiled=True, blockxsize=128, blockysize=128, nodata=0)
        tracemalloc.start()
        enlarge(source, consistent=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + (4 << 20)


def test_a_preview_shows_both_halves(tmp_path: Path) -> None:
    from PIL import Image

    source = write(tmp_path / "a.tif", landscape(60, 80).astype(np.uint16)[None])
    outcome = raster.preview(load("acute-10k"), source, tmp_path / "a.png", Size(2))
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 2 * 160 + 8
        assert image.height > 120 + 30  # figures below
        assert image.mode == "L"
    assert "box mean" in outcome.consistency


def test_generative_models_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", landscape(20, 22).astype(np.uint16)[None])
    upscaler = load("acute-10k")
    from dataclasses import replace

    model = upscaler.family[0]
    upscaler.family[0] = replace(model, card=replace(model.card, architecture="vae"))
    with pytest.raises(UsageError, match="invents detail") as error:
        raster.upscale(upscaler, source, tmp_path / "b.tif", Size(2))
    assert "allow_generative=True" in str(error.value)
