"""Train a photo restoration network on stored pairs, by regression: the first of three stages.

    python benchmarks/photo_pairs.py PAIRS                 # first; may make more pairs while this trains
    python benchmarks/photo_train.py PAIRS RUN             # the same command resumes from RUN/last.pt

The target of a sample is a blend of the teacher's result and the truth, in shares that depend on the kind of
degradation: the teacher removes noise and blocks well, but smooths clean images and misspells letters. The trainer of
the library has one weight of the teacher for all samples, so this is a script of its own. The loss is L1 of pixels and
of differences of neighbours. RUN gets `log.csv`, `kinds.csv` (LPIPS and PSNR of each kind), `reference.csv` (bicubic
and the teacher), `sheet.png` (columns: bicubic, network, teacher, truth), `last.pt` and `ema.safetensors`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.networks import perceptual
from hyperacuity.networks.compact import Compact, CompactConfig
from hyperacuity.networks.restorer import Restorer, RestorerConfig
from hyperacuity.train import checkpoint
from hyperacuity.train.muon import Muon

WEIGHTS = Path(__file__).parents[2] / "shared/weights"
# The share of the truth in the target of a sample; the rest is the teacher's result.
TRUTH = {
    "clean": 1.0,
    "light": 0.7,
    "screenshot": 0.8,
    "web": 0.3,
    "phone": 0.3,
    "double": 0.3,
    "out-of-focus": 0.3,
    "scan": 0.2,
    "heavy": 0.2,
}
NETWORKS: dict[str, tuple[Callable[[Any], nn.Module], Any]] = {
    "restorer": (Restorer, RestorerConfig),
    "compact": (Compact, CompactConfig),
}
BORDER = 4  # HR pixels that metrics leave out
GRADIENT = 1.0  # weight of the differences of neighbours
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class PhotoOptions:
    """Settings of a run, kept in its checkpoint: a resumed run takes them from there, not from the command line.

    Args:
        network: A key of `NETWORKS`.
        config: Fields of the network's config, as JSON.
        steps: Length of the whole run.
        batch: Samples of a step.
        patch: LR pixels of a side.
        lr: The highest learning rate, after `warmup` steps; falls to a hundredth of it along a cosine.
        warmup: Steps of a linear warm-up.
        ema: Decay of the averaged weights, which are validated and written.
        seed: Decides the initial weights and all samples.
        validate_every: Steps between validations.
    """

    network: str = "restorer"
    config: str = "{}"
    steps: int = 100_000
    batch: int = 16
    patch: int = 48
    lr: float = 1e-3
    warmup: int = 500
    ema: float = 0.999
    seed: int = 1
    validate_every: int = 2000


class Pairs:
    """The shards of a folder, mapped into memory; `look` finds those added since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards: list[tuple[list[str], Codes, Codes, Codes]] = []
        self.look()

    def look(self) -> int:
        """Open new shards and return how many pairs there are."""
        for path in sorted(self.folder.glob("shard-?????"))[len(self.shards) :]:
            self.shards.append(opened(path))
        return sum(len(kinds) for kinds, *_ in self.shards)

    def batch(self, rng: np.random.Generator, count: int, patch: int) -> tuple[Tensor, Tensor]:
        """Return LR (N, 3, p, p) and the target (N, 3, 4p, 4p), both in [0, 1]."""
        lrs, targets = [], []
        for _ in range(count):
            kinds, lr, teacher, truth = self.shards[int(rng.integers(len(self.shards)))]
            n = int(rng.integers(len(kinds)))
            top, left = (int(rng.integers(lr.shape[1] - patch + 1)) for _ in range(2))
            large = slice(4 * top, 4 * (top + patch)), slice(4 * left, 4 * (left + patch))
            share = np.float32(TRUTH[kinds[n]])
            target = teacher[n][large] * (1 - share) + truth[n][large] * share
            turns = int(rng.integers(8))
            lrs.append(turned(lr[n, top : top + patch, left : left + patch], turns))
            targets.append(turned(target, turns))
        return planes(np.stack(lrs)), planes(np.stack(targets))


