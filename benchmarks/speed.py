"""Time of the whole pipeline, array in and array out, beside the same network called directly in five runtimes.

    python benchmarks/speed.py            writes results/speed, speed_runtimes, speed_start.csv and docs/speed.png
    python benchmarks/speed.py --quick    a look in under two minutes, at fewer networks and sizes; writes the first two

Medians over interleaved rounds in one process. Ours begins with RGB of 8 bits and ends there, with colour, resampled
chroma and checks; a runtime alone begins with a float32 batch of the network's own input and ends with one. All are
checked to give the same numbers. Other programs on the machine slow all of a round alike: compare within a column.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import record

from hyperacuity import engines, export, zoo
from hyperacuity.engines import choice
from hyperacuity.engines.onnx_to_ncnn import converted
from hyperacuity.image import Image
from hyperacuity.networks import build, described
from hyperacuity.networks.acute import SIZES
from hyperacuity.pipeline import Pipeline, Stage
from hyperacuity.zoo import Card, Model

MODEL = "acute-50k-x2"
MEGAPIXELS = [0.1, 0.5, 1, 2, 4, 8, 24, 50]  # of the result
PEER_MEGAPIXELS = [0.1, 0.5, 2, 8]
ZOO = [MODEL, "fsrcnn-x2", "acute-50k-x4"]
# Networks with random weights, and the input that they are given.
LARGE, SMALL = (540, 960), (270, 480)
NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "FSRCNN x2": ("fsrcnn", {"scale": 2}, LARGE),
    "ESPCN x2": ("espcn", {"scale": 2}, LARGE),
    "Acute 10k x2": ("acute", {"scale": 2, "features": SIZES["10k"][0], "layers": SIZES["10k"][1]}, LARGE),
    "Acute 50k x2": ("acute", {"scale": 2, "features": SIZES["50k"][0], "layers": SIZES["50k"][1]}, LARGE),
    "Compact x4": ("compact", {"scale": 4, "features": 64, "convs": 16}, SMALL),
    "EDSR-baseline x2": ("edsr", {"scale": 2}, SMALL),
    "VDSR": ("vdsr", {}, SMALL),
}
THIN = ["FSRCNN x2", "ESPCN x2", "Acute 10k x2", "Acute 50k x2"]
TOLERANCE = 1e-3
ROUNDS = 3
FAR_BEHIND = 4  # whoever takes this many times as long as the fastest runs once
# What a process of its own does for start-up and memory: load, one picture of a megapixel, the most memory it held.
ALONE = """
import time; start = time.perf_counter()
import sys, numpy as np, resource
sys.path.insert(0, {folder!r})
import speed
model = speed.zoo.members({model!r})[0]
begin = time.perf_counter()
run = speed.runners(model)[{runner!r}]() if {runner!r} else None
image = np.zeros((433, 577, 3), np.uint8)
if run:
    speed.answer(model, {runner!r}, run, image)
done = time.perf_counter()
print(done - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

Run = Callable[[Any], Any]


class Timed:
    """An engine that counts the seconds it runs; all else is the engine's own."""

    def __init__(self, engine: engines.Engine) -> None:
        self._engine, self.seconds = engine, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, batch: engines.Batch) -> engines.Batch:
        start = time.perf_counter()
        try:
            return self._engine.run(batch)
        finally:
            self.seconds += time.perf_counter() - start


def photo(height: int, width: int) -> Any:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


# The pipeline alone, by size.


