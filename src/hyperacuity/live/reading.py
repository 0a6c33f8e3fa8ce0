"""The thread that reads a source: opens it, decodes it, finds it again when it is lost."""

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

from hyperacuity.errors import HyperacuityError, MissingDependency, Unreachable, UnsupportedFormat, UsageError
from hyperacuity.formats import video
from hyperacuity.formats.video.deinterlacing import Deinterlacer as Fields
from hyperacuity.formats.video.ffmpeg import error_text as plain
from hyperacuity.formats.video.frames import FrameFormat as Layout
from hyperacuity.formats.video.frames import PlanarFrame as Frame
from hyperacuity.formats.video.frames import detect_format as layout
from hyperacuity.formats.video.frames import from_av
from hyperacuity.formats.video.source import CENTRED
from hyperacuity.live.addresses import PIPE, Source
from hyperacuity.live.backoff import Backoff
from hyperacuity.live.figures import Figures
from hyperacuity.live.latest import Latest
from hyperacuity.live.timeline import Timeline

if TYPE_CHECKING:
    import av

# Sound waits for the sink, at most so many packets of it (some ten seconds); later ones take the place of the first.
_SOUNDS = 500
# How long the end of a run waits for the reader, in seconds; past that it ends by itself at its next timeout.
_PARTING = 1.0
_LOOK = 0.1
# Demuxers that get their pictures in lumps: what comes is handed on at its own pace.
_LUMPS = ("hls", "dash")


@dataclass(frozen=True, eq=False)
class Arrived:
    """A frame, of which `layout`; arrival: when it had been read; place: when it is shown; both seconds of the run."""

    frame: Frame
    layout: Layout
    arrival: float
    place: Fraction


@dataclass(frozen=True)
class Stream:
    """What the first connection said of the source. sound: the template for a stream of the same, or None."""

    layout: Layout
    rate: Fraction
    aspect: Fraction | None
    sound: av.stream.Stream | None


class Readable(Protocol):
    """What FFmpeg reads from where it is not to open anything itself."""

    def read(self, size: int) -> bytes: ...
    def close(self) -> None: ...


