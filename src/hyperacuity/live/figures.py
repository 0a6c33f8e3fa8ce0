"""How a live run is doing: counts, rates and latencies."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from dataclasses import dataclass, field

# What "now" means in frames per second and in latencies, in seconds.
WINDOW = 3.0
# Latencies of a whole run are kept in classes this much apart, so that a month takes no more memory than a minute.
_STEP = math.log(1.01)


@dataclass(frozen=True)
class Status:
    """Where a run stands. Sizes are (height, width), times are seconds.

    state: what it is doing, or waiting for, in words; empty while frames pass. model: what made the last frame.
    arrived: frames that came; sent: handed to the sink; dropped: made way for newer ones, or came while there was no
    sink; late: sent, but with a latency over the budget; damaged: could not be decoded. reconnects, sink_reconnects:
    how often either was lost and looked for again. fps, latency (median), latency95 (95 of 100 were faster): of the
    last seconds; in a final status, of the whole run. models: how many frames each made.
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


class Figures:
    """Collects them from all threads. budget: the latency, in seconds, beyond which a frame is late."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, float]] = deque()  # when, latency
        self._classes: Counter[int] = Counter()
        self._models: Counter[str] = Counter()
        self._model = ""
        self._first: float | None = None
        self._last = 0.0
        self.arrived = self.sent = self.late = self.damaged = self.reconnects = self.sink_reconnects = 0
        self.before = self.after = (0, 0)

    def count_sent(self, now: float, latency: float, model: str) -> None:
        with self._lock:
            self.sent += 1
            self.late += latency > self._budget
            self._recent.append((now, latency))
            while self._recent[0][0] < now - WINDOW:
                self._recent.popleft()
            self._classes[round(math.log(max(latency, 1e-6)) / _STEP)] += 1
            self._models[model] += 1
            self._model = model
            self._first = now if self._first is None else self._first
            self._last = now

    def status(self, now: float, state: str, dropped: int, *, whole: bool = False) -> Status:
        """whole: latencies and rate of the whole run, not of the last seconds."""
        with self._lock:
            recent = sorted(latency for when, latency in self._recent if when >= now - WINDOW)
            if whole:
                span = self._last - (self._first or 0.0)
                fps = (self.sent - 1) / span if span > 0 else 0.0
                median, high = self._quantile(0.5), self._quantile(0.95)
            else:
                running = now - (now if self._first is None else self._first)
                fps = len(recent) / min(WINDOW, max(running, 0.04))
                median = recent[len(recent) // 2] if recent else 0.0
                high = recent[min(len(recent) - 1, int(len(recent) * 0.95))] if recent else 0.0
            return Status(
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
        wanted = share * sum(self._classes.values())
        seen = 0
        for each in sorted(self._classes):
            seen += self._classes[each]
            if seen >= wanted:
                return math.exp(each * _STEP)
        return 0.0
