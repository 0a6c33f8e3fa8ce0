"""Frames of another shape in mid-video: fitted into the first one, never stretched."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hyperacuity import Size, load, video
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.frames import FrameFormat
from hyperacuity.formats.video.shapes import FrameShape, ShapeTracker, add_bars, fitted_size
from hyperacuity.task import VideoOptions

FIRST = FrameShape(72, 96)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        (FrameShape(72, 96), (144, 192)),
        (FrameShape(36, 48), (144, 192)),
        (FrameShape(71, 95), (144, 192)),  # rounded
        (FrameShape(72, 128), (108, 192)),
        (FrameShape(96, 72), (144, 108)),
        (FrameShape(72, 96, Fraction(4, 3)), (108, 192)),
        (FrameShape(72, 72, Fraction(4, 3)), (144, 192)),
    ],
)
def test_a_shape_is_fitted_into_the_first(shape: FrameShape, size: tuple[int, int]) -> None:
    assert fitted_size(shape, FIRST, (144, 192), (2, 2)) == size


def test_pixels_that_are_not_square_count() -> None:
    """A frame of PAL in 4:3, then one in 16:9."""
    first = FrameShape(576, 720, Fraction(16, 15))
    assert fitted_size(FrameShape(576, 720, Fraction(64, 45)), first, (576, 720), (2, 2)) == (432, 720)
    assert fitted_size(first, FrameShape(576, 720, Fraction(64, 45)), (576, 720), (2, 2)) == (576, 540)


def test_bars_are_black_and_lie_on_both_sides() -> None:
    target = FrameFormat(8, 8)
    planes = add_bars((np.full((4, 8), 90, np.uint8), *(np.full((2, 4), 60, np.uint8),) * 2), (4, 8), target)
    assert [plane.shape for plane in planes] == target.shapes
    assert planes[0][:, 0].tolist() == [16, 16, 90, 90, 90, 90, 16, 16]
    assert planes[1][:, 0].tolist() == [128, 60, 60, 128]


def test_a_new_aspect_begins_at_the_next_key_frame() -> None:
    """The decoder is ahead of the frames that it still holds."""

    class Decoded:
        def __init__(self, key: bool, height: int = 72) -> None:
            self.key_frame, self.height, self.width = key, height, 96

    tracker = ShapeTracker(FIRST, Fraction(1))
    wide = FrameShape(72, 96, Fraction(4, 3))

    def shape(key: bool, aspect: Fraction | None) -> FrameShape:
        frame: Any = Decoded(key)
        return tracker.shape_of(frame, aspect)

    assert shape(True, Fraction(1)) == FIRST
    assert shape(False, Fraction(4, 3)) == FIRST
    assert shape(True, Fraction(4, 3)) == wide
    assert shape(False, Fraction(4, 3)) == wide
    # A container that states another aspect than the codec is right throughout.
    stated = ShapeTracker(wide, Fraction(1))
    frame: Any = Decoded(True)
    assert stated.shape_of(frame, Fraction(16, 15)) == wide


def part(path: Path, height: int, width: int, aspect: Fraction = Fraction(1)) -> bytes:
    """White frames as MPEG-TS."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(10):
            white = np.full((height, width, 3), 235, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(white, format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("height", "width", "aspect", "inner"),
    [
        (72, 128, Fraction(1), (54, 96)),
        (96, 64, Fraction(1), (72, 48)),
        (72, 96, Fraction(4, 3), (54, 96)),
    ],
)
def test_frames_of_another_shape_get_bars(
    height: int, width: int, aspect: Fraction, inner: tuple[int, int], tmp_path: Path
) -> None:
    source = tmp_path / "c.ts"
    source.write_bytes(part(tmp_path / "a.ts", 72, 96) + part(tmp_path / "b.ts", height, width, aspect))
    with pytest.warns(LossWarning) as warned:
        outcome = video.upscale(load("bicubic"), source, tmp_path / "d.mkv", Size(2), VideoOptions("ffv1"))
    shapes = [str(one.message) for one in warned if "in shape from the first" in str(one.message)]
    (message,) = shapes
    assert f"10 frames differ in shape from the first (at 0.40 s: {width}x{height}" in message
    assert outcome.frames == 20
    with av.open(str(tmp_path / "d.mkv")) as container:
        grey = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert {frame.shape for frame in grey} == {(144, 192)}
    assert all((frame > 128).all() for frame in grey[:10])
    for frame in grey[10:]:
        light = frame > 128
        assert (light.any(1).sum(), light.any(0).sum()) == (2 * inner[0], 2 * inner[1])
        assert abs(int(light.any(1).argmax()) - (144 - 2 * inner[0]) // 2) <= 4


def test_interlaced_frames_of_another_shape_are_not_stretched_either(tmp_path: Path) -> None:
    def fields(path: Path, width: int) -> bytes:
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme"})
            stream.height, stream.width, stream.pix_fmt = 72, width, "yuv420p"
            for _ in range(6):
                white = av.VideoFrame.from_ndarray(np.full((72, width, 3), 235, np.uint8), format="rgb24")
                container.mux(stream.encode(white))
            container.mux(stream.encode(None))
        return path.read_bytes()

    source = tmp_path / "c.ts"
    source.write_bytes(fields(tmp_path / "a.ts", 96) + fields(tmp_path / "b.ts", 128))
    options = VideoOptions("ffv1", deinterlace=True)
    with pytest.warns(LossWarning) as warned:
        outcome = video.upscale(load("bicubic"), source, tmp_path / "d.mkv", Size(1), options)
    assert any("6 frames differ in shape" in str(one.message) for one in warned)
    assert outcome.frames == 12
    with av.open(str(tmp_path / "d.mkv")) as container:
        light = [frame.to_ndarray(format="gray") > 128 for frame in container.decode(video=0)]
    assert [int(frame.any(1).sum()) for frame in light] == [72] * 6 + [54] * 6
