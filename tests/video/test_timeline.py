"""Time stamps as plain numbers, without FFmpeg."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.frames import PlanarFrame
from hyperacuity.formats.video.timeline import (
    WHOLE,
    DecodingOrder,
    Part,
    decoding_times,
    is_restart,
    last_duration,
    select,
    uneven_durations,
)

MILLISECOND = Fraction(1, 1000)


def frames(*times: int) -> list[PlanarFrame]:
    return [PlanarFrame((), pts) for pts in times]


def test_a_part_is_bounded_by_its_start_and_end() -> None:
    assert Part(Fraction(1, 2), Fraction(1)).bounds(100, MILLISECOND) == (600, Fraction(1600))
    assert WHOLE.bounds(100, MILLISECOND) == (100, None)
    shown = list(select(frames(0, 40, 80, 120, 160), 40, Fraction(120)))
    assert [frame.pts for frame in shown] == [40, 80]


def test_a_part_is_never_longer_than_the_rest_of_the_video() -> None:
    assert WHOLE.count_frames(250, Fraction(25)) == 250
    assert Part(Fraction(2), Fraction(3)).count_frames(250, Fraction(25)) == 75
    assert Part(Fraction(8), Fraction(3)).count_frames(250, Fraction(25)) == 50
    assert Part(Fraction(20)).count_frames(250, Fraction(25)) == 0
    assert Part(Fraction(2)).count_frames(0, Fraction(25)) == 0  # unknown stays unknown


@pytest.mark.parametrize(("start", "duration"), [(-1, None), (0, 0), (0, -1)])
def test_a_part_of_negative_time_is_refused(start: int, duration: int | None) -> None:
    with pytest.raises(UsageError, match="must"):
        Part(Fraction(start), None if duration is None else Fraction(duration))


def test_frames_of_equal_or_falling_times_are_moved_behind_each_other() -> None:
    shown = list(select(frames(0, 40, 40, 39, 80), 0, None))
    assert [frame.pts for frame in shown] == [0, 40, 41, 42, 80]


def test_the_last_frame_lasts_as_long_as_others_if_its_duration_is_unknown() -> None:
    assert last_duration(33, Fraction(25), MILLISECOND) == 33
    assert last_duration(0, Fraction(25), MILLISECOND) == 40
    assert last_duration(0, Fraction(5000), MILLISECOND) == 1


def test_uneven_durations_are_found_beyond_the_rounding_of_containers() -> None:
    assert uneven_durations([0, 33, 67, 100], MILLISECOND) is None
    assert uneven_durations([0], MILLISECOND) is None
    assert uneven_durations([0, 40, 140], MILLISECOND) == (Fraction(40, 1000), Fraction(100, 1000))
    assert uneven_durations([0, 1, 3], Fraction(1, 25)) is None  # within one unit of the time base


def test_packets_are_decoded_in_order_and_never_after_they_are_shown() -> None:
    assert decoding_times([0, 40, 80]) == [0, 40, 80]
    assert decoding_times([0, 120, 40, 80]) == [-40, 0, 40, 80]
    assert decoding_times([]) == []
    generator = random.Random(0)
    for _ in range(100):
        pts = generator.sample(range(1000), generator.randint(1, 20))
        dts = decoding_times(pts)
        assert dts == sorted(set(dts))
        assert all(decoded <= shown for decoded, shown in zip(dts, pts, strict=True))


def test_frames_in_the_order_of_decoding_get_the_earliest_time_that_is_left() -> None:
    order = DecodingOrder(40, reorders=True)
    assert [order.add(dts) for dts in (0, 40, 80)] == [0, 40, 80]
    assert order.take() == 0
    order.remove(40)  # a packet without a frame
    assert order.add(None) == 120
    assert [order.take(), order.take(), order.take()] == [80, 120, 160]


def test_empty_places_after_the_first_frame_are_an_encoders_delay_and_later_ones_are_not() -> None:
    times = (0, 160, 200, 240, 400)
    order = DecodingOrder(40, reorders=True)
    assert [order.add(dts) for dts in times] == [0, 40, 80, 120, 280]
    assert order.empty == 6
    order = DecodingOrder(40, reorders=False)
    assert [order.add(dts) for dts in times] == list(times)


def test_a_stream_without_time_stamps_counts_its_frames() -> None:
    order = DecodingOrder(40, reorders=True)
    assert [order.take() for _ in range(3)] == [0, 40, 80]


def test_a_clock_restarts_where_it_goes_back_or_leaps_ahead_of_the_time_that_passed() -> None:
    for step, elapsed, restarted in (
        (0.04, 0, False),
        (-0.2, 0, False),
        (-0.6, 0, True),
        (30, 29, False),
        (30, 1, True),
    ):
        assert is_restart(step, elapsed, back=0.5, slack=10) == restarted
