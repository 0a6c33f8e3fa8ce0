"""Everything besides the video is copied, or a warning names what is lost."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest

from hyperacuity import Size, load, video
from hyperacuity.errors import UsageError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.task import VideoOptions
from hyperacuity.upscaler import Upscaler
from tests.video.videos import contents, make, moving_frames, packets

LOSSLESS = VideoOptions("ffv1")
COVER = io.BytesIO()
PIL.Image.new("RGB", (16, 16), "red").save(COVER, "JPEG")


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("bicubic")


def remade(source: Path, target: Path, change: Callable[[Any, Any], list[Any]], **options: str) -> Path:
    """Copy a video; `change` adds streams before any packet and returns their packets."""
    with av.open(str(source)) as before, av.open(str(target), "w", container_options=options) as after:
        copies = {stream.index: after.add_stream_from_template(stream, opaque=True) for stream in before.streams}
        further = change(before, after)
        after.start_encoding()
        for packet in further:
            after.mux(packet)
        for packet in before.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                after.mux(packet)
    return target


def covers(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        found = [s for s in container.streams if s.disposition & av.stream.Disposition.attached_pic]
        return [bytes(next(p for p in container.demux(stream) if p.size)) for stream in found]


def with_cover_and_font(before: Any, after: Any) -> list[Any]:
    after.add_attachment("cover.jpg", "image/jpeg", COVER.getvalue())
    after.add_attachment("font.ttf", "application/x-truetype-font", b"a font")
    return []


def test_covers_and_attachments_keep_their_kind(upscaler: Upscaler, tmp_path: Path) -> None:
    source = remade(make(tmp_path / "a.mkv", moving_frames(3), sounds=1), tmp_path / "b.mkv", with_cover_and_font)
    video.upscale(upscaler, source, tmp_path / "c.mkv", Size(2), LOSSLESS)
    assert covers(tmp_path / "c.mkv") == [COVER.getvalue()]
    with av.open(str(tmp_path / "c.mkv")) as container:
        (font,) = container.streams.attachments
        assert (font.name, font.mimetype, font.data) == ("font.ttf", "application/x-truetype-font", b"a font")
    with pytest.warns(LossWarning) as warned:
        video.upscale(upscaler, source, tmp_path / "c.mp4", Size(2))
    assert [str(one.message).split(": ")[1] for one in warned if "attachment" in str(one.message)] == [
        "stream 3 (attachment font.ttf) does not fit into this container and is left out; Matroska (.mkv) holds it"
    ]
    assert covers(tmp_path / "c.mp4") == [COVER.getvalue()]
    video.upscale(upscaler, tmp_path / "c.mp4", tmp_path / "d.mp4", Size(1))
    assert covers(tmp_path / "d.mp4") == [COVER.getvalue()]


def test_bitmap_subtitles_are_copied(upscaler: Upscaler, tmp_path: Path) -> None:
    bitmaps = [bytes([n] * 40) for n in range(3)]

    def subtitled(before: Any, after: Any) -> list[Any]:
        stream = after.add_mux_stream("dvd_subtitle")
        made = []
        for n, bitmap in enumerate(bitmaps):
            packet = av.Packet(bitmap)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = 40 * n
            packet.duration = 30
            made.append(packet)
        return made

    source = remade(make(tmp_path / "a.mkv", moving_frames(4)), tmp_path / "b.mkv", subtitled)
    video.upscale(upscaler, source, tmp_path / "c.mkv", Size(2), LOSSLESS)
    assert packets(tmp_path / "c.mkv", "subtitle") == [
        [(Fraction(40 * n, 1000), bitmap) for n, bitmap in enumerate(bitmaps)]
    ]


def test_sound_that_begins_before_zero_stays_with_the_video(upscaler: Upscaler, tmp_path: Path) -> None:
    """AAC in MP4 does: its first packet only primes the decoder. Matroska cannot store such a time."""
    source = make(tmp_path / "a.mp4", moving_frames(20), codec="libx264", sounds=1)
    (sound,) = packets(source, "audio")
    assert sound[0][0] < 0
    video.upscale(upscaler, source, tmp_path / "b.mp4", Size(2))
    assert packets(tmp_path / "b.mp4", "audio") == [sound]
    assert contents(tmp_path / "b.mp4")[1] == contents(source)[1]
    with pytest.warns(LossWarning, match=r"everything is 0\.128 s later .*, whose sound begins before 0"):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2))
    (copied,) = packets(tmp_path / "b.mkv", "audio")
    later = contents(tmp_path / "b.mkv")[1][0]
    assert later == Fraction(128, 1000)
    assert [data for _, data in copied] == [data for _, data in sound]
    assert all(
        abs(one - later - other) <= Fraction(1, 1000) for (one, _), (other, _) in zip(copied, sound, strict=True)
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_part_is_as_long_as_asked_with_its_sound(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", moving_frames(50), codec="libx264", sounds=1)
    options = VideoOptions(start="1/2", duration="1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video.upscale(upscaler, source, tmp_path / f"b{suffix}", Size(2), options)
    (sound,) = packets(tmp_path / f"b{suffix}", "audio")
    at = contents(tmp_path / f"b{suffix}")[1]
    wanted = [time for time in contents(source)[1] if Fraction(1, 2) <= time < Fraction(3, 2)]
    (before,) = packets(source, "audio")
    heard = [data for time, data in before if time + Fraction(1024, 8000) > wanted[0] and time < wanted[0] + 1]
    assert [data for _, data in sound] == heard
    assert [time - at[0] for time in at] == [time - wanted[0] for time in wanted]


def test_a_part_of_a_stream_without_an_index(upscaler: Upscaler, tmp_path: Path) -> None:
    """MPEG-TS does not list its key frames; here there is one, at the beginning."""
    source = make(tmp_path / "a.mp4", moving_frames(50), codec="libx264", sounds=1)
    remade(source, tmp_path / "a.ts", lambda before, after: [])
    frames, at = contents(tmp_path / "a.ts")
    options = VideoOptions("ffv1", start="1", duration="1/2")
    outcome = video.upscale(upscaler, tmp_path / "a.ts", tmp_path / "b.mkv", Size(1), options)
    cut, _ = contents(tmp_path / "b.mkv")
    first = next(n for n, time in enumerate(at) if time >= at[0] + 1)
    assert outcome.frames == len(cut) in (12, 13)
    assert all(np.array_equal(one, other) for one, other in zip(cut, frames[first:], strict=False))
    assert packets(tmp_path / "b.mkv", "audio")[0]


def test_times_are_exact_if_streams_begin_between_milliseconds(upscaler: Upscaler, tmp_path: Path) -> None:
    """MP4's own clock counts milliseconds by default."""
    with av.open(str(tmp_path / "a.mp4"), "w", container_options={"movie_timescale": "90000"}) as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for n, picture in enumerate(moving_frames(5)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = 2077 + 3600 * n, Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video.upscale(upscaler, tmp_path / "a.mp4", tmp_path / "b.mp4", Size(2))
    assert contents(tmp_path / "b.mp4")[1] == [Fraction(2077 + 3600 * n, 90000) for n in range(5)]


def test_titles_and_other_tags_cross_containers(upscaler: Upscaler, tmp_path: Path) -> None:
    def tagged(before: Any, after: Any) -> list[Any]:
        after.metadata.update({"title": "Night", "ARTIST": "Resnais", "MY_KEY": "mine"})
        return []

    source = remade(make(tmp_path / "a.mkv", moving_frames(2)), tmp_path / "b.mkv", tagged)
    video.upscale(upscaler, source, tmp_path / "c.mp4", Size(2))
    with av.open(str(tmp_path / "c.mp4")) as container:
        kept = {key: container.metadata.get(key) for key in ("title", "artist", "MY_KEY")}
    assert kept == {"title": "Night", "artist": "Resnais", "MY_KEY": "mine"}


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_quicktimes_time_code_is_kept(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    """FFmpeg writes its track itself; a copy would be a second one."""
    with av.open(str(tmp_path / f"a{suffix}"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        stream.metadata["timecode"] = "10:00:00:12"
        for picture in moving_frames(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    video.upscale(upscaler, tmp_path / f"a{suffix}", tmp_path / f"b{suffix}", Size(2))
    for name in "ab":
        with av.open(str(tmp_path / f"{name}{suffix}")) as container:
            assert [one.type for one in container.streams] == ["video", "data"]
            assert {one.metadata["timecode"] for one in container.streams} == {"10:00:00:12"}


def test_rotated_videos_stay_rotated(upscaler: Upscaler, tmp_path: Path) -> None:
    def turned(before: Any, after: Any) -> list[Any]:
        after.streams.video[0].set_display_rotation(90)
        return []

    source = remade(make(tmp_path / "a.mp4", moving_frames(2), codec="libx264"), tmp_path / "b.mp4", turned)
    for name in ("c.mp4", "c.mkv"):
        outcome = video.upscale(upscaler, source, tmp_path / name, Size(width=72))
        assert outcome.after == (72, 96)  # 96 x 72 as stored, and 72 wide when it is shown
        with av.open(str(tmp_path / name)) as container, av.open(str(source)) as before:
            assert next(container.decode(video=0)).rotation == next(before.decode(video=0)).rotation != 0


def test_a_preview_is_upright(upscaler: Upscaler, tmp_path: Path) -> None:
    corner = np.zeros((36, 48, 3), np.uint8)
    corner[:12, :12] = 255  # top left as it is stored

    def turned(before: Any, after: Any) -> list[Any]:
        after.streams.video[0].set_display_rotation(90)  # against the clock
        return []

    source = remade(make(tmp_path / "a.mp4", [corner] * 3, codec="libx264"), tmp_path / "b.mp4", turned)
    outcome = video.preview(upscaler, source, tmp_path / "p.png", Size(2))
    assert outcome.after == (72, 96)
    with PIL.Image.open(tmp_path / "p.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (96, 2 * 72 + 8, 3)
    for left in (0, 80):
        assert pixels[76:92, left + 4 : left + 20].min() > 200  # bottom left as it is shown
        assert pixels[:60, left : left + 72].max() < 60
    with pytest.raises(UsageError, match="exists"):
        video.preview(upscaler, source, tmp_path / "p.png", Size(2))


def test_colour_codes_are_kept(upscaler: Upscaler, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 16, 2
        context.sample_aspect_ratio = Fraction(4, 3)
        for picture in moving_frames(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    for codec, suffix in (("h264", "mkv"), ("h265", "mkv"), ("av1", "mp4"), ("ffv1", "mp4"), ("ffv1", "mkv")):
        target = tmp_path / f"{codec}.{suffix}"
        video.upscale(upscaler, tmp_path / "a.mp4", target, Size(2), VideoOptions(codec))
        with av.open(str(target)) as after:
            frame = next(after.decode(video=0))
            codes = frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range
            assert (codec, *codes) == (codec, 9, 9, 16, 2)
            assert after.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
            assert after.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.skipif(shutil.which("mkvmerge") is None, reason="needs mkvmerge, which states how a video is shown")
@pytest.mark.parametrize(("codec", "suffix"), [("h264", "mkv"), ("ffv1", "mkv"), ("av1", "webm")])
@pytest.mark.parametrize("mode", ["mono", "side_by_side_left_first", "top_bottom_right_first"])
def test_the_size_at_which_a_video_is_shown_is_kept(
    mode: str, codec: str, suffix: str, upscaler: Upscaler, tmp_path: Path
) -> None:
    source, result = tmp_path / "a.mkv", tmp_path / f"b.{suffix}"
    first = make(tmp_path / "first.mkv", moving_frames(3), codec="libx264")
    shown = ["--stereo-mode", f"0:{mode}", "--display-dimensions", "0:64x36", "--track-name", "0:\u00c4pfel"]
    subprocess.run(["mkvmerge", "-q", "-o", str(source), *shown, str(first)], check=True)
    video.upscale(upscaler, source, result, Size(2), VideoOptions(codec))
    with av.open(str(source)) as before, av.open(str(result)) as after:
        old, new = before.streams.video[0], after.streams.video[0]
        assert old.sample_aspect_ratio not in (None, 0, 1)
        assert new.sample_aspect_ratio == old.sample_aspect_ratio
        assert new.metadata["title"] == "\u00c4pfel"
        assert new.metadata.get("stereo_mode") == old.metadata.get("stereo_mode")
        assert sum(1 for _ in after.decode(video=0)) == 3


def test_hdr10_metadata_is_kept(upscaler: Upscaler, tmp_path: Path) -> None:
    screen = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream: Any = container.add_stream("libx265", rate=25)
        stream.height, stream.width, stream.pix_fmt = 72, 96, "yuv420p10le"
        stream.options = {"x265-params": f"log-level=none:master-display={screen}:max-cll=1000,400:hdr10=1"}
        for picture in moving_frames(3, 72, 96):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    wanted = VideoSource(tmp_path / "a.mp4").hdr
    assert wanted is not None
    assert wanted.light == (1000, 400)
    assert wanted.luminance == (Fraction(1, 10000), Fraction(1000))
    assert wanted.primaries is not None
    for codec in ("h264", "h265", "av1"):
        for suffix in ("mp4", "mkv"):
            target = tmp_path / f"{codec}.{suffix}"
            video.upscale(upscaler, tmp_path / "a.mp4", target, Size(1), VideoOptions(codec))
            found = VideoSource(target).hdr
            assert found is not None, codec
            assert found.light == wanted.light
            assert found.primaries is not None
            assert found.luminance is not None
            np.testing.assert_allclose(np.array(found.primaries, float), np.array(wanted.primaries, float), atol=2e-5)
            np.testing.assert_allclose(np.array(found.luminance, float), (0.0001, 1000), rtol=0.5)
    with pytest.warns(LossWarning, match="ffv1 cannot store HDR10's metadata"):
        video.upscale(upscaler, tmp_path / "a.mp4", tmp_path / "b.mkv", Size(1), LOSSLESS)


def test_captions_inside_frames_give_a_warning(upscaler: Upscaler, tmp_path: Path) -> None:
    """As ATSC A/53 part 4 puts them into H.264: a message (SEI) of the country 0xB5, the provider 0x31, "GA94"."""
    captions = bytes([0xB5, 0x00, 0x31]) + b"GA94" + bytes([0x03, 0xC1, 0xFF, 0xFC, 0x94, 0x20, 0xFF])
    message = b"\0\0\0\1\6" + bytes([4, len(captions)]) + captions + b"\x80"
    with av.open(str(tmp_path / "a.ts"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        stream.options = {"tune": "zerolatency"}
        for picture in moving_frames(3):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                copy = av.Packet(message + bytes(packet))
                copy.pts, copy.dts, copy.time_base, copy.stream = (
                    packet.pts,
                    packet.dts,
                    packet.time_base,
                    stream,
                )
                copy.is_keyframe = packet.is_keyframe
                container.mux(copy)
    with pytest.warns(LossWarning, match=r"a\.ts: captions inside the frames left out"):
        video.upscale(upscaler, tmp_path / "a.ts", tmp_path / "b.mp4", Size(2))
    assert len(contents(tmp_path / "b.mp4")[0]) == 3


def test_frames_hidden_by_an_edit_list_are_not_a_loss(upscaler: Upscaler, tmp_path: Path) -> None:
    """An MP4 that was cut without re-encoding holds frames before its beginning, which its edit list hides."""
    source = make(tmp_path / "a.mp4", moving_frames(30), codec="libx264")
    with av.open(str(source)) as before, av.open(str(tmp_path / "b.mp4"), "w") as after:
        stream = before.streams.video[0]
        copy = after.add_stream_from_template(stream, opaque=True)
        moved = round(Fraction(1, 5) / stream.time_base)  # type: ignore[operator]
        for packet in before.demux(stream):
            if packet.size:
                assert packet.pts is not None
                assert packet.dts is not None
                packet.pts, packet.dts, packet.stream = packet.pts - moved, packet.dts - moved, copy
                after.mux(packet)
    assert len(contents(tmp_path / "b.mp4")[0]) == 25
    outcome = video.upscale(upscaler, tmp_path / "b.mp4", tmp_path / "c.mp4", Size(2))
    assert outcome.frames == 25
    assert contents(tmp_path / "c.mp4")[1] == contents(tmp_path / "b.mp4")[1]


def test_a_sound_track_without_packets_is_not_an_error(upscaler: Upscaler, tmp_path: Path) -> None:
    """A truncated file may have a track without packets, which MP4 cannot store."""

    def silent(before: Any, after: Any) -> list[Any]:
        track = after.add_stream("flac", rate=8000)
        track.layout = "mono"
        return []

    source = remade(make(tmp_path / "a.mkv", moving_frames(3)), tmp_path / "b.mkv", silent)
    video.upscale(upscaler, source, tmp_path / "c.mp4", Size(2))
    assert len(contents(tmp_path / "c.mp4")[0]) == 3
