"""The plan of tiles, rows per core and memory, from plain numbers."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperacuity import tiles
from hyperacuity.pipeline import tile_budget
from hyperacuity.pipeline.tile_budget import TilePlan

GIB = 1 << 30
# A network such as Acute 50k x2 on luma, on a machine with much memory and one core.
plan = functools.partial(
    tile_budget.plan,
    halo=9,
    multiple=1,
    scale=2,
    channels=1,
    images=1,
    activation_bytes=256,
    available=16 * GIB,
    cores=1,
)


def test_a_large_image_gets_tiles_of_the_usual_size() -> None:
    usual = plan(6000, 8000)
    assert usual.max_pixels == max(tile_budget.TILE_PIXELS, (42 * 9) ** 2)
    assert usual == TilePlan(None, usual.max_pixels, 19**2, tile_budget.STRIP_MEMORY // (4 * 8000 * 4), None, (0, 0))


def test_less_memory_gives_smaller_tiles_but_never_tiny_ones() -> None:
    assert plan(3000, 4000, available=100 << 20).max_pixels == (100 << 20) // 4 // 256
    assert plan(3000, 4000, available=0).max_pixels == tile_budget.SMALLEST_TILE
    # A tile is never smaller than what the halo needs.
    assert plan(3000, 4000, available=0, halo=100).max_pixels == tiles.smallest(100, 1) == 201**2


def test_a_large_halo_gets_larger_tiles_up_to_a_limit() -> None:
    assert plan(3000, 4000, halo=36).max_pixels == (42 * 36) ** 2
    heavy = plan(3000, 4000, halo=40, activation_bytes=16 << 10)
    assert heavy.max_pixels == tile_budget.TILE_MEMORY // (16 << 10)


def test_alpha_halves_the_tiles_and_the_rows() -> None:
    one, two = plan(6000, 8000), plan(6000, 8000, images=2)
    assert one.max_pixels is not None
    assert one.max_rows is not None
    assert two.max_pixels == one.max_pixels // 2
    assert two.max_rows == one.max_rows // 2


def test_unknown_memory_of_a_network_sets_no_limit() -> None:
    unknown = plan(3000, 4000, activation_bytes=0, available=0)
    assert (unknown.tile, unknown.max_pixels) == (None, None)
    assert unknown.max_rows is not None


@pytest.mark.parametrize(("tile", "rows"), [(0, None), (100, 524)])
def test_a_tile_that_the_user_asked_for_has_no_other_limit_of_pixels(tile: int, rows: int | None) -> None:
    asked = plan(3000, 8000, tile=tile, cores=8, available=0, whole=True)
    assert asked == TilePlan(tile, None, 19**2, rows, None, (0, 0))


def test_a_network_on_the_whole_image_gets_one_piece_where_memory_allows() -> None:
    needed = 1000 * 1000 * 256
    assert plan(1000, 1000, whole=True, available=2 * needed).tile == 0
    assert plan(1000, 1000, whole=True, available=2 * needed - 2).tile is None
    assert plan(1000, 1000, whole=True, images=2, available=2 * needed).tile is None
    tiled = plan(1000, 1000, whole=True, available=needed, cores=4)
    assert tiled.rows_per_core is None
    assert tiled.max_pixels is not None


@pytest.mark.parametrize("cores", [2, 4])
def test_each_core_gets_rows_that_are_worth_their_halo(cores: int) -> None:
    shared = plan(2000, 1000, cores=cores)
    assert shared.rows_per_core is not None
    assert shared.max_rows == shared.rows_per_core >= tile_budget.ROW_HEIGHT * 9
    count = -(-2000 // shared.rows_per_core)
    assert count % cores == 0  # no core waits for the last row
    assert plan(2000, 1000, cores=1).rows_per_core is None
    assert plan((tile_budget.ROW_HEIGHT * 9 - 1) * cores, 1000, cores=cores).rows_per_core is None
    assert plan(tile_budget.ROW_HEIGHT * 9 * cores, 1000, cores=cores).rows_per_core == tile_budget.ROW_HEIGHT * 9
    assert plan(2000, 1000, cores=cores, available=64 << 20).rows_per_core is None


@pytest.mark.parametrize(
    ("size", "halo", "multiple", "ring"),
    [
        ((100, 100), 9, 1, (0, 0)),
        ((9, 10), 9, 1, (9, 0)),
        ((1, 1), 200, 1, (24, 24)),
        ((8, 100), 9, 4, (12, 0)),
        ((1, 1), 0, 1, (0, 0)),
    ],
)
def test_an_image_that_is_all_border_gets_a_ring(
    size: tuple[int, int], halo: int, multiple: int, ring: tuple[int, int]
) -> None:
    assert plan(*size, halo=halo, multiple=multiple).ring == ring


def test_a_ring_counts_as_computed_pixels() -> None:
    thin = plan(9, 10_000, available=100 << 20)
    assert thin.max_pixels == int((100 << 20) // 4 // 256 / 3)


def test_rows_stay_as_high_as_the_halo_however_wide_they_are() -> None:
    assert plan(3000, 1 << 26, halo=36).max_rows == 72
    assert plan(3000, 1 << 26, halo=0).max_rows == 1


@settings(max_examples=200, deadline=None)
@given(
    height=st.integers(1, 20_000),
    width=st.integers(1, 20_000),
    numbers=st.fixed_dictionaries(
        {
            "halo": st.integers(0, 300),
            "multiple": st.sampled_from([1, 2, 4, 8]),
            "scale": st.integers(1, 4),
            "channels": st.sampled_from([1, 3]),
            "images": st.sampled_from([1, 2]),
            "activation_bytes": st.integers(0, 1 << 16),
            "available": st.integers(0, 64 * GIB),
            "cores": st.integers(1, 64),
            "tile": st.none() | st.integers(0, 1000),
            "whole": st.booleans(),
        }
    ),
)
def test_every_plan_can_be_carried_out(height: int, width: int, numbers: dict[str, Any]) -> None:
    made = tile_budget.plan(height, width, **numbers)
    assert made.max_pixels is None or made.max_pixels >= made.least_pixels
    assert made.max_rows is None or made.max_rows >= max(1, 2 * numbers["halo"], made.rows_per_core or 0)
    assert all(side % numbers["multiple"] == 0 for side in made.ring)
    grid = tiles.make_grid(
        height,
        width,
        halo=numbers["halo"],
        multiple=numbers["multiple"],
        max_pixels=made.max_pixels,
        max_side=made.tile or None,
        max_rows=made.max_rows,
    )
    assert made.max_pixels is None or grid.largest <= made.max_pixels