class Reader:
    """Reads `source` in a thread of its own from `start` to `close`, into `latest` and `sounds`.

    All of it happens in that one thread, one connection at a time: a device that never answers holds up nothing else,
    and nothing is opened a second time while it does. timeout: seconds without a frame after which a connection is
    given up. `state` says what is wrong, in words; empty while frames come. `error` is why it has ended for good, if it
    has because of one.
    """

    def __init__(
        self, source: Source, figures: Figures, clock: Callable[[], float], *, timeout: float, sound: bool, fields: bool
    ) -> None:
        video.require()
        self.source, self.figures, self.timeout = source, figures, timeout
        self.latest: Latest[Arrived] = Latest()
        self.sounds: deque[tuple[Any, Fraction]] = deque(maxlen=_SOUNDS)  # packets and how far they are moved, seconds
        self.stream: Stream | None = None
        self.state = f"connecting to {source.shown}"
        self.error: HyperacuityError | None = None
        self.remarks: deque[str] = deque()
        self._clock, self._wants_sound, self._deinterlace = clock, sound, fields
        self._stop = threading.Event()
        self._timeline = Timeline()
        self._backoff = Backoff()
        self._holder: Any = None  # the container that the sound's template lives in
        self._interlaced = False
        self.thread = threading.Thread(target=self._run, name=f"hyperacuity reads {source.kind}", daemon=True)

    def start(self) -> None:
        self.thread.start()

    @property
    def period(self) -> float:
        """Seconds between two frames of the source, about."""
        assert self.stream is not None
        return self._timeline.period or float(1 / self.stream.rate)

    def close(self) -> None:
        self._stop.set()
        self.thread.join(_PARTING)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                before = self.figures.arrived
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
                if self.figures.arrived > before:
                    self._backoff.succeeded()
                wait = self._backoff.failed()
                self.state = f"{self.source.shown}: {why}; trying again in {wait:g} s"
                self._stop.wait(wait)
        except HyperacuityError as error:
            self.error = error
        except BaseException as error:  # a fault of ours: raised where the run is waited for
            self.error = HyperacuityError(f"{self.source.shown}: {type(error).__name__}: {error}")
            self.error.__cause__ = error
        finally:
            self.latest.end()

    def _connect(self) -> None:
        """One connection, from its opening to its end. Raises `Unreachable` where another may succeed."""
        import av

        file = self._file()
        try:
            with contextlib.closing(self._open(file)) as container:
                self._read(container)
        except HyperacuityError:
            raise
        except av.FFmpegError as error:
            # What FFmpeg says where a server hangs up that had not said how much there is.
            cut = isinstance(error, OSError) and error.errno == errno.EIO
            if self._stop.is_set() or (cut and self._timeline.paced):
                return
            raise self._wrong(error, cut=cut) from error
        except OSError as error:
            raise Unreachable(f"{self.source.shown}: {(error.strerror or str(error)).lower()}") from error
        finally:
            if file is not None:
                file.close()

    def _file(self) -> Readable | None:
        if self.source.kind == "file":
            return Path(self.source.url).open("rb")
        return Pipe(self.source.url, self._stop) if self.source.kind == "pipe" else None

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

    def _wrong(self, error: Any, *, cut: bool) -> HyperacuityError:
        """What FFmpeg's error means: final before the first frame where trying again would not help."""
        import av

        name = self.source.shown
        if isinstance(error, av.ExitError | av.TimeoutError):
            return Unreachable(f"nothing came for {self.timeout:g} s")
        if self.stream is None:
            if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
                return UsageError(
                    f"{name} lets nobody in without the right user and password: scheme://user:password@..."
                )
            if isinstance(error, av.error.HTTPClientError):
                return UsageError(f"{name}: the server says {plain(error)}; check the address")
            if isinstance(error, av.error.InvalidDataError):
                return UnsupportedFormat(f"{name} sends no video that is known")
            if isinstance(error, av.error.LookupError | av.error.PermissionError | av.error.ArgumentError):
                return UsageError(f"{name}: {plain(error)}")
        return Unreachable("the connection was cut" if cut else plain(error))

    def _read(self, container: av.container.InputContainer) -> None:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise UnsupportedFormat(f"{self.source.shown} has no video that can be decoded")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # threads by frames hold frames back
        sound = self._sound(container)
        self._timeline.connect(paced=self.source.paced or container.format.name.split(",")[0] in _LUMPS)
        fields = Fields(stream) if self._deinterlace else None
        came = time.monotonic()
        for packet in container.demux([stream, sound] if sound else [stream]):
            if self._stop.is_set():
                return
            if packet.stream_index != stream.index:
                self._keep(packet)
            else:
                for frame in self._decoded(packet):
                    for whole in fields.push(frame) if fields else (frame,):
                        self._hand_on(whole, stream)
                        came = time.monotonic()
            if time.monotonic() - came > self.timeout:
                raise Unreachable(f"no picture came for {self.timeout:g} s")
        for whole in fields.flush() if fields else ():
            self._hand_on(whole, stream)

    def _decoded(self, packet: av.Packet[Any]) -> list[Any]:
        import av

        try:
            frames: list[Any] = packet.decode()
        except (av.InvalidDataError, av.error.PatchWelcomeError):
            self.figures.damaged += 1
            return []
        good = [frame for frame in frames if not frame.is_corrupt]
        self.figures.damaged += len(frames) - len(good)
        return good

    def _hand_on(self, frame: av.VideoFrame, stream: av.VideoStream) -> None:
        arrival = self._clock()
        if self.stream is None:
            own = layout(frame, centred=stream.codec_context.name in CENTRED)
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            aspect = stream.sample_aspect_ratio or None
            template = self._holder.streams[0] if self._holder is not None else None
            self.stream = Stream(own, min(Fraction(rate), Fraction(240)), aspect, template)
        elif self.state:
            self.figures.reconnects += 1
        if frame.interlaced_frame and not self._interlaced and not self._deinterlace:
            self._interlaced = True
            self.remarks.append(f"{self.source.shown} is interlaced: --deinterlace makes whole frames of its fields")
        self.state = ""
        base = frame.time_base or stream.time_base or Fraction(1, 90_000)
        stamp = Fraction(arrival) if frame.pts is None else frame.pts * base
        place = self._timeline.place(stamp, arrival)
        if place is None:
            self.figures.damaged += 1
            return
        if self._timeline.paced:
            early = self._timeline.early(place, arrival)
            if early and self._stop.wait(early):
                return
            arrival = self._clock()
        look = self.stream.layout.resized(frame.height, frame.width)  # whatever it is now, the result stays as it was
        self.figures.arrived += 1
        self.latest.put(Arrived(Frame(from_av(frame, look), 0), look, arrival, place))

    def _sound(self, container: av.container.InputContainer) -> av.AudioStream | None:
        """The stream of sound to copy: the first, as long as it is like that of the first connection."""
        import av

        found = next(iter(container.streams.audio), None)
        if not self._wants_sound or found is None or found.codec_context is None:
            return None
        if self.stream is None and self._holder is None:
            # Lives on when the connection does not.
            self._holder = av.open(_Nothing(), "w", format="nut")
            self._holder.add_stream_from_template(found, opaque=True)
        if self._holder is None:
            return None
        known = self._holder.streams[0].codec_context
        same = (found.codec_context.name, found.sample_rate) == (known.name, known.sample_rate)
        return found if same else None

    def _keep(self, packet: av.Packet[Any]) -> None:
        time = packet.dts if packet.dts is not None else packet.pts
        if packet.size == 0 or time is None:
            return
        moved = self._timeline.shifted(Fraction(0))
        if moved is not None:
            self.sounds.append((packet, moved))


class Pipe:
    """Standard input, or a named pipe, read as it fills; `stop` ends it."""

    def __init__(self, name: str, stop: threading.Event) -> None:
        self._stop, self._own = stop, name != PIPE
        # Opening a named pipe would wait for its writer, without hearing `stop`.
        self._number = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)) if self._own else sys.stdin.fileno()

    def read(self, size: int) -> bytes:
        while not self._stop.is_set():
            # Windows can wait for sockets only.
            if sys.platform == "win32" or select.select([self._number], [], [], _LOOK)[0]:
                with contextlib.suppress(BlockingIOError):
                    return os.read(self._number, size)
        return b""

    def close(self) -> None:
        if self._own:
            os.close(self._number)


class _Nothing:
    """A file that keeps nothing, and says it is closed, so that nobody writes an end to it."""

    closed = True

    def write(self, data: bytes) -> int:
        return len(data)
