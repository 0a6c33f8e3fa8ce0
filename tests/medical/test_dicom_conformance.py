"""Enlarged DICOM files against dciodvfy, and the compressed transfer syntaxes against what pydicom decodes."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import Size, load, medical
from hyperacuity.errors import DamagedFile, MissingDependency, UnsupportedFormat, Use
from hyperacuity.formats.dicom import accepts, isolated, reading
from hyperacuity.formats.dicom.slices import DicomImage
from hyperacuity.medical.padding import PaddingWarning
from hyperacuity.task import MeasurementOptions
from tests.medical.files import slice_pixels, write_dicom

pydicom = pytest.importorskip("pydicom", reason="needs pydicom")

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "formats" / "dicom"
FILES = Path(pydicom.__file__).parent / "data" / "test_files"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs shared data")
needs_files = pytest.mark.skipif(not FILES.is_dir(), reason="needs the test files of pydicom")
needs_gdcm = pytest.mark.skipif(importlib.util.find_spec("gdcm") is None, reason="needs python-gdcm")
needs_dciodvfy = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian's dicom3tools)")

# PS3.3, C.8.13.4 allows these in derived images ("may be present otherwise"), which the program of Debian 12 rejects.
_ALLOWED = "which may not be present otherwise", "Module=<MRPulseSequence>"


def upscale(source: Path, target: Path, scale: float = 2, **options: Any) -> Any:
    return medical.upscale(load("bicubic"), source, target, Size(scale), MeasurementOptions(**options))


def errors(path: Path) -> Counter[str]:
    found = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False).stderr.decode("latin-1")
    lines = [line for line in found.splitlines() if line.startswith("Error")]
    return Counter(line for line in lines if not all(part in line for part in _ALLOWED))


@needs_data
@needs_dciodvfy
@pytest.mark.parametrize(
    "name",
    [
        *("CT_small", "JPEG2000", "MR_small", "MR_small_RLE", "MR_small_bigendian", "SC_rgb_rle_16bit"),
        *("SC_rgb_rle_2frame", "dicom_file01", "dicom_file02", "dicom_file03", "dicom_file90", "examples_palette"),
    ],
)
def test_dciodvfy_finds_no_error_that_the_source_does_not_have(name: str, tmp_path: Path) -> None:
    source = DATA / f"{name}.dcm"
    upscale(source, tmp_path / "b.dcm", 1.5, keep_private=True)
    assert errors(tmp_path / "b.dcm") - errors(source) == Counter()


@needs_dciodvfy
def test_dciodvfy_finds_no_new_error_in_a_series(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    for number in (1, 2):
        write_dicom(tmp_path / "series" / f"{number}", slice_pixels(), number, PixelPaddingValue=-2000)
    upscale(tmp_path / "series", tmp_path / "larger", 2.7)
    for name in "12":
        assert errors(tmp_path / "larger" / name) - errors(tmp_path / "series" / name) == Counter()


@needs_data
def test_enhanced_files_name_their_source_and_stay_primary(tmp_path: Path) -> None:
    upscale(DATA / "dicom_file02.dcm", tmp_path / "b.dcm")
    before, after = pydicom.dcmread(DATA / "dicom_file02.dcm"), pydicom.dcmread(tmp_path / "b.dcm")
    assert list(after.ImageType)[:2] == ["DERIVED", "PRIMARY"]
    evidence = after.SourceImageEvidenceSequence[0]
    assert evidence.StudyInstanceUID == before.StudyInstanceUID
    series = evidence.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == before.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID


# Each transfer syntax that occurs, and what decodes it: "core" is pydicom with Pillow, which the package has.
_COMPRESSED = {
    "MR_small_RLE": "core",
    "image_dfl": "core",
    "SC_rgb_jpeg_dcmtk": "core",
    "SC_rgb_small_odd_jpeg": "core",
    "examples_ybr_color": "core",
    "MR_small_jp2klossless": "core",
    "693_J2KI": "gdcm",
    "J2K_pixelrep_mismatch": "core",
    "examples_jpeg2k": "core",
    "SC_rgb_jpeg_gdcm": "gdcm",
    "MR_small_jpeg_ls_lossless": "gdcm",
    "JPEGLSNearLossless_08": "gdcm",
    "JPEGLSNearLossless_16": "gdcm",
    "SC_rgb_jls_lossy_line": "gdcm",
}


@needs_files
@pytest.mark.parametrize(("name", "codec"), _COMPRESSED.items())
def test_compressed_transfer_syntaxes_are_read(name: str, codec: str, tmp_path: Path) -> None:
    if codec == "gdcm" and importlib.util.find_spec("gdcm") is None:
        pytest.skip("needs python-gdcm")
    image = DicomImage(FILES / f"{name}.dcm")
    frames = [np.asarray(frame) for frame in image]
    expected = pydicom.dcmread(FILES / f"{name}.dcm")
    assert len(frames) == image.frames == int(expected.get("NumberOfFrames", 1))
    assert frames[0].shape[:2] == (expected.Rows, expected.Columns)
    assert np.ptp(frames[0]) > 0


@needs_files
@needs_gdcm
def test_lossless_codecs_give_the_pixels_of_the_uncompressed_file() -> None:
    (plain,) = DicomImage(FILES / "MR_small.dcm")
    for name in ("MR_small_jpeg_ls_lossless", "MR_small_jp2klossless", "MR_small_RLE", "MR_small_bigendian"):
        (pixels,) = DicomImage(FILES / f"{name}.dcm")
        np.testing.assert_array_equal(pixels, plain)


@needs_files
@pytest.mark.parametrize("name", ["MR_small_jpeg_ls_lossless", "SC_rgb_jpeg_gdcm"])
def test_a_missing_codec_names_what_to_install(name: str, tmp_path: Path) -> None:
    """In a process of its own, since pydicom looks for codecs when it is imported."""
    program = (
        "import sys; sys.modules['gdcm'] = None\n"
        "from pathlib import Path\n"
        "from hyperacuity.formats.dicom.slices import DicomImage\n"
        "from hyperacuity.errors import MissingDependency\n"
        "try:\n    list(DicomImage(Path(sys.argv[1])))\n"
        "except MissingDependency as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(FILES / f"{name}.dcm")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if importlib.util.find_spec("jpeg_ls") or importlib.util.find_spec("libjpeg"):
        pytest.skip("another codec is installed")
    assert "pip install 'hyperacuity[dicom-codecs]'" in answer.stdout, answer.stderr
    assert issubclass(MissingDependency, ImportError)


@needs_files
@needs_gdcm
def test_a_decoder_that_ends_costs_one_file_only(monkeypatch: pytest.MonkeyPatch) -> None:
    (expected,) = DicomImage(FILES / "MR_small.dcm")
    lossless = FILES / "MR_small_jpeg_ls_lossless.dcm"
    np.testing.assert_array_equal(next(iter(DicomImage(lossless))), expected)
    process = isolated.DECODER._running()
    process.kill()
    process.wait()
    np.testing.assert_array_equal(next(iter(DicomImage(lossless))), expected)
    process = isolated.DECODER._running()
    monkeypatch.setattr(process, "poll", lambda: None)  # it ends while it works
    process.kill()
    process.wait()
    with pytest.raises(DamagedFile, match="pixels are damaged"):
        list(DicomImage(lossless))
    np.testing.assert_array_equal(next(iter(DicomImage(lossless))), expected)


@needs_files
def test_jpeg_of_12_bits_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match="12 bits"):
        upscale(FILES / "JPGExtended.dcm", tmp_path / "b.dcm")


@needs_files
def test_undeclared_padding_is_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.warns(PaddingWarning, match="-2000 in the corners looks like padding") as warned:
        upscale(FILES / "J2K_pixelrep_mismatch.dcm", tmp_path / "b.dcm", keep_private=True)
    assert [each.message.cures for each in warned] == [(Use(padding=-2000.0),)]  # type: ignore[union-attr]
    upscale(FILES / "J2K_pixelrep_mismatch.dcm", tmp_path / "c.dcm", keep_private=True, padding=-2000)


@needs_data
def test_a_palette_of_8_bits_in_tables_of_16_stays_8_bits(tmp_path: Path) -> None:
    upscale(DATA / "examples_palette.dcm", tmp_path / "b.dcm", 1)
    before, after = pydicom.dcmread(DATA / "examples_palette.dcm"), pydicom.dcmread(tmp_path / "b.dcm")
    assert (after.BitsAllocated, after.BitsStored, after.HighBit) == (8, 8, 7)
    colours = pydicom.pixels.apply_color_lut(before.pixel_array, before)
    np.testing.assert_array_equal(after.pixel_array, colours >> 8)


def test_bombs_are_refused_before_they_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_dicom(tmp_path / "a.dcm", slice_pixels(), Rows=30000, Columns=30000)
    with pytest.raises(DamagedFile, match="too small"):
        upscale(source, tmp_path / "b.dcm")
    dataset = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", np.zeros((600, 600), np.int16)))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm")
    upscale(tmp_path / "deflated.dcm", tmp_path / "c.dcm", 1)
    monkeypatch.setattr(reading, "_LARGEST", 1 << 16)
    with pytest.raises(DamagedFile, match="deflated"):
        upscale(tmp_path / "deflated.dcm", tmp_path / "d.dcm", 1)


def test_files_without_a_preamble_are_recognised_in_either_byte_order() -> None:
    if FILES.is_dir():
        assert accepts(FILES / "ExplVR_BigEndNoMeta.dcm")
        assert accepts(FILES / "ExplVR_LitEndNoMeta.dcm")
