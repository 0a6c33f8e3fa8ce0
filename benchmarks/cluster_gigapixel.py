"""The memory of workers on an image of a gigapixel, in bands of rows, on this machine.

    python benchmarks/cluster_gigapixel.py --model fsrcnn --side 32768 --scale 1.5

Each peak is the largest of all processes of that kind: the memory of their own, and that with pages of files, which the
system keeps as long as it has nothing better to do with them. Results are in benchmarks/results/cluster_gigapixel.csv.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyvips
from record import save

_PHOTO = Path(__file__).parents[1] / "examples" / "astronaut.png"


def make_image(path: Path, side: int) -> None:
    """A photo beside itself again and again, with noise, in tiles."""
    photo = pyvips.Image.new_from_file(str(_PHOTO))[0:3]
    count = side // photo.width + 1
    image = photo.replicate(count, count).crop(0, 0, side, side) + pyvips.Image.gaussnoise(side, side, sigma=4)
    image.cast("uchar").copy(interpretation="srgb").tiffsave(
        str(path), tile=True, tile_width=512, tile_height=512, compression="deflate", bigtiff=True
    )


def measure(driver: subprocess.Popen[bytes]) -> dict[int, tuple[float, float]]:
    """The peaks of a driver's workers until it ends: MiB of their own, and with pages of files."""
    peaks: dict[int, tuple[float, float]] = {}
    process = psutil.Process(driver.pid)
    while driver.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in process.children():
                used = each.memory_info()
                own, all_pages = peaks.get(each.pid, (0.0, 0.0))
                peaks[each.pid] = max(own, (used.rss - used.shared) / 2**20), max(all_pages, used.rss / 2**20)
        time.sleep(0.5)
    return peaks


def main() -> None:
    """Make the image, plan it and run the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32768)
    parser.add_argument("--model", default="fsrcnn")
    parser.add_argument("--scale", default="1.5")
    given = parser.parse_args()
    os.environ["HYPERACUITY_MAX_PIXELS"] = str(1 << 40)
    command = [sys.executable, "-m", "hyperacuity", "cluster"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_image(folder / "in.tif", given.side)
        words = ["-o", f"{folder}/out.tif", "-s", given.scale, "-n", given.model, "--plan", f"{folder}/plan"]
        subprocess.run([*command, "plan", f"{folder}/in.tif", *words], check=True)
        begun = time.perf_counter()
        driver = subprocess.Popen([*command, "run", f"{folder}/plan", "--workers", "2", "--spool", f"{folder}/spool"])
        peaks = measure(driver)
        row = {
            "model": given.model,
            "megapixels": given.side**2 // 10**6,
            "own_mib": round(max(own for own, _ in peaks.values())),
            "with_files_mib": round(max(each for _, each in peaks.values())),
            "minutes": round((time.perf_counter() - begun) / 60, 1),
        }
        save("cluster_gigapixel", [row], key="model")


if __name__ == "__main__":
    main()
