"""Time of the whole pipeline, array in and array out, compared with the same network called directly in five runtimes.

    python benchmarks/speed.py                      everything, about ten minutes
    python benchmarks/speed.py runtimes --only VDSR one part, and one network of it
    python benchmarks/speed.py sizes --one-core     CPU seconds on one core, for a machine that is busy; into
                                                    results/speed_one_core.csv and so on; images of random networks
                                                    have half the side

Parts, each with its file in results/, where only the rows that are measured again are replaced:

    sizes      the default model by size of the result                                     speed.csv
    runtimes   ours, array in and out, and the bare network in five runtimes           speed_runtimes.csv
    engines    every network of the table in each of our engines     speed_engines.csv
    start      a new process: time to its first result, peak memory              speed_start.csv
    command    `hyperacuity upscale` on a JPEG of a megapixel, step by step     speed_command.csv

Medians over interleaved rounds in one process. Ours takes and returns 8-bit RGB, with colour, resampled chroma and
checks ("ours grey" takes one 8-bit channel); a bare runtime takes and returns a float32 batch of the network's own
channels. The results are checked to be the same. Other programs slow all runners of a round alike, so compare within a
round.
`benchmarks/speed_plots.py` draws the results.
"""

from __future__ import annotations

import argparse
import functools
import os
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
from runtimes import DIRECT, GREY, Run, make_batch, open_onnxruntime, runners

from hyperacuity import engines, machine, zoo
from hyperacuity.errors import UsageError
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline, Stage
from hyperacuity.zoo import Card, Model

MODEL = f"{zoo.DEFAULT}-x2"
MEGAPIXELS = [0.1, 0.5, 1, 2, 4, 8, 24, 50]  # of the result
PEER_MEGAPIXELS = [0.1, 0.5, 2, 8]
# Networks with random weights, and the input that they are given, here and in the table of engines.
LARGE, MIDDLE, SMALL = (540, 960), (270, 480), (180, 320)
NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "SRCNN": ("srcnn", {}, LARGE),
    "FSRCNN x2": ("fsrcnn", {"scale": 2}, LARGE),
    "ESPCN x2": ("espcn", {"scale": 2}, LARGE),
    "Acute 10k x2": ("acute", {"scale": 2, "features": 16, "layers": 4}, LARGE),
    "Acute 200k x2": ("acute", {"scale": 2, "features": 48, "layers": 9}, MIDDLE),
    "Compact x4": ("compact", {"scale": 4, "features": 64, "convs": 16}, MIDDLE),
    "VDSR": ("vdsr", {}, SMALL),
    "IMDN x2": ("imdn", {"scale": 2}, SMALL),
    "SPAN x2": ("span", {"scale": 2}, SMALL),
    "EDSR-baseline x2": ("edsr", {"scale": 2}, SMALL),
    "SRResNet x4": ("srresnet", {"scale": 4}, SMALL),
}
# More for the table of engines.
HEAVY: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "MDSR x2": ("mdsr", {"scale": 2, "blocks": 16}, SMALL),
    "RRDB x4": ("rrdb", {"scale": 4, "blocks": 3}, (90, 160)),
    "SwinIR x2": ("swinir", {"scale": 2}, (48, 48)),
}
MODELS = Path(tempfile.gettempdir(), "hyperacuity-speed")  # those with random weights
TOLERANCE = 1e-3
ROUNDS = 3
FAR_BEHIND = 4  # a runner that takes this many times as long as the fastest runs once
# What a new process does: open the model, then enlarge to a megapixel twice.
NEW_PROCESS = """
import sys, time
sys.path.insert(0, {folder!r})
begin = time.perf_counter()
import resource, numpy as np, runtimes
from hyperacuity import zoo
model = zoo.find_models({model!r})[0]
image = np.zeros((433, 577, 3), np.uint8)
start = time.perf_counter()
run = runtimes.runners(model)[{runner!r}]()
runtimes.run_on({runner!r}, run, model, image)
first = time.perf_counter()
runtimes.run_on({runner!r}, run, model, image)
print(first - start, time.perf_counter() - first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
# The steps of the command, in order.
STEPS = """
import sys, time
from pathlib import Path
last = time.perf_counter()
def step(name):
    global last
    print(name, time.perf_counter() - last)
    last = time.perf_counter()
from hyperacuity import cli
step("command line")
from hyperacuity import api
step("library")
upscaler = api.load()
step("model and runtime")
source = api.formats.read(Path(sys.argv[1]))
image = next(iter(source))
step("decoding")
result = upscaler.stream(image, 2).gather()
step("enlarging")
with api.formats.write(Path(sys.argv[2]), source) as sink:
    sink.write(result.strips())
