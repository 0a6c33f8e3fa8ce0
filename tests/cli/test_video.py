"""`hyperacuity upscale` on videos."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from tests.cli.process import run
from tests.video.videos import contents, make, moving_frames


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "a.mkv", moving_frames(6), sounds=1)
    return tmp_path


def test_a_video_is_upscaled_like_any_file(folder: Path) -> None:
    result = run("upscale", "a.mkv", folder=folder)
    assert result.returncode == 0, result.stderr
    assert re.match(r"a\.mkv  48x36 -> 96x72  6 frames \([\d.]+ a second\)  acute-100k-x2  ", result.stdout)
    assert len(contents(folder / "a-x2.mkv")[0]) == 6
    again = run("upscale", "a.mkv", folder=folder)
    assert again.returncode == 1
    assert "exists" in again.stderr


def test_a_preview_is_an_image(folder: Path) -> None:
    result = run("upscale", "a.mkv", "--preview", "shown.png", "--start", "0.1", folder=folder)
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(folder / "shown.png") as image:
        assert image.size == (2 * 96 + 8, 72)
    assert {path.name for path in folder.iterdir()} == {"a.mkv", "shown.png"}


def test_options_reach_the_encoder(folder: Path) -> None:
    arguments = ("-o", "b.mkv", "--codec", "ffv1", "--start", "0:00.08", "--duration", "0.1", "--json")
    result = run("upscale", "a.mkv", *arguments, folder=folder)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["files"][0]["frames"] in (2, 3)


def test_y4m_goes_through_a_pipe(folder: Path) -> None:
    first = run("upscale", "a.mkv", "-o", "-", folder=folder, text=False)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(b"YUV4MPEG2 W96 H72 ")
    second = run("upscale", "-", "-o", "b.mkv", folder=folder, input=first.stdout, text=False)
    assert second.returncode == 0, second.stderr
    assert contents(folder / "b.mkv")[0][0].shape == (144, 192, 3)


def test_a_reader_that_closes_its_pipe_is_not_an_error(folder: Path) -> None:
    script = f"{shlex.quote(sys.executable)} -m hyperacuity upscale a.mkv -s 8 -o - | head -c 20"
    result = subprocess.run(script, shell=True, cwd=folder, capture_output=True, check=False)
    assert result.stdout.startswith(b"YUV4MPEG2")
    assert result.stderr == b"a.mkv: warning: only its frames are written, without audio\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.mkv", "--codec", "h265x"], "Did you mean 'h265'"),
        (["a.mkv", "--start", "soon"], "give seconds"),
        (["a.mkv", "--fps", "0"], "give frames per second"),
        (["a.mkv", "-e", "tune"], "write KEY=VALUE, such as tune=film"),
        (["a.mkv", "--quality", "3"], "videos have crf: leave out --quality"),
        (["a.mkv", "-o", "a.png"], "video"),
        (["a.mkv", "--preview", "a.mp4"], "does not name an image"),
        (["a.mkv", "--preview", "b.png", "-o", "b.mkv"], "leave -o"),
        (["p.png", "--preview", "b.png"], "for videos"),
        (["p.png", "--codec", "h264"], "for videos"),
    ],
)
def test_each_mistake_is_reported_in_one_line(arguments: list[str], message: str, folder: Path) -> None:
    (folder / "p.png").write_bytes((Path(__file__).parents[2] / "examples/astronaut.png").read_bytes())
    before = sorted(folder.iterdir())
    result = run("upscale", *arguments, folder=folder)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(folder.iterdir()) == before
