"""The records of an evaluation: settings, the measurements of each image, and the rows of a table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperacuity import zoo
from hyperacuity.evaluate.published import PublishedFigure, find_published
from hyperacuity.evaluate.sets import ImageSet
from hyperacuity.evaluate.video_sets import VideoSet
from hyperacuity.metrics import Metric
from hyperacuity.metrics.protocols import CLASSIC, ComparisonProtocol
from hyperacuity.upscaler import Upscaler


@dataclass(frozen=True)
class EvaluationSetting:
    """The setting of a measurement: one set at one scale, by one protocol."""

    images: ImageSet | VideoSet
    scale: int
    protocol: ComparisonProtocol
    metrics: Sequence[Metric]


@dataclass(frozen=True)
class Measurement:
    """The measurements of one result.

    Attributes:
        scores: The value of each metric, by its name.
        seconds: Time for one megapixel of the result; 0 for existing results.
    """

    scores: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class EvaluatedImage:
    """One image of a set, with the result and the measurement of every model. All images are (H, W, C) uint8."""

    name: str
    hr: NDArray[np.uint8]
    lr: NDArray[np.uint8]
    results: Mapping[str, NDArray[np.uint8]]
    measurements: Mapping[str, Measurement]


@dataclass(frozen=True)
class EvaluationRow:
    """One model in one setting.

    Attributes:
        model: The name of the model in the table.
        setting: What was measured.
        count: How many images.
        scores: The mean of each metric, by its name.
        parameters: Of the network; 0 for resamplers and existing results.
        seconds: Median time for one megapixel of the result; 0 for existing results.
        published: The figure of the paper, if there is one and it was requested.
    """

    model: str
    setting: EvaluationSetting
    count: int
    scores: Mapping[str, float]
    parameters: int
    seconds: float
    published: PublishedFigure | None

    def record(self) -> dict[str, str]:
        """Returns the fields for CSV and Markdown.

        A field is empty if nothing is published, or, for `lr`, if LR was made by bicubic.
        """
        setting, known, psnr = self.setting, self.published, self.scores.get("psnr")
        # Adding zero makes -0.00 a +0.00.
        difference = f"{round(psnr - known.psnr, 2) + 0.0:+.2f}" if known and psnr is not None else ""
        return {
            "model": self.model,
            "set": setting.images.name,
            "scale": str(setting.scale),
            "protocol": setting.protocol.name,
            "lr": "given" if setting.images.given_lr else "",
            "images": str(self.count),
            **{metric.column: metric.format_value(self.scores[metric.name]) for metric in setting.metrics},
            "published_psnr": f"{known.psnr:.2f}" if known else "",
            "difference": difference,
            "published_ssim": f"{known.ssim:.4f}" if known and known.ssim is not None else "",
            "parameters": str(self.parameters),
            "seconds_per_megapixel": f"{self.seconds:.3f}" if self.seconds else "",
        }


def summarise(
    model: str,
    upscaler: Upscaler | None,
    setting: EvaluationSetting,
    measurements: Sequence[Measurement],
    *,
    with_published: bool = False,
) -> EvaluationRow:
    """Average the measurements of one model into a row.

    Args:
        model: Its name in the table.
        upscaler: None for existing results.
        setting: What was measured.
        measurements: One for each image.
        with_published: Add the paper's figure, which exists for the classic protocol only.
    """
    means = {metric.name: _mean([one.scores[metric.name] for one in measurements]) for metric in setting.metrics}
    if upscaler is None:
        return EvaluationRow(model, setting, len(measurements), means, 0, 0.0, None)
    card = upscaler.family[0].card
    comparable = with_published and setting.protocol.name == CLASSIC.name
    known = find_published(card, setting.images.name, setting.scale) if comparable else None
    used = next((step.model.card for step in zoo.chain_steps(upscaler.family) if step.scale == setting.scale), card)
    seconds = statistics.median(one.seconds for one in measurements)
    return EvaluationRow(model, setting, len(measurements), means, used.parameters, seconds, known)


def _mean(values: Sequence[float]) -> float:
    """Returns the mean of the values that are not NaN, or NaN if there are none."""
    numbers = [value for value in values if not math.isnan(value)]
    return statistics.mean(numbers) if numbers else math.nan
