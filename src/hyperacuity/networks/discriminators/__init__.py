"""Discriminators, which distinguish real images from a network's in adversarial training. Need PyTorch.

A discriminator is an `nn.Module` built from its frozen `Config`: (N, channels, H, W) in [0, 1] -> logits, one for each
image or one for each pixel; the sides divide by its `multiple`. Losses are the trainer's. To add one: write its file
and name it in `DISCRIMINATORS`.
"""

from __future__ import annotations

from torch import nn

from hyperacuity.networks.discriminators.unet import UNetDiscriminator
from hyperacuity.networks.discriminators.vgg import VGGDiscriminator

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "unet": UNetDiscriminator,
    "vgg": VGGDiscriminator,
}
