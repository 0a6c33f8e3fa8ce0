"""Whether the result has a pattern in step with the LR pixels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

# LR pixels of a side of the neighbourhood over which a pattern is averaged.
SIDE = 12


def grid(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute L1 of the mean error at each place of a pixel within its LR pixel, less that at all places.

    Means over 12 x 12 LR pixels keep a pattern that repeats with the LR pixels, and little else. Networks with a pixel
    shuffle make such a pattern easily, and losses of appearance take it for texture.
    """
    places = functional.pixel_unshuffle(sr - hr, sr.shape[-1] // lr.shape[-1])  # (N, C * scale^2, h, w)
    by_channel = places.reshape(len(sr), sr.shape[1], -1, *places.shape[-2:])
    pattern = (by_channel - by_channel.mean(2, keepdim=True)).flatten(1, 2)
    return functional.avg_pool2d(pattern, min(SIDE, *pattern.shape[-2:]), 1).abs().mean()
