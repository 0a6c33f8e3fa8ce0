"""One page about a training: what was trained on what, its curves, and how good the models are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity import zoo
from hyperacuity.train import log

# Curves are smoothed over this part of their points.
SMOOTHED = 0.02


def report(folder: Path, recipe: Path, models: Sequence[Path], table: str | None) -> Path:
    """Write report.md and curves.png into the folder of a training that has ended; the path of the former.

    table: the evaluation of its models in Markdown, or None where no test sets were named.
    """
    rows = log.read(folder / "log.csv")
    cards = [zoo.open_file(path).card for path in models]
    card = cards[0]
    validated = [row["validation"] for row in rows if row["validation"] is not None]
    facts = {
        "network": f"{card.architecture} {dict(card.config)}",
        "models": ", ".join(f"{one.name} ({one.parameters:,} parameters)" for one in cards),
        "learnt from": f"{card.trained_on} (fingerprint {card.data_fingerprint})",
        "steps, seed": f"{card.steps:,}, {card.seed}",
        "recipe": f"{recipe.name} (hash {card.recipe})",
        "waited for data": f"{rows[-1]['waiting'] or 0:.1%} of the time" if rows else "-",
        "validation": f"{max(validated):.3f} dB at best, {validated[-1]:.3f} dB at the end" if validated else "-",
    }
    lines = [f"# {card.family}", "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]
    if rows:
        _curves(rows, folder / "curves.png")
        lines += ["", "![Losses, validation and learning rate by step](curves.png)"]
    if table is not None:
        lines += ["", "## How good", "", table.strip()]
    path = folder / "report.md"
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(fresh, path)
    return path


def _curves(rows: Sequence[dict[str, float | None]], path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    steps = np.array([row["step"] for row in rows], float)
    losses = [name for name in rows[0] if name not in log.FIXED]
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8, 7), layout="constrained")
        upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
        for name in losses:
            values = np.array([np.nan if row[name] is None else row[name] for row in rows], float)
            (line,) = upper.plot(steps, values, alpha=0.25, linewidth=0.8)
            upper.plot(steps, _smooth(values), color=line.get_color(), label=name)
        upper.set_yscale("log")
        upper.set_ylabel("loss, with its weight")
        upper.legend(frameon=False, ncols=4)
        seen = [(row["step"], row["validation"]) for row in rows if row["validation"] is not None]
        if seen:
            at, values = np.array(seen, float).T
            middle.plot(at, values, marker=".", color="tab:green")
            best = int(values.argmax())
            middle.annotate(f"{values[best]:.3f}", (at[best], values[best]), textcoords="offset points", xytext=(0, 6))
        middle.set_ylabel("validation, dB")
        lower.plot(steps, [row["rate"] for row in rows], color="tab:grey")
        lower.set_ylabel("rate")
        lower.set_xlabel("step")
        for axes in (upper, middle, lower):
            axes.grid(alpha=0.25)
        _save(figure, path)


def _smooth(values: Any) -> Any:
    """A running mean; numbers that are missing or not finite do not count."""
    reach = min(max(1, int(len(values) * SMOOTHED)), (len(values) - 1) // 2)
    good = np.isfinite(values)
    window = np.ones(2 * reach + 1)
    sums = np.convolve(np.where(good, values, 0.0), window, "same")
    counts = np.convolve(good.astype(float), window, "same")
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)


def _save(figure: Any, path: Path) -> None:
    fresh = path.with_suffix(".new")
    figure.savefig(fresh, format="png", dpi=120)
    os.replace(fresh, path)
