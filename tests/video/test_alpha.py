"""Alpha is kept where the codec and the container can hold it, and named elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import Size, load, video
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.task import VideoOptions
from hyperacuity.upscaler import Upscaler
from tests.video.videos import moving_frames


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("bicubic")


def clear(path: Path, codec: str, pixels: str, count: int = 4) -> Path:
    """A video whose left half is transparent and whose right half is not."""
    decoded = "argb" if pixels == "argb" else pixels
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, decoded
        if codec.startswith("libvpx"):
            stream.options = {"auto-alt-ref": "0", "crf": "10"}
            stream.metadata["alpha_mode"] = "1"
        for number, picture in enumerate(moving_frames(count)):
            alpha = np.zeros((36, 48, 1), np.uint8)
            alpha[:, 24:] = 255
            frame = av.VideoFrame.from_ndarray(np.concatenate([picture, alpha], -1), format="rgba").reformat(
                format=decoded
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def alphas(path: Path) -> list[NDArray[Any]]:
    """The alpha of all frames, 0 to 1."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
        decoder: Any = stream.codec_context if name is None else av.CodecContext.create(name, "r")
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
    assert all("a" in frame.format.name.removesuffix("p") for frame in frames)
    return [frame.reformat(format="rgba").to_ndarray()[..., 3] / 255 for frame in frames]


def upscaled(upscaler: Upscaler, source: Path, target: Path, options: VideoOptions | None = None) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        video.upscale(upscaler, source, target, Size(2), options)
    return "\n".join(str(each.message) for each in caught)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.webm", "libvpx", "yuva420p"),
        ("a.mov", "qtrle", "argb"),
        ("a.mov", "png", "rgba"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mkv", "ffv1", "yuva420p"),
    ],
)
@pytest.mark.parametrize("target", ["b.webm", "b.mkv"])
def test_alpha_is_kept(name: str, codec: str, pixels: str, target: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = clear(tmp_path / name, codec, pixels)
    said = upscaled(upscaler, source, tmp_path / target, VideoOptions("ffv1") if target == "b.mkv" else None)
    assert "alpha is left" not in said
    found = alphas(tmp_path / target)
    assert len(found) == 4
    for alpha in found:
        assert alpha.shape == (72, 96)
        assert alpha[:, :40].max() < 0.1
        assert alpha[:, 56:].min() > 0.9
    with av.open(str(tmp_path / target)) as container:
        tags = {key.lower(): value for key, value in container.streams[0].metadata.items()}
    assert tags.get("alpha_mode") == ("1" if target == "b.webm" else None)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_ffmpeg_reads_the_alpha_of_webm(upscaler: Upscaler, tmp_path: Path) -> None:
    upscaled(upscaler, clear(tmp_path / "a.mkv", "ffv1", "yuva420p"), tmp_path / "b.webm")
    command = ["ffmpeg", "-v", "error", "-c:v", "libvpx-vp9", "-i", str(tmp_path / "b.webm")]
    command += ["-vf", "alphaextract", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    found = np.frombuffer(raw, np.uint8).reshape(-1, 72, 96)
    assert len(found) == 4
    assert found[:, :, :40].max() < 26
    assert found[:, :, 56:].min() > 229


@pytest.mark.parametrize(
    ("target", "codec"), [("b.mp4", "auto"), ("b.mkv", "auto"), ("b.webm", "av1"), ("b.y4m", "auto")]
)
def test_alpha_that_is_lost_is_named(target: str, codec: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = clear(tmp_path / "a.webm", "libvpx-vp9", "yuva420p")
    said = upscaled(upscaler, source, tmp_path / target, VideoOptions(codec))
    assert said.count("its alpha is left out; VP9 in .webm and FFV1 in .mkv hold it") == 1
    if target.endswith("v"):
        with av.open(str(tmp_path / target)) as container:
            assert "alpha_mode" not in {key.lower() for key in container.streams[0].metadata}


def test_a_mark_of_alpha_without_alpha_is_named(upscaler: Upscaler, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.webm"), "w") as container:
        stream: Any = container.add_stream("libvpx-vp9", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        stream.metadata["alpha_mode"] = "1"
        for picture in moving_frames(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.warns(LossWarning, match="its alpha is left out; there is none in its frames"):
        video.upscale(upscaler, tmp_path / "a.webm", tmp_path / "b.webm", Size(1))
    with av.open(str(tmp_path / "b.webm")) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams[0].metadata}
