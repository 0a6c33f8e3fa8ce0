"""Train a photo restoration network further, for its looks: the second stage, after `photo_train.py`.

    python benchmarks/photo_finish.py PAIRS RUN --start OTHER_RUN/ema.safetensors     # again without --start: resumes

The loss is a sum of four terms: L1 of pixels and of differences of neighbours to the blend of teacher and truth (as in
the first stage); LPIPS to the teacher's result or to the truth, drawn for each sample; fine structure where that image
is flat; and a U-Net discriminator (Real-ESRGAN's, on images unshuffled by 2: at a quarter of the work) that takes both
for real. LPIPS and the discriminator see a window at any place of the result, so that the grid of 4 x 4 pixels is never
at one place; it has two thirds of the patch's side, since these two cost most of a step. The discriminator learns from
half of each batch.

RUN gets the files of the first stage.
"""

from __future__ import annotations

import argparse
import math
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from photo_train import TRUTH, Pairs, Validation, append_row, pixel_loss, planes, turned
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from hyperacuity.networks.discriminators.unet import UNetConfig, UNetDiscriminator
from hyperacuity.networks.restorer import Restorer, RestorerConfig
from hyperacuity.train import checkpoint
from hyperacuity.train.adversary import discriminator_loss, generator_loss

# The deviation in 7x7 pixels at which a surface counts as flat to 37 %.
FLAT = 4 / 255


@dataclass(frozen=True)
class FinishOptions:
    """Settings of a run, kept in its checkpoint.

    Args:
        steps: Length of the whole run.
        batch: Samples of a step.
        patch: LR pixels of a side.
        window: HR pixels of a side that LPIPS and the discriminator see, at any place of the patch: a multiple of 16.
        lr: The learning rate of the network; falls to a tenth of it along a cosine.
        rate: The learning rate of the discriminator.
        ema: Decay of the averaged weights.
        pixels: Weight of the pixels' loss.
        lpips: Weight of LPIPS.
        flat: Weight of the fine structure on surfaces that are flat in the image taken for real: LPIPS alone likes a
            regular texture there.
        gan: Weight of the discriminator's term; grows linearly over the first `warmup` steps.
        warmup: Steps in which the discriminator's term grows from 0.
        truth: The least probability that LPIPS and the discriminator compare with the truth, not with the teacher; more
            is the kind's share in the target. With 0.5, LPIPS fell below the teacher's in 2000 steps by a fine regular
            texture on surfaces that should be clean.
        features: Channels of the discriminator at its first resolution.
        seed: Decides all samples.
        validate_every: Steps between validations.
    """

    steps: int = 60_000
    batch: int = 8
    patch: int = 48
    window: int = 128
    lr: float = 2e-4
    rate: float = 2e-4
    ema: float = 0.999
    pixels: float = 1.0
    lpips: float = 1.0
    flat: float = 8.0
    gan: float = 0.1
    warmup: int = 2000
    truth: float = 0.0
    features: int = 16
    seed: int = 2
    validate_every: int = 1000


