"""LPIPS: the perceptual distance between two images, measured by a network. Needs PyTorch and weights, which are opened
on demand.

The network itself, with its source, is networks/perceptual/lpips.py.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import MissingDependency, UsageError
from hyperacuity.metrics.metric import ComparedImages, Measure, Metric, MetricWeights

if TYPE_CHECKING:
    import torch

_WEIGHTS = "torchvision's squeezenet1_1 and the authors' weights/v0.1/squeeze.pth"


@functools.cache
def _open(weights: tuple[Path, ...]) -> Measure:
    """Returns the measuring function, with the network's weights read from `weights`."""
    if importlib.util.find_spec("torch") is None:
        raise MissingDependency("lpips needs PyTorch: pip install 'hyperacuity[torch]'")
    import torch

    from hyperacuity.networks.perceptual import LPIPS

    squeezenet, linear = weights
    network = LPIPS.from_files(squeezenet, linear)

    def measure(images: ComparedImages) -> float:
        with torch.inference_mode():
            return float(network(_batch(images.result_image), _batch(images.hr_image)))

    return measure


def _batch(image: NDArray[np.uint8]) -> torch.Tensor:
    """Returns (H, W, C) uint8 as (1, 3, H, W) in [0, 1]; grey is repeated."""
    import torch

    rgb = np.broadcast_to(image, (*image.shape[:2], 3))
    return torch.from_numpy(rgb.transpose(2, 0, 1).astype(np.float32) / 255)[None]


def _without_weights(images: ComparedImages) -> float:
    raise UsageError(f"lpips needs its weights, {_WEIGHTS}: select the metric with them")


LPIPS_METRIC = Metric(
    "lpips",
    "LPIPS",
    higher_is_better=False,
    digits=4,
    measure=_without_weights,
    statement=(
        "version 0.1 on SqueezeNet 1.1; under every protocol on the 8-bit RGB results, grey repeated, no border cut; "
        "0 is equal"
    ),
    shortest_side=17,  # one pixel is left after the network's three poolings
    cuts_border=False,
    weights=MetricWeights(_WEIGHTS, "lpips_weights", "SQUEEZENET LINEAR", _open),
)
