from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperacuity.errors import UsageError
from hyperacuity.size import Size

lengths = st.integers(1, 100_000)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Size(), (600, 800)),
        (Size(scale=3), (900, 1200)),
        (Size(3), (900, 1200)),
        (Size(scale=0.5), (150, 200)),
        (Size(scale=1.5), (450, 600)),
        (Size(width=1000), (750, 1000)),
        (Size(height=1000), (1000, 1333)),
        (Size(width=7, height=9), (9, 7)),
        (Size(width=1), (1, 1)),
        (Size(megapixels=0.48), (600, 800)),
        (Size(megapixels=12), (3000, 4000)),
        (Size(width=1000.0), (750, 1000)),  # type: ignore[arg-type]
    ],
)
def test_each_request_resolves_to_its_size(wanted: Size, expected: tuple[int, int]) -> None:
    sides = wanted.resolve(300, 400)
    assert sides == expected
    assert all(type(side) is int for side in sides)


def test_halves_are_rounded_up() -> None:
    assert Size(scale=0.5).resolve(5, 7) == (3, 4)
    assert Size(scale=2.5).resolve(1, 3) == (3, 8)


def test_a_side_is_at_least_one_pixel() -> None:
    assert Size(scale=1e-300).resolve(300, 400) == (1, 1)
    assert Size(width=1).resolve(1, 10_000) == (1, 1)
    assert Size(megapixels=1e-9).resolve(300, 400) == (1, 1)


@given(height=lengths, width=lengths, wanted=lengths)
def test_a_requested_side_is_exact(height: int, width: int, wanted: int) -> None:
    try:
        assert Size(width=wanted).resolve(height, width)[1] == wanted
        assert Size(height=wanted).resolve(height, width)[0] == wanted
    except UsageError:
        assert wanted * max(height / width, width / height) > 2**31
    assert Size(width=wanted, height=5).resolve(height, width) == (5, wanted)


@given(height=st.integers(100, 9000), width=st.integers(100, 9000), megapixels=st.floats(0.1, 500))
def test_megapixels_keep_area_and_proportions(height: int, width: int, megapixels: float) -> None:
    tall, wide = Size(megapixels=megapixels).resolve(height, width)
    assert tall * wide == pytest.approx(megapixels * 1e6, abs=tall + wide)
    assert abs(tall * width - wide * height) <= height + width


@pytest.mark.parametrize("name", ["scale", "width", "height", "megapixels"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_values_that_are_not_positive_are_refused(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} must be a positive number"):
        Size(**{name: value})


@pytest.mark.parametrize("name", ["scale", "width", "height", "megapixels"])
@pytest.mark.parametrize("value", ["2", [2], 2j])
def test_values_that_are_not_numbers_are_refused(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} must be a number, not "):
        Size(**{name: value})


@pytest.mark.parametrize(
    "requests",
    [
        {"scale": 2, "width": 100},
        {"scale": 2, "height": 100},
        {"scale": 2, "megapixels": 1},
        {"width": 2, "megapixels": 1},
        {"width": 2, "height": 3, "megapixels": 1},
        {"scale": 1, "width": 2, "height": 3},
    ],
)
def test_two_kinds_of_request_are_refused_by_name(requests: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as error:
        Size(**requests)
    assert " and ".join(requests) in str(error.value)


def test_half_pixels_are_refused() -> None:
    with pytest.raises(UsageError, match="whole number"):
        Size(width=100.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", [Size(scale=1e300), Size(scale=1e308), Size(megapixels=1e30), Size(width=10**12)])
def test_a_side_longer_than_any_file_holds_is_refused(wanted: Size) -> None:
    with pytest.raises(UsageError, match="request a smaller one"):
        wanted.resolve(300, 400)


@pytest.mark.parametrize(
    ("box", "fitted", "stretched"),
    [
        ((800, 600), (600, 800), False),
        ((800, 800), (600, 800), True),
        ((2000, 300), (300, 400), True),
        ((801, 600), (600, 800), True),
        ((100, 75), (75, 100), False),
        ((10, 7), (7, 9), False),
    ],
)
def test_width_and_height_stretch_or_fit(box: tuple[int, int], fitted: tuple[int, int], stretched: bool) -> None:
    assert Size(width=box[0], height=box[1], fit=True).resolve(300, 400) == fitted
    assert not Size(width=box[0], height=box[1], fit=True).stretches(300, 400)
    assert Size(width=box[0], height=box[1]).resolve(300, 400) == box[::-1]
    assert Size(width=box[0], height=box[1]).stretches(300, 400) is stretched


def test_fit_needs_both_sides() -> None:
    for sides in ({}, {"width": 9}, {"scale": 2}):
        with pytest.raises(UsageError, match="needs a width and a height"):
            Size(fit=True, **sides)
