"""What `speed.py` times: our pipeline in each engine, and the same network called directly in five runtimes.

A runner opens a model and returns a function: ours takes an `Image`, the others a float32 batch of the network's input.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from hyperacuity import engines, machine
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline, Stage
from hyperacuity.zoo import Model

Run = Callable[[Any], Any]


def open_ours(model: Model, engine: str) -> Run:
    opened = engines.open(model, engine=engine, device="cpu")
    pipeline = Pipeline([Stage(opened, model.card.name)])

    def run(image: Image) -> Any:
        scale = opened.scale
        return pipeline.stream(image, image.header.height * scale, image.header.width * scale).gather().pixels

    return run


def open_torch(model: Model) -> Run:
    import safetensors.torch
    import torch

    from hyperacuity.networks import build

    torch.set_num_threads(machine.cores())
    network = build(model.card.architecture, model.card.config).eval()
    network.load_state_dict(safetensors.torch.load_file(str(model.safetensors)))
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(batch: Any) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(batch).to(memory_format=torch.channels_last)).numpy()

    return run


def open_onnxruntime(model: Model) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.onnx, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"input": batch})[0]


def open_openvino(model: Model) -> Run:
    import openvino

    compiled = openvino.Core().compile_model(str(model.onnx), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda batch: request.infer([batch])[0]


def open_ncnn(model: Model) -> Run:
    import ncnn

    from hyperacuity.engines.onnx_to_ncnn import convert_graph

    assert model.onnx is not None
    layers, weights = convert_graph(model.onnx)
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.num_threads = machine.cores()
    net.load_param_mem(layers)
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(weights)
        file.flush()
        net.load_model(file.name)

    def run(batch: Any) -> Any:
        extractor = net.create_extractor()
        extractor.input("input", ncnn.Mat(batch[0]))
        height, width = (side * model.card.network_scale for side in batch.shape[2:])
        return np.asarray(extractor.extract("output")[1])[None, :, :height, :width]

    return run


def open_opencv(model: Model) -> Run:
    import cv2

    net = cv2.dnn.readNetFromONNX(str(model.onnx))

    def run(batch: Any) -> Any:
        net.setInput(batch)
        return net.forward()

    return run


DIRECT: dict[str, Callable[[Model], Run]] = {
    "PyTorch": open_torch,
    "ONNX Runtime": open_onnxruntime,
    "OpenVINO": open_openvino,
    "ncnn": open_ncnn,
    "OpenCV": open_opencv,
}
OURS = ["auto", *(name for name in engines.ENGINES if name != "pytorch")]
GREY = "ours grey"


def runners(model: Model) -> dict[str, Callable[[], Run]]:
    """All runners by name. Ours are called "ours ENGINE", where "ours auto" is the default.

    "ours grey" is the default on a grey image, for networks on luma: its one channel is what the runtimes compute too.
    """
    mine: dict[str, Callable[[], Run]] = {f"ours {name}": functools.partial(open_ours, model, name) for name in OURS}
    if model.card.channel_count == 1:
        mine[GREY] = functools.partial(open_ours, model, "auto")
    return mine | {name: functools.partial(open_, model) for name, open_ in DIRECT.items()}


def make_batch(model: Model, pixels: Any) -> Any:
    """Returns (H, W, 3) uint8 as the input of the network; green stands for luma."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    return planes if model.card.channel_count == 3 else np.ascontiguousarray(planes[:, 1:2])


def run_on(name: str, run: Run, model: Model, pixels: Any) -> Any:
    """Returns the result of the runner called `name` on (H, W, 3) uint8."""
    return run(Image.from_pixels(pixels)) if name.startswith("ours") else run(make_batch(model, pixels))
