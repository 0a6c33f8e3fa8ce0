"""The loop of a live run: enlarges the newest frame until the source ends or the run is stopped."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from hyperacuity.errors import Unreachable, UsageError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import format_losses, nearest_format
from hyperacuity.formats.video.encoder import Encoder, EncoderTarget
from hyperacuity.live.addresses import LiveSink, LiveSource
from hyperacuity.live.candidates import multiply_adds
from hyperacuity.live.encoding import TIME_BASE, low_latency_encoding, playable_format
from hyperacuity.live.enlarging import FrameEnlarger
from hyperacuity.live.ladder import Ladder, ModelCost, longest_frame_time, measure_costs, select_rungs
from hyperacuity.live.options import LiveOptions
from hyperacuity.live.reading import ArrivedFrame, SourceReader
from hyperacuity.live.statistics import LiveStatus, Statistics
from hyperacuity.live.writing import SinkWriter, check_sink
from hyperacuity.size import Size
from hyperacuity.task import Stop
from hyperacuity.upscaler import Upscaler
from hyperacuity.video.concurrency import write_behind

# How often a waiting run reports its status, in seconds.
_TICK = 0.25


def run(
    upscalers: Sequence[Upscaler],
    source: LiveSource,
    sink: LiveSink,
    size: Size,
    options: LiveOptions = LiveOptions(),
    *,
    stop: Stop | None = None,
    observe: Callable[[LiveStatus], None] = lambda status: None,
) -> LiveStatus:
    """Enlarge a stream until it ends, `stop` is set or its duration is over.

    The sink is always closed properly: a file can be played, a playlist is complete.

    Args:
        upscalers: One; or several, best first, of which the best that keeps up computes each frame.
        source: Where frames come from, see `live.source`.
        sink: Where the result goes, see `live.sink`.
        size: The size of the result.
        options: Latency, time limits, encoding.
        stop: Ends the run from another thread.
        observe: Called after each frame, and several times a second while none arrives.

    Returns:
        Counts, rates and latencies of the whole run.

    Raises:
        UsageError: For a request that cannot be met.
        Unreachable: For a source that delivers no frame for `options.give_up` seconds.
        MissingDependency: If PyAV, or a part of it, is not installed.
        BadOutput: If a network's result is not credible.
    """
    return _LiveRun(upscalers, source, sink, size, options, stop or Stop(), observe).run()


class _LiveRun:
    """The state of one run, shared by its threads."""

    def __init__(
        self,
        upscalers: Sequence[Upscaler],
        source: LiveSource,
        sink: LiveSink,
        size: Size,
        options: LiveOptions,
        stop: Stop,
        observe: Callable[[LiveStatus], None],
    ) -> None:
        self.upscalers, self.source, self.sink, self.size = upscalers, source, sink, size
        self.options, self.stop, self.observe = options, stop, observe
        self.encoding = low_latency_encoding(options.output.encoding, sink)
        if source.kind == "file" and sink.path.is_file() and sink.path.samefile(source.url):
            raise UsageError(f"{sink.shown} is the source: choose another name")
        check_sink(sink, force=options.force)
        self.start = time.monotonic()
        self.statistics = Statistics(options.latency)
        self.reader = SourceReader(
            source,
            self.statistics,
            self._now,
            timeout=options.timeout,
            sound=options.sound,
            deinterlace=options.deinterlace,
        )
        self.writer: SinkWriter | None = None
        self._last_frame = 0.0  # when it arrived

    def _now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.start

    def run(self) -> LiveStatus:
        self.reader.start()
        try:
            first = self._take()
            if first is not None:
                self._stream_from(first)
        finally:
            self.reader.close()
        if self.reader.error is not None:
            raise self.reader.error
        return self._status(final=True)

    def _take(self, end: float | None = None) -> ArrivedFrame | None:
        """The newest frame; None if no more will come, or if none comes before the time `end`."""
        while not self.stop.is_set() and (end is None or self._now() < end):
            arrived = self.reader.latest.take(_TICK)
            while self.reader.warnings:
                warnings.warn(self.reader.warnings.popleft(), stacklevel=2)
            if arrived is not None:
                self._last_frame = self._now()
                return arrived
            if self.reader.latest.ended:
                return None
            limit = self.options.give_up
            if limit is not None and self._now() - self._last_frame > limit:
                state = self.reader.state or "it is connected but sends nothing"
                raise Unreachable(f"{self.source.shown}: no frame for {limit:g} s; {state}")
            self.observe(self._status())
        return None

    def _stream_from(self, first: ArrivedFrame) -> None:
        """Run from the first frame to the end."""
        frames, target = self._prepare(first)
        costs = self._model_costs(frames, first)
        self.reader.latest.put_back(first)
        ladder = Ladder([cost.seconds for cost in costs], self.reader.period, self.options.latency)
        assert self.reader.stream is not None
        self.writer = SinkWriter(
            self.sink,
            target,
            self.options.output,
            self.reader.stream,
            self.reader.sounds,
            frames,
            self.statistics,
            self._now,
            self.stop,
            timeout=self.options.timeout,
        )
        with closing(self.writer) as writer, write_behind(writer.store, 1) as store:
            store(None)
            end = None if self.options.duration is None else self._now() + self.options.duration
            missed = self._missed
            while not self.stop.is_set() and (end is None or self._now() < end):
                asked = self._now()
                if not writer.ready.wait(_TICK):
                    missed = self._missed  # because the sink is missing, where a lighter model does not help
                    self.observe(self._status())
                    continue
                waited = self._now() - asked
                arrived = self._take(end)
                if arrived is None:
                    break
                begin, ladder.period = self._now(), self.reader.period
                rung = ladder.choose(begin)
                enlarged = frames.compute(arrived.frame, arrived.layout, costs[rung].index)
                seconds = self._now() - begin
                # A lighter model does not help a frame that waits longer for the sink than for the network.
                ladder.record(self._now(), rung, seconds, self._missed - missed if waited <= seconds else 0)
                missed = self._missed
                writer.ready.clear()
                store((enlarged, arrived))
                self.observe(self._status())

    def _prepare(self, first: ArrivedFrame) -> tuple[FrameEnlarger, EncoderTarget]:
        """The enlarger and the encoder's target; warns about what the encoding cannot hold."""
        stream = self.reader.stream
        assert stream is not None
        before = first.layout.height, first.layout.width
        size = self.size.resolve(*before)
        joinable = self.sink.format in ("mpegts", "hls")
        wanted = first.layout.resized(*size)
        stored = nearest_format(playable_format(wanted, self.encoding) if joinable else wanted, self.encoding)
        for loss in format_losses(wanted, stored):
            warnings.warn(f"{self.source.shown}: {loss}", LossWarning, stacklevel=5)
        self.statistics.before, self.statistics.after = before, size
        keys = max(1, round(2 * stream.rate * self.options.output.keys))
        encoding = replace(self.encoding, options={"g": str(keys)} | dict(self.encoding.options))
        target = EncoderTarget(encoding, stored, TIME_BASE, stream.rate, stream.aspect, joinable=joinable)
        Encoder(target)  # raises here, before anything is opened, if it cannot start
        return FrameEnlarger(self.upscalers, first.layout, size, stored), target

    def _model_costs(self, frames: FrameEnlarger, first: ArrivedFrame) -> list[ModelCost]:
        """The rungs of the ladder, timed on the first frame."""
        if len(self.upscalers) == 1:
            return [ModelCost(0, 0.0)]
        before = first.layout.height, first.layout.width

        def compute(index: int) -> None:
            self.observe(self._status(f"timing {frames.name(first.layout, index)}"))
            frames.compute_afresh(first.frame, first.layout, index)

        works = [multiply_adds(upscaler, before, self.statistics.after) for upscaler in self.upscalers]
        limit = longest_frame_time(self.reader.period, self.options.latency)
        return select_rungs(measure_costs(works, compute, limit))

    @property
    def _missed(self) -> int:
        return self.reader.latest.dropped + self.statistics.late

    def _status(self, state: str = "", *, final: bool = False) -> LiveStatus:
        lost = self.writer.lost if self.writer else 0
        state = state or self.reader.state or (self.writer.state if self.writer else "")
        dropped = self.reader.latest.dropped + lost
        return self.statistics.status(self._now(), "" if final else state, dropped, final=final)
