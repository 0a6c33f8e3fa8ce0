"""The thread that writes to the sink: encoder, container and transport; reconnects when the sink is lost."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperacuity.errors import UsageError, describe_os_error
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import CODECS
from hyperacuity.formats.video.containers import open_target
from hyperacuity.formats.video.copying import fits
from hyperacuity.formats.video.encoder import Encoder, EncoderTarget
from hyperacuity.live import playlists, transports
from hyperacuity.live.addresses import LiveSink
from hyperacuity.live.backoff import Backoff
from hyperacuity.live.encoding import TIME_BASE
from hyperacuity.live.enlarging import EnlargedLiveFrame, FrameEnlarger
from hyperacuity.live.options import LiveOutput
from hyperacuity.live.reading import ArrivedFrame, SourceStream
from hyperacuity.live.statistics import Statistics
from hyperacuity.storage import may_write, storing
from hyperacuity.task import Stop

if TYPE_CHECKING:
    import av

# Audio codecs that MPEG-TS holds. FFmpeg writes others as private data, which players ignore.
_SOUND_IN_TS = ("aac", "aac_latm", "mp2", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "dca")
# FFmpeg's flag of a file that is opened for writing.
_WRITE = 2
# How long video may wait for late sound, in microseconds.
_INTERLEAVE = "100000"


def check_sink(sink: LiveSink, *, force: bool) -> None:
    """Check that a sink on disk can be written, and create the folder of an HLS playlist.

    Args:
        sink: Where the result goes; sinks that are not on disk pass.
        force: Overwrite what exists; an earlier playlist's segments are deleted.

    Raises:
        UsageError: If the file exists and `force` is false, or it cannot be created.
    """
    if sink.kind not in ("file", "hls"):
        return
    if sink.kind == "hls" and re.search(r"%\d*d", os.path.abspath(sink.path)):
        raise UsageError(f"{sink.shown}: FFmpeg would take the percent sign in this path for a counter of segments")
    may_write(sink.path, None, force=force)
    with storing(sink.path):
        if sink.kind == "hls":
            sink.path.parent.mkdir(parents=True, exist_ok=True)
            for segment in sink.path.parent.iterdir() if force else ():
                if re.fullmatch(re.escape(sink.path.stem) + r"-\d{6,}\.ts", segment.name):
                    segment.unlink()
        if not sink.path.exists():  # check now whether it can be written
            with sink.path.open("xb"):
                pass
            sink.path.unlink()


class SinkWriter:
    """Encodes frames and hands them to the sink, in the thread that calls `store`.

    Attributes:
        ready: Set while a frame can be accepted: no frame waits, and the sink is connected.
        state: The current problem, in words; empty if there is none.
        lost: Frames that could not be handed to the sink.
    """

    def __init__(
        self,
        sink: LiveSink,
        target: EncoderTarget,
        output: LiveOutput,
        stream: SourceStream,
        sounds: deque[tuple[Any, Fraction]],
        frames: FrameEnlarger,
        statistics: Statistics,
        clock: Callable[[], float],
        stop: Stop,
        *,
        timeout: float,
    ) -> None:
        self.sink, self.state = sink, ""
        self.ready = threading.Event()
        self.lost = 0
        self._target, self._output, self._sounds = target, output, sounds
        self._frames, self._statistics, self._clock, self._stop = frames, statistics, clock, stop
        self._template = stream.sound
        self._transport = transports.open_transport(sink, stop, timeout)
        self._backoff = Backoff()
        self._open: _OpenContainer | None = None
        self._latest = -1  # pts
        self._check_sound()

    def _check_sound(self) -> None:
        """Leave the sound out if the container cannot hold its codec."""
        name = None if self._template is None else self._template.codec_context.name
        if name is not None and self.sink.format in ("mpegts", "hls") and name not in _SOUND_IN_TS:
            self._without_sound(name)

    def _without_sound(self, name: str) -> None:
        self._template = None
        warnings.warn(
            f"{self.sink.shown}: this kind of sink cannot hold {name} sound, which is left out; .mkv holds most codecs",
            LossWarning,
            stacklevel=3,
        )

    def store(self, item: tuple[EnlargedLiveFrame, ArrivedFrame] | None) -> None:
        """Encode a frame and write it to the sink; None only opens the sink."""
        try:
            if item is None:
                self._connect()
            else:
                self._write(*item)
        except BaseException:
            self.ready.set()  # wakes the waiting thread, which then sees this error
            raise

    def _write(self, enlarged: EnlargedLiveFrame, arrived: ArrivedFrame) -> None:
        if self._open is None:  # the run ended before a consumer connected
            self.lost += 1
            return
        self.ready.set()
        planes = self._frames.finish(enlarged)
        try:
            pts = max(self._latest + 1, round(arrived.place / TIME_BASE))
            with self._storing():
                if self._interrupts(pts):
                    before, self._open = self._open, None
                    before.close(self._sounds)
                    self._open = self._opened(None, appended=True)
                self._open.write(planes, pts, self._sounds)
            self._latest = pts
        except OSError as error:
            self.ready.clear()
            self.lost += 1
            self._give_up(error)
            self._connect()  # which returns at once if the run is being stopped
            return
        now = self._clock()
        self._statistics.count_sent(now, now - arrived.arrival, enlarged.model)

    def _interrupts(self, pts: int) -> bool:
        """Whether a frame comes so late in HLS that its segment would last too long: a gap becomes a discontinuity."""
        return (
            self.sink.kind == "hls"
            and self._latest >= 0
            and (pts - self._latest) * TIME_BASE > self._output.keys * playlists.GAP
        )

    def _storing(self) -> contextlib.AbstractContextManager[None]:
        """Errors of a file system are final; those of a network are retried."""
        return contextlib.nullcontext() if self.sink.reconnects or self.sink.kind == "pipe" else storing(self.sink.path)

    def _give_up(self, error: OSError) -> None:
        """Disconnect a sink that failed. Raises the error if the sink cannot be reconnected."""
        if self._open is not None:
            self._open.abandon()
            self._open = None
        self._transport.disconnect()
        if self._interrupted(error):
            return
        if not self.sink.reconnects:
            raise error
        self._statistics.sink_reconnects += 1

    def _interrupted(self, error: OSError) -> bool:
        """Whether the run was stopped while waiting for a slow consumer."""
        return self._stop.is_set() and isinstance(error, TimeoutError)

    def _connect(self) -> None:
        """Open the sink, and try again until it is open or the run is stopped."""
        while not self._stop.is_set():
            try:
                self.state = self._transport.waiting
                file = self._transport.connect()
                if file is None and self._transport.needed:
                    return  # stopped
                with self._storing():
                    self._open = self._opened(file)
            except OSError as error:
                self._transport.disconnect()
                if not self.sink.reconnects:
                    raise
                wait = self._backoff.failed()
                why = describe_os_error(error)
                self.state = f"{self.sink.shown}: {why}; trying again in {wait:g} s"
                self._stop.wait(wait)
                continue
            self._backoff.succeeded()
            self.state = ""
            self._sounds.clear()  # discard sound that arrived while there was no sink
            self.ready.set()
            return

    def _opened(self, file: Any, *, appended: bool = False) -> _OpenContainer:
        """Open the container; `appended`: after what an HLS playlist lists already."""
        import av

        while True:
            try:
                return _OpenContainer(self.sink, file, self._target, self._output, self._template, appended=appended)
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, OSError) or self._template is None:
                    raise
                self._without_sound(self._template.codec_context.name)

    def close(self) -> None:
        """Write the end of the file, playlist or stream, and release everything."""
        try:
            if self._open is not None:
                opened, self._open = self._open, None
                try:
                    with self._storing():
                        opened.close(self._sounds)
                        if self.sink.kind == "hls":
                            playlists.end_playlist(self.sink.path)
                except OSError as error:
                    opened.abandon()
                    if not (self.sink.reconnects or self._interrupted(error)):
                        raise
        finally:
            self._transport.close()


class _OpenContainer:
    """An open container and its encoder."""

    def __init__(
        self,
        sink: LiveSink,
        file: Any,
        target: EncoderTarget,
        output: LiveOutput,
        sound: av.stream.Stream | None,
        *,
        appended: bool = False,
    ) -> None:

        self._target, self._keys = target, output.keys
        self._next_key = -math.inf
        self._file = file
        self._faults: list[OSError] = []
        self._sound_dts: int | None = None  # of the last packet of sound, in its own time base
        self._container = self._open(sink, output, sound, appended=appended)
        self._stream: Any = self._container.add_stream(CODECS[target.encoding.codec].encoder, rate=target.rate)
        target.configure(self._stream.codec_context)
        self._stream.time_base = target.time_base
        if target.encoding.codec == "h265" and sink.format in ("mp4", "mov"):
            self._stream.codec_context.codec_tag = "hvc1"
        self._encoder = Encoder(target, self._stream.codec_context)
        self._sound: Any = None if sound is None else self._container.add_stream_from_template(sound, opaque=True)
        self._container.start_encoding()

    def _open(self, sink: LiveSink, output: LiveOutput, sound: av.stream.Stream | None, *, appended: bool) -> Any:
        import av

        options = _container_options(sink, output, appended=appended)
        path = os.path.abspath(sink.path)  # FFmpeg would take "12:30.mkv" for a URL
        if sound is not None and sink.format == "matroska" and fits(sound, "matroska", None) == "unofficially":
            return open_target(Path(path), "matroska", options, chained=True)
        return av.open(
            path if self._file is None else self._file,
            "w",
            format=sink.format,
            container_options=options,
            buffer_size=transports.DATAGRAM if sink.kind == "udp" else 32768,
            # FFmpeg's HLS muxer ignores a full disk; our own files report it.
            io_open=self._open_segment if sink.kind == "hls" else None,
        )

    def write(self, planes: tuple[Any, ...], pts: int, sounds: deque[tuple[Any, Fraction]]) -> None:
        """Write a frame, preceded by the sound that has arrived."""
        self._mux_sounds(sounds)
        seconds = float(pts * self._target.time_base)
        key = seconds >= self._next_key
        if key:
            self._next_key = (seconds // float(self._keys) + 1) * float(self._keys)
        self._mux(self._encoder.encode(planes, pts, key=key))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.stream = self._stream
            self._container.mux_one(packet)
        self._check()

    def _check(self) -> None:
        if self._faults:
            raise self._faults[0]

    def _open_segment(self, path: str, flags: int, options: dict[str, str]) -> Any:
        if not flags & _WRITE:
            return open(path, "rb")
        if ".m3u8" in os.path.basename(path):
            return playlists.PlaylistFile(path, self._faults, self._keys)
        return transports.SegmentFile(path, self._faults)

    def _mux_sounds(self, sounds: deque[tuple[Any, Fraction]]) -> None:
        import av

        while sounds:
            packet, moved = sounds.popleft()
            if self._sound is None:
                continue
            shift = round(moved / packet.time_base)
            dts = (packet.pts if packet.dts is None else packet.dts) + shift
            if dts < 0 or (self._sound_dts is not None and dts <= self._sound_dts):
                continue
            self._sound_dts = dts
            packet.dts, packet.pts = dts, dts if packet.pts is None else packet.pts + shift
            packet.stream = self._sound
            with contextlib.suppress(av.InvalidDataError, av.error.PatchWelcomeError):  # it is damaged
                self._container.mux_one(packet)

    def close(self, sounds: deque[tuple[Any, Fraction]]) -> None:
        """Write all pending packets and the end of the container."""
        self._mux_sounds(sounds)
        self._mux(self._encoder.finish())
        self._container.close()
        self._check()

    def abandon(self) -> None:
        """Close without writing anything more, not even a trailer."""
        import av

        if self._file is not None:
            self._file.closed = True  # PyAV writes no trailer to a closed file
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()


def _container_options(sink: LiveSink, output: LiveOutput, *, appended: bool) -> dict[str, str]:
    options = {"max_interleave_delta": _INTERLEAVE, "flush_packets": "1"}
    if sink.format in ("mp4", "mov"):
        # The file can be played up to its last fragment even if the run is killed.
        options["movflags"] = "+frag_keyframe+delay_moov+default_base_moof"
    if sink.kind == "hls":
        options |= {
            "hls_time": f"{float(output.keys):g}",
            "hls_list_size": str(output.segments),
            "hls_flags": "independent_segments+temp_file+omit_endlist"
            + ("+delete_segments" if output.segments else "")
            + ("+append_list" if appended else ""),
            "hls_segment_filename": os.path.abspath(sink.path.with_suffix("")) + "-%06d.ts",
        }
    return options
