"""The ladder: chooses the model for the next frame, the best one that keeps up.

A ladder has rungs from the best model to the lightest. It steps down one rung when frames are late or dropped. After a
while without such frames it tries the rung above with a single frame. It has no clock: all times are passed in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# It steps down if, in the last PATIENCE seconds, more than SHARE of at least ENOUGH frames, and more than one frame,
# were late or dropped.
PATIENCE, SHARE, ENOUGH = 2.0, 0.1, 5
# It tries the rung above after CALM seconds without such frames; each failed trial doubles the wait.
CALM, LONGEST_CALM = 10.0, 320.0
# The shares of the time between two frames, and of the latency budget, that a rung may take. The rest is for decoder
# and encoder, which share the machine.
ROOM, ROOM_IN_BUDGET = 0.7, 0.5
# A lighter model is worth a rung only if it takes at most this share of the time of the model above.
LIGHTER = 0.8
# How often a model is timed before the run starts, and for how many seconds at most.
ROUNDS, SECONDS = 3, 1.0
# A network is not timed if its predicted time is this many times the limit: timing would only delay the start.
# The prediction, from multiply-adds and the time of a lighter network, may be wrong by a factor of five.
HOPELESS = 50.0


@dataclass(frozen=True)
class ModelCost:
    """The measured time of a model for a frame, in seconds; the model is given by its index."""

    index: int
    seconds: float


def select_rungs(candidates: Sequence[ModelCost]) -> list[ModelCost]:
    """Select, of models from best to worst, those that are clearly faster than every better one."""
    chosen: list[ModelCost] = []
    for each in candidates:
        if not chosen or each.seconds <= LIGHTER * chosen[-1].seconds:
            chosen.append(each)
    return chosen


def measure_costs(works: Sequence[float], compute: Callable[[int], object], limit: float) -> list[ModelCost]:
    """Time one frame on each model that may be fast enough.

    Args:
        works: Multiply-adds for a frame of each model, best model first; 0 for resamplers.
        compute: Computes a frame with the model at an index.
        limit: The seconds that a rung may take.

    Returns:
        The costs, in the order of `works`.
    """
    found: list[ModelCost] = []
    rate = 0.0  # seconds per multiply-add of the last network
    for index in sorted(range(len(works)), key=works.__getitem__):
        if rate * works[index] > HOPELESS * limit:
            break
        seconds = measure(lambda index=index: compute(index))  # type: ignore[misc]
        found.append(ModelCost(index, seconds))
        rate = seconds / works[index] if works[index] else 0.0
    return sorted(found, key=lambda cost: cost.index)


def longest_frame_time(period: float, budget: float) -> float:
    """Returns the time that a frame may take, in seconds."""
    return min(ROOM * period, ROOM_IN_BUDGET * budget)


def measure(compute: Callable[[], object]) -> float:
    """Returns the time of a call in seconds: the least of a few, after a warm-up call."""
    compute()
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < SECONDS:
        start = time.perf_counter()
        compute()
        taken.append(time.perf_counter() - start)
    return min(taken)


class Ladder:
    """Chooses a rung for each frame, from the current one and the recent frames.

    Args:
        seconds: The time for a frame on each rung, best and slowest model first.
        period: Seconds between two frames of the source; may be changed at any time.
        budget: The requested latency, in seconds.
    """

    def __init__(self, seconds: Sequence[float], period: float, budget: float) -> None:
        self.period, self._budget = period, budget
        self._lightest = len(seconds) - 1
        self.rung = next((n for n, each in enumerate(seconds) if each <= self._limit), self._lightest)
        self._seen: deque[tuple[float, int, int]] = deque()  # time, frames, missed frames
        self._calm_since: float | None = None
        self._calm = CALM
        self._rose: float | None = None

    @property
    def _limit(self) -> float:
        return longest_frame_time(self.period, self._budget)

    def choose(self, now: float) -> int:
        """Returns the rung for the next frame: the current one, or the one above for a trial."""
        if self._calm_since is None:
            self._calm_since = now
        if self.rung > 0 and now - self._calm_since >= self._calm:
            return self.rung - 1
        return self.rung

    def record(self, now: float, rung: int, seconds: float, missed: int) -> None:
        """Record a frame that took `seconds` on `rung`; `missed` frames were late or dropped since the one before."""
        if rung < self.rung:  # a trial
            self._calm_since = now
            if seconds <= self._limit:
                self.rung, self._rose = rung, now
                self._seen.clear()
            else:
                self._calm = min(LONGEST_CALM, 2 * self._calm)
            return
        if missed:
            self._calm_since = now
        self._seen.append((now, 1 + missed, missed))
        while self._seen[0][0] < now - PATIENCE:
            self._seen.popleft()
        frames, bad = sum(n for _, n, _ in self._seen), sum(n for _, _, n in self._seen)
        if frames >= ENOUGH and bad > max(1, SHARE * frames) and self.rung < self._lightest:
            self.rung += 1
            self._seen.clear()
            # Wait longer before each new trial of a rung that failed soon.
            hasty = self._rose is not None and now - self._rose < self._calm
            self._calm = min(LONGEST_CALM, 2 * self._calm) if hasty else CALM
            self._rose = None
