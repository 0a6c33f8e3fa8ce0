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
RESTORER: dict[str, Any] = {
    "model.architecture": "restorer",
    "model.config": {"scale": 2, "features": 4, "layers": 1, "fine_features": 4, "fine_layers": 1},
    "degradation": {"kind": "everyday"},
}
PAIRS: dict[str, Any] = {
    **RESTORER,
    "pairs": {"count": 5, "side": 10, "validation_per_kind": 1, "teacher": "photo-natural-x4", "truth": {"web": 0.3}},
}
# Stage (b) of photo models: with windows, and a discriminator that learns from half a batch of unshuffled images.
PAIRS_GAN: dict[str, Any] = {
    **PAIRS,
    "losses": {"l1": 1.0, "gradient": 1.0},
    "precision": "bf16",
    "window": 16,
    "data.patch": 10,
    "discriminator": {"config": {"features": 4, "unshuffle": 2}, "batch_fraction": 0.5, "warm_up": 3},
}
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
