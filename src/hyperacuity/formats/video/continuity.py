"""Finds where the clock of a file restarts or leaps, and makes its time stamps continuous. Does not use FFmpeg.

A recording that was joined from several, or whose clock was set anew, has time stamps that go back or leap. The part
after such a place continues after the last frame before it. All streams move by the same time there, so that sound
stays with the image. Single time stamps that are wrong are replaced by what their neighbours imply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from hyperacuity.formats.video.corrections import Continuity, StampLog, StreamCorrection, Ticks
from hyperacuity.formats.video.timeline import is_restart
from hyperacuity.quantiles import median

# Time stamps of one stream in a file go back by less only where a muxer was careless, in seconds.
_BACK, _BACK_STEADY = 0.1, 1.0
# A step that is longer than the time that passed by more than this many seconds is a leap. Streams lie this far apart
# in a file at most.
_SLACK = 10.0
# Without another stream to compare with, a longer pause than this is a leap, in seconds.
_LONGEST_PAUSE = 600.0
# A pause that is not longer than this many times the frequent ones is one of them; and how frequent they are.
_SIMILAR, _FREQUENT = 4, 0.1
# At most this number of packets with wrong time stamps between right ones is corrected; more are a part of their own.
_OUTLIERS = 5
# Within this many packets before a seam, the demuxer notices that others are missing.
_SEAM = 3
# How many neighbours on both sides show where a frame is missing.
_NEIGHBOURS = 16
# How far apart the streams of one part begin, in seconds.
_SAME_CLOCK = 5.0
# Where a stream's own clock restarts and more time passes than this, its packets were lost, in seconds.
_LOST = 1.0
# Sound may overlap the sound of the next part by this many seconds, and is then cut; beyond, the next part waits.
_OVERLAP = Fraction(1, 10)


def find_corrections(logs: Mapping[int, StampLog], video: int, interval: Fraction, *, steady: bool) -> Continuity:
    """Returns what makes the time stamps of a file continuous.

    Args:
        logs: Of all streams.
        video: The index of the stream that the others follow.
        interval: The nominal interval of its frames, in seconds.
        steady: Whether the container's own clock cannot leap ahead: then long intervals are honest, and the times of
            decoding may be FFmpeg's guesses.
    """
    tracks = {index: _Track(log, interval) for index, log in logs.items() if len(log.dts)}
    if video not in tracks:
        return Continuity()
    dense = {index: track for index, track in tracks.items() if track.log.dense}
    moved: dict[int, Fraction] = {}
    others = {index: [other for other in dense.values() if other is not track] for index, track in tracks.items()}
    if not steady:
        for index, track in tracks.items():
            track.find_outliers(others[index])
        for index, track in dense.items():
            if index != video:
                track.spread()
                if offset := track.join_clock(tracks[video]):
                    moved[index] = -offset * track.log.time_base
    breaks = {index: track.find_breaks(others[index], steady=steady) for index, track in dense.items()}
    main = tracks[video]
    parts = _Parts(main, breaks.pop(video))
    found = {index: parts.follow(track, breaks.get(index, [])) for index, track in tracks.items() if track is not main}
    parts.place({index: begins for index, (begins, _) in found.items()}, tracks)
    streams = {video: main.correction(parts.begins, parts.shifts_of(main))}
    for index, (begins, alone) in found.items():
        streams[index] = parts.correction(tracks[index], begins, alone, main)
    changed = {index: each for index, each in streams.items() if each != StreamCorrection()}
    wrong = streams[video].replaced.values()
    outliers = tuple(sorted(pts * main.log.time_base for _, pts in wrong))
    sounds = sum(tracks[index].outliers for index in found)
    own = tuple(index for index, (_, breaks) in found.items() if breaks)
    return Continuity(changed, tuple(parts.starts), outliers, sounds=sounds, own=own, moved=moved)


class _Track:
    """A stream's time stamps as arrays.

    times: dts, or pts where it is missing, in ticks; packets without both have those of the packet before.
    shown: pts, or dts where it is missing.
    wrong: whether a packet's time stamp is an outlier; outliers: how many there are.
    offset: what was added to all times, in ticks, because the stream has a clock of its own.
    """

    def __init__(self, log: StampLog, interval: Fraction) -> None:
        self.log = log
        self.times, self.shown = log.decoded(), log.presented()
        self.places = np.array(log.places, np.int64)
        self.wrong = np.zeros(len(self.times), bool)
        self.outliers = self.offset = 0
        self._spread: Ticks = np.zeros(0, np.int64)  # packets that shared the time of the one before
        steps = np.diff(np.sort(self.shown))
        steps = steps[steps > 0]
        self.step = int(median(steps)) if len(steps) else max(1, round(interval / log.time_base))
        self._base = float(log.time_base)

    def seconds(self, ticks: Any) -> float:
        return float(ticks) * self._base

    def find_outliers(self, others: list[_Track]) -> None:
        """Mark packets that are stamped far from their neighbours, which continue as if these were not there."""
        steps = np.diff(self.times) * self._base
        for at in (int(n) + 1 for n in np.flatnonzero((steps <= -_BACK) | (steps > _SLACK))):
            if self.wrong[at - 1]:
                continue
            before = self.times[at - 1]
            for later in range(at + 1, min(at + 1 + _OUTLIERS, len(self.times))):
                usual = (later - at + 1) * 4 * self.step * self._base + 1
                back = steps[later - 1] <= -_BACK or steps[later - 1] > 3 * self.step * self._base
                if back and 0 < self.seconds(self.times[later] - before) <= usual:
                    self.wrong[at:later] = True
                    break
            else:
                # At the very beginning or end, another stream tells which side is right.
                if at <= _OUTLIERS < len(self.times) - at and _agree(self, at, 0, others) and not self.wrong[at]:
                    self.wrong[:at] = True
                elif len(self.times) - at <= _OUTLIERS < at and _agree(self, at - 1, at, others):
                    self.wrong[at:] = True
        # A frame is shown at most a few frames after it is decoded.
        padded = np.concatenate([self.times, np.full(_NEIGHBOURS, self.times[-1])])
        soon = np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS + 1).max(1)
        far = self.shown - soon, self.times - self.shown
        self.wrong |= np.maximum(*far) * self._base > _SLACK + _NEIGHBOURS * self.step * self._base

    def spread(self) -> None:
        """Let packets follow each other that share a time stamp, as in RealMedia, which stamps the first of several."""
        durations = np.array(self.log.durations, np.int64)
        shared = np.flatnonzero((np.diff(self.times) == 0) & (durations[:-1] > 0) & ~self.wrong[1:]) + 1
        for index in shared:
            self.times[index] = self.times[index - 1] + durations[index - 1]
            self.shown[index] = self.shown[index - 1] + durations[index - 1]
        self._spread = shared

    def join_clock(self, video: _Track) -> int:
        """Move a stream that lies among the video's packets but is stamped at another time; returns by how much."""
        if self.places[0] > video.places[-1] or video.places[0] > self.places[-1]:
            return 0
        own, other = (each.shown[~each.wrong] * each._base for each in (self, video))
        if not len(own) or not len(other):
            return 0
        if max(own.min() - other.max(), other.min() - own.max()) <= _SLACK:
            return 0
        start = int(video.shown[~video.wrong].min()) * video.log.time_base
        self.offset = round(start / self.log.time_base) - int(self.shown[~self.wrong].min())
        self.times += self.offset
        self.shown += self.offset
        return self.offset

    def find_breaks(self, others: list[_Track], *, steady: bool) -> list[int]:
        """The indices of packets before which the clock restarted or leapt."""
        right = np.flatnonzero(~self.wrong)
        steps = np.diff(self.times[right]) * self._base
        back = _BACK_STEADY if steady else _BACK
        found = []
        for n in (int(n) for n in np.flatnonzero((steps <= -back) | (steps > _SLACK))):
            before, at = int(right[n]), int(right[n + 1])
            if steps[n] > 0 and steady:
                continue
            span = self.seconds(self.times[before]), self.seconds(self.times[at])
            elapsed = [other.elapsed(self.places[before], self.places[at], span) for other in others]
            known = [time for time in elapsed if time is not None]
            if not is_restart(steps[n], max(known, default=0.0), back=back, slack=_SLACK):
                continue
            if steps[n] > 0 and np.count_nonzero(steps > steps[n] / _SIMILAR) > max(1, _FREQUENT * len(steps)):
                continue  # such pauses are usual here
            joined = bool(self.log.keys[at]) and any(self.log.corrupt[max(0, at - _SEAM) : at])
            if steps[n] < 0 or known or joined or steps[n] > _LONGEST_PAUSE:
                found.append(at)
        return found

    def elapsed(self, begin: Any, end: Any, span: tuple[float, float] = (0.0, 0.0)) -> float | None:
        """The seconds that this stream advanced between two places of the file; None where it has no packets.

        Args:
            begin, end: The places.
            span: A pause that may be honest, in seconds. It is if this stream plays through it without a break, though
                its packets may lie a little before or after the places.
        """
        first, last = np.searchsorted(self.places, (begin, end))
        if first == 0 or last >= len(self.places):
            return None
        steps = np.diff(self.times) * self._base
        breaks = np.flatnonzero((steps <= -_BACK) | (steps > _SLACK)) + 1
        own = steps[first - 1 : last]
        passed = np.where((own <= -_BACK) | (own > _SLACK), self.step * self._base, own).sum()
        bounds = [0, *breaks, len(self.times)]
        run = int(np.searchsorted(breaks, first - 1, "right"))
        run_begin, run_end = (self.seconds(self.times[n]) for n in (bounds[run], bounds[run + 1] - 1))
        return float(max(passed, min(run_end, span[1]) - max(run_begin, span[0])))

    def correction(self, begins: Sequence[int], shifts: Sequence[int]) -> StreamCorrection:
        """The correction for parts that begin at these packets; finds the places of outliers."""
        replaced = {}
        limits = [*begins[1:], len(self.times)]
        for begin, end, shift in zip(begins, limits, shifts, strict=True):
            for index in np.flatnonzero(self.wrong[begin:end]) + begin:
                near = slice(max(begin, index - _NEIGHBOURS), min(end, index + _NEIGHBOURS + 1))
                right = ~self.wrong[near]
                delay = median((self.shown[near] - self.times[near])[right])
                earlier = np.flatnonzero(~self.wrong[begin:index]) + begin
                before = self.times[earlier[-1]] + (index - earlier[-1] - 1) * self.step if len(earlier) else None
                decoded = self.times[near][right].min() - self.step if before is None else before + self.step
                own = _gap(np.sort(self.shown[near][right]), self.step, decoded + int(delay))
                self.times[index], self.shown[index] = min(own, decoded), own
                self.wrong[index] = False
                replaced[int(index)] = int(self.times[index]) + shift, own + shift
                self.outliers += 1
            for index in self._spread[(self._spread >= begin) & (self._spread < end)]:
                replaced[int(index)] = int(self.times[index]) + shift, int(self.shown[index]) + shift
        return StreamCorrection(tuple(begins), tuple(shift + self.offset for shift in shifts), replaced)


