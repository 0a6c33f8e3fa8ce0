"""Clocks that restart or leap, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from hyperacuity.formats.video.continuity import find_corrections
from hyperacuity.formats.video.corrections import Continuity, StampLog

TICK = Fraction(1, 1000)
VIDEO, SOUND = 0, 1


def logged(video: Sequence[int], sound: Sequence[int] = (), *, order: Sequence[int] = ()) -> dict[int, StampLog]:
    """Logs of a video and a sound, whose packets lie in the file by their share of the whole, or as `order` has it."""
    logs = {VIDEO: StampLog(TICK)}
    packets = [(n / len(video), VIDEO, time) for n, time in enumerate(video)]
    if sound:
        logs[SOUND] = StampLog(TICK)
        packets += [(n / len(sound), SOUND, time) for n, time in enumerate(sound)]
    for place, (_, stream, time) in enumerate(sorted(packets)):
        logs[stream].add(place, time, time)
    return logs


def mended(logs: dict[int, StampLog], *, steady: bool = False) -> list[list[int | None]]:
    """The corrected dts of all streams, without dropped packets."""
    found = find_corrections(logs, VIDEO, Fraction(40, 1000), steady=steady)
    return [corrected(found, stream, list(log.dts)) for stream, log in logs.items()]


def corrected(found: Continuity, stream: int, times: Sequence[int]) -> list[int | None]:
    if stream not in found.streams:
        return list(times)
    own = found.streams[stream]
    return [own.correct(n, time, time)[0] for n, time in enumerate(times) if n not in own.dropped]


def evenly(start: int, count: int, step: int = 40) -> list[int]:
    return list(range(start, start + count * step, step))


def test_times_that_need_no_correction_stay() -> None:
    logs = logged([0, 33, 67, 100, 900, 5000, 14000], [0, 20, 40, 8000, 8020])
    assert find_corrections(logs, VIDEO, Fraction(1, 30), steady=False) == Continuity()


@pytest.mark.parametrize("start", [1480, 0, 7_200_000, 500, 1700])
def test_a_joined_recording_continues_after_the_last_frame(start: int) -> None:
    (video,) = mended(logged(evenly(1480, 10) + evenly(start, 10)))
    assert video == evenly(1480, 20)


def test_three_restarts_move_all_streams_together() -> None:
    parts = (1480, 1480, 90_000, 10)
    logs = logged([t for p in parts for t in evenly(p, 25)], [t for p in parts for t in evenly(p - 24, 50, 20)])
    video, sound = mended(logs)
    assert video == evenly(1480, 100)
    assert sound == evenly(1456, 200, 20)


def test_a_gap_without_sound_at_the_seam_keeps_the_offset_between_streams() -> None:
    """The second recording's sound begins late."""
    logs = logged(evenly(1000, 50) + evenly(1000, 50), evenly(1000, 100, 20) + evenly(1500, 75, 20))
    video, sound = mended(logs)
    assert video == evenly(1000, 100)
    assert sound == evenly(1000, 100, 20) + evenly(3500, 75, 20)


def test_sound_that_overlaps_the_next_part_is_cut_or_waited_for() -> None:
    logs = logged(evenly(1000, 50) + evenly(1000, 50), evenly(1000, 103, 20) + evenly(1000, 100, 20))
    video, sound = mended(logs)
    assert video == evenly(1000, 100)
    assert sound == evenly(1000, 200, 20)
    logs = logged(evenly(1000, 50) + evenly(1000, 50), evenly(1000, 150, 20) + evenly(1000, 100, 20))
    video, sound = mended(logs)
    assert video == evenly(1000, 50) + evenly(4000, 50)
    assert sound == evenly(1000, 250, 20)


def test_frames_stamped_hours_away_are_put_between_their_neighbours() -> None:
    times = evenly(1480, 50)
    for wrong in ([20], [20, 21], [31, 32, 33]):
        broken = [9_802_200 if n in wrong else time for n, time in enumerate(times)]
        found = find_corrections(logged(broken), VIDEO, Fraction(1, 25), steady=False)
        assert corrected(found, VIDEO, broken) == times
        assert [round(time / TICK) for time in found.outliers] == [times[n] for n in wrong]
        assert not found.restarts


def test_a_wrong_time_at_the_beginning_is_known_by_the_sound() -> None:
    video, sound = mended(logged([9_802_200, *evenly(1520, 49)], evenly(1480, 100, 20)))
    assert video[1:] == evenly(1520, 49)
    assert video[0] is not None
    assert abs(video[0] - 1480) <= 2000
    assert sound == evenly(1480, 100, 20)


def test_wrong_times_of_sound_are_corrected() -> None:
    times = evenly(1000, 100, 20)
    video, sound = mended(logged(evenly(1000, 50), [9_000_000 if n == 40 else time for n, time in enumerate(times)]))
    assert (video, sound) == (evenly(1000, 50), times)


