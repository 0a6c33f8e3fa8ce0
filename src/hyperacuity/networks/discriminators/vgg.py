"""The VGG-style discriminator of SRGAN and ESRGAN: pairs of convolutions, the second of which halves the sides.

Ledig et al.: "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network" (SRGAN), CVPR 2017,
arXiv 1609.04802, figure 4; Wang et al.: "ESRGAN", ECCV Workshops 2018, arXiv 1809.00219. Written from the papers and
from what is known of ESRGAN's training code (Apache-2.0), without it. The defaults are ESRGAN's, for 128 x 128 pixels.
SRGAN's, for 96 x 96, is `VGGConfig(size=96, stages=4, kernel=3, hidden=1024)`.

What differs: no sigmoid at the end, for losses that take logits; no biases where a batch normalisation follows and
takes them out again.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from hyperacuity.errors import UsageError


@dataclass(frozen=True)
class VGGConfig:
    """The sizes of a `VGGDiscriminator`; the defaults are those of ESRGAN."""

    channels: int = 3
    size: int = 128  # the sides of an image; the dense layer at the end allows no other
    features: int = 64  # channels of the first stage; doubled at each, eightfold at most
    stages: int = 5  # each halves the sides
    kernel: int = 4  # of the convolutions that halve
    hidden: int = 100  # of the dense layers


class VGGDiscriminator(nn.Module):
    """Judges each image: (N, channels, size, size) in [0, 1] -> (N, 1) logits, higher for real.

    Raises:
        UsageError: The config's size cannot be halved as often as it has stages.

    Source:
        Ledig et al., arXiv 1609.04802, figure 4; Wang et al., arXiv 1809.00219.
    """

    Config = VGGConfig
    multiple = 1  # the config has the only size

    def __init__(self, config: VGGConfig) -> None:
        super().__init__()
        if config.size % 2**config.stages:
            raise UsageError(f"a size of {config.size} cannot be halved {config.stages} times: take a multiple")
        layers: list[nn.Module] = []
        inputs = config.channels
        for stage in range(config.stages):
            outputs = config.features * min(2**stage, 8)
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=stage == 0)]
            layers += [nn.BatchNorm2d(outputs)] if stage else []  # not on what comes from the image itself
            layers += [nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(outputs, outputs, config.kernel, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        side = config.size // 2**config.stages
        self.judge = nn.Sequential(
            nn.Flatten(),
            nn.Linear(inputs * side**2, config.hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(config.hidden, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)  # (N, 8 features, size / 2^stages, size / 2^stages)
        y: Tensor = self.judge(x)  # (N, 1)
        return y
