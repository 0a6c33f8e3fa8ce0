"""The training loop. It yields its progress; whoever called it shows that and may stop at any step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hyperacuity import datasets, export
from hyperacuity.errors import UsageError
from hyperacuity.metrics import psnr
from hyperacuity.networks import build, described
from hyperacuity.train import checkpoint, data
from hyperacuity.train.recipe import Optimizer, Recipe
from hyperacuity.zoo import Card

LOSSES = {"l1": nn.functional.l1_loss, "mse": nn.functional.mse_loss}


@dataclass(frozen=True)
class Progress:
    """Where a training stands after a step; `validation` is the mean PSNR in dB when it was just measured."""

    step: int
    steps: int
    loss: float
    validation: float | None
    best: float


def learning_rate(step: int, steps: int, optimizer: Optimizer) -> float:
    """The rate of step 0 .. steps - 1: a linear warm-up, then half a cosine down to `final_lr`."""
    if step < optimizer.warm_up:
        return optimizer.lr * (step + 1) / optimizer.warm_up
    done = (step - optimizer.warm_up) / max(1, steps - optimizer.warm_up)
    return optimizer.final_lr + (optimizer.lr - optimizer.final_lr) * (1 + math.cos(math.pi * done)) / 2


def train(recipe: Recipe, folder: Path, *, resume: bool = False) -> Iterator[Progress]:
    """Train `recipe` into `folder`: a checkpoint at each validation, and at the end NAME.safetensors and NAME.onnx
    with the weights that validated best.

    Killed at any moment and resumed, it ends with the same weights on the same machine. Raises `UsageError` when
    `folder` holds a training and `resume` is false, or one of another recipe.
    """
    saved = folder / "checkpoint.pt"
    if saved.exists() and not resume:
        raise UsageError(f"{folder} already holds a training: add --resume to go on with it, or choose another folder")

    torch.manual_seed(recipe.seed)
    network = build(recipe.model.architecture, recipe.model.config)
    if described(network).channels != 1 or described(network).scale == 1:
        raise UsageError(
            f"{recipe.model.architecture} cannot be trained yet: only networks that enlarge luma can, such as fsrcnn"
        )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in PyTorch's stubs
    averaging = get_ema_multi_avg_fn(recipe.optimizer.ema)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=averaging)
    optimizer = torch.optim.Adam(network.parameters())
    scale = described(network).scale

    start, best, best_weights = 0, -math.inf, network.state_dict()
    if saved.exists():
        state = checkpoint.load(saved)
        if state["recipe"] != recipe.hash():
            raise UsageError(f"{saved} belongs to another recipe: choose another folder for this one")
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        start, best, best_weights = state["step"], state["best"], state["best_weights"]

    files = datasets.files(recipe.data.train)
    pairs = list(data.pairs(files, scale, recipe.data.rescale, recipe.data.patch))
    patches = data.Patches(pairs, scale=scale, patch=recipe.data.patch, batch=recipe.data.batch, seed=recipe.seed)
    held_out = luma_pairs(recipe.data.validation, scale)

    for step in range(start, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe.steps, recipe.optimizer)
        lr, hr = patches.batch(step)
        loss: Tensor = LOSSES[recipe.loss](network(lr), hr)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        average.update_parameters(network)

        validation = None
        if (step + 1) % recipe.validate_every == 0 or step + 1 == recipe.steps:
            validation = quality(average.module, held_out, scale)
            if validation > best:
                best = validation
                best_weights = {name: value.clone() for name, value in average.module.state_dict().items()}
            checkpoint.save(
                saved,
                {
                    "recipe": recipe.hash(),
                    "step": step + 1,
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "best": best,
                    "best_weights": best_weights,
                },
            )
        yield Progress(step + 1, recipe.steps, float(loss.detach()), validation, best)

    network.load_state_dict(best_weights)
    figures = {"validation": best}
    for report in recipe.data.reports:
        figures[report.name] = quality(network, luma_pairs([report], scale), scale)
    export.write(network, card_of(network, recipe, figures, datasets.fingerprint(files)), folder)


def card_of(network: nn.Module, recipe: Recipe, quality: Mapping[str, float], fingerprint: str) -> Card:
    """The card of a network that `recipe` has trained."""
    return Card(
        name=recipe.model.name,
        architecture=recipe.model.architecture,
        config=recipe.model.config,
        scale=described(network).scale,
        channels="Y" if described(network).channels == 1 else "RGB",
        licence=recipe.model.licence,
        trained_on=recipe.model.trained_on,
        paper=recipe.model.paper,
        steps=recipe.steps,
        seed=recipe.seed,
        recipe=recipe.hash(),
        data_fingerprint=fingerprint,
        quality={name: round(value, 3) for name, value in quality.items()},
        **export.measured(network),
    )


def luma_pairs(folders: Iterable[Path], scale: int) -> list[datasets.Pair]:
    """The pictures of `folders` as the papers evaluate them: 8-bit luma, and its LR in double precision."""
    pictures = (datasets.picture(path) for path in datasets.files(folders))
    return [datasets.pair(datasets.luma(picture), scale, exact=True) for picture in pictures]


def quality(network: nn.Module, held_out: list[datasets.Pair], scale: int) -> float:
    """Mean PSNR in dB by the papers' protocol: LR in double precision, the result rounded to 8-bit luma, `scale`
    pixels cut from each border.
    """
    network.eval()
    with torch.inference_mode():
        values = [psnr(infer(network, pair.lr), pair.hr, border=scale, peak=255) for pair in held_out]
    network.train()
    return float(np.mean(values))


def infer(network: nn.Module, lr: NDArray[Any]) -> datasets.Picture:
    """Run a network on (H, W) luma on 0..255; the answer is rounded to uint8."""
    result = network(torch.from_numpy(lr).float()[None, None] / 255)[0, 0]
    picture: datasets.Picture = (result * 255).round().clamp(0, 255).byte().numpy()
    return picture
