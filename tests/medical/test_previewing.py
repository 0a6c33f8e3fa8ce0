"""Previews of volumes and of series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity.task import Options, Task, VideoOptions
from hyperacuity.tasks import run
from tests.medical.files import slice_pixels, write_dicom, write_nifti


def test_the_middle_slice_is_shown_twice_with_the_window_of_the_file(tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="needs pydicom")
    folder = tmp_path / "series"
    folder.mkdir()
    for number in (1, 2, 3):
        write_dicom(folder / str(number), slice_pixels(40, 60) + 900, number)
    task = Task(
        str(folder), str(tmp_path / "p.png"), options=Options(model="bicubic"), video=VideoOptions(preview=True)
    )
    outcome = run(task)
    assert outcome.error is None
    assert "box mean" in outcome.consistency
    with PIL.Image.open(tmp_path / "p.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape[1] == 2 * 120 + 8
    caption, sheet = sheet[80:], sheet[:80]
    assert caption.shape[0] > 30
    assert np.count_nonzero(caption < 128) > 100  # letters
    assert "HU" in outcome.consistency
    np.testing.assert_array_equal(sheet[:40, :120], sheet[:40, 128:])
    # 40 +- 200 HU: the stored value 1064 is middle grey.
    assert sheet.min() == 0
    assert sheet.max() == 255


def test_a_preview_of_a_volume(tmp_path: Path) -> None:
    pytest.importorskip("nibabel", reason="needs nibabel")
    source = write_nifti(tmp_path / "a.nii.gz", np.stack([slice_pixels(30, 50)] * 4, axis=-1))
    outcome = run(Task(str(source), str(tmp_path / "p.png"), video=VideoOptions(preview=True)))
    assert outcome.error is None
    assert outcome.models == ("acute-10k-x2",)
    with PIL.Image.open(tmp_path / "p.png") as image:
        assert image.width == 2 * 60 + 8
        assert image.height > 100 + 30
