"""Whether the result has a pattern in step with the LR pixels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

# LR pixels after which a pattern may repeat: a network that works at half the resolution makes one of two LR pixels.
REPEAT = 2
# Repeats along a side of the neighbourhood over which a pattern is averaged.
SIDE = 12


def grid(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute L1 of the mean error at each place of a pixel within a block of 2 x 2 LR pixels, less that at all places.

    Means over 12 x 12 blocks keep a pattern that repeats with the blocks, and little else. Networks with a pixel
    shuffle make such a pattern easily, and losses of appearance take it for texture.
    """
    block = REPEAT * (sr.shape[-1] // lr.shape[-1])
    height, width = (length // block * block for length in sr.shape[-2:])
    places = functional.pixel_unshuffle((sr - hr)[..., :height, :width], block)  # (N, C * block^2, h, w)
    by_channel = places.reshape(len(sr), sr.shape[1], -1, *places.shape[-2:])
    pattern = (by_channel - by_channel.mean(2, keepdim=True)).flatten(1, 2)
    return functional.avg_pool2d(pattern, min(SIDE, *pattern.shape[-2:]), 1).abs().mean()
