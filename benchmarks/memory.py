"""Peak memory of the process `hyperacuity upscale`, by size of the result.

    python benchmarks/memory.py

Writes results/memory.csv. The image is synthetic: noise over gradients, which compresses as badly as grain.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyvips
import record

# (megapixels of the result, format of input and output, channels)
CASES = [
    (1, "jpg", 3),
    (24, "jpg", 3),
    (100, "jpg", 3),
    (100, "png", 3),
    (100, "png", 4),
    (100, "tif", 3),
    (240, "jpg", 3),
]


def write_image(path: Path, megapixels: float, channels: int) -> None:
    """Write an image of 4:3."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    y, x = np.ogrid[0:height, 0:width]
    random = np.random.default_rng(0)
    pixels = np.empty((height, width, channels), np.uint8)
    for channel in range(channels):
        ramp = (x * (channel + 1) + y) * 255 / (width * (channel + 1) + height)
        pixels[..., channel] = np.clip(ramp + random.normal(0, 4, (height, width)), 0, 255)
    pyvips.Image.new_from_array(pixels, interpretation="srgb").write_to_file(str(path))


def peak(path: Path, output: Path) -> tuple[float, float]:
    """Returns MiB and seconds of one run, as the operating system counts them for the finished process."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [str(Path(sys.executable).with_name("hyperacuity")), "upscale", str(path), "-o", str(output), "-q"]
    start = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    kibibytes = int(result.stdout) / (1024 if sys.platform == "darwin" else 1)
    return kibibytes / 1024, seconds


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for megapixels, kind, channels in CASES:
            source, output = Path(folder, f"in.{kind}"), Path(folder, f"out.{kind}")
            write_image(source, megapixels / 4, channels)
            mebibytes, seconds = peak(source, output)
            output.unlink()
            row = {"output_megapixels": megapixels, "format": kind, "channels": channels, "scale": 2}
            rows.append(row | {"peak_mib": round(mebibytes), "seconds": round(seconds, 1)})
            print(rows[-1], flush=True)
    record.save("memory", rows)


if __name__ == "__main__":
    main()
