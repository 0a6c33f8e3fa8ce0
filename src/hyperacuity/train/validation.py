"""The quality of a network on images that it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperacuity import datasets
from hyperacuity.datasets import LeftOut, Pixels8
from hyperacuity.engines import pad_to_multiple
from hyperacuity.errors import UsageError
from hyperacuity.metrics import SSIM_SHORTEST_SIDE, psnr, ssim
from hyperacuity.metrics.protocols import CLASSIC
from hyperacuity.networks import as_network
from hyperacuity.resize import resize
from hyperacuity.train.degrade import Bicubic, Degradation
from hyperacuity.train.images import TrainingImage


@dataclass(frozen=True)
class HeldOut:
    """An image at one scale, on 0..255, with the channels of the network.

    Attributes:
        name: Its file's name without the ending.
        scale: HR pixels for each LR pixel along a side.
        hr: (H, W, C) uint8.
        lr: (h, w, C) uint8, or float64 as in the papers' protocol for luma.
    """

    name: str
    scale: int
    hr: Pixels8
    lr: NDArray[Any]


def held_out(images: Sequence[TrainingImage], scale: int, channels: int, degradation: Degradation) -> Iterator[HeldOut]:
    """Read images with their given LR, or degrade them, always in the same way.

    Bicubic works as in the papers: on luma in double precision, on RGB in 8 bits.

    Raises:
        UsageError: For a given LR of the wrong size.

    Warns:
        LeftOutWarning: If images cannot be decoded; these are left out.
    """
    left_out: list[LeftOut] = []
    for number, image in enumerate(images):
        try:
            hr = datasets.to_channels(datasets.read_image(image.hr), channels)
            given = None if image.lr is None else datasets.to_channels(datasets.read_image(image.lr), channels)
        except datasets.UNREADABLE as error:
            left_out.append(LeftOut(image.hr, error))
            continue
        if given is not None and image.lr is not None:
            datasets.check_pair(hr, given, scale, hr_path=image.hr, lr_path=image.lr)
            pair = datasets.with_lr(hr, given, scale)
        elif isinstance(degradation, Bicubic):
            pair = datasets.pair(hr, scale, exact=channels == 1)
        else:
            hr = hr[: len(hr) // scale * scale, : hr.shape[1] // scale * scale]
            planes = torch.from_numpy(hr).permute(2, 0, 1)[None]
            lr = degradation.degrade(planes, scale, torch.Generator().manual_seed(number))
            pair = datasets.Pair(_pixels(lr), _pixels(degradation.truth(planes)))
        yield HeldOut(image.hr.stem, scale, pair.hr, pair.lr)
    datasets.warn_left_out(left_out)


def _pixels(planes: Tensor) -> Pixels8:
    pixels: Pixels8 = (planes[0].permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()
    return pixels


def quality(network: nn.Module, image: HeldOut, device: torch.device) -> tuple[float, Pixels8]:
    """Measure a network as the papers do: on luma, with `scale` pixels cut from each border.

    The result of networks on luma is compared as 8-bit luma, that of networks on RGB as unrounded luma of 8-bit RGB.

    Returns:
        PSNR in dB, and the result (H, W, C).
    """
    result = infer(network, image, device)
    return psnr(*_compared(result, image), border=image.scale, peak=255), result


def similarity(result: Pixels8, image: HeldOut) -> float:
    """Compute SSIM of a network's result, on the luma of `quality`; NaN for images smaller than SSIM's window."""
    if min(image.hr.shape[:2]) - 2 * image.scale < SSIM_SHORTEST_SIDE:
        return math.nan
    return ssim(*_compared(result, image), border=image.scale, peak=255)


def _compared(result: Pixels8, image: HeldOut) -> tuple[NDArray[Any], NDArray[Any]]:
    return (result, image.hr) if result.shape[-1] == 1 else (CLASSIC.view(result), CLASSIC.view(image.hr))


def infer(network: nn.Module, image: HeldOut, device: torch.device) -> Pixels8:
    """Compute a network's result for `image.lr`, (H, W, C) in 8 bits; sides are extended by mirroring to fit it."""
    traits = as_network(network)
    lr = image.lr.astype(np.float64)
    if traits.scale == 1 and image.scale > 1:
        lr = resize(lr, size=(lr.shape[0] * image.scale, lr.shape[1] * image.scale))
    else:
        traits.scale = image.scale  # one of several that a network may have
    training = network.training
    network.eval()
    with torch.inference_mode():
        planes = pad_to_multiple(lr.astype(np.float32).transpose(2, 0, 1)[None], traits.multiple)
        x = torch.from_numpy(planes).to(device) / 255
        y = network(x)[0].permute(1, 2, 0)[: lr.shape[0] * traits.scale, : lr.shape[1] * traits.scale]
        result: Pixels8 = (y * 255).round().clamp(0, 255).byte().cpu().numpy()
    network.train(training)
    return result


def validate(network: nn.Module, images: Sequence[HeldOut], fabric: Fabric) -> tuple[float, list[Pixels8]]:
    """Measure a network on the images of all processes.

    Returns:
        Mean PSNR in dB, and the results for the images of this process.

    Raises:
        UsageError: If there are no images.
    """
    measured = [quality(network, image, fabric.device) for image in images]
    sums: Any = torch.tensor([sum(value for value, _ in measured), len(measured)], dtype=torch.float64)
    if fabric.world_size > 1:
        sums = fabric.all_reduce(sums.to(fabric.device), reduce_op="sum")
    if not sums[1]:
        raise UsageError("none of the validation images can be decoded: check the files or the disk they are on")
    return float(sums[0] / sums[1]), [result for _, result in measured]


def check_measurable(images: Sequence[TrainingImage], scales: Sequence[int]) -> None:
    """Check, by reading headers alone, that something is left of each image when its border is cut.

    Raises:
        UsageError: For an image that is too small.
    """
    for image in images:
        height, width = datasets.header_shape(image.hr)
        for scale in scales:
            if min(height, width) // scale <= 2:
                raise UsageError(
                    f"{image.hr} has {width} x {height} pixels: nothing is left to measure at x{scale} but its "
                    "border; remove it from its folder"
                )
