"""RCAN: groups of residual blocks, each of which weighs its channels by their means over the image.

Zhang, Li, Li, Wang, Zhong, Fu: "Image Super-Resolution Using Very Deep Residual Channel Attention Networks", ECCV 2018,
arXiv 1807.02758, sections 3.1 to 3.3. Written from the paper, without other code; the modules have the names that the
authors' weights have. The authors publish code and weights without a licence. Works on RGB.

What differs: nothing that the result depends on. The channel attention looks at the whole image: an image cut into
tiles gives nearly the same image, not the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hyperacuity.errors import UsageError
from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights
from hyperacuity.networks.edsr import mean_colour
from hyperacuity.networks.state_dicts import Replacement, count_modules, rename_keys, shuffle_scale

_SHUFFLES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


@dataclass(frozen=True)
class RCANConfig:
    scale: int = 4  # 2, 3, 4 or 8
    groups: int = 10
    blocks: int = 20  # in each group
    width: int = 64  # channels
    reduction: int = 16  # the attention's hidden layer has width / reduction channels
    rgb_mean: tuple[float, float, float] = (0.4488, 0.4371, 0.4040)  # DIV2K's, taken off before and given back after
    rgb_range: float = 255.0  # white, within the network


class RCAN(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = RCANConfig
    channels = 3
    multiple = 1
    mean: Tensor

    def __init__(self, config: RCANConfig) -> None:
        super().__init__()
        if config.scale not in _SHUFFLES:
            raise UsageError(f"RCAN is built for x2, x3, x4 and x8, not x{config.scale}")
        width, self.scale, self.range = config.width, config.scale, config.rgb_range
        self.register_buffer("mean", torch.tensor(config.rgb_mean).view(1, 3, 1, 1), persistent=False)
        self.head = nn.Sequential(nn.Conv2d(3, width, 3, padding=1))
        self.body = nn.Sequential(
            *(_Group(config.blocks, width, config.reduction) for _ in range(config.groups)),
            nn.Conv2d(width, width, 3, padding=1),
        )
        upsampler = nn.Sequential()
        for step in _SHUFFLES[config.scale]:
            upsampler.extend([nn.Conv2d(width, step**2 * width, 3, padding=1), nn.PixelShuffle(step)])
        self.tail = nn.Sequential(upsampler, nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.head((x - self.mean) * self.range)  # (N, width, H, W)
        x = self.tail(x + self.body(x))  # (N, 3, H * scale, W * scale)
        return x / self.range + self.mean


class _Group(nn.Module):
    """Blocks, a convolution, and a residual around them."""

    def __init__(self, blocks: int, width: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(_Block(width, reduction) for _ in range(blocks)), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)  # (N, width, H, W)
        return x + y


class _Block(nn.Module):
    """Two convolutions with a ReLU between them, attention to channels, and a residual around them."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            _Attention(width, reduction),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)  # (N, width, H, W)
        return x + y


class _Attention(nn.Module):
    """A weight for each channel from the means of all (equations 9 to 12)."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.mean = ChannelMeans()
        hidden = max(1, width // reduction)
        self.conv_du = nn.Sequential(nn.Conv2d(width, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, width, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.conv_du(self.mean(x))  # (N, width, 1, 1)
        return x * weight


class ChannelMeans(nn.Module):
    """(N, C, H, W) -> (N, C, 1, 1): the mean of each channel over the whole image."""

    whole = True

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


def _config_from_weights(weights: Weights) -> ConfigFields:
    hidden, width = weights["body.0.body.0.body.3.conv_du.0.weight"].shape[:2]
    return {
        "scale": shuffle_scale(weights, "tail.0"),
        "groups": count_modules(weights, "body") - 1,
        "blocks": count_modules(weights, "body.0.body") - 1,
        "width": width,
        "reduction": width // hidden,
    }


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Looks at values as EDSR does: mean colour and range are those of `add_mean`."""
    ours = {name: value for name, value in weights.items() if not name.startswith(("sub_mean.", "add_mean."))}
    return (ours, mean_colour(weights)) if len(ours) < len(weights) else None


def _from_basicsr(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    groups, blocks = count_modules(weights, "body"), count_modules(weights, "body.0.residual_group")
    rules: dict[str, Replacement] = {
        "conv_first": "head.0",
        r"body\.(\d+)\.residual_group\.(\d+)\.rcab\.([02])": r"body.\1.body.\2.body.\3",
        r"body\.(\d+)\.residual_group\.(\d+)\.rcab\.3\.attention\.1": r"body.\1.body.\2.body.3.conv_du.0",
        r"body\.(\d+)\.residual_group\.(\d+)\.rcab\.3\.attention\.3": r"body.\1.body.\2.body.3.conv_du.2",
        r"body\.(\d+)\.conv": lambda found: f"body.{found[1]}.body.{blocks}",
        "conv_after_body": f"body.{groups}",
        r"upsample\.(\d+)": r"tail.0.\1",
        "conv_last": "tail.1",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {})


DECLARATION = Declaration(
    RCAN,
    _config_from_weights,
    paper="arXiv:1807.02758",
    layouts=(
        KeyLayout("RCAN of its authors", _from_authors, "sub_mean add_mean head body tail conv_du"),
        KeyLayout(
            "RCAN of BasicSR", _from_basicsr, "conv_first residual_group rcab attention conv_after_body upsample"
        ),
    ),
    # 15,592,379 as its code counts, with the 24 numbers of the layers that subtract and add the mean colour.
    published_counts=(PublishedCount({"scale": 4}, 15_592_355, biases=True),),
    small={"scale": 2, "groups": 1, "blocks": 2, "width": 16, "reduction": 4, "rgb_range": 1.0},
)
