"""How good models are, by the protocols of the papers; and, beside it, what the papers say.

A figure means nothing without its protocol: luma or RGB, which luma, how the low resolution was made, how much border
was cut. Each protocol here has a name and says all that in one sentence, which is printed with every table.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, datasets, zoo
from hyperacuity.api import Upscaler
from hyperacuity.datasets import Pair, Picture
from hyperacuity.errors import UsageError, nearest
from hyperacuity.evaluate import measures, sets
from hyperacuity.evaluate.measures import Compared, Metric
from hyperacuity.evaluate.published import Published, find
from hyperacuity.evaluate.sets import PictureSet
from hyperacuity.evaluate.videos import Made, VideoSet
from hyperacuity.resize import resize, round_to
from hyperacuity.size import Size

Pixels = NDArray[Any]

# Of the first picture's LR, for the runs before the first that is timed.
_WARM_UP = 64


@dataclass(frozen=True)
class Protocol:
    """What is compared: `view` makes of an 8-bit picture (H, W, C) the array that the metrics see, on 0..255.

    exact_luma: networks on luma and resamplers are given LR luma that was never rounded, and compared on 8-bit luma.
    """

    name: str
    statement: str
    view: Callable[[Picture], Pixels]
    exact_luma: bool = False


def _full_range_luma(picture: Picture) -> Picture:
    if picture.shape[-1] == 1:
        return picture[..., 0]
    return round_to(picture @ np.array([0.299, 0.587, 0.114]), np.dtype(np.uint8))


def _unrounded_luma(picture: Picture) -> Pixels:
    rgb = np.broadcast_to(picture, (*picture.shape[:2], 3))
    return colour.luma(rgb.astype(np.float64) / 255) * 255


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "classic",
            "luma of BT.601 in studio range; networks on luma and resamplers get the LR luma in double precision and "
            "are compared on 8-bit luma, grey pictures being luma themselves; networks on RGB get the 8-bit LR picture "
            "and are compared on the luma of their 8-bit result, not rounded again, grey pictures being RGB",
            _unrounded_luma,
            exact_luma=True,
        ),
        Protocol("rgb", "RGB, one mean squared error over all channels", lambda picture: picture),
        Protocol("full-range-y", "8-bit luma 0.299 R + 0.587 G + 0.114 B (1.3 dB below classic)", _full_range_luma),
    )
}


@dataclass(frozen=True)
class Setting:
    """What is measured: one set at one scale, by one protocol."""

    pictures: PictureSet | VideoSet
    scale: int
    how: Protocol
    metrics: Sequence[Metric]


@dataclass(frozen=True)
class Measured:
    """One result in figures. scores: by the metrics' names. seconds: for a megapixel of it."""

    scores: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Sample:
    """One picture of a set: its high and low resolution, what the models made of it, all (H, W, C) uint8, and how good
    that is; both by model.
    """

    name: str
    hr: Picture
    lr: Picture
    results: Mapping[str, Picture]
    measured: Mapping[str, Measured]


@dataclass(frozen=True)
class Row:
    """One model in one setting. count: of pictures. scores: means. seconds: for a megapixel of the result, the
    median over the pictures; 0 for results that were there already. parameters: 0 for resamplers, and for these.
    """

    model: str
    setting: Setting
    count: int
    scores: Mapping[str, float]
    parameters: int
    seconds: float
    published: Published | None

    def record(self) -> dict[str, str]:
        """For CSV and Markdown; empty where nothing is published, and where LR was not given but made by bicubic."""
        setting, known, psnr = self.setting, self.published, self.scores.get("psnr")
        # Adding zero makes -0.00 a +0.00.
        difference = f"{round(psnr - known.psnr, 2) + 0.0:+.2f}" if known and psnr is not None else ""
        return {
            "model": self.model,
            "set": setting.pictures.name,
            "scale": str(setting.scale),
            "protocol": setting.how.name,
            "lr": "given" if setting.pictures.given_lr else "",
            "pictures": str(self.count),
            **{metric.column: metric.figure(self.scores[metric.name]) for metric in setting.metrics},
            "published_psnr": f"{known.psnr:.2f}" if known else "",
            "difference": difference,
            "published_ssim": f"{known.ssim:.4f}" if known and known.ssim is not None else "",
            "parameters": str(self.parameters),
            "seconds_per_megapixel": f"{self.seconds:.3f}" if self.seconds else "",
        }


def protocol(name: str) -> Protocol:
    """Raises `UsageError` that names the nearest for an unknown one."""
    if name not in PROTOCOLS:
        raise UsageError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}{nearest(name, PROTOCOLS)}")
    return PROTOCOLS[name]


def check_scale(upscaler: Upscaler, scale: int) -> None:
    """Raises `UsageError` for a model that is not made for `scale`."""
    if not upscaler.made_for(scale):
        scales = ", ".join(f"x{step.scale}" for step in zoo.chain_steps(upscaler.family))
        raise UsageError(f"{upscaler.family[0].card.family} is made for {scales}, not for x{scale}")


