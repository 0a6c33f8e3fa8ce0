"""The memory of workers on an image whose result is a gigapixel, in bands of rows, and its bytes, on this machine.

    python benchmarks/cluster_gigapixel.py

Each peak is the largest of all processes of that kind: the memory of their own, and that with pages of files, which the
system keeps as long as it has nothing better to do with them. The result is compared with the file that one machine
writes; seconds are those of the whole run. Results are in benchmarks/results/cluster_gigapixel.csv.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
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
_COMMAND = [sys.executable, "-m", "hyperacuity"]


def make_image(path: Path, side: int) -> None:
    """A photo beside itself again and again, with noise, in tiles."""
    photo = pyvips.Image.new_from_file(str(_PHOTO))[0:3]
    count = side // photo.width + 1
    image = photo.replicate(count, count).crop(0, 0, side, side) + pyvips.Image.gaussnoise(side, side, sigma=4)
    image.cast("uchar").copy(interpretation="srgb").tiffsave(
        str(path), tile=True, tile_width=512, tile_height=512, compression="deflate", bigtiff=True
    )


def measure(driver: subprocess.Popen[bytes]) -> list[tuple[float, float]]:
    """The peaks of a driver's workers in the order of their starts: MiB of their own, and with pages of files."""
    peaks: dict[int, tuple[float, float]] = {}
    process = psutil.Process(driver.pid)
    while driver.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in process.children():
                used = each.memory_info()
                own, all_pages = peaks.get(each.pid, (0.0, 0.0))
                peaks[each.pid] = max(own, (used.rss - used.shared) / 2**20), max(all_pages, used.rss / 2**20)
        time.sleep(0.2)
    assert driver.returncode == 0
    return [*peaks.values()]


def main() -> None:
    """Make the image, plan it, run the plan, and compare the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=16000)
    parser.add_argument("--model", default="acute-3k")
    parser.add_argument("--scale", default="2")
    given = parser.parse_args()
    os.environ["HYPERACUITY_MAX_PIXELS"] = str(1 << 40)
    with tempfile.TemporaryDirectory() as name:
        folder, plan = Path(name), f"{name}/plan"
        make_image(folder / "in.tif", given.side)
        words = [f"{folder}/in.tif", "-s", given.scale, "-n", given.model, "-o"]
        subprocess.run([*_COMMAND, "cluster", "plan", *words, f"{folder}/many.tif", "--plan", plan], check=True)
        begun = time.perf_counter()
        run = [*_COMMAND, "cluster", "run", plan, "--workers", "2", "--spool", f"{folder}/spool"]
        peaks = measure(subprocess.Popen(run))
        seconds = round(time.perf_counter() - begun)
        subprocess.run([*_COMMAND, "upscale", *words, f"{folder}/one.tif", "-q"], check=True)
        assert filecmp.cmp(folder / "many.tif", folder / "one.tif", shallow=False)
        result = round(given.side * float(given.scale)) ** 2 // 10**6
    # The last process, which begins when the bands are there, joins them.
    kinds = {"bands": peaks[:-1], "join": peaks[-1:]}
    rows = [
        {
            "what": f"{what} of {result} megapixels, {given.model}",
            "own_mib": round(max(own for own, _ in found)),
            "with_files_mib": round(max(each for _, each in found)),
            "seconds": seconds,
        }
        for what, found in kinds.items()
    ]
    save("cluster_gigapixel", rows)


if __name__ == "__main__":
    main()
