"""Videos that were joined byte by byte, in containers that do not allow it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from hyperacuity import Size, load, video
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.appended import has_second_file
from hyperacuity.task import VideoOptions
from tests.video.videos import contents, make, moving_frames


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.flv", "flv1")])
def test_a_second_file_behind_the_first_is_named(name: str, codec: str, tmp_path: Path) -> None:
    source = make(tmp_path / name, moving_frames(10), codec=codec)
    twice = tmp_path / f"twice-{name}"
    twice.write_bytes(2 * source.read_bytes())
    options = VideoOptions("ffv1")
    with pytest.warns(LossWarning, match="a second file follows the first"):
        outcome = video.upscale(load("bicubic"), twice, tmp_path / "b.mkv", Size(1), options)
    assert outcome.frames == 10
    video.upscale(load("bicubic"), source, tmp_path / "c.mkv", Size(1), options)


def test_joined_avi_is_read_whole(tmp_path: Path) -> None:
    source = make(tmp_path / "a.avi", moving_frames(10), codec="mpeg4", times=None)
    (tmp_path / "twice.avi").write_bytes(2 * source.read_bytes())
    video.upscale(load("bicubic"), tmp_path / "twice.avi", tmp_path / "b.mkv", Size(1), VideoOptions("ffv1"))
    assert contents(tmp_path / "b.mkv")[1] == [Fraction(n, 25) for n in range(20)]


def test_boxes_of_unknown_length_end_the_search(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x08ftyp\0\0\0\0mdat" + b"\0\0\0\x08ftyp" * 3)
    assert not has_second_file(tmp_path / "a.mp4", "mov,mp4", 0)
    (tmp_path / "b.mp4").write_bytes(
        b"\0\0\0\x08ftyp\0\0\0\x01mdat" + (24).to_bytes(8, "big") + bytes(8) + b"\0\0\0\x08ftyp"
    )
    assert has_second_file(tmp_path / "b.mp4", "mov,mp4", 0)
