"""Paths of rasters and medical images through `hyperacuity.upscale`: the same files as the command line writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hyperacuity
from hyperacuity.errors import UsageError
from hyperacuity.task import ImageOptions, MeasurementOptions, Task, VideoOptions
from hyperacuity.tasks import fit_options, run
from tests.cli import process
from tests.medical.files import slice_pixels, write_dicom, write_nifti
from tests.raster.scenes import landscape, write

pytest.importorskip("pydicom", reason="needs pydicom")
pytest.importorskip("nibabel", reason="needs nibabel")
pytest.importorskip("rasterio", reason="needs rasterio")

OPTIONS = MeasurementOptions(consistent=True)


def make(folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".tif"):
        return write(path, landscape(20, 24).astype(np.uint16)[None])
    if name.endswith(".nii.gz"):
        return write_nifti(path, np.stack([slice_pixels(12, 16)] * 3, axis=-1))
    if name.endswith(".dcm"):
        return write_dicom(path, slice_pixels(12, 16))
    path.mkdir()
    for number in (1, 2):
        write_dicom(path / f"IM{number}", slice_pixels(12, 16), number)
    return path


def content(path: Path) -> dict[str, bytes]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("name", ["scene.tif", "brain.nii.gz", "slice.dcm", "series"])
def test_python_and_the_command_line_write_equal_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (tmp_path / "one").mkdir()
    source = make(tmp_path / "one", name)
    result = hyperacuity.upscale(source, measurement=OPTIONS)
    assert result.parent == source.parent
    assert result.name == {"brain.nii.gz": "brain-x2.nii.gz", "series": "series-x2"}.get(
        name, f"{source.stem}-x2{source.suffix}"
    )
    written = tmp_path / "two" / name
    command = process.run("upscale", str(source), "-o", str(written), "--consistent", "-q", folder=tmp_path)
    assert command.returncode == 0, command.stderr
    assert list(content(result).values()) == list(content(written).values())
    with pytest.raises(UsageError, match="exists"):
        hyperacuity.upscale(str(source))


def test_options_of_measurements_are_for_paths_of_measurements(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only for paths"):
        hyperacuity.upscale(np.zeros((4, 4), np.uint8), measurement=OPTIONS)


@pytest.mark.parametrize(("name", "options", "said"), [
    ("scene.tif", {"image": ImageOptions(quality=90)}, "this is a raster, but options for images"),
    ("scene.tif", {"video": VideoOptions(crf=20)}, "this is a raster, but options for videos"),
    ("scene.tif", {"measurement": MeasurementOptions(plane="xz")}, "this is a raster, but options for other meas"),
    ("brain.nii.gz", {"image": ImageOptions(quality=90)}, "this is a medical image, but options for images"),
    ("brain.nii.gz", {"measurement": MeasurementOptions(cog=True)}, "this is a medical image, but options for other"),
])  # fmt: skip
def test_options_of_other_kinds_are_refused(name: str, options: Any, said: str, tmp_path: Path) -> None:
    outcome = run(Task(str(make(tmp_path, name)), str(tmp_path / "out.tif"), **options))
    assert outcome.error is not None
    assert said in outcome.error.text
    assert outcome.error.cures


def test_a_batch_gives_each_kind_its_own_options(tmp_path: Path) -> None:
    given = MeasurementOptions(consistent=True, cog=True, keep_private=True)
    tasks = [
        Task(str(make(tmp_path, name)), str(tmp_path / "out"), measurement=given) for name in ("scene.tif", "slice.dcm")
    ]
    scene, piece = fit_options(tasks)
    assert scene.measurement == MeasurementOptions(consistent=True, cog=True)
    assert piece.measurement == MeasurementOptions(consistent=True, keep_private=True)