def test_a_sounds_own_restart_moves_it_alone() -> None:
    video, sound = mended(logged(evenly(1000, 50), evenly(1000, 50, 20) + evenly(5_000_000, 50, 20)))
    assert (video, sound) == (evenly(1000, 50), evenly(1000, 100, 20))
    logs = logged(evenly(1000, 50), evenly(1000, 50, 20) + evenly(5_000_000, 50, 20))
    (clause,) = find_corrections(logs, VIDEO, Fraction(1, 25), steady=False).describe(Fraction(1))
    assert clause == "the clock of stream 1 restarts or leaps by itself and is made continuous"


def test_a_pause_is_honest_while_sound_goes_on() -> None:
    video = [*evenly(0, 25), *evenly(31_000, 25), *evenly(62_000, 25)]
    sound = evenly(0, 3150, 20)
    logs = {VIDEO: StampLog(TICK), SOUND: StampLog(TICK)}
    packets = sorted([(time, VIDEO) for time in video] + [(time, SOUND) for time in sound])
    for place, (time, stream) in enumerate(packets):
        logs[stream].add(place, time, time, key=True)
    assert mended(logs) == [video, sound]


def test_a_pause_is_honest_if_its_sound_lies_elsewhere_in_the_file() -> None:
    """Muxers write packets late that wait for another stream, and demuxers return the last before a pause late."""
    video, sound = [*evenly(0, 25), *evenly(31_000, 25)], evenly(0, 1600, 20)
    for early in (True, False):
        logs = {VIDEO: StampLog(TICK), SOUND: StampLog(TICK)}
        moved = 31_000 if early else 960  # the sound of the pause comes before the last frame before it, or after all
        packets = sorted(
            [(moved if time == 960 else time, VIDEO, time) for time in video]
            + [(time if early or time <= 940 else max(time, 31_100), SOUND, time) for time in sound]
        )
        for place, (_, stream, time) in enumerate(packets):
            logs[stream].add(place, time, time)
        assert mended(logs) == [video, sound], early


def test_pauses_without_sound_are_honest_and_hours_are_not() -> None:
    slides = evenly(0, 10, 30_000)
    assert mended(logged(slides)) == [slides]
    screen = evenly(0, 50) + evenly(45_000, 50)
    assert mended(logged(screen)) == [screen]
    assert mended(logged(evenly(0, 50) + evenly(45_000_000, 50))) == [evenly(0, 100)]


def test_all_streams_leap_together() -> None:
    logs = logged(evenly(0, 50) + evenly(60_000, 50), evenly(0, 100, 20) + evenly(60_000, 100, 20))
    assert mended(logs) == [evenly(0, 100), evenly(0, 200, 20)]
    assert mended(logs, steady=True)[0] == evenly(0, 50) + evenly(60_000, 50)  # a sample table does not leap


def test_sparse_streams_follow_the_part_they_belong_to() -> None:
    logs = logged(evenly(1000, 50) + evenly(1000, 50))
    logs[2] = StampLog(TICK, dense=False)
    for place, time in ((10, 1400), (40, 2600), (55, 1200), (90, 2600)):
        logs[2].add(place, time, time)
    assert mended(logs) == [evenly(1000, 100), [1400, 2600, 3200, 4600]]


def test_sound_with_another_clock_is_moved_to_the_video_and_named() -> None:
    away = 7_200_000
    found = find_corrections(logged(evenly(away, 50), evenly(990, 100, 20)), VIDEO, Fraction(1, 25), steady=False)
    assert corrected(found, VIDEO, evenly(away, 50)) == evenly(away, 50)
    assert corrected(found, SOUND, evenly(990, 100, 20)) == evenly(away, 100, 20)
    assert "stream 1 is stamped 7199.01 s away from the video" in " ".join(found.describe(Fraction(0)))
    late = logged(evenly(0, 500), evenly(9000, 10, 20))
    assert find_corrections(late, VIDEO, Fraction(1, 25), steady=False) == Continuity()


def test_sound_that_follows_the_video_in_the_file_keeps_its_clock() -> None:
    logs = {VIDEO: StampLog(TICK), SOUND: StampLog(TICK)}
    packets = [(VIDEO, time) for time in evenly(0, 50)] + [(SOUND, time) for time in evenly(15_000, 50)]
    for place, (stream, time) in enumerate(packets):
        logs[stream].add(place, time, time)
    assert find_corrections(logs, VIDEO, Fraction(1, 25), steady=False) == Continuity()


def test_packets_of_sound_that_share_a_time_follow_each_other() -> None:
    """RealMedia stamps only the first of several."""
    logs = {VIDEO: StampLog(TICK), SOUND: StampLog(TICK)}
    for n, time in enumerate(evenly(0, 50)):
        logs[VIDEO].add(3 * n, time, time)
    stamped = [400 * (n // 20) for n in range(100)]
    for n, time in enumerate(stamped):
        logs[SOUND].add(3 * (n // 2) + 1 + n % 2, time, time, 20)
    assert mended(logs) == [evenly(0, 50), evenly(0, 100, 20)]


def test_corrected_sound_is_named() -> None:
    sound = [9_000_000 if n == 40 else time for n, time in enumerate(evenly(1000, 100, 20))]
    found = find_corrections(logged(evenly(1000, 50), sound), VIDEO, Fraction(1, 25), steady=False)
    assert found.describe(Fraction(1)) == [
        "wrong time stamps of 1 packet of other streams are replaced by those that their neighbours imply"
    ]
