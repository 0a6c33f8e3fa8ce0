"""Animated images become videos, and videos animated images."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hyperacuity import Size, load, video
from hyperacuity.errors import UsageError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.task import Task, VideoOptions
from hyperacuity.tasks.kinds import find_kind
from hyperacuity.tasks.run import run
from hyperacuity.upscaler import Upscaler
from tests.video.test_streams import remade
from tests.video.videos import contents, make, moving_frames

DURATIONS = [100, 40, 250, 80]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("bicubic")


def animated(path: Path) -> Path:
    frames = [PIL.Image.fromarray(frame) for frame in moving_frames(4)]
    options: dict[str, Any] = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DURATIONS, loop=0, **options)
    return path


@pytest.mark.filterwarnings("ignore::hyperacuity.formats.protocol.LossWarning")
@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_an_animated_image_becomes_a_video(name: str, suffix: str, tmp_path: Path) -> None:
    source = animated(tmp_path / name)
    target = tmp_path / f"b.{suffix}"
    outcome = run(Task(str(source), str(target), Size(2)))
    assert outcome.error is None
    assert (outcome.kind, outcome.frames, outcome.before, outcome.after) == ("video", 4, (36, 48), (72, 96))
    frames, times = contents(target)
    assert times == [Fraction(sum(DURATIONS[:n]), 1000) for n in range(4)]
    with PIL.Image.open(source) as image:
        for number, frame in enumerate(frames):
            image.seek(number)
            small = frame.reshape(36, 2, 48, 2, 3).mean((1, 3))
            assert np.abs(small - np.asarray(image.convert("RGB"))).mean() < 20  # chroma is coarse


def test_everything_that_a_video_does_not_hold_of_an_image_is_named(tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(frame) for frame in moving_frames(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100, comment=b"mine")
    outcome = run(Task(str(tmp_path / "a.gif"), str(tmp_path / "b.mkv"), Size(2)))
    assert "a video cannot hold the source's comment" in [message.text for message in outcome.lost]
    assert not any("a.gif" in message.text for message in outcome.lost)


def test_other_images_stay_images(tmp_path: Path) -> None:
    PIL.Image.fromarray(moving_frames(1)[0]).save(tmp_path / "still.gif")
    assert find_kind(tmp_path / "still.gif", tmp_path / "b.mp4") == "image"
    animation = animated(tmp_path / "a.gif")
    assert find_kind(animation, tmp_path / "b.gif") == "image"
    assert find_kind(animation, tmp_path / "b.mp4") == "video"
    error = run(Task(str(tmp_path / "still.gif"), str(tmp_path / "b.mp4"), Size(2))).error
    assert error is not None
    assert "names a video, and this is an image" in error.text


@pytest.mark.filterwarnings("ignore:.*(256 colours|stored as)")
@pytest.mark.parametrize("name", ["b.gif", "b.webp", "b.apng"])
def test_a_video_becomes_an_animated_image(name: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(4), times=[0, 100, 140, 390])
    outcome = video.upscale(upscaler, source, tmp_path / name, Size(2))
    assert outcome.frames == 4
    found = []
    with PIL.Image.open(tmp_path / name) as image:
        assert image.size == (96, 72)
        for number in range(4):
            image.seek(number)
            image.load()
            found.append(image.info["duration"])
    assert found == [100, 40, 250, 40] if name != "b.gif" else found[:3] == [100, 40, 250]


@pytest.mark.filterwarnings("ignore:.*256 colours")
def test_an_animated_image_is_upright(upscaler: Upscaler, tmp_path: Path) -> None:
    def turned(before: Any, after: Any) -> list[Any]:
        after.streams.video[0].set_display_rotation(90)
        return []

    source = remade(make(tmp_path / "a.mp4", moving_frames(2), codec="libx264"), tmp_path / "b.mp4", turned)
    video.upscale(upscaler, source, tmp_path / "c.webp", Size(1))
    with PIL.Image.open(tmp_path / "c.webp") as image:
        assert image.size == (36, 48)
    with pytest.warns(LossWarning, match="without its rotation"):
        video.upscale(upscaler, source, tmp_path / "%d.png", Size(1))


def test_too_long_a_video_is_no_animated_image(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperacuity.video.outputs.animation._MOST", 10_000)
    source = make(tmp_path / "a.mkv", moving_frames(4))
    with pytest.raises(UsageError, match="more than an animated image takes"):
        video.upscale(upscaler, source, tmp_path / "b.webp", Size(2), VideoOptions())
    assert not (tmp_path / "b.webp").exists()
