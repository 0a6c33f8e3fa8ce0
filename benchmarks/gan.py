"""Whether adversarial training works, on a small example for a CPU: EDSR of two blocks against a small U-Net, x4.

    python benchmarks/gan.py

A network is trained for 500 steps with L1; from there, for another 500 steps with an adversary, and for 500 with L1
only. Every 50 steps, the table has the accuracy of the discriminator (0.5 is guessing; at 1 the generator learns
nothing more), LPIPS and PSNR on three images of Kodak24, and the contrast of fine detail relative to the ground truth,
which falls to zero if the generator collapses. Writes results/gan.csv.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import record
import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.networks import build
from hyperacuity.networks.perceptual import LPIPS
from hyperacuity.train import Recipe, train
from hyperacuity.train.checkpoint import Checkpoints, load
from hyperacuity.train.degrade import Bicubic
from hyperacuity.train.images import TrainingImage
from hyperacuity.train.validation import HeldOut, held_out, quality

SHARED = Path(__file__).parents[2] / "shared"
CONFIG = {"scale": 4, "blocks": 2, "width": 16}
EVERY = 50
ADVERSARY = {
    "architecture": "unet",
    "config": {"features": 8},
    "loss": "relativistic",
    "weight": 0.02,
    "pretrain_steps": 20,
    "optimizer": {"lr": 4e-4},
}
SLOWLY = {"optimizer": {"lr": 2e-4, "ema": 0.0}, "schedule": {"kind": "stairs", "every": 1000}}


def recipe(folder: Path, start: Path | None = None, **tables: object) -> Recipe:
    """Returns a recipe of 500 steps that validates on `folder`."""
    model = {"name": "toy-x4", "architecture": "edsr", "config": CONFIG, "licence": "", "trained_on": "", "paper": ""}
    model["start"] = str(start or "")
    data = {"train": [SHARED / "data/train/photos"], "validation": [folder], "rescale": [0.5], "patch": 24, "batch": 4}
    return Recipe.model_validate({"model": model, "data": data, "steps": 500, "validate_every": EVERY, **tables})


def measured(network: nn.Module, images: list[HeldOut], distance: LPIPS) -> dict[str, float]:
    """Returns the quality of the network on the images."""
    device = torch.device("cpu")
    results = [quality(network, image, device) for image in images]
    pairs = [(_planes(result), _planes(image.hr)) for (_, result), image in zip(results, images, strict=True)]
    return {
        "psnr": float(np.mean([value for value, _ in results])),
        "lpips": float(np.mean([distance(sr, hr).item() for sr, hr in pairs])),
        "detail": float(np.mean([(_fine(sr).std() / _fine(hr).std()).item() for sr, hr in pairs])),
    }


def _planes(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _fine(x: Tensor) -> Tensor:
    """Returns the detail that is finer than an LR pixel."""
    return x - functional.interpolate(functional.avg_pool2d(x, 4), scale_factor=4.0, mode="bilinear")


def main() -> None:
    weights = SHARED / "weights"
    distance = LPIPS.from_files(weights / "squeezenet1_1.safetensors", weights / "lpips_squeeze_linear.pth")
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = sorted((SHARED / "data/validation/Kodak24").glob("*.png"))[4:24:8]
        (folder / "few").mkdir()
        for path in few:
            (folder / "few" / path.name).symlink_to(path)
        images = list(held_out([TrainingImage(path, None, 1.0) for path in few], 4, 3, Bicubic()))
        plain = recipe(folder / "few", losses={"l1": 1.0}, optimizer={"lr": 1e-3})
        for _ in train(plain, folder / "plain", device="cpu"):
            pass
        start = folder / "plain/checkpoints/best.pt"
        network = build("edsr", CONFIG)
        network.load_state_dict(load(start)["weights"])
        rows.append({"adversary": "no", "step": 0, "accuracy": 0.5, **measured(network, images, distance)})
        for adversary in (None, ADVERSARY):
            further = recipe(folder / "few", start, losses={"l1": 0.2}, discriminator=adversary, **SLOWLY)
            run = folder / ("plain-again" if adversary is None else "gan")
            accuracies: list[float] = []
            for progress in train(further, run, device="cpu"):
                accuracies.append(progress.losses.get("accuracy", 0.5))
                if progress.validation is None:
                    continue
                state = Checkpoints(run / "checkpoints", 1).latest()
                assert state is not None
                network.load_state_dict(state.network)
                now = {
                    "step": progress.step,
                    "accuracy": float(np.mean(accuracies)),
                    **measured(network, images, distance),
                }
                rows.append({"adversary": "no" if adversary is None else "yes", **now})
                print(rows[-1], flush=True)
                accuracies = []
    record.save("gan", [{k: v if isinstance(v, str) else round(v, 4) for k, v in row.items()} for row in rows])


if __name__ == "__main__":
    main()
