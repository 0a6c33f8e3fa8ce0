"""Whether a lossy codec changed an image before it was resized or stored again: its traces outlive its file."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hyperacuity.inspection.sampling import CROP, Plane

if TYPE_CHECKING:
    import onnxruntime

# Crops with a shorter side than this are left out: the network sees 47 pixels.
SHORTEST = 48
# How far the opinion of one whole crop may be wrong; that of n crops by 1 / sqrt(n) of it. Of 1,500 crops that the
# network did not learn from, 1 % of those without traces would pass the threshold of `decision` with this.
_UNSURE = 1.5


def measure_traces(crops: Sequence[Plane]) -> float | None:
    """Estimate how likely it is that JPEG, WebP, AVIF or HEIC of low quality changed the pixels.

    A network of 22,000 parameters looks for ringing around edges, for texture that was smoothed away in blocks, and for
    the borders of these blocks, which need not lie on a grid of 8 any more. It learnt from photos and pages of text
    that were compressed, mostly resized, and mostly compressed again at a high quality, beside others that were not
    (benchmarks/trace_training.py). Its opinions of the crops, as logarithms of odds, are averaged by their pixels, and
    lowered by how unsure they are: few pixels can deceive.

    Returns:
        From 0 to 1; None for images too small to tell.

    Source: Barni et al.: "Aligned and non-aligned double JPEG detection using convolutional neural networks", JVCIR 49,
        2017 (a network without hand-made features); Bayar, Stamm: "Constrained Convolutional Neural Networks", IEEE
        TIFS 13(11), 2018 (the content is removed before the first layer). The network is our own.
    """
    large = [crop for crop in crops if min(crop.shape) >= SHORTEST]
    if not large:
        return None
    odds = [float(_session().run(None, {"luma": crop[None, None]})[0][0, 0]) for crop in large]
    sizes = [crop.size / CROP**2 for crop in large]
    lowered = float(np.average(odds, weights=sizes)) - _UNSURE / math.sqrt(sum(sizes))
    return 1 / (1 + math.exp(-lowered))


@functools.cache
def _session() -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # one crop is a millisecond of work
    path = Path(__file__).with_name("traces.onnx")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
