"""The model files that a run ends with, and their cards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hyperacuity import export
from hyperacuity.errors import UsageError, Use
from hyperacuity.networks import as_network, build
from hyperacuity.train import validation
from hyperacuity.train.assembly import Assembly
from hyperacuity.train.degrade import Bicubic
from hyperacuity.train.images import find_test_set
from hyperacuity.train.state import Weights
from hyperacuity.zoo import Card


def write_models(assembly: Assembly, weights: Weights, validated: float, fingerprint: str, folder: Path) -> None:
    """Write NAME.safetensors and NAME.onnx; one pair for each scale of a network that has several.

    Args:
        assembly: The networks and their recipe.
        weights: The weights to write.
        validated: Their validation in dB.
        fingerprint: Identifies the files that were learnt from.
        folder: Where to write.

    Raises:
        UsageError: If a file cannot be written; the run can be resumed to write it later.
    """
    recipe, scales = assembly.recipe, assembly.scales
    network = build(recipe.model.architecture, recipe.model.config)
    network.load_state_dict(weights)
    for scale in [1] if assembly.enlarged else scales:
        as_network(network).scale = scale
        measured = scales if assembly.enlarged else (scale,)
        card = _card(assembly, network, scale, measured, validated, fingerprint)
        try:
            export.write_model(network, card, folder)
        except UsageError as error:
            raise UsageError(f"{error.message} (the training itself is complete)", Use(resume=True)) from error


def _card(
    assembly: Assembly, network: nn.Module, scale: int, measured: Sequence[int], validated: float, fingerprint: str
) -> Card:
    recipe = assembly.recipe
    several = not assembly.enlarged and len(assembly.scales) > 1
    quality, ssim = {"validation": validated}, {}
    for folder in recipe.data.reports:
        for factor in measured:
            name = f"{folder.name} x{factor}" if len(measured) > 1 else folder.name
            quality[name], ssim[name] = _quality(network, folder, factor)
    return Card(
        name=f"{recipe.model.name}-x{scale}" if several else recipe.model.name,
        architecture=recipe.model.architecture,
        config={**recipe.model.config, **({"scale": scale} if several else {})},
        scale=scale,
        enlarged=assembly.scales if assembly.enlarged else (),
        channels="Y" if as_network(network).channels == 1 else "RGB",
        licence=recipe.model.licence,
        trained_on=recipe.model.trained_on,
        paper=recipe.model.paper,
        natural=recipe.model.natural,
        strength=recipe.model.strength,
        steps=recipe.steps,
        seed=recipe.seed,
        recipe=recipe.hash(),
        data_fingerprint=fingerprint,
        quality={name: round(value, 3) for name, value in quality.items() if not math.isnan(value)},
        ssim={name: round(value, 4) for name, value in ssim.items() if not math.isnan(value)},
        **export.measure_network(network),
    )


def _quality(network: nn.Module, folder: Path, scale: int) -> tuple[float, float]:
    """Measure mean PSNR and SSIM by the papers' protocol, whatever degradation was learnt; NaN if no image is left."""
    cpu = torch.device("cpu")
    found = []
    for image in validation.held_out(find_test_set(folder), scale, as_network(network).channels, Bicubic()):
        value, result = validation.quality(network, image, cpu)
        found.append((value, validation.similarity(result, image)))
    if not found:
        return math.nan, math.nan
    psnr, ssim = np.mean(found, axis=0)
    return float(psnr), float(ssim)
