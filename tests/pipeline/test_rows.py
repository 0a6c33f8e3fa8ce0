"""Streams of rows."""

from __future__ import annotations

import numpy as np
import pytest

from hyperacuity import machine
from hyperacuity.pipeline import Pipeline, Stage
from hyperacuity.pipeline.rows import windows
from tests.engines import Blur
from tests.pipeline.images import noisy_image


def test_rows_come_before_the_whole_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 1)
    engine = Blur()
    rows = iter(Pipeline([Stage(engine, "blur")], tile=10).stream(noisy_image(100, 10), 200, 20).rows)
    next(rows)
    assert len(engine.runs) == 1


@pytest.mark.parametrize("spans", [[(0, 3), (0, 9), (5, 6), (8, 20), (19, 20)], [(0, 1), (4, 5), (15, 20)]])
def test_windows_may_overlap_skip_and_cross_strips(spans: list[tuple[int, int]]) -> None:
    whole = np.arange(40, dtype=np.float32).reshape(1, 20, 2)
    strips = [whole[:, a:b] for a, b in ((0, 1), (1, 7), (7, 8), (8, 20))]
    for (first, last), window in zip(spans, windows(strips, spans), strict=True):
        np.testing.assert_array_equal(window, whole[:, first:last])
