"""One page about a run: what was trained on which data, its curves, and the quality of its models."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import storage, zoo
from hyperacuity.train import log

# The part of a curve's points that smoothing averages.
SMOOTHED = 0.02
# With fewer validations than this, each is marked by a point.
MARKED = 60


def report(folder: Path, recipe: Path, models: Sequence[Path], table: str | None) -> Path:
    """Write report.md and curves.png into the folder of a finished run.

    Args:
        folder: That of the run.
        recipe: The recipe's file.
        models: The model files of the run.
        table: The evaluation of these in Markdown, or None if no test sets were named.

    Returns:
        The path of report.md.
    """
    rows = log.read(folder / "log.csv")
    cards = [zoo.open_model(path).card for path in models]
    card = cards[0]
    validated = [value for _, value in _validations(rows)]
    facts = {
        "network": f"{card.architecture} {dict(card.config)}",
        "models": ", ".join(f"{one.name} ({one.parameters:,} parameters)" for one in cards),
        "trained on": f"{card.trained_on} (fingerprint {card.data_fingerprint})",
        "steps, seed": f"{card.steps:,}, {card.seed}",
        "recipe": f"{recipe.name} (hash {card.recipe})",
        "time taken": _duration(rows[-1].get("seconds")) if rows else "-",
        "waited for data": f"{rows[-1]['waiting'] or 0:.1%} of the time" if rows else "-",
        "validation": f"{max(validated):.3f} dB at best, {validated[-1]:.3f} dB at the end" if validated else "-",
    }
    lines = [f"# {card.family}", "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]
    if rows:
        _curves(rows, folder / "curves.png")
        lines += ["", "![Losses, validation and learning rate by step](curves.png)"]
    if table is not None:
        lines += ["", "## Quality", "", table.strip()]
    path = folder / "report.md"
    storage.write_whole(path, ("\n".join(lines) + "\n").encode())
    return path


def _validations(rows: Sequence[log.Row]) -> list[tuple[float, float]]:
    """Return steps and validations, without those that are missing, NaN or Inf."""
    seen = [(row["step"], row["validation"]) for row in rows]
    return [(step, value) for step, value in seen if step is not None and value is not None and math.isfinite(value)]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _curves(rows: Sequence[log.Row], path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    steps = np.array([row["step"] for row in rows], float)
    names = [name for name in rows[0] if name not in log.FIXED]
    losses = {name: np.array([np.nan if row[name] is None else row[name] for row in rows], float) for name in names}
    validations = _validations(rows)
    marker = "." if len(rows) == 1 else None  # a single point would be an invisible line
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        heights = (3, 3, 1) if validations else (3, 1)
        figure = Figure(figsize=(8, sum(heights)), layout="constrained")
        upper, *middle, lower = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        for name, values in losses.items():
            (line,) = upper.plot(steps, values, alpha=0.25, linewidth=0.8)
            upper.plot(steps, smooth(values), color=line.get_color(), label=name, marker=marker)
        seen = np.concatenate([values[np.isfinite(values)] for values in losses.values()])
        if seen.size and seen.min() > 0:  # an adversary's loss may be negative
            upper.set_yscale("log")
        upper.set_ylabel("loss, with its weight")
        upper.legend(frameon=False, ncols=4)
        for axes in middle:
            at, values = np.array(validations).T
            axes.plot(at, values, marker="." if len(at) < MARKED else None, color="tab:green")
            best = int(values.argmax())
            axes.annotate(
                f"{values[best]:.3f}", (at[best], values[best]), textcoords="offset points", xytext=(0, 6), ha="center"
            )
            axes.margins(y=0.12)
            axes.set_ylabel("validation, dB")
        lower.plot(steps, [row["rate"] for row in rows], color="tab:grey", marker=marker)
        lower.set_ylim(bottom=0)
        lower.set_ylabel("learning rate")
        lower.set_xlabel("step")
        lower.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
        for axes in (upper, *middle, lower):
            axes.grid(alpha=0.25)
        _save(figure, path)


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute a running mean, narrower towards both ends, over the finite values."""
    good = np.isfinite(values)
    at = np.arange(len(values))
    reach = np.minimum(max(1, int(len(values) * SMOOTHED)), np.minimum(at, at[::-1]))
    sums = np.concatenate([[0.0], np.cumsum(np.where(good, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(good)])
    total, count = (found[at + reach + 1] - found[at - reach] for found in (sums, counts))
    means = np.full(len(values), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    storage.write_whole(path, buffer.getvalue())
