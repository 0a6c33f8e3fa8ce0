"""What medical sources are found in folders, and how their results are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hyperacuity import Size, load, medical
from hyperacuity.errors import UnsupportedFormat, UsageError
from hyperacuity.task import Options, Task
from hyperacuity.tasks import Naming, plan, run
from hyperacuity.tasks.kinds import find_kind
from tests.medical.files import slice_pixels, write_dicom, write_nifti

NAMING = Naming(None, "-x2", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two series, one of them without endings, and a compressed volume."""
    pytest.importorskip("pydicom", reason="needs pydicom")
    for series in ("one", "two"):
        (tmp_path / "in" / series).mkdir(parents=True)
        for number in (1, 2):
            write_dicom(tmp_path / "in" / series / f"IM{number}", slice_pixels(), number)
    write_nifti(tmp_path / "in" / "brain.nii.gz", np.zeros((4, 5, 2), np.int16))
    return tmp_path / "in"


def test_a_folder_of_slices_is_one_source(folder: Path) -> None:
    series = folder / "one"
    assert plan([str(series)], "larger/", NAMING, recursive=False) == [(series, Path("larger"))]
    assert plan([str(series)], None, NAMING, recursive=False) == [(series, folder / "one-x2")]
    assert find_kind(series) == "volume"


def test_series_and_volumes_are_found_below_a_folder(folder: Path, tmp_path: Path) -> None:
    routes = plan([str(folder)], str(tmp_path / "out"), NAMING, recursive=True)
    found = {source.name: target.relative_to(tmp_path / "out").as_posix() for source, target in routes}
    assert found == {"one": "one", "two": "two", "brain.nii.gz": "brain.nii.gz"}
    assert {find_kind(source) for source, _ in routes} == {"volume"}


def test_a_single_slice_keeps_its_missing_ending(folder: Path) -> None:
    slice_file = folder / "one" / "IM1"
    assert plan([str(slice_file)], None, NAMING, recursive=False)[0].target == folder / "one" / "IM1-x2"
    volume = folder / "brain.nii.gz"
    assert plan([str(volume)], None, NAMING, recursive=False)[0].target == folder / "brain-x2.nii.gz"


def test_a_series_stays_with_the_other_results_of_its_folder(folder: Path, tmp_path: Path) -> None:
    """The folder of results may exist already, because a volume or an image of the same folder is finished first."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "brain.nii.gz").write_bytes(b"a result of another task")
    medical.upscale(load("bicubic"), folder / "one", target, Size(2))
    assert sorted(path.name for path in target.iterdir()) == ["IM1", "IM2", "brain.nii.gz"]
    with pytest.raises(UsageError, match="exists"):
        medical.upscale(load("bicubic"), folder / "one", target, Size(2))


def test_force_replaces_the_slices_of_a_folder_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "notes.txt").write_text("of a person")
    write_dicom(target / "IM9", slice_pixels(), 9)
    medical.upscale(load("bicubic"), folder / "one", target, Size(2), force=True)
    assert sorted(path.name for path in target.iterdir()) == ["IM1", "IM2", "notes.txt"]


def test_a_file_of_the_same_name_is_not_replaced_without_force(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "IM1").write_text("of a person")
    with pytest.raises(UsageError, match="exists"):
        medical.upscale(load("bicubic"), folder / "one", target, Size(2))


def test_a_series_is_not_skipped_because_other_results_lie_in_its_folder(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "brain.nii.gz").write_bytes(b"a result of another task")
    task = Task(str(folder / "one"), str(target), Size(2), Options(model="bicubic"), skip_existing=True)
    assert not run(task).skipped
    assert run(task).skipped


@pytest.mark.filterwarnings("ignore:.*range of its own")
def test_a_side_that_is_too_long_names_the_source(folder: Path, tmp_path: Path) -> None:
    write_dicom(folder / "one" / "IM3", np.zeros((1, 40000), np.int16), 3)
    with pytest.raises(UnsupportedFormat, match=r"one.IM3: a side of 80000 pixels"):
        medical.upscale(load("bicubic"), folder / "one", tmp_path / "out", Size(2))
    assert not (tmp_path / "out").exists()
