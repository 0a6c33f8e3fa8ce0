"""How good a network is on pictures that it has not seen, while it is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperacuity import colour, datasets
from hyperacuity.datasets import Picture
from hyperacuity.engines import pad_to_multiple
from hyperacuity.errors import UsageError
from hyperacuity.metrics import SSIM_LEAST, psnr, ssim
from hyperacuity.networks import as_network
from hyperacuity.resize import resize
from hyperacuity.train.data import Source, check_pair
from hyperacuity.train.degrade import Bicubic, degrade, truth
from hyperacuity.train.recipe import Degradation


@dataclass(frozen=True)
class HeldOut:
    """One picture at one scale, on 0..255: hr (H, W, C) uint8, lr (h, w, C) uint8 or, where the papers have it so,
    float64; C as the network has it.
    """

    name: str
    scale: int
    hr: Picture
    lr: NDArray[Any]


def held_out(sources: Sequence[Source], scale: int, channels: int, degradation: Degradation) -> Iterator[HeldOut]:
    """Pictures with their own LR, or degraded: always in the same way, and by bicubic as the papers do it: luma in
    double precision, RGB on 8 bits.
    """
    for number, source in enumerate(sources):
        hr = _coloured(datasets.picture(source.hr), channels)
        if source.lr is not None:
            lr: NDArray[Any] = _coloured(datasets.picture(source.lr), channels)
            check_pair(source, hr, lr, scale)
            hr = hr[: len(lr) * scale, : lr.shape[1] * scale]
        elif isinstance(degradation, Bicubic):
            pair = datasets.pair(hr, scale, exact=channels == 1)
            hr, lr = pair.hr, pair.lr
        else:
            hr = hr[: len(hr) // scale * scale, : hr.shape[1] // scale * scale]
            planes = torch.from_numpy(hr).permute(2, 0, 1)[None]
            made = degrade(planes, scale, degradation, torch.Generator().manual_seed(number))
            lr, hr = _pixels(made), _pixels(truth(planes, degradation))
        yield HeldOut(source.hr.stem, scale, hr, lr)


def _pixels(planes: Tensor) -> Picture:
    pixels: Picture = (planes[0].permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()
    return pixels


def _coloured(picture: Picture, channels: int) -> Picture:
    if channels == 1:
        return datasets.luma(picture)[..., None]
    return picture if picture.shape[-1] == 3 else picture.repeat(3, axis=-1)


def quality(network: nn.Module, picture: HeldOut, device: torch.device) -> tuple[float, Picture]:
    """PSNR in dB on luma as the papers have it, `scale` pixels cut from each border; and the picture itself.

    Networks on luma are compared on 8-bit luma, those on RGB on the unrounded luma of their 8-bit result.
    """
    result = infer(network, picture, device)
    return psnr(*_compared(result, picture), border=picture.scale, peak=255), result


def similarity(result: Picture, picture: HeldOut) -> float:
    """SSIM of a network's answer, on the same luma; not a number for pictures that are smaller than its window."""
    if min(picture.hr.shape[:2]) - 2 * picture.scale < SSIM_LEAST:
        return math.nan
    return ssim(*_compared(result, picture), border=picture.scale, peak=255)


def _compared(result: Picture, picture: HeldOut) -> tuple[NDArray[Any], NDArray[Any]]:
    return (result, picture.hr) if result.shape[-1] == 1 else (_luma(result), _luma(picture.hr))


def _luma(rgb: Picture) -> NDArray[np.float64]:
    return colour.luma(rgb.astype(np.float64) / 255) * 255


def infer(network: nn.Module, picture: HeldOut, device: torch.device) -> Picture:
    """The network's answer to `picture.lr`, (H, W, C), rounded to 8 bits; sides are made to fit it by mirroring."""
    told = as_network(network)
    lr = picture.lr.astype(np.float64)
    if told.scale == 1:
        lr = resize(lr, size=(lr.shape[0] * picture.scale, lr.shape[1] * picture.scale))
    else:
        told.scale = picture.scale  # of the several that a network may have
    training = network.training
    network.eval()
    with torch.inference_mode():
        planes = pad_to_multiple(lr.astype(np.float32).transpose(2, 0, 1)[None], told.multiple)
        x = torch.from_numpy(planes).to(device) / 255
        y = network(x)[0].permute(1, 2, 0)[: lr.shape[0] * told.scale, : lr.shape[1] * told.scale]
        result: Picture = (y * 255).round().clamp(0, 255).byte().cpu().numpy()
    network.train(training)
    return result


def reported(folder: Path) -> list[Source]:
    """The pictures of a test set."""
    return [Source(path, None, 1.0) for path in datasets.files([folder])]


def check_measurable(sources: Sequence[Source], scales: Sequence[int]) -> None:
    """Raise `UsageError`, from their headers alone, for pictures of which a border of the scale leaves nothing."""
    for source in sources:
        height, width = datasets.shape(source.hr)
        for scale in scales:
            if min(height, width) // scale <= 2:
                raise UsageError(
                    f"{source.hr} has {width} x {height} pixels: nothing is left to measure at x{scale} but its "
                    "border; take it out of its folder"
                )
