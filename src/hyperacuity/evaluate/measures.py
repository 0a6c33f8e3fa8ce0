"""What an evaluation can measure: one function and one line of `METRICS` each."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import metrics
from hyperacuity.datasets import Pixels8
from hyperacuity.errors import MissingDependency, UsageError, nearest
from hyperacuity.resize import resize

Pixels = NDArray[Any]

DEFAULT = ("psnr", "ssim", "lr-psnr")
DEFAULT_OF_VIDEOS = (*DEFAULT, "flicker")


@dataclass(frozen=True)
class Compared:
    """One result beside its truth. seen, truth, given: result, HR and LR as the protocol sees them, (H, W) or
    (H, W, C) on 0..255. result, hr: the same as pictures, (H, W, C) uint8. before: the frame before, in videos.
    """

    seen: Pixels
    truth: Pixels
    given: Pixels
    result: Pixels8
    hr: Pixels8
    scale: int
    before: Compared | None = None


@dataclass(frozen=True)
class Metric:
    """A number for one result, NaN where it has none. digits: those after the point in a table. least: pixels that a
    side must have; where `bordered`, after the border of `scale` pixels is cut. of_videos: needs a frame before.
    statement: stands beside each table that has the metric.
    """

    name: str
    title: str
    digits: int
    least: int
    statement: str
    measure: Callable[[Compared], float]
    unit: str = ""
    bordered: bool = True
    of_videos: bool = False

    @property
    def column(self) -> str:
        return self.name.replace("-", "_")

    def needs(self, scale: int) -> int:
        """Pixels of the shortest side of an HR picture."""
        return self.least + 2 * scale * self.bordered

    def figure(self, value: float) -> str:
        """As it stands in a table."""
        return "" if math.isnan(value) else f"{value:.{self.digits}f}"

    def shown(self, value: float) -> str:
        """With its unit."""
        return f"{self.figure(value)} {self.unit}".strip()


def _psnr(one: Compared) -> float:
    return metrics.psnr(one.seen, one.truth, border=one.scale, peak=255)


def _ssim(one: Compared) -> float:
    return metrics.ssim(one.seen, one.truth, border=one.scale, peak=255)


def _ms_ssim(one: Compared) -> float:
    return metrics.ms_ssim(one.seen, one.truth, border=one.scale, peak=255)


def _lr_psnr(one: Compared) -> float:
    again = resize(one.seen.astype(np.float64), size=one.given.shape[:2])
    return metrics.psnr(again, one.given, border=0, peak=255)


def _flicker(one: Compared) -> float:
    if one.before is None:
        return math.nan
    return metrics.flicker(one.seen, one.before.seen, one.truth, one.before.truth, border=one.scale)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("psnr", "PSNR", 2, 1, "", _psnr, unit="dB"),
        Metric(
            "ssim",
            "SSIM",
            4,
            metrics.SSIM_LEAST,
            "11 x 11 Gaussian window of sigma 1.5 where it fits whole, on 0-255, as its authors' MATLAB code",
            _ssim,
        ),
        Metric(
            "ms-ssim", "MS-SSIM", 4, metrics.MS_SSIM_LEAST, "five scales, its authors' powers and MATLAB code", _ms_ssim
        ),
        Metric(
            "lr-psnr",
            "LR-PSNR",
            1,
            1,
            "the result made small again by MATLAB's bicubic, against the input; 45 dB and more say that nothing of it "
            "was lost",
            _lr_psnr,
            unit="dB",
            bordered=False,
        ),
        Metric(
            "flicker",
            "Flicker",
            3,
            1,
            "of videos: how far the change from one measured frame to the next is from that of HR, the mean absolute "
            "difference on 0-255, over pixels and frames; 0 is as steady as HR",
            _flicker,
            of_videos=True,
        ),
    )
}
LPIPS = "lpips"


def chosen(names: Sequence[str] = DEFAULT, lpips_weights: tuple[Path, Path] | None = None) -> list[Metric]:
    """The metrics called `names`, in their order. lpips_weights: the files of SqueezeNet and of LPIPS's linear weights.

    Raises `UsageError` for unknown names and for LPIPS without weights or the reverse, `MissingDependency` and
    `WeightsError` where LPIPS cannot be had.
    """
    known = [*METRICS, LPIPS]
    for name in names:
        if name not in known:
            raise UsageError(f"no metric {name!r}; there are {', '.join(known)}{nearest(name, known)}")
    if (LPIPS in names) != (lpips_weights is not None):
        raise UsageError(
            "lpips needs its weights: add --lpips-weights SQUEEZENET LINEAR (torchvision's squeezenet1_1 and the "
            "authors' weights/v0.1/squeeze.pth)"
            if LPIPS in names
            else "the weights of LPIPS are given, but lpips is not among the metrics: add it to --metrics"
        )
    return [METRICS[name] if name in METRICS else _lpips(lpips_weights) for name in dict.fromkeys(names)]


@functools.cache
def _lpips(weights: tuple[Path, Path]) -> Metric:
    if importlib.util.find_spec("torch") is None:
        raise MissingDependency("lpips needs PyTorch: pip install 'hyperacuity[torch]'")
    import torch

    from hyperacuity.networks.perceptual import lpips

    network = lpips.LPIPS.from_files(*weights)

    def tensor(picture: Pixels8) -> torch.Tensor:
        rgb = np.broadcast_to(picture, (*picture.shape[:2], 3))
        return torch.from_numpy(rgb.transpose(2, 0, 1).astype(np.float32) / 255)[None]

    def measure(one: Compared) -> float:
        with torch.inference_mode():
            return float(network(tensor(one.result), tensor(one.hr)))

    return Metric(
        LPIPS,
        "LPIPS",
        4,
        lpips.LEAST,
        "version 0.1 on SqueezeNet 1.1; whatever the protocol on the 8-bit RGB results, grey repeated, no border cut; "
        "0 is equal",
        measure,
        bordered=False,
    )
