from __future__ import annotations

from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperacuity.errors import OutOfMemory
from hyperacuity.tiles import Grid, Span, make_grid, smallest, spans

multiples = st.sampled_from([1, 2, 4, 7, 8])


def rounded_up(length: int, multiple: int) -> int:
    return ceil(length / multiple) * multiple


def check(cut: tuple[Span, ...], length: int, part: tuple[int, int], halo: int, multiple: int) -> None:
    """Owned parts follow one another; what is read is that and the halo, in whole multiples, within the image."""
    edges = [part[0], *(span.stop for span in cut)]
    assert edges[-1] == part[1]
    assert [span.start for span in cut] == edges[:-1]
    for span in cut:
        assert span.start < span.stop
        assert span.start % multiple == 0
        assert span.first % multiple == 0
        assert span.last % multiple == 0 or span.last == length
        assert max(0, span.start - halo) >= span.first >= max(0, span.start - rounded_up(halo, multiple))
        assert (
            min(length, span.stop + halo) <= span.last <= min(length, rounded_up(span.stop + halo, multiple) + multiple)
        )
    units = [ceil((span.stop - span.start) / multiple) for span in cut]
    assert max(units) - min(units) <= 1


@settings(max_examples=200, deadline=None)
@given(length=st.integers(1, 500), count=st.integers(1, 60), halo=st.integers(0, 30), multiple=multiples)
def test_spans_cover_an_axis_once_and_evenly(length: int, count: int, halo: int, multiple: int) -> None:
    cut = spans(length, count, halo=halo, multiple=multiple)
    assert len(cut) == min(count, ceil(length / multiple))
    check(cut, length, (0, length), halo, multiple)


@settings(max_examples=100, deadline=None)
@given(units=st.integers(1, 60), multiple=multiples, halo=st.integers(0, 30), count=st.integers(1, 9), data=st.data())
def test_spans_cover_a_part_of_an_axis_and_read_beyond_it(
    units: int, multiple: int, halo: int, count: int, data: st.DataObject
) -> None:
    length = units * multiple - data.draw(st.integers(0, multiple - 1))
    start = data.draw(st.integers(0, units - 1))
    stop = data.draw(st.integers(start + 1, units))
    part = start * multiple, min(stop * multiple, length)
    check(spans(length, count, halo=halo, multiple=multiple, part=part), length, part, halo, multiple)


@settings(max_examples=300, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    halo=st.integers(0, 24),
    multiple=multiples,
    room=st.none() | st.floats(1, 50),
    max_side=st.none() | st.integers(1, 200),
    max_rows=st.none() | st.integers(1, 200),
    data=st.data(),
)
def test_plans_keep_to_every_limit(
    height: int,
    width: int,
    halo: int,
    multiple: int,
    room: float | None,
    max_side: int | None,
    max_rows: int | None,
    data: st.DataObject,
) -> None:
    units = ceil(height / multiple)
    start = data.draw(st.integers(0, units - 1))
    stop = data.draw(st.integers(start + 1, units))
    rows = data.draw(st.sampled_from([None, (start * multiple, min(stop * multiple, height))]))
    max_pixels = None if room is None else int(smallest(halo, multiple) * room)
    grid = make_grid(
        height,
        width,
        halo=halo,
        multiple=multiple,
        max_pixels=max_pixels,
        max_side=max_side,
        max_rows=max_rows,
        rows=rows,
    )
    check(grid.rows, height, rows or (0, height), halo, multiple)
    check(grid.columns, width, (0, width), halo, multiple)
    if max_pixels is not None:
        assert grid.largest <= max_pixels
    for cut, limits in ((grid.rows, (max_side, max_rows)), (grid.columns, (max_side,))):
        for limit in limits:
            if limit is not None:
                assert max(span.stop - span.start for span in cut) <= max(limit, multiple)


@pytest.mark.parametrize("size", [(1, 1), (31, 47), (1, 500), (64, 64)])
@pytest.mark.parametrize("multiple", [1, 4, 8])
def test_an_image_that_fits_is_not_cut(size: tuple[int, int], multiple: int) -> None:
    area = size[0] * size[1]
    every: tuple[dict[str, Any], ...] = ({}, {"max_pixels": area}, {"max_side": max(size)}, {"max_rows": size[0]})
    for limits in every:
        grid = make_grid(*size, halo=9, multiple=multiple, **limits)
        assert len(grid.rows) == len(grid.columns) == 1
        assert grid.read == grid.largest == area


def test_a_photo_is_read_little_more_than_once() -> None:
    grid = make_grid(3000, 4000, halo=9, max_pixels=800_000)
    assert grid.largest <= 800_000
    assert grid.read <= 1.04 * 3000 * 4000
    assert len(grid.rows) * len(grid.columns) <= 20


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 260),
    width=st.integers(1, 260),
    halo=st.integers(0, 12),
    max_pixels=st.integers(2500, 40000),
)
def test_few_other_grids_read_less(height: int, width: int, halo: int, max_pixels: int) -> None:
    best = None
    rows = [spans(height, n, halo=halo) for n in range(1, height + 1)]
    for n in range(1, width + 1):
        columns = spans(width, n, halo=halo)
        for cut in rows:
            grid = Grid(cut, columns)
            if grid.largest <= max_pixels:
                best = min(best or grid.read, grid.read)
                break
        if best is not None and sum(span.last - span.first for span in columns) * height >= best:
            break
    assert best is not None
    assert make_grid(height, width, halo=halo, max_pixels=max_pixels).read <= 1.1 * best


def test_the_smallest_tile_always_fits_and_less_is_out_of_memory() -> None:
    for halo, multiple in ((9, 1), (9, 8), (0, 4), (0, 1)):
        least = smallest(halo, multiple)
        assert make_grid(301, 203, halo=halo, multiple=multiple, max_pixels=least).largest <= least
        with pytest.raises(OutOfMemory, match="smallest tile"):
            make_grid(301, 203, halo=halo, multiple=multiple, max_pixels=least - 1)


@pytest.mark.parametrize("max_pixels", [800_000, 16_384])
def test_a_huge_image_is_planned_without_trying_everything(max_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from hyperacuity import tiles

    made = []

    def counted(*arguments: Any, **options: Any) -> tuple[Span, ...]:
        made.append(spans(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(tiles, "spans", counted)
    grid = make_grid(100_000, 100_000, halo=9, max_pixels=max_pixels)
    assert len(made) == 2  # costs are computed; only the best grid is made
    tile_pixels = grid.read / (len(grid.rows) * len(grid.columns))
    assert tile_pixels > 0.9 * max_pixels
