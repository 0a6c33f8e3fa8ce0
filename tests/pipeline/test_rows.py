"""Streams of rows."""

from __future__ import annotations

import contextvars
import itertools
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from hyperacuity import machine
from hyperacuity.pipeline import Pipeline, Stage
from hyperacuity.pipeline.rows import DelayedRows, fork, map_ahead, pixel_pool, regroup, windows
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


@pytest.mark.parametrize("count", [1, 4, 7, 100])
@pytest.mark.parametrize("heights", [[20], [1] * 20, [3, 1, 16], [8, 12]])
def test_regrouped_rows_are_the_same_rows(heights: list[int], count: int) -> None:
    whole = np.arange(120).reshape(20, 2, 3)
    edges = [0, *itertools.accumulate(heights)]
    groups = list(regroup([whole[a:b] for a, b in itertools.pairwise(edges)], count, 20))
    np.testing.assert_array_equal(np.concatenate(groups), whole)
    assert {len(group) for group in groups[:-1]} <= {count}
    if heights == [20]:
        assert all(np.shares_memory(group, whole) for group in groups)  # nothing is copied


def test_items_are_mapped_in_order_a_few_ahead_in_the_context_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    file = contextvars.ContextVar("file", default="")
    file.set("this one")
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(9):
            taken.append(n)
            yield n

    results = map_ahead(pixel_pool(), items(), lambda n: (n * n, file.get()))
    assert next(results) == (0, "this one")
    assert taken == [0, 1, 2]  # one item ahead for each core
    assert [n for n, _ in results] == [1, 4, 9, 16, 25, 36, 49, 64]
    assert list(map_ahead(None, items(), lambda n: -n)) == [-n for n in range(9)]


def test_an_error_in_a_thread_is_raised_where_the_result_is_read() -> None:
    results = map_ahead(pixel_pool(), [1, 0, 1], lambda n: 1 // n)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_fork_gives_both_all_items_and_holds_no_more_than_are_waited_for() -> None:
    class Thing:
        pass

    alive: weakref.WeakSet[Thing] = weakref.WeakSet()

    def things() -> Iterator[Thing]:
        for _ in range(100):
            thing = Thing()
            alive.add(thing)
            yield thing
            del thing

    ahead, behind = fork(things())
    for _ in range(5):
        next(ahead)
    for count in range(95):
        next(ahead)
        next(behind)
        assert len(alive) <= 7, count
    assert len(list(behind)) == 5
    assert next(ahead, None) is None


def test_either_side_of_a_fork_may_lead() -> None:
    first, second = fork(range(6))
    assert [next(second), next(second), next(first), next(first), next(first), next(second)] == [0, 1, 0, 1, 2, 2]
    assert list(first) == list(second) == [3, 4, 5]


@pytest.mark.parametrize("heights", [(1,) * 23, (5, 7, 11), (23,), (2, 19, 2)])
def test_delayed_rows_are_those_that_passed(heights: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random((2, sum(heights), 3), np.float32)
    ends = np.cumsum(heights)
    delayed = DelayedRows((image[:, end - height : end] for end, height in zip(ends, heights, strict=True)), top=4)
    strips, blocks = delayed.strips(), delayed.blocks((6, 25), 3)
    passed = [next(strips)]
    found = [next(blocks)]  # reads ahead of the other one where it must
    passed += strips
    found += blocks
    assert (np.concatenate(passed, 1) == image).all()
    assert [block.shape[1] for block in found] == [3] * 6 + [1]
    assert (np.concatenate(found, 1) == image[:, 2:21]).all()
