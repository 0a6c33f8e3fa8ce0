"""Videos in segments: the bytes of one machine, in any order."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

import av

from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import DONE
from hyperacuity.cluster.work import Worker
from tests.cluster.plans import files_below, lossless, on_one_machine, planned, template, work_all
from tests.video.videos import make, moving_frames

_COUNT = 230


def encode(path: Path, options: dict[str, str], *, times: list[int] | None = None, count: int = _COUNT) -> Path:
    """An H.264 video with the options of its encoder."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 36, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"threads": "1", **options}
        for n, each in enumerate(moving_frames(count)):
            frame = av.VideoFrame.from_ndarray(each, format="rgb24")
            frame.pts, frame.time_base = (times[n] if times else 40 * n), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def both_ways(source: Path, tmp_path: Path, *, split: bool = True, seed: int = 0) -> Path:
    """Upscale a video on one machine and in segments, and compare all files; returns the result."""
    request = template(video=lossless())
    target = f"{tmp_path / 'one'}/"
    outcomes = on_one_machine(str(source), target, request)
    assert [each.error for each in outcomes] == [None]
    plan = str(tmp_path / "plan")
    summary = planned(str(source), f"{tmp_path / 'many'}/", plan, request)
    assert ("segment" in summary.tasks) == split, summary
    if not split:
        assert summary.whole
    reports = work_all(plan, seed)
    assert {each.state for each in reports} == {DONE}, reports
    assert files_below(tmp_path / "many") == files_below(tmp_path / "one")
    with Plan(plan) as opened:
        assert not [name for name in files_below(Path(opened.state())) if "parts" in name]
    return tmp_path / "many" / source.name


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_segments_in_any_order_make_the_same_file(tmp_path: Path, seed: int) -> None:
    source = encode(tmp_path / "closed.mp4", {"g": "30", "x264-params": "open-gop=0:bframes=2"})
    both_ways(source, tmp_path, seed=seed)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"g": "30", "x264-params": "open-gop=1:bframes=3:scenecut=0"}, id="open GOP"),
        pytest.param({"g": "9999", "x264-params": "scenecut=0"}, id="one key frame"),
    ],
)
def test_groups_of_pictures_do_not_matter(tmp_path: Path, options: dict[str, str]) -> None:
    both_ways(encode(tmp_path / "video.mp4", options), tmp_path)


def test_a_variable_rate_is_kept(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).integers(20, 90, _COUNT).cumsum()
    source = encode(tmp_path / "variable.mkv", {"g": "40"}, times=[int(each) for each in steps])
    both_ways(source, tmp_path)


def test_sound_and_subtitles_are_kept(tmp_path: Path) -> None:
    source = make(tmp_path / "spoken.mkv", moving_frames(205), sounds=2, subtitles=1, title="Sound")
    result = both_ways(source, tmp_path)
    with av.open(str(result)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio", "subtitle"]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_damaged_frames_are_replaced_as_on_one_machine(tmp_path: Path, container: str) -> None:
    # Each frame is a key frame: what FFmpeg makes of frames that refer to a damaged one differs from call to call.
    source = encode(tmp_path / f"damaged.{container}", {"g": "1"})
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as opened:
        places = [(packet.pos, packet.size) for packet in opened.demux(video=0) if packet.size]
    for number in (97, 100, 199, 200, 229):
        start, size = places[number]
        assert start is not None
        data[start + 5 : start + size] = bytes(size - 5)
    source.write_bytes(data)
    result = both_ways(source, tmp_path)
    with av.open(str(result)) as opened:
        frames = [frame.to_ndarray(format="gray") for frame in opened.decode(video=0)]
    assert len(frames) == _COUNT
    assert (frames[100] == frames[99]).all()
    assert (frames[200] == frames[198]).all()


def test_a_truncated_video_is_one_task(tmp_path: Path) -> None:
    source = encode(tmp_path / "cut.mkv", {"g": "25"})
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 3 // 4])
    both_ways(source, tmp_path, split=False)


def test_a_lost_segment_is_made_again(tmp_path: Path) -> None:
    source = encode(tmp_path / "video.mp4", {"g": "30"})
    request = template(video=lossless())
    on_one_machine(str(source), f"{tmp_path / 'one'}/", request)
    location = str(tmp_path / "plan")
    planned(str(source), f"{tmp_path / 'many'}/", location, request)
    with Plan(location) as plan:
        worker = Worker(plan)
        assert [worker.work_on(number).state for number in (0, 1, 2)] == [DONE] * 3
        Path(plan.part(1)).unlink()
        report = worker.work_on(3)
        assert report.state == "held"
        assert report.reason == "task 1 must be done before"
        assert worker.work_on(1).state == worker.work_on(3).state == DONE
    assert files_below(tmp_path / "many") == files_below(tmp_path / "one")


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("video.mp4", {"start": "1"}, "only a part of it is requested"),
        ("video.mp4", {"deinterlace": True}, "its fields become frames"),
        ("video.avi", {}, "its container stores no times of frames"),
    ],
)
def test_what_cannot_be_split_is_one_task_and_says_why(
    tmp_path: Path, name: str, fields: dict[str, Any], reason: str
) -> None:
    source = encode(tmp_path / name, {"x264-params": "bframes=0"}, count=120) if name.endswith("mp4") else None
    source = source or make(tmp_path / name, moving_frames(120), codec="mpeg4")
    summary = planned(str(source), f"{tmp_path / 'many'}/", str(tmp_path / "plan"), template(video=lossless(**fields)))
    assert summary.whole == [(str(source), reason)]
    assert summary.tasks == {"files": 1}
