"""DICOM files and series: place, values, elements, names of patients, damage; read back by pydicom and dcm2niix."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import Size, load, medical
from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat, UsageError
from hyperacuity.formats.dicom import accepts
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.task import MeasurementOptions, Message, Options, Task
from hyperacuity.tasks import Observer, run
from tests.medical.files import CANARY, slice_pixels, write_dicom

pydicom = pytest.importorskip("pydicom", reason="needs pydicom")

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "formats" / "dicom"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs shared data")


def upscale(source: Path, target: Path, scale: float = 2, model: str = "bicubic", **options: Any) -> Any:
    return medical.upscale(load(model), source, target, Size(scale), MeasurementOptions(**options))


def make_series(folder: Path, count: int = 3, **elements: Any) -> Path:
    folder.mkdir()
    for number in range(1, count + 1):
        write_dicom(folder / f"IM{number:03}", slice_pixels() + 20 * number, number, **elements)
    return folder


def corners(dataset: Any) -> NDArray[np.float64]:
    """The outer corners of the first and of the last pixel."""
    position = np.array(dataset.ImagePositionPatient, float)
    across, down = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    rows, columns = map(float, dataset.PixelSpacing)
    across, down = across * columns, down * rows
    first = position - across / 2 - down / 2
    return np.array([first, first + across * dataset.Columns + down * dataset.Rows])


@pytest.mark.parametrize("scale", [2, 3, 1.5, 2.7])
def test_the_extent_stays(scale: float, tmp_path: Path) -> None:
    source = write_dicom(tmp_path / "a.dcm", slice_pixels())
    upscale(source, tmp_path / "b.dcm", scale)
    before, after = pydicom.dcmread(source), pydicom.dcmread(tmp_path / "b.dcm")
    np.testing.assert_allclose(corners(after), corners(before), atol=1e-4)
    assert after.pixel_array.shape == (after.Rows, after.Columns) == (round(24 * scale), round(40 * scale))
    assert float(after.PixelSpacing[0]) == pytest.approx(0.9 * 24 / after.Rows)
    assert all(len(str(each)) <= 16 for name in ("PixelSpacing", "ImagePositionPatient") for each in after[name].value)
    assert after.SliceThickness == before.SliceThickness


def test_dcm2niix_finds_the_same_extent(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("dcm2niix")
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel")
    if not program.exists() and shutil.which("dcm2niix") is None:
        pytest.skip("needs dcm2niix")
    series = make_series(tmp_path / "series")
    upscale(series, tmp_path / "larger", 1.5)
    found = []
    for name in ("series", "larger"):
        out = tmp_path / f"{name}-nifti"
        out.mkdir()
        command = [str(program) if program.exists() else "dcm2niix", "-o", str(out), "-f", "x", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
        image = nibabel.load(next(out.glob("*.nii*")))
        sides = np.array(image.shape[:3])
        ends = [np.append(np.array(corner) * sides - 0.5, 1) for corner in np.ndindex(2, 2, 2)]
        found.append(np.array([image.affine @ end for end in ends]))
        values = np.asarray(image.dataobj)
        assert values.min() > -1024
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)


def test_stored_values_scaling_windows_and_types_stay(tmp_path: Path) -> None:
    pixels = slice_pixels(dtype=np.uint16)
    source = write_dicom(tmp_path / "a.dcm", pixels, BitsStored=12, HighBit=11, SmallestImagePixelValue=1)
    outcome = upscale(source, tmp_path / "b.dcm", model="acute-10k", consistent=True)
    after = pydicom.dcmread(tmp_path / "b.dcm")
    assert (after.BitsAllocated, after.BitsStored, after.HighBit, after.PixelRepresentation) == (16, 12, 11, 0)
    assert (after.RescaleSlope, after.RescaleIntercept, after.WindowCenter, after.WindowWidth) == (1, -1024, 40, 400)
    assert np.frombuffer(after.PixelData, "<u2").max() < 4096
    assert after.SmallestImagePixelValue == after.pixel_array.min()
    means = after.pixel_array.reshape(24, 2, 40, 2).mean((1, 3))
    assert np.abs(means - pixels).max() <= 0.5
    assert "HU" in outcome.consistency
    assert outcome.models == ("acute-10k-x2",)


def test_padding_neither_bleeds_nor_moves(tmp_path: Path) -> None:
    pixels = slice_pixels()
    poisoned = pixels.copy()
    poisoned[:8, :9] = -2000
    plain = write_dicom(tmp_path / "a.dcm", pixels)
    source = write_dicom(tmp_path / "p.dcm", poisoned, PixelPaddingValue=-2000)
    undeclared = write_dicom(tmp_path / "u.dcm", poisoned)
    upscale(plain, tmp_path / "a2.dcm", model="acute-10k")
    upscale(source, tmp_path / "p2.dcm", model="acute-10k")
    upscale(undeclared, tmp_path / "u2.dcm", model="acute-10k", padding=-2000)
    expected, result, given = (pydicom.dcmread(tmp_path / f"{name}2.dcm").pixel_array for name in "apu")
    np.testing.assert_array_equal(result == -2000, (poisoned == -2000).repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(given, result)
    assert np.abs(result - expected)[30:, 32:].max() <= 0.005 * np.ptp(pixels) + 1
    assert result[result != -2000].min() > pixels.min() - 100


def test_identifiers_are_new_and_always_the_same(tmp_path: Path) -> None:
    series = make_series(tmp_path / "series")
    for name in ("one", "two"):
        upscale(series, tmp_path / name)
    upscale(series, tmp_path / "three", 3)
    read = {name: pydicom.dcmread(tmp_path / name / "IM001") for name in ("series", "one", "two", "three")}
    for element in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert read["one"][element].value == read["two"][element].value
        assert len({read[name][element].value for name in ("series", "one", "three")}) == 3
        assert read["one"][element].value.is_valid
    assert read["one"].file_meta.MediaStorageSOPInstanceUID == read["one"].SOPInstanceUID
    assert len({pydicom.dcmread(path).SeriesInstanceUID for path in (tmp_path / "one").iterdir()}) == 1
    for element in ("StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "PatientName", "StudyDate"):
        assert read["one"][element].value == read["series"][element].value


def test_the_derivation_is_stated(tmp_path: Path) -> None:
    source = write_dicom(
        tmp_path / "a.dcm", slice_pixels(), DerivationDescription="earlier", SeriesDescription="x" * 64
    )
    upscale(source, tmp_path / "b.dcm", model="acute-10k")
    after = pydicom.dcmread(tmp_path / "b.dcm")
    assert list(after.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    assert after.DerivationDescription.startswith("earlier; Enlarged in plane x2")
    assert "Not for diagnosis" in after.DerivationDescription
    assert len(after.DerivationDescription) <= 1024
    assert len(after.SeriesDescription) == 64
    assert after.SeriesDescription.endswith(" x2 acute-10k-x2")
    assert after.DerivationCodeSequence[0].CodeValue == "113085"
    assert after.SourceImageSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert after.SourceImageSequence[0].ReferencedSOPInstanceUID == pydicom.dcmread(source).SOPInstanceUID
    assert after.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "109103"


class Listener(Observer):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warned(self, task: Task, warning: Message) -> None:
        self.heard.append(str(warning))

    def finished(self, outcome: Any) -> None:
        self.heard.append(str(outcome))


def test_no_value_of_a_patient_is_in_any_message(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    listener = Listener()
    source = write_dicom(tmp_path / "a.dcm", slice_pixels())
    data = source.read_bytes()
    broken = {
        "whole": data,
        "cut": data[: len(data) // 2],
        "header": data[:600],
        "type": data.replace(b"PixelSpacing", b"").replace(b"DS\x08\0", b"IS\x08\0"),
        "name": data.replace(b"SS", b"XX").replace(b"US\x02\0", b"DA\x02\0"),
        "numbers": data.replace(b"0.9\\0.6", CANARY[:7].encode()),
        "orientation": data.replace(b"0.9553364891", f"{CANARY:<12}".encode()),
        "scaling": data.replace(b"-1024 ", CANARY[:6].encode()),
    }
    for name, content in broken.items():
        (tmp_path / f"{name}.dcm").write_bytes(content)
        run(Task(f"{tmp_path}/{name}.dcm", f"{tmp_path}/out/{name}.dcm", options=Options(model="bicubic")), listener)
    heard = "\n".join([*listener.heard, *capfd.readouterr(), *map(str, tmp_path.rglob("*"))])
    assert "CANARY" not in heard
    assert "internal error" not in heard
    result = pydicom.dcmread(tmp_path / "out" / "whole.dcm")
    assert result.PatientName == CANARY
    assert "CANARY" not in result.DerivationDescription + result.SeriesDescription


def test_a_sequence_that_ends_too_early_is_damage(tmp_path: Path) -> None:
    """Of which pydicom makes an error of the system without a number."""
    item = pydicom.Dataset()
    item.CodeMeaning = CANARY
    source = write_dicom(tmp_path / "a.dcm", slice_pixels(), ProcedureCodeSequence=[item])
    data = source.read_bytes().replace(b"SQ\0\0\x18\0\0\0", b"SQ\0\0\x1c\0\0\0")
    assert data != source.read_bytes()
    source.write_bytes(data)
    with pytest.raises(DamagedFile) as raised:
        upscale(source, tmp_path / "b.dcm")
    assert "CANARY" not in str(raised.value)


def test_files_cut_anywhere_or_with_flipped_bits_raise_our_errors(tmp_path: Path) -> None:
    data = write_dicom(tmp_path / "a.dcm", slice_pixels(8, 8)).read_bytes()
    random = np.random.default_rng(0)
    variants = [data[:length] for length in random.integers(1, len(data) - 1, 40)]
    for place in random.integers(128, len(data) - 128, 120):
        broken = bytearray(data)
        broken[place] ^= 1 << int(random.integers(8))
        variants.append(bytes(broken))
    for content in variants:
        path = tmp_path / "broken.dcm"
        path.write_bytes(content)
        messages = ""
        try:
            if accepts(path):
                upscale(path, tmp_path / "out.dcm")
        except HyperacuityError as error:
            messages = str(error)
        assert "CANARY" not in messages
        (tmp_path / "out.dcm").unlink(missing_ok=True)


def test_a_series_has_one_range_and_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    series = make_series(tmp_path / "series")
    outcome = upscale(series, tmp_path / "larger", model="acute-10k")
    assert sorted(path.name for path in (tmp_path / "larger").iterdir()) == ["IM001", "IM002", "IM003"]
    assert (outcome.frames, outcome.before, outcome.after) == (3, (24, 40), (48, 80))
    with pytest.raises(UsageError, match="exists"):
        upscale(series, tmp_path / "larger")
    (series / "IM002").write_bytes((series / "IM002").read_bytes()[:-100])
    with pytest.raises(DamagedFile, match="truncated"):
        upscale(series, tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["larger", "series"]


def test_slices_that_are_scaled_differently_have_one_range_of_real_values(tmp_path: Path) -> None:
    """As in PET: the same real values, stored with another slope."""
    folder = tmp_path / "series"
    folder.mkdir()
    real = slice_pixels(dtype=np.float64)
    for number, slope in ((1, 0.5), (2, 0.25)):
        pixels = np.round(real / slope).astype(np.int16)
        write_dicom(folder / str(number), pixels, number, RescaleSlope=str(slope), RescaleIntercept="0")
    upscale(folder, tmp_path / "larger", model="acute-10k")
    one, two = (pydicom.dcmread(tmp_path / "larger" / name).pixel_array for name in "12")
    assert np.abs(one * 0.5 - two * 0.25).max() < 1.5


def test_several_sizes_are_series_of_their_own(tmp_path: Path) -> None:
    series = make_series(tmp_path / "series")
    write_dicom(series / "other", slice_pixels(10, 12), 9)
    with pytest.warns(LossWarning, match="2 series or sizes"):
        upscale(series, tmp_path / "larger")
    assert pydicom.dcmread(tmp_path / "larger" / "other").Rows == 20


def test_inverted_images_are_kept(tmp_path: Path) -> None:
    source = write_dicom(tmp_path / "a.dcm", slice_pixels(dtype=np.uint16), PhotometricInterpretation="MONOCHROME1")
    upscale(source, tmp_path / "b.dcm", model="acute-10k", consistent=True)
    after = pydicom.dcmread(tmp_path / "b.dcm")
    assert after.PhotometricInterpretation == "MONOCHROME1"
    assert np.abs(after.pixel_array.reshape(24, 2, 40, 2).mean((1, 3)) - slice_pixels()).max() <= 1


def test_private_elements_are_left_out_and_named_once(tmp_path: Path) -> None:
    source = write_dicom(tmp_path / "a.dcm", slice_pixels())
    dataset = pydicom.dcmread(source)
    dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", b"old geometry")
    dataset.save_as(source)
    with pytest.warns(LossWarning, match="private"):
        upscale(source, tmp_path / "b.dcm")
    assert b"old geometry" not in (tmp_path / "b.dcm").read_bytes()
    upscale(source, tmp_path / "c.dcm", keep_private=True)
    assert b"old geometry" in (tmp_path / "c.dcm").read_bytes()


def test_overlays_are_enlarged_by_nearest(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 2, (24, 40)).astype(np.uint8)
    source = write_dicom(tmp_path / "a.dcm", slice_pixels())
    dataset = pydicom.dcmread(source)
    for element, kind, value in ((0x10, "US", 24), (0x11, "US", 40), (0x40, "CS", "G"), (0x50, "SS", [1, 1])):
        dataset.add_new((0x6000, element), kind, value)
    dataset.add_new((0x6000, 0x0100), "US", 1)
    dataset.add_new((0x6000, 0x3000), "OW", np.packbits(plane.ravel(), bitorder="little").tobytes())
    dataset.save_as(source)
    upscale(source, tmp_path / "b.dcm")
    after = pydicom.dcmread(tmp_path / "b.dcm")
    np.testing.assert_array_equal(after.overlay_array(0x6000), plane.repeat(2, 0).repeat(2, 1))


def test_what_is_no_image_is_refused_in_a_sentence(tmp_path: Path) -> None:
    pixels = slice_pixels()
    cases: dict[str, dict[str, Any]] = {
        "segmentation": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"},
        "dose": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"},
        "mosaic": {"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]},
        "whole slide": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6"},
    }
    for text, elements in cases.items():
        source = write_dicom(tmp_path / "a.dcm", pixels, **elements)
        with pytest.raises(UnsupportedFormat, match=text):
            upscale(source, tmp_path / "b.dcm")
    source = write_dicom(tmp_path / "a.dcm", np.full((8, 8), -2000, np.int16), PixelPaddingValue=-2000)
    with pytest.raises(UsageError, match="no pixel is valid"):
        upscale(source, tmp_path / "b.dcm")


def test_models_that_invent_detail_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyperacuity.zoo.generative.is_generative", lambda card: True)
    source = write_dicom(tmp_path / "a.dcm", slice_pixels())
    with pytest.raises(UsageError, match="invents detail"):
        upscale(source, tmp_path / "b.dcm")
    upscale(source, tmp_path / "b.dcm", allow_generative=True)


@needs_data
@pytest.mark.parametrize(
    "name", ["CT_small", "MR_small", "MR_small_RLE", "MR_small_bigendian", "dicom_file01", "dicom_file90", "JPEG2000"]
)
def test_real_files_keep_their_extent_and_patient(name: str, tmp_path: Path) -> None:
    source = DATA / f"{name}.dcm"
    upscale(source, tmp_path / "b.dcm", 1.5, keep_private=True)
    before, after = pydicom.dcmread(source), pydicom.dcmread(tmp_path / "b.dcm")
    if "ImagePositionPatient" in before:
        np.testing.assert_allclose(corners(after), corners(before), atol=1e-4)
    assert after.get("PatientName") == before.get("PatientName")
    assert after.pixel_array.dtype == before.pixel_array.dtype.newbyteorder("=")
    assert after.get("LossyImageCompression") == before.get("LossyImageCompression")


@needs_data
def test_frames_of_enhanced_files_have_positions_of_their_own(tmp_path: Path) -> None:
    upscale(DATA / "dicom_file02.dcm", tmp_path / "b.dcm", 2)
    before, after = pydicom.dcmread(DATA / "dicom_file02.dcm"), pydicom.dcmread(tmp_path / "b.dcm")
    assert after.pixel_array.shape == (12, 512, 512)
    for old, new in zip(before.PerFrameFunctionalGroupsSequence, after.PerFrameFunctionalGroupsSequence, strict=True):
        positions = [
            np.array(each.PlanePositionSequence[0].ImagePositionPatient, float)
            for each in (old, new)
            if "PlanePositionSequence" in each
        ]
        if len(positions) == 2:
            assert 0 < np.abs(positions[1] - positions[0]).max() < 1


@needs_data
def test_palettes_become_colours_and_regions_move(tmp_path: Path) -> None:
    upscale(DATA / "examples_palette.dcm", tmp_path / "b.dcm")
    before, after = pydicom.dcmread(DATA / "examples_palette.dcm"), pydicom.dcmread(tmp_path / "b.dcm")
    assert after.PhotometricInterpretation == "RGB"
    assert after.pixel_array.shape == (700, 1600, 3)
    assert "RedPaletteColorLookupTableData" not in after
    old, new = (each.SequenceOfUltrasoundRegions[0] for each in (before, after))
    assert new.PhysicalDeltaX == old.PhysicalDeltaX / 2
    assert new.RegionLocationMinX0 == old.RegionLocationMinX0 * 2


@needs_data
@pytest.mark.parametrize(
    ("name", "text"), [("MR_truncated", "truncated"), ("rtplan", "no image"), ("dicom_file91", "spectra")]
)
def test_real_files_that_cannot_be_enlarged(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(HyperacuityError, match=text):
        upscale(DATA / f"{name}.dcm", tmp_path / "b.dcm")


def test_more_bits_stored_than_allocated_are_named(tmp_path: Path) -> None:
    source = write_dicom(tmp_path / "a.dcm", slice_pixels(), BitsStored=20)
    with pytest.raises(DamagedFile, match="20 bits of values in pixels of 16 bits"):
        upscale(source, tmp_path / "b.dcm")
