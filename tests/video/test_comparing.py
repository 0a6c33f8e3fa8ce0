"""A result is held against the times of its source, as plain numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hyperacuity.formats.video.comparing import Departure, StreamSpan, compare_frames, compare_spans

EVEN = np.arange(100) / 25


def frames(found: object, **options: float) -> list[Departure]:
    return compare_frames(EVEN, np.asarray(found), 0.04, **options)


def test_rounded_times_are_no_departure() -> None:
    assert not frames(EVEN)
    assert not frames(np.round(EVEN + 0.004, 3))
    ntsc = np.arange(100) * 1001 / 30000
    assert not compare_frames(ntsc, np.round(ntsc, 3), 1001 / 30000)


def test_frames_that_could_not_be_decoded_are_named() -> None:
    (found,) = frames(np.delete(EVEN, range(40, 50)))
    assert found == Departure("from 1.64 to 1.92 s it lacks 8 of the source's 100 frames", serious=False)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (np.concatenate([EVEN[:50], 2 + np.arange(50) / 1e5]), "from 2.08 to 3.96 s it lacks 48"),
        (EVEN[:50], "from 2.04 to 3.96 s it lacks 49 of"),
        (np.concatenate([EVEN[:90], EVEN[90:] + 9800]), "it shows 10 frames that the source lacks"),
        (EVEN + 3, "its frames are shown 3.000 s later than the source's"),
    ],
)
def test_half_a_video_a_leap_and_a_shift_are_wrong(found: object, message: str) -> None:
    departures = frames(found)
    assert any(message in one.message for one in departures)
    assert any(one.serious for one in departures)


def test_a_shift_of_more_than_a_frame_is_named() -> None:
    assert frames(EVEN - 0.08) == [Departure("its frames are shown 0.080 s earlier than the source's", serious=False)]


def test_what_comes_before_the_first_key_frame_is_not_missed() -> None:
    assert frames(EVEN[30:])
    assert not frames(EVEN[30:], key=1.2)


def test_other_numbers_and_intervals_of_frames_are_named() -> None:
    assert [one.message for one in frames(np.repeat(EVEN, 2) + np.tile([0, 0.001], 100))] == [
        "it shows 200 frames, the source 100"
    ]
    uneven = EVEN + np.tile([0, 0.035], 50)
    (found,) = frames(uneven)
    assert found.message.startswith("its frames last 0.075 s") or found.message.startswith("its frames last 0.005 s")


def test_sound_that_moved_or_is_lost_is_named() -> None:
    sound = StreamSpan("audio", 0.0, 10.0, packet=0.023)
    assert not compare_spans([sound], [StreamSpan("audio", 0.02, 10.02)], 0.04)
    assert compare_spans([sound], [StreamSpan("audio", 0.0, 9.2)], 0.04) == [
        Departure("its stream 1 (audio) ends 0.800 s too early, at 9.20 s", serious=True)
    ]
    assert compare_spans([sound], [StreamSpan("audio", 0.1, 10.0)], 0.04) == [
        Departure("its stream 1 (audio) begins 0.100 s too late", serious=False)
    ]
    primed = StreamSpan("audio", 0.0, 10.0, hidden=0.128)
    assert not compare_spans([primed], [StreamSpan("audio", -0.128, 10.0)], 0.04)
    assert compare_spans([sound], [StreamSpan("audio", -0.9, 10.0)], 0.04)[0].serious
