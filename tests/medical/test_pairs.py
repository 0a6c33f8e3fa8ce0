"""NIfTI in two files: a header and values."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import Size, load, medical
from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.nifti.sink import PairWarning
from hyperacuity.formats.nifti.source import NiftiSource
from hyperacuity.tasks import Naming, plan, volume
from tests.medical.files import slice_pixels

nibabel: Any = pytest.importorskip("nibabel", reason="needs nibabel")

NAMING = Naming(None, "-x2", None)


def write_pair(path: Path, *, ending: str = "", kind: str = "Nifti1Pair") -> Path:
    """`path` names the file of values."""
    values = np.stack([slice_pixels(12, 10)] * 3, axis=-1)
    image = getattr(nibabel, kind)(values, np.diag([0.8, 1.1, 3, 1]))
    image.header.set_slope_inter(2, 5)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"a comment"))
    nibabel.save(image, str(path) + ending)
    return Path(f"{path}{ending}")


@pytest.mark.parametrize("kind", ["Nifti1Pair", "Nifti2Pair"])
@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("given", [".img", ".hdr"])
def test_either_file_of_a_pair_is_read_and_becomes_one_file(kind: str, ending: str, given: str, tmp_path: Path) -> None:
    values = write_pair(tmp_path / "a.img", ending=ending, kind=kind)
    source = values.with_name(values.name.replace(".img", given))
    assert volume.accepts(source)
    assert NAMING.name(source, tmp_path) == tmp_path / f"a-x2.nii{ending}"
    target = tmp_path / f"b.nii{ending}"
    with pytest.warns(PairWarning, match="becomes one file"):
        medical.upscale(load("bicubic"), source, target, Size(1))
    before, after = nibabel.load(values), nibabel.load(target)
    np.testing.assert_array_equal(after.dataobj, before.dataobj)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.header["sizeof_hdr"] == before.header["sizeof_hdr"]
    assert NiftiSource(target).extensions[0].content.rstrip(b"\0") == b"a comment"


def test_a_folder_holds_a_pair_once(tmp_path: Path) -> None:
    write_pair(tmp_path / "a.img")
    (route,) = plan([str(tmp_path)], str(tmp_path / "out"), NAMING, recursive=False)
    assert (route.source.name, route.target.name) == ("a.img", "a.nii")
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    assert len(plan(names, str(tmp_path / "out"), NAMING, recursive=False)) == 1


def test_a_pair_is_not_written_and_needs_both_files(tmp_path: Path) -> None:
    source = write_pair(tmp_path / "a.img")
    with pytest.raises(UnsupportedFormat, match="becomes one file"):
        medical.upscale(load("bicubic"), source, tmp_path / "b.img", Size(2))
    data = source.read_bytes()
    source.write_bytes(data[:-1])
    with pytest.raises(DamagedFile, match="truncated"):
        medical.upscale(load("bicubic"), source, tmp_path / "b.nii", Size(2))
    source.unlink()
    with pytest.raises(DamagedFile, match=r"a\.img, which is missing"):
        medical.upscale(load("bicubic"), tmp_path / "a.hdr", tmp_path / "b.nii", Size(2))
    assert not volume.accepts(source)
    alone = tmp_path / "alone.nii.gz"
    alone.write_bytes(gzip.compress((tmp_path / "a.hdr").read_bytes() + data))
    with pytest.raises(DamagedFile, match="does not say where"):
        medical.upscale(load("bicubic"), alone, tmp_path / "b.nii", Size(2))
