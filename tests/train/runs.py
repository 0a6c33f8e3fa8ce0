"""Short runs of the recipe of these tests, and changes to it for other kinds of networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from hyperacuity.train import TrainingProgress, read_recipe, train

GAN = {
    "model.architecture": "srresnet",
    "model.config": {"blocks": 1, "width": 4},
    "discriminator": {"architecture": "unet", "config": {"features": 4}, "loss": "relativistic", "pretrain_steps": 4},
}
MDSR = {"model.architecture": "mdsr", "model.config": {"scales": [2, 3], "blocks": 1, "width": 4}}
VAE = {"model.architecture": "vae", "model.config": {"features": 4, "layers": 1}, "variational": {"warm_up": 4}}


def trained(recipe: Path, folder: Path, changes: Any = None, **options: Any) -> list[TrainingProgress]:
    """Train, and return the progress after each step."""
    return [p for p in train(read_recipe(recipe, changes), folder, device="cpu", **options) if p.losses]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the weights that a run has written."""
    return safetensors.torch.load_file(folder / "tiny-x2.safetensors")


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name