class FinishRun:
    """One training: the folded network, its average, the discriminator, their optimisers, and the step."""

    def __init__(self, folder: Path, options: FinishOptions, start: Path | None, lpips: Any) -> None:
        self.folder, self.step, self.seconds, self.lpips = folder, 0, 0.0, lpips
        state = checkpoint.load(folder / "last.pt") if (folder / "last.pt").exists() else None
        self.options = FinishOptions(**state["recipe"]) if state else options
        torch.manual_seed(self.options.seed)
        self.network, self.average = (Restorer(RestorerConfig(folded=True)) for _ in range(2))
        self.judge = UNetDiscriminator(UNetConfig(channels=12, features=self.options.features))
        if state is None:
            if start is None:
                raise SystemExit("the first call needs --start")
            weights = load_file(start)
            self.network.load_state_dict(weights)
        for each in (self.network, self.average, self.judge):
            each.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), self.options.lr, betas=(0.9, 0.99))
        self.judging = torch.optim.Adam(self.judge.parameters(), self.options.rate, betas=(0.5, 0.99))
        if state:
            for name in ("network", "average", "judge", "optimiser", "judging"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.seconds = state["step"], state["seconds"]

    def train_step(self, pairs: Pairs) -> dict[str, float]:
        """Take one step and return its losses."""
        options = self.options
        rng = np.random.default_rng([options.seed, self.step])
        lr, target, real = _samples(pairs, rng, options)
        down, right = (int(rng.integers(4 * options.patch - options.window + 1)) for _ in range(2))
        window = (..., slice(down, down + options.window), slice(right, right + options.window))
        for group in self.optimiser.param_groups:
            group["lr"] = options.lr * (0.55 + 0.45 * math.cos(math.pi * min(1.0, self.step / options.steps)))
        self.judge.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16):
            sr = self.network(lr).float()
            fake = self.judge(_unshuffled(sr[window]))
            distance = self.lpips(sr[window].clamp(0, 1), real[window]).float().mean()
        pixels = pixel_loss(sr, target)
        adversarial = generator_loss("vanilla", fake)
        weight = options.gan * min(1.0, self.step / options.warmup)
        flat = flat_loss(sr, real)
        loss = options.pixels * pixels + options.lpips * distance + options.flat * flat + weight * adversarial
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.judge.requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            half = slice(options.batch // 2)
            seen = [self.judge(_unshuffled(each[half][window])) for each in (real, sr.detach())]
        judged = discriminator_loss("vanilla", seen[1], seen[0])
        self.judging.zero_grad()
        judged.backward()  # type: ignore[no-untyped-call]
        self.judging.step()
        with torch.no_grad():
            keep = min(options.ema, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - keep)
        self.step += 1
        losses = {"pixels": pixels, "distance": distance, "flat": flat, "gan": adversarial, "judge": judged}
        return {name: value.item() for name, value in losses.items()}

    def save(self) -> None:
        """Replace last.pt, and write the averaged weights."""
        state: dict[str, Any] = {"step": self.step, "seconds": self.seconds, "recipe": asdict(self.options)}
        for name in ("network", "average", "judge", "optimiser", "judging"):
            state[name] = getattr(self, name).state_dict()
        checkpoint.save(self.folder / "last.pt", state)
        weights = {name: value.contiguous() for name, value in self.average.state_dict().items()}
        save_file(weights, self.folder / "ema.safetensors", {"architecture": "restorer", "step": str(self.step)})


def _samples(pairs: Pairs, rng: np.random.Generator, options: FinishOptions) -> tuple[Tensor, Tensor, Tensor]:
    """LR, the blend of teacher and truth, and what counts as real (one of both); in [0, 1]."""
    p = options.patch
    lrs, targets, reals = [], [], []
    for _ in range(options.batch):
        kinds, lr, teacher, truth = pairs.shards[int(rng.integers(len(pairs.shards)))]
        n = int(rng.integers(len(kinds)))
        top, left = (int(rng.integers(lr.shape[1] - p + 1)) for _ in range(2))
        large = slice(4 * top, 4 * (top + p)), slice(4 * left, 4 * (left + p))
        share = np.float32(TRUTH[kinds[n]])
        turns = int(rng.integers(8))
        real = truth if rng.random() < max(options.truth, TRUTH[kinds[n]]) else teacher
        lrs.append(turned(lr[n, top : top + p, left : left + p], turns))
        targets.append(turned(teacher[n][large] * (1 - share) + truth[n][large] * share, turns))
        reals.append(turned(real[n][large], turns))
    return planes(np.stack(lrs)), planes(np.stack(targets)), planes(np.stack(reals))


def flat_loss(sr: Tensor, real: Tensor) -> Tensor:
    """Compute L1 of what a 3x3 mean leaves out, weighted by how flat the real image is around each pixel."""
    mean = functional.avg_pool2d(real, 7, 1, 3, count_include_pad=False)
    spread = (
        (functional.avg_pool2d(real.square(), 7, 1, 3, count_include_pad=False) - mean.square()).clamp_min(0).sqrt()
    )
    weight = (-spread / FLAT).exp()
    return (weight * (_fine(sr) - _fine(real)).abs()).mean()


def _fine(x: Tensor) -> Tensor:
    return x - functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _unshuffled(x: Tensor) -> Tensor:
    return functional.pixel_unshuffle(x, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, metavar="PAIRS", help="folder that photo_pairs.py has filled")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--start", type=Path, help="folded weights to begin with")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this time")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in asdict(FinishOptions()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    folder, out, start, minutes, threads = (given.pop(n) for n in ("pairs", "run", "start", "minutes", "threads"))
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    pairs, validation = Pairs(folder), Validation(folder, out)
    run = FinishRun(out, FinishOptions(**given), start, validation.distance)
    ended: list[int] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, _: ended.append(number))
    _train(run, pairs, validation, ended, minutes)


def _train(run: FinishRun, pairs: Pairs, validation: Validation, ended: list[int], minutes: float) -> None:
    begin = time.monotonic()
    before, first = run.seconds, run.step
    rows: list[dict[str, float]] = []
    while run.step < run.options.steps and not ended and time.monotonic() - begin < 60 * minutes:
        rows.append(run.train_step(pairs))
        now = time.monotonic()
        run.seconds = before + now - begin
        due = run.step % run.options.validate_every == 0
        if due or run.step % 250 == 0:
            row: dict[str, Any] = {"step": run.step, "seconds": round(run.seconds)}
            row |= {name: round(float(np.mean([each[name] for each in rows])), 5) for name in rows[0]}
            row |= {"steps/s": round((run.step - first) / (now - begin), 2), "psnr": "", "lpips": ""}
            row |= validation(run.average, run.step) if due else {}
            append_row(run.folder / "log.csv", row)
            rows = []
        if due:
            run.save()
    run.save()


if __name__ == "__main__":
    main()
