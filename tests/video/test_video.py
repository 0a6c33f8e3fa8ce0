"""Videos from end to end: all content is kept, at the right time."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest

from hyperacuity import Size, load, video
from hyperacuity.errors import LEAVE_OUT, DamagedFile, UsageError, Use
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.patterns import is_pattern
from hyperacuity.task import Progress, VideoOptions
from hyperacuity.upscaler import Upscaler
from tests.video.videos import contents, make, moving_frames, packets

LOSSLESS = VideoOptions("ffv1")


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("acute-50k-x2")


def test_every_frame_is_upscaled_at_its_own_time(upscaler: Upscaler, tmp_path: Path) -> None:
    times = [0, 40, 47, 200, 1000, 1001, 1500]
    source = make(tmp_path / "a.mkv", moving_frames(7), times=times)
    outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS)
    frames, at = contents(tmp_path / "b.mkv")
    assert at == [Fraction(time, 1000) for time in times]
    assert {frame.shape for frame in frames} == {(72, 96, 3)}
    assert (outcome.frames, outcome.before, outcome.after, outcome.models) == (7, (36, 48), (72, 96), ("acute-50k-x2",))
    for small, large in zip(contents(source)[0], frames, strict=True):
        assert np.abs(large.reshape(36, 2, 48, 2, 3).mean((1, 3)) - small).mean() < 8
    assert not list(tmp_path.glob(".*"))


def test_sound_subtitles_and_titles_are_copied_to_the_byte(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(12), sounds=5, subtitles=1, title="Night and fog")
    video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS)
    for kind, count in (("audio", 5), ("subtitle", 1)):
        before, after = packets(source, kind), packets(tmp_path / "b.mkv", kind)
        assert len(before) == len(after) == count
        assert [[data for _, data in track] for track in before] == [[data for _, data in track] for track in after]
        for one, other in zip(before, after, strict=True):
            assert all(abs(a - b) <= Fraction(1, 1000) for (a, _), (b, _) in zip(one, other, strict=True))
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert container.metadata["title"] == "Night and fog"


@pytest.mark.parametrize(
    ("pixels", "codec"), [("yuv420p10le", "ffv1"), ("yuv422p", "ffv1"), ("yuv444p", "ffv1"), ("gray", "ffv1")]
)
def test_bit_depth_and_chroma_are_kept(pixels: str, codec: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(3), pixels=pixels)
    video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), VideoOptions(codec))
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == pixels


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
def test_the_usual_codecs_give_videos_that_play(codec: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(5))
    video.upscale(upscaler, source, tmp_path / "b.mp4", Size(2), VideoOptions(codec))
    frames, at = contents(tmp_path / "b.mp4")
    assert len(frames) == 5
    assert at == [Fraction(n, 25) for n in range(5)]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_no_codec_raises_the_priority_of_threads(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(2))
    seen: set[int] = set()

    def now() -> set[int]:
        found = set()
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                found.add(os.sched_getscheduler(int(task.name)))
        return found

    def observe(progress: Progress) -> None:
        until = time.monotonic() + 10  # since it is raised while an encoder opens
        while (found := now()) != {os.SCHED_OTHER} and time.monotonic() < until:
            time.sleep(0.02)
        seen.update(found)

    video.upscale(upscaler, source, tmp_path / "b.mp4", Size(2), VideoOptions("av1"), observe=observe)
    assert seen == {os.SCHED_OTHER}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_odd_sizes_are_kept_or_rounded_up_with_a_warning(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(3, 35, 47))
    video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS)
    assert contents(tmp_path / "b.mkv")[0][0].shape == (70, 94, 3)
    with pytest.warns(LossWarning, match="cannot store 141x105 in .* repeated to 142x106"):
        video.upscale(upscaler, source, tmp_path / "c.mp4", Size(3))
    assert {frame.shape for frame in contents(tmp_path / "c.mp4")[0]} == {(106, 142, 3)}


def test_luma_goes_through_the_network_as_it_is_stored(tmp_path: Path) -> None:
    """Bicubic on the planes, compared with our `resize` of the decoded luma."""
    from hyperacuity.resize import resize

    source = make(tmp_path / "a.mkv", moving_frames(2), pixels="yuv444p")
    video.upscale(load("bicubic"), source, tmp_path / "b.mkv", Size(2), LOSSLESS)

    def luma(path: Path) -> Any:
        with av.open(str(path)) as container:
            return [frame.to_ndarray()[0].astype(float) for frame in container.decode(video=0)]

    for small, large in zip(luma(source), luma(tmp_path / "b.mkv"), strict=True):
        np.testing.assert_allclose(large, np.clip(resize(small, size=(72, 96)), 0, 255), atol=0.51)


def test_unchanged_frames_are_computed_once(upscaler: Upscaler, tmp_path: Path) -> None:
    picture = moving_frames(1)[0]
    source = make(tmp_path / "a.mkv", [picture] * 10)
    outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS)
    assert outcome.unchanged == pytest.approx(0.9)
    frames, _ = contents(tmp_path / "b.mkv")
    assert all(np.array_equal(frame, frames[0]) for frame in frames)


def test_a_part_of_a_video(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(50), sounds=1)
    options = VideoOptions("ffv1", start="1/2", duration="1")
    outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), options)
    assert outcome.frames in (25, 26)


def test_frames_in_folders_and_back(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(4), pixels="yuv444p")
    (tmp_path / "frames").mkdir()
    video.upscale(upscaler, source, tmp_path / "frames/%04d.png", Size(2))
    assert len(list((tmp_path / "frames").glob("*.png"))) == 4
    options = VideoOptions("ffv1", fps="10")
    with pytest.warns(LossWarning, match="R, G, B is stored as yuv444p"):
        video.upscale(load("bicubic"), tmp_path / "frames/%04d.png", tmp_path / "b.mkv", Size(1), options)
    assert contents(tmp_path / "b.mkv")[1] == [Fraction(n, 10) for n in range(4)]


def test_frames_are_overwritten_only_by_force_and_those_of_the_input_never(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(4))
    (tmp_path / "3.png").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"3\.png exists"):
        video.upscale(upscaler, source, tmp_path / "%d.png", Size(2))
    assert (tmp_path / "3.png").read_bytes() == b"precious"
    video.upscale(upscaler, source, tmp_path / "%d.png", Size(2), force=True)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.png")}
    with pytest.raises(UsageError, match=r"is a frame of the input"):
        video.upscale(upscaler, tmp_path / "%d.png", tmp_path / "%01d.png", Size(2), force=True)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.png")} == before


def test_a_y4m_that_is_cut_short_gives_a_warning(upscaler: Upscaler, tmp_path: Path) -> None:
    video.upscale(upscaler, make(tmp_path / "a.mkv", moving_frames(4)), tmp_path / "a.y4m", Size(1))
    data = (tmp_path / "a.y4m").read_bytes()
    (tmp_path / "cut.y4m").write_bytes(data[:-100])
    with pytest.warns(LossWarning, match=r"cut\.y4m is cut short inside the frame after the first 3"):
        video.upscale(upscaler, tmp_path / "cut.y4m", tmp_path / "b.mkv", Size(1))
    with pytest.raises(DamagedFile, match="cut short"):
        video.upscale(upscaler, tmp_path / "cut.y4m", tmp_path / "c.mkv", Size(1), VideoOptions(strict=True))
    assert video.upscale(upscaler, tmp_path / "a.y4m", tmp_path / "d.mkv", Size(1)).frames == 4


def test_names_with_a_special_meaning_to_ffmpeg_work(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if sys.platform != "win32":
        make(tmp_path / "a.mkv", moving_frames(2)).rename("12:30.mkv")
        assert video.upscale(upscaler, Path("12:30.mkv"), Path("12:31.mkv"), Size(2)).frames == 2
    folder = Path("100%")
    folder.mkdir()
    video.upscale(upscaler, make(tmp_path / "a.mkv", moving_frames(2)), folder / "%d.png", Size(2))
    options = VideoOptions("ffv1")
    with pytest.warns(LossWarning, match="stored as"):
        assert video.upscale(upscaler, folder / "%d.png", Path("b.mkv"), Size(1), options).frames == 2
    photo = Path("%d0%bf.png")
    assert not is_pattern(photo)
    (folder / "1.png").rename("50%d.png")
    assert not is_pattern(Path("50%d.png"))
    for name in ("Save 50%deal.mp4", "%d.mkv", "%05d.avi", "50%deal.png", "50%dépôt.png"):
        assert not is_pattern(Path(name))
    for name in ("%d.png", "%06d.jpg", "a%d-b.tif", "%04deal.png"):
        assert is_pattern(Path(name))


def test_grey_of_studio_range_becomes_black_and_white_in_images(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8)[None, :, None], (36, 1, 3))
    source = make(tmp_path / "a.mkv", [ramp], pixels="gray")  # studio range, which is assumed if unspecified
    video.upscale(load("bicubic"), source, tmp_path / "%d.png", Size(1))
    codes = np.asarray(PIL.Image.open(tmp_path / "1.png"))
    assert codes.min() == 0
    assert codes.max() == 255


@pytest.mark.parametrize("name", ["%d.png", "a.y4m"])
def test_losses_of_outputs_with_only_frames_give_a_warning(name: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(4), times=[0, 200, 220, 420], sounds=1)
    with pytest.warns(LossWarning) as warned:
        video.upscale(upscaler, source, tmp_path / "out" / name if name[0] == "%" else tmp_path / name, Size(1))
    messages = " ".join(str(each.message) for each in warned)
    assert "only its frames are written, without audio" in messages
    assert "its frames last between 0.020 and 0.200 s" in messages


@pytest.mark.filterwarnings("ignore:.*is stored as yuv444p")
def test_frames_of_several_sizes_give_a_warning(upscaler: Upscaler, tmp_path: Path) -> None:
    for n, size in enumerate(((48, 36), (60, 60), (48, 36))):
        PIL.Image.new("RGB", size, "red").save(tmp_path / f"{n}.png")
    with pytest.warns(
        LossWarning, match=r"1 frame differs in shape from the first \(at 0\.04 s: 60x60 instead of 48x36\)"
    ):
        video.upscale(upscaler, tmp_path / "%d.png", tmp_path / "b.mkv", Size(1), VideoOptions("ffv1"))


def test_options_without_effect_are_refused(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(2))
    with pytest.raises(UsageError, match="crff: libx264 has no such option"):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), VideoOptions("h264", encoder={"crff": "1"}))
    with pytest.raises(UsageError, match=r"has its own time stamps; a frame rate is for frames in a folder"):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), VideoOptions(fps="50"))
    assert not list(tmp_path.glob("b.mkv*"))


@pytest.mark.filterwarnings("ignore::hyperacuity.formats.protocol.LossWarning")
def test_damaged_videos_are_refused_or_repaired(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(20), codec="libx264")
    data = source.read_bytes()
    (tmp_path / "empty.mkv").touch()
    with pytest.raises((DamagedFile, UsageError)):
        video.upscale(upscaler, tmp_path / "empty.mkv", tmp_path / "b.mkv", Size(2))
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 3 // 4])
    outcome = video.upscale(upscaler, tmp_path / "cut.mkv", tmp_path / "b.mkv", Size(2))
    assert 0 < outcome.frames <= 20
    long = make(tmp_path / "long.mkv", moving_frames(60), codec="libx264").read_bytes()
    (tmp_path / "half.mkv").write_bytes(long[: len(long) // 2])
    with pytest.warns(LossWarning, match=r"half\.mkv is damaged or cut short: its video ends at \d\.\d\d of 2\.40 s"):
        video.upscale(upscaler, tmp_path / "half.mkv", tmp_path / "d.mkv", Size(2))
    (tmp_path / "page.mp4").write_text("<html>")
    with pytest.raises((DamagedFile, UsageError)):
        video.upscale(upscaler, tmp_path / "page.mp4", tmp_path / "c.mkv", Size(2))
    assert not (tmp_path / "c.mkv").exists()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_damaged_frame_never_shifts_the_others(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / f"a.{suffix}", moving_frames(30), codec="libx264")
    with av.open(str(source)) as container:
        hurt = [packet for packet in container.demux(video=0) if packet.size][17]
        payload = bytes(hurt)
    data = source.read_bytes()
    (tmp_path / f"b.{suffix}").write_bytes(data.replace(payload, bytes([255]) * len(payload)))
    with pytest.warns(LossWarning, match="damaged frame"):
        outcome = video.upscale(upscaler, tmp_path / f"b.{suffix}", tmp_path / f"c.{suffix}", Size(1))
    assert outcome.damaged >= 1
    assert contents(tmp_path / f"c.{suffix}")[1] == contents(source)[1]
    with pytest.raises(DamagedFile, match=r"frame at \d\.\d\d s"):
        video.upscale(upscaler, tmp_path / f"b.{suffix}", tmp_path / f"d.{suffix}", Size(1), VideoOptions(strict=True))
    assert not (tmp_path / f"d.{suffix}").exists()


def test_files_without_video_are_refused(upscaler: Upscaler, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream: Any = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises((DamagedFile, UsageError), match=r"sound\.mp4"):
        video.upscale(upscaler, tmp_path / "sound.mp4", tmp_path / "b.mp4", Size(2))
    source = make(tmp_path / "a.mkv", moving_frames(2))
    (tmp_path / "there.mkv").touch()
    with pytest.raises(UsageError, match="exists"):
        video.upscale(upscaler, source, tmp_path / "there.mkv", Size(2))
    with pytest.raises(UsageError, match="is the input"):
        video.upscale(upscaler, source, source, Size(2), force=True)
    with pytest.raises(UsageError, match=r"no codec 'h265x'.*Did you mean 'h265'"):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), VideoOptions("h265x"))


def test_real_videos_are_upscaled(shared: Path, upscaler: Upscaler, tmp_path: Path) -> None:
    source = shared / "data/formats/video/carphone_pristine.mp4"
    part = VideoOptions(duration="1/4")
    outcome = video.upscale(upscaler, source, tmp_path / "b.mp4", Size(2), part)
    frames, at = contents(tmp_path / "b.mp4")
    assert len(frames) == outcome.frames
    assert at == contents(source)[1][: len(at)]
    with av.open(str(source)) as before, av.open(str(tmp_path / "b.mp4")) as after:
        assert before.streams.video[0].sample_aspect_ratio == after.streams.video[0].sample_aspect_ratio


def test_videos_are_recognised_by_first_bytes_and_patterns_by_name(tmp_path: Path) -> None:
    assert video.is_video(make(tmp_path / "a.mkv", moving_frames(1)).rename(tmp_path / "a.png"))
    assert video.is_video(tmp_path / "%04d.png")
    (tmp_path / "b.mkv").write_text("no video")
    assert not video.is_video(tmp_path / "b.mkv")
    assert not video.is_video(tmp_path / "missing.mkv")


def test_options_that_are_not_numbers_are_refused(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(1))
    for options in (VideoOptions(start="soon"), VideoOptions(duration="1/0"), VideoOptions(fps="fast")):
        with pytest.raises(UsageError, match="is not a number"):
            video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), options)
    with pytest.raises(UsageError, match="fps 0 must be positive"):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), VideoOptions(fps="0"))
    with pytest.raises(UsageError, match="images and Y4M have no codec") as refused:
        video.upscale(upscaler, source, tmp_path / "b.y4m", Size(2), VideoOptions("h264", crf=20))
    assert refused.value.cures == (Use(codec=LEAVE_OUT, crf=LEAVE_OUT),)


def test_a_percent_sign_in_a_name_is_no_pattern(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "Save 50%deal.mp4", moving_frames(3), codec="libx264")
    video.upscale(upscaler, source, tmp_path / "Save 50%deal-x2.mp4", Size(2))
    assert len(contents(tmp_path / "Save 50%deal-x2.mp4")[0]) == 3


def test_a_full_disk_is_named_before_the_work(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "a.mp4", moving_frames(30), codec="libx264")
    for free, options, warned in (
        (2000, VideoOptions(), True),
        (10_000, VideoOptions(), False),
        (10_000, LOSSLESS, True),
    ):
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            video.upscale(upscaler, source, tmp_path / "b.mp4", Size(2), options, force=True)
        assert any("its disk has" in str(each.message) for each in caught) is warned
