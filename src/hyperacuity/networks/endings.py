"""How SwinIR and its successors end: each group of layers, the body, and the enlargement.

Liang et al.: "SwinIR: Image Restoration Using Swin Transformer", 2021, arXiv 2108.10257, section 3.1 and table 4.
"""

from __future__ import annotations

from math import isqrt

from torch import nn

from hyperacuity.errors import UsageError
from hyperacuity.networks.declaration import Weights
from hyperacuity.networks.state_dicts import shuffle_scale


def end_of_group(features: int, kind: str) -> nn.Module:
    """Build what ends a group of layers, and all groups: one convolution, or three that are narrow inside.

    Args:
        features: Channels.
        kind: 1conv or 3conv.

    Raises:
        UsageError: Of another kind.
    """
    if kind == "1conv":
        return nn.Conv2d(features, features, 3, padding=1)
    if kind != "3conv":
        raise UsageError(f"no joint {kind!r}; there are 1conv, 3conv")
    narrow = features // 4
    return nn.Sequential(
        nn.Conv2d(features, narrow, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(narrow, narrow, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(narrow, features, 3, padding=1),
    )


def shuffle(inputs: int, outputs: int, scale: int) -> nn.Sequential:
    """Build one convolution and one pixel shuffle."""
    return nn.Sequential(nn.Conv2d(inputs, outputs * scale**2, 3, padding=1), nn.PixelShuffle(scale))


def upsampler_of(weights: Weights) -> tuple[str, int]:
    """Return the kind and the scale of an upsampler with pixel shuffles, by its weights."""
    if "conv_last.weight" in weights:
        return "pixelshuffle", shuffle_scale(weights, "upsample")
    return "pixelshuffledirect", isqrt(weights["upsample.0.weight"].shape[0] // 3)


def stepwise_shuffle(features: int, scale: int) -> nn.Sequential:
    """Build one step of `shuffle` for x3, one for each doubling of x2, x4, x8.

    Raises:
        UsageError: For another scale.
    """
    if scale == 3:
        return shuffle(features, features, 3)
    if scale not in (2, 4, 8):
        raise UsageError(f"pixelshuffle is built for x2, x3, x4 and x8, not x{scale}")
    steps = [shuffle(features, features, 2) for _ in range(scale.bit_length() - 1)]
    return nn.Sequential(*(layer for step in steps for layer in step))
