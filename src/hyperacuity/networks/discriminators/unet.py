"""The U-Net discriminator of Real-ESRGAN: it judges each pixel, with the whole neighbourhood in view.

Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV
Workshops 2021, arXiv 2107.10833, section 3.3 and figure 6; after Schönfeld, Schiele, Khoreva: "A U-Net Based
Discriminator for Generative Adversarial Networks", CVPR 2020, arXiv 2002.12655; spectral normalisation: Miyato et al.,
ICLR 2018, arXiv 1802.05957. Written from the papers, without other code; the authors' is BSD-3. What differs: images
may be unshuffled first (Shi et al., arXiv 1609.05158, in reverse), which divides the work by the square of the factor.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


@dataclass(frozen=True)
class UNetConfig:
    """The sizes of a `UNetDiscriminator`."""

    channels: int = 3
    features: int = 64  # channels at full resolution; doubled at each halving
    unshuffle: int = 1  # pixels of a side that become channels before the first layer


class UNetDiscriminator(nn.Module):
    """Judges each pixel: (N, channels, H, W) in [0, 1] -> (N, 1, H, W) logits, higher for real.

    With `unshuffle`, each logit judges that many pixels a side. H and W must be multiples of 8, times `unshuffle`.

    Source:
        Wang, Xie, Dong, Shan, arXiv 2107.10833, section 3.3 and figure 6.
    """

    Config = UNetConfig
    multiple = 8

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        f = config.features
        self.unshuffle = config.unshuffle
        self.conv0 = nn.Conv2d(config.channels * config.unshuffle**2, f, 3, padding=1)
        self.conv1 = _halving(f, 2 * f)
        self.conv2 = _halving(2 * f, 4 * f)
        self.conv3 = _halving(4 * f, 8 * f)
        self.conv4 = _keeping(8 * f, 4 * f)
        self.conv5 = _keeping(4 * f, 2 * f)
        self.conv6 = _keeping(2 * f, f)
        self.conv7 = _keeping(f, f)
        self.conv8 = _keeping(f, f)
        self.conv9 = nn.Conv2d(f, 1, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        if self.unshuffle > 1:
            x = functional.pixel_unshuffle(x, self.unshuffle)  # (N, channels * unshuffle^2, H / unshuffle, ...)
        x0 = self.lrelu(self.conv0(x))  # (N, features, H, W), here and below after the unshuffling
        x1 = self.lrelu(self.conv1(x0))  # (N, 2 features, H / 2, W / 2)
        x2 = self.lrelu(self.conv2(x1))  # (N, 4 features, H / 4, W / 4)
        x3 = self.lrelu(self.conv3(x2))  # (N, 8 features, H / 8, W / 8)
        y = self.lrelu(self.conv4(_twice(x3))) + x2  # (N, 4 features, H / 4, W / 4)
        y = self.lrelu(self.conv5(_twice(y))) + x1  # (N, 2 features, H / 2, W / 2)
        y = self.lrelu(self.conv6(_twice(y))) + x0  # (N, features, H, W)
        y = self.lrelu(self.conv8(self.lrelu(self.conv7(y))))  # (N, features, H, W)
        logits: Tensor = self.conv9(y)  # (N, 1, H, W)
        return logits


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _halving(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))


def _keeping(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
