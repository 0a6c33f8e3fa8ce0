"""Enlarges one image with one model under a protocol."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, datasets
from hyperacuity.datasets import Pair
from hyperacuity.metrics import ComparedImages
from hyperacuity.metrics.protocols import ComparisonProtocol
from hyperacuity.resize import resize, round_to
from hyperacuity.size import Size
from hyperacuity.upscaler import Upscaler

Image8 = NDArray[np.uint8]


def enlarge(
    upscaler: Upscaler, pair: Pair, scale: int, protocol: ComparisonProtocol, *, given_lr: bool
) -> tuple[ComparedImages, float]:
    """Enlarge an LR image under a protocol.

    Args:
        upscaler: A model that supports `scale`.
        pair: The image at both resolutions, 8 bits.
        scale: The factor between them.
        protocol: Defines the model's input and what is compared.
        given_lr: Whether the LR came with the set, instead of being made by bicubic.

    Returns:
        The result with its ground truth, and the seconds it took.
    """
    if protocol.exact_luma and (upscaler.classical or upscaler.family[0].card.channels == "Y"):
        truth = datasets.luma(pair.hr)
        lr = datasets.luma(pair.lr) if given_lr else datasets.pair(truth, scale, exact=True).lr
        luma, seconds = _enlarge_exact_luma(upscaler, lr, scale, grey=pair.hr.shape[-1] == 1)
        return ComparedImages(luma, truth, lr, _add_chroma(luma, pair.lr), pair.hr, scale), seconds
    result, seconds = _enlarge_timed(upscaler, pair.lr, scale)
    return compare_result(result, pair, scale, protocol), seconds


def compare_result(result: Image8, pair: Pair, scale: int, protocol: ComparisonProtocol) -> ComparedImages:
    """Returns a result, (H, W, C) uint8, with its ground truth, both converted by the protocol."""
    view = protocol.view
    return ComparedImages(view(result), view(pair.hr), view(pair.lr), result, pair.hr, scale)


def _enlarge_timed(upscaler: Upscaler, pixels: NDArray[Any], scale: int) -> tuple[NDArray[Any], float]:
    """Returns the enlarged array and the seconds it took."""
    start = time.perf_counter()
    larger = upscaler.array(pixels, Size(scale=scale))
    return larger, time.perf_counter() - start


def _enlarge_exact_luma(upscaler: Upscaler, luma: NDArray[Any], scale: int, *, grey: bool) -> tuple[Image8, float]:
    """Returns 8-bit luma, enlarged from LR luma that need not be rounded, and the seconds it took.

    The luma passes the whole pipeline as a grey image in float32. The pipeline converts grey to studio range before a
    network on luma, and back afterwards; this function inverts that.
    """
    exact = (luma / 255).astype(np.float32)
    larger, seconds = _enlarge_timed(upscaler, exact if grey else colour.from_studio(exact), scale)
    larger = larger if grey else colour.to_studio(larger)
    return round_to(larger.astype(np.float64) * 255, np.dtype(np.uint8)), seconds


def _add_chroma(luma: Image8, lr: Image8) -> Image8:
    """Returns the image of a luma, (H, W), with the chroma of its LR enlarged by bicubic, as the pipeline does it."""
    if lr.shape[-1] == 1:
        return luma[..., None]
    bicubic = resize(lr.astype(np.float64) / 255, size=(luma.shape[0], luma.shape[1])).transpose(2, 0, 1)
    rgb = colour.joined(luma / 255, colour.differences(bicubic, colour.luma(bicubic, axis=0)))
    return round_to(rgb.transpose(1, 2, 0) * 255, np.dtype(np.uint8))
