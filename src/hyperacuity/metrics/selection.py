"""Selects metrics by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hyperacuity.errors import LEAVE_OUT, UsageError, Use, nearest
from hyperacuity.metrics import DEFAULT_METRICS, METRICS
from hyperacuity.metrics.metric import Metric


def select_metrics(
    names: Sequence[str] = DEFAULT_METRICS, weights: Mapping[str, tuple[Path, ...]] | None = None
) -> list[Metric]:
    """Look up metrics by name, and open the weights of those that need some.

    Args:
        names: From `METRICS`; repeated names count once.
        weights: Paths of weight files by the metric's name, in the order that its record describes.

    Returns:
        The metrics, in the order of `names`.

    Raises:
        UsageError: If a name is unknown, or weights are missing or have no metric.
        MissingDependency: If a metric needs a package that is not installed.
        WeightsError: If a file does not hold the weights.

    Example:
        >>> [metric.title for metric in select_metrics(["psnr", "ssim"])]
        ['PSNR', 'SSIM']
    """
    given = weights or {}
    for name in names:
        if name not in METRICS:
            raise UsageError(f"no metric {name!r}; there are {', '.join(METRICS)}{nearest(name, METRICS)}")
    for name in given:
        option = METRICS[name].weights
        if option is not None and name not in names:
            raise UsageError(
                f"the weights of {name} are given, but {name} is not among the metrics",
                Use(metrics=" ".join([*names, name])),
                Use(**{option.option: LEAVE_OUT}),
            )
    return [_with_weights(METRICS[name], given.get(name)) for name in dict.fromkeys(names)]


def _with_weights(metric: Metric, files: tuple[Path, ...] | None) -> Metric:
    """Returns the metric with its weights opened, if it needs some."""
    if metric.weights is None:
        return metric
    if files is None:
        raise UsageError(
            f"{metric.name} needs its weights: {metric.weights.description}",
            Use(**{metric.weights.option: metric.weights.paths}),
        )
    return replace(metric, measure=metric.weights.open(files))
