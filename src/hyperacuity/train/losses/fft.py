"""The difference of the spectra."""

from __future__ import annotations

import torch
from torch import Tensor


def fft(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute the mean absolute difference between the real and between the imaginary parts of both spectra.

    Each frequency is the sum over all pixels.

    Source: SAFMN, arXiv 2302.13800, section 4.1, where its weight is 0.05 next to 1 of L1.
    """
    return (torch.view_as_real(torch.fft.rfft2(sr)) - torch.view_as_real(torch.fft.rfft2(hr))).abs().mean()
