"""Flicker: how far a video's changes from frame to frame differ from those of its ground truth."""

from __future__ import annotations

import math

import numpy as np

from hyperacuity.metrics.metric import Array, ComparedImages, Metric, cut_border


def flicker(result: Array, previous_result: Array, truth: Array, previous_truth: Array, *, border: int) -> float:
    """The difference between a result's change from frame to frame and that of the ground truth; 0 if they are equal.

    The mean of |(result - previous_result) - (truth - previous_truth)| over all pixels and channels.

    Args:
        result: (H, W) or (H, W, C).
        previous_result: The frame before `result`, of the same shape.
        truth: Of the same shape and range.
        previous_truth: The frame before `truth`, of the same shape.
        border: Pixels to ignore on each side.

    Returns:
        A value in the unit of the arrays.

    Raises:
        UsageError: If the shapes differ, or if nothing is left inside the border.
    """
    result, truth = cut_border(result, truth, border)
    previous_result, previous_truth = cut_border(previous_result, previous_truth, border)
    return float(np.mean(np.abs((result - previous_result) - (truth - previous_truth))))


def _measure(images: ComparedImages) -> float:
    previous = images.previous
    if previous is None:
        return math.nan
    return flicker(images.result, previous.result, images.truth, previous.truth, border=images.scale)


FLICKER = Metric(
    "flicker",
    "Flicker",
    higher_is_better=False,
    digits=3,
    measure=_measure,
    statement=(
        "of videos: how far the change from one measured frame to the next is from the change of HR, as the mean "
        "absolute difference on 0-255 over pixels and frames; 0 is as steady as HR"
    ),
    needs_video=True,
)
