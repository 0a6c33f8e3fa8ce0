"""The thread that reads a source: opens it, decodes it, reconnects when it is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hyperacuity.errors import (
    HyperacuityError,
    MissingDependency,
    Unreachable,
    UnsupportedFormat,
    UsageError,
    Use,
    describe_os_error,
)
from hyperacuity.formats import video
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.deinterlacing import Deinterlacer
from hyperacuity.formats.video.ffmpeg import error_text
from hyperacuity.formats.video.frames import FrameFormat, PlanarFrame, detect_format, from_av
from hyperacuity.formats.video.scanning import (
    ends_stream,
    frame_rate,
    lacks_display_order,
    lacks_time,
    nominal_interval,
)
from hyperacuity.formats.video.selecting import choose_video
from hyperacuity.formats.video.shapes import FrameShape, ShapeTracker, fit
from hyperacuity.formats.video.source import CENTRED, display_matrix
from hyperacuity.formats.video.timeline import DecodingOrder
from hyperacuity.live.addresses import PIPE, LiveSource
from hyperacuity.live.backoff import Backoff
from hyperacuity.live.latest import LatestItem
from hyperacuity.live.statistics import Statistics
from hyperacuity.live.timeline import Timeline
from hyperacuity.task import Stop
from hyperacuity.video.rotation import quarter_turns

if TYPE_CHECKING:
    import av

# The most packets of sound that wait for the sink (about ten seconds); later ones replace the first.
_SOUNDS = 500
# How long the end of a run waits for the reader, in seconds; after that the reader ends at its own next timeout.
_PARTING = 1.0
_LOOK = 0.1
# Demuxers that deliver frames in bursts, which are then passed on at the pace of their time stamps.
_LUMPS = ("hls", "dash")


@dataclass(frozen=True, eq=False)
class ArrivedFrame:
    """A decoded frame and its format; when it had been read and when it is shown, in seconds of the run."""

    frame: PlanarFrame
    layout: FrameFormat
    arrival: float
    place: Fraction


@dataclass(frozen=True)
class SourceStream:
    """The properties of the source found by the first connection; `sound` is a template for its sound, or None."""

    layout: FrameFormat
    rate: Fraction
    aspect: Fraction | None
    sound: av.stream.Stream | None


class Readable(Protocol):
    """A file object for FFmpeg to read from where it must not open anything itself."""

    def read(self, size: int) -> bytes: ...
    def close(self) -> None: ...


class SourceReader:
    """Reads a source in a separate thread, from `start` to `close`, into `latest` and `sounds`.

    Only this thread opens connections, one at a time: a device that hangs blocks nothing else, and is not opened twice.

    Args:
        source: The source.
        statistics: Where frames are counted.
        clock: Returns the seconds since the run began.
        timeout: Seconds without a frame after which a connection is closed.
        sound: Whether to read the sound.
        deinterlace: Whether to make whole frames of fields.

    Attributes:
        state: The current problem, in words; empty while frames arrive.
        error: The error that ended reading, if there is one.
        warnings: Warnings for the thread of the run to issue.
    """

    def __init__(
        self,
        source: LiveSource,
        statistics: Statistics,
        clock: Callable[[], float],
        *,
        timeout: float,
        sound: bool,
        deinterlace: bool,
    ) -> None:
        video.require()
        self.source, self.statistics, self.timeout = source, statistics, timeout
        self.latest: LatestItem[ArrivedFrame] = LatestItem()
        self.sounds: deque[tuple[Any, Fraction]] = deque(
            maxlen=_SOUNDS
        )  # packets, and by how many seconds to shift them
        self.stream: SourceStream | None = None
        self.state = f"connecting to {source.shown}"
        self.error: HyperacuityError | None = None
        self.warnings: deque[LossWarning] = deque()
        self._clock, self._wants_sound, self._deinterlace = clock, sound, deinterlace
        self._stop = Stop()
        self._timeline = Timeline()
        self._backoff = Backoff()
        self._holder: Any = None  # the container that owns the template of the sound
        self._interlaced = self._reshaped = False
        self._shapes: ShapeTracker | None = None
        self._order: DecodingOrder | None = None  # where the container does not say when frames are shown
        self.thread = threading.Thread(target=self._run, name=f"hyperacuity reads {source.kind}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    @property
    def period(self) -> float:
        """The approximate time between two frames of the source, in seconds."""
        assert self.stream is not None
        return self._timeline.period or float(1 / self.stream.rate)

    def close(self) -> None:
        """Ask the thread to end, and wait a moment for it."""
        self._stop.set()
        self.thread.join(_PARTING)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                before = self.statistics.arrived
                try:
                    self._connect()
                    if self.source.kind in ("pipe", "file") or self._timeline.paced:
                        return
                    why = "it has ended"
                except Unreachable as error:
                    if self.source.kind in ("pipe", "file"):
                        raise
                    why = str(error)
                if self._stop.is_set():
                    return
                if self.statistics.arrived > before:
                    self._backoff.succeeded()
                wait = self._backoff.failed()
                self.state = f"{self.source.shown}: {why}; trying again in {wait:g} s"
                self._stop.wait(wait)
        except HyperacuityError as error:
            self.error = error
        except BaseException as error:  # an internal error, raised again in the thread of the run
            self.error = HyperacuityError(f"{self.source.shown}: {type(error).__name__}: {error}")
            self.error.__cause__ = error
        finally:
            self.latest.end()

    def _connect(self) -> None:
        """One connection, from its opening to its end. Raises `Unreachable` if another attempt may succeed."""
        import av

        file = self._file()
        try:
            with contextlib.closing(self._open(file)) as container:
                self._read(container)
        except HyperacuityError:
            raise
        except av.FFmpegError as error:
            # FFmpeg's error if a server closes the connection without having announced a length.
            cut = isinstance(error, OSError) and error.errno == errno.EIO
            if self._stop.is_set() or (cut and self._timeline.paced):
                return
            raise self._explain(error, cut=cut) from error
        except OSError as error:
            raise Unreachable(f"{self.source.shown}: {describe_os_error(error)}") from error
        finally:
            if file is not None:
                file.close()

    def _file(self) -> Readable | None:
        if self.source.kind == "file":
            return Path(self.source.url).open("rb")
        return PipeReader(self.source.url, self._stop) if self.source.kind == "pipe" else None

    def _open(self, file: Readable | None) -> av.container.InputContainer:
        import av

        try:
            container: av.container.InputContainer = av.open(
                file or self.source.url,
                "r",
                format=self.source.format,
                options=dict(self.source.options),
                timeout=None if file else (max(self.timeout, 5.0), self.timeout),
            )
        except ValueError as error:
            if isinstance(error, av.FFmpegError):
                raise
            raise MissingDependency(f"PyAV was built without {self.source.format}: {error}") from error
        return container

    def _explain(self, error: Any, *, cut: bool) -> HyperacuityError:
        """Convert FFmpeg's error: before the first frame it is final if another attempt would not help."""
        import av

        name = self.source.shown
        if isinstance(error, av.ExitError | av.TimeoutError):
            return Unreachable(f"nothing came for {self.timeout:g} s")
        if self.stream is None:
            if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
                return UsageError(f"{name} refuses this user and password: write scheme://user:password@host")
            if isinstance(error, av.error.HTTPClientError):
                return UsageError(f"{name}: the server answers {error_text(error)}; check the address")
            if isinstance(error, av.error.InvalidDataError):
                return UnsupportedFormat(f"{name} sends no video in a known format")
            if isinstance(error, av.error.LookupError | av.error.PermissionError | av.error.ArgumentError):
                return UsageError(f"{name}: {error_text(error)}")
        return Unreachable("the connection was cut" if cut else error_text(error))

    def _read(self, container: av.container.InputContainer) -> None:
        stream = choose_video(container)
        if stream is None or stream.codec_context is None:
            raise UnsupportedFormat(f"{self.source.shown} has no video that can be decoded")
        stream.thread_type = "SLICE"  # frame threads would delay frames
        sound = self._sound_stream(container)
        self._timeline.connect(paced=self.source.paced or container.format.name.split(",")[0] in _LUMPS)
        fields = Deinterlacer(stream) if self._deinterlace else None
        self._order = None
        if lacks_display_order(container) and (not lacks_time(container) or self.source.kind == "file"):
            interval = nominal_interval(stream, frame_rate(container, stream))
            self._order = DecodingOrder(interval, reorders=bool(stream.codec_context.has_b_frames))
        came = time.monotonic()
        for packet in container.demux([stream, sound] if sound else [stream]):
            if self._stop.is_set():
                return
            if packet.stream_index != stream.index:
                self._keep_sound(packet)
            else:
                for frame in self._decoded(packet):
                    for whole in fields.push(frame) if fields else (frame,):
                        self._pass_on(whole, stream)
                        came = time.monotonic()
            if time.monotonic() - came > self.timeout:
                raise Unreachable(f"no frame came for {self.timeout:g} s")
        for whole in fields.flush() if fields else ():
            self._pass_on(whole, stream)

    def _decoded(self, packet: av.Packet[Any]) -> list[Any]:
        import av

        if packet.size == 0 and not ends_stream(packet):
            return []  # the frame before is shown for longer
        place = self._order.add(packet.dts) if self._order is not None and packet.dts is not None else None
        try:
            frames: list[Any] = packet.decode()
        except (av.InvalidDataError, av.error.PatchWelcomeError):
            self.statistics.damaged += 1
            if self._order is not None and place is not None:
                self._order.remove(place)
            return []
        if self._order is not None:
            for frame in frames:
                frame.pts = self._order.take()
        good = [frame for frame in frames if not frame.is_corrupt]
        self.statistics.damaged += len(frames) - len(good)
        return good

    def _pass_on(self, frame: av.VideoFrame, stream: av.VideoStream) -> None:
        arrival = self._clock()
        if self.stream is None:
            own = detect_format(frame, centred=stream.codec_context.name in CENTRED)
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            aspect = stream.sample_aspect_ratio or None
            template = self._holder.streams[0] if self._holder is not None else None
            self.stream = SourceStream(own, min(Fraction(rate), Fraction(240)), aspect, template)
            if turns := quarter_turns(display_matrix(frame)):
                turned = f"{360 - 90 * turns} degrees clockwise"
                message = f"{self.source.shown}: its frames are written as they are stored, not turned {turned}"
                self.warnings.append(LossWarning(message))
        elif self.state:
            self.statistics.reconnects += 1
        if frame.interlaced_frame and not self._interlaced and not self._deinterlace:
            self._interlaced = True
            self.warnings.append(LossWarning(f"{self.source.shown} is interlaced", Use(deinterlace=True)))
        self.state = ""
        base = frame.time_base or stream.time_base or Fraction(1, 90_000)
        stamp = Fraction(arrival) if frame.pts is None else frame.pts * base
        place = self._timeline.place(stamp, arrival)
        if place is None:
            self.statistics.damaged += 1
            return
        if self._timeline.paced:
            early = self._timeline.early(place, arrival)
            if early and self._stop.wait(early):
                return
            arrival = self._clock()
        planes, look = self._fitted(frame, self.stream.layout, stream.codec_context.sample_aspect_ratio, arrival)
        self.statistics.arrived += 1
        self.latest.put(ArrivedFrame(PlanarFrame(planes, 0), look, arrival, place))

    def _fitted(
        self, frame: av.VideoFrame, first: FrameFormat, coded: Fraction | None, arrival: float
    ) -> tuple[tuple[Any, ...], FrameFormat]:
        """The planes of a frame and their format; the result keeps the shape of the first frame."""
        if self._shapes is None:
            assert self.stream is not None
            self._shape = FrameShape(first.height, first.width, Fraction(self.stream.aspect or 1))
            self._shapes = ShapeTracker(self._shape, coded)
        shape = self._shapes.shape_of(frame, coded)
        if shape != self._shape and not self._reshaped:
            self._reshaped = True
            message = (
                f"{self.source.shown}: from {arrival:.2f} s on its frames are {shape} instead of {self._shape}; such "
                "frames are fitted into the first shape with black bars"
            )
            self.warnings.append(LossWarning(message))
        if shape.aspect != self._shape.aspect:
            return fit(frame, shape, first, self._shape), first
        look = first.resized(frame.height, frame.width)
        return from_av(frame, look), look

    def _sound_stream(self, container: av.container.InputContainer) -> av.AudioStream | None:
        """The audio stream to copy: the first one, if it has the same format as in the first connection."""
        import av

        found = next(iter(container.streams.audio), None)
        if not self._wants_sound or found is None or found.codec_context is None:
            return None
        if self.stream is None and self._holder is None:
            # Its template must outlive the connection.
            self._holder = av.open(_NullFile(), "w", format="nut")
            self._holder.add_stream_from_template(found, opaque=True)
        if self._holder is None:
            return None
        known = self._holder.streams[0].codec_context
        same = (found.codec_context.name, found.sample_rate) == (known.name, known.sample_rate)
        return found if same else None

    def _keep_sound(self, packet: av.Packet[Any]) -> None:
        time = packet.dts if packet.dts is not None else packet.pts
        if packet.size == 0 or time is None:
            return
        moved = self._timeline.shifted(Fraction(0))
        if moved is not None:
            self.sounds.append((packet, moved))


class PipeReader:
    """Standard input or a named pipe, read as it fills, until `stop` is set."""

    def __init__(self, name: str, stop: Stop) -> None:
        self._stop, self._own = stop, name != PIPE
        # Opening a named pipe would wait for its writer, and `stop` would not be noticed.
        self._number = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)) if self._own else sys.stdin.fileno()

    def read(self, size: int) -> bytes:
        while not self._stop.is_set():
            # On Windows, select works with sockets only.
            if sys.platform == "win32" or select.select([self._number], [], [], _LOOK)[0]:
                with contextlib.suppress(BlockingIOError):
                    return os.read(self._number, size)
        return b""

    def close(self) -> None:
        if self._own:
            os.close(self._number)


class _NullFile:
    """A file that discards what is written and reports that it is closed, so that no trailer is written to it."""

    closed = True

    def write(self, data: bytes) -> int:
        return len(data)