step("encoding")
"""

# Processes use compiled modules, as an installed package does, even if this shell forbids to write them.
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

Row = dict[str, Any]
# With --one-core, CPU time instead, and a suffix for the names of the results.
clock, kind = time.perf_counter, ""


class Timed:
    """An engine that notes how long each run takes of all cores, and otherwise passes everything on."""

    def __init__(self, engine: engines.Engine, part: float = 1.0, seconds: list[float] | None = None) -> None:
        self._engine, self._part = engine, part
        self.seconds: list[float] = [] if seconds is None else seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def per_core(self) -> Timed | None:
        engine = self._engine.per_core()
        return None if engine is None else Timed(engine, 1 / machine.cores(), self.seconds)

    def run(self, batch: engines.Batch) -> engines.Batch:
        start = clock()
        try:
            return self._engine.run(batch)
        finally:
            self.seconds.append(self._part * (clock() - start))


def random_image(height: int, width: int) -> Any:
    """Returns (H, W, 3) uint8."""
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


def sizes(only: str | None) -> None:
    """The pipeline by size of the result, and the share of the network in its time."""
    for size in MEGAPIXELS:
        if only is not None and only != f"{size:g}":
            continue
        engine: Any = Timed(engines.open(zoo.find_models(MODEL)[0], device="cpu"))
        pipeline = Pipeline([Stage(engine, MODEL)])
        height = round((size / 4 * 1e6 * 3 / 4) ** 0.5)
        image = Image.from_pixels(random_image(height, height * 4 // 3))
        whole, network = [], []
        for _ in range(3 if size > 10 else 6):
            engine.seconds.clear()
            start = clock()
            pipeline.stream(image, 2 * image.header.height, 2 * image.header.width).gather()
            whole.append(clock() - start)
            network.append(sum(engine.seconds))
        seconds = statistics.median(whole[1:])
        row = {
            "model": MODEL,
            "output_megapixels": size,
            "seconds": round(seconds, 4),
            "megapixels_per_second": round(size / seconds, 2),
            "network_share": round(statistics.median(a / b for a, b in zip(network[1:], whole[1:], strict=True)), 3),
        }
        record.save("speed" + kind, [row], key="output_megapixels")


def compared(title: str, model: Model, height: int, width: int) -> list[Row]:
    """Returns the rows of one network: ours and each runtime."""
    pixels = random_image(height, width)
    image, batch = Image.from_pixels(pixels), make_batch(model, pixels)
    ready: dict[str, Run] = {}
    references: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for name, open_ in runners(model).items():
        mine = name.startswith("ours")
        given[name] = Image.from_pixels(pixels[..., 1:2]) if name == GREY else image if mine else batch
        try:
            run = open_()
            result = run(given[name])
        except Exception as error:  # of any of five libraries; this runner then has no figure
            print(f"{title}: {name} cannot: {str(error).splitlines()[0][:100]}")
            continue
        reference = references.setdefault(name if name == GREY else str(mine), np.array(result, np.float32))
        size = max(1.0, float(np.abs(reference).max()))
        difference = np.abs(result - reference).max()
        if difference > (1 if mine else TOLERANCE * size):  # ours has been rounded to 8 bits
            raise AssertionError(f"{title}: {name} gives other values, by {difference}")
        ready[name] = run
    taken = interleaved({name: functools.partial(run, given[name]) for name, run in ready.items()})
    fastest = min((name for name in ready if name in DIRECT), key=lambda name: statistics.median(taken[name]))
    megapixels = height * width * model.card.network_scale**2 / 1e6
    rows = []
    for name, times in taken.items():
        seconds = statistics.median(times)
        ratio = statistics.median(a / b for a, b in zip(taken[fastest], times, strict=False))
        rows.append(
            {
                "network": title,
                "output_megapixels": round(megapixels, 4),
                "runner": name,
                "milliseconds": round(1e3 * seconds, 1),
                "megapixels_per_second": round(megapixels / seconds, 4),
                "of_fastest_runtime": round(ratio, 2),
            }
        )
    return rows


def interleaved(work: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Returns the seconds of each by name, in rounds, so that other programs slow all alike."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            if taken[name] and taken[name][0] > FAR_BEHIND * min(times[0] for times in taken.values() if times):
                continue
            start = clock()
            run()
            taken[name].append(clock() - start)
    return taken


def random_model(name: str) -> Model:
    """Returns a network of the tables, which is exported only once, since that takes longer than to measure it."""
    path = MODELS / f"{name.replace(' ', '-')}.onnx"
    if path.exists():
        return zoo.open_model(path)
    from hyperacuity import export
    from hyperacuity.networks import as_network, build

    architecture, config, _ = (NETWORKS | HEAVY)[name]
    network = build(architecture, config).eval()
    traits = as_network(network)
    card = Card(
        path.stem,
        architecture,
        traits.scale,
        "Y" if traits.channels == 1 else "RGB",
        licence="none",
        trained_on="nothing",
        paper="none",
        config=config,
        **export.measure_network(network),
    )
    export.write_model(network, card, MODELS)
    return zoo.open_model(path)


def runtimes(only: str | None) -> None:
    """Ours and each runtime, for the models of the zoo and the networks of the table."""
    for name, model in zoo.models().items():
        if model.onnx is not None and only in (None, name):
            rows = []
            for megapixels in PEER_MEGAPIXELS if name == MODEL and not kind else [2]:
                height = round((megapixels / model.card.network_scale**2 * 1e6 * 9 / 16) ** 0.5)
                rows += compared(name, model, height, height * 16 // 9)
            record.save("speed_runtimes" + kind, rows, key="network")
    for name in NETWORKS if only is None else {only} & set(NETWORKS):
        height, width = (side // (2 if kind else 1) for side in NETWORKS[name][2])
        record.save("speed_runtimes" + kind, compared(name, random_model(name), height, width), key="network")


def by_engine(only: str | None) -> None:
    """The bare network in each of our engines."""
    for name in NETWORKS | HEAVY if only is None else [only]:
        model = random_model(name)
        batch = make_batch(model, random_image(*(side // 2 for side in (NETWORKS | HEAVY)[name][2])))
        opened = {}
        for engine in engines.ENGINES:
            try:
                opened[engine] = engines.open(model, engine=engine, device="cpu")
                opened[engine].run(batch)
            except UsageError:  # ncnn has not every operator
                opened.pop(engine, None)
        taken = interleaved({engine: functools.partial(each.run, batch) for engine, each in opened.items()})
        middle = {engine: statistics.median(times) for engine, times in taken.items()}
        row: Row = {"network": name, "architecture": model.card.architecture}
        row |= {f"{each}_ms": round(1e3 * middle[each], 1) if each in middle else "" for each in engines.ENGINES}
        record.save(
            "speed_engines" + kind, [row | {"fastest": min(middle, key=lambda each: middle[each])}], key="network"
        )


def start(only: str | None) -> None:
    """A megapixel in a new process, from its start to its first result; and the image after that."""
    for model in [MODEL, "fsrcnn-x2"] if only is None else [only]:
        rows = []
        for name in runners(zoo.find_models(model)[0]):
            program = NEW_PROCESS.format(folder=str(Path(__file__).parent), model=model, runner=name)
            begin = time.perf_counter()
            output = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=COMPILED
            ).stdout
            total = time.perf_counter() - begin
            first, second, memory = map(float, output.split())
            row: Row = {"model": model, "runner": name, "process_to_first_result_ms": round(1e3 * (total - second))}
            row |= {"open_and_first_ms": round(1e3 * first), "second_ms": round(1e3 * second)}
            rows.append(row | {"peak_mib": round(memory)})
        record.save("speed_start" + kind, rows, key="model")


def command(only: str | None) -> None:
    """From process start to file written, in turns with the bare network over the whole image; then step by step."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "photo.jpg"), Path(folder, "larger.jpg")
        example = Path(__file__).parents[1] / "examples" / "astronaut.png"
        from hyperacuity import api

        api.load("bicubic").file(example, source, 2, quality=90)  # 1024 x 1024
        network = open_onnxruntime(zoo.find_models(MODEL)[0])
        batch = np.random.default_rng(0).random((1, 1, 1024, 1024), np.float32)
        asked = [sys.executable, "-m", "hyperacuity", "upscale", str(source), "-o", str(result), "--force", "--quiet"]
        work: dict[str, Callable[[], Any]] = {
            "command": lambda: subprocess.run(asked, check=True, env=COMPILED),
            "network alone": lambda: network(batch),
            "Python alone": lambda: subprocess.run([sys.executable, "-c", ""], check=True, env=COMPILED),
        }
        for run in work.values():
            run()
        taken = [interleaved(work) for _ in range(5)]
        middle = {name: statistics.median(t for each in taken for t in each[name]) for name in work}
        rows: list[Row] = [{"what": name, "milliseconds": round(1e3 * seconds)} for name, seconds in middle.items()]
        rows.append(
            {"what": "command / network", "milliseconds": round(middle["command"] / middle["network alone"], 2)}
        )
        steps: dict[str, list[float]] = {}
        for _ in range(5):
            asked = [sys.executable, "-c", STEPS, str(source), str(result)]
            output = subprocess.run(asked, capture_output=True, text=True, check=True, env=COMPILED).stdout
            for line in output.splitlines():
                name, seconds = line.rsplit(" ", 1)
                steps.setdefault(name, []).append(float(seconds))
        rows += [{"what": f"of it: {n}", "milliseconds": round(1e3 * statistics.median(s))} for n, s in steps.items()]
        record.save("speed_command" + kind, rows)


PARTS: dict[str, Callable[[str | None], None]] = {
    "sizes": sizes,
    "runtimes": runtimes,
    "engines": by_engine,
    "start": start,
    "command": command,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--only", help="one network of runtimes or engines, a model of start, a size of sizes")
    parser.add_argument("--one-core", action="store_true", help="CPU seconds on one core")
    options = parser.parse_args()
    if options.one_core:
        global clock, kind
        clock, kind = time.process_time, "_one_core"
        os.sched_setaffinity(0, {0})
    for part in options.parts or PARTS:
        PARTS[part](options.only)


if __name__ == "__main__":
    main()
