"""Make the README's table of quality: ours, as `evaluate` measured it, beside the papers' figures.

    B=../shared/data/benchmarks
    hyperacuity evaluate -n acute-100k bicubic --data $B/Set5 $B/Set14 $B/B100 --scale 2 3 4 --against published \
        --csv benchmarks/results/quality.csv --force
    python docs/quality.py

Prints Markdown. The papers' figures are those of the package, src/hyperacuity/evaluate/published.csv.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from hyperacuity import zoo

ROOT = Path(__file__).parents[1]
PAPERS = ("FSRCNN", "VDSR")


def main() -> None:
    published = {}
    with (ROOT / "src/hyperacuity/evaluate/published.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            published[row["model"].split()[0], row["set"], row["scale"]] = row["psnr_db"]
    with (ROOT / "benchmarks/results/quality.csv").open(encoding="utf-8") as file:
        rows = {(row["model"], row["set"], row["scale"]): row for row in csv.DictReader(file)}
    heads = ["set", "scale", "bicubic", *(f"{name}'s paper" for name in PAPERS), zoo.DEFAULT, "its SSIM", "its LR-PSNR"]
    lines = [heads, ["---"] * len(heads)]
    for (model, where, scale), ours in rows.items():
        if model == zoo.DEFAULT:
            plain = rows["bicubic", where, scale]
            papers = [published.get((name, where, scale), "") for name in PAPERS]
            figures = [f"**{ours['psnr']}**", ours["ssim"], ours["lr_psnr"]]
            lines.append([where, f"x{scale}", plain["psnr"], *papers, *figures])
    sys.stdout.write("\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")


if __name__ == "__main__":
    main()