def opened(folder: Path) -> tuple[list[str], Codes, Codes, Codes]:
    """Return the kinds, LR, the teacher's results and the truths of a shard."""
    with (folder / "pairs.csv").open(newline="") as file:
        kinds = [row["kind"] for row in csv.DictReader(file)]
    lr, teacher, truth = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("lr", "teacher", "truth"))
    return kinds, lr, teacher, truth


def planes(pixels: NDArray[Any]) -> Tensor:
    """Convert (N, H, W, 3) on 0..255 to (N, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(0, 3, 1, 2)


def turned(pixels: NDArray[Any], turns: int) -> NDArray[Any]:
    """Mirror and transpose (H, W, 3): one of the eight turns of a square."""
    pixels = pixels.swapaxes(0, 1) if turns & 1 else pixels
    return pixels[:: -1 if turns & 2 else 1, :: -1 if turns & 4 else 1]


def pixel_loss(sr: Tensor, target: Tensor) -> Tensor:
    """Compute L1, plus L1 of the differences of neighbours down and across."""
    error = sr - target
    down, across = error[..., 1:, :] - error[..., :-1, :], error[..., 1:] - error[..., :-1]
    return error.abs().mean() + GRADIENT * (down.abs().mean() + across.abs().mean())


class Validation:
    """Every kind of degradation on fixed crops of Kodak24."""

    def __init__(self, pairs: Path, run: Path) -> None:
        self.kinds, lr, teacher, truth = opened(pairs / "validation")
        self.lr, self.truth = planes(lr), planes(truth)
        self.run = run
        self.distance = perceptual.LPIPS.from_files(
            WEIGHTS / "squeezenet1_1.safetensors", WEIGHTS / "lpips_squeeze_linear.pth"
        )
        self.bicubic = functional.interpolate(self.lr, scale_factor=4, mode="bicubic", antialias=True).clamp(0, 1)
        self.teacher = planes(teacher)
        if not (run / "reference.csv").exists():
            for name, made in (("bicubic", self.bicubic), ("teacher", self.teacher)):
                append_row(run / "reference.csv", {"name": name, **self._row(made)})

    @torch.inference_mode()
    def __call__(self, network: nn.Module, step: int) -> dict[str, float]:
        """Write a line of kinds.csv and the sheet, and return means over all images."""
        made = torch.cat([network(each) for each in torch.split(self.lr, 6)]).clamp(0, 1).mul(255).round().div(255)
        row = self._row(made)
        append_row(self.run / "kinds.csv", {"step": step, **row})
        self._sheet(made)
        return {"psnr": row["psnr"], "lpips": row["lpips"]}

    @torch.inference_mode()
    def _row(self, made: Tensor) -> dict[str, float]:
        inner = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
        psnr = -10 * (made - self.truth)[inner].square().mean((1, 2, 3)).log10()
        parts = zip(torch.split(made[inner], 6), torch.split(self.truth[inner], 6), strict=True)
        lpips = torch.cat([self.distance(a, b) for a, b in parts])
        row = {"psnr": psnr.mean().item(), "lpips": lpips.mean().item()}
        for name in dict.fromkeys(self.kinds):
            members = torch.tensor([kind == name for kind in self.kinds])
            row[f"lpips {name}"], row[f"psnr {name}"] = lpips[members].mean().item(), psnr[members].mean().item()
        return {name: round(value, 4) for name, value in row.items()}

    def _sheet(self, made: Tensor) -> None:
        """Two crops of each kind, with the columns bicubic, network, teacher, truth."""
        count = len(dict.fromkeys(self.kinds))
        rows = []
        for n in range(count):
            cells = [each[k] for k in (n, n + count) for each in (self.bicubic, made, self.teacher, self.truth)]
            rows.append(torch.cat(cells, 2))
        pixels = (torch.cat(rows, 1).permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(self.run / "sheet.png")


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a CSV file; a new file gets the names of the columns first."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


class PhotoRun:
    """One training: the network, its average, the optimiser and the step."""

    def __init__(self, folder: Path, options: PhotoOptions) -> None:
        self.folder, self.step, self.seconds = folder, 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        state = checkpoint.load(folder / "last.pt") if (folder / "last.pt").exists() else None
        self.options = PhotoOptions(**state["recipe"]) if state else options
        torch.manual_seed(self.options.seed)
        network, config = NETWORKS[self.options.network]
        self.network, self.average = (network(config(**json.loads(self.options.config))) for _ in range(2))
        for each in (self.network, self.average):
            each.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = Muon(self.network.parameters(), self.options.lr)
        if state:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds = state["step"], state["seconds"]

    def train_step(self, pairs: Pairs) -> float:
        """Take one step and return the loss; its samples follow from the seed and the number of the step."""
        options = self.options
        lr, target = pairs.batch(np.random.default_rng([options.seed, self.step]), options.batch, options.patch)
        for group in self.optimiser.param_groups:
            group["lr"] = options.lr * _rate(self.step, options)
        self.optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            sr = self.network(lr)
        loss = pixel_loss(sr.float(), target)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        keep = min(options.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - keep)
        self.step += 1
        return loss.item()

    def save(self) -> None:
        """Replace last.pt; an interruption leaves the old one or the new one."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "recipe": asdict(self.options),
            "network": self.network.state_dict(),
            "ema": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        checkpoint.save(self.folder / "last.pt", state)

    def export(self) -> None:
        """Write the averaged weights, folded if the network has branches."""
        network: Any = self.average
        network = network.folded() if hasattr(network, "folded") else network
        weights = {name: value.contiguous() for name, value in network.state_dict().items()}
        metadata = {"architecture": self.options.network, "config": self.options.config, "step": str(self.step)}
        save_file(weights, self.folder / "ema.safetensors", metadata)