def _agree(track: _Track, right: int, wrong: int, others: list[_Track]) -> bool:
    """Whether another stream has times near those of the packet `right` and none near those of `wrong`."""

    def near(other: _Track, index: int) -> bool:
        place = int(np.searchsorted(other.places, track.places[index]))
        times = other.times[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS] * float(other.log.time_base)
        return bool((np.abs(times - track.seconds(track.times[index])) < _SLACK).any())

    return any(near(other, right) and not near(other, wrong) for other in others)


def _gap(known: Ticks, step: int, expected: int) -> int:
    """Where a frame is missing among these times, nearest to where it is expected."""
    gaps = known[:-1][np.diff(known) > 1.5 * step] + step
    candidates = [known[0] - step, *gaps, known[-1] + step]
    return int(min(candidates, key=lambda time: abs(time - expected)))


class _Parts:
    """The parts between restarts of the video's clock.

    begins: the first packet of each in the video.
    """

    def __init__(self, main: _Track, breaks: Sequence[int]) -> None:
        self.main = main
        self.begins = [0, *breaks]
        ends = [*breaks, len(main.times)]
        ranges = [slice(*each) for each in zip(self.begins, ends, strict=True)]
        self._shown = [main.shown[each][~main.wrong[each]] for each in ranges]
        decoded = [main.times[each][~main.wrong[each]] for each in ranges]
        self._clock = [main.seconds(each[0]) if len(each) else 0.0 for each in decoded]
        self._last = [main.seconds(each[-1]) if len(each) else 0.0 for each in decoded]
        self.offsets = [Fraction(0)]
        self.starts: list[Fraction] = []

    def shifts_of(self, track: _Track) -> list[int]:
        """The offsets in the time base of a stream."""
        return [round(offset / track.log.time_base) for offset in self.offsets]

    def follow(self, track: _Track, breaks: Sequence[int]) -> tuple[list[int], list[int]]:
        """The first packet of each part in another stream, and breaks of its own that no part explains."""
        begins, own = [0], list(breaks)
        times = track.times * float(track.log.time_base)
        for number in range(1, len(self.begins)):
            place, clock = self.main.places[self.begins[number]], self._clock[number]
            following = self.main.places[self.begins[number + 1]] if number + 1 < len(self.begins) else np.inf
            near = [n for n in own if n > begins[-1] and abs(times[n] - clock) < _SAME_CLOCK]
            near = [n for n in near if track.places[n] < following]
            if near:
                begins.append(min(near, key=lambda n: abs(track.places[n] - place)))
                own.remove(begins[-1])
                continue
            after = np.flatnonzero((track.places >= place) & (np.arange(len(times)) >= begins[-1]))
            newer = np.abs(times[after] - clock) < np.abs(times[after] - self._last[number - 1])
            begins.append(int(after[newer.argmax()]) if newer.any() else len(times))
        return begins, own

    def place(self, begins: Mapping[int, Sequence[int]], tracks: Mapping[int, _Track]) -> None:
        """Find the offset of each part: it continues after the last frame of the part before."""
        base = self.main.log.time_base
        for number in range(1, len(self.begins)):
            end = (int(self._shown[number - 1].max()) + self.main.step) * base + self.offsets[-1]
            offset = end - int(self._shown[number].min()) * base
            for index, firsts in begins.items():
                track = tracks[index]
                first = firsts[number]
                if track.log.dense and firsts[number - 1] < first < len(track.times):
                    heard = int(track.times[first - 1] + track.step) * track.log.time_base + self.offsets[-1]
                    overlap = heard - (int(track.times[first]) * track.log.time_base + offset)
                    if _OVERLAP < overlap < _SAME_CLOCK:
                        offset += overlap
            self.offsets.append(offset)
            self.starts.append(int(self._shown[number].min()) * base + offset)

    def correction(self, track: _Track, begins: Sequence[int], own: Sequence[int], main: _Track) -> StreamCorrection:
        """The correction of a stream that follows the parts, with restarts of its own."""
        shifts = self.shifts_of(track)
        for at in own:
            part = max(n for n, begin in enumerate(begins) if begin <= at)
            passed = main.elapsed(track.places[at - 1], track.places[at]) or 0.0
            step = round(passed / float(track.log.time_base)) if passed > _LOST else track.step
            moved = int(track.times[at - 1]) + shifts[part] + step - int(track.times[at])
            begins = [*begins[: part + 1], at, *begins[part + 1 :]]
            shifts = [*shifts[: part + 1], moved, *shifts[part + 1 :]]
        found = track.correction(begins, shifts)
        moved_times = track.times + np.repeat(shifts, np.diff([*begins, len(track.times)]))
        dropped: set[int] = set()
        for begin in begins[1:]:
            if 0 < begin < len(moved_times):
                late = np.flatnonzero(moved_times[:begin] >= moved_times[begin])
                dropped.update(int(n) for n in late if track.log.dense)
        begins, shifts = _without_empty(begins, [shift + track.offset for shift in shifts], len(track.times))
        return StreamCorrection(tuple(begins), tuple(shifts), found.replaced, frozenset(dropped))


def _without_empty(begins: Sequence[int], shifts: Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """Leaves out parts without packets, and those that move as the one before."""
    kept: Iterable[tuple[int, int]] = zip(begins, shifts, strict=True)
    firsts, moves = [0], [0]
    for begin, shift in kept:
        if begin >= count:
            continue
        if begin == firsts[-1]:
            moves[-1] = shift
        elif shift != moves[-1]:
            firsts.append(begin)
            moves.append(shift)
    return firsts, moves
