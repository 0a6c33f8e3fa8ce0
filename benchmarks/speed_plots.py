"""Draw the results of `speed.py` as docs/speed.png and docs/quality-time.png, and print the second as a table.

    python benchmarks/speed_plots.py             of speed_runtimes.csv
    python benchmarks/speed_plots.py _one_core   of speed_runtimes_one_core.csv: CPU seconds

quality-time shows PSNR on luma of Set5 x2 against the time for two megapixels of the result. Our points are the models
of the zoo, with the figures on their cards, through the whole pipeline (colour, chroma, checks) in the engine that
`auto` chooses. The others are bare networks, without colour, in the fastest of five runtimes, with the figures of their
papers (src/hyperacuity/evaluate/published.csv). Times are scaled in proportion to the pixels.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import record
from runtimes import DIRECT

from hyperacuity import zoo

mpl.use("Agg")
from matplotlib import pyplot

ROOT = Path(__file__).parents[1]
# The networks of papers by their names in the results.
PAPERS = {
    "SRCNN": "SRCNN",
    "FSRCNN x2": "FSRCNN",
    "VDSR": "VDSR",
    "IMDN x2": "IMDN",
    "EDSR-baseline x2": "EDSR-baseline",
    "SwinIR x2": "SwinIR-light",
}
MEGAPIXELS = 2

Row = dict[str, str]


def nearest(rows: list[Row]) -> list[Row]:
    """Returns the rows of the size nearest to two megapixels, of a network measured at several sizes."""
    size = min((float(row["output_megapixels"]) for row in rows), key=lambda m: abs(m - MEGAPIXELS))
    return [row for row in rows if float(row["output_megapixels"]) == size]


def seconds(row: Row) -> float:
    """Returns the time for two megapixels."""
    return MEGAPIXELS / float(row["megapixels_per_second"])


def points(measured: dict[str, list[Row]]) -> list[dict[str, Any]]:
    """Returns a point for each model of the zoo and each network of a paper."""
    found: list[dict[str, Any]] = []
    for name, model in zoo.models().items():
        psnr = model.card.quality.get("Set5")
        if name in measured and model.card.scale == 2 and psnr is not None:
            row = next(row for row in measured[name] if row["runner"] == "ours auto")
            found.append({"network": name, "runner": "ours", "seconds": seconds(row), "psnr": psnr})
    with (ROOT / "src/hyperacuity/evaluate/published.csv").open(encoding="utf-8") as file:
        published = {row["model"]: row for row in csv.DictReader(file) if (row["scale"], row["set"]) == ("2", "Set5")}
    for name, paper in PAPERS.items():
        if name in measured:
            row = min((row for row in measured[name] if row["runner"] in DIRECT), key=seconds)
            psnr = float(published[paper]["psnr_db"])
            found.append({"network": paper, "runner": row["runner"], "seconds": seconds(row), "psnr": psnr})
    return found


def quality_time(found: list[dict[str, Any]], where: str) -> None:
    """Draw docs/quality-time.png."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for mine, colour, label in (
        (True, "black", "ours, the whole pipeline"),
        (False, "C0", "bare networks of papers, fastest runtime"),
    ):
        chosen = [each for each in found if (each["runner"] == "ours") == mine]
        axes.scatter(
            [each["seconds"] for each in chosen], [each["psnr"] for each in chosen], c=colour, label=label, zorder=3
        )
        for each in chosen:
            # The name goes to the left if another point is close on the right, and below if one is close above.
            crowd = [one for one in found if one is not each and abs(one["psnr"] - each["psnr"]) < 0.05]
            left = any(1 < one["seconds"] / each["seconds"] < 2 for one in crowd)
            below = any(one["psnr"] > each["psnr"] for one in crowd) and left
            axes.annotate(
                each["network"],
                (each["seconds"], each["psnr"]),
                (-7 if left else 7, -13 if below else -4),
                textcoords="offset points",
                ha="right" if left else "left",
                fontsize=9,
                color=colour,
            )
    axes.set_xscale("log")
    axes.margins(x=0.15, y=0.08)
    axes.set_xlabel(f"seconds for {MEGAPIXELS} megapixels of result (logarithmic)")
    axes.set_ylabel("PSNR on luma, Set5 x2, dB")
    axes.set_title(f"Quality against measured time; {where}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(ROOT / "docs" / "quality-time.png", dpi=110, bbox_inches="tight")


def speed(measured: dict[str, list[Row]], where: str) -> None:
    """Draw docs/speed.png."""
    shown = {"ours auto": "black", "ours grey": "grey"} | {name: f"C{n}" for n, name in enumerate(DIRECT)}
    figure, axes = pyplot.subplots(figsize=(11, 5))
    for n, (name, colour) in enumerate(shown.items()):
        ratios = {
            title: float(row["of_fastest_runtime"])
            for title, rows in measured.items()
            for row in rows
            if row["runner"] == name
        }
        heights = [ratios.get(title, 0.0) for title in measured]
        axes.bar([i + (n - 3) * 0.12 for i in range(len(measured))], heights, 0.11, label=name, color=colour)
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_xticks(range(len(measured)), list(measured), rotation=20, ha="right")
    axes.set_ylabel("speed, fastest bare runtime = 1")
    axes.set_title(f"Whole pipeline (ours) and the bare network in five runtimes; {where}")
    axes.legend(ncols=7, loc="upper center", bbox_to_anchor=(0.5, -0.22), frameon=False)
    figure.savefig(ROOT / "docs" / "speed.png", dpi=110, bbox_inches="tight")


def main() -> None:
    kind = "".join(sys.argv[1:2])
    by_network: dict[str, list[Row]] = {}
    for row in record.load("speed_runtimes" + kind):
        by_network.setdefault(row["network"], []).append(row)
    measured = {title: nearest(rows) for title, rows in by_network.items()}
    rows = next(iter(measured.values()))
    where = f"{rows[0]['machine']}{', time of the processor' * bool(kind)}"
    speed(measured, where)
    found = points(measured)
    quality_time(found, where)
    lines = [["network", "runs in", "s for 2 MP", "Set5 x2, dB"], ["---"] * 4]
    for each in sorted(found, key=lambda each: each["seconds"]):
        lines.append([each["network"], each["runner"], f"{each['seconds']:.2f}", f"{each['psnr']:.2f}"])
    sys.stdout.write("\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")


if __name__ == "__main__":
    main()