def sizes(rounds: int, megapixels: list[float]) -> list[dict[str, Any]]:
    engine: Any = Timed(engines.open(zoo.members(MODEL)[0], engine="onnxruntime"))
    pipeline = Pipeline([Stage(engine, MODEL)])
    images = []
    for size in megapixels:
        height = round((size / 4 * 1e6 * 3 / 4) ** 0.5)
        images.append(Image.of(photo(height, height * 4 // 3)))
    whole: list[list[float]] = [[] for _ in images]
    network: list[list[float]] = [[] for _ in images]
    for _ in range(rounds + 1):
        for n, image in enumerate(images):
            engine.seconds, start = 0.0, time.perf_counter()
            pipeline.stream(image, 2 * image.header.height, 2 * image.header.width).gather()
            whole[n].append(time.perf_counter() - start)
            network[n].append(engine.seconds)
    rows = []
    for n, size in enumerate(megapixels):
        seconds = statistics.median(whole[n][1:])
        share = statistics.median(a / b for a, b in zip(network[n][1:], whole[n][1:], strict=True))
        rows.append(
            {
                "model": MODEL,
                "output_megapixels": size,
                "seconds": round(seconds, 4),
                "megapixels_per_second": round(size / seconds, 2),
                "network_share": round(share, 3),
            }
        )
    return rows


# Ours beside each runtime alone. A runner takes a model and gives what runs it on a batch; ours on an image.


def ours(model: Model, engine: str) -> Run:
    opened = engines.open(model, engine=engine, device="cpu")
    pipeline = Pipeline([Stage(opened, model.card.name)])

    def run(image: Image) -> Any:
        scale = opened.scale
        return pipeline.stream(image, image.header.height * scale, image.header.width * scale).gather().pixels

    return run


def direct_torch(model: Model) -> Run:
    import safetensors.torch
    import torch

    torch.set_num_threads(choice.cores())
    network = build(model.card.architecture, model.card.config).eval()
    network.load_state_dict(safetensors.torch.load_file(str(model.safetensors)))
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(batch: Any) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(batch).to(memory_format=torch.channels_last)).numpy()

    return run


def direct_onnxruntime(model: Model) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.onnx, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"input": batch})[0]


