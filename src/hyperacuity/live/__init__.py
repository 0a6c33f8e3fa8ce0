"""Cameras and streams, made larger while they run.

    from hyperacuity import Size, live, load

    live.run([load()], live.source("rtsp://camera/stream"), live.sink("udp://239.1.1.1:5000"), Size(2))

addresses           what people write for a source and a sink
reading, timeline   the thread that reads a source and finds it again; when each frame is shown
latest              where the newest frame waits for the network
ladder              which model's turn it is
pictures            frames at the size of the result
writing, carriers   the thread that encodes for a sink; what carries it there
figures, backoff    how it is doing; how long to wait before the next try
"""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hyperacuity import zoo
from hyperacuity.api import Upscaler, load
from hyperacuity.errors import Unreachable, UsageError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.formats.video.codecs import format_losses as losses
from hyperacuity.formats.video.codecs import nearest_format as fitting
from hyperacuity.formats.video.encoder import Encoder
from hyperacuity.formats.video.encoder import EncoderTarget as Target
from hyperacuity.live.addresses import Capture, Sink, Source, sink, source
from hyperacuity.live.figures import Figures, Status
from hyperacuity.live.ladder import Cost, Ladder, costs, most, rungs
from hyperacuity.live.pictures import Pictures
from hyperacuity.live.reading import Arrived, Reader
from hyperacuity.live.writing import TIME_BASE, Output, Writer, check, for_live, playable
from hyperacuity.size import Size
from hyperacuity.video.concurrency import write_behind as behind

__all__ = [
    "Capture",
    "Encoding",
    "Output",
    "Settings",
    "Sink",
    "Source",
    "Status",
    "automatic",
    "run",
    "sink",
    "source",
]

# How often a run that waits says so, in seconds.
_TICK = 0.25


@dataclass(frozen=True)
class Settings:
    """How a run goes. All times are in seconds.

    latency: from the arrival of a frame to its being handed to the sink; more is late, and with several models a
    lighter one takes over. timeout: without a frame for so long, the source is opened anew; a consumer that takes
    nothing for so long is given up. give_up: without a frame for so long, the run ends in an error; None = never.
    duration: from the first frame on; None = as long as the source lasts. sound: copy it where the sink can hold it.
    """

    output: Output = field(default_factory=lambda: Output(Encoding()))
    latency: float = 0.2
    timeout: float = 5.0
    give_up: float | None = None
    duration: float | None = None
    sound: bool = True
    deinterlace: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        times = {"latency": self.latency, "timeout": self.timeout, "keys": float(self.output.keys)}
        times |= {"give_up": self.give_up or 1.0, "duration": self.duration or 1.0}
        for name, value in times.items():
            if not value > 0:
                raise UsageError(f"{name} must be a positive number of seconds, not {value:g}")
        if self.output.segments < 0:
            raise UsageError("segments must be 0 (all) or more")


def automatic(**options: Any) -> list[Upscaler]:
    """For `run` to choose from: an upscaler for each family of the zoo that has a network for x2, the best by PSNR on
    its card first, and bicubic. options: engine, device, precision, as `load` takes them.
    """
    cards = [model.card for model in zoo.models().values() if model.card.scale == 2 and model.card.quality]
    shared = set.intersection(*(set(card.quality) for card in cards))
    cards.sort(key=lambda card: -sum(card.quality[each] for each in shared))
    return [load(name, **options) for name in [*(card.family for card in cards), "bicubic"]]


def run(
    upscalers: Sequence[Upscaler],
    source: Source,
    sink: Sink,
    size: Size,
    settings: Settings = Settings(),
    *,
    stop: threading.Event | None = None,
    watch: Callable[[Status], None] = lambda status: None,
) -> Status:
    """Make a stream larger until it ends, `stop` is set or its duration is over; how it went.

    upscalers: one; or several, the best first, of which the best that keeps up makes each frame. watch: is told where
    it stands after each frame, and some times a second while there is none.

    Raises `UsageError` and its kind for what cannot be asked, `Unreachable` for a source that does not answer for
    `settings.give_up`, `MissingDependency`, `BadOutput`. Whatever happens, the sink is ended properly.
    """
    return _Run(upscalers, source, sink, size, settings, stop or threading.Event(), watch).all()


