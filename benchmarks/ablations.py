"""The gain of each training technique on a small Acute: one short training, repeated with one setting changed.

    python benchmarks/ablations.py               all of them: half an hour on one core
    python benchmarks/ablations.py mse patch48   these two; other rows stay

Kodak24 at x2, PSNR on luma, of the averaged weights after the last step. Writes results/ablations.csv.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import record

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "ablations"
STEPS = 6000
FURTHER_STEPS = 2000  # of those that start from the plain one, at a fifth of its learning rate
FROM_PLAIN = {"model.start": f'"{(RUNS / "plain/checkpoints/best.pt").as_posix()}"', "optimizer.lr": "2e-4"}
LARGER = {"data.patch": "48", "data.batch": "4"}

CHANGES: dict[str, dict[str, str]] = {
    "plain": {},
    "another seed": {"seed": "2"},
    "no averaged weights": {"optimizer.ema": "0"},
    "no branches": {"model.config": "{ scale = 2, features = 16, layers = 4, folded = true }"},
    "rate 2e-3": {"optimizer.lr": "2e-3"},
    "mse": {"losses": "{ mse = 1.0 }"},
    "l1 and fft": {"losses": "{ l1 = 1.0, fft = 0.05 }"},
    "larger patches": LARGER,
    "one size of each picture": {"data.rescale": "[1.0]"},
    "hardest of four": {"data.hardest_of": "4"},
    "taught by acute-50k": {"teacher": '{ model = "acute-50k-x2", weight = 1.0 }'},
    "then l1 on larger patches": LARGER | FROM_PLAIN,
    "then mse on larger patches": LARGER | FROM_PLAIN | {"losses": "{ mse = 1.0 }"},
}


def main() -> None:
    asked = sys.argv[1:] or list(CHANGES)
    for name in asked:
        folder = RUNS / name.replace(" ", "-")
        steps = FURTHER_STEPS if name.startswith("then ") else STEPS
        changes = {"steps": str(steps), "validate_every": str(steps // 2), "data.reports": "[]"} | CHANGES[name]
        train(folder, changes)
        with (folder / "log.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        kodak = next(float(row["validation"]) for row in reversed(rows) if row["validation"])
        row = {"run": name, "steps": steps, "kodak24": f"{kodak:.3f}", "seconds": round(float(rows[-1]["seconds"]))}
        record.save("ablations", [row], key="run")


def train(folder: Path, changes: dict[str, str]) -> None:
    """Run one training in a process of its own."""
    settings = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    subprocess.run(
        [sys.executable, "-m", "hyperacuity", "train", "recipes/acute-10k-x2.toml", *settings, "--output", str(folder)],
        check=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # two threads gain nothing on networks of this size
    )


if __name__ == "__main__":
    main()
