"""Statistics of a live run: counts, rates and latencies."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from dataclasses import dataclass, field

# The current rate and latency are those of this many seconds.
WINDOW = 3.0
# Latencies of a whole run are kept in a histogram with bins this far apart (1 %), so that memory does not grow.
_STEP = math.log(1.01)


@dataclass(frozen=True)
class LiveStatus:
    """The state of a run. Sizes are (height, width), times are in seconds.

    Attributes:
        seconds: Since the run began.
        state: The current problem, in words; empty while frames flow.
        model: The model that computed the last frame.
        before, after: The size of the source's frames and of the result's.
        arrived: Frames that arrived.
        sent: Frames handed to the sink.
        dropped: Frames replaced by newer ones, or that arrived while there was no sink.
        late: Frames sent with a latency above the budget.
        damaged: Frames that could not be decoded.
        reconnects, sink_reconnects: How often source and sink were lost and connected again.
        fps: Frames a second, of the last few seconds; in the final status, of the whole run.
        latency, latency95: Median and 95th percentile, over the same time as `fps`.
        models: How many frames each model computed.
    """

    seconds: float
    state: str = ""
    model: str = ""
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)
    arrived: int = 0
    sent: int = 0
    dropped: int = 0
    late: int = 0
    damaged: int = 0
    reconnects: int = 0
    sink_reconnects: int = 0
    fps: float = 0.0
    latency: float = 0.0
    latency95: float = 0.0
    models: dict[str, int] = field(default_factory=dict)


class Statistics:
    """Counts from all threads of a run. budget: the latency, in seconds, above which a frame is late."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, float]] = deque()  # when, latency
        self._histogram: Counter[int] = Counter()
        self._models: Counter[str] = Counter()
        self._model = ""
        self._first: float | None = None
        self._last = 0.0
        self.arrived = self.sent = self.late = self.damaged = self.reconnects = self.sink_reconnects = 0
        self.before = self.after = (0, 0)

    def count_sent(self, now: float, latency: float, model: str) -> None:
        """Count a frame that was handed to the sink."""
        with self._lock:
            self.sent += 1
            self.late += latency > self._budget
            self._recent.append((now, latency))
            while self._recent[0][0] < now - WINDOW:
                self._recent.popleft()
            self._histogram[round(math.log(max(latency, 1e-6)) / _STEP)] += 1
            self._models[model] += 1
            self._model = model
            self._first = now if self._first is None else self._first
            self._last = now

    def status(self, now: float, state: str, dropped: int, *, final: bool = False) -> LiveStatus:
        """Returns the status; with `final`, latencies and rate are of the whole run, not of the last seconds."""
        with self._lock:
            recent = sorted(latency for when, latency in self._recent if when >= now - WINDOW)
            if final:
                span = self._last - (self._first or 0.0)
                fps = (self.sent - 1) / span if span > 0 else 0.0
                median, high = self._quantile(0.5), self._quantile(0.95)
            else:
                running = now - (now if self._first is None else self._first)
                fps = len(recent) / min(WINDOW, max(running, 0.04))
                median = recent[len(recent) // 2] if recent else 0.0
                high = recent[min(len(recent) - 1, int(len(recent) * 0.95))] if recent else 0.0
            return LiveStatus(
                now,
                state,
                self._model,
                self.before,
                self.after,
                self.arrived,
                self.sent,
                dropped,
                self.late,
                self.damaged,
                self.reconnects,
                self.sink_reconnects,
                fps,
                median,
                high,
                dict(self._models),
            )

    def _quantile(self, share: float) -> float:
        wanted = share * sum(self._histogram.values())
        seen = 0
        for each in sorted(self._histogram):
            seen += self._histogram[each]
            if seen >= wanted:
                return math.exp(each * _STEP)
        return 0.0
