"""Slices between slices, against SciPy's spline; where there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import Size, load, medical
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.medical.through_plane import spline_weights
from hyperacuity.task import MeasurementOptions, Task
from hyperacuity.tasks import run
from tests.medical.files import slice_pixels, write_dicom, write_nifti

nibabel: Any = pytest.importorskip("nibabel", reason="needs nibabel")


def volume(depth: int = 7, dtype: Any = np.float32) -> Any:
    return np.stack([slice_pixels(14, 10, np.float64) * (1 + 0.2 * np.sin(z)) for z in range(depth)], -1).astype(dtype)


def upscale(source: Path, target: Path, scale: float = 1, **options: Any) -> Any:
    return medical.upscale(load("bicubic"), source, target, Size(scale), MeasurementOptions(**options))


@pytest.mark.parametrize("scale", [2, 3, 2.5])
@pytest.mark.parametrize("depth", [7, 40])
def test_slices_are_those_of_another_spline(scale: float, depth: int, tmp_path: Path) -> None:
    ndimage: Any = pytest.importorskip("scipy.ndimage", reason="needs SciPy")
    values = volume(depth)
    source = write_nifti(tmp_path / "a.nii.gz", values)
    upscale(source, tmp_path / "b.nii.gz", through_plane=scale)
    result = np.asarray(nibabel.load(tmp_path / "b.nii.gz").dataobj)
    count = int(depth * scale + 0.5)
    at = (np.arange(count) + 0.5) * depth / count - 0.5
    grid = np.meshgrid(np.arange(14.0), np.arange(10.0), at, indexing="ij")
    expected = ndimage.map_coordinates(values.astype(float), grid, order=3, mode="reflect")
    assert result.shape == (14, 10, count)
    np.testing.assert_allclose(result, expected, atol=1e-4 * np.ptp(values))


def test_the_extent_stays_and_the_rest_is_as_without(tmp_path: Path) -> None:
    source = write_nifti(tmp_path / "a.nii", volume(dtype=np.int16))
    outcome = upscale(source, tmp_path / "b.nii", 2, through_plane=3)
    before, after = nibabel.load(source), nibabel.load(tmp_path / "b.nii")
    assert after.shape == (28, 20, 21)
    for corner in np.ndindex(2, 2, 2):
        ends = [image.affine @ [*(np.array(corner) * image.shape - 0.5), 1] for image in (before, after)]
        np.testing.assert_allclose(ends[0], ends[1], atol=1e-4)
    np.testing.assert_allclose(after.header.get_zooms(), np.array(before.header.get_zooms()) / (2, 2, 3), rtol=1e-6)
    assert after.get_data_dtype() == np.int16
    # At whole positions the spline goes through the slices.
    upscale(source, tmp_path / "c.nii", 2)
    alone = np.asarray(nibabel.load(tmp_path / "c.nii").dataobj)
    np.testing.assert_array_equal(np.asarray(after.dataobj)[..., 1::3], alone)
    assert "7 -> 21 slices" in outcome.consistency
    assert "invents nothing" in outcome.consistency
    assert outcome.frames == 21
    record = json.loads((tmp_path / "b.hyperacuity.json").read_text())
    assert (record["slices_before"], record["slices_after"]) == (7, 21)
    assert "invents nothing" in record["between_slices"]


@pytest.mark.parametrize("plane", ["xy", "xz", "yz"])
def test_each_volume_over_time_and_each_plane(plane: str, tmp_path: Path) -> None:
    values = np.stack([volume(5), volume(5) + 100], -1)
    source = write_nifti(tmp_path / "a.nii", values)
    upscale(source, tmp_path / "b.nii", through_plane=2, plane=plane)
    result = np.asarray(nibabel.load(tmp_path / "b.nii").dataobj)
    axis = {"xy": 2, "xz": 1, "yz": 0}[plane]
    assert result.shape == tuple(side * (1 + (n == axis)) for n, side in enumerate(values.shape))
    np.testing.assert_allclose(result[..., 1] - result[..., 0], 100, atol=0.01)


def test_labels_are_repeated_and_invalid_voxels_stay(tmp_path: Path) -> None:
    labels = np.arange(4, dtype=np.int16)[None, None] * np.ones((3, 3, 1), np.int16)
    upscale(write_nifti(tmp_path / "l.nii", labels, intent_code=1002), tmp_path / "m.nii", through_plane=2)
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "m.nii").dataobj), labels.repeat(2, 2))
    values = volume()
    poisoned = values.copy()
    poisoned[:3, :4, 2] = np.nan
    upscale(write_nifti(tmp_path / "n.nii", poisoned), tmp_path / "o.nii", through_plane=2)
    upscale(write_nifti(tmp_path / "p.nii", values), tmp_path / "q.nii", through_plane=2)
    result, plain = (np.asarray(nibabel.load(tmp_path / name).dataobj) for name in ("o.nii", "q.nii"))
    np.testing.assert_array_equal(np.isnan(result), np.isnan(poisoned).repeat(2, 2))
    np.testing.assert_allclose(result[5:, 6:], plain[5:, 6:], rtol=1e-6)


@pytest.mark.parametrize(("scale", "said"), [(0.5, "from 1 up"), (float("nan"), "from 1 up")])
def test_a_scale_below_1_is_refused(scale: float, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        upscale(write_nifti(tmp_path / "a.nii", volume()), tmp_path / "b.nii", through_plane=scale)


def test_it_is_refused_with_the_reason_where_nothing_lies_between_slices(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one slice"):
        upscale(write_nifti(tmp_path / "one.nii", volume(1)), tmp_path / "b.nii", through_plane=2)
    source = write_nifti(tmp_path / "gaps.nii", volume())
    (tmp_path / "gaps.json").write_text('{"SliceThickness": 3, "SpacingBetweenSlices": 3.6}')
    with pytest.raises(UsageError, match=r"3 mm thick and 3\.6 mm apart.*not measured") as raised:
        upscale(source, tmp_path / "b.nii", through_plane=2)
    assert raised.value.cures == (Use(through_plane=LEAVE_OUT),)
    upscale(source, tmp_path / "b.nii")
    (tmp_path / "gaps.json").write_text('{"SliceThickness": 3, "SpacingBetweenSlices": 3}')
    upscale(source, tmp_path / "c.nii", through_plane=2)


def test_it_is_refused_for_dicom(tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="needs pydicom")
    source = write_dicom(tmp_path / "a.dcm", slice_pixels())
    options = MeasurementOptions(through_plane=2)
    outcome = run(Task(str(source), str(tmp_path / "b.dcm"), measurement=options))
    assert outcome.error is not None
    assert "is DICOM, whose slices have gaps" in outcome.error.text


def test_the_times_of_slices_are_left_out_with_a_warning(tmp_path: Path) -> None:
    source = write_nifti(tmp_path / "a.nii", volume(), slice_code=1, slice_duration=0.1, slice_end=6)
    with pytest.warns(LossWarning, match="times of slices"):
        upscale(source, tmp_path / "b.nii", through_plane=2)
    after = nibabel.load(tmp_path / "b.nii").header
    assert [float(after[name]) for name in ("slice_code", "slice_end", "slice_duration")] == [0, 0, 0]


def test_weights_sum_to_1_and_reproduce_straight_lines() -> None:
    for position in (20.0, 20.25, 20.9):
        weights = spline_weights(position, 41)
        assert sum(weights.values()) == pytest.approx(1)
        assert sum(index * weight for index, weight in weights.items()) == pytest.approx(position, abs=1e-5)
