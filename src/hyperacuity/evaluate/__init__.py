"""How good a model is, by the protocols of the papers; and, beside it, what the papers say.

A figure means nothing without its protocol: luma or RGB, which luma, how the low resolution was made, how much border
was cut. Each protocol here has a name and says all that in one sentence, which is printed with every table.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, datasets, zoo
from hyperacuity.api import Upscaler
from hyperacuity.datasets import Picture
from hyperacuity.errors import UsageError, nearest
from hyperacuity.evaluate.published import Published, find
from hyperacuity.metrics import psnr, ssim
from hyperacuity.resize import resize, round_to
from hyperacuity.size import Size

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Protocol:
    """What is compared: `view` makes of an 8-bit picture (H, W, C) the array that the metrics see, on 0..255."""

    name: str
    statement: str
    view: Callable[[Picture], Picture]


def _full_range_luma(picture: Picture) -> Picture:
    if picture.shape[-1] == 1:
        return picture[..., 0]
    return round_to(picture @ np.array([0.299, 0.587, 0.114]), np.dtype(np.uint8))


_LR = "LR by MATLAB's bicubic, the result rounded to 8 bits, a border of `scale` pixels cut"

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "classic",
            f"luma of BT.601 in studio range (of grey pictures the grey); {_LR}; networks on luma and resamplers "
            "get the LR luma in double precision and are compared on 8-bit luma, networks on RGB get the 8-bit LR "
            "picture and are compared on the luma of their 8-bit result, not rounded again",
            datasets.luma,
        ),
        Protocol("rgb", f"RGB, one mean squared error over all channels; {_LR}", lambda picture: picture),
        Protocol(
            "full-range-y", f"8-bit luma 0.299 R + 0.587 G + 0.114 B (1.3 dB below classic); {_LR}", _full_range_luma
        ),
    )
}


@dataclass(frozen=True)
class Scores:
    """Means over the pictures of a set. PSNR in dB, lr_psnr that of the result made small again against the input:
    45 and more say that nothing of the input was lost.
    """

    psnr: float
    ssim: float
    lr_psnr: float


@dataclass(frozen=True)
class Row:
    """One model on one set at one scale."""

    model: str
    set: str
    scale: int
    protocol: str
    pictures: int
    scores: Scores
    published: Published | None

    def record(self) -> dict[str, Any]:
        """For CSV and Markdown; empty where nothing is published."""
        known = self.published
        return {
            "model": self.model,
            "set": self.set,
            "scale": self.scale,
            "protocol": self.protocol,
            "pictures": self.pictures,
            "psnr": f"{self.scores.psnr:.2f}",
            "ssim": f"{self.scores.ssim:.4f}",
            "lr_psnr": f"{self.scores.lr_psnr:.1f}",
            "published_psnr": f"{known.psnr:.2f}" if known else "",
            # Adding zero makes -0.00 a +0.00.
            "difference": f"{round(self.scores.psnr - known.psnr, 2) + 0.0:+.2f}" if known else "",
            "published_ssim": f"{known.ssim:.4f}" if known and known.ssim is not None else "",
        }


@dataclass(frozen=True)
class Sample:
    """One picture of an evaluation: its high and low resolution, (H, W, C) uint8, and how near the result came."""

    path: Path
    hr: Picture
    lr: Picture
    scores: Scores


def protocol(name: str) -> Protocol:
    """Raises `UsageError` that names the nearest for an unknown one."""
    if name not in PROTOCOLS:
        raise UsageError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}{nearest(name, PROTOCOLS)}")
    return PROTOCOLS[name]


def samples(upscaler: Upscaler, folder: Path, scale: int, how: Protocol) -> Iterator[Sample]:
    """Enlarge every picture below `folder` from its low resolution and compare.

    Raises `UsageError` for a model that is not made for `scale`, a folder without pictures, or pictures too small.
    """
    if not upscaler.made_for(scale):
        scales = ", ".join(f"x{step.scale}" for step in zoo.steps(upscaler.family))
        raise UsageError(f"{upscaler.family[0].card.family} is made for {scales}, not for x{scale}")
    for path in datasets.files([folder]):
        pair = datasets.pair(datasets.picture(path), scale)
        if min(pair.hr.shape[:2]) < 11 + 2 * scale:
            raise UsageError(f"{path} is too small to be compared at x{scale}")
        seen, truth = _compared(upscaler, pair, scale, how)
        again, wanted = (resize(array.astype(np.float64), size=pair.lr.shape[:2]) for array in (seen, truth))
        scores = Scores(
            psnr(seen, truth, border=scale, peak=255),
            ssim(seen, truth, border=scale, peak=255),
            psnr(again, wanted, border=0, peak=255),
        )
        yield Sample(path, pair.hr, pair.lr, scores)


def _compared(upscaler: Upscaler, pair: datasets.Pair, scale: int, how: Protocol) -> tuple[Pixels, Pixels]:
    """What the metrics see, on 0..255: the result and the truth."""
    if how.name != "classic":
        return how.view(upscaler.array(pair.lr, Size(scale=scale))), how.view(pair.hr)
    if upscaler.classical or upscaler.family[0].card.channels == "Y":
        truth = how.view(pair.hr)
        return _from_exact_luma(upscaler, truth, scale, grey=pair.hr.shape[-1] == 1), truth
    result = upscaler.array(pair.lr, Size(scale=scale))
    return _unrounded_luma(result), _unrounded_luma(pair.hr)


def _unrounded_luma(picture: Picture) -> Pixels:
    if picture.shape[-1] == 1:
        return picture[..., 0]
    return colour.luma(picture.astype(np.float64) / 255) * 255


def _from_exact_luma(upscaler: Upscaler, luma: Picture, scale: int, *, grey: bool) -> Picture:
    """The papers' way for networks on luma: from an LR luma that is not rounded.

    It goes through the whole pipeline as a grey float picture: grey is brought to studio range before a network on
    luma and back behind it, so the inverse of that is done here.
    """
    exact = (datasets.pair(luma, scale, exact=True).lr / 255).astype(np.float32)
    larger = upscaler.array(exact if grey else colour.from_studio(exact), Size(scale=scale))
    larger = larger if grey else colour.to_studio(larger)
    return round_to(larger.astype(np.float64) * 255, np.dtype(np.uint8))


def evaluate(upscaler: Upscaler, folder: Path, scale: int, how: Protocol, *, against_published: bool = False) -> Row:
    """One row of a table; the set is called like its folder."""
    every = [sample.scores for sample in samples(upscaler, folder, scale, how)]
    return row(upscaler, folder, scale, how, every, against_published=against_published)


def row(
    upscaler: Upscaler,
    folder: Path,
    scale: int,
    how: Protocol,
    every: Sequence[Scores],
    *,
    against_published: bool = False,
) -> Row:
    """The means over pictures as a row; the papers' figures are for the classic protocol only."""
    means = Scores(*(statistics.mean(getattr(one, field.name) for one in every) for field in fields(Scores)))
    card = upscaler.family[0].card
    known = find(card, folder.name, scale) if against_published and how.name == "classic" else None
    return Row(card.family, folder.name, scale, how.name, len(every), means, known)
