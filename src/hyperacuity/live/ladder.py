"""Which model makes the next frame: the best whose frames arrive in time.

A ladder has rungs from the best model to the lightest. It goes down one rung when frames are late or dropped, and
tries the rung above, by one frame, after a while without either. What it is told decides; it has no clock of its own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# It goes down when, in the last PATIENCE seconds, this share of at least ENOUGH frames was late or dropped, and more
# than a single one.
PATIENCE, SHARE, ENOUGH = 2.0, 0.1, 5
# It looks up after so many seconds without; each look in vain doubles them.
CALM, LONGEST_CALM = 10.0, 320.0
# What a rung may take of the time between two frames, and of the latency budget, to be tried. The rest is for the
# decoder and the encoder, which share the machine.
ROOM, ROOM_IN_BUDGET = 0.7, 0.5
# Of two models, the lighter one must be lighter by this much to be worth a rung.
LIGHTER = 0.8
# How often a model is timed before it starts, and for how many seconds at most.
ROUNDS, SECONDS = 3, 1.0
# A network that would take so many times what a rung may, judged by its multiply-adds and a lighter one's time, is not
# even timed: it would hold up the beginning for nothing. Judged so, networks are easily five times off.
HOPELESS = 50.0


@dataclass(frozen=True)
class Cost:
    """A model, by its place among all that were asked for, and the seconds that a frame takes it."""

    index: int
    seconds: float


def rungs(candidates: Sequence[Cost]) -> list[Cost]:
    """Of models from best to worst, those worth having: each is lighter than every better one."""
    chosen: list[Cost] = []
    for each in candidates:
        if not chosen or each.seconds <= LIGHTER * chosen[-1].seconds:
            chosen.append(each)
    return chosen


def costs(works: Sequence[float], compute: Callable[[int], object], most: float) -> list[Cost]:
    """Time a frame on each model that is not hopeless; the best first, as they are given.

    works: their multiply-adds for a frame, 0 for resamplers. compute: makes a frame by the model of an index. most:
    the seconds that a rung may take.
    """
    found: list[Cost] = []
    rate = 0.0  # seconds for a multiply-add, in the last network
    for index in sorted(range(len(works)), key=works.__getitem__):
        if rate * works[index] > HOPELESS * most:
            break
        seconds = timed(lambda index=index: compute(index))  # type: ignore[misc]
        found.append(Cost(index, seconds))
        rate = seconds / works[index] if works[index] else 0.0
    return sorted(found, key=lambda cost: cost.index)


def most(period: float, budget: float) -> float:
    """The seconds that a frame may take on a rung."""
    return min(ROOM * period, ROOM_IN_BUDGET * budget)


def timed(compute: Callable[[], object]) -> float:
    """Seconds that a call takes, the first one, which warms up, left out: the least of a few."""
    compute()
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < SECONDS:
        start = time.perf_counter()
        compute()
        taken.append(time.perf_counter() - start)
    return min(taken)


class Ladder:
    """The state of the choice.

    seconds: what a frame takes on each rung, best and slowest first. period: seconds between two frames of the source,
    which may change. budget: the latency that is asked for, in seconds.
    """

    def __init__(self, seconds: Sequence[float], period: float, budget: float) -> None:
        self.period, self._budget = period, budget
        self._lightest = len(seconds) - 1
        self.rung = next((n for n, each in enumerate(seconds) if each <= self._most), self._lightest)
        self._seen: deque[tuple[float, int, int]] = deque()  # when, frames, of them missed
        self._calm_since: float | None = None
        self._calm = CALM
        self._rose: float | None = None

    @property
    def _most(self) -> float:
        return most(self.period, self._budget)

    def choose(self, now: float) -> int:
        """The rung for the frame that is computed now: `rung`, or the one above for a trial."""
        if self._calm_since is None:
            self._calm_since = now
        if self.rung > 0 and now - self._calm_since >= self._calm:
            return self.rung - 1
        return self.rung

    def tell(self, now: float, rung: int, seconds: float, missed: int) -> None:
        """A frame was computed on `rung` in so many seconds; `missed` frames were late or dropped since the last."""
        if rung < self.rung:  # a trial
            self._calm_since = now
            if seconds <= self._most:
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
            # Who came up and had to go down at once waits longer the next time; who held out does not.
            hasty = self._rose is not None and now - self._rose < self._calm
            self._calm = min(LONGEST_CALM, 2 * self._calm) if hasty else CALM
            self._rose = None
