"""The tables of docs/metrics.md: our metrics against references, and the error of common mistakes.

    python benchmarks/metrics.py

Bicubic on the Set5 of ../shared, without a network. Writes results/metrics.csv.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import record
import skimage.metrics
from numpy.typing import NDArray

from hyperacuity import datasets
from hyperacuity.metrics import psnr, ssim
from hyperacuity.resize import Kernel, resize

Array = NDArray[Any]
SET5 = Path(__file__).parents[2] / "shared/data/benchmarks/Set5"
PUBLISHED = {2: (33.66, 0.9299), 3: (30.39, 0.8682), 4: (28.42, 0.8104)}


def classic(hr: Array, scale: int, *, small: Kernel = "bicubic", large: Kernel = "bicubic") -> tuple[Array, Array]:
    """Returns result and ground truth on 8-bit luma, as the tables of the papers have them."""
    truth = datasets.pair(datasets.luma(hr), scale).hr.astype(np.float64)
    lr = resize(truth, size=(len(truth) // scale, truth.shape[1] // scale), kernel=small)
    return np.clip(np.round(resize(lr, size=truth.shape, kernel=large)), 0, 255), truth


def pillow(pixels: Array, size: tuple[int, int], how: PIL.Image.Resampling) -> Array:
    """Returns `pixels`, (H, W), resized by Pillow in float32."""
    picture = PIL.Image.fromarray(pixels.astype(np.float32))
    return np.asarray(picture.resize(size[::-1], how)).astype(np.float64)


def keys(x: Array, a: float) -> Array:
    """Returns the cubic kernel of Keys at the distances `x`."""
    near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def by_four_taps(x: Array, target: int, a: float) -> Array:
    """Returns the first axis resampled without antialiasing, as OpenCV's INTER_CUBIC (a = -0.75) does it."""
    at = (np.arange(target) + 0.5) * len(x) / target - 0.5
    first = np.floor(at).astype(int) - 1
    index = first[:, None] + np.arange(4)
    weights = keys(np.abs(at[:, None] - index), a)
    taken: Array = np.einsum("ot,ot...->o...", weights, x[np.clip(index, 0, len(x) - 1)])
    return taken


def by_four_taps_twice(x: Array, size: tuple[int, int], a: float) -> Array:
    """Returns (H, W) resampled to `size` on both axes."""
    return by_four_taps(by_four_taps(x, size[0], a).T, size[1], a).T


def clipped(x: Array) -> Array:
    """Returns values rounded to 8 bits."""
    return np.clip(np.round(x), 0, 255)


def mistakes(hr: Array, scale: int) -> dict[str, float]:
    """Returns the PSNR of bicubic on one image, with one mistake each."""
    result, truth = classic(hr, scale)
    size = truth.shape
    small = (size[0] // scale, size[1] // scale)
    lr = resize(truth, size=small)
    rgb = datasets.pair(hr, scale).hr
    rgb_result = resize(resize(rgb, size=small), size=size)
    full = np.array([0.299, 0.587, 0.114])

    def figure(a: Array, b: Array = truth, border: int = scale) -> float:
        return psnr(a, b, border=border, peak=255)

    coloured = rgb.shape[2] == 3
    return {
        "none": figure(result),
        "no border cut": figure(result, border=0),
        "border of scale + 6": figure(result, border=scale + 6),
        "result not rounded": figure(resize(lr, size=size)),
        "RGB instead of luma": figure(rgb_result.astype(np.float64), rgb.astype(np.float64)),
        "full-range luma": figure(rgb_result @ full, rgb @ full) if coloured else figure(result),
        "LR by Pillow's bicubic": figure(
            clipped(resize(pillow(truth, small, PIL.Image.Resampling.BICUBIC), size=size))
        ),
        "LR by Lanczos": figure(classic(hr, scale, small="lanczos")[0]),
        "LR by area": figure(classic(hr, scale, small="area")[0]),
        "LR without antialiasing": figure(clipped(resize(by_four_taps_twice(truth, small, -0.75), size=size))),
        "enlarged with a = -0.75": figure(clipped(by_four_taps_twice(lr, size, -0.75))),
    }


def similarity(hr: Array, scale: int) -> dict[str, float]:
    """Returns the SSIM of bicubic on one image, by several implementations."""
    result, truth = classic(hr, scale)
    inside = slice(scale, -scale)
    a, b = result[inside, inside], truth[inside, inside]
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "data_range": 255}
    reference: Callable[..., float] = skimage.metrics.structural_similarity
    return {
        "SSIM, ours": ssim(result, truth, border=scale, peak=255),
        "SSIM, scikit-image set right": reference(a, b, use_sample_covariance=False, **gaussian),
        "SSIM, scikit-image with sample covariance": reference(a, b, **gaussian),
        "SSIM, scikit-image as it comes": reference(a, b, data_range=255),
    }


def main() -> None:
    images = [datasets.read_image(path) for path in datasets.files([SET5])]
    found: dict[str, dict[int, float]] = {}
    for scale in (2, 3, 4):
        for measure in (mistakes, similarity):
            each = [measure(hr, scale) for hr in images]
            for name in each[0]:
                found.setdefault(name, {})[scale] = float(np.mean([one[name] for one in each]))
        found.setdefault("PSNR, published", {})[scale], found.setdefault("SSIM, published", {})[scale] = PUBLISHED[
            scale
        ]
    rows = [{"what": name, **{f"x{s}": round(value, 4) for s, value in by.items()}} for name, by in found.items()]
    record.save("metrics", rows)


if __name__ == "__main__":
    main()
