"""Quality against what it costs: parameters, and measured time."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hyperacuity.errors import MissingDependency, UsageError, nearest
from hyperacuity.evaluate import Row

SUFFIXES = (".png", ".svg", ".pdf")


def check(path: Path) -> None:
    """Raises `UsageError` for an ending that is not drawn, `MissingDependency` without matplotlib."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"--plot {path}: give a name that ends in {', '.join(SUFFIXES)}{nearest(path.suffix, SUFFIXES)}"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependency("plots need matplotlib: pip install 'hyperacuity[plot]'")


def draw(rows: Sequence[Row], suffix: str) -> bytes:
    """A picture in the format of `suffix`: for each set and scale a line of two panels, the first metric of all models
    over their parameters, and over the seconds for a megapixel; resamplers, which have no parameters, as a level.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = list({id(row.setting): row.setting for row in rows}.values())
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "0"}):
        figure = Figure(figsize=(9, 3.4 * len(settings)), layout="constrained")
        panels = figure.subplots(len(settings), 2, squeeze=False, sharey="row")
        for (left, right), setting in zip(panels, settings, strict=True):
            metric = setting.metrics[0]
            own = [row for row in rows if row.setting is setting]
            networks = [row for row in own if row.parameters]
            for row in own:
                if not row.parameters:
                    left.axhline(row.scores[metric.name], color="tab:grey", linewidth=0.8, linestyle="--")
                    left.annotate(
                        row.model,
                        (0.01, row.scores[metric.name]),
                        xycoords=("axes fraction", "data"),
                        xytext=(0, 3),
                        textcoords="offset points",
                        color="tab:grey",
                    )
            _points(left, [(row.parameters, row.scores[metric.name], row.model) for row in networks])
            _points(right, [(row.seconds, row.scores[metric.name], row.model) for row in own if row.seconds])
            left.set_xlabel("parameters")
            right.set_xlabel("seconds for a megapixel of the result, measured here")
            left.set_ylabel(f"{metric.title}{f', {metric.unit}' if metric.unit else ''}")
            left.set_title(f"{setting.pictures.name} x{setting.scale}, {setting.how.name}", loc="left")
        content = io.BytesIO()
        figure.savefig(content, format=suffix.lower().removeprefix("."), dpi=150)
    return content.getvalue()


def _points(axes: Any, points: Sequence[tuple[float, float, str]]) -> None:
    """Each with its name beside it, on the side where there is room; names that would overlap are moved apart."""
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
