"""Peak memory of `hyperacuity upscale` with what says how far a result can be believed, against the same without it.

    python benchmarks/trust_memory.py

The image is a TIFF that makes a result of 100 megapixels, see memory.py. Writes results/trust_memory.csv.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record
from memory import write_image

CASES: dict[str, list[str]] = {
    "plain": [],
    "faithful": ["--faithful", "1"],
    "error map": ["--error-map", "map.tif"],
    "report": ["--report", "report.html"],
    "all": ["--faithful", "1", "--error-map", "map.tif", "--report", "report.html"],
    "spread over flips": ["--error-map", "map.tif", "--error-map-source", "tta"],
}
_CODE = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=100, help="Of the result.")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--model", default="acute-10k")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder, "in.tif"), options.megapixels / 4, 3)
        for case in options.cases:
            command = [sys.executable, "-m", "hyperacuity", "upscale", "in.tif", "-o", "out.tif", "-n", options.model]
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", _CODE, *command, "-q", "--force", *CASES[case]],
                capture_output=True, text=True, check=True, cwd=folder,
            )  # fmt: skip
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            row: dict[str, object] = {"case": case, "output_megapixels": options.megapixels, "model": options.model}
            row["peak_mib"] = round(int(done.stdout) / (1024 if sys.platform != "darwin" else 1024**2))
            row["seconds"] = round(time.perf_counter() - start, 1)
            row["processor_seconds"] = round(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, 1)
            rows.append(row)
            print(row, flush=True)
    record.save("trust_memory", rows)


if __name__ == "__main__":
    main()
