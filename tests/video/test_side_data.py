"""Side data of frames: read, and freed once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageCms

from tests.cli.process import spawn


def write_frames(folder: Path) -> None:
    """PNG files with an ICC profile, whose name FFmpeg keeps in a dictionary of the side data."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number in range(1, 9):
        pixels = np.full((32, 48, 3), 20 * number, np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{number:03d}.png", icc_profile=profile)


def test_frames_with_an_icc_profile_become_a_video(tmp_path: Path) -> None:
    write_frames(tmp_path)
    done = spawn("upscale", "%03d.png", "-o", "a.mkv", "-n", "bicubic", "--fps", "25", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "an ICC profile left out" in done.stderr


def test_a_frame_and_its_side_data_are_freed_once(tmp_path: Path) -> None:
    """Freeing twice ends the process, so it is one of its own."""
    write_frames(tmp_path)
    lines = (
        "import av, gc, sys",
        "from hyperacuity.formats.video.side_data import read_side_data",
        "for _ in range(50):",
        "    with av.open(sys.argv[1]) as container:",
        "        frame = next(container.decode(video=0))",
        "        assert [*read_side_data(frame)] == ['ICC_PROFILE']",
        "        assert bytes(read_side_data(frame)['ICC_PROFILE'])[36:40] == b'acsp'",
        "    del frame",
        "    gc.collect()",
        "print('alive')",
    )
    program = [sys.executable, "-c", "\n".join(lines), str(tmp_path / "001.png")]
    done = subprocess.run(program, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
