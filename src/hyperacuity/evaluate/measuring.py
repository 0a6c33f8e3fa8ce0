"""Runs models over a set and measures every result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hyperacuity import datasets, zoo
from hyperacuity.errors import UsageError
from hyperacuity.evaluate.enlarging import compare_result, enlarge
from hyperacuity.evaluate.finished import FinishedResults
from hyperacuity.evaluate.results import EvaluatedImage, EvaluationRow, EvaluationSetting, Measurement, summarise
from hyperacuity.evaluate.sets import find_images
from hyperacuity.metrics import ComparedImages, Metric
from hyperacuity.metrics.protocols import CLASSIC, ComparisonProtocol
from hyperacuity.metrics.selection import select_metrics
from hyperacuity.size import Size
from hyperacuity.upscaler import Upscaler

# The side of the LR corner that each model enlarges before anything is timed.
_WARM_UP_SIDE = 64


def check_scale(upscaler: Upscaler, scale: int) -> None:
    """Raises `UsageError` if the model does not support `scale`."""
    if not upscaler.made_for(scale):
        scales = ", ".join(f"x{step.scale}" for step in zoo.chain_steps(upscaler.family))
        raise UsageError(f"{upscaler.family[0].card.family} is made for {scales}, not for x{scale}")


def evaluate_folder(
    upscaler: Upscaler,
    folder: Path,
    scale: int,
    protocol: ComparisonProtocol = CLASSIC,
    metrics: Sequence[Metric] = (),
    *,
    lr: Path | None = None,
    with_published: bool = False,
) -> EvaluationRow:
    """Measure one model on a folder of images.

    Args:
        upscaler: The model; the table lists it by its family.
        folder: HR images; the set is named after the folder.
        scale: The factor to enlarge by.
        protocol: What is compared.
        metrics: From `select_metrics`; the default ones if empty.
        lr: A folder of LR images, see `sets.find_images`; without it, MATLAB's bicubic makes them.
        with_published: Add the paper's figure to the row.

    Raises:
        UsageError: If the model does not support `scale`, or the folder cannot be measured.

    Warns:
        LeftOutWarning: If images are left out that cannot be read.

    Example:
        A row for bicubic on Set5::

            evaluate_folder(hyperacuity.load("bicubic"), Path("Set5"), 2).scores["psnr"]
    """
    metrics = metrics or select_metrics()
    check_scale(upscaler, scale)
    images = find_images(folder, [scale], metrics, lr=lr)
    datasets.warn_left_out(images.left_out)
    setting = EvaluationSetting(images, scale, protocol, metrics)
    name = upscaler.family[0].card.family
    measurements = [one.measurements[name] for one in measure_images({name: upscaler}, setting)]
    return summarise(name, upscaler, setting, measurements, with_published=with_published)


def measure_images(
    upscalers: Mapping[str, Upscaler],
    setting: EvaluationSetting,
    finished: Mapping[str, FinishedResults] | None = None,
) -> Iterator[EvaluatedImage]:
    """Enlarge every image of a set with every model, and measure the results.

    The models take turns at each image, so that other programs on the machine slow all of them alike.

    Args:
        upscalers: The models, by their names in the table.
        setting: What is measured.
        finished: Existing results to measure too, by their names in the table.

    Yields:
        The images in the order of the set.
    """
    scale, protocol = setting.scale, setting.protocol
    for upscaler in upscalers.values():
        check_scale(upscaler, scale)
    previous: dict[str, ComparedImages] = {}
    for n, (image, pair) in enumerate(setting.images.pairs(scale)):
        if n == 0:
            for upscaler in upscalers.values():
                upscaler.array(pair.lr[:_WARM_UP_SIDE, :_WARM_UP_SIDE], Size(scale=scale))
        compared = {
            name: enlarge(upscaler, pair, scale, protocol, given_lr=setting.images.given_lr)
            for name, upscaler in upscalers.items()
        }
        for name, results in (finished or {}).items():
            result = results.result_for(image, pair)
            if result is not None:
                compared[name] = compare_result(result, pair, scale, protocol), 0.0
        megapixels = pair.hr[..., 0].size / 1e6
        measurements = {}
        for name, (images, seconds) in compared.items():
            scores = _measure(replace(images, previous=previous.get(name)), setting.metrics)
            measurements[name] = Measurement(scores, seconds / megapixels)
        shown = {name: images.result_image for name, (images, _) in compared.items()}
        if setting.images.is_video:
            previous = {name: images for name, (images, _) in compared.items()}
        yield EvaluatedImage(image, pair.hr, pair.lr, shown, measurements)


def _measure(images: ComparedImages, metrics: Sequence[Metric]) -> dict[str, float]:
    """Returns the value of each metric, by its name."""
    return {metric.name: metric.measure(images) for metric in metrics}
