"""Diagrams of quality against its cost: parameters, and measured time."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hyperacuity.errors import MissingDependency, UsageError, nearest
from hyperacuity.evaluate.results import EvaluationRow

SUFFIXES = (".png", ".svg", ".pdf")


def check_plot(path: Path) -> None:
    """Check that a plot can be written as `path`.

    Raises:
        UsageError: If its suffix is not one of `SUFFIXES`.
        MissingDependency: If matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"a plot cannot be written as {path}: give a name that ends in {', '.join(SUFFIXES)}"
            f"{nearest(path.suffix, SUFFIXES)}"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependency("plots need matplotlib: pip install 'hyperacuity[plot]'")


def draw_plot(rows: Sequence[EvaluationRow], suffix: str) -> bytes:
    """Draw the first metric of all models, two panels for each set and scale.

    The left panel has parameters on its axis, where resamplers, which have no parameters, are horizontal lines. The
    right panel has the seconds for a megapixel of the result.

    Args:
        rows: The table.
        suffix: One of `SUFFIXES`, which is the format.

    Returns:
        The content of the file.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = list({id(row.setting): row.setting for row in rows}.values())
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "0"}):
        figure = Figure(figsize=(9, 3.4 * len(settings)), layout="constrained")
        panels = figure.subplots(len(settings), 2, squeeze=False, sharey="row")
        for (left, right), setting in zip(panels, settings, strict=True):
            _draw_setting(left, right, [row for row in rows if row.setting is setting])
        content = io.BytesIO()
        figure.savefig(content, format=suffix.lower().removeprefix("."), dpi=150)
    return content.getvalue()


def _draw_setting(left: Any, right: Any, rows: Sequence[EvaluationRow]) -> None:
    """Draw the two panels of one setting."""
    setting = rows[0].setting
    metric = setting.metrics[0]
    for row in rows:
        if row.parameters:
            continue
        score = row.scores[metric.name]
        left.axhline(score, color="tab:grey", linewidth=0.8, linestyle="--")
        left.annotate(
            row.model,
            (0.01, score),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            color="tab:grey",
        )
    _draw_points(left, [(row.parameters, row.scores[metric.name], row.model) for row in rows if row.parameters])
    _draw_points(right, [(row.seconds, row.scores[metric.name], row.model) for row in rows if row.seconds])
    left.set_xlabel("parameters")
    right.set_xlabel("seconds for a megapixel of the result, measured here")
    left.set_ylabel(metric.label)
    left.set_title(f"{setting.images.name} x{setting.scale}, {setting.protocol.name}", loc="left")


def _draw_points(axes: Any, points: Sequence[tuple[float, float, str]]) -> None:
    """Draw points with their names on the side with room; overlapping names are moved apart."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}" if x >= 1 else f"{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.25)
    if not points:
        return
    axes.scatter([x for x, _, _ in points], [y for _, y, _ in points], s=28, zorder=3)
    axes.margins(x=0.25, y=0.15)
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    least, last = (top - bottom) * 0.06, -float("inf")
    for x, y, name in sorted(points, key=lambda point: point[1]):
        at = max(y, last + least)
        last = at
        rightmost = x * x > low * high  # beyond the middle of a logarithmic axis
        axes.annotate(
            name,
            (x, y),
            xytext=(-7 if rightmost else 7, (at - y) / (top - bottom) * 160),
            textcoords="offset points",
            ha="right" if rightmost else "left",
            va="center",
        )
