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
from hyperacuity.formats.video.frames import Frame, Layout
from hyperacuity.video.enlarging import Enlarger
from hyperacuity.video.threads import abreast

LOOK = Layout(96, 128)


def frames(count: int, *, still: int = 0) -> Iterator[Frame]:
    """Noise, but the first `still` rows are the same in all; each is shown twice."""
    random = np.random.default_rng(0)
    first: Any = None
    for n in range(count):
        if n % 2 == 0:
            planes = tuple(random.integers(16, 235, shape, np.uint8) for shape in LOOK.shapes)
            first = planes[0] if first is None else first
            planes[0][:still] = first[:still]
        yield Frame(planes, pts=n)


@pytest.mark.parametrize("workers", [1, 3])
def test_several_at_once_give_the_same_planes_in_order(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: workers)
    upscaler = load("acute-10k", engine="onnxruntime", tile=32)
    several, single = (Enlarger(upscaler, LOOK, (192, 256), LOOK.resized(192, 256)) for _ in range(2))
    together = list(several.all(frames(9, still=48)))
    for frame, one in zip(frames(9, still=48), together, strict=True):
        expected = single.compute(frame)
        assert (one.frame.pts, one.still, one.savings) == (frame.pts, expected.still, expected.savings)
        for plane, wanted in zip(one.planes, expected.planes, strict=True):
            np.testing.assert_array_equal(plane, wanted)
    assert [one.still for one in together] == [False, True] * 4 + [False]
    assert 0 < together[2].savings.saved < together[2].savings.total == together[3].savings.saved


def test_frames_that_memory_cannot_hold_side_by_side_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    enlarger = Enlarger(load("acute-10k", engine="onnxruntime"), LOOK, (192, 256), LOOK.resized(192, 256))
    enlarger._available = [4 * 4 * 16 * 192 * 256 - 1]
    assert len(list(enlarger.all(frames(2)))) == 2
    assert enlarger._abreast == 1


def test_each_run_has_one_core_where_several_frames_are_at_work() -> None:
    engine = load("acute-10k", engine="onnxruntime").pipeline((8, 8), (16, 16)).stages[0].engine
    assert isinstance(engine, onnx_runtime.OnnxRuntime)
    alone = engine.per_core()
    assert alone is not None
    assert alone._session.get_session_options().intra_op_num_threads == 1


def test_a_frame_that_fails_stops_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one after it waits for its tiles, and nobody is left waiting."""
    upscaler = load("acute-10k", engine="onnxruntime")
    enlarger = Enlarger(upscaler, LOOK, (192, 256), LOOK.resized(192, 256))
    seen = enlarger._seen

    def broken(frame: Frame) -> Any:
        if frame.pts == 2:
            raise OSError("no such luck")
        return seen(frame)

    monkeypatch.setattr(enlarger, "_seen", broken)
    results = enlarger.all(frames(5))
    assert [next(results).frame.pts, next(results).frame.pts] == [0, 1]
    with pytest.raises(OSError, match="no such luck"):
        list(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hyperacuity-frames")]


def test_those_at_work_are_told_that_nobody_waits() -> None:
    stop = threading.Event()

    def job(n: int) -> bool:
        return n == 0 or stop.wait(30)

    results = abreast((functools.partial(job, n) for n in range(10)), 3, stop)
    assert next(results)
    begin = time.perf_counter()
    results.close()
    assert time.perf_counter() - begin < 10
