"""What is a video and which of its streams is the main one are judged by content, never by names or first bytes."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest

from hyperacuity import Size, formats, load, video
from hyperacuity.errors import HyperacuityError, UnsupportedFormat
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.upscaler import Upscaler
from tests.video.videos import make, moving_frames, packets

# Endings whose containers FFmpeg writes with these codecs; each is read whatever the file is called.
KINDS = {
    "mpegts": "mpeg2video",
    "mpeg": "mpeg2video",
    "vob": "mpeg2video",
    "h264": "libx264",
    "hevc": "libx265",
    "m4v": "mpeg4",
    "mpeg2video": "mpeg2video",
    "ivf": "libvpx",
    "nut": "mpeg4",
    "asf": "wmv2",
    "flv": "flv",
    "rm": "rv20",
    "mxf": "mpeg2video",
    "3gp": "mpeg4",
    "ogg": "libtheora",
    "avi": "mpeg4",
}


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("bicubic")


def encoded(path: Path, kind: str, codec: str, count: int = 8, size: tuple[int, int] = (144, 176)) -> Path:
    """Write a video of a kind of container."""
    with av.open(str(path), "w", format=kind) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        for number, picture in enumerate(moving_frames(count, *size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_videos_are_recognised_by_what_is_in_them(kind: str, tmp_path: Path) -> None:
    try:
        path = encoded(tmp_path / "a.dat", kind, KINDS[kind])
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg does not write {kind}: {error}")
    assert video.is_video(path)
    source = VideoSource(path)
    assert source.frame_format.shapes[0] == (144, 176)
    assert len(list(source)) in (7, 8)
    with pytest.raises(UnsupportedFormat, match="is a video"):
        formats.read(path.read_bytes())


@pytest.mark.parametrize(("kind", "start"), [({}, 100), ({"mpegts_m2ts_mode": "1"}, 50)])
def test_a_transport_stream_may_begin_inside_a_packet(
    kind: dict[str, str], start: int, upscaler: Upscaler, tmp_path: Path
) -> None:
    whole = encoded(tmp_path / "a.ts", "mpegts", "mpeg2video", 30)
    with av.open(str(whole)) as before, av.open(str(tmp_path / "b.ts"), "w", container_options=kind) as after:
        copy = after.add_stream_from_template(before.streams.video[0], opaque=True)
        for packet in before.demux():
            if packet.size:
                packet.stream = copy
                after.mux(packet)
    (tmp_path / "c.ts").write_bytes((tmp_path / "b.ts").read_bytes()[start:])
    assert video.is_video(tmp_path / "c.ts")
    outcome = video.upscale(upscaler, tmp_path / "c.ts", tmp_path / "c.mkv", Size(1))
    assert outcome.frames > 15


@pytest.mark.parametrize("box", [b"free", b"skip", b"wide", b"uuid"])
def test_an_mp4_may_begin_with_any_box(box: bytes, upscaler: Upscaler, tmp_path: Path) -> None:
    whole = make(tmp_path / "a.mp4", moving_frames(5), codec="libx264").read_bytes()
    at = whole.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", whole, at)
    offsets = struct.unpack_from(f">{count}I", whole, at + 4)
    moved = struct.pack(f">{count}I", *(offset + 24 for offset in offsets))
    path = tmp_path / "b.mp4"
    path.write_bytes(struct.pack(">I4s16x", 24, box) + whole[: at + 4] + moved + whole[at + 4 + len(moved) :])
    assert video.is_video(path)
    assert video.upscale(upscaler, path, tmp_path / "c.mp4", Size(1)).frames == 5


def test_padding_before_an_mp4_that_its_index_ignores_is_skipped(upscaler: Upscaler, tmp_path: Path) -> None:
    whole = make(tmp_path / "a.mp4", moving_frames(5), codec="libx264", sounds=1)
    (tmp_path / "b.mp4").write_bytes(struct.pack(">I4s8x", 16, b"free") + whole.read_bytes())
    with pytest.warns(LossWarning, match="its index is off by 16 bytes"):
        assert video.upscale(upscaler, tmp_path / "b.mp4", tmp_path / "c.mp4", Size(1)).frames == 5
    assert packets(tmp_path / "c.mp4", "audio") == packets(whole, "audio")


def test_other_files_are_never_opened_as_videos(tmp_path: Path) -> None:
    secret = make(tmp_path / "secret.mkv", moving_frames(2))
    files = {
        "concat.mp4": f"ffconcat version 1.0\nfile '{secret}'\n".encode(),
        "list.mkv": f"#EXTM3U\n#EXTINF:1\n{secret}\n#EXT-X-ENDLIST\n".encode(),
        "binary.ts": f"#EXTM3U\n#EXTINF:1\n{secret}\n#EXT-X-ENDLIST\n\0".encode(),
        "sdp.mkv": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 33\n\0",
        "page.mp4": b"<html>not found</html>",
        "text.h264": b"just text",
        "noise.ts": np.random.default_rng(0).bytes(100_000),
        "zeros.m4v": bytes(100_000),
        "archive.mp4": b"PK\3\4" + bytes(100),
        "sound.mkv": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert not video.is_video(tmp_path / name), name
        with pytest.raises(UnsupportedFormat, match=r"what is read: .*; videos: MP4"):
            formats.read(tmp_path / name)
        with pytest.raises(HyperacuityError):
            VideoSource(tmp_path / name)


def test_images_are_recognised_without_the_prober(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: object) -> bool:
        raise AssertionError("probed")

    monkeypatch.setattr("hyperacuity.formats.video.probing.probe", fail)
    for suffix in (".png", ".jpg", ".tif", ".webp", ".gif", ".ppm"):
        path = tmp_path / f"a{suffix}"
        PIL.Image.fromarray(moving_frames(1)[0]).save(path)
        assert not formats.is_video(path)


def joined(path: Path, *sources: Path, dispositions: dict[int, int] | None = None) -> Path:
    """All streams of several files in one."""
    opened = [av.open(str(source)) for source in sources]
    with av.open(str(path), "w") as container:
        copies = [
            (stream, container.add_stream_from_template(stream, opaque=True))
            for each in opened
            for stream in each.streams
        ]
        for number, (_, copy) in enumerate(copies):
            copy.disposition = (dispositions or {}).get(number, 0)  # type: ignore[assignment]
        for stream, copy in copies:
            for packet in stream.container.demux(stream):  # type: ignore[attr-defined]
                if packet.size:
                    packet.stream = copy
                    container.mux(packet)
    for each in opened:
        each.close()
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_main_video_is_enlarged_and_the_others_copied(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    small = make(tmp_path / "small.mkv", moving_frames(9, 16, 16), codec="mpeg4")
    still = make(tmp_path / "still.mkv", moving_frames(1, 72, 96), codec="mjpeg", pixels="yuvj420p")
    large = make(tmp_path / "large.mkv", moving_frames(9, 36, 48), codec="mpeg4")
    default = {2: int(av.stream.Disposition.default)} if suffix == "mp4" else {}  # else MP4 takes the first
    source = joined(tmp_path / f"a.{suffix}", small, still, large, dispositions=default)
    with pytest.warns(LossWarning) as warned:
        outcome = video.upscale(upscaler, source, tmp_path / f"b.{suffix}", Size(2))
    assert outcome.before == (36, 48)
    assert [str(each.message).rpartition(": ")[2] for each in warned] == [
        "stream 0 is a second video; it is copied unchanged",
        "stream 1 is a second video; it is copied unchanged",
    ]
    with av.open(str(tmp_path / f"b.{suffix}")) as container:
        sizes = [(stream.codec_context.height, stream.codec_context.width) for stream in container.streams.video]
    assert sorted(sizes) == [(16, 16), (72, 96), (72, 96)]


def test_the_default_video_is_preferred_to_a_larger_one(tmp_path: Path) -> None:
    small = make(tmp_path / "small.mkv", moving_frames(9, 16, 16), codec="mpeg4")
    large = make(tmp_path / "large.mkv", moving_frames(9, 36, 48), codec="mpeg4")
    default = int(av.stream.Disposition.default)
    source = joined(tmp_path / "a.mkv", large, small, dispositions={1: default})
    assert VideoSource(source).frame_format.shapes[0] == (16, 16)
    source = joined(tmp_path / "b.mkv", small, large, dispositions={0: default, 1: default})
    assert VideoSource(source).frame_format.shapes[0] == (36, 48)