def _rate(step: int, options: PhotoOptions) -> float:
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / options.steps))
    return min(1.0, (step + 1) / options.warmup) * (0.01 + 0.99 * cosine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, metavar="PAIRS", help="folder that photo_pairs.py has filled")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this time")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in asdict(PhotoOptions()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    folder, out, minutes, threads = (given.pop(name) for name in ("pairs", "run", "minutes", "threads"))
    torch.set_num_threads(threads)
    run, pairs, validation = PhotoRun(out, PhotoOptions(**given)), Pairs(folder), Validation(folder, out)
    ended: list[int] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, _: ended.append(number))
    _train(run, pairs, validation, ended, minutes)


def _train(run: PhotoRun, pairs: Pairs, validation: Validation, ended: list[int], minutes: float) -> None:
    start = saved = time.monotonic()
    before, losses, first = run.seconds, [], run.step
    while run.step < run.options.steps and not ended and time.monotonic() - start < 60 * minutes:
        losses.append(run.train_step(pairs))
        now = time.monotonic()
        run.seconds = before + now - start
        due = run.step % run.options.validate_every == 0 or run.step in (500, 1000)
        if due or run.step % 250 == 0:
            row: dict[str, Any] = {"step": run.step, "seconds": round(run.seconds), "pairs": pairs.look()}
            row |= {"loss": round(float(np.mean(losses)), 5), "rate": round(_rate(run.step, run.options), 4)}
            row |= {"steps/s": round((run.step - first) / (now - start), 2), "psnr": "", "lpips": ""}
            row |= validation(run.average, run.step) if due else {}
            append_row(run.folder / "log.csv", row)
            losses = []
        if due or now - saved > 240:
            run.save()
            saved = now
        if due:
            run.export()
    run.save()
    run.export()


if __name__ == "__main__":
    main()
