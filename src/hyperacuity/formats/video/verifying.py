"""Reads a result back and compares it with what was muxed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from hyperacuity.errors import BadOutput
from hyperacuity.formats.video import copying
from hyperacuity.formats.video.muxing import MuxedFile

# How far a copied stream may begin or end from where it did, in seconds: Matroska counts in milliseconds.
_TOLERANCE = Fraction(1, 100)


def verify(path: Path, name: str, muxed: MuxedFile) -> None:
    """Read a file back and compare the number and the times of its packets with those muxed.

    Args:
        path: The file.
        name: The name of the file in errors.
        muxed: A summary of what was muxed.

    Raises:
        BadOutput: If a packet is missing, or has moved by more than the container's unit of time.
    """
    import av

    try:
        with av.open(str(path)) as container:
            own = container.streams[muxed.index]
            base = own.time_base or Fraction(1)
            attached = sum(copying.is_timeless(stream) for stream in container.streams)
            timed = [s for s in container.streams if not copying.is_timeless(s)]
            streams = [s for s in timed if not (copying.is_chapters(s) or copying.is_timecode(s))]
            found = {stream.index: copying.StreamCopy(stream, stream) for stream in streams}
            shown: list[int] = []
            for packet in container.demux(streams):
                if packet.size == 0:
                    continue
                found[packet.stream_index].count(packet)
                if packet.stream_index == own.index:
                    assert packet.pts is not None
                    shown.append(packet.pts)
            summaries = [copy.summary for index, copy in found.items() if index != own.index and copy.packets]
    except (av.FFmpegError, IndexError) as error:
        raise BadOutput(f"{name} cannot be read back: {error}") from error
    if len(shown) != len(muxed.pts):
        raise BadOutput(f"{name} holds {len(shown)} frames of {len(muxed.pts)}")
    for number, (time, wanted) in enumerate(zip(sorted(shown), muxed.pts, strict=True)):
        moved = abs(time * base - wanted * muxed.time_base)
        if moved >= base:
            raise BadOutput(f"{name}: frame {number} is shown {float(moved):.4f} s too early or too late")
    if (len(summaries), attached) != (len(muxed.copies), muxed.attached):
        raise BadOutput(
            f"{name} holds {len(summaries)} streams and {attached} attachments besides the video, not "
            f"{len(muxed.copies)} and {muxed.attached}"
        )
    for here, expected in zip(summaries, muxed.copies, strict=True):
        off = max(abs(here.first - expected.first), abs(here.last - expected.last))
        if here.packets != expected.packets or off > _TOLERANCE:
            raise BadOutput(
                f"{name}: {expected.kind} has {here.packets} packets from {float(here.first):.3f} to "
                f"{float(here.last):.3f} s, the source {expected.packets} from {float(expected.first):.3f} to "
                f"{float(expected.last):.3f} s"
            )
