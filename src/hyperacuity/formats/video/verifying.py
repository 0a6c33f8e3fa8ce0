"""Reads a result back and compares it with what was muxed, and with what the source intends."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperacuity.counting import counted
from hyperacuity.errors import BadOutput
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video import copying
from hyperacuity.formats.video.comparing import StreamSpan, compare_frames, compare_spans
from hyperacuity.formats.video.muxing import MuxedFile
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import WHOLE

if TYPE_CHECKING:
    import av

# How far a copied stream may begin or end from where it did, in seconds: Matroska counts in milliseconds.
_TOLERANCE = Fraction(1, 100)
# By how many a video of fields may miss twice the number of frames.
_FIELDS = 2


@dataclass
class _ReadBack:
    """What a result holds: the time base and the pts of its video, and its other streams with packets."""

    time_base: Fraction = Fraction(1)
    shown: list[int] = field(default_factory=list)
    attached: int = 0
    copies: list[copying.StreamSummary] = field(default_factory=list)
    spans: list[StreamSpan] = field(default_factory=list)


def verify(path: Path, name: str, muxed: MuxedFile, video: VideoSource) -> None:
    """Read a file back; compare it with what was muxed, and its times with those of the source.

    Warns with `LossWarning` where frames or sound depart from the source so little that the source may be the reason.

    Args:
        path: The file.
        name: The name of the file in errors.
        muxed: A summary of what was muxed.
        video: The source.

    Raises:
        BadOutput: If a packet is missing or has moved by more than the container's unit of time; or if the result is
            not presented as the source is.
    """
    found = _read_back(path, name, muxed.index)
    _compare_with_muxed(name, found, muxed)
    if not video.is_container or video.has_fixed_rate:
        return
    base, times = float(video.time_base), video.times
    origin = float(muxed.origin)
    expected = np.array(times.shown, np.float64) * base - origin
    if video.part != WHOLE:
        first, end = video.part.bounds(video.start, video.time_base)
        expected = expected[expected >= first * base - origin - 1e-9]
        expected = expected[expected < (np.inf if end is None else float(end) * base - origin - 1e-9)]
    if video.deinterlace and abs(len(expected) - 2 * len(found.shown)) <= _FIELDS:
        expected = expected[::2]  # each field is a packet
    departures = compare_frames(
        expected,
        np.sort(np.array(found.shown, np.float64)) * float(found.time_base),
        float(1 / video.rate),
        key=None if times.key is None else times.key * base - origin,
    )
    if video.part == WHOLE:
        departures += compare_spans(_expected_spans(times.others, muxed), found.spans, float(1 / video.rate))
    if wrong := [one.message for one in departures if one.serious]:
        raise BadOutput(f"{name} departs from {video.name}: {'; '.join(wrong)}")
    for one in departures:
        warnings.warn(LossWarning(f"{name} departs from {video.name}: {one.message}"), stacklevel=2)


def _expected_spans(streams: Mapping[int, StreamSpan], muxed: MuxedFile) -> Sequence[StreamSpan]:
    """When the source presents the streams that were copied, on the result's clock."""
    origin, spans = float(muxed.origin), []
    for copy in muxed.copies:
        own = streams.get(copy.index, StreamSpan(copy.kind, float(copy.first) + origin, float(copy.last) + origin))
        spans.append(StreamSpan(own.kind, own.first - origin, own.end - origin, own.hidden, own.packet))
    return spans


def _read_back(path: Path, name: str, index: int) -> _ReadBack:
    """Demux a result; `index` is that of its video."""
    import av

    result = _ReadBack()
    try:
        with av.open(str(path)) as container:
            own = container.streams[index]
            result.time_base = own.time_base or Fraction(1)
            result.attached = sum(copying.is_timeless(stream) for stream in container.streams)
            timed = [s for s in container.streams if not copying.is_timeless(s)]
            streams = [s for s in timed if not (copying.is_chapters(s) or copying.is_timecode(s))]
            copies = {stream.index: copying.StreamCopy(stream, stream) for stream in streams}
            spans: dict[int, tuple[Fraction, Fraction]] = {}
            for packet in container.demux(streams):
                if packet.size == 0:
                    continue
                copies[packet.stream_index].count(copying.packet_time(packet), packet.size)
                if packet.stream_index == own.index:
                    assert packet.pts is not None
                    result.shown.append(packet.pts)
                elif not packet.is_discard:
                    _extend(spans, packet)
            for number, copy in copies.items():
                if number != own.index and copy.packets:
                    first, end = spans.get(number, (copy.summary.first, copy.summary.last))
                    result.copies.append(copy.summary)
                    result.spans.append(StreamSpan(copy.summary.kind, float(first), float(end)))
    except (av.FFmpegError, IndexError) as error:
        raise BadOutput(f"{name} cannot be read back: {error}") from error
    return result


def _extend(spans: dict[int, tuple[Fraction, Fraction]], packet: av.Packet[Any]) -> None:
    """Extend the span of a packet's stream by the packet."""
    begin = copying.packet_time(packet)
    end = begin + (packet.duration or 0) * packet.time_base
    first, last = spans.get(packet.stream_index, (begin, end))
    spans[packet.stream_index] = min(first, begin), max(last, end)


def _compare_with_muxed(name: str, found: _ReadBack, muxed: MuxedFile) -> None:
    if len(found.shown) != len(muxed.pts):
        raise BadOutput(f"{name} holds {counted(len(found.shown), 'frame')} of {len(muxed.pts)}")
    for number, (time, wanted) in enumerate(zip(sorted(found.shown), muxed.pts, strict=True)):
        moved = abs(time * found.time_base - wanted * muxed.time_base)
        if moved >= found.time_base:
            raise BadOutput(f"{name}: frame {number} is shown {float(moved):.4f} s too early or too late")
    if (len(found.copies), found.attached) != (len(muxed.copies), muxed.attached):
        raise BadOutput(
            f"{name} holds {len(found.copies)} streams and {found.attached} attachments besides the video, not "
            f"{len(muxed.copies)} and {muxed.attached}"
        )
    for here, expected in zip(found.copies, muxed.copies, strict=True):
        off = max(abs(here.first - expected.first), abs(here.last - expected.last))
        if here.packets != expected.packets or off > _TOLERANCE:
            raise BadOutput(
                f"{name}: {expected.kind} has {here.packets} packets from {float(here.first):.3f} to "
                f"{float(here.last):.3f} s, the source {expected.packets} from {float(expected.first):.3f} to "
                f"{float(expected.last):.3f} s"
            )
