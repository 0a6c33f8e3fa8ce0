"""Trains the networks of error maps, one a scale: quantile regression of the error of several models' results.

    python benchmarks/error_map_training.py SCALE --photos PHOTOS --minutes 10

Photos are cropped; most get grain and some JPEG, because originals have both and the photos at hand were reduced. Each
is reduced by MATLAB's bicubic and enlarged again by several models; the network learns the quantile of 90 % of the
absolute error of luma (pinball loss: Koenker, Bassett: "Regression Quantiles", Econometrica 46(1), 1978).
The last third of the photos is left for the calibration, see error_maps.py.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import nn
from torch.nn import functional

import hyperacuity
from hyperacuity import trust
from hyperacuity.image import Image
from hyperacuity.resize import resize
from hyperacuity.trust import luma_levels

FOLDER = Path(trust.__file__).parent
# Channels of each network, for fewer than 10,000 parameters.
CHANNELS = {2: 18, 3: 16, 4: 16}
FAMILIES = ("acute-100k", "acute-10k", "acute-50k", "fsrcnn", "bicubic", "lanczos")
# Pixels of the input in a crop and in a patch of a batch, the border of a patch without loss, and patches of a batch.
CROP, PATCH, BORDER, BATCH = 64, 40, 3, 16


class ErrorNetwork(nn.Module):
    """Reads the input, its bicubic enlargement and the result, and returns the quantile of the error at each pixel."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        width, self.scale = CHANNELS[scale], scale
        self.mix = nn.Conv2d(2 * scale**2 + 7, width, 1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, scale**2, 3, padding=1)
        nn.init.constant_(self.last.bias, 1.0)  # type: ignore[arg-type]  # there is a bias

    def forward(self, lr: torch.Tensor, bicubic: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Returns (N, 1, H, W) in grey levels."""
        x = functional.relu(self.mix(self.features(lr, bicubic, result)))
        for layer in self.body:
            x = functional.relu(layer(x))
        return torch.exp(functional.pixel_shuffle(self.last(x), self.scale).clamp(-4, 5))

    def features(self, lr: torch.Tensor, bicubic: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Returns planes of the input's size: the three images without their local mean, and activities."""
        local = _mean(lr, 2)
        added = functional.pixel_unshuffle(result - bicubic, self.scale)
        activity = _detail(lr)
        wide = _mean(activity, 4)
        # The least activity nearby: grain and noise, which are everywhere, and not texture.
        floor = -functional.max_pool2d(_padded(-wide, 8), 17, 1)
        fine = functional.avg_pool2d(_detail(result), self.scale)
        measures = (_mean(activity, 1), wide, floor, _mean(added.abs().mean(1, keepdim=True), 1), fine, _mean(fine, 2))
        planes = [(functional.pixel_unshuffle(result, self.scale) - local) / 32, added / 8, (lr - local) / 32]
        return torch.cat([*planes, *((measure + 0.05).log() / 2 for measure in measures)], 1)


def _padded(x: torch.Tensor, reach: int) -> torch.Tensor:
    return functional.pad(x, (reach,) * 4, mode="replicate")


def _mean(x: torch.Tensor, reach: int) -> torch.Tensor:
    return functional.avg_pool2d(_padded(x, reach), 2 * reach + 1, 1)


def _detail(x: torch.Tensor) -> torch.Tensor:
    x = _padded(x, 1)
    x = x[..., :-2] - 2 * x[..., 1:-1] + x[..., 2:]
    return (x[..., :-2, :] - 2 * x[..., 1:-1, :] + x[..., 2:, :]).abs() / 6


def original(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a photo with the grain and the compression that originals have."""
    if rng.random() < 0.75:
        strength = np.exp(rng.uniform(np.log(0.7), np.log(7)))
        grain = rng.normal(0, 1, (*pixels.shape[:2], 1)) + rng.uniform(0, 0.6) * rng.normal(0, 1, pixels.shape)
        kind = rng.random()
        if kind < 0.35:
            grain = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1) + np.roll(grain, (1, 1), (0, 1))) / 2
        elif kind < 0.7:
            weight = rng.uniform(0.1, 0.6)
            around = sum(np.roll(grain, step, axis) for step in (1, -1) for axis in (0, 1))
            grain = (grain + weight * around) / np.sqrt(1 + 4 * weight**2)
        pixels = np.clip(pixels + strength * grain + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        file = io.BytesIO()
        PIL.Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(75, 98)))
        pixels = np.asarray(PIL.Image.open(file))
    return pixels


def split(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the photos for the training and those for the calibration."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg"))
    files = [files[index] for index in np.random.default_rng(0).permutation(len(files))]
    return files[: len(files) * 2 // 3], files[len(files) * 2 // 3 :]


def examples(files: list[Path], scale: int, seed: int = 1, crops: int = 3) -> dict[str, np.ndarray]:
    """Returns planes of luma (N, H, W), float16, of crops: the input, bicubic, the models' results, and the truth."""
    rng, side = np.random.default_rng(seed), CROP * scale
    upscalers = [hyperacuity.load(family) for family in FAMILIES]
    found: dict[str, list[np.ndarray]] = {"lr": [], "bicubic": [], "result": [], "truth": []}
    for path in files:
        photo = np.asarray(PIL.Image.open(path).convert("RGB"))
        for _ in range(crops):
            top, left = (rng.integers(length - side + 1) for length in photo.shape[:2])
            truth = original(photo[top : top + side, left : left + side], rng)
            lr = resize(truth, size=(CROP, CROP))
            shared = _luma(lr), _luma8(resize(lr.astype(np.float32), size=(side, side))), _luma(truth)
            for upscaler in upscalers:
                for name, plane in zip(found, (*shared[:2], _luma(upscaler.array(lr, scale)), shared[2]), strict=True):
                    found[name].append(plane.astype(np.float16))
    return {name: np.stack(planes) for name, planes in found.items()}


def _luma(pixels: np.ndarray) -> np.ndarray:
    return luma_levels(pixels, Image.from_pixels(pixels).header)


def _luma8(levels: np.ndarray) -> np.ndarray:
    return _luma(levels / np.float32(255))


def train(data: dict[str, np.ndarray], scale: int, minutes: float, weight: float = 0.1) -> ErrorNetwork:
    """Returns a network that was trained for some minutes.

    Args:
        data: From `examples`.
        scale: 2, 3 or 4.
        minutes: Of training; the learning rate falls to nearly 0 at their end.
        weight: How much more small errors count: the loss is divided by this power of the predicted error.
    """
    torch.manual_seed(0)
    network, rng, start, step = ErrorNetwork(scale), np.random.default_rng(0), time.monotonic(), 0
    optimiser = torch.optim.Adam(network.parameters(), 4e-3)
    inside = (..., *(slice(BORDER * scale, -BORDER * scale),) * 2)
    while (done := (time.monotonic() - start) / 60 / minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1, (step + 1) / 50) * (0.01 + 0.99 * np.cos(done * np.pi / 2) ** 2)
        batch = _batch(data, scale, rng)
        error = (batch["result"] - batch["truth"]).abs()[inside]
        quantile = network(batch["lr"], batch["bicubic"], batch["result"])[inside]
        beyond = error - quantile
        loss = torch.maximum(trust.COVERAGE * beyond, (trust.COVERAGE - 1) * beyond)
        loss = (loss / (quantile.detach() + 0.5) ** weight).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % 300 == 0:
            print(step, round(loss.item(), 3), flush=True)
    return network


def _batch(data: dict[str, np.ndarray], scale: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    patches: dict[str, list[Any]] = {name: [] for name in data}
    for _ in range(BATCH):
        index, turn, flip = rng.integers(len(data["lr"])), int(rng.integers(4)), int(rng.integers(2))
        top, left = rng.integers(CROP - PATCH + 1, size=2)
        for name, planes in data.items():
            unit = 1 if name == "lr" else scale
            plane = planes[index, top * unit : (top + PATCH) * unit, left * unit : (left + PATCH) * unit]
            patches[name].append(np.rot90(plane[:, :: 1 - 2 * flip], turn))
    return {name: torch.from_numpy(np.stack(planes).astype(np.float32))[:, None] for name, planes in patches.items()}


def export(network: ErrorNetwork, path: Path) -> None:
    """Write the network as ONNX."""
    small, large = torch.rand(1, 1, 24, 32), torch.rand(1, 1, 24 * network.scale, 32 * network.scale)
    sides = {2: "height", 3: "width"}
    torch.onnx.export(
        network.eval(),
        (small, large, large),
        str(path),
        input_names=["lr", "bicubic", "result"],
        output_names=["error"],
        dynamic_axes={"lr": {2: "h", 3: "w"}, "bicubic": sides, "result": sides, "error": sides},
        opset_version=17,
        dynamo=False,
    )


def main() -> None:
    """Train the network of one scale, and write it into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scale", type=int, choices=trust.SCALES)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    data = examples(split(options.photos)[0], options.scale)
    export(train(data, options.scale, options.minutes), FOLDER / f"error-x{options.scale}.onnx")


if __name__ == "__main__":
    main()
