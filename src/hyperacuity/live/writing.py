"""The sink: encoder, container and what carries it; found again when it is lost."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import CODECS, Encoding
from hyperacuity.formats.video.encoder import Encoder
from hyperacuity.formats.video.encoder import EncoderTarget as Target
from hyperacuity.formats.video.frames import FrameFormat as Layout
from hyperacuity.live import carriers
from hyperacuity.live.addresses import Sink
from hyperacuity.live.backoff import Backoff
from hyperacuity.live.figures import Figures
from hyperacuity.live.pictures import Picture, Pictures
from hyperacuity.live.reading import Arrived, Stream
from hyperacuity.storage import may_write, storing

if TYPE_CHECKING:
    import av

# The unit of time of MPEG-TS.
TIME_BASE = Fraction(1, 90_000)
# Nothing is looked ahead at, nothing is reordered, and key frames come when they are asked for. The presets are those
# that leave most of the machine to the network.
LOW_LATENCY: Mapping[str, tuple[str | None, Mapping[str, str]]] = {
    "h264": ("superfast", {"tune": "zerolatency", "forced-idr": "1"}),
    "h265": ("ultrafast", {"tune": "zerolatency", "forced-idr": "1"}),
    "av1": ("11", {"svtav1-params": "pred-struct=1:lookahead=0"}),
    "ffv1": (None, {}),
}
# FFmpeg writes others into MPEG-TS as private data, which nobody plays.
_SOUND_IN_TS = ("aac", "aac_latm", "mp2", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "dca")
_DEPTHS = {"h264": 8, "h265": 10}  # what players take of those that MPEG-TS holds
# How long video may wait for sound that comes late, in microseconds.
_INTERLEAVE = "100000"


@dataclass(frozen=True)
class Output:
    """How the result is written. keys: seconds between key frames, and of an HLS segment. segments: how many an HLS
    playlist lists, older ones being deleted; 0 = all.
    """

    encoding: Encoding
    keys: Fraction = Fraction(2)
    segments: int = 6


def for_live(encoding: Encoding, sink: Sink) -> Encoding:
    """With nothing left open, set for low latency. Raises `UsageError` for what the sink cannot hold."""
    chosen = encoding.resolved(sink.path.suffix.lower())
    preset, options = LOW_LATENCY[chosen.codec]
    if sink.format in ("mpegts", "hls") and chosen.codec not in _DEPTHS:
        raise UnsupportedFormat(f"MPEG-TS and HLS hold {' and '.join(_DEPTHS)}; {chosen.codec} goes into .mkv")
    return replace(chosen, preset=encoding.preset or preset, options=dict(options) | dict(encoding.options))


def playable(look: Layout, encoding: Encoding) -> Layout:
    """What players and browsers decode: 4:2:0, in H.264 of 8 bits, in H.265 of 10 at most. Webcams give 4:2:2."""
    return replace(look, chroma=look.chroma if look.rgb else (2, 2), depth=min(look.depth, _DEPTHS[encoding.codec]))


def check(sink: Sink, *, force: bool) -> None:
    """Raises `UsageError` where the sink is there already, and is not to be overwritten, or its folder is not."""
    if sink.kind not in ("file", "hls"):
        return
    may_write(sink.path, None, force=force)
    with storing(sink.path):
        if sink.kind == "hls":
            sink.path.parent.mkdir(parents=True, exist_ok=True)
            for segment in sink.path.parent.iterdir() if force else ():
                if re.fullmatch(re.escape(sink.path.stem) + r"-\d{6,}\.ts", segment.name):
                    segment.unlink()
        if not sink.path.exists():  # shows whether it can be written
            with sink.path.open("xb"):
                pass
            sink.path.unlink()


class Writer:
    """Takes pictures in a thread of its own (`store`), and `close`s the sink properly.

    ready: set when a picture can be taken; not while one waits, nor while the sink is away. `state` says what is
    wrong, in words.
    """

    def __init__(
        self,
        sink: Sink,
        target: Target,
        output: Output,
        stream: Stream,
        sounds: deque[tuple[Any, Fraction]],
        pictures: Pictures,
        figures: Figures,
        clock: Callable[[], float],
        stop: threading.Event,
        *,
        timeout: float,
    ) -> None:
        self.sink, self.state = sink, ""
        self.ready = threading.Event()
        self.lost = 0
        self._target, self._output, self._sounds = target, output, sounds
        self._pictures, self._figures, self._clock, self._stop = pictures, figures, clock, stop
        self._template = stream.sound
        self._carrier = carriers.of(sink, stop, timeout)
        self._backoff = Backoff()
        self._open: _Open | None = None
        self._latest = -1  # pts
        self._template_fits()

    def _template_fits(self) -> None:
        name = None if self._template is None else self._template.codec_context.name
        if name is not None and self.sink.format in ("mpegts", "hls") and name not in _SOUND_IN_TS:
            self._without_sound(name)

    def _without_sound(self, name: str) -> None:
        self._template = None
        warnings.warn(
            f"{self.sink.shown}: sound in {name} does not fit into this kind of sink and is left out; .mkv holds most",
            LossWarning,
            stacklevel=3,
        )

    def store(self, item: tuple[Picture, Arrived] | None) -> None:
        """Encode a picture and hand it to the sink; None only opens the sink."""
        try:
            if item is None:
                self._connect()
            else:
                self._write(*item)
        except BaseException:
            self.ready.set()  # whoever waits for it shall hear of this
            raise

    def _write(self, picture: Picture, arrived: Arrived) -> None:
        if self._open is None:  # the end has come before a consumer has
            self.lost += 1
            return
        self.ready.set()
        planes = self._pictures.finish(picture)
        try:
            pts = max(self._latest + 1, round(arrived.place / TIME_BASE))
            with self._storing():
                self._open.write(planes, pts, self._sounds)
            self._latest = pts
        except OSError as error:
            self.ready.clear()
            self.lost += 1
            self._give_up(error)
            self._connect()  # which does nothing when it is the end that has broken it off
            return
        now = self._clock()
        self._figures.count_sent(now, now - arrived.arrival, picture.model)

    def _storing(self) -> contextlib.AbstractContextManager[None]:
        """What a file system says is final; of a network, another try may be better."""
        return contextlib.nullcontext() if self.sink.lasting or self.sink.kind == "pipe" else storing(self.sink.path)

    def _give_up(self, error: OSError) -> None:
        """Leave a sink that has failed. Raises the error where it cannot be found again."""
        if self._open is not None:
            self._open.abandon()
            self._open = None
        self._carrier.disconnect()
        if self._broken_off(error):
            return
        if not self.sink.lasting:
            raise error
        self._figures.sink_reconnects += 1

    def _broken_off(self, error: OSError) -> bool:
        """Whether it was waiting for a slow consumer when the end came."""
        return self._stop.is_set() and isinstance(error, TimeoutError)

    def _connect(self) -> None:
        """Open the sink, however often it takes."""
        while not self._stop.is_set():
            try:
                self.state = self._carrier.waiting
                file = self._carrier.connect()
                if file is None and self._carrier.needed:
                    return  # stopped
                with self._storing():
                    self._open = self._opened(file)
            except OSError as error:
                self._carrier.disconnect()
                if not self.sink.lasting:
                    raise
                wait = self._backoff.failed()
                why = (error.strerror or str(error)).lower()
                self.state = f"{self.sink.shown}: {why}; trying again in {wait:g} s"
                self._stop.wait(wait)
                continue
            self._backoff.succeeded()
            self.state = ""
            self._sounds.clear()  # what was heard while nobody listened
            self.ready.set()
            return

    def _opened(self, file: Any) -> _Open:
        import av

        while True:
            try:
                return _Open(self.sink, file, self._target, self._output, self._template)
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, OSError) or self._template is None:
                    raise
                self._without_sound(self._template.codec_context.name)

    def close(self) -> None:
        """Write the end of the file, the playlist or the stream, and let go of everything."""
        try:
            if self._open is not None:
                opened, self._open = self._open, None
                try:
                    with self._storing():
                        opened.close(self._sounds)
                except OSError as error:
                    opened.abandon()
                    if not (self.sink.lasting or self._broken_off(error)):
                        raise
        finally:
            self._carrier.close()


class _Open:
    """A container that is being written, and the encoder for it."""

    def __init__(self, sink: Sink, file: Any, target: Target, output: Output, sound: av.stream.Stream | None) -> None:
        import av

        self._target, self._keys = target, output.keys
        self._next_key = -math.inf
        self._file = file
        self._faults: list[OSError] = []
        self._heard: int | None = None  # dts of the last sound, in its own unit
        self._container: Any = av.open(
            os.path.abspath(sink.path) if file is None else file,  # "12:30.mkv" alone would be taken for an address
            "w",
            format=sink.format,
            container_options=_container_options(sink, output),
            buffer_size=carriers.DATAGRAM if sink.kind == "udp" else 32768,
            # FFmpeg's HLS goes on as if nothing were when the disk is full; files of ours tell.
            io_open=self._written if sink.kind == "hls" else None,
        )
        self._stream: Any = self._container.add_stream(CODECS[target.encoding.codec].encoder, rate=target.rate)
        target.configure(self._stream.codec_context)
        self._stream.time_base = target.time_base
        if target.encoding.codec == "h265" and sink.format in ("mp4", "mov"):
            self._stream.codec_context.codec_tag = "hvc1"
        self._encoder = Encoder(target, self._stream.codec_context)
        self._sound: Any = None if sound is None else self._container.add_stream_from_template(sound, opaque=True)
        self._container.start_encoding()

    def write(self, planes: tuple[Any, ...], pts: int, sounds: deque[tuple[Any, Fraction]]) -> None:
        """A frame, and before it the sound that has come."""
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

    def _written(self, path: str, flags: int, options: dict[str, str]) -> carriers.Disk:
        return carriers.Disk(path, self._faults)

    def _mux_sounds(self, sounds: deque[tuple[Any, Fraction]]) -> None:
        while sounds:
            packet, moved = sounds.popleft()
            if self._sound is None:
                continue
            shift = round(moved / packet.time_base)
            dts = (packet.pts if packet.dts is None else packet.dts) + shift
            if dts < 0 or (self._heard is not None and dts <= self._heard):
                continue
            self._heard = dts
            packet.dts, packet.pts = dts, dts if packet.pts is None else packet.pts + shift
            packet.stream = self._sound
            self._container.mux_one(packet)

    def close(self, sounds: deque[tuple[Any, Fraction]]) -> None:
        """All that was held back, and the end."""
        self._mux_sounds(sounds)
        self._mux(self._encoder.finish())
        self._container.close()
        self._check()

    def abandon(self) -> None:
        """Write nothing more."""
        import av

        if self._file is not None:
            self._file.closed = True  # so that no end is written to it
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()


def _container_options(sink: Sink, output: Output) -> dict[str, str]:
    options = {"max_interleave_delta": _INTERLEAVE, "flush_packets": "1"}
    if sink.format in ("mp4", "mov"):
        # Whatever happens, the file can be played up to the last fragment.
        options["movflags"] = "+frag_keyframe+delay_moov+default_base_moof"
    if sink.kind == "hls":
        options |= {
            "hls_time": f"{float(output.keys):g}",
            "hls_list_size": str(output.segments),
            "hls_flags": "independent_segments+temp_file" + ("+delete_segments" if output.segments else ""),
            "hls_segment_filename": os.path.abspath(sink.path.with_suffix("")) + "-%06d.ts",
        }
    return options
