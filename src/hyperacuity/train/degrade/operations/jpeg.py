"""JPEG as a function of tensors, with gradients: the losses of the codec, without its entropy coding.

Source: ITU-T T.81 (JPEG): the transform of 8 x 8 blocks (A.3.3), the tables of annex K.1 scaled by quality as the
Independent JPEG Group's codec does; JFIF's colours; chroma subsampled 4:2:0. Gradients pass rounding unchanged.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

Table = tuple[tuple[float, ...], ...]

# Annex K.1, tables K.1 and K.2.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# Y, Cb, Cr of R, G, B on 0..255, Cb and Cr around 0, and back: JFIF 1.02.
_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """Compress and decompress a batch.

    Args:
        x: (N, C, H, W) in [0, 1]; C is 1 (a grey JPEG) or 3.
        quality: (N,) from 1 to 100.

    Returns:
        (N, C, H, W): 8-bit values over 255.
    """
    height, width = x.shape[-2:]
    x = functional.pad(_rounded(x.clamp(0, 1) * 255), (0, -width % 16, 0, -height % 16), mode="replicate")
    if x.shape[1] == 1:
        y = _coded(x - 128, quality, _LUMINANCE) + 128
    else:
        planes = _rounded(torch.einsum("ij,njhw->nihw", _table(_YCBCR, x.device, x.dtype), x))
        luma = _coded(planes[:, :1] - 128, quality, _LUMINANCE) + 128
        chroma = _coded(functional.avg_pool2d(planes[:, 1:], 2), quality, _CHROMINANCE)
        # Bilinear is the "fancy upsampling" of the usual decoders.
        chroma = functional.interpolate(chroma, scale_factor=2.0, mode="bilinear", align_corners=False)
        y = torch.einsum("ij,njhw->nihw", _table(_RGB, x.device, x.dtype), torch.cat((luma, chroma), 1))
    return (_rounded(y[..., :height, :width]) / 255).clamp(0, 1)


def _coded(planes: Tensor, quality: Tensor, table: Table) -> Tensor:
    """Quantise planes around 0 in blocks; sides divide by 8."""
    count, channels, height, width = planes.shape
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    dct = _dct(planes.device, planes.dtype)
    steps = _steps(quality, _table(table, planes.device, planes.dtype))[:, None, None, None]
    coefficients = _rounded(dct @ blocks @ dct.T / steps)
    blocks = dct.T @ (coefficients * steps) @ dct
    return blocks.transpose(3, 4).reshape(count, channels, height, width)


def _rounded(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def _steps(quality: Tensor, table: Tensor) -> Tensor:
    """Return (N, 8, 8): the quantiser's steps for each quality, whole numbers from 1 to 255."""
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200.0 - 2 * quality)
    return ((table * percent[:, None, None] + 50) / 100).floor().clamp(1, 255)


@functools.lru_cache(16)
@torch.inference_mode(False)  # so that it can also be used where gradients are taken
def _table(rows: Table, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.tensor(rows, device=device, dtype=dtype)


@functools.lru_cache(8)
@torch.inference_mode(False)
def _dct(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the orthonormal cosine transform of eight samples."""
    k, n = torch.arange(8)[:, None], torch.arange(8)[None, :]
    matrix = torch.cos((2 * n + 1) * k * math.pi / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.to(device, dtype)
