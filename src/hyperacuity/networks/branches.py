"""Convolutions that train as several branches and run as a single equivalent 3x3 kernel.

Ding et al., "RepVGG", CVPR 2021, arXiv 2101.03697; Zhang et al., "Edge-oriented Convolution Block for Real-time Super
Resolution on Mobile Devices" (ECBSR), ACM Multimedia 2021; without batch normalisation. The kernel is multiplied
together at each step of the training: Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super
Resolution" (SESR), MLSys 2022, arXiv 2103.09404.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional


class BranchedConv(nn.Module):
    """A 3x3 convolution as the sum of 3x3, 1x1, and 1x1 then 3x3; with `keeps_input` also of the input itself.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        expansion: How much wider the 1x1-3x3 branch is inside.
        folded: One kernel in place of the branches.
        gain: The variance of the branches' sum over the variance of the input, before training.
        keeps_input: Add the input; needs as many outputs as inputs.
    """

    def __init__(
        self, inputs: int, outputs: int, *, expansion: int, folded: bool, gain: float, keeps_input: bool = False
    ) -> None:
        super().__init__()
        self.is_folded = folded
        self.keeps_input = keeps_input
        self.square = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.zeros_(self.square.bias)  # type: ignore[arg-type]  # it has one
        if folded:
            nn.init.normal_(self.square.weight, std=(gain / (9 * inputs)) ** 0.5)
            if self.keeps_input:
                with torch.no_grad():
                    self.square.weight += _identity(self.square.weight)
            return
        wide = expansion * inputs
        self.point = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.widen = nn.Conv2d(inputs, wide, 1, bias=False)  # a bias would be cut off at the image's border
        self.narrow = nn.Conv2d(wide, outputs, 3, padding=1, bias=False)
        nn.init.normal_(self.square.weight, std=(gain / 3 / (9 * inputs)) ** 0.5)
        nn.init.normal_(self.point.weight, std=(gain / 3 / inputs) ** 0.5)
        nn.init.normal_(self.widen.weight, std=(1 / inputs) ** 0.5)
        nn.init.normal_(self.narrow.weight, std=(gain / 3 / (9 * wide)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_folded:
            y: Tensor = self.square(x)  # (N, outputs, H, W): as a layer, whose work can be counted
            return y
        return functional.conv2d(x, *self.kernel(), padding=1)  # (N, outputs, H, W)

    def kernel(self) -> tuple[Tensor, Tensor | None]:
        """Returns the one kernel (outputs, inputs, 3, 3) equal to all branches, and its bias (outputs)."""
        if self.is_folded:
            return self.square.weight, self.square.bias
        weight = torch.einsum("omhw,mi->oihw", self.narrow.weight, self.widen.weight[:, :, 0, 0])
        weight = weight + self.square.weight + functional.pad(self.point.weight, (1, 1, 1, 1))
        if self.keeps_input:
            weight = weight + _identity(weight)
        return weight, self.square.bias


def folded_weights(network: nn.Module) -> dict[str, Tensor]:
    """Returns the weights of the network's folded form: each branched convolution as one kernel, other layers as is."""
    weights = dict(network.state_dict())
    for name, layer in network.named_modules():
        if isinstance(layer, BranchedConv):
            for key in layer.state_dict():
                del weights[f"{name}.{key}"]
            weight, bias = layer.kernel()
            assert bias is not None
            weights |= {f"{name}.square.weight": weight, f"{name}.square.bias": bias}
    return weights


def unfolded_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns weights of the folded form as weights of a network with branches, for its branched convolutions.

    The 3x3 branch compensates what the other branches add, which do not change. Layers of another shape are left out;
    additional layers in a row of hidden ones do nothing at first (Chen et al., "Net2Net", ICLR 2016, arXiv 1511.05641,
    section 2.3).
    """
    taken: dict[str, Tensor] = {}
    for name, layer in network.named_modules():
        if isinstance(layer, BranchedConv):
            square = layer.square.weight
            kernel, bias = weights.get(f"{name}.square.weight"), weights.get(f"{name}.square.bias")
            first = weights.get(f"{name.rpartition('.')[0]}.0.square.weight")
            if kernel is None and layer.keeps_input and first is not None and first.shape == square.shape:
                kernel, bias = _identity(square), torch.zeros_like(square[:, 0, 0, 0])
            if kernel is not None and bias is not None and kernel.shape == square.shape:
                taken |= {f"{name}.{key}": value for key, value in layer.state_dict().items()}
                taken[f"{name}.square.weight"] = kernel - (layer.kernel()[0] - square)
                taken[f"{name}.square.bias"] = bias
    return taken


def _identity(like: Tensor) -> Tensor:
    """The kernel that returns each channel unchanged."""
    return functional.pad(torch.eye(len(like), dtype=like.dtype, device=like.device)[..., None, None], (1, 1, 1, 1))
