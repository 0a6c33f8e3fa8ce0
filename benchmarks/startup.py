"""Processor time of short commands, which is mostly that of importing: of this tree, and of others in turns with it.

    python benchmarks/startup.py [--against OTHER_TREE/src ...] [--rounds 15]

Writes results/startup.csv: the median of user and system time, which other work on the machine changes little.
The committed figures are against the trees of the commits 486c749 and ee9b78f, made by `git archive COMMIT src`.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import record

OURS = Path(__file__).parents[1] / "src"
NOISE = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)


def write_video(path: Path) -> None:
    """Write 1.5 seconds of 320x240 with sound."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        sound: Any = container.add_stream("aac", rate=44100)
        for number in range(38):
            pixels = np.ascontiguousarray(NOISE[number : number + 240, number : number + 320])
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode(None))
        wave = (8000 * np.sin(np.arange(66150) / 20)).astype(np.int16)
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


def processor_time(arguments: list[str], sources: Path) -> float:
    """Returns the seconds of user and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(sources)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, action="append", default=[])
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    trees = [OURS, *given.against]
    for tree in trees:
        compileall.compile_dir(tree, quiet=1)  # or the first run, or every one, would compile
    with tempfile.TemporaryDirectory() as folder:
        image, video = Path(folder, "tiny.png"), Path(folder, "short.mp4")
        PIL.Image.fromarray(NOISE[:24, :32]).save(image)
        write_video(video)
        upscale = ["-m", "hyperacuity", "upscale", "--force", "-o"]
        commands = {
            "python": ["-c", "pass"],
            "import hyperacuity": ["-c", "import hyperacuity"],
            "hyperacuity --help": ["-m", "hyperacuity", "--help"],
            "upscale an image of 32x24": [*upscale, f"{folder}/larger.png", str(image)],
            "upscale 1.5 s of 320x240, bicubic": [*upscale, f"{folder}/larger.mp4", str(video), "-n", "bicubic"],
        }
        times: dict[tuple[str, Path], list[float]] = {(name, tree): [] for name in commands for tree in trees}
        for _ in range(given.rounds):
            for (name, tree), taken in times.items():
                taken.append(processor_time(commands[name], tree))
    rows = []
    for name in commands:
        ours, *others = (round(1000 * statistics.median(times[name, tree])) for tree in trees)
        rows.append({"command": name, "cpu_ms": ours} | {f"before_{n}_ms": ms for n, ms in enumerate(others, 1)})
    record.save("startup", rows)


if __name__ == "__main__":
    main()
