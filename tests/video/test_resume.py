"""Interrupted runs, killed, stopped or failed, are resumed to the same video, or not at all."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hyperacuity import Size, load, video
from hyperacuity.errors import UsageError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.task import Progress, Stop, Stopped, VideoOptions
from hyperacuity.upscaler import Upscaler
from hyperacuity.video import segments
from hyperacuity.video.segments import SegmentFolder
from tests.video.videos import contents, make, moving_frames, packets

LOSSLESS = VideoOptions("ffv1")


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("acute-50k-x2", engine="onnxruntime")


KILLED = """
import sys, os, signal
from pathlib import Path
from hyperacuity import Size, video, load
from hyperacuity.task import VideoOptions
def observe(progress):
    if progress.frame == 230:
        os.kill(os.getpid(), signal.SIGKILL)
video.upscale(load("acute-50k-x2", engine="onnxruntime"), Path(sys.argv[1]), Path(sys.argv[2]), Size(2),
             VideoOptions("ffv1"), observe=observe)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_is_resumed_to_the_same_video(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(260, 16, 20), sounds=1)
    video.upscale(upscaler, source, tmp_path / "whole.mkv", Size(2), LOSSLESS)
    arguments = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "b.mkv")]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "b.mkv").exists()
    outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS)
    assert outcome.resumed in (100, 200)
    assert outcome.frames == 260
    (frames, at), (wanted, when) = contents(tmp_path / "b.mkv"), contents(tmp_path / "whole.mkv")
    assert at == when
    assert all(np.array_equal(one, other) for one, other in zip(frames, wanted, strict=True))
    assert packets(tmp_path / "b.mkv", "audio") == packets(tmp_path / "whole.mkv", "audio")
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv", "b.mkv", "whole.mkv"}


def test_work_of_other_settings_is_discarded(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(120, 16, 20))

    def interrupt(progress: Progress) -> None:
        if progress.frame == 110:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS, observe=interrupt)
    assert not (tmp_path / "b.mkv").exists()
    with pytest.warns(LossWarning, match="its work is discarded"):
        outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(3), LOSSLESS)
    assert outcome.resumed == 0
    assert contents(tmp_path / "b.mkv")[0][0].shape == (48, 60, 3)


def test_two_runs_do_not_write_one_video(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(110, 16, 20))

    def another(progress: Progress) -> None:
        if progress.frame == 105:
            with pytest.raises(UsageError, match=r"b\.mkv is being written by another run"):
                video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS)

    outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS, observe=another)
    assert len(contents(tmp_path / "b.mkv")[0]) == outcome.frames == 110
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv", "b.mkv"}


def test_long_names_that_begin_alike_share_no_segments(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(3))
    discs = [tmp_path / f"The Lord of the Rings, extended edition, disc {n}.mkv" for n in (1, 2)]
    folders = [SegmentFolder(disc, {"disc": n}) for n, disc in enumerate(discs)]
    assert folders[0].folder != folders[1].folder
    for each in folders:
        each.remove()
    assert video.upscale(upscaler, source, discs[0], Size(2)).frames == 3


def test_a_stopped_run_keeps_its_segments_and_is_resumed(upscaler: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(120, 16, 20))
    stop = Stop()

    def observe(progress: Progress) -> None:
        assert progress.frame <= 110
        if progress.frame == 110:
            stop.set()

    with pytest.raises(Stopped):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS, observe=observe, stop=stop)
    assert not (tmp_path / "b.mkv").exists()
    reports: list[Progress] = []
    outcome = video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS, observe=reports.append)
    assert (outcome.resumed, outcome.frames) == (100, 120)
    assert [report.frame for report in reports] == list(range(100, 121))
    assert reports[0] == Progress(100 / 120, 100 / 120, 100, 120, 0)
    assert reports[-1] == Progress(1.0, 100 / 120, 120, 120, 32 * 40)
    assert len(contents(tmp_path / "b.mkv")[0]) == 120
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv", "b.mkv"}


@pytest.mark.parametrize("name", ["b.mkv", "b.y4m", "%d.png"])
def test_a_run_that_is_stopped_before_its_first_frame_leaves_no_file(
    name: str, upscaler: Upscaler, tmp_path: Path
) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(3))
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        video.upscale(upscaler, source, tmp_path / name, Size(2), stop=stop)
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv"}


def test_work_of_another_engine_is_discarded(upscaler: Upscaler, tmp_path: Path) -> None:
    """Engines differ in the last bits; one video must not be made of both."""
    pytest.importorskip("ncnn")
    source = make(tmp_path / "a.mkv", moving_frames(112, 16, 20))
    stop = Stop()

    def observe(progress: Progress) -> None:
        if progress.frame == 110:
            stop.set()

    with pytest.raises(Stopped):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS, observe=observe, stop=stop)
    other = load("acute-50k-x2", engine="ncnn")
    with pytest.warns(LossWarning, match="its work is discarded"):
        outcome = video.upscale(other, source, tmp_path / "b.mkv", Size(2), LOSSLESS)
    assert (outcome.resumed, outcome.frames) == (0, 112)


def test_a_full_disk_at_the_beginning_leaves_nothing_behind(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(3, 16, 20))

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(segments, "write_whole", full)
    with pytest.raises(UsageError, match=r"b\.mkv was not written: the disk is full"):
        video.upscale(upscaler, source, tmp_path / "b.mkv", Size(2), LOSSLESS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
