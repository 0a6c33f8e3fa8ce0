"""From a network to a model of the zoo: NAME.safetensors with its card, and NAME.onnx, the same network.

What a card states about the network (halo, memory, work) is measured here. A network that trains with more branches
than it needs is folded first, which its card records. Needs PyTorch and onnx.
"""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.torch
import torch
from torch import Tensor, nn

from hyperacuity import storage
from hyperacuity.errors import OTHER, UsageError, Use
from hyperacuity.networks import as_network, complete_config
from hyperacuity.zoo import RESAMPLERS, Card, int8_path, sampler_path

# Large enough for every network's halo to lie within, small enough to measure in a moment.
_PROBE = 96
# Where it does not: strips of these lengths, which cost less than squares.
_STRIPS = (384, 768, 1536)


def measure_network(network: nn.Module) -> dict[str, Any]:
    """Measure the fields of a card that follow from the network.

    Args:
        network: Of the table; it is moved to the CPU, to float32 and into evaluation mode.

    Returns:
        halo, multiple, activation_bytes, whole, parameters and multiply_adds, see `zoo.Card`; of the folded form.

    Raises:
        ValueError: The halo is larger than the probe.
    """
    network = _folded(network.eval().to("cpu", torch.float32))
    return {
        "halo": measure_halo(network),
        "multiple": as_network(network).multiple,
        "activation_bytes": measure_activations(network),
        "whole": any(_is_whole(module) for module in network.modules()),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds": count_multiply_adds(network),
    }


def write_model(network: nn.Module, card: Card, folder: Path) -> None:
    """Write NAME.safetensors and NAME.onnx, both or neither; the 8-bit form of earlier weights is removed.

    A network that draws samples is also written as NAME-sampler.onnx, see `networks.vae.Sampler`.

    Args:
        network: The network; its folded form is written.
        card: Its card; the config is completed by the defaults.
        folder: Where to write; created if missing.

    Raises:
        UsageError: The files cannot be written.
    """
    folded = _folded(network)
    form = {"folded": True} if folded is not network else {}
    network, card = folded, replace(card, config=complete_config(card.architecture, {**card.config, **form}))
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    onnx_file, weights_file = folder / f"{card.name}.onnx", folder / f"{card.name}.safetensors"
    # The file with the card is last: without it there is no model.
    contents = {onnx_file: to_onnx(network, card)}
    if (sampler := sampler_of(network)) is not None:
        contents[sampler_path(onnx_file)] = to_onnx(sampler, sampler_card(sampler, card))
    contents[weights_file] = safetensors.torch.save(weights, card.to_metadata())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(contents, int8_path(onnx_file))
    except OSError as error:
        raise UsageError(
            f"{card.name} cannot be written into {folder} ({error.strerror or error}); free some space, or allow "
            "writing there"
        ) from error


def sampler_of(network: nn.Module) -> nn.Module | None:
    """Returns the network that draws samples, in evaluation mode; None for networks that draw none."""
    sampler = getattr(network, "sampler", None)
    return None if sampler is None else sampler().eval()


def sampler_card(sampler: nn.Module, card: Card) -> Card:
    """Returns the card of a network that draws samples: it looks farther than the one for their mean."""
    return replace(card, halo=measure_halo(sampler), activation_bytes=measure_activations(sampler))


def check_free(folder: Path, name: str, *, force: bool) -> None:
    """Check that a model of this name can be written.

    Raises:
        UsageError: Some systems do not allow files of this name, a resampler has it, or the model exists and `force`
            is not given.
    """
    if not name or name.startswith(".") or re.search(r'[/\\:*?"<>|\x00-\x1f]', name):
        raise UsageError(f"{name!r} cannot be the name of a model; choose another name")
    if (family := re.sub(r"-x\d+$", "", name.lower())) in RESAMPLERS:
        raise UsageError(f"there is a resampler called {family}; choose another name")
    for target in (folder / f"{name}.safetensors", folder / f"{name}.onnx"):
        if target.exists() and not force:
            raise UsageError(f"{target} exists", Use(name=OTHER), Use(force=True))


