"""Whether a lossy codec changed an image before it was resized or stored again, and whether it has noise or texture."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hyperacuity.inspection.sampling import CROP, Plane, blocks

if TYPE_CHECKING:
    import onnxruntime

# Crops with a shorter side than this are left out: the network sees 47 pixels.
SHORTEST = 48
# How far the opinion of one whole crop may be wrong; that of n crops by 1 / sqrt(n) of it. Of 1,500 crops that the
# network did not learn from, 1 % of those without traces would pass the threshold of `decision` with this.
_UNSURE = 1.5
# Blocks of this side whose levels differ by no more than this are flat: what a codec leaves in them cannot be seen.
_BLOCK, _FLAT = 8, 2.0


@dataclass(frozen=True)
class Opinion:
    """What the network says of an image, each from 0 to 1; None for images too small or too flat to tell.

    Attributes:
        traces: How likely it is that JPEG, WebP, AVIF or HEIC of low quality changed the pixels.
        grain: How likely it is that the finest structure is noise; otherwise it is the texture of what is seen.
    """

    traces: float | None = None
    grain: float | None = None


def measure_traces(crops: Sequence[Plane]) -> Opinion:
    """Estimate how likely it is that a lossy codec changed the pixels, and that they have noise.

    A network of 22,000 parameters looks for ringing around edges, for texture that was smoothed away in blocks, and for
    the borders of these blocks, which need not lie on a grid of 8 any more. It learnt from photos and pages of text
    that were compressed, mostly resized, and mostly compressed again at a high quality, beside others that were not
    (benchmarks/trace_training.py). Its opinions of the crops, as logarithms of odds, are averaged by the pixels that
    are not flat: a white ground has no traces, whatever was done to it. The opinion on traces is lowered by how unsure
    it is, since few pixels can deceive; that on noise holds only for images without traces.

    Source: Barni et al.: "Aligned and non-aligned double JPEG detection using convolutional neural networks", JVCIR 49,
        2017 (a network without hand-made features); Bayar, Stamm: "Constrained Convolutional Neural Networks", IEEE
        TIFS 13(11), 2018 (the content is removed before the first layer). The network is our own.
    """
    large = [crop for crop in crops if min(crop.shape) >= SHORTEST]
    sizes = [_share_with_content(crop) * crop.size / CROP**2 for crop in large]
    whole = sum(sizes)
    if whole == 0:
        return Opinion()
    seen = [(crop, size) for crop, size in zip(large, sizes, strict=True) if size]
    odds = sum(_session().run(None, {"luma": crop[None, None]})[0][0] * (size / whole) for crop, size in seen)
    return Opinion(_chance(float(odds[0]) - _UNSURE / math.sqrt(whole)), _chance(float(odds[1])))


def _share_with_content(crop: Plane) -> float:
    """The share of the blocks that are not flat."""
    every = blocks(crop, _BLOCK).reshape(-1, _BLOCK**2)
    return float((np.ptp(every, axis=1) > _FLAT).mean())


def _chance(odds: float) -> float:
    """A probability from the logarithm of its odds."""
    return (1 + math.tanh(odds / 2)) / 2  # does not overflow, as exp does


@functools.cache
def _session() -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # one crop is a millisecond of work
    path = Path(__file__).with_name("traces.onnx")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
