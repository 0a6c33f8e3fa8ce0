"""Frames on their way through the network, several at once."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hyperacuity import load, machine
from hyperacuity.engines import onnx_runtime
from hyperacuity.formats.video.frames import FrameFormat, PlanarFrame
from hyperacuity.video.concurrency import in_order
from hyperacuity.video.enlarging import Enlarger

FORMAT = FrameFormat(96, 128)


def frames(count: int, *, unchanged: int = 0) -> Iterator[PlanarFrame]:
    """Noise, but the first `unchanged` rows are the same in all; each is shown twice."""
    random = np.random.default_rng(0)
    first: Any = None
    for n in range(count):
        if n % 2 == 0:
            planes = tuple(random.integers(16, 235, shape, np.uint8) for shape in FORMAT.shapes)
            first = planes[0] if first is None else first
            planes[0][:unchanged] = first[:unchanged]
        yield PlanarFrame(planes, pts=n)


@pytest.mark.parametrize("workers", [1, 3])
def test_several_at_once_give_the_same_planes_in_order(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: workers)
    upscaler = load("acute-10k", engine="onnxruntime", tile=32)
    several, single = (Enlarger(upscaler, FORMAT, (192, 256), FORMAT.resized(192, 256)) for _ in range(2))
    together = list(several.stream(frames(9, unchanged=48)))
    for frame, one in zip(frames(9, unchanged=48), together, strict=True):
        expected = single.compute(frame)
        assert (one.frame.pts, one.unchanged, one.savings) == (frame.pts, expected.unchanged, expected.savings)
        for plane, wanted in zip(one.planes, expected.planes, strict=True):
            np.testing.assert_array_equal(plane, wanted)
    assert [one.unchanged for one in together] == [False, True] * 4 + [False]
    assert 0 < together[2].savings.saved < together[2].savings.total == together[3].savings.saved


def test_frames_are_computed_one_by_one_if_memory_cannot_hold_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    enlarger = Enlarger(load("acute-10k", engine="onnxruntime"), FORMAT, (192, 256), FORMAT.resized(192, 256))
    enlarger._available = [4 * 4 * 16 * 192 * 256 - 1]
    assert len(list(enlarger.stream(frames(2)))) == 2
    assert enlarger._workers == 1


def test_each_run_has_one_core_if_several_frames_are_computed() -> None:
    engine = load("acute-10k", engine="onnxruntime").pipeline((8, 8), (16, 16)).stages[0].engine
    assert isinstance(engine, onnx_runtime.OnnxRuntime)
    per_core = engine.per_core()
    assert per_core is not None
    assert per_core._session.get_session_options().intra_op_num_threads == 1


def test_a_frame_that_fails_stops_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next frame waits for its tiles, and no thread keeps waiting."""
    upscaler = load("acute-10k", engine="onnxruntime")
    enlarger = Enlarger(upscaler, FORMAT, (192, 256), FORMAT.resized(192, 256))
    seen = enlarger._network_input

    def broken(frame: PlanarFrame) -> Any:
        if frame.pts == 2:
            raise OSError("broken frame")
        return seen(frame)

    monkeypatch.setattr(enlarger, "_network_input", broken)
    results = enlarger.stream(frames(5))
    assert [next(results).frame.pts, next(results).frame.pts] == [0, 1]
    with pytest.raises(OSError, match="broken frame"):
        list(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hyperacuity-frames")]


def test_running_jobs_are_cancelled_when_no_result_is_needed() -> None:
    stop = threading.Event()

    def job(n: int) -> bool:
        return n == 0 or stop.wait(30)

    results = in_order((functools.partial(job, n) for n in range(10)), 3, stop)
    assert next(results)
    begin = time.perf_counter()
    results.close()
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize("name", ["acute-10k", "bicubic"])
def test_a_dark_frame_is_enlarged_as_the_dark_part_of_a_bright_one(name: str) -> None:
    enlarger = Enlarger(load(name), FORMAT, (192, 256), FORMAT.resized(192, 256))
    random = np.random.default_rng(1)
    luma = random.integers(17, 40, FORMAT.shapes[0], np.uint8)
    bright = luma.copy()
    bright[:, 96:] = random.integers(150, 235, (96, 32), np.uint8)
    chroma = np.full(FORMAT.shapes[1], 128, np.uint8)
    dark, mixed = (enlarger.compute(PlanarFrame((plane, chroma, chroma), pts=0)).planes[0] for plane in (luma, bright))
    np.testing.assert_array_equal(dark[:, :128], mixed[:, :128])