def _folded(network: nn.Module) -> nn.Module:
    fold = getattr(network, "folded", None)
    return network if fold is None else fold()


def _replace(contents: Mapping[Path, bytes], outdated: Path) -> None:
    """Write all files, then put them in place of the old ones."""
    with contextlib.ExitStack() as stack:
        partials = []
        for path, content in contents.items():
            partial = storage.Partial(path)
            stack.callback(partial.discard)
            partial.write(content)
            partials.append(partial)
        outdated.unlink(missing_ok=True)
        for partial in partials:
            partial.commit()


def to_onnx(network: nn.Module, card: Card) -> bytes:
    """Returns the network as an ONNX file: batch, height and width are free, the card is in its metadata."""
    example = torch.zeros(2, as_network(network).channels, 32, 48)
    step = as_network(network).multiple
    sizes = {0: torch.export.Dim("n"), 2: step * torch.export.Dim("h"), 3: step * torch.export.Dim("w")}
    with warnings.catch_warnings():
        # The exporter uses deprecated parts of PyTorch; it mentions torchvision, which is not needed, and constants
        # that it leaves as they are.
        warnings.simplefilter("ignore")
        for chatty in ("torch.onnx._internal.exporter._registration", "onnxscript.optimizer._constant_folding"):
            logging.getLogger(chatty).setLevel(logging.ERROR)
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["input"],
            output_names=["output"],
            dynamic_shapes=(sizes,),
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    # The exporter records for each node which line of which file on this machine made it.
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    _widen_last(model.graph)
    onnx.helper.set_model_props(model, card.to_metadata())
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _widen_last(graph: onnx.GraphProto) -> None:
    """Let the last layer of a small x2 network on luma compute 2x2 pixels at a time; other networks are not changed.

    A 3x3 convolution to the 4 phases, the input added to each, and a pixel shuffle become a 4x4 convolution of stride 2
    to 16 phases: the kernel in its four places, zeros around it, which add nothing to any sum. Odd sides are cut off
    after the shuffle. It is more arithmetic and takes less time, since runtimes pad 4 channels to the 8 or 16 of their
    vectors (docs/speed.md): 0.9 of Acute 10k's in ONNX Runtime.
    """
    end = list(graph.node[-3:])
    if [node.op_type for node in end] != ["Conv", "Add", "DepthToSpace"] or end[1].input[1] != graph.input[0].name:
        return
    constants = {tensor.name: tensor for tensor in graph.initializer}
    last, *biases = (onnx.numpy_helper.to_array(constants[name]) for name in end[0].input[1:])
    if last.shape[0] != 4 or last.shape[2:] != (3, 3) or graph.input[0].type.tensor_type.shape.dim[1].dim_value != 1:
        return
    phases, features = len(last), last.shape[1]
    bias = biases[0] if biases else np.zeros(phases, np.float32)  # the exporter leaves out zeros
    kernel = np.zeros((2, 2, 2, 2, features, 4, 4), np.float32)  # row, its half, column, its half
    nearest = np.zeros((2, 2, 2, 2, 1, 2, 2), np.float32)
    for row, column in np.ndindex(2, 2):
        kernel[row, :, column, :, :, row : row + 3, column : column + 3] = last.reshape(2, 2, features, 3, 3)
        nearest[row, :, column, :, 0, row, column] = 1
    made = {
        "last.weight": kernel.reshape(4 * phases, features, 4, 4),
        "last.bias": np.broadcast_to(bias.reshape(1, 2, 1, 2), (2, 2, 2, 2)).reshape(-1),
        "nearest.weight": nearest.reshape(4 * phases, 1, 2, 2),
        "origin": np.zeros(2, np.int64),
        "scale": np.full(2, 2, np.int64),
        "axes": np.array([2, 3], np.int64),
    }
    for name in end[0].input[1:]:
        graph.initializer.remove(constants[name])
    graph.initializer.extend(onnx.numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in made.items())
    image, result, node = graph.input[0].name, graph.output[0].name, onnx.helper.make_node
    wide: dict[str, Any] = {"strides": [2, 2], "dilations": [1, 1], "group": 1}
    del graph.node[-3:]
    graph.node.extend(
        [
            node("Conv", [end[0].input[0], "last.weight", "last.bias"], ["phases"],
                 kernel_shape=[4, 4], pads=[1, 1, 2, 2], **wide),
            node("Conv", [image, "nearest.weight"], ["nearest"], kernel_shape=[2, 2], pads=[0, 0, 1, 1], **wide),
            node("Add", ["phases", "nearest"], ["sum"]),
            node("DepthToSpace", ["sum"], ["shuffled"], blocksize=4, mode="CRD"),
            node("Shape", [image], ["sides"], start=2),
            node("Mul", ["sides", "scale"], ["size"]),
            node("Slice", ["shuffled", "origin", "size", "axes"], [result]),
        ]
    )  # fmt: skip
    known = {name for each in graph.node for name in each.output}
    for value in [value for value in graph.value_info if value.name not in known]:
        graph.value_info.remove(value)


