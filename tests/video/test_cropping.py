"""The part of frames that a file says is shown: Matroska's PixelCrop, and the clean aperture of MP4."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest

from hyperacuity import Size, load, video
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.cropping import Cropping, read_cropping
from hyperacuity.task import VideoOptions
from hyperacuity.upscaler import Upscaler
from tests.video.test_kept import spherical
from tests.video.videos import make, moving_frames

HIDDEN = Cropping(left=8, right=12, top=4, bottom=2)


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("bicubic")


@pytest.fixture(scope="module")
def cropped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cropped")
    made = make(folder / "a.mp4", moving_frames(3, 64, 96), codec="libx264")
    return spherical(made, folder / "b.mp4", HIDDEN.aperture(96, 64))


def hidden(path: Path) -> Cropping | None:
    with av.open(str(path)) as container:
        return read_cropping(path, container.streams.video[0])


def test_the_clean_aperture_of_an_mp4_is_read(cropped: Path, tmp_path: Path) -> None:
    assert hidden(cropped) == HIDDEN
    plain = make(tmp_path / "a.mp4", moving_frames(2), codec="libx264")
    assert hidden(plain) is None
    for broken in (Cropping(0, 0, -4, 0), Cropping(-48, -48, 0, 0)):  # outside of the frame
        assert hidden(spherical(plain, tmp_path / "b.mp4", broken.aperture(48, 36))) is None


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_cropping_is_enlarged_with_the_frames(
    suffix: str, codec: str, cropped: Path, upscaler: Upscaler, tmp_path: Path
) -> None:
    options = VideoOptions(codec)
    video.upscale(upscaler, cropped, tmp_path / f"c.{suffix}", Size(2), options)
    assert hidden(tmp_path / f"c.{suffix}") == (16, 24, 8, 4)
    video.upscale(upscaler, tmp_path / f"c.{suffix}", tmp_path / "d.mkv", Size(width=96, height=128), options)
    assert hidden(tmp_path / "d.mkv") == (8, 12, 8, 4)


@pytest.mark.skipif(shutil.which("mkvinfo") is None, reason="needs mkvinfo")
def test_matroska_shows_the_part_in_its_shape(cropped: Path, upscaler: Upscaler, tmp_path: Path) -> None:
    """The size at which Matroska shows a video is that of the part."""
    video.upscale(upscaler, cropped, tmp_path / "c.mkv", Size(width=192, height=64), VideoOptions("ffv1"))
    found = subprocess.run(["mkvinfo", str(tmp_path / "c.mkv")], capture_output=True, text=True, check=True).stdout
    assert all(f"Pixel crop {side}" in found for side in ("left: 16", "right: 24", "top: 4", "bottom: 2"))
    assert "Display width: 76" in found
    assert "Display height: 58" in found
    with av.open(str(tmp_path / "c.mkv")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(1, 2)


def test_images_lack_the_cropping_and_say_so(cropped: Path, upscaler: Upscaler, tmp_path: Path) -> None:
    with pytest.warns(LossWarning, match="as they are stored, without its cropping"):
        video.upscale(upscaler, cropped, tmp_path / "c.y4m", Size(1))