def samples(
    upscalers: Mapping[str, Upscaler], setting: Setting, made: Mapping[str, Made] | None = None
) -> Iterator[Sample]:
    """Enlarge every picture of a set from its low resolution, once by each model, and compare.

    The models take turns at each picture, so that what else the machine does falls on all of them alike. made: videos
    to be compared too, as they are.
    """
    scale = setting.scale
    for upscaler in upscalers.values():
        check_scale(upscaler, scale)
    before: dict[str, Compared] = {}
    for n, (called, pair) in enumerate(setting.pictures.pairs(scale)):
        if n == 0:
            for upscaler in upscalers.values():
                upscaler.array(pair.lr[:_WARM_UP, :_WARM_UP], Size(scale=scale))
        compared = {name: _enlarged(upscaler, pair, setting) for name, upscaler in upscalers.items()}
        compared |= {name: (_viewed(video.next(pair), pair, setting), 0.0) for name, video in (made or {}).items()}
        results, measured = {}, {}
        for name, (alone, seconds) in compared.items():
            one = alone
            if isinstance(setting.pictures, VideoSet):
                one = replace(alone, before=before.get(name))
                before[name] = alone
            results[name] = one.result
            scores = {metric.name: metric.measure(one) for metric in setting.metrics}
            measured[name] = Measured(scores, seconds / (pair.hr[..., 0].size / 1e6))
        yield Sample(called, pair.hr, pair.lr, results, measured)


def _enlarged(upscaler: Upscaler, pair: Pair, setting: Setting) -> tuple[Compared, float]:
    """A model's result beside the truth, and the seconds it took."""
    scale, how = setting.scale, setting.how
    if how.exact_luma and (upscaler.classical or upscaler.family[0].card.channels == "Y"):
        truth = datasets.luma(pair.hr)
        given = datasets.luma(pair.lr) if setting.pictures.given_lr else datasets.pair(truth, scale, exact=True).lr
        seen, seconds = _from_exact_luma(upscaler, given, scale, grey=pair.hr.shape[-1] == 1)
        return Compared(seen, truth, given, _coloured(seen, pair.lr), pair.hr, scale), seconds
    result, seconds = _timed(upscaler, pair.lr, scale)
    return _viewed(result, pair, setting), seconds


def _viewed(result: Picture, pair: Pair, setting: Setting) -> Compared:
    view = setting.how.view
    return Compared(view(result), view(pair.hr), view(pair.lr), result, pair.hr, setting.scale)


def _timed(upscaler: Upscaler, pixels: Pixels, scale: int) -> tuple[Pixels, float]:
    start = time.perf_counter()
    larger = upscaler.array(pixels, Size(scale=scale))
    return larger, time.perf_counter() - start


def _from_exact_luma(upscaler: Upscaler, luma: Pixels, scale: int, *, grey: bool) -> tuple[Picture, float]:
    """The papers' way for networks on luma: from an LR luma that is not rounded; and the seconds it took.

    It goes through the whole pipeline as a grey float picture: grey is brought to studio range before a network on
    luma and back behind it, so the inverse of that is done here.
    """
    exact = (luma / 255).astype(np.float32)
    larger, seconds = _timed(upscaler, exact if grey else colour.from_studio(exact), scale)
    larger = larger if grey else colour.to_studio(larger)
    return round_to(larger.astype(np.float64) * 255, np.dtype(np.uint8)), seconds


def _coloured(luma: Picture, lr: Picture) -> Picture:
    """The picture of this luma, (H, W), and the chroma of its LR enlarged by bicubic, as the pipeline makes it."""
    if lr.shape[-1] == 1:
        return luma[..., None]
    bicubic = resize(lr.astype(np.float64) / 255, size=(luma.shape[0], luma.shape[1])).transpose(2, 0, 1)
    rgb = colour.joined(luma / 255, colour.differences(bicubic, colour.luma(bicubic, axis=0)))
    return round_to(rgb.transpose(1, 2, 0) * 255, np.dtype(np.uint8))


def evaluate(
    upscaler: Upscaler,
    folder: Path,
    scale: int,
    how: Protocol,
    metrics: Sequence[Metric] = (),
    *,
    lr: Path | None = None,
    against_published: bool = False,
) -> Row:
    """One row of a table; the set is called like its folder, the model like its family. metrics: else the usual.

    lr: the folder of the pictures' LR, see `sets.find`, which says what is raised; without it LR is MATLAB's bicubic.
    """
    metrics = metrics or measures.chosen()
    check_scale(upscaler, scale)
    setting = Setting(sets.find(folder, [scale], metrics, lr=lr), scale, how, metrics)
    name = upscaler.family[0].card.family
    every = [sample.measured[name] for sample in samples({name: upscaler}, setting)]
    return row(name, upscaler, setting, every, against_published=against_published)


def row(
    name: str,
    upscaler: Upscaler | None,
    setting: Setting,
    every: Sequence[Measured],
    *,
    against_published: bool = False,
) -> Row:
    """The means over pictures as a row; the papers' figures are for the classic protocol only. upscaler: None for
    results that were there already.
    """
    means = {metric.name: _mean([one.scores[metric.name] for one in every]) for metric in setting.metrics}
    if upscaler is None:
        return Row(name, setting, len(every), means, 0, 0.0, None)
    card = upscaler.family[0].card
    comparable = against_published and setting.how.name == "classic"
    known = find(card, setting.pictures.name, setting.scale) if comparable else None
    used = next((step.model.card for step in zoo.chain_steps(upscaler.family) if step.scale == setting.scale), card)
    seconds = statistics.median(one.seconds for one in every)
    return Row(name, setting, len(every), means, used.parameters, seconds, known)


def _mean(values: Sequence[float]) -> float:
    """Of those that are numbers."""
    numbers = [value for value in values if not math.isnan(value)]
    return statistics.mean(numbers) if numbers else math.nan
