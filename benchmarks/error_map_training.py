"""Trains the networks of error maps, one a scale: quantile regression of the error of several models' results.

    python benchmarks/error_map_training.py SCALE --photos PHOTOS --steps 8000
    python benchmarks/error_map_training.py 3 --photos PHOTOS --start 4 --steps 4000   from the network of x4

Photos are cropped; most get grain and some JPEG, because originals have both and the photos at hand were reduced. Each
is reduced by MATLAB's bicubic and enlarged again by several models; the network learns the quantile of 90 % of the
absolute error of luma (pinball loss: Koenker, Bassett: "Regression Quantiles", Econometrica 46(1), 1978).
What the network reads is computed once for each crop, so that a step costs only the convolutions. The last third of the
photos is left for the calibration, see error_maps.py; `--crops` of each other photo, turned and flipped, are learnt.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import numpy as np
import onnx
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
# The quantile that is learnt: the share of pixels whose error stays below the map.
COVERAGE = 0.9
# Channels of each network, for fewer than 10,000 parameters; 16 fill the vectors of a CPU.
CHANNELS = 16
# How far apart the taps of each layer lie.
DILATIONS = (1, 2, 1)
FAMILIES = ("acute-100k", "acute-10k", "acute-50k", "fsrcnn", "bicubic", "lanczos")
# How many of them enlarge each crop.
ANSWERS = 3
# Pixels of the input in a crop and in a patch of a batch, the border of a patch without loss, and patches of a batch.
CROP, PATCH, BORDER, BATCH = 64, 36, 5, 16


class ErrorNetwork(nn.Module):
    """Reads the input, its bicubic enlargement and the result, and returns the quantile of the error at each pixel."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        width, self.scale = CHANNELS, scale
        self.mix = nn.Conv2d(2 * scale**2 + 11, width, 1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=step, dilation=step) for step in DILATIONS)
        self.last = nn.Conv2d(width, scale**2, 3, padding=1)
        nn.init.constant_(self.last.bias, 1.0)  # type: ignore[arg-type]  # there is a bias

    def forward(self, lr: torch.Tensor, bicubic: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Returns (N, 1, H, W) in grey levels."""
        return functional.pixel_shuffle(self.quantile(self.features(lr, bicubic, result)), self.scale)

    def quantile(self, features: torch.Tensor) -> torch.Tensor:
        """Returns (N, scale^2, h, w) in grey levels for what `features` returned."""
        x = functional.relu(self.mix(features))
        for layer in self.body:
            x = functional.relu(layer(x))
        return torch.exp(self.last(x).clamp(-4, 5))

    def features(self, lr: torch.Tensor, bicubic: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Returns planes of the input's size: the three images without their local mean, and activities."""
        local = _mean(lr, 2)
        added = functional.pixel_unshuffle(result - bicubic, self.scale)
        activity = _detail(lr)
        wide = _mean(activity, 4)
        # The least activity nearby: grain and noise, which are everywhere, and not texture.
        floor = -functional.max_pool2d(_padded(-wide, 8), 17, 1)
        fine = functional.avg_pool2d(_detail(result), self.scale)
        across, down = _gradients(lr)
        measures = (
            *(_mean(activity, 1), wide, floor, _mean(added.abs().mean(1, keepdim=True), 1), fine, _mean(fine, 2)),
            *(_mean(across, 1), _mean(down, 1), _mean(across + down, 4)),
        )
        planes = [(functional.pixel_unshuffle(result, self.scale) - local) / 32, added / 8, (lr - local) / 32]
        level = local / 128 - 1
        return torch.cat([*planes, level, *((measure + 0.05).log() / 2 for measure in measures)], 1)


def _padded(x: torch.Tensor, reach: int) -> torch.Tensor:
    return functional.pad(x, (reach,) * 4, mode="replicate")


def _mean(x: torch.Tensor, reach: int) -> torch.Tensor:
    return functional.avg_pool2d(_padded(x, reach), 2 * reach + 1, 1)


def _detail(x: torch.Tensor) -> torch.Tensor:
    x = _padded(x, 1)
    x = x[..., :-2] - 2 * x[..., 1:-1] + x[..., 2:]
    return (x[..., :-2, :] - 2 * x[..., 1:-1, :] + x[..., 2:, :]).abs() / 6


def _gradients(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = _padded(x, 1)
    across = (x[..., 1:-1, 2:] - x[..., 1:-1, :-2]).abs() / 2
    return across, (x[..., 2:, 1:-1] - x[..., :-2, 1:-1]).abs() / 2


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


def examples(files: list[Path], scale: int, seed: int = 1, crops: int = 8) -> dict[str, torch.Tensor]:
    """Returns, as float16, what the network reads of crops (N, planes, h, w), and the errors (N, scale^2, h, w)."""
    rng, side, network = np.random.default_rng(seed), CROP * scale, ErrorNetwork(scale)
    upscalers = [hyperacuity.load(family) for family in FAMILIES]
    features, errors = [], []
    for path in files:
        photo = np.asarray(PIL.Image.open(path).convert("RGB"))
        for _ in range(crops):
            top, left = (rng.integers(length - side + 1) for length in photo.shape[:2])
            truth = original(photo[top : top + side, left : left + side], rng)
            truth = np.ascontiguousarray(np.rot90(truth[:, :: rng.choice((-1, 1))], int(rng.integers(4))))
            lr = resize(truth, size=(CROP, CROP))
            shared = _luma(lr), _luma8(resize(lr.astype(np.float32), size=(side, side)))
            for number in rng.permutation(len(upscalers))[:ANSWERS]:
                result = _luma(upscalers[number].array(lr, scale))
                planes = [torch.from_numpy(plane)[None, None] for plane in (*shared, result)]
                features.append(network.features(*planes)[0].half())
                error = torch.from_numpy(np.abs(result - _luma(truth)))
                errors.append(functional.pixel_unshuffle(error[None], scale).half())
    return {"features": torch.stack(features), "error": torch.stack(errors)}


def _luma(pixels: np.ndarray) -> np.ndarray:
    return luma_levels(pixels, Image.from_pixels(pixels).header)


def _luma8(levels: np.ndarray) -> np.ndarray:
    return _luma(levels / np.float32(255))


def pinball(error: torch.Tensor, quantile: torch.Tensor, weight: float = 0.0) -> torch.Tensor:
    """Returns the mean pinball loss; `weight` lets small errors count more: a power of the predicted error divides."""
    beyond = error - quantile
    loss = torch.maximum(COVERAGE * beyond, (COVERAGE - 1) * beyond)
    return (loss / (quantile.detach() + 0.5) ** weight).mean()


def begin_as(network: ErrorNetwork, scale: int) -> None:
    """Copy the weights of the package's network of another scale, as far as they do not depend on the scale.

    Those of the pixels of the result that lie in one pixel of the input are interpolated.
    """
    graph = onnx.load(FOLDER / f"error-x{scale}.onnx").graph
    weights = {each.name: torch.from_numpy(onnx.numpy_helper.to_array(each).copy()) for each in graph.initializer}
    mix = weights["mix.weight"].transpose(0, 1)
    result, added, others = torch.split(mix, [scale**2, scale**2, len(mix) - 2 * scale**2])
    ratio = (scale / network.scale) ** 2  # sums over the pixels stay as large
    parts = (ratio * _interpolated(result, network.scale), ratio * _interpolated(added, network.scale), others)
    weights["mix.weight"] = torch.cat(parts).transpose(0, 1)
    weights |= {name: _interpolated(weights[name], network.scale) for name in ("last.weight", "last.bias")}
    network.load_state_dict({name: weights[name] for name in network.state_dict()})


def _interpolated(weights: torch.Tensor, scale: int) -> torch.Tensor:
    """Weights whose first axis is the pixels of a square, row by row, for a square of another size."""
    side = round(len(weights) ** 0.5)
    square = weights.reshape(side, side, -1).permute(2, 0, 1)[None]
    other = functional.interpolate(square, (scale, scale), mode="bilinear")[0]
    return other.permute(1, 2, 0).reshape(scale**2, *weights.shape[1:])


def train(
    data: dict[str, torch.Tensor],
    held_out: dict[str, torch.Tensor],
    scale: int,
    steps: int,
    start: int | None = None,
    weight: float = 0.1,
) -> ErrorNetwork:
    """Returns a trained network.

    Args:
        data: From `examples`.
        held_out: Of other photos, to show the progress.
        scale: 2, 3 or 4.
        steps: Of the training; the learning rate falls to nearly 0 at their end.
        start: Begin with the weights of the package's network of this scale, and half the learning rate.
        weight: See `pinball`.
    """
    torch.manual_seed(0)
    network, rng, began = ErrorNetwork(scale), np.random.default_rng(0), time.monotonic()
    if start is not None:
        begin_as(network, start)
    optimiser, rate = torch.optim.Adam(network.parameters()), 4e-3 if start is None else 2e-3
    inside = (..., *(slice(BORDER, -BORDER),) * 2)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 50) * (0.005 + 0.995 * np.cos(step / steps * np.pi / 2) ** 2)
        features, error = _batch(data, rng)
        loss = pinball(error[inside], network.quantile(features)[inside], weight)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % 500 == 0:
            with torch.inference_mode():
                parts = zip(torch.split(held_out["features"], 32), torch.split(held_out["error"], 32), strict=True)
                losses = [pinball(e.float()[inside], network.quantile(f.float())[inside]).item() for f, e in parts]
            print(step + 1, round(time.monotonic() - began), round(float(np.mean(losses)), 4), flush=True)
    return network


def _batch(data: dict[str, torch.Tensor], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    features, errors = [], []
    for index in rng.integers(len(data["error"]), size=BATCH):
        top, left = rng.integers(CROP - PATCH + 1, size=2)
        part = (index, slice(None), slice(top, top + PATCH), slice(left, left + PATCH))
        features.append(data["features"][part])
        errors.append(data["error"][part])
    return torch.stack(features).float(), torch.stack(errors).float()


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
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--crops", type=int, default=8)
    parser.add_argument("--start", type=int, choices=trust.SCALES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    training, others = split(options.photos)
    with torch.inference_mode():
        held_out = examples(others[::3], options.scale, seed=2, crops=2)
        data = examples(training, options.scale, crops=options.crops)
    network = train(data, held_out, options.scale, options.steps, options.start)
    export(network, FOLDER / f"error-x{options.scale}.onnx")


if __name__ == "__main__":
    main()
