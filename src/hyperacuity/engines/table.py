"""The table of engines: one line for each file."""

from __future__ import annotations

from hyperacuity.engines import ncnn, onnx_runtime, openvino, pytorch
from hyperacuity.engines.protocol import Backend

ENGINES: dict[str, Backend] = {
    "onnxruntime": onnx_runtime.BACKEND,
    "openvino": openvino.BACKEND,
    "ncnn": ncnn.BACKEND,
    "pytorch": pytorch.BACKEND,
}
