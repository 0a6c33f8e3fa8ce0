"""Speed of videos from end to end, compared with the bare network and with the plain way; memory by length.

    python benchmarks/video.py            writes results/video.csv: frames a second
    python benchmarks/video.py --memory   writes results/video_memory.csv: ten seconds and ten minutes, 96 x 54

The videos are synthetic: H.264 of an image that moves, with grain. The bare network is its engine, called with whole
frames of luma and nothing before or after. The plain way writes every frame to PNG, enlarges every PNG to PNG and
encodes those, with the same network and encoder, in one process. All take turns; shares are medians over the rounds.
CPU is the time of all threads together for a frame, which is more reliable than frames per second if other programs
share the machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import record
from memory import peak

from hyperacuity import Size, load, video
from hyperacuity.upscaler import Upscaler

EXAMPLE = Path(__file__).parents[1] / "examples" / "astronaut.png"
# Height and width of a frame; how many frames a video has, and how many of them go the plain way.
CASES = [(270, 480, 150, 20), (540, 960, 45, 6)]
MODELS = ("acute-50k", "acute-10k", "acute-3k")
ROUNDS = 3
RATE = 25


def make(path: Path, height: int, width: int, frames: int) -> None:
    """Write a video in which every pixel changes."""
    with PIL.Image.open(EXAMPLE) as opened:
        picture = np.asarray(opened.convert("RGB").resize((width + 64, height + 64)), np.int16)
    random = np.random.default_rng(0)
    grain = random.normal(0, 2, (8, height, width, 1)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast"}
        for n in range(frames):
            y, x = (32 + round(31 * turn) for turn in (np.sin(n / 17), np.cos(n / 23)))
            pixels = np.clip(picture[y : y + height, x : x + width] + grain[n % 8], 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def network(upscaler: Upscaler, height: int, width: int) -> Callable[[], tuple[float, float]]:
    """Returns a function that measures frames per second of the bare engine, and CPU seconds for a frame."""
    engine = upscaler.pipeline((height, width), (2 * height, 2 * width)).stages[0].engine
    batch = np.random.default_rng(0).random((1, engine.channels, height, width), np.float32)
    engine.run(batch)

    def run() -> tuple[float, float]:
        begin, cpu, count = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - begin < 1.5:
            engine.run(batch)
            count += 1
        return count / (time.perf_counter() - begin), (time.process_time() - cpu) / count

    return run


def ours(upscaler: Upscaler, source: Path) -> tuple[float, float]:
    """Returns frames per second of a video from end to end, and CPU seconds for a frame."""
    target = source.with_name("ours.mp4")
    begin, cpu = time.perf_counter(), time.process_time()
    report = video.upscale(upscaler, source, target, Size(2), force=True)
    return report.frames / (time.perf_counter() - begin), (time.process_time() - cpu) / report.frames


def plain(upscaler: Upscaler, source: Path, frames: int) -> float:
    """Returns frames per second by way of PNG files."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, av.open(str(source)) as container:
        small, large = Path(folder, "small"), Path(folder, "large")
        small.mkdir()
        large.mkdir()
        for n, frame in zip(range(frames), container.decode(video=0), strict=False):
            PIL.Image.fromarray(frame.to_ndarray(format="rgb24")).save(small / f"{n:06}.png")
        for path in sorted(small.iterdir()):
            upscaler.file(path, large / path.name, Size(2))
        with av.open(str(source.with_name("plain.mp4")), "w") as written:
            stream: Any = written.add_stream("libx264", rate=RATE)
            stream.options = {"crf": "17", "preset": "veryfast"}  # ours
            for path in sorted(large.iterdir()):
                with PIL.Image.open(path) as picture:
                    frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
                if path.stem == "000000":
                    stream.height, stream.width, stream.pix_fmt = frame.height, frame.width, "yuv420p"
                written.mux(stream.encode(frame))
            written.mux(stream.encode(None))
    return frames / (time.perf_counter() - begin)


def speeds(name: str, upscaler: Upscaler, folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of one model."""
    rows = []
    for height, width, frames, few in CASES:
        source = folder / f"{width}x{height}.mp4"
        if not source.exists():
            make(source, height, width, frames)
        bare = network(upscaler, height, width)
        rounds = [(*bare(), *ours(upscaler, source), plain(upscaler, source, few)) for _ in range(ROUNDS)]
        net, net_cpu, whole, whole_cpu, old = (statistics.median(column) for column in zip(*rounds, strict=True))
        rows.append(
            {
                "model": name,
                "input": f"{width}x{height}",
                "output": f"{2 * width}x{2 * height}",
                "network_fps": round(net, 2),
                "video_fps": round(whole, 2),
                "plain_fps": round(old, 2),
                "of_the_network": round(statistics.median(one[2] / one[0] for one in rounds), 2),
                "times_the_plain_way": round(statistics.median(one[2] / one[4] for one in rounds), 2),
                "network_cpu_ms": round(1e3 * net_cpu, 1),
                "video_cpu_ms": round(1e3 * whole_cpu, 1),
                "network_share_of_cpu": round(statistics.median(one[1] / one[3] for one in rounds), 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def memory(folder: Path) -> list[dict[str, Any]]:
    """Returns the peak memory of a short and a long video. Small frames suffice: their number is what could matter."""
    rows = []
    for seconds in (10, 600):
        source = folder / f"{seconds}.mp4"
        make(source, 54, 96, seconds * RATE)
        mebibytes, _ = peak(source, folder / f"{seconds}-x2.mp4")
        rows.append({"seconds_of_video": seconds, "frames": seconds * RATE, "peak_mib": round(mebibytes, 1)})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.memory:
            record.save("video_memory", memory(folder))
            return
        record.save("video", [row for name in MODELS for row in speeds(name, load(name), folder)])


if __name__ == "__main__":
    main()
