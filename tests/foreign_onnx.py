"""Small ONNX files as other projects write them: other names, types, layouts and levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES: dict[Any, int] = {np.float32: TensorProto.FLOAT, np.float16: TensorProto.FLOAT16, np.uint8: TensorProto.UINT8}


def write(
    path: Path,
    *,
    scale: int = 2,
    channels: int = 3,
    dtype: Any = np.float32,
    layout: str = "NCHW",
    white: float = 1.0,
    sides: tuple[Any, Any] = ("h", "w"),
    multiple: int = 1,
    kernel: int = 5,
    swapped: bool = False,
    batch: Any = "n",
    whole: bool = False,
) -> Path:
    """A blur that keeps colours and levels, then pixels repeated.

    What goes beyond 0 to white is cut off; a network for 0 to 255 rounds to whole numbers, so that 0 to 1 would show.
    """
    compute = np.float32 if dtype is np.uint8 else dtype
    weight: Any = np.zeros((channels, channels, kernel, kernel), compute)
    for c in range(channels):
        weight[channels - 1 - c if swapped else c, c] = 1 / kernel**2
    constants = {
        "weight": weight,
        "zero": np.array(0, compute),
        "white": np.array(white, compute),
        "scales": np.array([1, 1, scale, scale], np.float32),
        "all": np.array([2, 3], np.int64),
    }
    nodes: list[Any] = []
    last = "picture"

    def then(operator: str, *more: str, **attributes: Any) -> None:
        nonlocal last
        nodes.append(helper.make_node(operator, [last, *more], [f"t{len(nodes)}"], **attributes))
        last = f"t{len(nodes) - 1}"

    if dtype is np.uint8:
        then("Cast", to=TensorProto.FLOAT)
    if layout == "NHWC":
        then("Transpose", perm=[0, 3, 1, 2])
    if multiple > 1:
        then("SpaceToDepth", blocksize=multiple)
        then("DepthToSpace", blocksize=multiple)
    then("Clip", "zero", "white")
    if white > 2:
        then("Round")
    if whole:
        before = last
        then("ReduceMean", "all", keepdims=1)
        mean = last
        last = before
        then("Add", mean)
        then("Sub", mean)
        nodes.append(helper.make_node("Mul", [mean, "white"], ["scaled"]))
        then("Add", "scaled")
        then("Sub", mean)
    pad = kernel // 2
    then("Conv", "weight", kernel_shape=[kernel, kernel], pads=[pad] * 4)
    then("Resize", "", "scales", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    if layout == "NHWC":
        then("Transpose", perm=[0, 2, 3, 1])
    if dtype is np.uint8:
        then("Round")
        then("Cast", to=TensorProto.UINT8)
    nodes[-1].output[0] = "larger"
    height, width = sides
    shape = [batch, channels, height, width] if layout == "NCHW" else [batch, height, width, channels]
    result = [batch, channels, None, None] if layout == "NCHW" else [batch, None, None, channels]
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("picture", TYPES[dtype], shape)],
        [helper.make_tensor_value_info("larger", TYPES[dtype], result)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path
