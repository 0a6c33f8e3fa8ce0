"""Every engine that can run a model, timed on the same picture."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hyperacuity import engines
from hyperacuity.errors import HyperacuityError
from hyperacuity.zoo import Model

SIDES = 256, 512  # of the picture, in input pixels
ROUNDS = 5
SECONDS = 5.0


@dataclass(frozen=True)
class Trial:
    """seconds: the median of its runs, or None where it could not run, for the reason in `fault`. first: what opening
    it and its first run took. difference: the largest from the reference, the first engine that ran.
    """

    engine: str
    seconds: float | None = None
    first: float = 0.0
    megapixels_per_second: float = 0.0
    difference: float = 0.0
    fault: str = ""


def trials(model: Model) -> list[Trial]:
    """Time each installed engine on the CPU in float32; they take turns, so that other programs slow them all alike."""
    step, channels, scale = model.card.multiple, model.card.channel_count, model.card.network_scale
    height, width = (-(-side // step) * step for side in SIDES)
    picture = np.random.default_rng(0).random((1, channels, height, width), np.float32)
    opened: dict[str, engines.Engine] = {}
    faults: dict[str, str] = {}
    first: dict[str, float] = {}
    difference: dict[str, float] = {}
    reference = None
    for name, module in engines.ENGINES.items():
        if not module.installed():
            continue
        start = time.perf_counter()
        try:
            opened[name] = engines.open(model, engine=name, device="cpu", precision="fp32")
            answer = opened[name].run(picture)
        except HyperacuityError as error:
            opened.pop(name, None)
            faults[name] = str(error)
            continue
        first[name] = time.perf_counter() - start
        reference = answer if reference is None else reference
        difference[name] = float(np.abs(answer - reference).max())

    taken = in_turns(opened, picture)
    megapixels = height * width * scale**2 / 1e6
    median = {name: statistics.median(times) for name, times in taken.items()}
    ran = [Trial(name, s, first[name], megapixels / s, difference[name]) for name, s in median.items()]
    ran.sort(key=lambda trial: trial.seconds or 0.0)
    return ran + [Trial(name, fault=fault) for name, fault in faults.items()]


def in_turns(
    opened: Mapping[str, engines.Engine], batch: engines.Batch, rounds: int = ROUNDS, most: float = SECONDS
) -> dict[str, list[float]]:
    """The seconds of each engine's runs, by name; after `most` seconds no round begins, but two are run at least."""
    taken: dict[str, list[float]] = {name: [] for name in opened}
    begin = time.perf_counter()
    for count in range(rounds):
        if count >= 2 and time.perf_counter() - begin > most:
            break
        for name, engine in opened.items():
            start = time.perf_counter()
            engine.run(batch)
            taken[name].append(time.perf_counter() - start)
    return taken
