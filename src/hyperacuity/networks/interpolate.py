"""Network interpolation: a network between two of the same architecture, one of which was trained from the other.

Wang et al.: "ESRGAN", ECCV Workshops 2018, arXiv 1809.00219, section 3.4; Wang, Yu, Dong, Tang, Loy: "Deep Network
Interpolation for Continuous Imagery Effect Transition", CVPR 2019, arXiv 1811.10515. It works if the training of one
began with the weights of the other, as ESRGAN's GAN began with its PSNR network; otherwise the result is noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hyperacuity.errors import UsageError, WeightsError


def interpolate(a: Mapping[str, Tensor], b: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Compute the state dict (1 - alpha) a + alpha b, in float32 or better.

    Args:
        a: The first state dict. Tensors that are not floating point (indices, counters) must be equal in both.
        b: The second state dict, of the same architecture.
        alpha: From 0, which returns exactly `a`, to 1, which returns `b`.

    Returns:
        The new state dict, in the types of `a`; it shares no memory with the two.

    Raises:
        UsageError: `alpha` is outside [0, 1].
        WeightsError: The two are not of the same architecture.

    Source:
        Wang et al., arXiv 1809.00219, section 3.4.
    """
    if not 0 <= alpha <= 1:
        raise UsageError(f"cannot interpolate networks at {alpha}: alpha goes from 0, the first, to 1, the second")
    if unmatched := sorted(a.keys() ^ b.keys()):
        raise WeightsError(
            f"the two networks differ in architecture: {len(unmatched)} tensors are in one only, as {unmatched[0]!r}"
        )
    return {name: _between(name, value, b[name], alpha) for name, value in a.items()}


def _between(name: str, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    if a.shape != b.shape:
        raise WeightsError(
            f"the two networks differ in size: {name!r} is {tuple(a.shape)} in the first, {tuple(b.shape)} in the other"
        )
    if not a.is_floating_point() or not b.is_floating_point():
        if not torch.equal(a, b):
            raise WeightsError(f"the two networks differ in {name!r}, which cannot be interpolated: it holds no reals")
        return a.clone()
    exact = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return torch.lerp(a.to(exact), b.to(exact), alpha).to(a.dtype)
