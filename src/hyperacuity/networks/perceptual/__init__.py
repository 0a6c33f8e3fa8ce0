"""Networks whose features approximate human perception: they compare images and never enlarge. Need PyTorch.

Their weights are not shipped; they are given by path.
"""

from __future__ import annotations

from hyperacuity.networks.perceptual.lpips import LPIPS
from hyperacuity.networks.perceptual.vgg import VGG19Features

__all__ = ["LPIPS", "VGG19Features"]
