"""The trainer compared with bare loops: forward, backward and step on one batch in memory.

    python benchmarks/train_speed.py [--only acute-50k-x4 ...]

All have the same network, shapes, memory format, threads and loss. One bare loop has the optimiser with PyTorch's
defaults (`Adam(parameters)`), the other the fused optimiser of the trainer. They run chunks of a few steps in turns, in
one process, since the speed of a machine drifts within seconds. Figures are medians of the chunks and of their ratios.
The steps of the trainer include cutting, flipping and degrading patches, the loss, the averaged weights and the log.
Writes results/train_speed.csv; with --only, only the rows of these cases.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import record
import torch
from torch import nn

from hyperacuity.networks import as_network, build
from hyperacuity.train import Log, Recipe, TrainingProgress, optimisation, read_recipe, train

# Recipe, changes to it, steps in a chunk.
CASES: list[tuple[str, dict[str, object], int]] = [
    ("fsrcnn-x2", {}, 8),
    ("acute-50k-x2", {}, 6),
    ("acute-50k-x4", {"model.start": ""}, 6),
    ("vdsr", {"data.batch": 4}, 1),
    ("edsr-baseline-x2", {"data.batch": 4, "precision": "fp32"}, 1),
]
SECONDS = 50  # for each case


def bare(recipe: Recipe, *, fused: bool) -> Callable[[], None]:
    """Returns one step of a bare loop."""
    network = build(recipe.model.architecture, recipe.model.config)
    traits, batch, patch = as_network(network), recipe.data.batch, recipe.data.patch
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in PyTorch's stubs
    optimizer = optimisation.build(network, recipe.optimizer)
    for group in optimizer.param_groups:
        group["fused"] = fused or None  # None: as PyTorch chooses
    loss = nn.functional.l1_loss if "l1" in recipe.losses.chosen() else nn.functional.mse_loss
    x = torch.rand(batch, traits.channels, patch, patch)
    y = torch.rand(batch, traits.channels, patch * traits.scale, patch * traits.scale)

    def step() -> None:
        optimizer.zero_grad()
        loss(network(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def seconds(step: Callable[[], object], count: int) -> float:
    """Returns the time of one step, over `count` of them."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count


def compared(steps: list[Callable[[], object]], count: int) -> list[list[float]]:
    """Returns the seconds for a step of each, chunk by chunk; the order rotates, so that drift favours none."""
    for step in steps:
        seconds(step, 2 * count)
    rounds: list[list[float]] = []
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS or not rounds:
        first = len(rounds) % len(steps)
        order = [*range(first, len(steps)), *range(first)]
        taken = {n: seconds(steps[n], count) for n in order}
        rounds.append([taken[n] for n in range(len(steps))])
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[name for name, *_ in CASES])
    asked = parser.parse_args().only
    rows = []
    recipes = Path(__file__).parents[1] / "recipes"
    with tempfile.TemporaryDirectory() as folder:
        for n in range(4):
            pixels = np.random.default_rng(n).integers(0, 256, (512, 768, 3), np.uint8)
            PIL.Image.fromarray(pixels).save(Path(folder, f"{n}.png"))
        for name, changes, count in CASES:
            if name not in asked:
                continue
            only = {"data.train": [folder], "data.validation": [folder], "data.reports": [], "validate_every": 10**9}
            recipe = read_recipe(recipes / f"{name}.toml", {**only, **changes})
            training = train(recipe, Path(folder, "runs", name), device="cpu")
            with Log(Path(folder, "runs", name)) as log:

                def ours(training: Iterator[TrainingProgress] = training, log: Log = log) -> None:
                    log.write(next(training))

                while not next(training).losses:
                    pass
                rounds = compared([ours, bare(recipe, fused=False), bare(recipe, fused=True)], count)
                waiting = next(training).waiting
            training.close()
            per_step, plain, fused = (statistics.median(column) for column in zip(*rounds, strict=True))
            traits = as_network(build(recipe.model.architecture, recipe.model.config))
            pixels_per_step = recipe.data.batch * (recipe.data.patch * traits.scale) ** 2
            rows.append(
                {
                    "recipe": name,
                    "batch": recipe.data.batch,
                    "ms_per_step": round(1e3 * per_step, 2),
                    "bare_ms_per_step": round(1e3 * plain, 2),
                    "bare_fused_ms_per_step": round(1e3 * fused, 2),
                    "hr_megapixels_per_second": round(pixels_per_step / per_step / 1e6, 3),
                    "of_the_bare_loop": round(statistics.median(b / a for a, b, _ in rounds), 3),
                    "of_the_fused_bare_loop": round(statistics.median(c / a for a, _, c in rounds), 3),
                    "waiting_for_data": round(waiting, 4),
                }
            )
    record.save("train_speed", rows, key="recipe")


if __name__ == "__main__":
    main()
