from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hyperacuity import DamagedFile
from hyperacuity.task import VideoOptions
from hyperacuity.video import sample_frames
from tests.video.videos import make


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 frames in one second, each brighter than the one before."""
    levels = [np.full((32, 48, 3), 20 + 8 * n, np.uint8) for n in range(25)]
    return make(tmp_path_factory.mktemp("video") / "a.mkv", levels)


def brightness(video: Path, **options: str) -> list[int]:
    return [int(frame.mean()) for frame in sample_frames(video, VideoOptions(**options))]  # type: ignore[arg-type]


def test_frames_are_spread_over_the_whole_video(video: Path) -> None:
    found = brightness(video)
    assert len(found) == 5
    assert found == sorted(found)
    assert found[-1] - found[0] > 100


def test_frames_are_the_same_every_time(video: Path) -> None:
    first, second = (sample_frames(video, VideoOptions()) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_frames_come_from_the_part_that_is_upscaled(video: Path) -> None:
    late = brightness(video, start="0.6", duration="0.2")
    assert min(late) > 20 + 8 * 14
    assert max(late) < 20 + 8 * 21


def test_a_single_frame_is_enough(tmp_path: Path) -> None:
    single = make(tmp_path / "a.mkv", [np.full((32, 48, 3), 90, np.uint8)])
    assert len(brightness(single)) >= 1


def test_a_damaged_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"\x1a\x45\xdf\xa3 not a video")
    with pytest.raises(DamagedFile):
        sample_frames(tmp_path / "a.mkv", VideoOptions())
