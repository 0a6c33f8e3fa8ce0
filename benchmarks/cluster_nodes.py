"""What a second node is worth, and what Ray costs: nodes of one core each, on this machine.

    python benchmarks/cluster_nodes.py video      a video of 3,000 frames by one node of Ray and by two
    python benchmarks/cluster_nodes.py images     tasks of about 10 s: two processes against two nodes of Ray

Each node's processes run on a core of their own. Times are those of the whole command, from its start to its end, on a
machine where nothing else runs. Results are in benchmarks/results/cluster_nodes.csv.
"""

from __future__ import annotations

import argparse
import filecmp
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from record import save

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.cluster import ray_nodes  # noqa: E402

from hyperacuity.cluster import planning  # noqa: E402
from hyperacuity.task import ImageOptions, Options, Task  # noqa: E402
from hyperacuity.tasks import Naming  # noqa: E402

_PHOTO = ROOT / "examples" / "astronaut.png"
_COMMAND = [sys.executable, "-m", "hyperacuity"]


def measure_video(frames: int, size: tuple[int, int], model: str) -> None:
    """Upscale the same video by one node and by two."""
    with tempfile.TemporaryDirectory() as name, ray_nodes.running() as nodes:
        folder = Path(name)
        make_video(folder / "in.mp4", frames, size)
        seconds = {}
        for count in (2, 1):
            if count == 1:
                nodes.ask("kill")
                nodes.ask("wait")
            out, plan = folder / f"out-{count}.mp4", folder / f"plan-{count}"
            words = [
                "plan",
                str(folder / "in.mp4"),
                "-o",
                str(out),
                "-n",
                model,
                "-e",
                "threads=1",
                "--plan",
                str(plan),
            ]
            _run([*_COMMAND, "cluster", *words])
            seconds[count] = _run(nodes.command(str(plan), "-q"), nodes.environment)
        assert filecmp.cmp(folder / "out-1.mp4", folder / "out-2.mp4", shallow=False)
    what = f"video of {frames} frames of {size[0]} x {size[1]}, {model}"
    rows = [_row(f"{what}: {count} node{'s' * (count != 1)}", seconds[count], seconds[1]) for count in (1, 2)]
    save("cluster_nodes", rows, key="what")


def measure_images(count: int, side: int, model: str) -> None:
    """Upscale the same images by two processes of one core each, and by two nodes."""
    with tempfile.TemporaryDirectory() as name, ray_nodes.running() as nodes:
        folder = Path(name)
        (folder / "in").mkdir()
        noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
        for n in range(count):
            Image.fromarray(np.roll(noise, n, 0)).save(folder / "in" / f"{n}.png", compress_level=1)
        names = [str(path) for path in sorted((folder / "in").iterdir())]
        begun = time.perf_counter()
        halves = [
            subprocess.Popen(
                ["taskset", "-c", str(n), *_COMMAND, "upscale", "-n", model, *names[n::2], "-o", f"{folder}/one/", "-q"]
            )
            for n in range(2)
        ]
        assert [half.wait() for half in halves] == [0, 0]
        alone = time.perf_counter() - begun
        planning._SECONDS = 0.0  # tasks of one image each
        template = Task("", "", options=Options(model=model), image=ImageOptions())
        places = f"{folder}/many/", Naming(None, "", None), template, False, str(folder / "plan")
        planning.make_plan(planning.PlanRequest(names, *places))
        many = _run(nodes.command(str(folder / "plan"), "-q"), nodes.environment)
    what = f"{count} images of {side} x {side}, {model}"
    rows = [_row(f"{what}: two processes", alone, alone), _row(f"{what}: two nodes of Ray", many, alone)]
    save("cluster_nodes", rows, key="what")


def make_video(path: Path, frames: int, size: tuple[int, int]) -> None:
    """A window that moves over a photo, as H.264 with the encoder's own key frames."""
    with Image.open(_PHOTO) as photo:
        pixels = np.asarray(photo.convert("RGB"))
    width, height = size
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
        for n in range(frames):
            top, left = (abs((n * step) % (2 * room) - room) for step, room in ((1, 512 - height), (2, 512 - width)))
            window = np.ascontiguousarray(pixels[top : top + height, left : left + width])
            frame = av.VideoFrame.from_ndarray(window, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _run(command: list[str], environment: dict[str, str] | None = None) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _row(what: str, seconds: float, reference: float) -> dict[str, object]:
    return {"what": what, "seconds": round(seconds, 1), "share": round(seconds / reference, 3)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["video", "images"])
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 192), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--side", type=int, default=2700)
    parser.add_argument("--model", default="balanced")
    given = parser.parse_args()
    if given.what == "video":
        measure_video(given.frames, tuple(given.size), given.model)
    else:
        measure_images(given.count, given.side, given.model)