def direct_openvino(model: Model) -> Run:
    import openvino

    compiled = openvino.Core().compile_model(str(model.onnx), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda batch: request.infer([batch])[0]


def direct_ncnn(model: Model) -> Run:
    import ncnn

    assert model.onnx is not None
    layers, weights = converted(model.onnx)
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.num_threads = choice.cores()
    net.load_param_mem(layers)
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(weights)
        file.flush()
        net.load_model(file.name)

    def run(batch: Any) -> Any:
        extractor = net.create_extractor()
        extractor.input("input", ncnn.Mat(batch[0]))
        return np.asarray(extractor.extract("output")[1])[None]

    return run


def direct_opencv(model: Model) -> Run:
    import cv2

    net = cv2.dnn.readNetFromONNX(str(model.onnx))

    def run(batch: Any) -> Any:
        net.setInput(batch)
        return net.forward()

    return run


DIRECT: dict[str, Callable[[Model], Run]] = {
    "PyTorch": direct_torch,
    "ONNX Runtime": direct_onnxruntime,
    "OpenVINO": direct_openvino,
    "ncnn": direct_ncnn,
    "OpenCV": direct_opencv,
}


def runners(model: Model) -> dict[str, Callable[[], Run]]:
    """All by name; ours are called "ours ENGINE", and "ours auto" is what a user gets who asks for nothing."""
    names = ["auto", *(name for name in engines.ENGINES if name != "pytorch")]
    mine: dict[str, Callable[[], Run]] = {f"ours {name}": functools.partial(ours, model, name) for name in names}
    return mine | {name: functools.partial(open_, model) for name, open_ in DIRECT.items()}


def batch_of(model: Model, pixels: Any) -> Any:
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    return planes if model.card.channel_count == 3 else np.ascontiguousarray(planes[:, 1:2])


def answer(model: Model, name: str, run: Run, pixels: Any) -> Any:
    return run(Image.of(pixels)) if name.startswith("ours") else run(batch_of(model, pixels))


def compared(title: str, model: Model, height: int, width: int, rounds: int) -> list[dict[str, Any]]:
    pixels = photo(height, width)
    image, batch = Image.of(pixels), batch_of(model, pixels)
    ready: dict[str, Run] = {}
    references: dict[bool, Any] = {}
    for name, open_ in runners(model).items():
        mine = name.startswith("ours")
        try:
            run = open_()
            result = run(image if mine else batch)
        except Exception as error:  # of five libraries: whatever it is, this one has no figure
            print(f"{title}: {name} cannot: {str(error).splitlines()[0][:100]}")
            continue
        reference = references.setdefault(mine, np.array(result, np.float32))
        size = max(1.0, float(np.abs(reference).max()))
        difference = np.abs(result - reference).max()
        if difference > (1 if mine else TOLERANCE * size):  # ours has been rounded to 8 bits
            raise AssertionError(f"{title}: {name} gives other numbers, by {difference}")
        ready[name] = run
    taken: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(rounds):
        for name, run in ready.items():
            if taken[name] and taken[name][0] > FAR_BEHIND * min(times[0] for times in taken.values() if times):
                continue
            start = time.perf_counter()
            run(image if name.startswith("ours") else batch)
            taken[name].append(time.perf_counter() - start)
    fastest = min((name for name in ready if name in DIRECT), key=lambda name: statistics.median(taken[name]))
    megapixels = height * width * model.card.network_scale**2 / 1e6
    rows = []
    for name, times in taken.items():
        seconds = statistics.median(times)
        ratio = statistics.median(a / b for a, b in zip(taken[fastest], times, strict=False))
        rows.append(
            {
                "network": title,
                "output_megapixels": round(megapixels, 2),
                "runner": name,
                "milliseconds": round(1e3 * seconds, 1),
                "megapixels_per_second": round(megapixels / seconds, 2),
                "of_fastest_runtime": round(ratio, 2),
            }
        )
    print(title, f"{megapixels:.2f} MP:", {row["runner"]: row["milliseconds"] for row in rows}, flush=True)
    return rows


def random_model(name: str, folder: Path) -> Model:
    architecture, config, _ = NETWORKS[name]
    network = build(architecture, config).eval()
    told = described(network)
    card = Card(
        name.replace(" ", "-"),
        architecture,
        told.scale,
        "Y" if told.channels == 1 else "RGB",
        licence="none",
        trained_on="nothing",
        paper="none",
        config=config,
        **export.measured(network),
    )
    export.write(network, card, folder)
    return zoo.open_file(folder / f"{card.name}.onnx")


def start_up() -> list[dict[str, Any]]:
    """Opening and the first picture (1 megapixel), in a process of its own; less what this script itself takes."""
    rows = []
    for model in ZOO[:2]:
        for name in ["", *runners(zoo.members(model)[0])]:
            program = ALONE.format(folder=str(Path(__file__).parent), model=model, runner=name)
            told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
            seconds, memory = map(float, told.split())
            rows.append(
                {
                    "model": model,
                    "runner": name or "nothing",
                    "open_and_first_ms": round(1e3 * seconds),
                    "peak_mib": round(memory),
                }
            )
    return rows


def plot(rows: list[dict[str, Any]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    titles = list(dict.fromkeys(row["network"] for row in rows))
    # Of a network measured at several sizes, the one of two megapixels.
    near = {
        t: min((r["output_megapixels"] for r in rows if r["network"] == t), key=lambda m: abs(m - 2)) for t in titles
    }
    shown = ["ours auto", *DIRECT]
    figure, axes = pyplot.subplots(figsize=(11, 5))
    for n, name in enumerate(shown):
        found = {
            r["network"]: r["of_fastest_runtime"]
            for r in rows
            if r["runner"] == name and r["output_megapixels"] == near[r["network"]]
        }
        heights = [found.get(title, 0.0) for title in titles]
        colour = "black" if name.startswith("ours") else f"C{n}"
        axes.bar([i + (n - 2.5) * 0.14 for i in range(len(titles))], heights, 0.13, label=name, color=colour)
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_xticks(range(len(titles)), titles, rotation=20, ha="right")
    axes.set_ylabel("speed, the fastest runtime alone = 1")
    axes.set_title(f"Whole pipeline (ours) beside the network alone in five runtimes; {record.machine()}")
    axes.legend(ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.22), frameon=False)
    figure.savefig(Path(__file__).parents[1] / "docs" / "speed.png", dpi=110, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--megapixels", type=float, nargs="+", default=PEER_MEGAPIXELS, help="of the zoo's models")
    options = parser.parse_args()
    quick = options.quick
    rounds = 3 if quick else ROUNDS
    record.save("speed", sizes(rounds, MEGAPIXELS[:5] if quick else MEGAPIXELS))
    rows: list[dict[str, Any]] = []
    for name in ZOO[:2] if quick else ZOO:
        model = zoo.members(name)[0]
        for megapixels in [2] if quick else options.megapixels:
            height = round((megapixels / model.card.network_scale**2 * 1e6 * 9 / 16) ** 0.5)
            rows += compared(name, model, height, height * 16 // 9, rounds)
    with tempfile.TemporaryDirectory() as folder:
        for name in THIN if quick else NETWORKS:
            rows += compared(name, random_model(name, Path(folder)), *NETWORKS[name][2], rounds)
    record.save("speed_runtimes", rows)
    if not quick:
        plot(rows)
        record.save("speed_start", start_up())


if __name__ == "__main__":
    main()
