"""Decodes a video: packets -> planar frames with time stamps, with what is damaged replaced."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperacuity.counting import counted
from hyperacuity.errors import DamagedFile, Use
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.appended import has_second_file
from hyperacuity.formats.video.damage import DamageMender, LeadIn, PacketRecord, PacketTally
from hyperacuity.formats.video.deinterlacing import Deinterlacer
from hyperacuity.formats.video.ffmpeg import error_text
from hyperacuity.formats.video.frames import PlanarFrame, alpha_plane, from_av
from hyperacuity.formats.video.hdr import unwritable_metadata
from hyperacuity.formats.video.scanning import (
    PacketCorrector,
    demux,
    ends_stream,
    lacks_display_order,
    lacks_time,
    nominal_interval,
)
from hyperacuity.formats.video.shapes import FrameShape, ShapeTracker, fit
from hyperacuity.formats.video.timeline import WHOLE, DecodingOrder
from hyperacuity.formats.video.transport import is_whole_before_join
from hyperacuity.formats.video.truncation import count_missing

if TYPE_CHECKING:
    import av

    from hyperacuity.formats.video.source import VideoSource

# The marker before each frame of Y4M, unless it has parameters; and how long the first line of a file may be.
_Y4M_FRAME, _Y4M_LINE = b"FRAME\n", 1 << 12


class FrameReader:
    """Reads the frames of a video once, from where its container stands.

    Args:
        video: The video.
        container: Its open file.
        stream: Its stream in that file.
    """

    def __init__(self, video: VideoSource, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._video, self._container, self._stream = video, container, stream
        self._decoder = video.decoder(stream)
        self._corrector = PacketCorrector(video.continuity)
        self._order: DecodingOrder | None = None
        if lacks_display_order(container) and video.is_container:
            interval = nominal_interval(stream, video.rate)
            self._order = DecodingOrder(interval, reorders=bool(stream.codec_context.has_b_frames))
        self._timeless = lacks_time(container)
        self._lead_in = LeadIn()
        self._shapes: ShapeTracker | None = None
        self._interlaced = self._shaped = 0
        self._later: dict[str, None] = {}  # names of metadata that appear in any frame and that no result can hold
        self._other_shape: tuple[FrameShape, int] | None = None  # the first of another shape, and when it is shown
        self._last: int | None = None  # the time stamp of the last frame decoded

    def frames(self) -> Iterator[PlanarFrame]:
        """Yields all frames, the last good one repeated for those that are damaged or missing."""
        mender = DamageMender()
        deinterlacer = Deinterlacer(self._stream) if self._video.deinterlace else None
        for packet in self.packets():
            if packet.size == 0 and not ends_stream(packet):
                yield from mender.repeat(packet.pts)
                continue
            decoded, record = self._decode(packet)
            for each in self._lead_in.pass_on(record, decoded=bool(decoded), last=packet.size == 0):
                mender.add_packet(each)
            for frame in decoded:
                assert frame.pts is not None
                self._interlaced += frame.interlaced_frame
                damaged = mender.is_damaged(frame.pts, corrupt=frame.is_corrupt)
                for whole in deinterlacer.push(frame) if deinterlacer else (frame,):
                    if damaged and self._video.strict:
                        raise DamagedFile(f"{self._video.name}: the frame at {self._time(whole.pts)} is damaged")
                    yield from mender.add_frame(self._planar(whole), damaged=damaged)
        for whole in deinterlacer.flush() if deinterlacer else ():
            yield from mender.add_frame(self._planar(whole), damaged=False)
        yield from mender.finish()

    def _decode(self, packet: av.Packet[Any]) -> tuple[list[av.VideoFrame], PacketRecord]:
        """The frames that a packet completes, with their time stamps; and a record of the packet."""
        import av

        time = packet.pts
        if self._order is not None and packet.size and not self._timeless:
            time = self._order.add(packet.dts)
        decoded: list[av.VideoFrame] = []
        decodable = True
        try:
            if self._corrector.after_seam and packet.is_keyframe:
                decoded = self._decoder.decode(None)  # what the decoder holds belongs before the seam
                self._decoder.flush_buffers()
            decoded += self._decoder.decode(packet)
        except (av.InvalidDataError, av.error.PatchWelcomeError) as error:
            if self._video.strict:
                message = f"{self._video.name}: the frame at {self._time(time)}: {error_text(error)}"
                raise DamagedFile(message) from error
            decodable = False
        if self._order is not None and packet.size:
            if not decodable:
                time = self._order.take() if self._timeless else time
                self._order.remove(time or 0)
            elif not decoded and self._stream.codec_context.name == "mpeg4" and self._last is not None:
                self._order.remove(time or 0)  # a packet that only says "as before"
        for frame in decoded:
            frame.pts = self._order.take() if self._order is not None else self._known_time(frame)
            self._last = frame.pts
        corrupt = packet.is_corrupt and not self._corrector.at_seam and not self._is_joined(packet)
        return decoded, PacketRecord(time, packet.is_keyframe, corrupt, packet.is_discard, decodable)

    def _is_joined(self, packet: av.Packet[Any]) -> bool:
        """Whether a packet that the demuxer marks as corrupt is whole, since recordings were joined behind it."""
        path = self._video.source
        if not isinstance(path, Path) or self._container.format.name != "mpegts" or packet.pos is None:
            return False
        return is_whole_before_join(path, packet.pos)

    def _known_time(self, frame: av.VideoFrame) -> int:
        """The time stamp of a frame; without one, it follows the frame before."""
        if frame.pts is not None:
            return frame.pts
        if self._last is None:
            return frame.dts if self._video.part.start and frame.dts is not None else self._video.start
        return self._last + nominal_interval(self._stream, self._video.rate)

    def packets(self) -> Iterator[av.Packet[Any]]:
        """Yields the video's packets, the empty last one too; a truncated file just ends early."""
        import av

        video, tally = self._video, PacketTally()
        try:
            more = yield from self._counted_packets(tally)
        except av.FFmpegError as error:
            if video.strict:
                raise DamagedFile(f"{video.name} ends early: {error_text(error)}") from error
            message = f"{video.name} is damaged and ends early: {error_text(error)}"
            warnings.warn(LossWarning(message), stacklevel=2)
            return
        if more:
            message = (
                f"{video.name}: further streams begin inside the file, as in recordings joined from different sources; "
                "they are left out"
            )
            warnings.warn(LossWarning(message), stacklevel=2)
        if video.part != WHOLE or not video.is_container:
            return
        assert isinstance(video.source, Path)
        if has_second_file(video.source, self._container.format.name, tally.place):
            message = (
                f"{video.name}: a second file follows the first, as if videos had been joined byte by byte, which this "
                "container does not allow; it is left out"
            )
            warnings.warn(LossWarning(message), stacklevel=2)
        promised = max(0, video.promised_frames - (self._order.empty if self._order else 0))
        missing = tally.describe_missing(promised, video.tagged_end, video.time_base)
        if not missing and self._container.format.name == "yuv4mpegpipe" and _y4m_breaks_off(video.source, tally):
            missing = f"is cut short inside the frame after the first {tally.packets}"
        if not missing and (end := count_missing(video.source, self._container.format.name)):
            missing = f"is cut short: {end} bytes are missing at its end"
        if missing and video.strict:
            raise DamagedFile(f"{video.name} {missing}")
        if missing:
            warnings.warn(LossWarning(f"{video.name} {missing}"), stacklevel=2)

    def _counted_packets(self, tally: PacketTally) -> Generator[av.Packet[Any], None, bool]:
        """The video's packets with corrected time stamps; returns whether further streams have begun."""
        packets = demux(self._container, [self._stream])
        while True:
            try:
                packet = next(packets)
            except StopIteration as end:
                return bool(end.value) and self._video.is_container
            if self._corrector.correct(packet):
                tally.add(packet.pts, packet.duration or 0, packet.size, packet.pos or 0)
                if self._corrector.replaced:
                    packet.pts = None  # it is known of several frames only as a whole; the decoder knows their order
                yield packet

    def _planar(self, frame: av.VideoFrame) -> PlanarFrame:
        assert frame.pts is not None
        self._later.update(dict.fromkeys(unwritable_metadata(frame)))
        wanted, coded = self._video.shape, self._stream.codec_context.sample_aspect_ratio
        if self._shapes is None:
            self._shapes = ShapeTracker(wanted, coded)
        shape = self._shapes.shape_of(frame, coded)
        alpha = alpha_plane(frame, self._video.frame_format) if self._video.alpha else None
        if shape == wanted:
            return PlanarFrame(from_av(frame, self._video.frame_format), frame.pts, frame.duration or 0, alpha=alpha)
        self._shaped += 1
        self._other_shape = self._other_shape or (shape, frame.pts)
        planes = fit(frame, shape, self._video.frame_format, wanted)
        return PlanarFrame(planes, frame.pts, frame.duration or 0, alpha=alpha)

    def _time(self, pts: int | None) -> str:
        if pts is None:
            return "an unknown time"
        return f"{float((pts - self._video.start) * self._video.time_base):.2f} s"

    def warn(self) -> None:
        """Warn of what was changed in the frames read so far."""
        name, base = self._video.name, self._video.time_base
        found: list[LossWarning] = []
        if self._interlaced and not self._video.deinterlace:
            frames = counted(self._interlaced, "frame is", "frames are")
            message = f"{name}: {frames} interlaced, and can be made whole frames"
            found.append(LossWarning(message, Use(deinterlace=True)))
        if late := [each for each in self._later if each not in self._video.unwritable]:
            found.append(LossWarning(f"{name}: {' and '.join(late)} left out"))
        if self._other_shape is not None:
            shape, pts = self._other_shape
            frames = counted(self._shaped, "frame differs", "frames differ")
            found.append(
                LossWarning(
                    f"{name}: {frames} in shape from the first (at {self._time(pts)}: {shape} instead of "
                    f"{self._video.shape}); such frames are fitted into the first shape with black bars"
                )
            )
        if self._lead_in.skipped:
            skipped = counted(self._lead_in.skipped, "frame")
            left = "is" if self._lead_in.skipped == 1 else "are"
            found.append(
                LossWarning(
                    f"{name} begins in the middle of a recording: {skipped} before its first key "
                    f"frame{_lasting(self._lead_in.length * base)} cannot be decoded and {left} left out"
                )
            )
        for clause in self._video.continuity.describe(self._video.start * base):
            found.append(LossWarning(f"{name}: {clause}"))
        for each in found:
            warnings.warn(each, stacklevel=4)


def _lasting(seconds: Fraction) -> str:
    return f" ({float(seconds):.2f} s)" if seconds else ""


def _y4m_breaks_off(y4m: Any, tally: PacketTally) -> bool:
    """Whether a Y4M file begins one frame more than FFmpeg returns; FFmpeg reports no error there."""
    with Path(y4m).open("rb") as file:
        file.readline(_Y4M_LINE)
        file.seek(tally.packets * len(_Y4M_FRAME) + tally.length, os.SEEK_CUR)
        return file.read(len(_Y4M_FRAME)).startswith(_Y4M_FRAME[:-1])
