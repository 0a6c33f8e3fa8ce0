"""Volumes of NIfTI: place, values, header, damage; read back by nibabel."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import Size, load, medical
from hyperacuity.errors import DamagedFile, HyperacuityError, HyperacuityWarning, UnsupportedFormat, UsageError
from hyperacuity.formats.nifti.recognition import accepts
from hyperacuity.formats.nifti.source import NiftiSource
from hyperacuity.formats.protocol import LossWarning, PlaceWarning
from hyperacuity.task import MeasurementOptions
from tests.medical.files import slice_pixels, write_nifti

nibabel = pytest.importorskip("nibabel", reason="needs nibabel")

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "formats" / "nifti"
BICUBIC = "bicubic"


def volume(dtype: Any = np.int16, shape: tuple[int, ...] = (20, 16, 5)) -> NDArray[Any]:
    planes = [slice_pixels(shape[1], shape[0]).T + 10 * n for n in range(int(np.prod(shape[2:])))]
    return np.stack(planes, axis=-1).reshape(shape, order="F").astype(dtype)


def corners(image: Any) -> NDArray[np.float64]:
    sides = np.array(image.shape[:3])
    edges = [np.append(np.array(corner) * sides - 0.5, 1) for corner in itertools.product((0, 1), repeat=3)]
    return np.array([image.affine @ edge for edge in edges])


def upscale(source: Path, target: Path, scale: float = 2, model: str = BICUBIC, **options: Any) -> Any:
    return medical.upscale(load(model), source, target, Size(scale), MeasurementOptions(**options))


@pytest.mark.parametrize("scale", [2, 3, 1.5, 2.7])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_the_extent_stays(scale: float, ending: str, tmp_path: Path) -> None:
    source = write_nifti(tmp_path / f"brain{ending}", volume())
    outcome = upscale(source, tmp_path / f"larger{ending}", scale)
    before, after = nibabel.load(source), nibabel.load(tmp_path / f"larger{ending}")
    assert after.shape == (round(20 * scale), round(16 * scale), 5)
    np.testing.assert_allclose(corners(after), corners(before), atol=1e-4)
    for name in ("get_sform", "get_qform"):
        (old, old_code), (new, new_code) = (getattr(each.header, name)(coded=True) for each in (before, after))
        assert old_code == new_code
        factors = [b / a for a, b in zip(after.shape[:3], before.shape[:3], strict=True)]
        np.testing.assert_allclose(new[:3, :3], old[:3, :3] * factors, atol=1e-5)
    assert outcome.frames == 5


@pytest.mark.parametrize("plane", ["xy", "xz", "yz"])
def test_every_pixel_keeps_its_place_in_the_world(plane: str, tmp_path: Path) -> None:
    """A ramp whose values are a coordinate of the world."""
    shape = (18, 20, 22)
    affine = np.array([[0, 1.2, 0.1, 5], [-0.7, 0, 0, 3], [0.05, 0, 2.5, -9], [0, 0, 0, 1]])
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    for axis in range(3):
        ramp = (index @ affine[:3, :3].T + affine[:3, 3])[..., axis].astype(np.float32)
        source = write_nifti(tmp_path / f"ramp{axis}.nii", ramp, affine)
        upscale(source, tmp_path / f"large{axis}.nii", 2.5, plane=plane)
        result = nibabel.load(tmp_path / f"large{axis}.nii")
        index_after = np.stack(np.meshgrid(*map(np.arange, result.shape), indexing="ij"), axis=-1)
        expected = (index_after @ result.affine[:3, :3].T + result.affine[:3, 3])[..., axis]
        inside = (slice(8, -8),) * 3
        np.testing.assert_allclose(np.asarray(result.dataobj)[inside], expected[inside], atol=0.01 * 0.7)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "u2", "i4", "f4", ">f4", "f8"])
def test_types_byte_orders_and_scaling_stay(dtype: str, tmp_path: Path) -> None:
    values = (volume(np.float64) / 8).astype(dtype)
    header = nibabel.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(dtype)
    image = nibabel.Nifti1Image(values, np.diag([2, 2, 4, 1]), header)
    image.header.set_slope_inter(0.5, -3)
    raw = image.header.copy()
    raw["scl_slope"], raw["scl_inter"], raw["vox_offset"] = 0.5, -3, 352
    (tmp_path / "a.nii").write_bytes(raw.binaryblock + bytes(4) + values.tobytes(order="F"))
    outcome = upscale(tmp_path / "a.nii", tmp_path / "b.nii", model="acute-10k")
    result = nibabel.load(tmp_path / "b.nii")
    assert result.get_data_dtype() == np.dtype(dtype)
    assert result.header.endianness == header.endianness
    assert (result.dataobj.slope, result.dataobj.inter) == (0.5, -3)
    reduced = result.dataobj.get_unscaled().reshape(20, 2, 16, 2, 5).astype(float).mean((1, 3))
    assert np.abs(reduced - values).mean() < 1
    assert "box mean" in outcome.consistency


def test_nan_and_classes(tmp_path: Path) -> None:
    values = volume(np.float32)
    values[:6, :5] = np.nan
    upscale(write_nifti(tmp_path / "a.nii", values), tmp_path / "b.nii")
    result = np.asarray(nibabel.load(tmp_path / "b.nii").dataobj)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(values).repeat(2, 0).repeat(2, 1))
    labels = np.random.default_rng(0).integers(0, 9, (20, 16, 5)).astype(np.int16)
    upscale(write_nifti(tmp_path / "l.nii", labels, intent_code=1002), tmp_path / "l2.nii", model="acute-10k")
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(tmp_path / "l2.nii").dataobj), labels.repeat(2, 0).repeat(2, 1)
    )


def test_integers_beyond_float32_are_copied(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1 << 30, (6, 7, 2)).astype(np.int32)
    source = write_nifti(tmp_path / "a.nii", values)
    with pytest.warns(LossWarning, match="names"):
        upscale(source, tmp_path / "b.nii", model="acute-10k")
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(tmp_path / "b.nii").dataobj), values.repeat(2, 0).repeat(2, 1)
    )


def test_consistent_results_have_the_box_means_of_the_source(tmp_path: Path) -> None:
    source = write_nifti(tmp_path / "a.nii", volume())
    upscale(source, tmp_path / "b.nii", model="acute-10k", consistent=True)
    result = np.asarray(nibabel.load(tmp_path / "b.nii").dataobj).astype(float)
    means = result.reshape(20, 2, 16, 2, 5).mean((1, 3))
    assert np.abs(means - volume()).max() <= 0.5
    record = json.loads((tmp_path / "b.hyperacuity.json").read_text())
    assert record["point_spread"] == "box"
    assert record["consistency_max"][0] <= 0.5
    assert "Not for diagnosis" in record["note"]
    assert len(record["weights_sha256"][0]) == 64


def test_the_same_size_gives_equal_voxels(tmp_path: Path) -> None:
    source = write_nifti(tmp_path / "a.nii.gz", volume(np.float32))
    upscale(source, tmp_path / "b.nii.gz", 1, model="acute-10k")
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "b.nii.gz").dataobj), volume(np.float32))


def test_volumes_over_time_have_one_range_and_keep_the_rest_of_the_header(tmp_path: Path) -> None:
    values = volume(shape=(12, 10, 3, 4))
    source = write_nifti(tmp_path / "a.nii", values, descrip=b"unchanged", toffset=7.5, cal_max=9)
    upscale(source, tmp_path / "b.nii")
    before, after = nibabel.load(source).header, nibabel.load(tmp_path / "b.nii").header
    assert after.get_data_shape() == (24, 20, 3, 4)
    for name in ("descrip", "toffset", "cal_max", "xyzt_units", "intent_code"):
        assert before[name] == after[name]
    np.testing.assert_allclose(after["pixdim"][1:4] * [2, 2, 1], before["pixdim"][1:4], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::hyperacuity.formats.protocol.PlaceWarning")
def test_files_cut_anywhere_or_with_flipped_bits_raise_our_errors(tmp_path: Path) -> None:
    for ending in (".nii", ".nii.gz"):
        source = write_nifti(tmp_path / f"a{ending}", volume())
        data = source.read_bytes()
        for length in [*range(0, 360, 24), 400, len(data) // 2, len(data) - 1]:
            cut = tmp_path / f"cut{ending}"
            cut.write_bytes(data[:length])
            if accepts(cut):
                with pytest.raises(HyperacuityError):
                    upscale(cut, tmp_path / f"out{ending}")
            assert not (tmp_path / f"out{ending}").exists()
    data = write_nifti(tmp_path / "a.nii", volume()).read_bytes()
    random = np.random.default_rng(0)
    for place in random.integers(0, 352, 60):
        broken = bytearray(data)
        broken[place] ^= 1 << int(random.integers(8))
        (tmp_path / "flip.nii").write_bytes(broken)
        try:
            if accepts(tmp_path / "flip.nii"):
                upscale(tmp_path / "flip.nii", tmp_path / "out.nii")
        except HyperacuityError:
            pass
        (tmp_path / "out.nii").unlink(missing_ok=True)


def test_what_cannot_be_enlarged_is_refused_in_a_sentence(tmp_path: Path) -> None:
    source = write_nifti(tmp_path / "c.nii", volume(np.complex64))
    with pytest.raises(UnsupportedFormat, match="complex"):
        upscale(source, tmp_path / "out.nii")
    source = write_nifti(tmp_path / "n.nii", np.full((8, 8, 2), np.nan, np.float32))
    with pytest.raises(UsageError, match="no voxel is valid"):
        upscale(source, tmp_path / "out.nii")
    with pytest.raises(UnsupportedFormat, match=r"does not end in \.nii"):
        upscale(write_nifti(tmp_path / "a.nii", volume()), tmp_path / "out.png")
    header = bytearray(source.read_bytes()[:352])
    header[42:48] = np.array([32767, 32767, 32767], "<i2").tobytes()
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(bytes(header)))
    with pytest.raises(DamagedFile, match="announces"):
        upscale(tmp_path / "bomb.nii.gz", tmp_path / "out.nii")


def test_extensions_stay_byte_for_byte_except_those_that_restate_the_grid(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume(), np.eye(4))
    for code, content in ((6, b"a comment"), (44, b"\0\1\2"), (4, b"<AFNI/>")):
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(code, content))
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.warns(LossWarning, match="AFNI"):
        upscale(tmp_path / "a.nii", tmp_path / "b.nii")
    before, after = (NiftiSource(tmp_path / name).extensions for name in ("a.nii", "b.nii"))
    assert after[:2] == before[:2]
    assert [each.code for each in after] == [6, 44, 6]
    assert b"Not for diagnosis" in after[2].content


def test_slices_are_found_by_their_spacing_and_the_file_is_read_forwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_nifti(tmp_path / "a.nii.gz", volume(), np.diag([4.0, 1, 1, 1]))
    opened = NiftiSource(source)
    assert opened.plane == (1, 2)
    assert opened.slices == 20
    monkeypatch.setattr(gzip.GzipFile, "seek", lambda *_: pytest.fail("it moved back"))
    assert len(list(opened)) == 20


@pytest.mark.skipif(not DATA.is_dir(), reason="needs shared data")
@pytest.mark.parametrize("name", ["anatomical.nii", "example4d.nii.gz", "example_nifti2.nii.gz", "standard.nii.gz"])
def test_real_files_keep_their_extent(name: str, tmp_path: Path) -> None:
    upscale(DATA / name, tmp_path / name, 1.5)
    before, after = nibabel.load(DATA / name), nibabel.load(tmp_path / name)
    np.testing.assert_allclose(corners(after), corners(before), atol=1e-4)
    assert after.get_data_dtype() == before.get_data_dtype()


def _forms(path: Path, sform_code: int, qform_code: int, **fields: Any) -> Path:
    """A volume whose header states these codes and fields."""
    write_nifti(path, volume())
    data = path.read_bytes()
    header = nibabel.Nifti1Header(data[:348])
    header["sform_code"], header["qform_code"] = sform_code, qform_code
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + data[348:])
    return path


@pytest.mark.parametrize(
    ("codes", "fields", "message"),
    [
        ((0, 0), {}, "neither qform nor sform"),
        ((1, 0), {"srow_x": 0}, "the sform is singular"),
        ((1, 1), {"srow_y": np.nan}, "the sform is singular"),
        ((0, 1), {"quatern_b": 5}, "the qform is impossible"),
        ((0, 1), {"quatern_c": np.nan}, "the qform is impossible"),
        ((0, 1), {"qoffset_x": np.inf}, "the qform is impossible"),
        ((0, 1), {"pixdim": (1, 0, 1, 3, 1, 1, 1, 1)}, "the qform is impossible"),
        ((0, 1), {"pixdim": (1, np.nan, 1, 3, 1, 1, 1, 1)}, "the qform is impossible"),
    ],
)
def test_a_wrong_affine_is_kept_with_one_warning(
    codes: tuple[int, int], fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    source = _forms(tmp_path / "a.nii", *codes, **fields)
    with pytest.warns(PlaceWarning, match=message) as caught:
        upscale(source, tmp_path / "b.nii")
    assert len([each for each in caught if issubclass(each.category, HyperacuityWarning)]) == 1
    before, after = (
        nibabel.Nifti1Header(path.read_bytes()[:348], check=False) for path in (source, tmp_path / "b.nii")
    )
    assert (int(after["sform_code"]), int(after["qform_code"])) == codes
    for name in ("quatern_b", "quatern_c", "quatern_d"):
        np.testing.assert_array_equal(after[name], before[name])
    np.testing.assert_allclose(after["pixdim"][1:4], before["pixdim"][1:4] * np.array([0.5, 0.5, 1], np.float32))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (4, 1)])
def test_one_affine_is_enough(codes: tuple[int, int], tmp_path: Path) -> None:
    upscale(_forms(tmp_path / "a.nii", *codes), tmp_path / "b.nii")


def test_values_near_the_largest_float_are_refused_with_the_cure(tmp_path: Path) -> None:
    source = write_nifti(tmp_path / "a.nii", volume(np.float32) * np.float32(3e34))
    with pytest.raises(UsageError, match="too large to compute with: divide them by a constant"):
        upscale(source, tmp_path / "b.nii")
    assert list(tmp_path.iterdir()) == [source]
