"""Compare two models with bicubic on a small set, as the papers do.

    python examples/evaluate_two_models.py [FOLDER]

The set is two parts of astronaut.png; `--data` takes any folder of images.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import PIL.Image

EXAMPLE = Path(__file__).with_name("astronaut.png")


def main(folder: Path) -> None:
    """Write the set and the table, results.csv, into a folder."""
    images, table = folder / "astronaut", folder / "results.csv"
    images.mkdir()
    photo = PIL.Image.open(EXAMPLE).convert("RGB")
    for name, (left, top) in {"face": (170, 60), "badge": (126, 340)}.items():
        photo.crop((left, top, left + 96, top + 96)).save(images / f"{name}.png")
    command = [sys.executable, "-m", "hyperacuity", "evaluate", "--data", str(images), "--scale", "2"]
    subprocess.run([*command, "-n", "fast", "acute-3k", "bicubic", "--csv", str(table)], check=True)
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            print(f"{row['model']}: {row['psnr']} dB, SSIM {row['ssim']}")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
