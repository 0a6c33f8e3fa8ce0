"""Time as real files have it: joined recordings, wrong time stamps, no time stamps, cuts; from end to end."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import warnings
from collections.abc import Collection, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hyperacuity import Size, load, video
from hyperacuity.errors import BadOutput
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video import copying, muxing, verifying
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.task import Progress, Stop, Stopped, VideoOptions
from hyperacuity.upscaler import Upscaler
from tests.video.videos import contents, make, moving_frames, packets

FFV1 = VideoOptions("ffv1")


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("bicubic")


def recorded(
    path: Path,
    count: int = 25,
    *,
    start: float = 1.4,
    codec: str = "libx264",
    sound: bool = True,
    first: int = 0,
    early: int = 0,
    number: int = 256,
) -> Path:
    """An MPEG-TS with B frames.

    start: of its clock, in seconds; first: number of the first image of all; early: samples of sound before the image;
    number: of its first stream.
    """
    options = {"muxdelay": "0", "mpegts_start_pid": str(number)}
    with av.open(str(path), "w", container_options=options) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        audio: Any = container.add_stream("mp2", rate=32000) if sound else None
        for n, picture in enumerate(moving_frames(first + count)[first:]):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = n + round(start * 25), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for begin in range(0, 1280 * count if audio else 0, 1280):
            chunk = av.AudioFrame.from_ndarray(np.full((1, 1280), begin % 999, np.int16), format="s16", layout="mono")
            chunk.sample_rate, chunk.time_base = 32000, Fraction(1, 32000)
            chunk.pts = begin + round(start * 32000) - early
            container.mux(audio.encode(chunk))
        if audio:
            container.mux(audio.encode(None))
    return path


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def intervals(path: Path) -> set[float]:
    times = contents(path)[1]
    return {round(float(later - earlier), 3) for earlier, later in itertools.pairwise(times)}


def offset(path: Path) -> float:
    """From the beginning of the video to that of the sound, in seconds."""
    return float(packets(path, "audio")[0][0][0] - contents(path)[1][0])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_overlaps_a_little_at_a_join_is_kept(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    first = recorded(tmp_path / "1.ts", 24)
    source = joined(tmp_path / "a.ts", first, recorded(tmp_path / "2.ts", 24, start=2.36, early=1280))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        options = VideoOptions("h264", preset="ultrafast")
        outcome = video.upscale(upscaler, source, tmp_path / f"b{suffix}", Size(2), options)
    assert outcome.damaged == 0
    assert not [one for one in caught if "damaged frame" in str(one.message)]
    sound = packets(tmp_path / f"b{suffix}", "audio")[0]
    assert len(sound) == len(packets(source, "audio")[0])
    assert all(before[0] < after[0] for before, after in itertools.pairwise(sound))
    assert len(contents(tmp_path / f"b{suffix}")[1]) == 48


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg, which writes Theora")
def test_empty_packets_of_theora_repeat_the_frame_before(upscaler: Upscaler, tmp_path: Path) -> None:
    source = tmp_path / "a.ogv"
    still = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=s=48x36:r=5:d=1"]
    if subprocess.run([*still, "-vf", "fps=25", "-c:v", "libtheora", str(source)], check=False).returncode:
        pytest.skip("this ffmpeg lacks libtheora")
    outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), FFV1)
    assert outcome.frames >= 21
    assert outcome.damaged == 0
    assert contents(tmp_path / "b.mkv")[1] == [Fraction(n, 25) for n in range(outcome.frames)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_damaged_sound_is_left_out_and_the_rest_kept(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    whole = make(tmp_path / "a.ts", moving_frames(20), codec="libx264", sounds=1)
    data = whole.read_bytes()
    named = []
    for first in range(24, 32, 2):  # somewhere, a packet of sound is put together from the ends of two
        whole.write_bytes(data[: 188 * first] + data[188 * (first + 3) :])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            video.upscale(upscaler, whole, tmp_path / f"b{suffix}", Size(2), VideoOptions("ffv1"), force=True)
        named += [str(one.message) for one in caught if "damaged packet" in str(one.message)]
        assert packets(tmp_path / f"b{suffix}", "audio")
    assert any("damaged packet of stream 1 (audio) left out" in message for message in named)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_joined_recordings_are_as_long_as_all_of_them(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    parts = [
        recorded(tmp_path / f"{n}.ts", 25, start=start, first=25 * n) for n, start in enumerate((1.4, 1.4, 3600, 0.6))
    ]
    source = joined(tmp_path / "all.ts", *parts)
    with pytest.warns(LossWarning) as warned:
        outcome = video.upscale(upscaler, source, tmp_path / f"b{suffix}", Size(1), FFV1)
    messages = [str(one.message) for one in warned]
    assert any("clock restarts or leaps at 1.00 s, 2.00 s, 3.00 s, as in joined recordings" in one for one in messages)
    assert (outcome.frames, outcome.damaged) == (100, 0)
    assert intervals(tmp_path / f"b{suffix}") == {0.04}
    assert offset(tmp_path / f"b{suffix}") == pytest.approx(offset(parts[0]), abs=0.002)
    sounds = [time for time, _ in packets(tmp_path / f"b{suffix}", "audio")[0]]
    assert sorted(sounds) == sounds
    assert float(sounds[-1] - sounds[0]) == pytest.approx(4, abs=0.1)
    # Each image at its own place.
    alone = [frame for part in parts for frame in contents(part)[0]]
    for one, other in zip(alone, contents(tmp_path / f"b{suffix}")[0], strict=True):
        assert np.array_equal(one, other)


def test_joined_recordings_with_other_numbers_of_streams_show_no_frame_twice(
    upscaler: Upscaler, tmp_path: Path
) -> None:
    """FFmpeg returns the last frame of the first recording at the end of the second."""
    parts = [recorded(tmp_path / f"{n}.ts", 25, first=25 * n, number=256 + 256 * n) for n in range(2)]
    source = joined(tmp_path / "all.ts", *parts)
    with pytest.warns(LossWarning) as warned:
        outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(1), FFV1)
    assert any("just before the next recording" in str(one.message) for one in warned)
    frames = contents(tmp_path / "b.mkv")[0]
    assert (outcome.frames, outcome.damaged) == (len(frames), 0)
    assert 48 <= len(frames) <= 50
    assert intervals(tmp_path / "b.mkv") == {0.04}
    assert np.array_equal(frames[-1], contents(parts[1])[0][-1])


def test_a_part_of_joined_recordings_counts_their_whole_time(upscaler: Upscaler, tmp_path: Path) -> None:
    source = joined(tmp_path / "all.ts", *[recorded(tmp_path / f"{n}.ts", 25) for n in range(3)])
    options = VideoOptions("ffv1", start="1.5", duration="1")
    with pytest.warns(LossWarning, match="joined recordings"):
        outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(1), options)
    assert outcome.frames == 25
    assert intervals(tmp_path / "b.mkv") == {0.04}
    assert abs(offset(tmp_path / "b.mkv")) < 0.08


def test_a_part_behind_a_restart_is_read_from_the_beginning(upscaler: Upscaler, tmp_path: Path) -> None:
    """Even where the file could be entered in the middle."""
    source = make(tmp_path / "a.flv", moving_frames(60), codec="flv1")
    data = source.read_bytes()
    parts = [data, data[13:]]  # without the second header, FFmpeg reads on
    (tmp_path / "b.flv").write_bytes(b"".join(parts))
    options = VideoOptions("ffv1", start="3.6")
    with pytest.warns(LossWarning, match="joined recordings"):
        outcome = video.upscale(upscaler, tmp_path / "b.flv", tmp_path / "c.mkv", Size(1), options)
    assert outcome.frames == 30
    for one, other in zip(contents(source)[0][30:], contents(tmp_path / "c.mkv")[0], strict=True):
        assert np.array_equal(one, other)


def test_a_resumed_run_of_joined_recordings_gives_the_same(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperacuity.video.outputs.encoded.SEGMENT_FRAMES", 10)
    source = joined(tmp_path / "all.ts", *[recorded(tmp_path / f"{n}.ts", 25) for n in range(2)])
    stop = Stop()

    def observe(progress: Progress) -> None:
        if progress.frame >= 35:
            stop.set()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        with pytest.raises(Stopped):
            video.upscale(upscaler, source, tmp_path / "a.mp4", Size(1), observe=observe, stop=stop)
        outcome = video.upscale(upscaler, source, tmp_path / "a.mp4", Size(1))
        video.upscale(upscaler, source, tmp_path / "b.mp4", Size(1))
    assert outcome.resumed >= 30
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def restamped(source: Path, target: Path, frames: Collection[int], ticks: int) -> Path:
    """Copy an MPEG-TS; some packets of the video get another time stamp."""
    data = bytearray(source.read_bytes())
    seen = -1
    for at in range(0, len(data), 188):
        begins, which, adapted = data[at + 1] & 0x40, (data[at + 1] & 31) << 8 | data[at + 2], data[at + 3] & 0x20
        payload = at + 4 + (1 + data[at + 4] if adapted else 0)
        if not (begins and which == 256 and data[payload : payload + 3] == b"\0\0\1"):
            continue
        seen += 1
        if seen in frames:
            which = data[payload + 7] >> 6  # pts, or pts and dts
            for at_stamp, marker in ((9, which), (14, 1))[: which - 1]:
                data[payload + at_stamp : payload + at_stamp + 5] = [
                    marker << 4 | ticks >> 29 & 0xE | 1,
                    ticks >> 22 & 255,
                    ticks >> 14 & 255 | 1,
                    ticks >> 7 & 255,
                    ticks << 1 & 255 | 1,
                ]
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("wrong", [(12,), (0,), (29,), (12, 13), (7, 8, 9)])
def test_frames_stamped_hours_away_are_shown_between_their_neighbours(
    wrong: tuple[int, ...], upscaler: Upscaler, tmp_path: Path
) -> None:
    source = recorded(tmp_path / "a.ts", 30)
    restamped(source, tmp_path / "b.ts", wrong, 9802 * 90000)
    with pytest.warns(LossWarning, match=rf"b\.ts: wrong time stamps of {len(wrong)} frame"):
        video.upscale(upscaler, tmp_path / "b.ts", tmp_path / "c.mkv", Size(1), FFV1)
    frames, _ = contents(tmp_path / "c.mkv")
    assert intervals(tmp_path / "c.mkv") == {0.04}
    assert offset(tmp_path / "c.mkv") == pytest.approx(offset(source), abs=0.002)
    for one, other in zip(contents(source)[0], frames, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "2"}), ("mpeg4", {"bf": "2"}), ("mpeg4", {})])
def test_avi_with_b_frames_shows_them_in_order(
    codec: str, options: dict[str, str], upscaler: Upscaler, tmp_path: Path
) -> None:
    """AVI has no time of presentation."""
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        audio: Any = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for picture in moving_frames(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.int16), format="s16", layout="mono")
        chunk.sample_rate, chunk.pts = 8000, 0
        container.mux(audio.encode(chunk))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video.upscale(upscaler, tmp_path / "a.avi", tmp_path / "b.mkv", Size(1), FFV1)
    frames, times = contents(tmp_path / "b.mkv")
    assert times == [Fraction(n, 25) for n in range(30)]
    assert packets(tmp_path / "b.mkv", "audio")[0][0][0] == 0
    for one, other in zip(contents(tmp_path / "a.avi")[0], frames, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("rate", [25, 30])
def test_video_without_a_container_has_its_own_rate(rate: int, upscaler: Upscaler, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.h264"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        for picture in moving_frames(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    video.upscale(upscaler, tmp_path / "a.h264", tmp_path / "b.mp4", Size(1), FFV1)
    times = contents(tmp_path / "b.mp4")[1]
    assert times[0] == 0
    assert len(times) == 30
    assert [float(time) for time in times] == pytest.approx([n / rate for n in range(30)], abs=1e-4)


def cut(source: Path, target: Path, seconds: Fraction, kinds: tuple[str, ...] = ("video", "audio")) -> Path:
    """Copy an MP4; an edit list hides the beginning of streams."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        copies = {stream.index: after.add_stream_from_template(stream, opaque=True) for stream in before.streams}
        for packet in before.demux():
            if packet.size == 0:
                continue
            assert packet.pts is not None
            assert packet.dts is not None
            if packet.stream.type in kinds:
                moved = round(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts - moved, packet.dts - moved
            packet.stream = copies[packet.stream_index]
            after.mux(packet)
    return target


@pytest.mark.parametrize("kinds", [("video", "audio"), ("audio",)])
def test_what_an_edit_list_hides_stays_hidden(kinds: tuple[str, ...], upscaler: Upscaler, tmp_path: Path) -> None:
    whole = make(tmp_path / "a.mp4", moving_frames(50), codec="libx264", sounds=1)
    source = cut(whole, tmp_path / "b.mp4", Fraction(9, 10), kinds)
    frames = len(contents(source)[0])
    for name in ("c.mkv", "c.mp4"):
        video.upscale(upscaler, source, tmp_path / name, Size(1))
        with av.open(str(tmp_path / name)) as container:
            heard = [
                float(packet.pts * packet.time_base)
                for packet in container.demux(audio=0)
                if packet.size and not packet.is_discard and packet.pts is not None
            ]
        shown = contents(tmp_path / name)[1]
        assert len(shown) == frames
        assert abs(heard[0] - float(shown[0])) <= 0.128  # a packet, at 8 kHz
        assert heard[-1] - heard[0] == pytest.approx(1.1, abs=0.26)


def test_streams_that_begin_later_keep_their_offset(upscaler: Upscaler, tmp_path: Path) -> None:
    """An empty edit list entry says so in MP4."""
    whole = make(tmp_path / "a.mp4", moving_frames(30), codec="libx264", sounds=1)
    for kind in ("video", "audio"):
        source = cut(whole, tmp_path / f"{kind}.mp4", Fraction(-1, 2), (kind,))
        for suffix in (".mp4", ".mkv"):
            target = tmp_path / f"{kind}-larger{suffix}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LossWarning)
                video.upscale(upscaler, source, target, Size(1), FFV1)
            assert offset(target) == pytest.approx(offset(source), abs=0.002)


def test_pauses_and_uneven_intervals_survive(upscaler: Upscaler, tmp_path: Path) -> None:
    times = [0, 33, 67, 100, 900, 30_900, 30_933, 45_000, 75_000]
    for suffix in (".mkv", ".webm"):
        options = VideoOptions("ffv1" if suffix == ".mkv" else "av1")
        codec = "ffv1" if suffix == ".mkv" else "libvpx-vp9"
        source = make(tmp_path / f"a{suffix}", moving_frames(9), times=times, codec=codec)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            video.upscale(upscaler, source, tmp_path / f"b{suffix}", Size(1), options)
        assert contents(tmp_path / f"b{suffix}")[1] == [Fraction(time, 1000) for time in times]


def test_a_recording_cut_inside_begins_at_its_first_key_frame(upscaler: Upscaler, tmp_path: Path) -> None:
    with av.open(str(recorded(tmp_path / "a.ts", 20))) as container:
        before = [packet.pts for packet in container.demux(video=0) if packet.size]
    data = (tmp_path / "a.ts").read_bytes() + recorded(tmp_path / "b.ts", 30, start=2.2).read_bytes()
    whole = (tmp_path / "a.ts").stat().st_size
    (tmp_path / "c.ts").write_bytes(data[whole // 188 // 3 * 188 + 40 :])
    with pytest.warns(LossWarning) as warned:
        outcome = video.upscale(upscaler, tmp_path / "c.ts", tmp_path / "d.mkv", Size(1), FFV1)
    assert any("begins in the middle of a recording" in str(one.message) for one in warned)
    assert (outcome.frames, outcome.damaged) == (30, 0)
    assert len(before) == 20
    sound = packets(tmp_path / "c.ts", "audio")[0][0][0]
    with av.open(str(tmp_path / "c.ts")) as container:
        first = next(frame for frame in container.decode(video=0) if frame.key_frame)
        wanted = float(sound) - float(first.pts * first.time_base)  # type: ignore[operator]
    assert offset(tmp_path / "d.mkv") == pytest.approx(wanted, abs=0.002)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda pts: [time // 2 for time in pts], r"it lacks \d+ of the source's 50 frames"),
        (lambda pts: pts[:25], r"from 1\.\d+ to 1\.96 s it lacks"),
        (lambda pts: [*pts[:40], *(time + 9_000_000 for time in pts[40:])], "frames that the source lacks"),
        (lambda pts: [time + 3000 for time in pts], "its frames are shown 3.000 s later"),
    ],
)
def test_a_result_that_departs_from_its_source_is_an_error(
    fault: Any, message: str, upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same fault in what is muxed and in our own numbers, which agree with each other."""
    source = make(tmp_path / "a.mkv", moving_frames(50), sounds=1)
    mux = muxing.mux

    def faulty(path: Any, kind: Any, own: Any, encoder: Any, stored: Iterator[Any], pts: Any, **more: Any) -> Any:
        times = fault(sorted(pts))
        changed = [type(packet)(time, packet.key, packet.data) for packet, time in zip(stored, times, strict=False)]
        return mux(path, kind, own, encoder, changed, times, **more)

    monkeypatch.setattr("hyperacuity.video.outputs.encoded.mux", faulty)
    with pytest.raises(BadOutput, match=message):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(1), FFV1)


def test_sound_that_is_lost_at_the_end_is_an_error(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(50), sounds=1)
    copied = copying.copied_packets

    def shortened(*arguments: Any, **options: Any) -> Iterator[Any]:
        return itertools.islice(copied(*arguments, **options), 30)

    monkeypatch.setattr("hyperacuity.formats.video.copying.copied_packets", shortened)
    monkeypatch.setattr(verifying, "_compare_with_muxed", lambda *arguments: None)
    with pytest.raises(BadOutput, match=r"its stream 1 \(audio\) ends 0\.800 s too early"):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(1), FFV1)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
@pytest.mark.parametrize(
    ("name", "frames", "seconds"),
    [
        ("joined-silent.ts", 100, 4.0),
        ("jump1.ts", 50, 2.0),
        ("h264.avi", 50, 2.0),
        ("cam.h264", 50, 2.0),
        ("cut.mp4", 27, 1.1),
        ("k-mid.ts", 50, 2.0),
    ],
)
@pytest.mark.filterwarnings("ignore::hyperacuity.formats.protocol.LossWarning")
def test_real_cases_by_another_reader(
    name: str, frames: int, seconds: float, upscaler: Upscaler, tmp_path: Path
) -> None:
    source = Path(__file__).parents[3] / "shared/cases/films" / name
    if not source.exists():
        pytest.skip("the shared cases are not here")
    video.upscale(upscaler, source, tmp_path / "b.mkv", Size(1), FFV1)
    command = ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time,codec_type", "-of", "json"]
    found = json.loads(subprocess.run([*command, str(tmp_path / "b.mkv")], capture_output=True, check=True).stdout)
    times = sorted(float(one["pts_time"]) for one in found["packets"] if one["codec_type"] == "video")
    sounds = [float(one["pts_time"]) for one in found["packets"] if one["codec_type"] == "audio"]
    assert len(times) == frames
    assert {round(later - earlier, 3) for earlier, later in itertools.pairwise(times)} == {0.04}
    assert times[-1] - times[0] + 0.04 == pytest.approx(seconds, abs=0.05)
    if sounds:
        assert abs(sounds[0] - times[0]) < 0.04
        assert sounds[-1] - sounds[0] == pytest.approx(seconds, abs=0.05)


def test_the_delay_of_opus_moves_nothing_in_matroska(upscaler: Upscaler, tmp_path: Path) -> None:
    """Its sound begins before 0, which Matroska says as the delay of the codec."""
    with av.open(str(tmp_path / "a.webm"), "w") as container:
        stream: Any = container.add_stream("libvpx-vp9", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        audio: Any = container.add_stream("libopus", rate=48000, layout="mono")
        for picture in moving_frames(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 19200), np.int16), format="s16", layout="mono")
        chunk.sample_rate, chunk.pts = 48000, 0
        container.mux(audio.encode(chunk))
        container.mux(audio.encode(None))
    assert packets(tmp_path / "a.webm", "audio")[0][0][0] < 0
    for name in ("b.webm", "b.mkv"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            video.upscale(upscaler, tmp_path / "a.webm", tmp_path / name, Size(1))
        assert packets(tmp_path / name, "audio") == packets(tmp_path / "a.webm", "audio")
        assert contents(tmp_path / name)[1] == contents(tmp_path / "a.webm")[1]


def test_a_clock_that_wraps_around_goes_on(upscaler: Upscaler, tmp_path: Path) -> None:
    """MPEG's counts 33 bits of 1/90000 s, a little over 26.5 hours."""
    source = recorded(tmp_path / "a.ts", 30, start=(1 << 33) / 90_000 - 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(1), FFV1)
    assert len(contents(tmp_path / "b.mkv")[0]) == 30
    assert intervals(tmp_path / "b.mkv") == {0.04}
    assert abs(offset(tmp_path / "b.mkv")) < 0.04


def test_dv_has_the_rate_of_its_frames(upscaler: Upscaler, tmp_path: Path) -> None:
    """FFmpeg states 60000 frames per second on average."""
    source = tmp_path / "a.dv"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("dvvideo", rate=25)
        stream.height, stream.width, stream.pix_fmt = 576, 720, "yuv420p"
        sound: Any = container.add_stream("pcm_s16le", rate=48000, layout="stereo")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1920), np.int16), format="s16", layout="stereo")
        for n in range(3):
            frame = av.VideoFrame(720, 576, "yuv420p")
            frame.pts = n
            container.mux(stream.encode(frame))
            silence.sample_rate, silence.pts = 48000, 1920 * n
            container.mux(sound.encode(silence))
    options = VideoOptions("h264", preset="ultrafast", deinterlace=True)
    assert VideoSource(source, deinterlace=True).rate == 25
    outcome = video.upscale(upscaler, source, tmp_path / "b.mov", Size(width=72, height=58), options)
    assert outcome.frames == 3


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
@pytest.mark.parametrize("interval", [250, 1000, 5000])
def test_reordered_frames_of_a_slow_video_keep_their_times(
    suffix: str, interval: int, upscaler: Upscaler, tmp_path: Path
) -> None:
    """A time lapse: Matroska has no dts, and the first of its frames get none from FFmpeg."""
    times = [interval * n for n in range(12)]
    source = make(tmp_path / f"a{suffix}", moving_frames(12), times=times, codec="libx264")
    with av.open(str(source)) as container:
        shown = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert shown != sorted(shown)
    result = tmp_path / f"b{suffix}"
    video.upscale(upscaler, source, result, Size(2))
    assert contents(result)[1] == contents(source)[1]
