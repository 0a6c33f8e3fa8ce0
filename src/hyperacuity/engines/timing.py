"""Every engine that can run a model, timed on the same image."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hyperacuity.engines.opening import open
from hyperacuity.engines.protocol import Batch, Engine
from hyperacuity.engines.table import ENGINES
from hyperacuity.errors import HyperacuityError
from hyperacuity.zoo import Model

SIDES = 256, 512  # of the image, in input pixels
ROUNDS = 5
SECONDS = 5.0


@dataclass(frozen=True)
class EngineTiming:
    """How fast one engine ran a model.

    Attributes:
        engine: Its name.
        seconds: The median of its runs; None if it could not run.
        first: Seconds for opening it and its first run.
        megapixels_per_second: Of the output.
        difference: The largest from the outputs of the first engine that ran.
        fault: Why it could not run.
    """

    engine: str
    seconds: float | None = None
    first: float = 0.0
    megapixels_per_second: float = 0.0
    difference: float = 0.0
    fault: str = ""


def time_engines(model: Model) -> list[EngineTiming]:
    """Time each installed engine on the CPU in float32.

    They run alternately, so that other programs slow all of them alike.

    Returns:
        The fastest first; those that could not run last.
    """
    step, channels, scale = model.card.multiple, model.card.channel_count, model.card.network_scale
    height, width = (-(-side // step) * step for side in SIDES)
    image = np.random.default_rng(0).random((1, channels, height, width), np.float32)
    opened: dict[str, Engine] = {}
    faults: dict[str, str] = {}
    first: dict[str, float] = {}
    difference: dict[str, float] = {}
    reference = None
    for name, backend in ENGINES.items():
        if not backend.installed():
            continue
        start = time.perf_counter()
        try:
            opened[name] = open(model, engine=name, device="cpu", precision="fp32")
            output = opened[name].run(image)
        except HyperacuityError as error:
            opened.pop(name, None)
            faults[name] = str(error)
            continue
        first[name] = time.perf_counter() - start
        reference = output if reference is None else reference
        difference[name] = float(np.abs(output - reference).max())

    taken = run_alternately(opened, image)
    megapixels = height * width * scale**2 / 1e6
    median = {name: statistics.median(times) for name, times in taken.items()}
    ran = [EngineTiming(name, s, first[name], megapixels / s, difference[name]) for name, s in median.items()]
    ran.sort(key=lambda timing: timing.seconds or 0.0)
    return ran + [EngineTiming(name, fault=fault) for name, fault in faults.items()]


def run_alternately(
    opened: Mapping[str, Engine], batch: Batch, rounds: int = ROUNDS, most: float = SECONDS
) -> dict[str, list[float]]:
    """Run engines alternately on one batch.

    Args:
        opened: The engines by name.
        batch: See `Engine.run`.
        rounds: How often each runs.
        most: Seconds after which no round begins; two rounds are always run.

    Returns:
        The seconds of each engine's runs, by its name.
    """
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