def measure_halo(network: nn.Module) -> int:
    """Measure the largest distance in pixels from which an input pixel influences an output pixel.

    By gradients: which inputs move the output pixels over the middle input pixel; or over the middle block, if sides
    must be divisible by a `multiple`. The output of a module with `whole = True` is held constant, see
    `networks.Network`.

    Raises:
        ValueError: The distance is larger than the probe.
    """
    step = as_network(network).multiple
    thin, reach = -(-8 // step) * step, 0
    shapes = [[(_PROBE, _PROBE)], *([(thin, length), (length, thin)] for length in _STRIPS)]
    with _whole_outputs_constant(network):
        for both in shapes:
            for height, width in both:
                reach = max(reach, _reach(network, height, width))
                if reach >= max(height, width) // 2 - step:
                    break  # farther than this one shows
            else:
                return reach
    raise ValueError(f"the network looks farther than {reach} pixels: enlarge the probe")


def _reach(network: nn.Module, height: int, width: int) -> int:
    channels, scale, step = as_network(network).channels, as_network(network).scale, as_network(network).multiple
    x = torch.rand(1, channels, height, width, requires_grad=True)
    first = [side // 2 // step * step for side in (height, width)]
    rows, columns = (slice(start * scale, (start + step) * scale) for start in first)
    (gradient,) = torch.autograd.grad(network(x)[:, :, rows, columns].sum(), x)
    seen = gradient.abs().sum(dim=(0, 1)).nonzero()
    before, after = torch.tensor(first) - seen, seen - torch.tensor(first) - (step - 1)
    return max(0, int(before.max()), int(after.max()))


def _is_whole(module: nn.Module) -> bool:
    return getattr(module, "whole", False)


@contextlib.contextmanager
def _whole_outputs_constant(network: nn.Module) -> Iterator[None]:
    def constant(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.detach()

    handles = [module.register_forward_hook(constant) for module in network.modules() if _is_whole(module)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def measure_activations(network: nn.Module) -> int:
    """Measure the memory of activations in bytes for each input pixel, float32.

    It is the largest input and output of one layer, twice: a backend keeps its own layout of both.
    """
    largest = 0

    def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal largest
        largest = max(largest, sum(tensor.numel() for tensor in inputs) + output.numel())

    _run_with(network, note)
    return 2 * 4 * largest // _PROBE**2


def count_multiply_adds(network: nn.Module) -> int:
    """Count the multiplications with weights for each input pixel, of all convolutions and linear layers.

    A transposed convolution counts each weight once for each of its input pixels.
    """
    total = 0

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.ConvTranspose2d):
            total += layer.weight.numel() * inputs[0][0, 0].numel()
        elif isinstance(layer, nn.Conv2d):
            total += layer.weight.numel() * output[0, 0].numel()
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel() * output[..., 0].numel()

    _run_with(network, note)
    return total // _PROBE**2


def _run_with(network: nn.Module, hook: object) -> None:
    handles = [
        layer.register_forward_hook(hook)  # type: ignore[arg-type]  # a hook of the three-argument form
        for layer in network.modules()
        if not list(layer.children())
    ]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, as_network(network).channels, _PROBE, _PROBE))
    finally:
        for handle in handles:
            handle.remove()