class _Run:
    def __init__(
        self,
        upscalers: Sequence[Upscaler],
        source: Source,
        sink: Sink,
        size: Size,
        settings: Settings,
        stop: threading.Event,
        watch: Callable[[Status], None],
    ) -> None:
        self.upscalers, self.source, self.sink, self.size = upscalers, source, sink, size
        self.settings, self.stop, self.watch = settings, stop, watch
        self.encoding = for_live(settings.output.encoding, sink)
        if source.kind == "file" and sink.path.is_file() and sink.path.samefile(source.url):
            raise UsageError(f"{sink.shown} is the source: choose another name")
        check(sink, force=settings.force)
        self.start = time.monotonic()
        self.figures = Figures(settings.latency)
        self.reader = Reader(
            source,
            self.figures,
            self._now,
            timeout=settings.timeout,
            sound=settings.sound,
            fields=settings.deinterlace,
        )
        self.writer: Writer | None = None
        self._came = 0.0  # when the last frame did

    def _now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.start

    def all(self) -> Status:
        self.reader.start()
        try:
            first = self._take()
            if first is not None:
                self._flow(first)
        finally:
            self.reader.close()
        if self.reader.error is not None:
            raise self.reader.error
        return self._status(whole=True)

    def _take(self, end: float | None = None) -> Arrived | None:
        """The newest frame; None when there will be no more, or none until `end`."""
        while not self.stop.is_set() and (end is None or self._now() < end):
            arrived = self.reader.latest.take(_TICK)
            while self.reader.remarks:
                warnings.warn(self.reader.remarks.popleft(), LossWarning, stacklevel=2)
            if arrived is not None:
                self._came = self._now()
                return arrived
            if self.reader.latest.ended:
                return None
            waited = self._now() - self._came
            limit = self.settings.give_up
            if limit is not None and waited > limit:
                raise Unreachable(
                    f"{self.source.shown}: no frame for {limit:g} s; {self.reader.state or 'it is silent'}"
                )
            self.watch(self._status())
        return None

    def _flow(self, first: Arrived) -> None:
        """Everything from the first frame on."""
        stream = self.reader.stream
        assert stream is not None
        before = first.layout.height, first.layout.width
        size = self.size.resolve(*before)
        joined = self.sink.format in ("mpegts", "hls")
        wanted = first.layout.resized(*size)
        stored = fitting(playable(wanted, self.encoding) if joined else wanted, self.encoding)
        for loss in losses(wanted, stored):
            warnings.warn(f"{self.source.shown}: {loss}", LossWarning, stacklevel=4)
        self.figures.before, self.figures.after = before, size
        output, gop = self.settings.output, max(1, round(2 * stream.rate * self.settings.output.keys))
        encoding = replace(self.encoding, options={"g": str(gop)} | dict(self.encoding.options))
        target = Target(encoding, stored, TIME_BASE, stream.rate, stream.aspect, joinable=joined)
        Encoder(target)  # shows whether it starts at all
        pictures = Pictures(self.upscalers, first.layout, size, stored)
        chosen = self._chosen(pictures, first)
        self.reader.latest.put_back(first)
        ladder = Ladder([each.seconds for each in chosen], self.reader.period, self.settings.latency)
        self.writer = Writer(
            self.sink,
            target,
            output,
            stream,
            self.reader.sounds,
            pictures,
            self.figures,
            self._now,
            self.stop,
            timeout=self.settings.timeout,
        )
        with self._closed(self.writer) as writer, behind(writer.store, 1) as store:
            store(None)
            end = None if self.settings.duration is None else self._now() + self.settings.duration
            missed = self._missed
            while not self.stop.is_set() and (end is None or self._now() < end):
                asked = self._now()
                if not writer.ready.wait(_TICK):
                    missed = self._missed  # for want of a sink
                    self.watch(self._status())
                    continue
                waited = self._now() - asked
                arrived = self._take(end)
                if arrived is None:
                    break
                begin, ladder.period = self._now(), self.reader.period
                rung = ladder.choose(begin)
                picture = pictures.compute(arrived.frame, arrived.layout, chosen[rung].index)
                seconds = self._now() - begin
                # What waits longer for the sink than for the network would not come sooner by a lighter one.
                ladder.tell(self._now(), rung, seconds, self._missed - missed if waited <= seconds else 0)
                missed = self._missed
                writer.ready.clear()
                store((picture, arrived))
                self.watch(self._status())

    def _chosen(self, pictures: Pictures, first: Arrived) -> list[Cost]:
        """The rungs of the ladder, timed on the first frame."""
        count = len(self.upscalers)
        if count == 1:
            return [Cost(0, 0.0)]
        before = first.layout.height, first.layout.width

        def compute(index: int) -> None:
            self.watch(self._status(f"timing {pictures.name(first.layout, index)}"))
            pictures.anew(first.frame, first.layout, index)

        works = [_multiply_adds(upscaler, before, self.figures.after) for upscaler in self.upscalers]
        return rungs(costs(works, compute, most(self.reader.period, self.settings.latency)))

    @property
    def _missed(self) -> int:
        return self.reader.latest.dropped + self.figures.late

    def _status(self, state: str = "", *, whole: bool = False) -> Status:
        lost = self.writer.lost if self.writer else 0
        state = state or self.reader.state or (self.writer.state if self.writer else "")
        return self.figures.status(self._now(), "" if whole else state, self.reader.latest.dropped + lost, whole=whole)

    @contextlib.contextmanager
    def _closed(self, writer: Writer) -> Iterator[Writer]:
        try:
            yield writer
        finally:
            writer.close()


def _multiply_adds(upscaler: Upscaler, before: tuple[int, int], after: tuple[int, int]) -> float:
    """Of all networks that bring a frame from one (height, width) to another."""
    pixels, work = float(before[0] * before[1]), 0.0
    for step in upscaler.chain(before, after):
        pixels *= step.enlarge**2
        work += pixels * step.model.card.multiply_adds
        pixels *= step.model.card.network_scale**2
    return work
