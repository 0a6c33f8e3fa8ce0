"""Attention within windows of an image, in place and shifted by half their size.

Liu et al.: "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021, arXiv 2103.14030,
section 3.2; its windows are squares, these may be rectangles. A shift is a roll of the whole image: the windows at the
border then hold pixels of the opposite border too, and a mask keeps these apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Window = tuple[int, int]  # height and width in pixels


def split_windows(x: Tensor, window: Window) -> Tensor:
    """Cut an image into windows, row by row.

    Args:
        x: (N, H, W, C); H and W are multiples of the window's height and width.
        window: Height and width.

    Returns:
        (N * windows, height * width, C).
    """
    batch, rows, columns, features = x.shape
    height, width = window
    x = x.reshape(batch, rows // height, height, columns // width, width, features)
    return x.transpose(2, 3).reshape(-1, height * width, features)


def join_windows(x: Tensor, like: Tensor, window: Window) -> Tensor:
    """Reverse `split_windows`.

    Args:
        x: (N * windows, height * width, C).
        like: (N, H, W, any), whose first three sides the result has.
        window: Height and width.

    Returns:
        (N, H, W, C).
    """
    batch, rows, columns = like.shape[:3]
    height, width = window
    x = x.reshape(batch, rows // height, columns // width, height, width, x.shape[-1])
    return x.transpose(2, 3).reshape(batch, rows, columns, -1)


def shifted_mask(x: Tensor, window: Window) -> Tensor:
    """What to add to the scores of shifted windows, so that pixels of opposite borders do not see each other.

    Args:
        x: (N, H, W, C), the image.
        window: Height and width; the shift is half of each.

    Returns:
        (windows, height * width, height * width): 0 or -100.
    """
    (rows, columns), (height, width) = x.shape[1:3], window
    down = _strip(torch.arange(rows, device=x.device), rows, height, x.dtype)
    across = _strip(torch.arange(columns, device=x.device), columns, width, x.dtype)
    region = split_windows((3 * down[:, None] + across)[None, :, :, None], window)  # (windows, height * width, 1)
    return (region != region.transpose(1, 2)).to(x.dtype) * -100


def _strip(place: Tensor, length: int, side: int, dtype: torch.dtype) -> Tensor:
    """0 before the last window of an axis, 1 in its first half, 2 in its second half, which is the opposite border."""
    return (place >= length - side).to(dtype) + (place >= length - side // 2).to(dtype)


def offset_index(window: Window) -> Tensor:
    """Number the offsets between the pixels of a window, as a table of all possible offsets lists them.

    Args:
        window: Height and width.

    Returns:
        (height * width, height * width), from 0 to (2 * height - 1) * (2 * width - 1) - 1, row by row.
    """
    height, width = window
    place = torch.cartesian_prod(torch.arange(height), torch.arange(width))  # (height * width, 2), row and column
    offset = place[:, None] - place[None] + torch.tensor([height - 1, width - 1])  # from 0
    return offset[..., 0] * (2 * width - 1) + offset[..., 1]


class AttentionWithin(nn.Module):
    """Each pixel of a window looks at all pixels of it. Without weights.

    (N * windows, area, 3 * C), the queries, keys and values, one after another -> (N * windows, area, C)
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.softmax = nn.Softmax(-1)

    def forward(self, qkv: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        """Attend.

        Args:
            qkv: As above.
            bias: (heads, area, area), added to the scores of every window.
            mask: (windows, area, area), added to the scores of every image and head; None for windows in place.
        """
        split = qkv.reshape(*qkv.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)  # (N * windows, heads, area, C / heads) each
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)  # (N * windows, heads, area, area)
        scores = scores + bias
        if mask is not None:
            # Not len(mask): exported, that would be a constant.
            scores = scores.view(-1, mask.shape[0], *scores.shape[1:]) + mask[:, None]
            scores = scores.flatten(0, 1)
        y: Tensor = self.softmax(scores) @ value  # (N * windows, heads, area, C / heads)
        return y.transpose(1, 2).flatten(2)
