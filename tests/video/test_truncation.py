"""Files that end before their own sizes say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperacuity import Size, load, video
from hyperacuity.errors import DamagedFile
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.truncation import count_missing
from hyperacuity.task import VideoOptions
from tests.video.videos import make, moving_frames


def test_a_matroska_file_without_its_end_is_cut_short(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(20))
    data = source.read_bytes()
    assert count_missing(source, "matroska,webm") == 0
    source.write_bytes(data[: -len(data) // 3].replace(b"DURATION", b"DURATIOM"))  # as by writers without such tags
    with pytest.warns(LossWarning, match=r"cut short: \d+ bytes are missing at its end"):
        outcome = video.upscale(load("bicubic"), source, tmp_path / "b.mkv", Size(2), VideoOptions("ffv1"))
    assert 8 <= outcome.frames < 20
    with pytest.raises(DamagedFile, match="missing at its end"):
        video.upscale(load("bicubic"), source, tmp_path / "c.mkv", Size(2), VideoOptions("ffv1", strict=True))


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"\0\0\0\10ftyp\0\0\0\14mdat1234", 0),
        (b"\0\0\0\10ftyp\0\0\0\24mdat1234", 8),
        (b"\0\0\0\10ftyp\0\0\0\0mdat1234", 0),
        (b"\0\0\0\10ftyp\0\0\0\14mdat1234\xff\xff\xff\xff\0\0\0\0", 0),  # padding by a recorder
    ],
)
def test_boxes_tell_where_an_mp4_ends(content: bytes, missing: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert count_missing(path, "mov,mp4,m4a,3gp,3g2,mj2") == missing


def test_a_live_recording_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(bytes.fromhex("1A45DFA3 80 18538067 01FFFFFFFFFFFFFF 1F43B675 81"))
    assert count_missing(path, "matroska,webm") == 0
