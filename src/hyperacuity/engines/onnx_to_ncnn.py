"""An ONNX graph as ncnn's two files: its layers as text, its weights as bytes.

For the layers of which networks for super-resolution are made. Format: ncnn's wiki, "param and model file structure"
and "operation param weight table". Needs onnx.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from hyperacuity.engines.transposed import shuffled_convolution
from hyperacuity.errors import LEAVE_OUT, UsageError, Use

Array = NDArray[Any]

MAGIC = 7767517  # of ncnn's text format
_BINARY = {"Add": 0, "Sub": 1, "Mul": 2, "Div": 3}
_REVERSED = {"Sub": 7, "Div": 8}  # where the constant comes first
_NO_SGEMM = 1 << 5  # of a layer's mask of features
_PLAIN = {"Relu": "ReLU", "Sigmoid": "Sigmoid", "Tanh": "TanH"}


def convert_graph(path: Path) -> tuple[str, bytes]:
    """Convert an ONNX file.

    Returns:
        The layers, as the text of ncnn's .param file, and the weights, as the content of its .bin file.

    Raises:
        UsageError: An operator has no layer here.
    """
    return _Conversion(onnx.load(path).graph).result()


class _Conversion:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants: dict[str, Array] = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(_attributes(node)["value"])
        self.made_by = {name: node for node in graph.node for name in node.output}
        self.lines: list[tuple[str, list[str], list[str], str]] = []  # layer, inputs, outputs, settings
        self.weights: list[bytes] = []

    def result(self) -> tuple[str, bytes]:
        self._layer("Input", [], [self.graph.input[0].name])
        for node in self.graph.node:
            self._node(node)
        self._fuse()
        self._split_shared()
        blobs = sum(len(outputs) for _, _, outputs, _ in self.lines)
        rows = [
            " ".join([kind, f"layer{n}", str(len(i)), str(len(o)), *i, *o, settings]).rstrip()
            for n, (kind, i, o, settings) in enumerate(self.lines)
        ]
        return "\n".join([str(MAGIC), f"{len(rows)} {blobs}", *rows, ""]), b"".join(self.weights)

    def _layer(self, kind: str, inputs: list[str], outputs: list[str], **settings: object) -> None:
        """settings: _0=16 is ncnn's parameter 0; lists are arrays."""
        words = []
        for name, value in settings.items():
            number = int(name[1:])
            if isinstance(value, list):
                words.append(",".join([f"{-23300 - number}={len(value)}", *map(str, value)]))
            else:
                words.append(f"{number}={value}")
        self.lines.append((kind, inputs, outputs, " ".join(words)))

    def _store(self, values: Array, *, tagged: bool = False) -> None:
        """tagged: behind the four bytes by which ncnn knows float32."""
        self.weights.append(bytes(4 * tagged) + np.ascontiguousarray(values, "<f4").tobytes())

    def _node(self, node: NodeProto) -> None:
        known: dict[str, Callable[[NodeProto, dict[str, Any]], None]] = {
            "Conv": self._convolution,
            "ConvTranspose": self._transposed,
            "PRelu": self._prelu,
            "LeakyRelu": lambda n, a: self._layer("ReLU", [n.input[0]], [n.output[0]], _0=a.get("alpha", 0.01)),
            "Clip": self._clip,
            "DepthToSpace": self._depth_to_space,
            "Concat": self._concat,
            "Split": self._split,
            "Resize": self._resize,
            "Pad": self._pad,
            "Slice": self._slice,
        }
        # Shapes are not computed in ncnn: what only serves them is skipped, and an operator that needs it is refused.
        if node.op_type in ("Constant", "Shape", "Unsqueeze", "Expand") or (
            node.op_type in ("Concat", "Mul") and self._is_shape(node.input[0])
        ):
            return
        if node.op_type == "Reshape" and (factor := self._repeats(node)) is not None:
            self._repeat(node, factor)
        elif node.op_type in _PLAIN:
            self._layer(_PLAIN[node.op_type], [node.input[0]], [node.output[0]])
        elif node.op_type in _BINARY:
            self._binary(node)
        elif node.op_type in known:
            known[node.op_type](node, _attributes(node))
        else:
            self._refuse(node)

    def _refuse(self, node: NodeProto) -> NoReturn:
        raise UsageError(f"this network has {node.op_type}, which is not made for ncnn", Use(engine=LEAVE_OUT))

    def _convolution(self, node: NodeProto, how: dict[str, Any]) -> None:
        weight = self.constants[node.input[1]]  # (outputs, inputs / groups, rows, columns)
        bias = self.constants[node.input[2]] if len(node.input) > 2 else None
        top, left, bottom, right = how.get("pads", [0, 0, 0, 0])
        down, across = how.get("strides", [1, 1])
        if how.get("auto_pad", b"NOTSET") != b"NOTSET":
            self._refuse(node)
        groups = how.get("group", 1)
        settings: dict[str, object] = {
            "_0": len(weight), "_1": weight.shape[3], "_11": weight.shape[2],
            "_2": how.get("dilations", [1, 1])[1], "_12": how.get("dilations", [1, 1])[0],
            "_3": across, "_13": down, "_4": left, "_14": top, "_15": right, "_16": bottom,
            "_5": int(bias is not None), "_6": weight.size,
        }  # fmt: skip
        if max(weight.shape[2:]) > 3:
            settings["_31"] = (
                _NO_SGEMM  # it unrolls the image for each tap: 6 GB for 56 channels, 5x5, half a megapixel
            )
        if groups > 1:
            settings["_7"] = groups
        kind = "ConvolutionDepthWise" if groups > 1 else "Convolution"
        self._layer(kind, [node.input[0]], [node.output[0]], **settings)
        self._store(weight, tagged=True)
        if bias is not None:
            self._store(bias)

    def _transposed(self, node: NodeProto, how: dict[str, Any]) -> None:
        weight = self.constants[node.input[1]]
        stride, pads = how.get("strides", [1, 1]), how.get("pads", [0, 0, 0, 0])
        extra = how.get("output_padding", [0, 0])
        even = len(set(stride)) == len(set(pads)) == len(set(extra)) == 1 and weight.shape[2] == weight.shape[3]
        even = even and how.get("group", 1) == 1 and set(how.get("dilations", [1, 1])) == {1}
        replacement = shuffled_convolution(weight, stride[0], pads[0], extra[0]) if even else None
        if replacement is None:
            self._refuse(node)
        kernel, before, after = replacement
        phases = f"{node.output[0]}_phases"
        bias = self.constants[node.input[2]].repeat(stride[0] ** 2) if len(node.input) > 2 else None
        self._layer(
            "Convolution", [node.input[0]], [phases],
            _0=len(kernel), _1=kernel.shape[3], _4=before, _15=after, _14=before, _16=after,
            _5=int(bias is not None), _6=kernel.size, _31=_NO_SGEMM if kernel.shape[3] > 3 else 0,
        )  # fmt: skip
        self._store(kernel, tagged=True)
        if bias is not None:
            self._store(bias)
        self._layer("PixelShuffle", [phases], [node.output[0]], _0=stride[0])

    def _prelu(self, node: NodeProto, _: dict[str, Any]) -> None:
        slope = self.constants[node.input[1]].reshape(-1)
        self._layer("PReLU", [node.input[0]], [node.output[0]], _0=slope.size)
        self._store(slope)

    def _clip(self, node: NodeProto, _: dict[str, Any]) -> None:
        bounds = [
            float(self.constants[node.input[n]]) if len(node.input) > n and node.input[n] else default
            for n, default in ((1, -3e38), (2, 3e38))
        ]
        self._layer("Clip", [node.input[0]], [node.output[0]], _0=bounds[0], _1=bounds[1])

    def _depth_to_space(self, node: NodeProto, how: dict[str, Any]) -> None:
        order = int(how.get("mode", b"DCR") == b"DCR")
        self._layer("PixelShuffle", [node.input[0]], [node.output[0]], _0=how["blocksize"], _1=order)

    def _concat(self, node: NodeProto, how: dict[str, Any]) -> None:
        if how["axis"] != 1:
            self._refuse(node)
        self._layer("Concat", list(node.input), [node.output[0]], _0=0)

    def _split(self, node: NodeProto, how: dict[str, Any]) -> None:
        if how.get("axis", 0) != 1 or len(node.input) < 2:
            self._refuse(node)
        sizes = [int(size) for size in self.constants[node.input[1]]]
        self._layer("Slice", [node.input[0]], list(node.output), _0=sizes, _1=0)

    def _resize(self, node: NodeProto, how: dict[str, Any]) -> None:
        scales = self.constants.get(node.input[2]) if len(node.input) > 2 else None
        if how.get("mode", b"nearest") != b"nearest" or scales is None or (scales[2:] != scales[2:].round()).any():
            self._refuse(node)
        self._layer("Interp", [node.input[0]], [node.output[0]], _0=1, _1=float(scales[2]), _2=float(scales[3]))

    def _pad(self, node: NodeProto, how: dict[str, Any]) -> None:
        kinds = {b"constant": 0, b"edge": 1, b"reflect": 2}
        pads, mode = self.constants.get(node.input[1]), how.get("mode", b"constant")
        filled = mode == b"constant" and len(node.input) > 2 and bool(node.input[2])
        if pads is None or mode not in kinds or filled or pads.size != 8 or any(pads[[0, 1, 4, 5]]):
            self._refuse(node)
        _, _, top, left, _, _, bottom, right = (int(pad) for pad in pads)
        settings = {"_0": top, "_1": bottom, "_2": left, "_3": right, "_4": kinds[mode]}
        self._layer("Padding", [node.input[0]], [node.output[0]], **settings)

    def _slice(self, node: NodeProto, _: dict[str, Any]) -> None:
        """The rows and columns that an odd image has too many at its end are cut off by `ncnn.Ncnn.run`."""
        if node.output[0] != self.graph.output[0].name or any(self.constants.get(node.input[1], [1])):
            self._refuse(node)
        self._layer("Noop", [node.input[0]], [node.output[0]])

    def _binary(self, node: NodeProto) -> None:
        constants = [self.constants.get(name) for name in node.input]
        operation = _BINARY[node.op_type]
        if constants[0] is not None:
            operation = _REVERSED.get(node.op_type, operation)
        constant = constants[0] if constants[0] is not None else constants[1]
        blobs = [name for name, value in zip(node.input, constants, strict=True) if value is None]
        if constant is None:
            self._layer("BinaryOp", blobs, [node.output[0]], _0=operation)
        elif constant.size == 1:
            self._layer("BinaryOp", blobs, [node.output[0]], _0=operation, _1=1, _2=float(constant.reshape(())))
        elif constant.size == constant.shape[-3]:  # one number for each channel
            name = f"{node.output[0]}_constant"
            self._layer("MemoryData", [], [name], _0=1, _1=1, _2=constant.size)
            self._store(constant)
            self._layer("BinaryOp", [*blobs, name], [node.output[0]], _0=operation)
        else:
            self._refuse(node)

    def _fuse(self) -> None:
        """Let convolutions apply the ReLU behind them."""
        fused: list[tuple[str, list[str], list[str], str]] = []
        readers = Counter(name for _, inputs, _, _ in self.lines for name in inputs)
        for kind, inputs, outputs, settings in self.lines:
            last = fused[-1] if fused else None
            fits = last is not None and last[0] == "Convolution" and last[2] == inputs and readers[inputs[0]] == 1
            if kind == "ReLU" and fits and last is not None:
                slope = settings.removeprefix("0=")
                activation = f"9=2 -23310=1,{slope}" if slope else "9=1"
                fused[-1] = (last[0], last[1], outputs, f"{last[3]} {activation}")
            else:
                fused.append((kind, inputs, outputs, settings))
        self.lines = fused

    def _split_shared(self) -> None:
        """In ncnn one layer reads each result; an extra layer copies a result that several read."""
        readers = Counter(name for _, inputs, _, _ in self.lines for name in inputs)
        taken: Counter[str] = Counter()
        whole: list[tuple[str, list[str], list[str], str]] = []
        for kind, inputs, outputs, settings in self.lines:
            own = []
            for name in inputs:
                own.append(f"{name}/{taken[name]}" if readers[name] > 1 else name)
                taken[name] += 1
            whole.append((kind, own, outputs, settings))
            for name in outputs:
                if readers[name] > 1:
                    whole.append(("Split", [name], [f"{name}/{n}" for n in range(readers[name])], ""))
        self.lines = whole

    def _is_shape(self, name: str) -> bool:
        source = self.made_by.get(name)
        return source is not None and source.op_type == "Shape"

    def _repeats(self, node: NodeProto) -> int | None:
        """How many times this repeats each channel, if it does.

        The pattern: (N, C, H, W), unsqueezed after C, expanded there, reshaped to (N, C * times, H, W).
        """
        chain = [node]
        for kind in ("Expand", "Unsqueeze"):
            source = self.made_by.get(chain[-1].input[0])
            if source is None or source.op_type != kind:
                return None
            chain.append(source)
        channels = {one.name: one.type.tensor_type.shape.dim for one in (*self.graph.value_info, *self.graph.input)}
        before, after = channels.get(chain[-1].input[0]), channels.get(node.output[0])
        if list(self.constants.get(chain[-1].input[1], [])) != [2] or before is None or after is None:
            return None
        whole = len(before) == len(after) == 4 and before[1].dim_value and after[1].dim_value
        return after[1].dim_value // before[1].dim_value if whole else None

    def _repeat(self, node: NodeProto, times: int) -> None:
        image = self.made_by[self.made_by[node.input[0]].input[0]].input[0]
        shape = {one.name: one.type.tensor_type.shape.dim for one in (*self.graph.value_info, *self.graph.input)}
        weight = np.eye(shape[image][1].dim_value, dtype=np.float32).repeat(times, axis=0)
        settings = {"_0": len(weight), "_1": 1, "_5": 0, "_6": weight.size}
        self._layer("Convolution", [image], [node.output[0]], **settings)
        self._store(weight, tagged=True)


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
